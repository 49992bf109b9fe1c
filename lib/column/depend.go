package column

import (
	"encoding/binary"
	"math/bits"
)

// Encodings that lean on one other column of the same records. Both columns hold a value for
// the same records, in the same order.
//
//	mapped      [addresses | octets] ints (a value or entry for each entry of the other column),
//	            uvarint exceptions, ints positions, ints values
//	quotient    ints quotients, bit stream of the remainders
//	difference  u8 0 (value = other + d) or 1 (value = other - d), ints d

// EncodeMapped encodes v as a function of the entries of ref, or reports that too many
// records are exceptions. ref must be a dictionary or a constant.
func EncodeMapped(v, ref *Vec) (Block, bool) {
	if ref.Form == Plain || v.N != ref.N || v.N == 0 || v.Form == Const || v.Kind == Bytes && v.Form == Plain {
		return Block{}, false
	}
	vals := getInts(v.N)
	defer putInts(vals)
	mappedValues(*vals, v)
	table := getInts(ref.Entries())
	defer putInts(table)
	majority(*table, *vals, ref)
	var pos, exc []uint64
	limit := v.N / 8
	for i, x := range *vals {
		if (*table)[ref.Entry(i)] != x {
			if len(pos) == limit {
				return Block{}, false
			}
			pos = append(pos, uint64(i))
			exc = append(exc, x)
		}
	}
	body := []byte{byte(EncMapped)}
	switch v.Kind {
	case Addr:
		body = appendAddrs(binary.AppendUvarint(body, uint64(v.Entries())), v)
	case Bytes:
		body = appendOctets(binary.AppendUvarint(body, uint64(v.Entries())), v)
	}
	body = appendInts(body, *table, 1)
	body = binary.AppendUvarint(body, uint64(len(pos)))
	body = appendInts(body, pos, 1)
	body = appendInts(body, exc, 1)
	return finish(v, body), true
}

// mappedValues fills dst with the values of an Int column, or the entries of another.
func mappedValues(dst []uint64, v *Vec) {
	switch {
	case v.Kind == Int && v.Form == Plain:
		copy(dst, v.Ints)
	case v.Kind == Int:
		for i, c := range v.Codes {
			dst[i] = v.Ints[c]
		}
	default:
		for i, c := range v.Codes {
			dst[i] = uint64(c)
		}
	}
}

// majority finds a likely value for each entry by the vote of Boyer and Moore; entries that
// no record uses take the value of the entry before, which keeps runs long.
func majority(table, vals []uint64, ref *Vec) {
	votes := make([]int32, len(table))
	seen := make([]bool, len(table))
	for i, x := range vals {
		e := ref.Entry(i)
		seen[e] = true
		switch {
		case votes[e] == 0:
			table[e], votes[e] = x, 1
		case table[e] == x:
			votes[e]++
		default:
			votes[e]--
		}
	}
	last := uint64(0)
	for e, s := range seen {
		if !s {
			table[e] = last
		}
		last = table[e]
	}
	smooth(table, vals, ref, votes)
}

// smooth gives an entry with a single record its neighbour's value when both sides agree: a
// lone exception in the middle of a prefix must not break the run.
func smooth(table, vals []uint64, ref *Vec, votes []int32) {
	for e := 1; e+1 < len(table); e++ {
		if votes[e] <= 1 && table[e-1] == table[e+1] {
			table[e] = table[e-1]
		}
	}
}

// EncodeQuotient encodes v as quotient and remainder by ref, both Int.
func EncodeQuotient(v, ref *Vec) (Block, bool) {
	if v.Kind != Int || ref.Kind != Int || v.N != ref.N || v.N == 0 || v.Form == Const {
		return Block{}, false
	}
	q := getInts(v.N)
	defer putInts(q)
	var w bitWriter
	for i := range *q {
		x, d := v.Int(i), ref.Int(i)
		if d <= 1 {
			(*q)[i] = x
			continue
		}
		(*q)[i] = x / d
		w.add(x%d, uint(bits.Len64(d-1)))
	}
	body := appendInts([]byte{byte(EncQuotient)}, *q, 0)
	return finish(v, append(body, w.bytes()...)), true
}

// EncodeDifference encodes v as its distance from ref, both Int.
func EncodeDifference(v, ref *Vec) (Block, bool) {
	if v.Kind != Int || ref.Kind != Int || v.N != ref.N || v.N == 0 || v.Form == Const {
		return Block{}, false
	}
	above, below := true, true
	d := getInts(v.N)
	defer putInts(d)
	for i := range *d {
		x, y := v.Int(i), ref.Int(i)
		above = above && x >= y
		below = below && x <= y
		(*d)[i] = x - y
	}
	sign := byte(0)
	switch {
	case above:
	case below:
		sign = 1
		for i, x := range *d {
			(*d)[i] = -x
		}
	default:
		return Block{}, false
	}
	return finish(v, appendInts([]byte{byte(EncDifference), sign}, *d, 0)), true
}

