package packet

import (
	"encoding/binary"
	"testing"
)

func edit16(b []byte, at int, v uint16) []byte {
	b = cat(b)
	binary.BigEndian.PutUint16(b[at:], v)
	return b
}

// TestIP has what IP headers say besides addresses.
func TestIP(t *testing.T) {
	udp9 := udp(5, 9, make([]byte, 20))
	ext := func(next uint8) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }
	frag := func(next uint8, off uint16) []byte {
		return append([]byte{next, 0, byte(off >> 8), byte(off)}, 0, 0, 0xab, 0xcd)
	}
	type want struct {
		proto         uint8
		sport, dport  uint16
		bytes, size   uint32
		flags         Flags
		off           uint16
		id            uint32
		ptype, pcode  uint8
		tos, ttl, fam uint8
	}
	for _, c := range []struct {
		name string
		data []byte
		orig int
		want want
	}{
		{"udp", v4(17, udp9), 48, want{17, 5, 9, 48, 28, HasPorts | DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"udp, IPv6", v6(17, udp9), 68, want{17, 5, 9, 68, 28, HasPorts, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"snap length", v4(17, udp9)[:24], 48, want{17, 5, 9, 48, 28, HasPorts | DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"ports cut off", v4(17, udp9)[:22], 48, want{17, 0, 0, 48, 28, DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"ports in the padding", v4(17, nil), 48, want{17, 0, 0, 20, 0, DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"UDP-Lite", v4(136, udp9), 48, want{136, 5, 9, 48, 28, HasPorts | DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"SCTP", v4(132, udp9), 48, want{132, 5, 9, 48, 28, HasPorts | DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"DCCP", v6(33, udp9), 68, want{33, 5, 9, 68, 28, HasPorts, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"ESP", v4(50, udp9), 48, want{50, 0, 0, 48, 28, DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"AH", v4(51, udp9), 48, want{51, 0, 0, 48, 28, DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"ICMP", v4(1, raw("0303 0000")), 24, want{1, 0, 0, 24, 4, HasPorts | DontFragment, 0, 0x1234, 3, 3, 0xb8, 64, 4}},
		{"ICMPv6", v6(58, raw("8000 0000")), 44, want{58, 0, 0, 44, 4, HasPorts, 0, 0, 128, 0, 0xb8, 63, 6}},
		{"ICMPv6 over IPv4", v4(58, raw("8000 0000")), 24, want{58, 0, 0, 24, 4, DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"options", edit16(cat(raw("46"), v4(17, udp9)[1:20], raw("94040000"), udp9), 2, 52), 52,
			want{17, 5, 9, 52, 28, HasPorts | DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"first fragment", edit16(v4(17, udp9), 6, 0x2000), 48, want{17, 5, 9, 48, 28, HasPorts | MoreFragments, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"later fragment", edit16(v4(17, udp9), 6, 0x2001), 48, want{17, 0, 0, 48, 28, MoreFragments, 8, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"last offset", edit16(v4(17, udp9), 6, 0x1fff), 48, want{17, 0, 0, 48, 28, 0, 65528, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"length 0 before segmentation", edit16(v4(17, udp9), 2, 0), 70000, want{17, 5, 9, 70000, 69980, HasPorts | DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"length below header", edit16(v4(17, udp9), 2, 19), 48, want{17, 0, 0, 19, 0, DontFragment, 0, 0x1234, 0, 0, 0xb8, 64, 4}},
		{"extension headers", v6(0, cat(ext(43), ext(60), ext(17), udp9)), 92, want{17, 5, 9, 92, 28, HasPorts, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"AH, IPv6", v6(51, cat(raw("1104"), make([]byte, 22), udp9)), 92, want{17, 5, 9, 92, 28, HasPorts, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"mobility", v6(135, raw("3b00 0500 0000 0000")), 48, want{135, 0, 0, 48, 8, 0, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"no next header", v6(59, nil), 40, want{59, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"IPv6 first fragment", v6(44, cat(frag(17, 1), udp9)), 76, want{17, 5, 9, 76, 28, HasPorts | MoreFragments, 0, 0xabcd, 0, 0, 0xb8, 63, 6}},
		{"IPv6 later fragment", v6(44, cat(frag(17, 1232|1), udp9)), 76, want{17, 0, 0, 76, 36, MoreFragments, 1232, 0xabcd, 0, 0, 0xb8, 63, 6}},
		{"IPv6 last fragment", v6(0, cat(ext(44), frag(6, 8), udp9)), 84, want{6, 0, 0, 84, 36, 0, 8, 0xabcd, 0, 0, 0xb8, 63, 6}},
		{"chain cut off", v6(0, cat(ext(43), ext(17)))[:50], 56, want{43, 0, 0, 56, 8, 0, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"jumbogram", cat(edit16(v6(0, nil), 4, 0), raw("1100 c204 00018000"), udp9), 98344,
			want{17, 5, 9, 40 + 0x18000, 0x18000 - 8, HasPorts, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"IPv6 before segmentation", cat(edit16(v6(17, nil), 4, 0), udp9), 80000, want{17, 5, 9, 80000, 79960, HasPorts, 0, 0, 0, 0, 0xb8, 63, 6}},
		{"IPv6 of 40 bytes, padded", cat(v6(17, nil), make([]byte, 6)), 46, want{17, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0xb8, 63, 6}},
	} {
		var q Parser
		var p Packet
		s := q.Parse(LinkRaw, c.data, c.orig, &p)
		got := want{p.Proto, p.SrcPort, p.DstPort, p.Bytes, p.Payload, p.Flags, p.FragOffset, p.ID, p.ICMPType, p.ICMPCode, p.TOS, p.TTL, p.Family}
		if s != IP || got != c.want {
			t.Errorf("%s: %v, %+v, want %+v", c.name, s, got, c.want)
		}
		if p.Family == 6 && p.FlowLabel != 0x12345 {
			t.Errorf("%s: flow label %#x, want 0x12345", c.name, p.FlowLabel)
		}
	}
}
