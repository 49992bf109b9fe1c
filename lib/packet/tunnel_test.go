package packet

import "testing"

// tunnels has the same packet in every encapsulation.
var tunnels = []struct {
	name  string
	data  []byte // an IP packet
	depth uint8
	via   uint8
}{
	{"IP in IP", v4(ProtoIPIP, ip4), 1, ProtoIPIP},
	{"6in4", v4(ProtoIPv6, ip6), 1, ProtoIPv6},
	{"4in6", v6(ProtoIPIP, ip4), 1, ProtoIPIP},
	{"6in6", v6(ProtoIPv6, ip6), 1, ProtoIPv6},
	{"GRE", v4(ProtoGRE, cat(raw("0000 0800"), ip4)), 1, ProtoGRE},
	{"GRE with all fields", v4(ProtoGRE, cat(raw("b000 86dd 00000000 00000001 00000002"), ip6)), 1, ProtoGRE},
	{"GRE with routing", v4(ProtoGRE, cat(raw("4000 0800 00000000 0001 00 04 01020304 0000 00 00"), ip4)), 1, ProtoGRE},
	{"GRE, ethernet", v4(ProtoGRE, cat(raw("2000 6558 00000001"), eth4)), 1, ProtoGRE},
	{"GRE, MPLS", v4(ProtoGRE, cat(raw("0000 8847 00011140"), ip4)), 1, ProtoGRE},
	{"GRE, PPTP", v4(ProtoGRE, cat(raw("3081 880b 0000 0000 00000001 00000002 ff03 0021"), ip4)), 1, ProtoGRE},
	{"GRE, NSH", v4(ProtoGRE, cat(raw("0000 894f 0002 0201 00000000"), ip4)), 1, ProtoGRE},
	{"GRE, 802.11", v4(ProtoGRE, cat(raw("0000 8200 0801 0000"), mac, raw("020000000003 1000"), snap, ip4)), 1, ProtoGRE},
	{"GRE, WCCP", v4(ProtoGRE, cat(raw("0000 883e 00000000"), ip4)), 1, ProtoGRE},
	{"ERSPAN I", v4(ProtoGRE, cat(raw("0000 88be"), eth4)), 1, ProtoGRE},
	{"ERSPAN II", v4(ProtoGRE, cat(raw("1000 88be 00000001 1000 0001 00000000"), eth4)), 1, ProtoGRE},
	{"ERSPAN III", v4(ProtoGRE, cat(raw("1000 22eb 00000001 2000 0001 00000000 0000 0000"), eth4)), 1, ProtoGRE},
	{"ERSPAN III with sub-header", v4(ProtoGRE, cat(raw("1000 22eb 00000001 2000 0001 00000000 0000 0001"), make([]byte, 8), eth4)), 1, ProtoGRE},
	{"ERSPAN III of IP", v4(ProtoGRE, cat(raw("1000 22eb 00000001 2000 0001 00000000 0000 0800"), ip4)), 1, ProtoGRE},
	{"EtherIP", v4(ProtoEtherIP, cat(raw("3000"), eth4)), 1, ProtoEtherIP},
	{"MPLS in IP", v4(ProtoMPLS, cat(raw("00011140"), ip4)), 1, ProtoMPLS},
	{"PIM register", v4(ProtoPIM, cat(raw("2100 0000 00000000"), ip4)), 1, ProtoPIM},
	{"AH tunnel", v4(ProtoAH, cat(raw("0404"), make([]byte, 22), ip4)), 1, ProtoAH},
	{"VXLAN", v4(ProtoUDP, udp(1, 4789, cat(raw("08000000 00000100"), eth4))), 1, ProtoUDP},
	{"VXLAN, old port", v4(ProtoUDP, udp(1, 8472, cat(raw("08000000 00000100"), eth4))), 1, ProtoUDP},
	{"VXLAN GPE", v6(ProtoUDP, udp(1, 4790, cat(raw("0c000002 00000100"), ip6))), 1, ProtoUDP},
	{"VXLAN GPE, NSH", v6(ProtoUDP, udp(1, 4790, cat(raw("0c000004 00000100 0002 0201 00000000"), ip6))), 1, ProtoUDP},
	{"Geneve", v4(ProtoUDP, udp(1, 6081, cat(raw("0200 6558 00000100 0000000000000000"), eth4))), 1, ProtoUDP},
	{"Geneve of IP", v4(ProtoUDP, udp(1, 6081, cat(raw("0000 0800 00000100"), ip4))), 1, ProtoUDP},
	{"MPLS in UDP", v4(ProtoUDP, udp(1, 6635, cat(raw("00011140"), ip4))), 1, ProtoUDP},
	{"GRE in UDP", v4(ProtoUDP, udp(1, 4754, cat(raw("0000 0800"), ip4))), 1, ProtoUDP},
	{"LISP", v4(ProtoUDP, udp(1, 4341, cat(raw("80000000 00000001"), ip4))), 1, ProtoUDP},
	{"LISP control", v4(ProtoUDP, udp(1, 4342, cat(raw("80000000"), ip4))), 1, ProtoUDP},
	{"GTP-U", v4(ProtoUDP, udp(2152, 2152, cat(raw("30ff 0028 00000001"), ip4))), 1, ProtoUDP},
	{"GTP-U, sequence", v4(ProtoUDP, udp(1, 2152, cat(raw("32ff 002c 00000001 0001 00 00"), ip4))), 1, ProtoUDP},
	{"GTP-U, extension", v4(ProtoUDP, udp(1, 2152, cat(raw("34ff 0030 00000001 0000 00 85 01 000085 01 000000"), ip6))), 1, ProtoUDP},
	{"GTP version 0", v4(ProtoUDP, udp(1, 3386, cat(raw("1eff 0028"), make([]byte, 16), ip4))), 1, ProtoUDP},
	{"Teredo", v4(ProtoUDP, udp(3544, 1, ip6)), 1, ProtoUDP},
	{"Teredo, authentication and origin", v4(ProtoUDP, udp(1, 3544, cat(raw("0001 0000 0000000000000000 00 0000 000000000000"), ip6))), 1, ProtoUDP},
	{"AYIYA", v4(ProtoUDP, udp(1, 5072, cat(raw("4452 11 29 00000000"), make([]byte, 16+20), ip6))), 1, ProtoUDP},
	{"three deep", v4(ProtoGRE, cat(raw("0000 0800"), v4(ProtoUDP, udp(1, 4789, cat(raw("08000000 00000100"), mac, raw("86dd"), v6(ProtoIPIP, ip4)))))), 3, ProtoIPIP},
}

