package flow

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// Column is one column of a batch: encoded, decoded, or both.
type Column struct {
	Key    Key
	Block  column.Block // N is set even when only vec is there
	Ref    int          // the column that an encoding leans on, or -1
	Shapes uint64       // bit s: shape s has it

	vec  *column.Vec
	from io.ReaderAt // where Block.Data lies when it is not in memory
	off  int64
	size int
}

// Batch is a set of records. Sel, when not nil, says which of them count.
type Batch struct {
	N      int
	Shapes []Shape
	Codes  Column // the shape of each record
	Cols   []Column
	Sel    Bitmap
	Totals Totals

	sound    *column.Vec // the shape codes, once found to be in range
	presence map[uint64]Bitmap
	owned    []*column.Vec
	free     func() // gives the memory under the blocks back
}

// Selected is the number of records that count.
func (b *Batch) Selected() int {
	if b.Sel == nil {
		return b.N
	}
	return b.Sel.Count()
}

// First leaves only the first n of the selected records selected.
func (b *Batch) First(n uint64) {
	if n >= uint64(b.Selected()) {
		return
	}
	sel := NewBitmap(b.N)
	for i := 0; i < b.N && n > 0; i++ {
		if b.Sel == nil || b.Sel.Get(i) {
			sel.Set(i)
			n--
		}
	}
	b.Sel = sel
}

// Find returns the index of a column, or -1.
func (b *Batch) Find(k Key) int {
	return slices.IndexFunc(b.Cols, func(c Column) bool { return c.Key == k })
}

// Defer makes f run at Release.
func (b *Batch) Defer(f func()) { b.free = f }

// Release gives memory back for reuse; nothing that the batch handed out may be used after.
func (b *Batch) Release() {
	for _, v := range b.owned {
		vecPool.Put(v)
	}
	b.owned = nil
	if b.free != nil {
		b.free()
		b.free = nil
	}
}

var vecPool = sync.Pool{New: func() any { return new(column.Vec) }}

// scratch is a vector that lives until Release.
func (b *Batch) scratch(k column.Kind) *column.Vec {
	v := vecPool.Get().(*column.Vec)
	v.Reset(k)
	b.owned = append(b.owned, v)
	return v
}

// FromFile tells a column where its block lies; it is read when first asked for.
func (c *Column) FromFile(r io.ReaderAt, off int64, size int) {
	c.from, c.off, c.size = r, off, size
}

// SetVec gives a column its decoded values; a block that it had is stale and dropped.
func (c *Column) SetVec(v *column.Vec) {
	c.vec = v
	c.Block = column.Block{Kind: v.Kind, N: v.N}
	c.Ref, c.from = -1, nil
}

// Become gives a column a block that leans on column ref, and the vector that it decodes to.
func (c *Column) Become(k column.Block, v *column.Vec, ref int) {
	c.Block, c.vec, c.Ref, c.from = k, v, ref, nil
}

// Encoded tells whether the column has a block, in memory or, until Load, in a file.
func (c *Column) Encoded() bool { return c.Block.Data != nil || c.from != nil }

// Decoded tells whether the values of the column are there.
func (c *Column) Decoded() bool { return c.vec != nil }

// Load brings the block into memory and checks its checksum if it came from a file.
func (c *Column) Load() error {
	if c.from == nil || c.Block.Data != nil {
		return nil
	}
	p := make([]byte, c.size)
	if n, err := c.from.ReadAt(p, c.off); n < len(p) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("column %s at offset %d: %w", c.Key.ID, c.off, err)
	}
	if column.Checksum(p) != c.Block.CRC {
		return fmt.Errorf("column %s at offset %d: %w: bad checksum", c.Key.ID, c.off, column.ErrCorrupt)
	}
	c.Block.Data = p
	return nil
}

// Vec decodes column i.
func (b *Batch) Vec(i int) (*column.Vec, error) { return b.decode(&b.Cols[i], 0) }

// ShapeCodes decodes the shape of each record.
func (b *Batch) ShapeCodes() (*column.Vec, error) {
	v, err := b.decode(&b.Codes, 0)
	if err != nil {
		return nil, err
	}
	if v == b.sound {
		return v, nil
	}
	if v.Kind != column.Int || v.N != b.N {
		return nil, fmt.Errorf("%w: shapes of %d records, %d there", column.ErrCorrupt, v.N, b.N)
	}
	if b.N == 0 {
		return v, nil
	}
	if _, hi := v.Bounds(); hi.Lo >= uint64(len(b.Shapes)) {
		return nil, fmt.Errorf("%w: shape %d of %d", column.ErrCorrupt, hi.Lo, len(b.Shapes))
	}
	b.sound = v
	return v, nil
}

