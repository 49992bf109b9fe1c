package column

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Pick decodes the values at the ascending positions at, into a vector of as many values. Of a
// dictionary v gets all entries. ref is the column that b leans on: the whole of it if
// LeansOnAll, else its values at the same positions.
func (b *Block) Pick(v, ref *Vec, at []int32) error {
	if b.N < 0 || b.N > MaxValues {
		return corrupt("%d values", b.N)
	}
	if n := len(at); n > 0 && (at[0] < 0 || int(at[n-1]) >= b.N) {
		return corrupt("position %d of %d values", at[n-1], b.N)
	}
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	body, err := b.plaintext(*buf)
	if err != nil {
		return err
	}
	if b.Comp != None {
		*buf = body
	}
	v.Reset(b.Kind)
	v.N = len(at)
	c := cursor{b: body}
	if b.Enc >= EncMapped {
		c.dependentAt(b, v, ref, at)
	} else {
		c.vecAt(b, v, at)
	}
	if c.err == nil && len(c.b) != 0 {
		c.fail("%d bytes too many", len(c.b))
	}
	return c.err
}

// LeansOnAll tells that Pick needs all values of the column that b leans on.
func (b *Block) LeansOnAll() bool { return b.Enc == EncQuotient }

func (c *cursor) vecAt(b *Block, v *Vec, at []int32) {
	switch {
	case b.Enc == EncDict:
		v.Form = Dict
		n := c.entries(v, b)
		v.Codes = grow(v.Codes, len(at))
		c.codesAt(v.Codes, at, b.N, n, 0)
	case b.Kind == Int && b.Enc != EncConst:
		v.Ints = grow(v.Ints, len(at))
		c.bodyAt(b.Enc, v.Ints, at, b.N, 0)
	case b.Kind == Bytes && b.Enc == EncPlain:
		whole := Vec{Kind: Bytes, N: b.N}
		c.octets(&whole, b.N)
		if c.err != nil {
			return
		}
		v.Off = append(v.Off, 0)
		for _, p := range at {
			v.Data = append(v.Data, whole.BytesEntry(int(p))...)
			v.Off = append(v.Off, uint32(len(v.Data)))
		}
	default:
		c.vec(b, v)
	}
}

// intsAt is ints for the values at some of n positions.
func (c *cursor) intsAt(dst []uint64, at []int32, n, depth int) {
	c.bodyAt(Enc(c.u8()), dst, at, n, depth)
}

func (c *cursor) bodyAt(e Enc, dst []uint64, at []int32, n, depth int) {
	if c.err != nil {
		return
	}
	if depth >= maxDepth {
		c.fail("encodings nested too deep")
		return
	}
	switch e {
	case EncConst:
		c.body(e, dst, depth)
	case EncPacked:
		base := c.uvarint()
		w := c.width(maxWidth)
		if b := c.take(packedLen(n, w)); c.err == nil {
			for i, p := range at {
				dst[i] = loadBits(b, uint(p)*w, w) + base
			}
		}
	case EncEscapeDict:
		c.escapeDictAt(dst, at, n, depth)
	case EncDict:
		c.dictIntsAt(dst, at, n, depth)
	case EncMagnitude:
		c.magnitudeAt(dst, at, n)
	case EncScaled:
		unit, off := c.scale()
		c.intsAt(dst, at, n, depth+1)
		for i, x := range dst {
			dst[i] = x*unit + off
		}
	default:
		all := getInts(n)
		defer putInts(all)
		if c.body(e, *all, depth); c.err != nil {
			return
		}
		for i, p := range at {
			dst[i] = (*all)[p]
		}
	}
}

func (c *cursor) escapeDictAt(dst []uint64, at []int32, n, depth int) {
	var dict [256]uint64
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	*buf = grow(*buf, n)
	sym := *buf
	d, esc := c.frequent(&dict, sym, depth)
	m := c.count(n, "escapes")
	if c.err != nil {
		return
	}
	var escaped, rank []int32 // which of at are escapes, and the how manieth each is
	escape := []byte{esc}
	from, seen := 0, 0
	for i, p := range at {
		s := sym[p]
		switch {
		case int(s) < d:
			dst[i] = dict[s]
			continue
		case s != esc:
			c.fail("code %d of %d entries", s, d)
			return
		}
		seen += bytes.Count(sym[from:p], escape)
		from = int(p)
		escaped, rank = append(escaped, int32(i)), append(rank, int32(seen))
	}
	if len(rank) > 0 && seen >= m {
		c.fail("more escapes than the %d values for them", m)
		return
	}
	x := getInts(len(rank))
	defer putInts(x)
	c.intsAt(*x, rank, m, depth+1)
	for k, i := range escaped {
		dst[i] = (*x)[k]
	}
}

func (c *cursor) dictIntsAt(dst []uint64, at []int32, n, depth int) {
	d := c.count(min(n, MaxValues), "entries")
	dict := getInts(d)
	defer putInts(dict)
	c.ints(*dict, depth+1)
	codes := codePool.Get().(*[]uint16)
	defer codePool.Put(codes)
	*codes = grow(*codes, len(at))
	c.codesAt(*codes, at, n, d, depth)
	if c.err != nil {
		return
	}
	for i, e := range *codes {
		dst[i] = (*dict)[e]
	}
}

