package column

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
)

// Enc names an encoding. The bodies are drawn at their append functions.
type Enc uint8

const (
	EncConst      Enc = iota // one value
	EncPacked                // base and fields of one width
	EncEscape                // a window of small fields, the rest apart
	EncEscapeDict            // codes of the frequent values, the rest apart
	EncDict                  // sorted dictionary and codes
	EncRuns                  // run values and run lengths
	EncDelta                 // first value and differences
	EncScaled                // multiples of a unit, counted from an offset
	EncMagnitude             // size classes, entropy-coded, and the bits they leave open
	EncPlain                 // Bytes only: lengths and bytes
	EncMapped                // function of another column's entry, with exceptions
	EncQuotient              // quotient and remainder by another column
	EncDifference            // difference to another column
	EncShared                // dictionary that is mostly another column's
	encs
)

var encNames = [...]string{"const", "packed", "escape", "escape-dict", "dict", "runs", "delta", "scaled", "magnitude", "plain", "mapped", "quotient", "difference", "shared", "?"}

func (e Enc) String() string { return encNames[min(e, encs)] }

// maxDepth bounds how deep encodings nest: scaled, runs, delta, escape, packed.
const maxDepth = 5

// units that a column of times is a multiple of: s, ms, µs.
var units = [...]uint64{1e9, 1e6, 1e3}

var intPool = sync.Pool{New: func() any { return new([]uint64) }}

func getInts(n int) *[]uint64 {
	p := intPool.Get().(*[]uint64)
	*p = grow(*p, n)
	return p
}

func putInts(p *[]uint64) { intPool.Put(p) }

// profile is what one pass over the values tells.
type profile struct {
	lo, hi  uint64
	runs    int
	longest int  // run
	sorted  bool // never decreasing
}

func profileOf(v []uint64) profile {
	p := profile{runs: 1}
	if p.lo, p.hi = minMax(v); p.lo == p.hi {
		return p
	}
	prev, runs := v[0], 1
	for _, x := range v {
		d := x ^ prev
		runs += int((d | -d) >> 63)
		prev = x
	}
	p.runs = runs
	p.sorted = slices.IsSorted(v)
	p.longest = len(v)
	if p.runs <= len(v)/4 {
		p.longest = longestRun(v)
	}
	return p
}

func longestRun(v []uint64) int {
	longest, start := 0, 0
	for i := 1; i < len(v); i++ {
		if v[i] != v[i-1] {
			longest = max(longest, i-start)
			start = i
		}
	}
	return max(longest, len(v)-start)
}

// sample is every k-th value, at most 8192 of them; k is odd, for records come in pairs.
func sample(v []uint64) (stride int) { return max(len(v)/8192, 1) | 1 }

// appendInts appends the smallest encoding of v: its Enc byte, then its body.
//
//	const   uvarint value
//	packed  uvarint base, u8 width, fields
//	scaled  u8 index into units, uvarint offset, ints (v-offset)/unit
//	runs    uvarint runs, ints values, ints lengths-1
//	delta   u8 zigzag?, uvarint first, ints differences (n-1)
//	dict    uvarint entries, ints entries, codes
//
// The others stand with their functions.
func appendInts(dst []byte, v []uint64, depth int) []byte {
	n := len(v)
	if n == 0 {
		return append(dst, byte(EncConst), 0)
	}
	p := profileOf(v)
	if p.lo == p.hi {
		return binary.AppendUvarint(append(dst, byte(EncConst)), p.lo)
	}
	if depth >= maxDepth-1 {
		return appendPackedInts(dst, v, p)
	}
	if u := unitOf(v, p); u >= 0 {
		s := getInts(n)
		defer putInts(s)
		switch unit := units[u]; unit {
		case 1e9:
			divide(*s, v, p.lo, 1e9)
		case 1e6:
			divide(*s, v, p.lo, 1e6)
		default:
			divide(*s, v, p.lo, unit)
		}
		dst = append(dst, byte(EncScaled), byte(u))
		dst = binary.AppendUvarint(dst, p.lo)
		return appendInts(dst, *s, depth+1)
	}
	w := int(widthOf(p.hi - p.lo))
	best := plan{enc: EncPacked, bits: n * w}
	best.offer(plan{enc: EncRuns, bits: p.runs*(w+bits.Len(uint(p.longest-1))) + 256})
	if p.runs > n/16 {
		best.offer(planDelta(v, p))
		planFrequent(v, p, &best)
		if n >= minSymbols {
			planMagnitude(v, p, &best)
		}
	}
	switch best.enc {
	case EncRuns:
		return appendRuns(dst, v, p.runs, depth)
	case EncDelta:
		return appendDelta(dst, v, p.sorted, depth)
	case EncDict:
		return appendDict(dst, v, best.dict, depth)
	case EncEscapeDict:
		return appendEscapeDict(dst, v, best.dict, best.width)
	case EncEscape:
		return appendEscape(dst, v, best.base, best.width)
	case EncMagnitude:
		return appendMagnitude(dst, v, best.base, best.down)
	}
	return appendPackedInts(dst, v, p)
}

