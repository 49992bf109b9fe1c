package column

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Encodings for values that are frequent or mostly small.

const (
	histogramSpan = 1 << 16 // counted exactly when all values lie this close
	maxFrequent   = 512     // candidates for an escape dictionary
	maxIntDict    = 1 << 13 // distinct wide values that are worth a dictionary
)

// planFrequent offers dictionary and escape encodings.
func planFrequent(v []uint64, p profile, best *plan) {
	w := int(widthOf(p.hi - p.lo))
	if w <= 1 {
		return
	}
	if p.hi-p.lo < histogramSpan {
		planCounted(v, p, best, w)
		return
	}
	planWindow(v, p, best, w)
	planSampled(v, best)
}

// exactSpan is the span of values that are counted exactly; wider ones are sampled.
const exactSpan = 1 << 12

// planCounted counts values that lie close together.
func planCounted(v []uint64, p profile, best *plan, w int) {
	step := 1
	if p.hi-p.lo >= exactSpan {
		step = sample(v)
	}
	hist := make([]uint32, p.hi-p.lo+1)
	seen := 0
	for i := 0; i < len(v); i += step {
		hist[v[i]-p.lo]++
		seen++
	}
	if step == 1 {
		planDict(hist, p, len(v), best)
	}
	planHistWindow(hist, p, seen, len(v), best, w)
	planTop(hist, p, seen, len(v), best, w)
}

// planDict offers a dictionary of the values that were all counted.
func planDict(hist []uint32, p profile, n int, best *plan) {
	count := make([]uint32, 0, 256)
	distinct := 0
	for _, c := range hist {
		if c > 0 {
			distinct++
			if distinct <= 256 {
				count = append(count, c)
			}
		}
	}
	size := n*bits.Len(uint(distinct-1)) + 128
	if distinct <= 256 && n >= minSymbols {
		size = min(size, entropy(count, n))
	}
	size += distinct * (bits.Len(uint(len(hist)/distinct)) + 2)
	if size+size/16 < best.bits {
		best.offer(plan{enc: EncDict, bits: size, dict: distinctOf(hist, p.lo, distinct)})
	}
}

// planTop offers codes for the most frequent values and escapes for the rest.
func planTop(hist []uint32, p profile, seen, n int, best *plan, w int) {
	type counted struct {
		v uint64
		n uint32
	}
	var top []counted
	least := uint32(max(seen/maxFrequent, 2))
	for i, c := range hist {
		if c >= least || c > 0 && len(hist) <= 256 {
			top = append(top, counted{uint64(i) + p.lo, c})
		}
	}
	slices.SortFunc(top, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.v, b.v))
	})
	covered, i := 0, 0
	for k := uint(1); k <= 8; k++ {
		for ; i < len(top) && i < 1<<k-1; i++ {
			covered += int(top[i].n)
		}
		size := seen*int(k) + (seen-covered)*w
		if k == 8 { // these codes are symbols
			var count [256]uint32
			for j := range i {
				count[j] = top[j].n
			}
			count[255] = uint32(seen - covered)
			size += min(entropy(count[:], seen)-seen*8, 0)
		}
		q := plan{enc: EncEscapeDict, bits: int(float64(size)*float64(n)/float64(seen)) + i*w + 128, width: k}
		if q.bits+q.bits/16 < best.bits {
			q.dict = make([]uint64, i)
			for j := range q.dict {
				q.dict[j] = top[j].v
			}
			best.offer(q)
		}
	}
}

func distinctOf(hist []uint32, lo uint64, distinct int) []uint64 {
	dict := make([]uint64, 0, distinct)
	for i, c := range hist {
		if c != 0 {
			dict = append(dict, uint64(i)+lo)
		}
	}
	return dict
}

// planHistWindow finds the width whose window from the smallest value is cheapest.
func planHistWindow(hist []uint32, p profile, seen, n int, best *plan, w int) {
	in, i := 0, 0
	for k := 1; k < w; k++ {
		for ; i < len(hist) && i < 1<<k-1; i++ {
			in += int(hist[i])
		}
		size := float64(seen*k+(seen-in)*w) * float64(n) / float64(seen)
		best.offer(plan{enc: EncEscape, bits: int(size) + 128, width: uint(k), base: p.lo})
	}
}

// planWindow offers a window of small fields at the low end, or, for values such as start
// times with a long tail below, at the high end.
func planWindow(v []uint64, p profile, best *plan, w int) {
	var low, high [65]int
	seen := 0
	for i, step := 0, sample(v); i < len(v); i += step {
		low[bits.Len64(v[i]-p.lo)]++
		high[bits.Len64(p.hi-v[i])]++
		seen++
	}
	size := func(in, k int) int {
		return int(float64(seen*k+(seen-in)*w)*float64(len(v))/float64(seen)) + 128
	}
	inLow, inHigh := low[0], high[0]
	for k := 1; k < w && k <= maxWidth; k++ {
		// A window of 2^k-1 values holds all of k-1 bits and, when k is large, nearly all of k.
		if k > 4 {
			inLow += low[k]
			inHigh += high[k]
		}
		best.offer(plan{enc: EncEscape, bits: size(inLow, k), width: uint(k), base: p.lo})
		if span := uint64(1)<<k - 2; p.hi >= span {
			best.offer(plan{enc: EncEscape, bits: size(inHigh, k), width: uint(k), base: p.hi - span})
		}
		if k <= 4 {
			inLow += low[k]
			inHigh += high[k]
		}
	}
}

