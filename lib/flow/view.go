package flow

import (
	"fmt"
	"math/bits"
	"strings"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// View is one field laid out by record: value i belongs to record i. Where Present (nil: all)
// is clear the record lacks the field and the value means nothing. Vec is nil when no record
// has it.
type View struct {
	Vec     *column.Vec
	Present Bitmap
}

// Has tells whether record i has the field.
func (v *View) Has(i int) bool {
	return v.Vec != nil && (v.Present == nil || v.Present.Get(i))
}

// None tells that no record of the batch has the field.
func (v *View) None() bool { return v.Vec == nil }

// Field lays out a field. Stored fields are as sent: counters are not scaled (see Scaled).
// Derived ones are computed, from scaled counters; a duration is in nanoseconds. A field that
// stands for several (Either) has no value of its own and is an error. Of a record with both
// members of an element pair the first counts, or that of the field's family. The view is valid
// until Release.
func (b *Batch) Field(f *ie.Field) (View, error) {
	switch {
	case f.Derived:
		return b.derived(f)
	case len(f.Either) > 0:
		return View{}, fmt.Errorf("field %s stands for several: %s", f.Name, strings.Join(f.Either, ", "))
	}
	if v, done, err := b.single(f); done || err != nil {
		return v, err
	}
	return b.merged(f)
}

// single serves the common case: one column carries the field in every shape that has it.
func (b *Batch) single(f *ie.Field) (View, bool, error) {
	at, shapes := -1, uint64(0)
	for s := range b.Shapes {
		i := b.source(f, s)
		if i < 0 {
			continue
		}
		if at >= 0 && at != i {
			return View{}, false, nil
		}
		at = i
		shapes |= 1 << s
	}
	if at < 0 {
		return View{}, true, nil
	}
	if f.Family != ie.AnyFamily && shapes != b.Cols[at].Shapes {
		return View{}, false, nil
	}
	v, err := b.layOut(at, f)
	return b.ofFamily(v, f.Family), true, err
}

// layOut is field f as column i has it, by record.
func (b *Batch) layOut(i int, f *ie.Field) (View, error) {
	c := &b.Cols[i]
	if _, known := ie.Lookup(c.Key.ID); known && c.Block.Kind != KindOf(c.Key.ID) {
		return View{}, fmt.Errorf("column %s: %w: stored as %s", c.Key.ID, column.ErrCorrupt, c.Block.Kind)
	}
	vec, err := b.Vec(i)
	if err != nil {
		return View{}, err
	}
	present, err := b.Presence(c.Shapes)
	if err != nil {
		return View{}, err
	}
	v, err := b.spread(vec, present)
	return b.part(v, f, c.Key.ID), err
}

// part keeps the bits of element id that are the field's (the ICMP type of type and code).
func (b *Batch) part(v View, f *ie.Field, id ie.ID) View {
	shift, width := f.Part(id)
	if width == 0 || v.Vec == nil || v.Vec.Kind != column.Int {
		return v
	}
	out := b.scratch(column.Int)
	out.N = v.Vec.N
	if v.Vec.Form == column.Const {
		out.Form = column.Const
	}
	mask := uint64(1)<<width - 1
	n := out.N
	if out.Form == column.Const {
		n = 1
	}
	for i := range n {
		out.Ints = append(out.Ints, v.Vec.Int(i)>>shift&mask)
	}
	return View{out, v.Present}
}

// source is the column that carries f in shape s, or -1: the first of an element, and of a pair
// the first of the field's family. Addresses are taken from one of the other family as well,
// for theirs is known per value only.
func (b *Batch) source(f *ie.Field, s int) int {
	have := uint64(1) << s
	for _, id := range f.Elements {
		col, _ := ie.Column(id)
		occ, sent := uint8(0), true
		if f.Family != ie.AnyFamily {
			occ, sent = b.member(s, col, f.Family)
		}
		for i := range b.Cols {
			c := &b.Cols[i]
			if c.Key.ID != col || c.Key.Occ != occ || c.Shapes&have == 0 {
				continue
			}
			if sent || c.Block.Kind != column.Int {
				return i
			}
		}
	}
	return -1
}

// Sent is the shapes that sent a column, of an element pair, in one family.
func (b *Batch) Sent(k Key, f ie.Family) (shapes uint64) {
	for s := range b.Shapes {
		if b.family(s, k) == f {
			shapes |= 1 << s
		}
	}
	return shapes
}

// member is the first occurrence of column col in shape s that was sent in a family.
func (b *Batch) member(s int, col ie.ID, f ie.Family) (occ uint8, sent bool) {
	for occ := range Occurrences(col) {
		if b.family(s, Key{col, occ}) == f {
			return occ, true
		}
	}
	return 0, false
}

// spread turns a column that holds values for some records into one by record.
func (b *Batch) spread(vec *column.Vec, present Bitmap) (View, error) {
	if present == nil {
		if vec.N != b.N {
			return View{}, fmt.Errorf("%w: %d values for %d records", column.ErrCorrupt, vec.N, b.N)
		}
		return View{Vec: vec}, nil
	}
	if n := present.Count(); n != vec.N {
		return View{}, fmt.Errorf("%w: %d values for %d records", column.ErrCorrupt, vec.N, n)
	}
	if vec.N == 0 {
		return View{}, nil
	}
	out := b.scratch(vec.Kind)
	out.N, out.Form = b.N, vec.Form
	out.Ints, out.V4, out.V6, out.Off, out.Data = append(out.Ints, vec.Ints...), append(out.V4, vec.V4...), append(out.V6, vec.V6...), append(out.Off, vec.Off...), append(out.Data, vec.Data...)
	switch {
	case vec.Form == column.Const:
	case vec.Form == column.Dict:
		out.Codes = spread(out.Codes, vec.Codes, present, b.N)
	case vec.Kind == column.Int:
		out.Ints = spread(out.Ints[:0], vec.Ints, present, b.N)
	default:
		out.Off = spreadOffsets(out.Off[:0], vec.Off, present, b.N)
	}
	return View{out, present}, nil
}

// spread puts the values of src, in order, where present is set. What it leaves elsewhere is
// zero or some value of src.
func spread[T uint16 | uint64](dst, src []T, present Bitmap, n int) []T {
	dst = grow(dst, n)
	j := 0
	for w, m := range present {
		out := dst[w<<6 : min(w<<6+64, n)]
		switch have := bits.OnesCount64(m); {
		case have == 64:
			copy(out, src[j:])
			j += 64
		case have > 12 && len(out) == 64 && j+64 <= len(src):
			o, s, k := (*[64]T)(out), (*[64]T)(src[j:]), uint64(0)
			for i := range o {
				o[i] = s[k&63]
				k += m & 1
				m >>= 1
			}
			j += have
		default:
			clear(out)
			for ; m != 0; m &= m - 1 {
				out[bits.TrailingZeros64(m)] = src[j]
				j++
			}
		}
	}
	return dst
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func spreadOffsets(dst, src []uint32, present Bitmap, n int) []uint32 {
	j := 0
	dst = append(dst, 0)
	for i := range n {
		if present.Get(i) {
			j++
		}
		dst = append(dst, src[j])
	}
	return dst
}

// ofFamily keeps the addresses of one family.
func (b *Batch) ofFamily(v View, fam ie.Family) View {
	if fam == ie.AnyFamily || v.Vec == nil || v.Vec.Kind != column.Addr {
		return v
	}
	n4, all := len(v.Vec.V4), v.Vec.Entries()
	lo, hi := 0, n4
	if fam == ie.IPv6 {
		lo, hi = n4, all
	}
	switch {
	case lo == hi:
		return View{}
	case hi-lo == all:
		return v
	}
	m := NewBitmap(b.N)
	for w := range m {
		codes, x := v.Vec.Codes[w<<6:min(w<<6+64, b.N)], uint64(0)
		for i := len(codes) - 1; i >= 0; i-- {
			x = x<<1 | (uint64(codes[i])-uint64(n4))>>63 // 1 below n4
		}
		m[w] = x
	}
	if fam == ie.IPv6 {
		m.Not(b.N)
	}
	if v.Present != nil {
		m.And(v.Present)
	}
	if m.Count() == 0 {
		return View{}
	}
	return View{v.Vec, m}
}

// merged serves batches whose shapes carry the field in different columns.
func (b *Batch) merged(f *ie.Field) (View, error) {
	codes, err := b.ShapeCodes()
	if err != nil {
		return View{}, err
	}
	views := map[int]View{} // by column
	from := make([]View, len(b.Shapes))
	var any *View
	for s := range b.Shapes {
		i := b.source(f, s)
		if i < 0 {
			continue
		}
		v, ok := views[i]
		if !ok {
			if v, err = b.layOut(i, f); err != nil {
				return View{}, err
			}
			views[i] = v
		}
		if v.None() {
			continue
		}
		from[s] = v
		if any == nil {
			any = &from[s]
		} else if any.Vec.Kind != v.Vec.Kind {
			return View{}, fmt.Errorf("field %s: elements of %s and %s", f.Name, any.Vec.Kind, v.Vec.Kind)
		}
	}
	if any == nil {
		return View{}, nil
	}
	var col column.Builder
	col.Reset(any.Vec.Kind)
	m := NewBitmap(b.N)
	for i := range b.N {
		v := &from[codes.Int(i)]
		if v.None() {
			putNothing(&col)
			continue
		}
		m.Set(i)
		col.PutEntry(v.Vec, v.Vec.Entry(i))
	}
	if m.Count() == 0 {
		return View{}, nil
	}
	return b.ofFamily(View{col.Vec(), m}, f.Family), nil
}

// putNothing appends a value that means nothing.
func putNothing(col *column.Builder) {
	switch col.Kind() {
	case column.Addr:
		col.Put4(0)
	case column.Bytes:
		col.PutBytes(nil)
	default:
		col.PutInt(0)
	}
}
