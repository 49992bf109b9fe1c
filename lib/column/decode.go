package column

import (
	"encoding/binary"
	"sync"
)

// cursor reads a body; its first error sticks and everything after reads as zero.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail(format string, a ...any) {
	if c.err == nil {
		c.err = corrupt(format, a...)
	}
	c.b = nil
}

func (c *cursor) u8() byte {
	if len(c.b) < 1 {
		c.fail("body ends early")
		return 0
	}
	x := c.b[0]
	c.b = c.b[1:]
	return x
}

func (c *cursor) uvarint() uint64 {
	x, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail("bad number")
		return 0
	}
	c.b = c.b[n:]
	return x
}

// count reads a number that may not exceed limit.
func (c *cursor) count(limit int, what string) int {
	x := c.uvarint()
	if x > uint64(limit) {
		c.fail("%d %s, at most %d", x, what, limit)
		return 0
	}
	return int(x)
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail("body ends early: %d bytes wanted, %d there", n, len(c.b))
		return nil
	}
	x := c.b[:n:n]
	c.b = c.b[n:]
	return x
}

func (c *cursor) width(limit uint) uint {
	w := uint(c.u8())
	if w > limit && w != 64 || w > 64 || limit <= 16 && w > limit {
		c.fail("field width %d", w)
		return 0
	}
	return w
}

// ints decodes an encoding with its Enc byte into dst.
func (c *cursor) ints(dst []uint64, depth int) {
	c.body(Enc(c.u8()), dst, depth)
}

func (c *cursor) body(e Enc, dst []uint64, depth int) {
	if c.err != nil {
		return
	}
	if depth >= maxDepth {
		c.fail("encodings nested too deep")
		return
	}
	switch e {
	case EncConst:
		x := c.uvarint()
		for i := range dst {
			dst[i] = x
		}
	case EncPacked:
		base := c.uvarint()
		w := c.width(maxWidth)
		if b := c.take(packedLen(len(dst), w)); c.err == nil {
			unpack(dst, b, w, base)
		}
	case EncEscape:
		c.escape(dst, depth)
	case EncEscapeDict:
		c.escapeDict(dst, depth)
	case EncDict:
		c.dictInts(dst, depth)
	case EncRuns:
		c.runs(dst, depth)
	case EncDelta:
		c.delta(dst, depth)
	case EncMagnitude:
		c.magnitude(dst)
	case EncScaled:
		unit, off := c.scale()
		c.ints(dst, depth+1)
		for i, x := range dst {
			dst[i] = x*unit + off
		}
	default:
		c.fail("encoding %d for numbers", e)
	}
}

// scale reads the unit and the offset of scaled values.
func (c *cursor) scale() (unit, off uint64) {
	u := c.u8()
	off = c.uvarint()
	if int(u) >= len(units) {
		c.fail("unit %d", u)
		return 0, 0
	}
	return units[u], off
}

func (c *cursor) escape(dst []uint64, depth int) {
	base := c.uvarint()
	w := c.width(maxWidth)
	fields := c.take(packedLen(len(dst), w))
	m := c.count(len(dst), "escapes")
	x := getInts(m)
	defer putInts(x)
	c.ints(*x, depth+1)
	if c.err != nil {
		return
	}
	if w == 0 || w == 64 {
		c.fail("escape field width %d", w)
		return
	}
	unpack(dst, fields, w, 0)
	esc := uint64(1)<<w - 1
	at := getInts(len(dst) + 1)
	defer putInts(at)
	where := *at
	j := 0
	for i, d := range dst {
		dst[i] = d + base
		where[j] = uint64(i)
		if d == esc {
			j++
		}
	}
	if j != m {
		c.fail("%d escapes, %d values for them", j, m)
		return
	}
	for i, y := range *x {
		dst[where[i]] = y
	}
}

func (c *cursor) escapeDict(dst []uint64, depth int) {
	var dict [256]uint64
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	*buf = grow(*buf, len(dst))
	sym := *buf
	d, esc := c.frequent(&dict, sym, depth)
	m := c.count(len(dst), "escapes")
	x := getInts(m)
	defer putInts(x)
	c.ints(*x, depth+1)
	if c.err != nil {
		return
	}
	c.patch(dst, sym, &dict, d, esc, *x)
}