func divide(dst, v []uint64, lo, unit uint64) {
	switch unit {
	case 1e9:
		for i, x := range v {
			dst[i] = (x - lo) / 1e9
		}
	case 1e6:
		for i, x := range v {
			dst[i] = (x - lo) / 1e6
		}
	default:
		for i, x := range v {
			dst[i] = (x - lo) / 1e3
		}
	}
}

// unitOf finds the largest unit that all distances from the smallest value are multiples of.
func unitOf(v []uint64, p profile) int {
	for u, unit := range units {
		if p.hi-p.lo < unit || (p.hi-p.lo)%unit != 0 {
			continue
		}
		if divisible(v, p.lo, unit) {
			return u
		}
	}
	return -1
}

func divisible(v []uint64, lo, unit uint64) bool {
	switch unit {
	case 1e9:
		for _, x := range v {
			if (x-lo)%1e9 != 0 {
				return false
			}
		}
	case 1e6:
		for _, x := range v {
			if (x-lo)%1e6 != 0 {
				return false
			}
		}
	default:
		for _, x := range v {
			if (x-lo)%1e3 != 0 {
				return false
			}
		}
	}
	return true
}

// plan is a candidate encoding with its size in bits, exact or estimated.
type plan struct {
	enc   Enc
	bits  int
	width uint     // EncEscape, EncEscapeDict: field width
	base  uint64   // EncEscape: lowest value of the window; EncMagnitude: where to count from
	down  bool     // EncMagnitude: count down
	dict  []uint64 // EncDict: sorted; EncEscapeDict: by frequency
}

// offer takes q if it is smaller by more than a sixteenth: simpler encodings decode faster.
func (p *plan) offer(q plan) {
	if q.bits+q.bits/16 < p.bits {
		*p = q
	}
}

func appendPackedInts(dst []byte, v []uint64, p profile) []byte {
	w := widthOf(p.hi - p.lo)
	dst = binary.AppendUvarint(append(dst, byte(EncPacked)), p.lo)
	return appendPacked(append(dst, byte(w)), v, p.lo, w)
}

func appendRuns(dst []byte, v []uint64, runs, depth int) []byte {
	vals, lens := getInts(runs), getInts(runs)
	defer putInts(vals)
	defer putInts(lens)
	r, start := 0, 0
	for i := 1; i <= len(v); i++ {
		if i == len(v) || v[i] != v[i-1] {
			(*vals)[r], (*lens)[r] = v[i-1], uint64(i-start-1)
			r++
			start = i
		}
	}
	dst = binary.AppendUvarint(append(dst, byte(EncRuns)), uint64(runs))
	dst = appendInts(dst, *vals, depth+1)
	return appendInts(dst, *lens, depth+1)
}

