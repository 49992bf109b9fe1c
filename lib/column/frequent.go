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

// planCounted knows every value's count.
func planCounted(v []uint64, p profile, best *plan, w int) {
	n := len(v)
	hist := make([]uint32, p.hi-p.lo+1)
	for _, x := range v {
		hist[x-p.lo]++
	}
	type counted struct {
		v uint64
		n uint32
	}
	var top []counted
	distinct := 0
	least := uint32(max(n/maxFrequent, 2))
	for i, c := range hist {
		if c == 0 {
			continue
		}
		distinct++
		if c >= least || len(hist) <= 256 {
			top = append(top, counted{uint64(i) + p.lo, c})
		}
	}
	if distinct <= 256 && n >= minSymbols {
		count := make([]uint32, 0, distinct)
		for _, c := range hist {
			if c > 0 {
				count = append(count, c)
			}
		}
		if q := entropy(count, n) + distinct*8; q < n*bits.Len(uint(distinct-1)) {
			best.offer(plan{enc: EncDict, bits: q, dict: distinctOf(hist, p.lo, distinct)})
		}
	}
	dictBits := n*bits.Len(uint(distinct-1)) + distinct*(bits.Len(uint(len(hist)/distinct))+2) + 128
	if dictBits < best.bits {
		best.offer(plan{enc: EncDict, bits: dictBits, dict: distinctOf(hist, p.lo, distinct)})
	}
	planHistWindow(hist, p, n, best, w)
	slices.SortFunc(top, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.v, b.v))
	})
	covered, i := 0, 0
	for k := uint(1); k <= 8; k++ {
		for ; i < len(top) && i < 1<<k-1; i++ {
			covered += int(top[i].n)
		}
		q := plan{enc: EncEscapeDict, bits: n*int(k) + (n-covered)*w + i*w + 128, width: k}
		if k == 8 { // these codes are symbols
			var count [256]uint32
			for j := range i {
				count[j] = top[j].n
			}
			count[255] = uint32(n - covered)
			q.bits += min(entropy(count[:], n)-n*8, 0)
		}
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
func planHistWindow(hist []uint32, p profile, n int, best *plan, w int) {
	in, i := 0, 0
	for k := 1; k < w; k++ {
		for ; i < len(hist) && i < 1<<k-1; i++ {
			in += int(hist[i])
		}
		best.offer(plan{enc: EncEscape, bits: n*k + (n-in)*w + 128, width: uint(k), base: p.lo})
	}
}

// planWindow offers a window of small fields at the low end, or, for values such as start
// times with a long tail below, at the high end.
func planWindow(v []uint64, p profile, best *plan, w int) {
	var low, high [65]int
	for _, x := range v {
		low[bits.Len64(x-p.lo)]++
		high[bits.Len64(p.hi-x)]++
	}
	inLow, inHigh := low[0], high[0]
	for k := 1; k < w && k <= maxWidth; k++ {
		// A window of 2^k-1 values holds all of k-1 bits and nearly all of k bits.
		inLow += low[k]
		inHigh += high[k]
		best.offer(plan{enc: EncEscape, bits: len(v)*k + (len(v)-inLow)*w + 128, width: uint(k), base: p.lo})
		if span := uint64(1)<<k - 2; p.hi >= span {
			best.offer(plan{enc: EncEscape, bits: len(v)*k + (len(v)-inHigh)*w + 128, width: uint(k), base: p.hi - span})
		}
	}
}

// planSampled offers a dictionary of wide values when a sample repeats itself.
func planSampled(v []uint64, best *plan) {
	n := len(v)
	const sample = 1024
	t := newIntTable(sample)
	step := max(n/sample, 1)
	seen := 0
	for i := 0; i < n && seen < sample; i += step {
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
	slot  []uint64
	code  []uint16
	used  []bool
	n     int
	shift uint
}

func newIntTable(capacity int) *intTable {
	b := bits.Len(uint(max(capacity, 2))*2 - 1)
	size := 1 << b
	return &intTable{slot: make([]uint64, size), code: make([]uint16, size), used: make([]bool, size), shift: uint(64 - b)}
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
	t.code[i] = c
}

func (t *intTable) grow() {
	old := *t
	*t = *newIntTable(len(old.slot))
	for i, u := range old.used {
		if u {
			t.put(old.slot[i], old.code[i])
		}
	}
}

func (t *intTable) get(x uint64) (uint16, bool) {
	i := t.find(x)
	return t.code[i], t.used[i]
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