// frequent reads the frequent values, d of them, and the symbol of each value: its entry or esc.
func (c *cursor) frequent(dict *[256]uint64, sym []byte, depth int) (d int, esc uint8) {
	w := c.width(8)
	if w == 0 && c.err == nil {
		c.fail("escape field width 0")
	}
	d = c.count(1<<w-1, "frequent values")
	c.ints(dict[:d], depth+1)
	if w == 8 {
		c.symbols(sym)
	} else if fields := c.take(packedLen(len(sym), w)); c.err == nil {
		unpack8(sym, fields, w)
	}
	return d, uint8(1<<w - 1)
}

// patch looks symbols up; those that say escape take the next value of x.
func (c *cursor) patch(dst []uint64, sym []byte, dict *[256]uint64, d int, esc uint8, x []uint64) {
	at := getInts(len(dst) + 1)
	defer putInts(at)
	where := *at
	var what [256]uint8 // 1: escape, 2: no entry
	for i := d; i < len(what); i++ {
		what[i] = 2
	}
	what[esc] = 1
	j := 0
	all := uint8(0)
	dst = dst[:len(sym)]
	for i, s := range sym { // without branches: they could not be predicted
		dst[i] = dict[s]
		where[j] = uint64(i)
		f := what[s]
		j += int(f & 1)
		all |= f
	}
	if all&2 != 0 || j != len(x) {
		c.fail("codes beyond %d entries, or %d escapes and %d values for them", d, j, len(x))
		return
	}
	for i, y := range x {
		dst[where[i]] = y
	}
}

var codePool = sync.Pool{New: func() any { return new([]uint16) }}

func (c *cursor) dictInts(dst []uint64, depth int) {
	d := c.count(min(len(dst), MaxValues), "entries")
	dict := getInts(d)
	defer putInts(dict)
	c.ints(*dict, depth+1)
	codes := codePool.Get().(*[]uint16)
	defer codePool.Put(codes)
	*codes = grow(*codes, len(dst))
	c.codes(*codes, d, depth)
	if c.err != nil {
		return
	}
	for i, e := range *codes {
		dst[i] = (*dict)[e]
	}
}

// codes decodes codes and checks that all are below entries.
func (c *cursor) codes(dst []uint16, entries, depth int) {
	if c.err != nil {
		return
	}
	if entries == 0 && len(dst) > 0 {
		c.fail("codes without entries")
		return
	}
	switch c.u8() {
	case codesPacked:
		w := widthOf(uint64(max(entries-1, 0)))
		b := c.take(packedLen(len(dst), w))
		if c.err != nil {
			return
		}
		unpack16(dst, b, w)
	case codesInts:
		s := getInts(len(dst))
		defer putInts(s)
		c.ints(*s, depth+1)
		if c.err != nil {
			return
		}
		for i, x := range *s {
			if x >= MaxValues {
				c.fail("code %d of %d", x, entries)
				return
			}
			dst[i] = uint16(x)
		}
	case codesSymbols:
		buf := bufPool.Get().(*[]byte)
		defer bufPool.Put(buf)
		*buf = grow(*buf, len(dst))
		c.symbols(*buf)
		for i, x := range *buf {
			dst[i] = uint16(x)
		}
	default:
		c.fail("unknown form of codes")
		return
	}
	var top uint16
	for _, x := range dst {
		top = max(top, x)
	}
	if len(dst) > 0 && int(top) >= entries {
		c.fail("code %d of %d", top, entries)
	}
}

func (c *cursor) runs(dst []uint64, depth int) {
	r := c.count(len(dst), "runs")
	vals, lens := getInts(r), getInts(r)
	defer putInts(vals)
	defer putInts(lens)
	c.ints(*vals, depth+1)
	c.ints(*lens, depth+1)
	if c.err != nil {
		return
	}
	rest := dst
	for i, x := range *vals {
		l := (*lens)[i]
		if l >= uint64(len(rest)) {
			c.fail("runs hold more than %d values", len(dst))
			return
		}
		run := rest[:l+1]
		for j := range run {
			run[j] = x
		}
		rest = rest[l+1:]
	}
	if len(rest) != 0 {
		c.fail("runs hold %d of %d values", len(dst)-len(rest), len(dst))
	}
}

func (c *cursor) delta(dst []uint64, depth int) {
	zz := c.u8()
	x := c.uvarint()
	if len(dst) == 0 {
		c.fail("differences without values")
		return
	}
	c.ints(dst[1:], depth+1)
	if c.err != nil {
		return
	}
	dst[0] = x
	switch zz {
	case 0:
		for i, d := range dst[1:] {
			x += d
			dst[i+1] = x
		}
	case 1:
		for i, d := range dst[1:] {
			x += unzigzag(d)
			dst[i+1] = x
		}
	default:
		c.fail("unknown form of differences")
	}
}
