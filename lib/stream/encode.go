package stream

import (
	"math/bits"

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

	batch *flow.Batch // what was encoded
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
	f := &Frame{Records: b.Selected(), Totals: b.Totals, batch: b}
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
	if err := b.Codes.Load(); err != nil {
		return err
	}
	if !b.Codes.Encoded() {
		v, err := b.ShapeCodes()
		if err != nil {
			return err
		}
		b.Codes.Block = column.Encode(v)
	}
	for i := range b.Cols {
		if err := encodeColumn(b, i, comp); err != nil {
			return err
		}
	}
	return nil
}

// leans lists, best first, the elements on whose column that of id may lean. The graph has no
// circle, and no path longer than flow.MaxLean.
func leans(id ie.ID) []ie.ID {
	switch id {
	case 12: // destination address: the other end of a conversation was a source
		return []ie.ID{8}
	case 16, 9, 129: // source AS, prefix length, previous AS
		return []ie.ID{8}
	case 17, 13, 128: // destination AS, prefix length, next AS
		return []ie.ID{12}
	case 10: // input interface
		return []ie.ID{16, 8}
	case 14, 15, 18: // output interface, next hops
		return []ie.ID{17, 12}
	case 1:
		return []ie.ID{2}
	case 85:
		return []ie.ID{86}
	case 23:
		return []ie.ID{24}
	case 157:
		return []ie.ID{156}
	}
	return nil
}

// decides tells whether others are functions of the entries of that column: addresses and AS
// numbers.
func decides(id ie.ID) bool { return id == 8 || id == 12 || id == 16 || id == 17 }

// encodeColumn encodes column i leaning on another, or alone when that is smaller.
func encodeColumn(b *flow.Batch, i int, comp column.Comp) error {
	c := &b.Cols[i]
	if err := c.Load(); err != nil || c.Encoded() {
		return err
	}
	v, err := b.Vec(i)
	if err != nil {
		return err
	}
	leant := false
	for _, id := range leans(c.Key.ID) {
		j := b.Find(flow.Key{ID: id})
		if j < 0 || b.Cols[j].Shapes != c.Shapes || v.N < 64 {
			continue
		}
		if err := encodeColumn(b, j, comp); err != nil {
			return err
		}
		if leant = lean(b, i, j, v); leant {
			break
		}
	}
	// What leans well is not tried alone as well, for that takes as long again.
	if !leant || 2*len(c.Block.Data) > packedSize(v, &c.Block) {
		if alone := column.Encode(v); !leant || len(alone.Data) <= len(c.Block.Data) {
			c.Become(alone, v, -1)
		}
	}
	c.Block.Compress(comp)
	return nil
}

// packedSize is v.PackedSize, for a block that has its bounds already.
func packedSize(v *column.Vec, k *column.Block) int {
	if v.Kind == column.Int && v.Form == column.Plain {
		return (v.N*bits.Len64(k.Hi.Lo-k.Lo.Lo) + 7) / 8
	}
	return v.PackedSize()
}

// lean encodes column i by column j if their values allow it.
func lean(b *flow.Batch, i, j int, v *column.Vec) bool {
	c := &b.Cols[i]
	ref, err := b.Vec(j)
	if err != nil {
		return false
	}
	var k column.Block
	var ok bool
	as := v
	switch {
	case c.Key.ID == 12:
		k, ok = column.EncodeShared(v, ref)
	case c.Key.ID == 157:
		k, ok = column.EncodeDifference(v, ref)
	case decides(b.Cols[j].Key.ID):
		k, as, ok = column.EncodeMapped(v, ref, decides(c.Key.ID))
	default:
		k, ok = column.EncodeQuotient(v, ref)
	}
	if ok {
		c.Become(k, as, j)
	}
	return ok
}