func TestTunnels(t *testing.T) {
	for _, c := range tunnels {
		q := Parser{Decap: MaxDecap}
		var p, outer Packet
		isInner(t, c.name, q.Parse(LinkRaw, c.data, len(c.data), &p), &p)
		if p.Depth != c.depth || p.Tunnel != c.via {
			t.Errorf("%s: depth %d by protocol %d, want %d by %d", c.name, p.Depth, p.Tunnel, c.depth, c.via)
		}
		q.Decap = 0
		if s := q.Parse(LinkRaw, c.data, len(c.data), &outer); s != IP || outer.Depth != 0 || int(outer.Bytes) != len(c.data) {
			t.Errorf("%s without decapsulation: %v, %+v", c.name, s, outer)
		}
		// What is cut off inside leaves the outer packet, whole.
		q.Decap = 1
		for n := 20; n < len(c.data); n++ {
			s := q.Parse(LinkRaw, c.data[:n:n], len(c.data), &p)
			if n < 40 && c.data[0]>>4 == 6 {
				continue
			}
			if s != IP || p.Depth == 0 && (p.Src != outer.Src || p.Bytes != outer.Bytes || p.Proto != outer.Proto) {
				t.Errorf("%s cut at %d: %v, %+v", c.name, n, s, p)
			}
		}
	}
}

func TestNoTunnel(t *testing.T) {
	fragment := edit16(v4(ProtoIPIP, ip4), 6, 0x2000)
	arp := cat(mac, raw("0806"), make([]byte, 28))
	nested := ip4
	for range 20 {
		nested = v4(ProtoIPIP, nested)
	}
	for _, c := range []struct {
		name  string
		data  []byte
		depth uint8
	}{
		{"fragment", fragment, 0},
		{"ARP in VXLAN", v4(ProtoUDP, udp(1, 4789, cat(raw("08000000 00000100"), arp))), 0},
		{"VXLAN without flag", v4(ProtoUDP, udp(1, 4789, cat(raw("00000000 00000100"), eth4))), 0},
		{"GTP control", v4(ProtoUDP, udp(1, 2152, cat(raw("3001 0028 00000001"), ip4))), 0},
		{"GTP extension of length 0", v4(ProtoUDP, udp(1, 2152, cat(raw("34ff 0030 00000001 0000 00 85 00 000085"), ip6))), 0},
		{"other port", v4(ProtoUDP, udp(1, 4788, cat(raw("08000000 00000100"), eth4))), 0},
		{"GRE version 3", v4(ProtoGRE, cat(raw("0003 0800"), ip4)), 0},
		{"too deep", nested, MaxDecap},
	} {
		q := Parser{Decap: 100}
		var p Packet
		if s := q.Parse(LinkRaw, c.data, len(c.data), &p); s != IP || p.Depth != c.depth {
			t.Errorf("%s: %v, depth %d, want %d", c.name, s, p.Depth, c.depth)
		}
	}
}

// FuzzParse gives any bytes to any link type.
func FuzzParse(f *testing.F) {
	for _, c := range links {
		f.Add(c.link, c.data, uint16(0))
	}
	for _, c := range tunnels {
		f.Add(uint16(LinkRaw), c.data, uint16(9))
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, more uint16) {
		data = data[:len(data):len(data)]
		var plain, inner, again Packet
		q := Parser{}
		first := q.Parse(link, data, len(data)+int(more), &plain)
		q.Decap = MaxDecap
		second := q.Parse(link, data, len(data)+int(more), &inner)
		if first != second {
			t.Fatalf("%v without decapsulation, %v with", first, second)
		}
		if first == IP && (plain.Family != 4 && plain.Family != 6 || plain.Depth != 0 || inner.Depth > MaxDecap) {
			t.Fatalf("%+v and %+v", plain, inner)
		}
		if q.Parse(link, data, len(data)+int(more), &again); again != inner {
			t.Fatalf("a second time %+v, at first %+v", again, inner)
		}
	})
}

func TestNoAllocation(t *testing.T) {
	q := Parser{Decap: MaxDecap}
	var p Packet
	n := testing.AllocsPerRun(10, func() {
		for _, c := range links {
			q.Parse(c.link, c.data, len(c.data), &p)
		}
		for _, c := range tunnels {
			q.Parse(LinkRaw, c.data, len(c.data), &p)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for all link types and tunnels", n)
	}
}
