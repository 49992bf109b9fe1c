package meter

import (
	"fmt"
	"slices"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/packet"
)

// Without packets, by the clock alone, every flow leaves after its timeout and at most a tick
// later, wherever in the second its packets were.
func TestIdleByAdvance(t *testing.T) {
	const begin, step = 1_700_000_000 * second, second / 20
	limits := map[uint8]int64{packet.ProtoTCP: 3, packet.ProtoUDP: 2, packet.ProtoICMP: 1, packet.ProtoESP: 4}
	left := map[uint8]int{}
	var now int64
	m := New(Config{Timeouts: Timeouts{TCP: dur(3 * second), UDP: dur(2 * second), ICMP: dur(second), General: dur(4 * second)}}, func(r *Record) {
		late := now - r.Last - limits[r.Proto]*second
		if late <= 0 || late > tick || r.End != Idle || r.Packets != 2 {
			t.Errorf("protocol %d, last packet at %d ns: left %d ns after its timeout, reason %d, %d packets",
				r.Proto, r.Last-begin, late, r.End, r.Packets)
		}
		left[r.Proto]++
	})
	for now = begin; now < begin+12*second; now += step {
		n := int((now - begin) / step)
		var ps []packet.Packet
		for back := range 2 { // a second packet 450 ms after the first
			if i := n - 9*back; i >= 0 && i < 80 {
				for proto := range limits {
					p := numbered(i, 0)
					p.Time, p.Proto = now, proto
					ps = append(ps, p)
				}
			}
		}
		m.Add(ps)
		m.Advance(now)
	}
	for proto := range limits {
		if left[proto] != 80 {
			t.Errorf("protocol %d: %d flows of 80 have left", proto, left[proto])
		}
	}
	if s := m.Stats(); s.Active != 0 {
		t.Errorf("%d flows are left", s.Active)
	}
}

// One packet in N of those that pass the filter, whatever their flow.
func TestSample(t *testing.T) {
	for _, n := range []uint32{0, 1, 2, 3, 10, 1000} {
		var kept []uint16
		m := New(Config{Sample: n, Filter: func(p *packet.Packet) bool { return p.SrcPort%2 == 0 }},
			func(r *Record) { kept = append(kept, r.SrcPort) })
		var list []packet.Packet
		for i := range 100 {
			p := segment(1, tcpACK, false)
			p.SrcPort = uint16(i)
			list = append(list, p)
		}
		m.Add(list[:33])
		m.Add(list[33:])
		m.Flush()
		var want []uint16
		for i := 0; i < 100; i += 2 * int(max(n, 1)) {
			want = append(want, uint16(i))
		}
		slices.Sort(kept)
		if s := m.Stats(); !slices.Equal(kept, want) || s.Filtered != 50 || s.Packets != uint64(len(want)) || s.Packets+s.Unsampled != 50 {
			t.Errorf("one in %d: %v, want %v; %+v", n, kept, want, s)
		}
	}
}

// Each direction has the interface of its own first packet.
func TestInterfaceOfPackets(t *testing.T) {
	for biflow, want := range map[bool][]uint32{false: {3, 4}, true: {3}} {
		var got []uint32
		m := New(Config{Biflow: biflow}, func(r *Record) { got = append(got, r.Interface) })
		var list []packet.Packet
		for i, back := range []bool{false, true, false} {
			p := segment(float64(i+1), tcpACK, back)
			p.Interface = uint32(3 + i)
			list = append(list, p)
		}
		m.Add(list)
		m.Flush()
		if !slices.Equal(got, want) {
			t.Errorf("biflow %v: interfaces %v, want %v", biflow, got, want)
		}
	}
}

