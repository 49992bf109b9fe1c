package stream

import (
	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Frame is an encoded frame of records: its prefix and header, and the parts of its body.
type Frame struct {
	Head    []byte
	Body    [][]byte
	Records int // that count
	Totals  flow.Totals
}

// Len is the frame's length in the stream.
func (f *Frame) Len() int {
	n := len(f.Head)
	for _, p := range f.Body {
		n += len(p)
	}
	return n
}

// EncodeFrame encodes a batch. Columns that are encoded already are taken as they are. With a
// selection the records that do not count are left out, unless keep says that the stream may
// carry the selection.
func EncodeFrame(b *flow.Batch, comp column.Comp, keep bool) (*Frame, error) {
	if b.Sel != nil && !keep {
		c, err := b.Compact()
		if err != nil {
			return nil, err
		}
		if c != b {
			defer c.Release()
		}
		b = c
	}
	if b.Totals.Records != uint64(b.N) {
		if err := sumAll(b); err != nil {
			return nil, err
		}
	}
	if err := encodeColumns(b, comp); err != nil {
		return nil, err
	}
	return frameOf(b), nil
}

// sumAll sets the totals of all records, selected or not.
func sumAll(b *flow.Batch) error {
	sel := b.Sel
	b.Sel = nil
	t, err := b.Sum()
	b.Sel, b.Totals = sel, t
	return err
}

// frameOf assembles a batch whose columns are all encoded and whose totals are set.
func frameOf(b *flow.Batch) *Frame {
	f := &Frame{Records: b.Selected(), Totals: b.Totals}
	var sel *column.Block
	if b.Sel != nil {
		sel = selectionBlock(b.Sel, b.N)
		f.Body = append(f.Body, sel.Data)
	}
	f.Body = append(f.Body, b.Codes.Block.Data)
	for i := range b.Cols {
		f.Body = append(f.Body, b.Cols[i].Block.Data)
	}
	header := appendRecordsHeader(make([]byte, 0, fixedIn+rowLen*(2+len(b.Cols))), b, sel)
	n := 0
	for _, p := range f.Body {
		n += len(p)
	}
	f.Head = appendFrame(nil, KindRecords, header, n)
	return f
}

func encodeColumns(b *flow.Batch, comp column.Comp) error {
	if !b.Codes.Encoded() {
		v, err := b.ShapeCodes()
		if err != nil {
			return err
		}
		b.Codes.Block = column.Encode(v)
	}
	for i := range b.Cols {
		c := &b.Cols[i]
		if err := c.Load(); err != nil {
			return err
		}
		if c.Encoded() {
			continue
		}
		v, err := b.Vec(i)
		if err != nil {
			return err
		}
		c.Block, c.Ref = encodeColumn(b, i, v)
		c.Block.Compress(comp)
	}
	return nil
}

// lean is a way to encode one column by another.
type lean struct {
	on     ie.ID
	encode func(v, ref *column.Vec) (column.Block, bool)
}

// leans lists by element what its column tends to be a function of.
func leans(id ie.ID) []lean {
	switch id {
	case 16, 9, 10: // source AS, mask, input interface
		return []lean{{8, column.EncodeMapped}}
	case 17, 13, 14, 15, 18, 128: // destination AS, mask, output interface, next hops, next AS
		return []lean{{12, column.EncodeMapped}}
	case 129: // previous AS
		return []lean{{8, column.EncodeMapped}}
	case 1, 85:
		return []lean{{2, column.EncodeQuotient}, {86, column.EncodeQuotient}}
	case 23:
		return []lean{{24, column.EncodeQuotient}}
	case 157:
		return []lean{{156, column.EncodeDifference}}
	}
	return nil
}

// encodeColumn chooses between the column alone and the columns that it may lean on. What is
// leaned on stands alone: dependence is one level deep.
func encodeColumn(b *flow.Batch, i int, v *column.Vec) (column.Block, int) {
	c := &b.Cols[i]
	alone := column.Encode(v)
	ref := -1
	if v.N < 64 || len(alone.Data) < 64 {
		return alone, ref
	}
	for _, l := range leans(c.Key.ID) {
		j := b.Find(flow.Key{ID: l.on})
		if j < 0 || j == i || b.Cols[j].Shapes != c.Shapes || b.Cols[j].Ref >= 0 {
			continue
		}
		rv, err := b.Vec(j)
		if err != nil {
			continue
		}
		if k, ok := l.encode(v, rv); ok && len(k.Data) < len(alone.Data) {
			alone, ref = k, j
		}
	}
	return alone, ref
}