// planSampled offers a dictionary of wide values when a sample repeats itself.
func planSampled(v []uint64, best *plan) {
	n := len(v)
	const enough = 1024
	t := newIntTable(enough)
	step := max(n/enough, 1)
	seen := 0
	for i := 0; i < n && seen < enough; i += step {
		t.put(v[i], 0)
		seen++
	}
	if t.n*4 > seen {
		return
	}
	all := newIntTable(maxIntDict)
	for _, x := range v {
		if _, ok := all.get(x); !ok {
			if all.n == maxIntDict {
				return
			}
			all.put(x, 0)
		}
	}
	b := n*bits.Len(uint(all.n-1)) + all.n*48 + 128
	if b+b/16 < best.bits {
		best.offer(plan{enc: EncDict, bits: b, dict: sortedCopy(all.keys())})
	}
}

// appendEscape appends
//
//	escape  uvarint base, u8 width, fields (all ones: escaped), uvarint escapes, ints values
func appendEscape(dst []byte, v []uint64, base uint64, w uint) []byte {
	esc := uint64(1)<<w - 1
	f, x := getInts(len(v)), getInts(len(v))
	defer putInts(f)
	defer putInts(x)
	m := 0
	for i, a := range v {
		d := a - base
		if d >= esc {
			(*x)[m] = a
			m++
			d = esc
		}
		(*f)[i] = d
	}
	dst = binary.AppendUvarint(append(dst, byte(EncEscape)), base)
	dst = appendPacked(append(dst, byte(w)), *f, 0, w)
	dst = binary.AppendUvarint(dst, uint64(m))
	return appendInts(dst, (*x)[:m], maxDepth-1)
}

// appendEscapeDict appends
//
//	escape-dict  u8 width, uvarint entries, ints entries, fields, or symbols when the width is 8
//	             (all ones: escaped), uvarint escapes, ints values
func appendEscapeDict(dst []byte, v, dict []uint64, w uint) []byte {
	esc := uint64(1)<<w - 1
	t := newIntTable(len(dict))
	lo, hi := dict[0], dict[0]
	for i, a := range dict {
		t.put(a, uint16(i))
		lo, hi = min(lo, a), max(hi, a)
	}
	f, x := getInts(len(v)), getInts(len(v))
	defer putInts(f)
	defer putInts(x)
	m := 0
	for i, a := range v {
		c := esc
		if a >= lo && a <= hi {
			if e, ok := t.get(a); ok {
				c = uint64(e)
			}
		}
		if c == esc {
			(*x)[m] = a
			m++
		}
		(*f)[i] = c
	}
	dst = append(dst, byte(EncEscapeDict), byte(w))
	dst = binary.AppendUvarint(dst, uint64(len(dict)))
	dst = appendInts(dst, dict, maxDepth-1)
	if w == 8 {
		sym := make([]byte, len(v))
		for i, c := range *f {
			sym[i] = byte(c)
		}
		dst = appendSymbols(dst, sym)
	} else {
		dst = appendPacked(dst, *f, 0, w)
	}
	dst = binary.AppendUvarint(dst, uint64(m))
	return appendInts(dst, (*x)[:m], maxDepth-1)
}

// intTable maps values to codes: open addressing, half full at most.
type intTable struct {
	slot   []uint64
	code16 []uint16
	used   []bool
	n      int
	shift  uint
}

func newIntTable(capacity int) *intTable {
	b := bits.Len(uint(max(capacity, 2))*2 - 1)
	size := 1 << b
	return &intTable{slot: make([]uint64, size), code16: make([]uint16, size), used: make([]bool, size), shift: uint(64 - b)}
}

func (t *intTable) find(x uint64) int {
	i := int(mix(x) >> t.shift)
	for t.used[i] && t.slot[i] != x {
		i = (i + 1) & (len(t.slot) - 1)
	}
	return i
}

func (t *intTable) put(x uint64, c uint16) {
	if 2*t.n >= len(t.slot) {
		t.grow()
	}
	i := t.find(x)
	if !t.used[i] {
		t.used[i] = true
		t.slot[i] = x
		t.n++
	}
	t.code16[i] = c
}

// code returns the code of x; a new value gets the next.
func (t *intTable) code(x uint64) uint16 {
	i := t.find(x)
	if t.used[i] {
		return t.code16[i]
	}
	c := uint16(t.n)
	t.put(x, c)
	return c
}

func (t *intTable) grow() {
	old := *t
	*t = *newIntTable(len(old.slot))
	for i, u := range old.used {
		if u {
			t.put(old.slot[i], old.code16[i])
		}
	}
}

func (t *intTable) get(x uint64) (uint16, bool) {
	i := t.find(x)
	return t.code16[i], t.used[i]
}

func (t *intTable) keys() []uint64 {
	k := make([]uint64, 0, t.n)
	for i, u := range t.used {
		if u {
			k = append(k, t.slot[i])
		}
	}
	return k
}