// All entries can be looked at without their leaving, and forgotten without their being seen.
func TestEachAndClear(t *testing.T) {
	var emitted []string
	show := func(r *Record) string {
		return fmt.Sprint(r.SrcPort, ">", r.DstPort, " ", r.Packets, "/", r.Bytes, " labels ", r.Labels.Label[:r.Labels.Depth], " end ", r.End)
	}
	m := New(Config{}, func(r *Record) { emitted = append(emitted, show(r)) })
	labelled := segment(1, tcpACK, true)
	labelled.MPLSDepth, labelled.Labels[0] = 1, 77
	fill := func() {
		m.Add([]packet.Packet{segment(1, tcpACK, false), labelled, segment(2, tcpACK, false), numbered(5, 1)})
	}
	each := func() (list []string) {
		m.Each(func(r *Record) { list = append(list, show(r)) })
		return list
	}
	fill()
	want := []string{"1000>80 2/80 labels [] end 0", "80>1000 1/40 labels [77] end 0"}
	for range 2 {
		if got := each(); len(got) != 3 || !slices.Equal(got[:2], want) {
			t.Fatalf("%q, want first %q", got, want)
		}
	}
	if s := m.Stats(); s.Records != 0 || s.Active != 2 || emitted != nil {
		t.Errorf("looking at them emitted %q, %+v", emitted, s)
	}
	first := segment(2, tcpACK, false)
	first.Flags |= packet.MoreFragments
	later := first
	later.FragOffset, later.Flags = 1400, 0
	m.Add([]packet.Packet{later}) // which waits
	m.Clear()
	if got := each(); got != nil {
		t.Errorf("after Clear: %q", got)
	}
	m.Advance(1000 * second)
	m.Flush()
	if s := m.Stats(); emitted != nil || s.Active != 0 || s.Records != 0 || s.Unresolved != 0 {
		t.Errorf("after Clear: %q, %+v", emitted, s)
	}
	fill()
	m.Flush()
	if len(emitted) != 3 || m.Stats().Records != 3 || len(m.labels) != 0 {
		t.Errorf("later: %q, %d label stacks", emitted, len(m.labels))
	}
}

// What is added to each record.
func TestColumnOptions(t *testing.T) {
	r := Record{Family: 4, Proto: packet.ProtoUDP, Labels: Labels{Depth: 3, Label: [packet.MaxLabels]uint32{1, 2, 3}}}
	for _, c := range []struct {
		o    ColumnOptions
		want map[ie.ID]uint64
		none []ie.ID
	}{
		{ColumnOptions{}, nil, []ie.ID{10, 56, ie.SamplingInterval, ie.SamplingSpace, 73}},
		{ColumnOptions{Sample: 1}, nil, []ie.ID{ie.SamplingInterval, ie.SamplingSpace}},
		{ColumnOptions{Sample: 100, Interface: 7, MAC: true},
			map[ie.ID]uint64{ie.SamplingInterval: 1, ie.SamplingSpace: 99, 10: 7, 56: 0, 80: 0}, nil},
	} {
		b := columnsOf(t, c.o, &r)
		for id, want := range c.want {
			at := b.Find(flow.Key{ID: id})
			if at < 0 {
				t.Errorf("%+v: no element %d", c.o, id)
				continue
			}
			if v, err := b.Vec(at); err != nil || len(v.Ints) != 1 || v.Ints[0] != want {
				t.Errorf("%+v: element %d is %+v, want %d, %v", c.o, id, v, want, err)
			}
		}
		for _, id := range c.none {
			if b.Find(flow.Key{ID: id}) >= 0 {
				t.Errorf("%+v: there is an element %d", c.o, id)
			}
		}
	}
	r.Interface = 9
	for o, want := range map[ColumnOptions]uint64{{}: 9, {Interface: 7}: 7} {
		b := columnsOf(t, o, &r)
		v, err := b.Vec(b.Find(flow.Key{ID: 10}))
		if err != nil || !slices.Equal(v.Ints, []uint64{want}) {
			t.Errorf("%+v: of a packet of interface 9 a record with %v, want %d, %v", o, v.Ints, want, err)
		}
	}
	for max, want := range map[int]int{-1: 0, 0: 3, 1: 1, 2: 2, 3: 3, 50: 3, 1000: 3} {
		b := columnsOf(t, ColumnOptions{MaxLabels: max}, &r)
		n := 0
		for b.Find(flow.Key{ID: ie.ID(70 + n)}) >= 0 {
			n++
		}
		if n != want {
			t.Errorf("at most %d labels: %d, want %d", max, n, want)
		}
	}
}

func columnsOf(t *testing.T, o ColumnOptions, r *Record) *flow.Batch {
	t.Helper()
	c := NewColumns(o)
	if !c.Add(r) {
		t.Fatalf("%+v: no record was added", o)
	}
	return c.Batch()
}
