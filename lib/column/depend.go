package column

import (
	"encoding/binary"
	"math/bits"
)

// Encodings that lean on one other column of the same records. Both columns hold a value for
// the same records, in the same order.
//
//	mapped      entries, ints (which entry, for each entry of the other column),
//	            uvarint exceptions, ints positions (ascending), ints entries
//	shared      a bit for each entry of the other column: it is an entry here too; entries that
//	            it lacks; codes (of all entries in order)
//	quotient    ints quotients, bit stream of the remainders
//	difference  u8 0 (value = other + d) or 1 (value = other - d), ints d

// EncodeShared encodes the addresses of v with a dictionary that is mostly ref's. Of ref only
// the entries matter.
func EncodeShared(v, ref *Vec) (Block, bool) {
	if v.Kind != Addr || ref.Kind != Addr || v.Form != Dict || ref.Entries() == 0 {
		return Block{}, false
	}
	own := Vec{Kind: Addr}
	common := make([]byte, (ref.Entries()+7)/8)
	i := 0
	for _, a := range v.V4 {
		for i < len(ref.V4) && ref.V4[i] < a {
			i++
		}
		if i < len(ref.V4) && ref.V4[i] == a {
			common[i>>3] |= 1 << (i & 7)
		} else {
			own.V4 = append(own.V4, a)
		}
	}
	i = 0
	for _, a := range v.V6 {
		for i < len(ref.V6) && ref.V6[i].Compare(a) < 0 {
			i++
		}
		if i < len(ref.V6) && ref.V6[i] == a {
			e := len(ref.V4) + i
			common[e>>3] |= 1 << (e & 7)
		} else {
			own.V6 = append(own.V6, a)
		}
	}
	body := append(append(newBody(), byte(EncShared)), common...)
	body = binary.AppendUvarint(body, uint64(own.Entries()))
	body = appendAddrs(body, &own)
	return finish(v, appendCodes(body, v.Codes, v.Entries(), runsOf(v.Codes), 0)), true
}

// sharedEntries puts a dictionary together from ref's and its own entries.
func (c *cursor) sharedEntries(b *Block, v, ref *Vec) {
	common := c.take((ref.Entries() + 7) / 8)
	var own Vec
	n := c.count(b.N, "entries")
	c.addrs(&own, n)
	if c.err != nil {
		return
	}
	has := func(e int) bool { return common[e>>3]>>(e&7)&1 != 0 }
	j := 0
	for e, a := range ref.V4 {
		if !has(e) {
			continue
		}
		for j < len(own.V4) && own.V4[j] < a {
			v.V4 = append(v.V4, own.V4[j])
			j++
		}
		v.V4 = append(v.V4, a)
	}
	v.V4 = append(v.V4, own.V4[j:]...)
	j = 0
	for e, a := range ref.V6 {
		if !has(len(ref.V4) + e) {
			continue
		}
		for j < len(own.V6) && own.V6[j].Compare(a) < 0 {
			v.V6 = append(v.V6, own.V6[j])
			j++
		}
		v.V6 = append(v.V6, a)
	}
	v.V6 = append(v.V6, own.V6[j:]...)
	if v.Entries() > MaxValues {
		c.fail("%d entries", v.Entries())
		return
	}
	v.Form = Dict
}

// EncodeQuotient encodes v as quotient and remainder by ref, both Int, or reports that a
// remainder would take too many bits.
func EncodeQuotient(v, ref *Vec) (Block, bool) {
	if v.Kind != Int || ref.Kind != Int || v.N != ref.N || v.N == 0 || v.Form == Const {
		return Block{}, false
	}
	xs, done := plainOf(v)
	defer done()
	ds, done := plainOf(ref)
	defer done()
	q := getInts(v.N)
	defer putInts(q)
	rest := bufPool.Get().(*[]byte)
	defer bufPool.Put(rest)
	*rest = grow(*rest, 8*v.N+8)
	var w bitWriter
	lo, hi, most := xs[0], xs[0], uint64(0)
	for i, x := range xs {
		d := max(ds[i], 1)
		(*q)[i] = x / d
		w = w.add(*rest, x%d, remainderBits(d))
		lo, hi, most = min(lo, x), max(hi, x), max(most, d)
	}
	if remainderBits(most) > maxWidth { // the writer went wrong
		return Block{}, false
	}
	body := appendInts(append(newBody(), byte(EncQuotient)), *q, 0)
	return finishWithin(v, append(body, (*rest)[:w.len()]...), Bound{Lo: lo}, Bound{Lo: hi}), true
}

// EncodeDifference encodes v as its distance from ref, both Int.
func EncodeDifference(v, ref *Vec) (Block, bool) {
	if v.Kind != Int || ref.Kind != Int || v.N != ref.N || v.N == 0 || v.Form == Const {
		return Block{}, false
	}
	xs, done := plainOf(v)
	defer done()
	ys, done := plainOf(ref)
	defer done()
	d := getInts(v.N)
	defer putInts(d)
	sign := byte(0)
	lo, hi, ok := distances(*d, xs, ys)
	if !ok {
		sign = 1
		lo, hi, ok = distances(*d, ys, xs)
	}
	if !ok {
		return Block{}, false
	}
	body := append(newBody(), byte(EncDifference), sign)
	return finish(v, appendProfiled(body, *d, profile{lo, hi, runsOf(*d)}, 0)), true
}