func zigzag(d uint64) uint64   { return d<<1 ^ uint64(int64(d)>>63) }
func unzigzag(z uint64) uint64 { return z>>1 ^ -(z & 1) }

// planDelta estimates from up to 512 neighbours what magnitudes of the differences take;
// sorted values are measured without zigzag.
func planDelta(v []uint64, p profile) plan {
	n := len(v)
	if n < 16 {
		return plan{bits: 1 << 62}
	}
	var classes [256]uint32
	step := max((n-1)/512, 1)
	seen, open, widest := 0, 0, uint64(0)
	for i := 1; i < n; i += step {
		d := v[i] - v[i-1]
		if !p.sorted {
			d = zigzag(d)
		}
		c, o := magnitude(d)
		classes[c]++
		open += int(o)
		seen++
		widest = max(widest, d)
	}
	each := float64(open+entropy(classes[:], seen)) / float64(seen)
	if n < 4*minSymbols {
		each = float64(widthOf(widest)) // too few for a Huffman table
	}
	return plan{enc: EncDelta, bits: int(each*float64(n)*1.03) + 64}
}

func appendDelta(dst []byte, v []uint64, sorted bool, depth int) []byte {
	d := getInts(len(v) - 1)
	defer putInts(d)
	zz := byte(1)
	if sorted {
		zz = 0
	}
	for i := range *d {
		x := v[i+1] - v[i]
		if !sorted {
			x = zigzag(x)
		}
		(*d)[i] = x
	}
	dst = append(dst, byte(EncDelta), zz)
	dst = binary.AppendUvarint(dst, v[0])
	return appendInts(dst, *d, depth+1)
}

func appendDict(dst []byte, v, dict []uint64, depth int) []byte {
	codes := make([]uint16, len(v))
	encodeWith(codes, v, dict)
	dst = binary.AppendUvarint(append(dst, byte(EncDict)), uint64(len(dict)))
	dst = appendInts(dst, dict, depth+1)
	return appendCodes(dst, codes, len(dict), depth)
}

// encodeWith looks every value up in the sorted dictionary, which has all of them.
func encodeWith(codes []uint16, v, dict []uint64) {
	lo, hi := dict[0], dict[len(dict)-1]
	if span := hi - lo; span < 1<<18 {
		table := make([]uint16, span+1)
		for i, x := range dict {
			table[x-lo] = uint16(i)
		}
		for i, x := range v {
			codes[i] = table[x-lo]
		}
		return
	}
	t := newIntTable(len(dict))
	for i, x := range dict {
		t.put(x, uint16(i))
	}
	for i, x := range v {
		codes[i], _ = t.get(x)
	}
}

const (
	codesPacked = iota
	codesInts
	codesSymbols
)

// appendCodes appends codes below entries: u8 0 and fields of the width of entries-1; u8 1 and
// ints when they come in runs; or u8 2 and symbols when there are at most 256 entries of
// uneven frequency.
func appendCodes(dst []byte, codes []uint16, entries, depth int) []byte {
	runs := 1
	for i := 1; i < len(codes); i++ {
		if codes[i] != codes[i-1] {
			runs++
		}
	}
	if runs*8 <= len(codes) && depth+2 < maxDepth {
		s := getInts(len(codes))
		defer putInts(s)
		for i, c := range codes {
			(*s)[i] = uint64(c)
		}
		return appendRuns(append(dst, codesInts), *s, runs, depth+1)
	}
	w := widthOf(uint64(entries - 1))
	if entries <= 256 && len(codes) >= minSymbols {
		var count [256]uint32
		for _, c := range codes {
			count[uint8(c)]++
		}
		if e := entropy(count[:], len(codes)); e+e/16 < len(codes)*int(w) {
			sym := make([]byte, len(codes))
			for i, c := range codes {
				sym[i] = byte(c)
			}
			return appendSymbols(append(dst, codesSymbols), sym)
		}
	}
	return appendPacked16(append(dst, codesPacked), codes, w)
}

func sortedCopy(v []uint64) []uint64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s
}
