package flow

import (
	"math"
	"math/bits"
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// Protocol classes of Totals, in nfdump's order.
const (
	TCP = iota
	UDP
	ICMP // and ICMPv6
	Other
	Classes
)

// Totals is what a batch or a stream adds up to. Counters are scaled by the sampling rate,
// and stop at the largest number. First and Last are nanoseconds since the epoch; both are 0
// when no record has a time.
type Totals struct {
	Records               uint64
	Flows, Packets, Bytes [Classes]uint64
	First, Last           uint64
}

// Add adds o to t.
func (t *Totals) Add(o *Totals) {
	t.Records = AddSaturated(t.Records, o.Records)
	for c := range Classes {
		t.Flows[c] = AddSaturated(t.Flows[c], o.Flows[c])
		t.Packets[c] = AddSaturated(t.Packets[c], o.Packets[c])
		t.Bytes[c] = AddSaturated(t.Bytes[c], o.Bytes[c])
	}
	if o.First != 0 && (t.First == 0 || o.First < t.First) {
		t.First = o.First
	}
	t.Last = max(t.Last, o.Last)
}

// Sum adds up the classes of one counter.
func Sum(c *[Classes]uint64) uint64 {
	s := uint64(0)
	for _, x := range c {
		s = AddSaturated(s, x)
	}
	return s
}

// AddSaturated adds and stops at the largest number.
func AddSaturated(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxUint64
}

func classOf(proto uint64) int {
	switch proto {
	case 6:
		return TCP
	case 17:
		return UDP
	case 1, 58:
		return ICMP
	}
	return Other
}

// classByProto is classOf as a table; 255 stands for all above.
var classByProto = func() (t [256]uint8) {
	for p := range t {
		t[p] = uint8(classOf(uint64(p)))
	}
	return
}()

var (
	protoField   = field("proto")
	packetsField = field("packets")
	bytesField   = field("bytes")
	flowsField   = field("flows")
	firstField   = field("first")
	lastField    = field("last")
)

// Sum computes the totals of the selected records from the columns.
func (b *Batch) Sum() (Totals, error) {
	var t Totals
	t.Records = uint64(b.Selected())
	var v [6]View
	for i, f := range []*ie.Field{protoField, packetsField, bytesField, flowsField, firstField, lastField} {
		var err error
		if v[i], err = b.Scaled(f); err != nil {
			return t, err
		}
	}
	if b.N == 0 {
		return t, nil
	}
	classes := b.classes(&v[0])
	b.tally(&t.Packets, classes, &v[1])
	b.tally(&t.Bytes, classes, &v[2])
	b.tally(&t.Flows, classes, &v[3])
	b.uncounted(&t.Flows, classes, &v[3])
	for _, times := range v[4:] {
		lo, hi := b.span(&times)
		if lo != 0 && (t.First == 0 || lo < t.First) {
			t.First = lo
		}
		t.Last = max(t.Last, hi)
	}
	return t, nil
}

// classes is the protocol class of each record.
func (b *Batch) classes(proto *View) []uint8 {
	v := b.scratch(column.Bytes)
	v.Data = grow(v.Data, b.N)
	out := v.Data
	if proto.None() || proto.Vec.Form == column.Const {
		c := uint8(Other)
		if !proto.None() {
			c = uint8(classOf(proto.Vec.Ints[0]))
		}
		for i := range out {
			out[i] = c
		}
	} else if proto.Vec.Form == column.Dict {
		entry := make([]uint8, len(proto.Vec.Ints))
		for e, p := range proto.Vec.Ints {
			entry[e] = uint8(classOf(p))
		}
		for i, c := range proto.Vec.Codes {
			out[i] = entry[c]
		}
	} else {
		for i, p := range proto.Vec.Ints {
			out[i] = classByProto[min(p, 255)]
		}
	}
	if proto.Present != nil {
		for i := range out {
			if !proto.Present.Get(i) {
				out[i] = Other
			}
		}
	}
	return out
}

// tally adds a counter up by class.
func (b *Batch) tally(sum *[Classes]uint64, classes []uint8, v *View) {
	if v.None() {
		return
	}
	xs := b.ints(v.Vec)
	counts := b.counting(v.Present)
	if counts != nil {
		for w, m := range counts {
			for ; m != 0; m &= m - 1 {
				i := w<<6 + bits.TrailingZeros64(m)
				c := classes[i] & 3
				sum[c] = AddSaturated(sum[c], xs[i])
			}
		}
		return
	}
	var even, odd [Classes]uint64 // each waits for its last sum
	all := uint64(0)
	n := len(xs) &^ 1
	for i := 0; i < n; i += 2 {
		even[classes[i]&3] += xs[i]
		odd[classes[i+1]&3] += xs[i+1]
		all |= xs[i] | xs[i+1]
	}
	if n < len(xs) {
		even[classes[n]&3] += xs[n]
		all |= xs[n]
	}
	if all >= 1<<47 { // the sums of a batch might not fit
		for i, c := range classes {
			sum[c&3] = AddSaturated(sum[c&3], xs[i])
		}
		return
	}
	for c := range sum {
		sum[c] = even[c] + odd[c]
	}
}

// uncounted adds one for each selected record without a flow count.
func (b *Batch) uncounted(sum *[Classes]uint64, classes []uint8, v *View) {
	if !v.None() && v.Present == nil {
		return
	}
	if v.None() && b.Sel == nil {
		var n [4][Classes]uint64
		for i, c := range classes {
			n[i&3][c&3]++
		}
		for c := range sum {
			sum[c] = AddSaturated(sum[c], n[0][c]+n[1][c]+n[2][c]+n[3][c])
		}
		return
	}
	for i, c := range classes {
		if (b.Sel == nil || b.Sel.Get(i)) && !v.Has(i) {
			sum[c&3] = AddSaturated(sum[c&3], 1)
		}
	}
}

// counting is where present and the selection agree; nil means all records.
func (b *Batch) counting(present Bitmap) Bitmap {
	switch {
	case b.Sel == nil:
		return present
	case present == nil:
		return b.Sel
	}
	m := slices.Clone(present)
	m.And(b.Sel)
	return m
}

// span is the smallest and largest time of the selected records, 0 and 0 if there is none. A
// time of 0 is none.
func (b *Batch) span(v *View) (lo, hi uint64) {
	if v.None() {
		return 0, 0
	}
	counts := b.counting(v.Present)
	if counts == nil {
		if l, h := v.Vec.Bounds(); l.Lo != 0 {
			return l.Lo, h.Lo
		}
		counts = NewBitmap(b.N)
		counts.Fill(b.N)
	}
	for w, m := range counts {
		for ; m != 0; m &= m - 1 {
			x := v.Vec.Int(w<<6 + bits.TrailingZeros64(m))
			if x != 0 && (lo == 0 || x < lo) {
				lo = x
			}
			hi = max(hi, x)
		}
	}
	return
}
