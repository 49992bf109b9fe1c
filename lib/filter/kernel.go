package filter

import (
	"math/bits"

	"nfpipe/lib/flow"
)

// The loops over values. Each writes whole words of dst, 64 values at a time and without a
// branch on a value; the bits behind the last value are clear.

// tally tells whether none, all or some of n bits are set.
func tally(m flow.Bitmap, n int) Match {
	or, and := uint64(0), ^uint64(0)
	full := n >> 6
	for _, w := range m[:full] {
		or |= w
		and &= w
	}
	if r := n & 63; r != 0 {
		or |= m[full]
		and &= m[full] | ^uint64(0)<<r
	}
	switch {
	case or == 0:
		return None
	case and == ^uint64(0):
		return All
	}
	return Some
}

// or adds the bits of m, all n bits if m is nil.
func or(dst, m flow.Bitmap, n int) {
	if m == nil {
		dst.Fill(n)
		return
	}
	dst.Or(m)
}

// orNot adds the bits that m lacks.
func orNot(dst, m flow.Bitmap, n int) {
	if m == nil {
		return
	}
	for i, w := range m {
		dst[i] |= ^w
	}
	if r := n & 63; r != 0 {
		dst[len(dst)-1] &= 1<<r - 1
	}
}

// deposit moves the bits of src, one for each bit of present, to where those bits are, and
// adds them to dst where counted allows.
func deposit(dst, src, present, counted flow.Bitmap) {
	at := 0
	for i, p := range present {
		n := bits.OnesCount64(p)
		if n == 0 {
			continue
		}
		w, r := at>>6, at&63
		x := src[w] >> r
		if r+n > 64 {
			x |= src[w+1] << (64 - r)
		}
		at += n
		out := uint64(0)
		switch {
		case p == ^uint64(0):
			out = x
		case n < 64:
			x &= 1<<n - 1
			// Shapes come in runs, so bits are moved a run at a time.
			for left := p; x != 0; {
				at := bits.TrailingZeros64(left)
				k := bits.TrailingZeros64(^(left >> (at & 63)))
				run := uint64(1)<<(k&63) - 1
				out |= x & run << (at & 63)
				left &^= run << (at & 63)
				x >>= k & 63
			}
		}
		if counted != nil {
			out &= counted[i]
		}
		dst[i] |= out
	}
}

const lanes = 0x0001_0001_0001_0001 // times a 16-bit number: that number in four lanes

// codesWithin finds the codes from lo to hi. Codes of a dictionary of up to 2^15 entries leave
// the upper bit of each 16-bit lane free, so that four of them are compared at once.
func codesWithin(dst flow.Bitmap, codes []uint16, lo, hi uint16, entries int) {
	full := len(codes) >> 6
	if entries > 1<<15 {
		full = 0
	}
	const top = 0x8000 * lanes
	from, to := uint64(lo)*lanes, uint64(hi)*lanes|top
	for w := range full {
		c := codes[w<<6:][:64]
		var m uint64
		for a := range 4 {
			d := c[16*a:][:16]
			m |= (quad(d, from, to)>>15 | quad(d[4:], from, to)>>11 | quad(d[8:], from, to)>>7 | quad(d[12:], from, to)>>3) << a
		}
		dst[w] = unlane(m)
	}
	span := uint64(hi - lo)
	for w := full; w<<6 < len(codes); w++ {
		var m uint64
		for i, c := range codes[w<<6 : min(w<<6+64, len(codes))] {
			m |= ((uint64(c-lo) - span - 1) >> 63) << i
		}
		dst[w] = m
	}
}

// quad compares four codes; the upper bit of each lane says whether it is in range.
func quad(c []uint16, from, to uint64) uint64 {
	const top = 0x8000 * lanes
	_ = c[3]
	x := uint64(c[0]) | uint64(c[1])<<16 | uint64(c[2])<<32 | uint64(c[3])<<48
	return ((x | top) - from) & (to - x) & top
}

// unlane moves the bits that codesWithin collected to their places. Code l of group 4*a+b
// arrived at bit 16*l+4*b+a and belongs to 16*a+4*b+l: two pairs of the six bits of the
// position change places.
func unlane(m uint64) uint64 {
	t := (m>>30 ^ m) & 0x0000_0000_cccc_cccc
	m ^= t ^ t<<30
	t = (m>>15 ^ m) & 0x0000_aaaa_0000_aaaa
	return m ^ t ^ t<<15
}