func (b *Batch) decode(c *Column, depth int) (*column.Vec, error) {
	if c.vec != nil {
		return c.vec, nil
	}
	if err := b.check(c, depth); err != nil {
		return nil, err
	}
	var ref *column.Vec
	if c.Ref >= 0 {
		var err error
		if ref, err = b.leanedOn(&b.Cols[c.Ref], c, depth); err != nil {
			return nil, err
		}
	}
	v := b.scratch(c.Block.Kind)
	if err := c.Block.Decode(v, ref); err != nil {
		return nil, fmt.Errorf("column %s: %w", c.Key.ID, err)
	}
	c.vec = v
	return v, nil
}

// check brings the block of a column into memory, and looks at what it says of itself.
func (b *Batch) check(c *Column, depth int) error {
	if c.Block.Kind > column.Bytes {
		return fmt.Errorf("column %s: %w: values of kind %d", c.Key.ID, column.ErrCorrupt, c.Block.Kind)
	}
	if c.Ref >= 0 && (c.Ref >= len(b.Cols) || depth == MaxLean || b.Cols[c.Ref].Shapes != c.Shapes) {
		return fmt.Errorf("column %s: %w: leans on column %d", c.Key.ID, column.ErrCorrupt, c.Ref)
	}
	return c.Load()
}

// leanedOn decodes what c needs of the column that it leans on.
func (b *Batch) leanedOn(on, c *Column, depth int) (*column.Vec, error) {
	if c.Block.Enc != column.EncShared || on.vec != nil || on.Block.Enc != column.EncDict {
		return b.decode(on, depth+1)
	}
	if err := on.Load(); err != nil {
		return nil, err
	}
	v := b.scratch(on.Block.Kind)
	return v, on.Block.DecodeEntries(v)
}

// Presence says which records have a shape of the mask; nil means all.
func (b *Batch) Presence(mask uint64) (Bitmap, error) {
	all := b.allShapes()
	if mask&all == all {
		return nil, nil
	}
	if m, ok := b.presence[mask]; ok {
		return m, nil
	}
	codes, err := b.ShapeCodes()
	if err != nil {
		return nil, err
	}
	m := NewBitmap(b.N)
	var has [MaxShapes]uint64
	switch {
	case b.N == 0:
	case codes.Form == column.Const:
		if mask>>(codes.Ints[0]&63)&1 != 0 {
			m.Fill(b.N)
		}
	case codes.Form == column.Dict:
		for e, s := range codes.Ints {
			has[e&63] = mask >> (s & 63) & 1
		}
		lookUp(m, codes.Codes, &has)
	default:
		for s := range has {
			has[s] = mask >> s & 1
		}
		lookUp(m, codes.Ints, &has)
	}
	if b.presence == nil {
		b.presence = map[uint64]Bitmap{}
	}
	b.presence[mask] = m
	return m, nil
}

// lookUp sets the bits of the records whose code has one. Four chains of 16 records run side
// by side.
func lookUp[T uint16 | uint64](m Bitmap, codes []T, has *[MaxShapes]uint64) {
	for w := range m {
		c := codes[w<<6:]
		var x0, x1, x2, x3 uint64
		if len(c) < 64 {
			for i := len(c) - 1; i >= 0; i-- {
				x0 = x0<<1 | has[c[i]&63]
			}
			m[w] = x0
			continue
		}
		s := (*[64]T)(c)
		for i := 15; i >= 0; i-- {
			x0 = x0<<1 | has[s[i]&63]
			x1 = x1<<1 | has[s[i+16]&63]
			x2 = x2<<1 | has[s[i+32]&63]
			x3 = x3<<1 | has[s[i+48]&63]
		}
		m[w] = x0 | x1<<16 | x2<<32 | x3<<48
	}
}

func (b *Batch) allShapes() uint64 {
	if len(b.Shapes) >= 64 {
		return ^uint64(0)
	}
	return 1<<len(b.Shapes) - 1
}

// Link derives from the shapes which columns each has and sets Column.Shapes. It reports a
// batch whose columns and shapes do not agree.
func (b *Batch) Link() error {
	index := make(map[Key]int, len(b.Cols))
	for i := range b.Cols {
		b.Cols[i].Shapes = 0
		if _, twice := index[b.Cols[i].Key]; twice {
			return fmt.Errorf("column %s twice", b.Cols[i].Key.ID)
		}
		index[b.Cols[i].Key] = i
	}
	var keys []Key
	for s, shape := range b.Shapes {
		keys = shape.Keys(keys[:0])
		for _, k := range keys {
			i, ok := index[k]
			if !ok {
				continue // projected away
			}
			if b.Cols[i].Shapes>>s&1 != 0 {
				return fmt.Errorf("shape %d: element %s more than %d times", s, k.ID, maxOcc+1)
			}
			b.Cols[i].Shapes |= 1 << s
		}
	}
	return nil
}

// Family is the address family that shape s has in column col: of an element pair, the
// member that was sent.
func (b *Batch) family(s int, k Key) ie.Family {
	occ := uint8(0)
	for _, e := range b.Shapes[s] {
		id, fam := ie.Column(e.ID)
		if id != k.ID {
			continue
		}
		if occ == k.Occ {
			return fam
		}
		occ++
	}
	return ie.AnyFamily
}
