package flow_test

import (
	"math"
	"net/netip"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// rec makes a record of element, value, element, value…
func rec(pairs ...any) record {
	var r record
	for i := 0; i < len(pairs); i += 2 {
		var id ie.ID
		switch x := pairs[i].(type) {
		case int:
			id = ie.ID(x)
		case ie.ID:
			id = x
		}
		r.shape = append(r.shape, flow.ShapeOf(id)...)
		v := pairs[i+1]
		if n, ok := v.(int); ok {
			v = uint64(n)
		}
		r.vals = append(r.vals, v)
	}
	return r
}

// Values worked out by hand, so that the oracle is not alone in its opinion.
func TestFieldTable(t *testing.T) {
	const t0, huge = uint64(1700000000e9), uint64(math.MaxUint64)
	interval, space := ie.SamplingInterval, ie.SamplingSpace
	for _, x := range []struct {
		name  string
		field string
		rec   record
		want  any // nil: absent
	}{
		{"port", "srcport", rec(7, 80), uint64(80)},
		{"UDP port", "srcport", rec(180, 53), uint64(53)},
		{"TCP port", "srcport", rec(182, 443), uint64(443)},
		{"best of several", "srcport", rec(182, 443, 7, 80), uint64(80)},
		{"no port", "srcport", rec(4, 6), nil},
		{"first of two", "proto", rec(4, 6, 4, 17), uint64(6)},
		{"pair, IPv4", "srcmask", rec(9, 24), uint64(24)},
		{"pair, IPv6", "srcmask", rec(29, 64), uint64(64)},
		{"member, right family", "sourceIPv6PrefixLength", rec(29, 64), uint64(64)},
		{"member, wrong family", "sourceIPv6PrefixLength", rec(9, 24), nil},
		{"address", "srcip4", rec(8, addr("10.0.0.1")), addr("10.0.0.1")},
		{"address of the other family", "srcip6", rec(8, addr("10.0.0.1")), nil},
		{"mapped address stays IPv6", "srcip6", rec(27, addr("::ffff:10.0.0.1")), addr("::ffff:10.0.0.1")},
		{"mapped address is not IPv4", "srcip4", rec(27, addr("::ffff:10.0.0.1")), nil},
		{"both members, either", "srcip", rec(8, addr("10.0.0.1"), 27, addr("2001:db8::1")), addr("10.0.0.1")},
		{"both members, IPv4", "srcip4", rec(8, addr("10.0.0.1"), 27, addr("2001:db8::1")), addr("10.0.0.1")},
		{"both members, IPv6", "srcip6", rec(8, addr("10.0.0.1"), 27, addr("2001:db8::1")), addr("2001:db8::1")},
		{"both members, IPv6 first", "srcip4", rec(27, addr("2001:db8::1"), 8, addr("10.0.0.1")), addr("10.0.0.1")},
		{"both members, numbers", "sourceIPv6PrefixLength", rec(9, 24, 29, 64), uint64(64)},
		{"one member twice", "srcip4", rec(8, addr("10.0.0.1"), 8, addr("10.0.0.2")), addr("10.0.0.1")},
		{"one member twice, the other family", "srcip6", rec(8, addr("10.0.0.1"), 8, addr("10.0.0.2")), nil},
		{"ICMP type", "icmptype", rec(32, 0x0305), uint64(3)},
		{"ICMP code", "icmpcode", rec(32, 0x0305), uint64(5)},
		{"ICMPv6 type", "icmptype", rec(139, 0x8001), uint64(128)},
		{"ICMP type of its own", "icmptype", rec(32, 0x0305, 176, 8), uint64(8)},
		{"type and code whole", "icmpTypeCodeIPv4", rec(32, 0x0305), uint64(0x0305)},

		{"duration", "duration", rec(156, t0, 157, t0+5), uint64(5)},
		{"backwards", "duration", rec(156, t0+5, 157, t0), uint64(0)},
		{"no end", "duration", rec(156, t0), nil},
		{"pps", "pps", rec(2, 10, 156, t0, 157, t0+2e9), uint64(5)},
		{"pps below a millisecond", "pps", rec(2, 10, 156, t0, 157, t0+999999), uint64(0)},
		{"pps of no packets", "pps", rec(156, t0, 157, t0+2e9), nil},
		{"bps", "bps", rec(1, 1000, 156, t0, 157, t0+2e9), uint64(4000)},
		{"bps too large", "bps", rec(1, huge, 156, t0, 157, t0+1e6), huge},
		{"bps of a large counter", "bps", rec(1, huge/8, 156, t0, 157, t0+1e9), huge / 8 * 8},
		{"bpp", "bpp", rec(1, 1001, 2, 10), uint64(100)},
		{"bpp of no packets", "bpp", rec(1, 1001, 2, 0), uint64(0)},
		{"bps scaled", "bps", rec(1, 1000, 156, t0, 157, t0+2e9, interval, 1, space, 9), uint64(40000)},

		{"scaled", "bytes", rec(1, 1500, interval, 1, space, 999), uint64(1500000)},
		{"scaled by 7/2, rounded down", "packets", rec(2, 3, interval, 2, space, 5), uint64(10)},
		{"interval 0", "bytes", rec(1, 1500, interval, 0, space, 999), uint64(1500)},
		{"space 0", "bytes", rec(1, 1500, interval, 1, space, 0), uint64(1500)},
		{"no space", "bytes", rec(1, 1500, interval, 1), uint64(1500)},
		{"no interval", "bytes", rec(1, 1500, space, 999), uint64(1500)},
		{"saturated product", "bytes", rec(1, huge, interval, 1, space, huge), huge},
		{"saturated sum", "bytes", rec(1, huge, interval, 2, space, 1), huge},
		{"128 bits between", "bytes", rec(1, uint64(1)<<60, interval, uint64(1)<<50, space, uint64(3)<<50), uint64(1) << 62},
		{"flows do not scale", "flows", rec(3, 5, interval, 1, space, 999), uint64(5)},
		{"ports do not scale", "srcport", rec(7, 5, interval, 1, space, 999), uint64(5)},
	} {
		f := named(x.field)
		if got := x.rec.scaled(f); got != x.want {
			t.Errorf("%s: the oracle says %v, want %v", x.name, got, x.want)
		}
		// Alone, and beside a record that has nothing.
		for _, records := range [][]record{{x.rec}, {x.rec, rec(210, "x")}, {rec(210, "x"), x.rec, x.rec}} {
			v, err := build(t, records).Scaled(f)
			checkView(t, x.name, v, err, records, func(r *record) any { return r.scaled(f) })
		}
	}
}

func TestFieldRefuses(t *testing.T) {
	b := build(t, []record{rec(7, 1, 11, 2, 8, addr("10.0.0.1"))})
	for _, name := range []string{"port", "ip", "srcgeo", "srcaddrport", "srcnet", "count"} {
		if v, err := b.Field(named(name)); err == nil {
			t.Errorf("field %s of a batch is %+v, want an error", name, v)
		}
	}
}

func TestSumTable(t *testing.T) {
	records := []record{
		rec(4, 6, 2, 10, 1, 100, 156, 50, 157, 60),
		rec(4, 17, 2, 1, 1, 40, 3, 7, 156, 0, 157, 0),
		rec(4, 1, 86, 2, 85, 80),
		rec(4, 58, 2, 3, 1, 90, 3, 0),
		rec(2, 5, 1, 200, ie.SamplingInterval, 1, ie.SamplingSpace, 9),
		rec(325, 55),
	}
	want := flow.Totals{Records: 6, Flows: [4]uint64{1, 7, 1, 2}, Packets: [4]uint64{10, 1, 5, 50}, Bytes: [4]uint64{100, 40, 170, 2000}, First: 50, Last: 60}
	for _, form := range forms {
		b := form.make(t, build(t, records))
		if got, err := b.Sum(); got != want || err != nil {
			t.Errorf("%s: %+v, %v\nwant %+v", form.name, got, err, want)
		}
		b.Sel = flow.NewBitmap(6)
		b.Sel.Set(5)
		if got, err := b.Sum(); got != (flow.Totals{Records: 1, Flows: [4]uint64{3: 1}, First: 55, Last: 55}) || err != nil {
			t.Errorf("%s: last record alone %+v, %v", form.name, got, err)
		}
	}
}

func TestTotalsAdd(t *testing.T) {
	const huge = math.MaxUint64
	a := flow.Totals{Records: 1, Flows: [4]uint64{1, 2, 3, 4}, Packets: [4]uint64{huge, 1}, Bytes: [4]uint64{5, 6, 7, huge - 1}, First: 100, Last: 200}
	none := flow.Totals{Records: huge}
	sum := a
	sum.Add(&a)
	want := flow.Totals{Records: 2, Flows: [4]uint64{2, 4, 6, 8}, Packets: [4]uint64{huge, 2}, Bytes: [4]uint64{10, 12, 14, huge}, First: 100, Last: 200}
	if sum != want {
		t.Errorf("twice: %+v", sum)
	}
	sum.Add(&none)
	if sum.Records != huge || sum.First != 100 || sum.Last != 200 {
		t.Errorf("with one that has no times: %+v", sum)
	}
	none.Add(&a)
	none.Add(&flow.Totals{First: 90, Last: 95})
	if none.First != 90 || none.Last != 200 {
		t.Errorf("times %d to %d", none.First, none.Last)
	}
	if got := flow.Sum(&a.Bytes); got != huge {
		t.Errorf("sum of %v is %d", a.Bytes, got)
	}
	if got := flow.Sum(&a.Flows); got != 10 {
		t.Errorf("sum of %v is %d", a.Flows, got)
	}
}