// codesTable finds the codes whose entry is 1.
func codesTable(dst flow.Bitmap, codes []uint16, table *[1 << 16]uint8) {
	full := len(codes) >> 6
	for w := range full {
		c := codes[w<<6:][:64]
		var m uint64
		for i := 0; i < 64; i += 8 {
			d := c[i:][:8]
			m |= (uint64(table[d[0]]) | uint64(table[d[1]])<<1 | uint64(table[d[2]])<<2 | uint64(table[d[3]])<<3 |
				uint64(table[d[4]])<<4 | uint64(table[d[5]])<<5 | uint64(table[d[6]])<<6 | uint64(table[d[7]])<<7) << i
		}
		dst[w] = m
	}
	if full<<6 < len(codes) {
		var m uint64
		for i, c := range codes[full<<6:] {
			m |= uint64(table[c]) << i
		}
		dst[full] = m
	}
}

// below is 1 if a <= b.
func below(a, b uint64) uint64 {
	_, borrow := bits.Sub64(b, a, 0)
	return borrow ^ 1
}

// intsWithin finds the values of a range.
func intsWithin(dst flow.Bitmap, vals []uint64, r span) {
	full := len(vals) >> 6
	lo, width := r.lo, r.hi-r.lo
	for w := range full {
		v := vals[w<<6:][:64]
		var m uint64
		for i := 0; i < 64; i += 8 {
			d := v[i:][:8]
			m |= (below(d[0]-lo, width) | below(d[1]-lo, width)<<1 | below(d[2]-lo, width)<<2 | below(d[3]-lo, width)<<3 |
				below(d[4]-lo, width)<<4 | below(d[5]-lo, width)<<5 | below(d[6]-lo, width)<<6 | below(d[7]-lo, width)<<7) << i
		}
		dst[w] = m
	}
	if full<<6 < len(vals) {
		var m uint64
		for i, x := range vals[full<<6:] {
			m |= below(x-lo, width) << i
		}
		dst[full] = m
	}
}

// intsTable finds the values below 2^16 whose entry is 1.
func intsTable(dst flow.Bitmap, vals []uint64, table *[1 << 16]uint8) {
	full := len(vals) >> 6
	for w := range full {
		v := vals[w<<6:][:64]
		var m uint64
		for i := 0; i < 64; i += 8 {
			d := v[i:][:8]
			m |= (look(table, d[0]) | look(table, d[1])<<1 | look(table, d[2])<<2 | look(table, d[3])<<3 |
				look(table, d[4])<<4 | look(table, d[5])<<5 | look(table, d[6])<<6 | look(table, d[7])<<7) << i
		}
		dst[w] = m
	}
	if full<<6 < len(vals) {
		var m uint64
		for i, x := range vals[full<<6:] {
			m |= look(table, x) << i
		}
		dst[full] = m
	}
}

// look is the entry of x, 0 from 2^16 on.
func look(table *[1 << 16]uint8, x uint64) uint64 {
	return uint64(table[uint16(x)]) & below(x, 1<<16-1)
}

// intsMasked finds the values of which the bits of mask, once shifted, are in a range.
func intsMasked(dst flow.Bitmap, vals []uint64, shift uint8, mask uint64, r span) {
	shift &= 63
	lo, width := r.lo, r.hi-r.lo
	full := len(vals) >> 6
	for w := range full {
		v := vals[w<<6:][:64]
		var m uint64
		for i := 0; i < 64; i += 4 {
			d := v[i:][:4]
			m |= (below(d[0]>>shift&mask-lo, width) | below(d[1]>>shift&mask-lo, width)<<1 |
				below(d[2]>>shift&mask-lo, width)<<2 | below(d[3]>>shift&mask-lo, width)<<3) << i
		}
		dst[w] = m
	}
	if full<<6 < len(vals) {
		var m uint64
		for i, x := range vals[full<<6:] {
			m |= below(x>>shift&mask-lo, width) << i
		}
		dst[full] = m
	}
}

// intsSearch looks the bits up in any set.
func intsSearch(dst flow.Bitmap, vals []uint64, shift uint8, mask uint64, set spans) {
	for w := 0; w<<6 < len(vals); w++ {
		var m uint64
		for i, x := range vals[w<<6 : min(w<<6+64, len(vals))] {
			if set.has(x >> (shift & 63) & mask) {
				m |= 1 << i
			}
		}
		dst[w] = m
	}
}
