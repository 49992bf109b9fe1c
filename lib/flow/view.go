package flow

import (
	"fmt"
	"math/bits"

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
// Derived ones are computed, from scaled counters; a duration is in nanoseconds. The view is
// valid until Release.
func (b *Batch) Field(f *ie.Field) (View, error) {
	if f.Derived {
		return b.derived(f)
	}
	if v, done, err := b.single(f); done || err != nil {
		return v, err
	}
	return b.merged(f)
}

// single serves the common case: one column carries the field in every shape that has it.
func (b *Batch) single(f *ie.Field) (View, bool, error) {
	at := -1
	for s := range b.Shapes {
		i := b.source(f, s)
		if i < 0 {
			continue
		}
		if at >= 0 && at != i {
			return View{}, false, nil
		}
		at = i
	}
	if at < 0 {
		return View{}, true, nil
	}
	mask := b.Cols[at].Shapes
	if f.Family != ie.AnyFamily && b.Cols[at].Block.Kind == column.Int {
		mask = 0
		for s := range b.Shapes {
			if b.source(f, s) == at {
				mask |= 1 << s
			}
		}
		if mask != b.Cols[at].Shapes {
			return View{}, false, nil
		}
	}
	vec, err := b.Vec(at)
	if err != nil {
		return View{}, true, err
	}
	present, err := b.Presence(mask)
	if err != nil {
		return View{}, true, err
	}
	v, err := b.spread(vec, present)
	if err != nil {
		return View{}, true, err
	}
	return b.ofFamily(b.part(v, f, b.Cols[at].Key.ID), f.Family), true, nil
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

// source is the column that carries f in shape s, or -1. Of an element pair only a member of
// the field's family counts; the family of an address is known per value only.
func (b *Batch) source(f *ie.Field, s int) int {
	have := uint64(1) << s
	for _, id := range f.Elements {
		col, _ := ie.Column(id)
		for i := range b.Cols {
			c := &b.Cols[i]
			if c.Key.ID != col || c.Key.Occ != 0 || c.Shapes&have == 0 {
				continue
			}
			if f.Family != ie.AnyFamily && c.Block.Kind == column.Int && b.family(s, c.Key) != f.Family {
				continue
			}
			return i
		}
	}
	return -1
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

// spread puts the values of src, in order, where present is set, and zero elsewhere.
func spread[T uint16 | uint64](dst, src []T, present Bitmap, n int) []T {
	if cap(dst) < n {
		dst = make([]T, n)
	} else {
		dst = dst[:n]
		clear(dst)
	}
	j := 0
	for w, m := range present {
		base := w << 6
		if m == ^uint64(0) {
			j += copy(dst[base:base+64], src[j:])
			continue
		}
		for ; m != 0; m &= m - 1 {
			dst[base+bits.TrailingZeros64(m)] = src[j]
			j++
		}
	}
	return dst
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
	for i, c := range v.Vec.Codes {
		if int(c) >= lo && int(c) < hi {
			m[i>>6] |= 1 << (i & 63)
		}
	}
	if v.Present != nil {
		m.And(v.Present)
	}
	return View{v.Vec, m}
}

// merged serves batches whose shapes carry the field in different columns.
func (b *Batch) merged(f *ie.Field) (View, error) {
	codes, err := b.ShapeCodes()
	if err != nil {
		return View{}, err
	}
	type source struct {
		View
		ok bool
	}
	from := make([]source, len(b.Shapes))
	kind := column.Kind(255)
	for s := range b.Shapes {
		i := b.source(f, s)
		if i < 0 {
			continue
		}
		vec, err := b.Vec(i)
		if err != nil {
			return View{}, err
		}
		if kind != 255 && vec.Kind != kind {
			return View{}, fmt.Errorf("field %s: elements of %s and %s", f.Name, kind, vec.Kind)
		}
		kind = vec.Kind
		present, err := b.Presence(b.Cols[i].Shapes)
		if err != nil {
			return View{}, err
		}
		v, err := b.spread(vec, present)
		if err != nil {
			return View{}, err
		}
		v = b.part(v, f, b.Cols[i].Key.ID)
		from[s] = source{v, v.Vec != nil}
	}
	if kind == 255 {
		return View{}, nil
	}
	var col column.Builder
	col.Reset(kind)
	m := NewBitmap(b.N)
	for i := range b.N {
		src := from[codes.Int(i)%uint64(len(from))]
		if src.ok {
			m.Set(i)
		}
		putFrom(&col, &src.View, i, src.ok)
	}
	return b.ofFamily(View{col.Vec(), m}, f.Family), nil
}

// putFrom appends value i of v, or a zero that means nothing.
func putFrom(col *column.Builder, v *View, i int, ok bool) {
	switch {
	case !ok && col.Kind() == column.Addr:
		col.Put4(0)
	case !ok && col.Kind() == column.Bytes:
		col.PutBytes(nil)
	case !ok:
		col.PutInt(0)
	default:
		col.PutEntry(v.Vec, v.Vec.Entry(i))
	}
}
