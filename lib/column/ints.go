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

// profile is what is known of all values.
type profile struct {
	lo, hi uint64
	runs   int // of equal values, by a sample
}

func profileOf(v []uint64) profile {
	lo, hi := minMax(v)
	return profile{lo, hi, runsOf(v)}
}

// runsOf estimates the runs of equal values.
func runsOf[T uint8 | uint16 | uint64](v []T) int {
	begin, seen := 0, 0
	for i, step := 1, stride(len(v), 1024); i < len(v); i += step {
		if v[i] != v[i-1] {
			begin++
		}
		seen++
	}
	return 1 + begin*(len(v)-1)/max(seen, 1)
}

// stride is the step of a sample of about most of n values, a quarter of them when they are
// few. It is odd, for records come in pairs, and when large no multiple of other small numbers.
func stride(n, most int) int {
	s := max(n/most, min(n/512, 4)) | 1
	for s > 9 && (s%3 == 0 || s%5 == 0) {
		s += 2
	}
	return s
}

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
	if len(v) == 0 {
		return append(dst, byte(EncConst), 0)
	}
	return appendProfiled(dst, v, profileOf(v), depth)
}

// appendProfiled is appendInts of values whose profile is known.
func appendProfiled(dst []byte, v []uint64, p profile, depth int) []byte {
	if p.lo == p.hi {
		return binary.AppendUvarint(append(dst, byte(EncConst)), p.lo)
	}
	if depth >= maxDepth-1 {
		return appendPackedInts(dst, v, p)
	}
	if p.runs <= len(v)/longRuns {
		return appendRuns(dst, v, depth)
	}
	s := getInts(len(v))
	defer putInts(s)
	if u := scale(*s, v, p); u >= 0 {
		dst = append(dst, byte(EncScaled), byte(u))
		dst = binary.AppendUvarint(dst, p.lo)
		p.lo, p.hi = 0, (p.hi-p.lo)/units[u]
		return appendProfiled(dst, *s, p, depth+1)
	}
	switch best := planOf(v, p); best.enc {
	case EncRuns:
		return appendRuns(dst, v, depth)
	case EncDelta:
		return appendDelta(dst, v, best.sorted, depth)
	case EncDict:
		return appendDict(dst, v, best.dict, p.runs, depth)
	case EncEscapeDict:
		return appendEscapeDict(dst, v, best.dict, p, best.width)
	case EncEscape:
		return appendEscape(dst, v, best.base, best.width)
	case EncMagnitude:
		return appendMagnitude(dst, v, best.base, best.down)
	}
	return appendPackedInts(dst, v, p)
}

// longRuns is how many values a run holds on the average when nothing but runs is considered.
const longRuns = 16

// planOf chooses an encoding for values that are no multiples.
func planOf(v []uint64, p profile) plan {
	n, w := len(v), int(widthOf(p.hi-p.lo))
	best := plan{enc: EncPacked, bits: n * w}
	best.offer(plan{enc: EncRuns, bits: p.runs*(w+bits.Len(uint(4*n/p.runs))) + 256})
	best.offer(planDelta(v))
	planFrequent(v, p, &best)
	if n >= minSymbols {
		planMagnitude(v, p, &best)
	}
	return best
}

// scale divides the distances from the smallest value by the largest unit that all are
// multiples of, and returns the unit's index, or -1. Multiplied by the inverse of the unit's
// odd part modulo 2⁶⁴ and turned right by its even part, a multiple becomes the quotient, and
// nothing else becomes as small.
func scale(dst, v []uint64, p profile) int {
	span := p.hi - p.lo
	for u, unit := range units {
		if span < unit || span%unit != 0 {
			continue
		}
		k := bits.TrailingZeros64(unit)
		inverse, top := inverseOf(unit>>k), uint64(0)
		for i, x := range v {
			q := bits.RotateLeft64((x-p.lo)*inverse, -k)
			dst[i] = q
			top = max(top, q)
		}
		if top == span/unit {
			return u
		}
	}
	return -1
}

// inverseOf is the inverse of an odd number modulo 2⁶⁴, by Newton's iteration.
func inverseOf(x uint64) uint64 {
	y := x // right in the lowest three bits
	for range 5 {
		y *= 2 - x*y
	}
	return y
}

