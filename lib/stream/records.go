package stream

import (
	"encoding/binary"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Two rows of a directory are no elements: the shape of each record, and which records count.
var (
	shapeRow     = ie.New(ie.ProjectPEN, 0xfffe)
	selectionRow = ie.New(ie.ProjectPEN, 0xffff)
)

const (
	rowLen  = 64
	noRef   = 0xffff
	lo6     = 1 // row flag: the smallest value is IPv6
	hi6     = 2
	fixedIn = 4 + 4 + 14*8 + 2 + 2
)

// A records header:
//
//	4   records
//	4   selected records
//	112 totals of all records: bounds when fewer are selected
//	2   shapes
//	2   rows of the directory
//	    per shape: 2 elements, each 4 enterprise number, 2 element, 2 length
//	    rows of 64 bytes:
//	    0  4  enterprise number        20 4  bytes before compression
//	    4  2  element                  24 4  CRC-32C of the block as stored
//	    6  1  occurrence               28 1  1: smallest, 2: largest value is IPv6
//	    7  1  kind                     29 3  zero
//	    8  1  encoding                 32 16 smallest value, high and low half
//	    9  1  compression              48 16 largest value
//	    10 2  row leaned on, ffff none
//	    12 4  values
//	    16 4  bytes stored
//
// The blocks follow in the body in the order of their rows. Rows leaned on count from the
// first element's row.
func appendRecordsHeader(dst []byte, b *flow.Batch, sel *column.Block) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(b.N))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(b.Selected()))
	dst = appendTotals(dst, &b.Totals)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(b.Shapes)))
	rows := 1 + len(b.Cols)
	if sel != nil {
		rows++
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(rows))
	for _, s := range b.Shapes {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s)))
		for _, e := range s {
			dst = binary.LittleEndian.AppendUint32(dst, e.ID.PEN())
			dst = binary.LittleEndian.AppendUint16(dst, e.ID.Num())
			dst = binary.LittleEndian.AppendUint16(dst, e.Len)
		}
	}
	if sel != nil {
		dst = appendRow(dst, flow.Key{ID: selectionRow}, sel, -1)
	}
	dst = appendRow(dst, flow.Key{ID: shapeRow}, &b.Codes.Block, -1)
	for i := range b.Cols {
		dst = appendRow(dst, b.Cols[i].Key, &b.Cols[i].Block, b.Cols[i].Ref)
	}
	return dst
}

func appendRow(dst []byte, k flow.Key, b *column.Block, ref int) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, k.ID.PEN())
	dst = binary.LittleEndian.AppendUint16(dst, k.ID.Num())
	dst = append(dst, k.Occ, byte(b.Kind), byte(b.Enc), byte(b.Comp))
	if ref < 0 {
		ref = noRef
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(ref))
	for _, x := range []int{b.N, len(b.Data), b.Raw} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(x))
	}
	dst = binary.LittleEndian.AppendUint32(dst, b.CRC)
	flags := byte(0)
	if b.Lo.Is6 {
		flags |= lo6
	}
	if b.Hi.Is6 {
		flags |= hi6
	}
	dst = append(dst, flags, 0, 0, 0)
	for _, x := range []uint64{b.Lo.Hi, b.Lo.Lo, b.Hi.Hi, b.Hi.Lo} {
		dst = binary.LittleEndian.AppendUint64(dst, x)
	}
	return dst
}

// row is a directory row with where its block lies in the body.
type row struct {
	key      flow.Key
	block    column.Block
	ref      int
	off, len int
}

func parseRow(c *cursor, off int) row {
	p := cursor{b: c.take(rowLen)}
	if c.err != nil {
		return row{}
	}
	var r row
	pen := p.u32()
	r.key = flow.Key{ID: ie.New(pen, p.u16()), Occ: p.u8()}
	r.block.Kind, r.block.Enc, r.block.Comp = column.Kind(p.u8()), column.Enc(p.u8()), column.Comp(p.u8())
	if r.ref = int(p.u16()); r.ref == noRef {
		r.ref = -1
	}
	r.block.N = int(p.u32())
	r.off, r.len = off, int(p.u32())
	r.block.Raw = int(p.u32())
	r.block.CRC = p.u32()
	flags := p.u8()
	p.take(3)
	r.block.Lo = column.Bound{Is6: flags&lo6 != 0, Hi: p.u64(), Lo: p.u64()}
	r.block.Hi = column.Bound{Is6: flags&hi6 != 0, Hi: p.u64(), Lo: p.u64()}
	return r
}

// directory is what a records header says of the body.
type directory struct {
	selected int   // records that count
	rows     []row // a selection's if there is one, the shape codes', one for each column
}

// lazy tells whether the columns may stay where they are until they are asked for.
func (d *directory) lazy(b *flow.Batch) bool {
	return d.selected == b.N && d.rows[0].key.ID == shapeRow
}

// parseRecords reads a records header into a batch without its blocks.
func parseRecords(header []byte, body int) (*flow.Batch, directory, error) {
	b, d := &flow.Batch{}, directory{}
	err := d.parse(b, header, body)
	return b, d, err
}