// codesAt is codes for the values at some of n positions.
func (c *cursor) codesAt(dst []uint16, at []int32, n, entries, depth int) {
	if len(c.b) == 0 || c.b[0] == codesInts || entries == 0 {
		all := codePool.Get().(*[]uint16)
		defer codePool.Put(all)
		*all = grow(*all, n)
		if c.codes(*all, entries, depth); c.err != nil {
			return
		}
		for i, p := range at {
			dst[i] = (*all)[p]
		}
		return
	}
	switch c.u8() {
	case codesPacked:
		w := widthOf(uint64(entries - 1))
		b := c.take(packedLen(n, w))
		if c.err != nil {
			return
		}
		for i, p := range at {
			dst[i] = uint16(loadBits(b, uint(p)*w, w))
		}
	case codesSymbols:
		buf := bufPool.Get().(*[]byte)
		defer bufPool.Put(buf)
		*buf = grow(*buf, n)
		c.symbols(*buf)
		if c.err != nil {
			return
		}
		for i, p := range at {
			dst[i] = uint16((*buf)[p])
		}
	default:
		c.fail("unknown form of codes")
		return
	}
	if len(dst) > 0 && int(slices.Max(dst)) >= entries {
		c.fail("code %d of %d", slices.Max(dst), entries)
	}
}

func (c *cursor) magnitudeAt(dst []uint64, at []int32, n int) {
	down := c.u8()
	base := c.uvarint()
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	*buf = grow(*buf, n)
	sym := *buf
	c.symbols(sym)
	if down > 1 {
		c.fail("unknown direction of magnitudes")
	}
	if c.err != nil {
		return
	}
	flip := uint64(0) - uint64(down)
	from, off := 0, uint(0)
	for i, p := range at {
		off += opens(sym[from:p])
		from = int(p)
		k := &ofClass[sym[p]]
		x := k.base + loadBits(c.b, off, uint(k.open))
		dst[i] = base + (x ^ flip - flip)
	}
	c.take(int(off+opens(sym[from:])+7) / 8)
}

// opens is how many bits the classes of sym leave open, eight classes at a time.
func opens(sym []byte) uint {
	const ones = 0x0101010101010101
	sum := uint64(0)
	for len(sym) > 0 {
		var x uint64
		if len(sym) >= 8 {
			x, sym = binary.LittleEndian.Uint64(sym), sym[8:]
		} else {
			var tail [8]byte
			copy(tail[:], sym)
			x, sym = binary.LittleEndian.Uint64(tail[:]), nil
		}
		// A class c of 16 or more leaves c/4-2 bits open.
		quarter := x >> 2 & (0x3f * ones)
		large := (quarter + 0x7c*ones) >> 7 & ones
		open := quarter&(large*0xff) - 2*large
		sum += open&0x00ff00ff00ff00ff*0x0001000100010001>>48 + open>>8&0x00ff00ff00ff00ff*0x0001000100010001>>48
	}
	return uint(sum)
}

func (c *cursor) dependentAt(b *Block, v, ref *Vec, at []int32) {
	if !c.leans(b, ref) {
		return
	}
	n := len(at)
	if b.LeansOnAll() {
		n = b.N
	}
	if b.Enc != EncShared && ref.N != n {
		c.fail("%d values lean on %d", n, ref.N)
		return
	}
	switch b.Enc {
	case EncShared:
		if c.sharedEntries(b, v, ref); c.err == nil {
			v.Codes = grow(v.Codes, len(at))
			c.codesAt(v.Codes, at, b.N, v.Entries(), 0)
		}
	case EncMapped:
		c.mapped(b, v, ref, at)
	case EncQuotient:
		v.Ints = grow(v.Ints, len(at))
		c.intsAt(v.Ints, at, b.N, 0)
		c.remaindersAt(v.Ints, ref, at)
	case EncDifference:
		sign := c.u8()
		v.Ints = grow(v.Ints, len(at))
		c.intsAt(v.Ints, at, b.N, 0)
		c.addDifference(v.Ints, ref, sign)
	}
}

// remaindersAt is remainders for some of the quotients.
func (c *cursor) remaindersAt(q []uint64, ref *Vec, at []int32) {
	if c.err != nil {
		return
	}
	plain, done := plainOf(ref)
	defer done()
	off, from := uint(0), 0
	for i, p := range at {
		for _, d := range plain[from:p] {
			off += remainderBits(d)
		}
		from = int(p)
		d := plain[p]
		q[i] = q[i]*max(d, 1) + loadBits(c.b, off, remainderBits(d))
	}
	for _, d := range plain[from:] {
		off += remainderBits(d)
	}
	c.take(int(off+7) / 8)
}

// remainderBits is how many bits the remainder of a division by d takes; nothing is divided by 0.
func remainderBits(d uint64) uint { return uint(bits.Len64(d - min(d, 1))) }