// bitWriter packs fields of changing width, lowest bit first.
type bitWriter struct {
	out  []byte
	acc  uint64
	have uint
}

func (w *bitWriter) add(x uint64, n uint) {
	w.acc |= x << w.have
	w.have += n
	if w.have >= 64 {
		w.out = binary.LittleEndian.AppendUint64(w.out, w.acc)
		w.have -= 64
		w.acc = x >> (n - w.have)
	}
}

func (w *bitWriter) bytes() []byte {
	tail := binary.LittleEndian.AppendUint64(w.out, w.acc)
	return tail[:len(w.out)+int(w.have+7)/8]
}

func (c *cursor) dependent(b *Block, v, ref *Vec) {
	if ref == nil || ref.N != b.N {
		c.fail("%s without the column it leans on", b.Enc)
		return
	}
	switch b.Enc {
	case EncMapped:
		c.mapped(b, v, ref)
		return
	case EncQuotient, EncDifference:
		if b.Kind != Int || ref.Kind != Int {
			c.fail("%s of %s by %s", b.Enc, b.Kind, ref.Kind)
			return
		}
	default:
		c.fail("encoding %d", b.Enc)
		return
	}
	v.Ints = grow(v.Ints, b.N)
	if b.Enc == EncQuotient {
		c.ints(v.Ints, 0)
		c.remainders(v.Ints, ref)
		return
	}
	sign := c.u8()
	c.ints(v.Ints, 0)
	if c.err != nil {
		return
	}
	flip := uint64(0)
	if sign == 1 {
		flip = ^uint64(0)
	} else if sign != 0 {
		c.fail("unknown form of difference")
	}
	if ref.Form == Plain {
		for i, d := range v.Ints {
			v.Ints[i] = ref.Ints[i] + (d ^ flip - flip)
		}
		return
	}
	for i, d := range v.Ints {
		v.Ints[i] = ref.Int(i) + (d ^ flip - flip)
	}
}

func (c *cursor) remainders(q []uint64, ref *Vec) {
	if c.err != nil {
		return
	}
	var off uint
	end := uint(len(c.b)) * 8
	src := c.b
	plain := ref.Ints
	if ref.Form != Plain {
		p := getInts(len(q))
		defer putInts(p)
		for i := range *p {
			(*p)[i] = ref.Int(i)
		}
		plain = *p
	}
	for i, d := range plain {
		if d <= 1 {
			continue
		}
		n := uint(bits.Len64(d - 1))
		if off+n > end {
			c.fail("remainders end at value %d", i)
			return
		}
		var r uint64
		if p := int(off >> 3); n <= maxWidth && p+8 <= len(src) {
			r = binary.LittleEndian.Uint64(src[p:]) >> (off & 7)
		} else {
			r = loadTail(src, int(off))
			if n > maxWidth && off&7 != 0 && p+8 < len(src) {
				r |= uint64(src[p+8]) << (64 - off&7)
			}
		}
		off += n
		q[i] = q[i]*d + r&(1<<n-1)
	}
	c.take(int(off+7) / 8)
}

func (c *cursor) mapped(b *Block, v, ref *Vec) {
	if ref.Form == Plain {
		c.fail("mapped from a column without entries")
		return
	}
	entries := 0
	if b.Kind != Int {
		entries = c.count(b.N, "entries")
		if b.Kind == Addr {
			c.addrs(v, entries)
		} else {
			c.octets(v, entries)
		}
	}
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
	for _, p := range *pos {
		if p >= uint64(b.N) {
			c.fail("exception at value %d of %d", p, b.N)
			return
		}
	}
	if b.Kind == Int {
		v.Ints = grow(v.Ints, b.N)
		if ref.Form == Const {
			for i := range v.Ints {
				v.Ints[i] = (*table)[0]
			}
		} else {
			t := *table
			for i, e := range ref.Codes {
				v.Ints[i] = t[e]
			}
		}
		for i, p := range *pos {
			v.Ints[p] = (*exc)[i]
		}
		return
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
	v.Codes = grow(v.Codes, b.N)
	for i := range v.Codes {
		v.Codes[i] = uint16((*table)[ref.Entry(i)])
	}
	for i, p := range *pos {
		v.Codes[p] = uint16((*exc)[i])
	}
}
