package meter

import (
	"fmt"
	"slices"
	"testing"

	"nfpipe/lib/packet"
)

// fragment is one of datagram id; only the first has ports.
func fragment(id uint32, offset uint16, more bool, at float64) packet.Packet {
	p := numbered(0, at)
	p.ID, p.FragOffset, p.Flags = id, offset, 0
	if offset == 0 {
		p.SrcPort, p.DstPort, p.Flags = 7, 9, packet.HasPorts
	}
	if more {
		p.Flags |= packet.MoreFragments
	}
	return p
}

func ports(list ...packet.Packet) []string {
	var out []string
	m := New(Config{}, func(r *Record) {
		out = append(out, fmt.Sprintf("%d>%d %d %v %d-%d", r.SrcPort, r.DstPort, r.Packets, r.HasPorts,
			r.First/second, r.Last/second))
	})
	m.Add(list)
	m.Flush()
	return sorted(out)
}

func TestFragments(t *testing.T) {
	first, middle, last := fragment(1, 0, true, 1), fragment(1, 1480, true, 2), fragment(1, 2960, false, 3)
	for _, order := range [][]packet.Packet{
		{first, middle, last}, {first, last, middle}, {middle, first, last},
		{middle, last, first}, {last, first, middle}, {last, middle, first},
	} {
		if got, want := ports(order...), []string{"7>9 3 true 1-3"}; !slices.Equal(got, want) {
			t.Errorf("offsets %d %d %d: %v, want %v", order[0].FragOffset, order[1].FragOffset, order[2].FragOffset, got, want)
		}
	}
	other := fragment(2, 1480, false, 2)
	late := fragment(1, 1480, false, 17)
	icmp := first
	icmp.Proto, icmp.SrcPort, icmp.DstPort, icmp.ICMPType = packet.ProtoICMP, 0, 0, 8
	icmp2 := middle
	icmp2.Proto = packet.ProtoICMP
	esp := middle
	esp.Proto = packet.ProtoESP
	clock := numbered(3, 30)
	for _, c := range []struct {
		name string
		list []packet.Packet
		want []string
	}{
		{"another datagram", []packet.Packet{first, other}, []string{"0>0 1 false 2-2", "7>9 1 true 1-1"}},
		{"only later ones", []packet.Packet{middle, last}, []string{"0>0 2 false 2-3"}},
		{"after 16 seconds", []packet.Packet{first, late}, []string{"0>0 1 false 17-17", "7>9 1 true 1-1"}},
		{"first one too late", []packet.Packet{middle, clock, fragment(1, 0, true, 30)},
			[]string{"0>0 1 false 2-2", "3>0 1 true 30-30", "7>9 1 true 30-30"}},
		{"type and code", []packet.Packet{icmp2, icmp}, []string{"0>0 2 true 1-2"}},
		{"no ports in the protocol", []packet.Packet{esp}, []string{"0>0 1 false 2-2"}},
		{"number used again", []packet.Packet{first, middle, fragment(1, 0, true, 4), fragment(1, 8, false, 5)},
			[]string{"7>9 4 true 1-5"}},
	} {
		if got := ports(c.list...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