// plan is a candidate encoding with its size in bits, exact or estimated.
type plan struct {
	enc    Enc
	bits   int
	width  uint     // EncEscape, EncEscapeDict: field width
	base   uint64   // EncEscape: lowest value of the window; EncMagnitude: where to count from
	down   bool     // EncMagnitude: count down
	dict   []uint64 // EncDict: sorted; EncEscapeDict: by frequency
	sorted bool     // EncDelta: the values never fall
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

func appendRuns(dst []byte, v []uint64, depth int) []byte {
	vals, lens := getInts(len(v)), getInts(len(v))
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
	dst = binary.AppendUvarint(append(dst, byte(EncRuns)), uint64(r))
	dst = appendInts(dst, (*vals)[:r], depth+1)
	return appendInts(dst, (*lens)[:r], depth+1)
}

func zigzag(d uint64) uint64   { return d<<1 ^ uint64(int64(d)>>63) }
func unzigzag(z uint64) uint64 { return z>>1 ^ -(z & 1) }

// planDelta estimates from about 512 neighbours what the differences take as magnitudes, or in
// a window; sorted values are measured without zigzag.
func planDelta(v []uint64) plan {
	n := len(v)
	if n < 16 {
		return plan{bits: 1 << 30}
	}
	var classes [256]uint32
	sorted := slices.IsSorted(v)
	step := stride(n, 512)
	seen, open := 0, 0
	for i := 1; i < n; i += step {
		d := v[i] - v[i-1]
		if !sorted {
			d = zigzag(d)
		}
		c, o := magnitude(d)
		classes[c]++
		open += int(o)
		seen++
	}
	size := windowBits(&classes, n, seen)
	if n >= minSymbols {
		size = min(size, ofAll(open, seen, n)+entropy(classes[:], n))
	}
	return plan{enc: EncDelta, bits: size + size/8 + 64, sorted: sorted}
}

// ofAll is what n values take when those seen take so many bits.
func ofAll(bits, seen, n int) int { return int(int64(bits) * int64(n) / int64(seen)) }

// windowBits estimates what n numbers take as fields of the best width and wider ones apart,
// from the classes of those that were seen.
func windowBits(classes *[256]uint32, n, seen int) int {
	var lens [65]int
	top := 0
	for c, k := range classes {
		if k > 0 {
			top = bits.Len64(ofClass[c].base)
			lens[top] += int(k)
		}
	}
	best, in := n*top, 0
	for w := 1; w < top; w++ {
		in += lens[w-1]
		best = min(best, n*w+ofAll((seen-in)*top, seen, n)+128)
	}
	return best
}

func appendDelta(dst []byte, v []uint64, sorted bool, depth int) []byte {
	d := getInts(len(v) - 1)
	defer putInts(d)
	zz := byte(1)
	if sorted {
		zz = 0
	}
	lo, hi := ^uint64(0), uint64(0)
	prev := v[0]
	for i, x := range v[1:] {
		y := x - prev
		if !sorted {
			y = zigzag(y)
		}
		(*d)[i] = y
		lo, hi, prev = min(lo, y), max(hi, y), x
	}
	dst = append(dst, byte(EncDelta), zz)
	dst = binary.AppendUvarint(dst, v[0])
	return appendProfiled(dst, *d, profile{lo, hi, runsOf(*d)}, depth+1)
}

func appendDict(dst []byte, v, dict []uint64, runs, depth int) []byte {
	dst = binary.AppendUvarint(append(dst, byte(EncDict)), uint64(len(dict)))
	dst = appendInts(dst, dict, depth+1)
	if len(dict) <= 256 {
		codes := bufPool.Get().(*[]byte)
		defer bufPool.Put(codes)
		*codes = grow(*codes, len(v))
		encodeWith(*codes, v, dict)
		return appendCodes(dst, *codes, len(dict), runs, depth)
	}
	codes := codePool.Get().(*[]uint16)
	defer codePool.Put(codes)
	*codes = grow(*codes, len(v))
	encodeWith(*codes, v, dict)
	return appendCodes(dst, *codes, len(dict), runs, depth)
}

// encodeWith looks every value up in the sorted dictionary, which has all of them.
func encodeWith[T uint8 | uint16](codes []T, v, dict []uint64) {
	lo, hi := dict[0], dict[len(dict)-1]
	if span := hi - lo; span < histogramSpan {
		table := make([]T, span+1)
		for i, x := range dict {
			table[x-lo] = T(i)
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
		c, _ := t.get(x)
		codes[i] = T(c)
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
func appendCodes[T uint8 | uint16](dst []byte, codes []T, entries, runs, depth int) []byte {
	if runs*8 <= len(codes) && depth+2 < maxDepth {
		s := getInts(len(codes))
		defer putInts(s)
		for i, c := range codes {
			(*s)[i] = uint64(c)
		}
		return appendRuns(append(dst, codesInts), *s, depth+1)
	}
	w := widthOf(uint64(entries - 1))
	if entries <= 256 && len(codes) >= minSymbols && uneven(codes, int(w)) {
		return appendSymbols(append(dst, codesSymbols), symbolsOf(codes))
	}
	return appendPacked(append(dst, codesPacked), codes, 0, w)
}

// uneven tells, from a sample, whether symbols of codes below 256 are smaller than fields.
func uneven[T uint8 | uint16](codes []T, w int) bool {
	var count [256]uint32
	for i, step := 0, stride(len(codes), 8192); i < len(codes); i += step {
		count[uint8(codes[i])]++
	}
	e := entropy(count[:], len(codes))
	return e+e/16 < len(codes)*w
}

func symbolsOf[T uint8 | uint16](codes []T) []byte {
	if s, ok := any(codes).([]byte); ok {
		return s
	}
	sym := make([]byte, len(codes))
	for i, c := range codes {
		sym[i] = byte(c)
	}
	return sym
}

func sortedCopy(v []uint64) []uint64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s
}