// distances puts xs - ys into d and returns the smallest and the largest, if none is negative.
func distances(d, xs, ys []uint64) (lo, hi uint64, ok bool) {
	lo, below := ^uint64(0), uint64(0)
	ys, d = ys[:len(xs)], d[:len(xs)]
	for i, x := range xs {
		y, less := bits.Sub64(x, ys[i], 0)
		d[i] = y
		lo, hi = min(lo, y), max(hi, y)
		below |= less
	}
	return lo, hi, below == 0
}

// plainInts fills dst with the values of an Int column.
func plainInts(dst []uint64, v *Vec) {
	switch v.Form {
	case Plain:
		copy(dst, v.Ints)
	case Dict:
		for i, c := range v.Codes {
			dst[i] = v.Ints[c]
		}
	default:
		for i := range dst {
			dst[i] = v.Ints[0]
		}
	}
}

// leans tells whether b can lean on ref, and fails if not.
func (c *cursor) leans(b *Block, ref *Vec) bool {
	if ref == nil {
		c.fail("%s without the column it leans on", b.Enc)
		return false
	}
	switch b.Enc {
	case EncMapped:
		if ref.Form == Plain {
			c.fail("mapped from a column without entries")
		}
	case EncShared, EncQuotient, EncDifference:
		kind := Int
		if b.Enc == EncShared {
			kind = Addr
		}
		if b.Kind != kind || ref.Kind != kind {
			c.fail("%s of %s by %s", b.Enc, b.Kind, ref.Kind)
		}
	default:
		c.fail("encoding %d", b.Enc)
	}
	return c.err == nil
}

func (c *cursor) dependent(b *Block, v, ref *Vec) {
	if !c.leans(b, ref) {
		return
	}
	if b.Enc != EncShared && ref.N != b.N {
		c.fail("%d values lean on a column of %d", b.N, ref.N)
		return
	}
	switch b.Enc {
	case EncShared:
		if c.sharedEntries(b, v, ref); c.err == nil {
			v.Codes = grow(v.Codes, b.N)
			c.codes(v.Codes, v.Entries(), 0)
		}
	case EncMapped:
		c.mapped(b, v, ref, nil)
	case EncQuotient:
		v.Ints = grow(v.Ints, b.N)
		c.ints(v.Ints, 0)
		c.remainders(v.Ints, ref)
	case EncDifference:
		sign := c.u8()
		v.Ints = grow(v.Ints, b.N)
		c.ints(v.Ints, 0)
		c.addDifference(v.Ints, ref, sign)
	}
}

// addDifference turns differences into values.
func (c *cursor) addDifference(d []uint64, ref *Vec, sign uint8) {
	if sign > 1 {
		c.fail("unknown form of difference")
	}
	if c.err != nil {
		return
	}
	flip := uint64(0) - uint64(sign)
	from, done := plainOf(ref)
	defer done()
	from = from[:len(d)]
	for i, x := range d {
		d[i] = from[i] + (x ^ flip - flip)
	}
}

// plainOf is the values of an Int column, one for each record, until done.
func plainOf(v *Vec) (p []uint64, done func()) {
	if v.Form == Plain {
		return v.Ints, func() {}
	}
	s := getInts(v.N)
	plainInts(*s, v)
	return *s, func() { putInts(s) }
}

func (c *cursor) remainders(q []uint64, ref *Vec) {
	if c.err != nil {
		return
	}
	plain, done := plainOf(ref)
	defer done()
	src := c.b
	off := uint(0)
	i := 0
	plain = plain[:len(q)]
	for ; i < len(q) && int(off>>3)+8 <= len(src); i++ { // no branches: d cannot be predicted
		d := plain[i]
		n := remainderBits(d)
		if n > maxWidth {
			break
		}
		r := binary.LittleEndian.Uint64(src[off>>3:]) >> (off & 7) & (1<<(n&63) - 1)
		q[i] = q[i]*max(d, 1) + r
		off += n
	}
	for ; i < len(q); i++ {
		d := plain[i]
		n := remainderBits(d)
		q[i] = q[i]*max(d, 1) + loadBits(src, off, n)
		off += n
	}
	c.take(int(off+7) / 8)
}

// mapped decodes the values at the positions at; nil is all.
func (c *cursor) mapped(b *Block, v, ref *Vec, at []int32) {
	entries := c.entries(v, b)
	table := getInts(ref.Entries())
	defer putInts(table)
	c.ints(*table, 1)
	m := c.count(b.N, "exceptions")
	pos, exc := getInts(m), getInts(m)
	defer putInts(pos)
	defer putInts(exc)
	c.ints(*pos, 1)
	c.ints(*exc, 1)
	if c.err != nil {
		return
	}
	for i, p := range *pos {
		if p >= uint64(b.N) || i > 0 && p <= (*pos)[i-1] {
			c.fail("exception %d, at value %d of %d, is out of order", i, p, b.N)
			return
		}
	}
	for _, s := range [2][]uint64{*table, *exc} {
		for _, x := range s {
			if x >= uint64(entries) {
				c.fail("mapped entry %d of %d", x, entries)
				return
			}
		}
	}
	v.Form = Dict
	v.Codes = grow(v.Codes, v.N)
	t := *table
	if ref.Form == Const {
		for i := range v.Codes {
			v.Codes[i] = uint16(t[0])
		}
	} else {
		for i, e := range ref.Codes {
			v.Codes[i] = uint16(t[e])
		}
	}
	if at == nil {
		for i, p := range *pos {
			v.Codes[p] = uint16((*exc)[i])
		}
		return
	}
	i := 0
	for k, p := range *pos {
		for i < len(at) && uint64(at[i]) < p {
			i++
		}
		if i < len(at) && uint64(at[i]) == p {
			v.Codes[i] = uint16((*exc)[k])
		}
	}
}
