package column

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
)

// Encodings for values that are frequent or mostly small.

const (
	histogramBits = 16
	histogramSpan = 1 << histogramBits // counted when all values lie this close
	maxFrequent   = 512                // candidates for an escape dictionary
	maxIntDict    = 1 << 13            // distinct wide values that are worth a dictionary
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

// counter counts values by their distance from the smallest. Between uses all counts are zero.
type counter struct {
	count [histogramSpan]uint16
	found []uint16 // distances counted, each once, in the order of their first value
	seen  int
}

var counterPool = sync.Pool{New: func() any { return new(counter) }}

// counted counts a sample of values that lie in the span of a counter.
func counted(v []uint64, p profile) *counter {
	c := counterPool.Get().(*counter)
	step := stride(len(v), 2048)
	if p.hi-p.lo >= 256 {
		step = max(len(v)/6000, 1) | 1
	}
	c.seen = (len(v) + step - 1) / step
	c.found = grow(c.found, c.seen+1)
	m := 0
	for i := 0; i < len(v); i += step {
		d := uint16(v[i] - p.lo)
		n := c.count[d]
		c.found[m] = d
		if n == 0 {
			m++
		}
		c.count[d] = n + 1
	}
	c.found = c.found[:m]
	return c
}

func (c *counter) free() {
	for _, d := range c.found {
		c.count[d] = 0
	}
	counterPool.Put(c)
}

// planCounted considers values that lie close together.
func planCounted(v []uint64, p profile, best *plan, w int) {
	c := counted(v, p)
	defer c.free()
	planDict(v, p, c, best)
	planCountedWindow(c, p, len(v), best, w)
	planTop(c, p, len(v), best, w)
}

// planDict offers a dictionary of all values, unless a sample says that few of them come again.
func planDict(v []uint64, p profile, c *counter, best *plan) {
	if c.seen < len(v) && 4*len(c.found) > c.seen {
		return
	}
	n := len(v)
	var count [256]uint32
	for i, d := range c.found[:min(len(c.found), 256)] {
		count[i] = uint32(c.count[d])
	}
	symbols := entropy(count[:], n)
	size := func(distinct int) int {
		codes := n * bits.Len(uint(distinct-1))
		if distinct <= 256 && n >= minSymbols {
			codes = min(codes, symbols)
		}
		return codes + distinct*(bits.Len(uint(int(p.hi-p.lo+1)/distinct))+2) + 128
	}
	if s := size(len(c.found)); s+s/16 < best.bits {
		dict := distinctOf(v, p)
		best.offer(plan{enc: EncDict, bits: size(len(dict)), dict: dict})
	}
}

// distinctOf lists the values in ascending order.
func distinctOf(v []uint64, p profile) []uint64 {
	has := bufPool.Get().(*[]byte)
	defer bufPool.Put(has)
	*has = grow(*has, int(p.hi-p.lo)+1)
	clear(*has)
	for _, x := range v {
		(*has)[x-p.lo] = 1
	}
	var dict []uint64
	for i, h := range *has {
		if h != 0 {
			dict = append(dict, uint64(i)+p.lo)
		}
	}
	return dict
}

// planTop offers codes for the most frequent values and escapes for the rest.
func planTop(c *counter, p profile, n int, best *plan, w int) {
	least := max(c.seen/maxFrequent, 2)
	if p.hi-p.lo < 256 {
		least = 1
	}
	var top []uint64 // by falling count, then rising value
	for _, d := range c.found {
		if k := c.count[d]; int(k) >= least {
			top = append(top, uint64(^k)<<16|uint64(d))
		}
	}
	slices.Sort(top)
	covered, i := 0, 0
	for k := uint(1); k <= 8; k++ {
		for ; i < len(top) && i < 1<<k-1; i++ {
			covered += int(c.count[uint16(top[i])])
		}
		size := n * int(k)
		if k == 8 { // these codes are symbols
			var count [256]uint32
			for j, t := range top[:i] {
				count[j] = uint32(c.count[uint16(t)])
			}
			count[255] = uint32(c.seen - covered)
			size = min(size, entropy(count[:], n))
		}
		q := plan{enc: EncEscapeDict, bits: size + ofAll((c.seen-covered)*w, c.seen, n) + i*w + 128, width: k}
		if q.bits+q.bits/16 < best.bits {
			q.dict = make([]uint64, i)
			for j, t := range top[:i] {
				q.dict[j] = uint64(uint16(t)) + p.lo
			}
			best.offer(q)
		}
	}
}

// planCountedWindow finds the width whose window from the smallest value is cheapest.
func planCountedWindow(c *counter, p profile, n int, best *plan, w int) {
	var in [histogramBits + 2]int // by the bits of the distance plus one
	for _, d := range c.found {
		in[bits.Len(uint(d)+1)] += int(c.count[d])
	}
	inside := 0
	for k := 1; k < w; k++ {
		inside += in[k]
		size := n*k + ofAll((c.seen-inside)*w, c.seen, n) + 128
		best.offer(plan{enc: EncEscape, bits: size, width: uint(k), base: p.lo})
	}
}

// planWindow offers a window of small fields at the low end, or, for values such as start
// times with a long tail below, at the high end.
func planWindow(v []uint64, p profile, best *plan, w int) {
	var low, high [65]int
	seen := 0
	for i, step := 0, stride(len(v), 2048); i < len(v); i += step {
		low[bits.Len64(v[i]-p.lo)]++
		high[bits.Len64(p.hi-v[i])]++
		seen++
	}
	size := func(in, k int) int {
		return len(v)*k + ofAll((seen-in)*w, seen, len(v)) + 128
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
	if distinct, seen := distinctOfSample(v); 4*distinct > seen {
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

// distinctOfSample estimates, with a bit for each of 8192 hashes, how many values of a sample of
// about 1024 are different.
func distinctOfSample(v []uint64) (distinct, seen int) {
	var has [128]uint64
	for i, step := 0, max(len(v)/1024, 1); i < len(v); i += step {
		h := v[i] * 0x9e3779b97f4a7c15 >> 51
		b := &has[h>>6]
		distinct += int(^*b >> (h & 63) & 1)
		*b |= 1 << (h & 63)
		seen++
	}
	return distinct, seen
}

// appendEscape appends
//
//	escape  uvarint base, u8 width, fields (all ones: escaped), uvarint escapes, ints values
func appendEscape(dst []byte, v []uint64, base uint64, w uint) []byte {
	esc := uint64(1)<<w - 1
	f, x := getInts(len(v)), getInts(len(v)+1)
	defer putInts(f)
	defer putInts(x)
	m := 0
	for i, a := range v {
		d := a - base
		(*x)[m] = a
		if d >= esc {
			m++
		}
		(*f)[i] = min(d, esc)
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
func appendEscapeDict(dst []byte, v, dict []uint64, p profile, w uint) []byte {
	sym := bufPool.Get().(*[]byte)
	defer bufPool.Put(sym)
	x := getInts(len(v) + 1)
	defer putInts(x)
	*sym = grow(*sym, len(v))
	m := escapes(*sym, *x, v, dict, p, uint8(1<<w-1))
	dst = append(dst, byte(EncEscapeDict), byte(w))
	dst = binary.AppendUvarint(dst, uint64(len(dict)))
	dst = appendInts(dst, dict, maxDepth-1)
	if w == 8 {
		dst = appendSymbols(dst, *sym)
	} else {
		dst = appendPacked(dst, *sym, 0, w)
	}
	dst = binary.AppendUvarint(dst, uint64(m))
	return appendInts(dst, (*x)[:m], maxDepth-1)
}

// escapes looks the values up in dict, moves those that it lacks to x and returns how many.
func escapes(sym []byte, x, v, dict []uint64, p profile, esc uint8) int {
	var table [histogramSpan]uint8 // code + 1
	for i, a := range dict {
		table[a-p.lo] = uint8(i + 1)
	}
	m := 0
	for i, a := range v { // without branches: they could not be predicted
		c := table[uint16(a-p.lo)]
		sym[i] = (c - 1) & esc
		x[m] = a
		if c == 0 {
			m++
		}
	}
	return m
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
