package flow

import (
	"cmp"
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// maxBatchBytes ends a batch early when its values are large.
const maxBatchBytes = 16 << 20

// Builder collects records into a batch. Layouts stay valid over Reset.
type Builder struct {
	n       int
	layouts []*Layout
	index   map[Key]int // in keys and cols
	keys    []Key
	cols    []*column.Builder
	codes   []uint8
	weighed int // records when Full last asked for Size
}

// Layout is a shape of a builder. For each record call Next, then put one value into each of
// Cols; Cols[i] takes element i of the shape.
type Layout struct {
	Shape Shape
	Cols  []*column.Builder
	b     *Builder
	code  uint8
	n     int
}

// NewBuilder returns an empty builder.
func NewBuilder() *Builder { return &Builder{index: map[Key]int{}} }

// Layout returns the builder's layout for s. It reports false when the builder has no room
// for another shape or its columns: take the batch, call Clear, and ask again. An empty builder
// refuses what no batch can hold: more than MaxColumns elements, or one of them over 255 times.
func (b *Builder) Layout(s Shape) (*Layout, bool) {
	for _, l := range b.layouts {
		if l.Shape.Equal(s) {
			return l, true
		}
	}
	keys := s.Keys(nil)
	fresh := 0
	for _, k := range keys {
		if k.Occ == maxOcc {
			return nil, false
		}
		if _, ok := b.index[k]; !ok {
			fresh++
		}
	}
	if len(b.layouts) == MaxShapes || len(b.cols)+fresh > MaxColumns || len(s) > MaxElements {
		return nil, false
	}
	l := &Layout{Shape: slices.Clone(s), b: b, code: uint8(len(b.layouts))}
	for i, k := range keys {
		at, ok := b.index[k]
		if !ok {
			at = len(b.cols)
			c := new(column.Builder)
			c.Reset(KindOf(s[i].ID))
			b.index[k], b.keys, b.cols = at, append(b.keys, k), append(b.cols, c)
		}
		l.Cols = append(l.Cols, b.cols[at])
	}
	b.layouts = append(b.layouts, l)
	return l, true
}

// Next begins a record of this layout.
func (l *Layout) Next() {
	l.b.codes = append(l.b.codes, l.code)
	l.b.n++
	l.n++
}

// NextN begins n records of this layout; the columns get the values of all of them.
func (l *Layout) NextN(n int) {
	for range n {
		l.b.codes = append(l.b.codes, l.code)
	}
	l.b.n += n
	l.n += n
}

// Len is the number of records.
func (b *Builder) Len() int { return b.n }

// Full tells that the batch should be taken: ask after every record. What the values weigh is
// looked at every 256 records.
func (b *Builder) Full() bool {
	if b.n >= MaxRecords {
		return true
	}
	if b.n-b.weighed < 256 {
		return false
	}
	b.weighed = b.n
	return b.Size() > maxBatchBytes
}

// Size is the memory that the values take.
func (b *Builder) Size() int {
	n := b.n
	for _, c := range b.cols {
		n += c.Size()
	}
	return n
}

// Batch returns the records collected. It is valid until Reset or Clear.
func (b *Builder) Batch() *Batch {
	out := &Batch{N: b.n}
	renumber := make([]uint16, len(b.layouts))
	for i, l := range b.layouts {
		if l.n > 0 {
			renumber[i] = uint16(len(out.Shapes))
			out.Shapes = append(out.Shapes, l.Shape)
		}
	}
	codes := &column.Vec{Kind: column.Int, Form: column.Dict, N: b.n}
	for s := range max(len(out.Shapes), 1) {
		codes.Ints = append(codes.Ints, uint64(s))
	}
	if len(codes.Ints) == 1 {
		codes.Form = column.Const
	} else {
		codes.Codes = make([]uint16, b.n)
		for i, c := range b.codes {
			codes.Codes[i] = renumber[c]
		}
	}
	out.Codes.SetVec(codes)
	keys := slices.Clone(b.keys)
	slices.SortFunc(keys, func(x, y Key) int {
		return cmp.Or(cmp.Compare(rank(x.ID), rank(y.ID)), cmp.Compare(x.ID, y.ID), cmp.Compare(x.Occ, y.Occ))
	})
	for _, k := range keys {
		if c := b.cols[b.index[k]]; c.Len() > 0 {
			col := Column{Key: k}
			col.SetVec(c.Vec())
			out.Cols = append(out.Cols, col)
		}
	}
	if err := out.Link(); err != nil {
		panic("flow: " + err.Error()) // keys of a map are distinct
	}
	return out
}

// Reset empties the builder; its layouts stay.
func (b *Builder) Reset() {
	b.n, b.weighed, b.codes = 0, 0, b.codes[:0]
	for _, c := range b.cols {
		c.Reset(c.Kind())
	}
	for _, l := range b.layouts {
		l.n = 0
	}
}

// Clear empties the builder and forgets its layouts.
func (b *Builder) Clear() {
	*b = *NewBuilder()
}

// elemLen is the length that an element takes when nothing says otherwise.
func elemLen(id ie.ID) uint16 {
	if e, ok := ie.Lookup(id); ok && e.Type.Size() > 0 {
		return uint16(e.Type.Size())
	}
	return Variable
}

// ShapeOf makes a shape of elements at their natural length.
func ShapeOf(ids ...ie.ID) Shape {
	s := make(Shape, len(ids))
	for i, id := range ids {
		s[i] = Elem{id, elemLen(id)}
	}
	return s
}