func (d *directory) parse(b *flow.Batch, header []byte, body int) error {
	c := cursor{b: header}
	b.N = int(c.u32())
	d.selected = int(c.u32())
	b.Totals = parseTotals(&c)
	b.Totals.Records = uint64(b.N)
	shapes, rows := int(c.u16()), int(c.u16())
	switch {
	case c.err != nil:
		return c.err
	case b.N > flow.MaxRecords || d.selected > b.N:
		return corrupt("%d of %d records selected, a frame has at most %d", d.selected, b.N, flow.MaxRecords)
	case shapes > flow.MaxShapes || rows > flow.MaxColumns+2 || shapes == 0 && b.N > 0:
		return corrupt("%d shapes and %d columns", shapes, rows)
	}
	for range shapes {
		n := int(c.u16())
		if n > flow.MaxElements {
			return corrupt("shape of %d elements", n)
		}
		s := make(flow.Shape, n)
		for i := range s {
			pen := c.u32()
			s[i] = flow.Elem{ID: ie.New(pen, c.u16()), Len: c.u16()}
		}
		if c.err != nil {
			return c.err
		}
		b.Shapes = append(b.Shapes, s)
	}
	d.rows = make([]row, 0, min(rows, len(c.b)/rowLen))
	off := 0
	for range rows {
		r := parseRow(&c, off)
		if c.err != nil {
			return c.err
		}
		if off += r.len; off > body {
			return corrupt("columns of %d bytes in a body of %d", off, body)
		}
		if r.block.N > b.N || r.block.Raw > column.MaxRaw {
			return corrupt("column %s: %d values and %d bytes for %d records", r.key.ID, r.block.N, r.block.Raw, b.N)
		}
		d.rows = append(d.rows, r)
	}
	if off != body || len(c.b) != 0 {
		return corrupt("directory tells of %d bytes, the body has %d", off, body)
	}
	return fill(b, d.rows)
}

// fill turns the directory into the columns of b; blocks come later.
func fill(b *flow.Batch, dir []row) error {
	i := 0
	if i < len(dir) && dir[i].key.ID == selectionRow {
		i++
	}
	if i >= len(dir) || dir[i].key.ID != shapeRow || dir[i].block.N != b.N {
		return corrupt("directory without the shapes of its records")
	}
	b.Codes = flow.Column{Key: dir[i].key, Block: dir[i].block, Ref: -1}
	for _, r := range dir[i+1:] {
		if r.ref >= len(dir)-i-1 {
			return corrupt("column %s leans on row %d", r.key.ID, r.ref)
		}
		b.Cols = append(b.Cols, flow.Column{Key: r.key, Block: r.block, Ref: r.ref})
	}
	if err := b.Link(); err != nil {
		return corrupt("%v", err)
	}
	return agree(b)
}

// attach gives the columns their blocks of the body and checks all checksums.
func (d *directory) attach(b *flow.Batch, body []byte) error {
	for i, r := range d.rows {
		if err := d.take(b, i, body[r.off:r.off+r.len:r.off+r.len]); err != nil {
			return err
		}
	}
	return d.whole(b)
}

// take gives row i its block.
func (d *directory) take(b *flow.Batch, i int, p []byte) error {
	r, first := &d.rows[i], len(d.rows)-len(b.Cols)
	if column.Checksum(p) != r.block.CRC {
		return corrupt("column %s: bad checksum", r.key.ID)
	}
	var err error
	switch {
	case i >= first:
		b.Cols[i-first].Block.Data = p
	case r.key.ID == shapeRow:
		b.Codes.Block.Data = p
	default:
		b.Sel, err = parseSelection(p, b.N, d.selected)
	}
	return err
}

// whole checks a batch that has its blocks.
func (d *directory) whole(b *flow.Batch) error {
	if b.Sel == nil && d.selected != b.N {
		return corrupt("%d of %d records selected, but no selection", d.selected, b.N)
	}
	return nil
}

// agree checks that a column of all shapes has a value for each record, and one of no shape
// none. Of the others it is checked when they are decoded, for it depends on other blocks.
func agree(b *flow.Batch) error {
	all := ^uint64(0) >> (flow.MaxShapes - max(len(b.Shapes), 1))
	for i := range b.Cols {
		c := &b.Cols[i]
		if c.Shapes == all && c.Block.N != b.N || c.Shapes == 0 && c.Block.N != 0 {
			return corrupt("column %s: %d values for %d records", c.Key.ID, c.Block.N, b.N)
		}
	}
	return nil
}

// parseSelection reads a selection: one bit a record, lowest bit first, in 8-byte words.
func parseSelection(p []byte, n, selected int) (flow.Bitmap, error) {
	m := flow.NewBitmap(n)
	if len(p) != 8*len(m) {
		return nil, corrupt("selection of %d bytes for %d records", len(p), n)
	}
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	if n&63 != 0 && m[len(m)-1]>>(n&63) != 0 || m.Count() != selected {
		return nil, corrupt("selection does not have %d of %d records", selected, n)
	}
	return m, nil
}

func selectionBlock(m flow.Bitmap, n int) *column.Block {
	p := make([]byte, 0, 8*len(m))
	for _, w := range m {
		p = binary.LittleEndian.AppendUint64(p, w)
	}
	return &column.Block{Kind: column.Bytes, Enc: column.EncPlain, N: n, Raw: len(p), Data: p, CRC: column.Checksum(p)}
}
