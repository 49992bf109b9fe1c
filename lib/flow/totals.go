package flow

import (
	"math"

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
	classes := b.classes(&v[0])
	b.tally(&t.Packets, classes, &v[1], 0)
	b.tally(&t.Bytes, classes, &v[2], 0)
	b.tally(&t.Flows, classes, &v[3], 1)
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
	out := make([]uint8, b.N)
	if proto.None() {
		for i := range out {
			out[i] = Other
		}
		return out
	}
	entry := make([]uint8, proto.Vec.Entries())
	for e, p := range proto.Vec.Ints {
		entry[e] = uint8(classOf(p))
	}
	for i := range out {
		if out[i] = entry[proto.Vec.Entry(i)]; !proto.Has(i) {
			out[i] = Other
		}
	}
	return out
}

// tally adds a counter up by class; a record without it counts as absent.
func (b *Batch) tally(sum *[Classes]uint64, classes []uint8, v *View, absent uint64) {
	if v.None() && absent == 0 {
		return
	}
	simple := v.Present == nil && b.Sel == nil
	for i, c := range classes {
		x := absent
		if simple && v.Vec != nil {
			x = v.Vec.Int(i)
		} else {
			if b.Sel != nil && !b.Sel.Get(i) {
				continue
			}
			if v.Has(i) {
				x = v.Vec.Int(i)
			}
		}
		c &= 3
		if s := sum[c] + x; s >= x {
			sum[c] = s
		} else {
			sum[c] = math.MaxUint64
		}
	}
}

// span is the smallest and largest time of the selected records, 0 and 0 if there is none.
func (b *Batch) span(v *View) (lo, hi uint64) {
	if v.None() || b.N == 0 {
		return 0, 0
	}
	if v.Present == nil && b.Sel == nil {
		l, h := v.Vec.Bounds()
		return l.Lo, h.Lo
	}
	for i := range b.N {
		if !v.Has(i) || b.Sel != nil && !b.Sel.Get(i) {
			continue
		}
		x := v.Vec.Int(i)
		if lo == 0 || x < lo {
			lo = x
		}
		hi = max(hi, x)
	}
	return
}
