package packet

import "testing"

// links has the same IP packet behind every kind of link header.
var links = []struct {
	name string
	link uint16
	data []byte
}{
	{"ethernet", LinkEthernet, eth4},
	{"ethernet, IPv6", LinkEthernet, cat(mac, raw("86dd"), ip6)},
	{"ethernet, padded", LinkEthernet, cat(eth4, make([]byte, 6))},
	{"802.3 SNAP", LinkEthernet, cat(mac, raw("0030"), snap, ip4)},
	{"802.3 IP", LinkEthernet, cat(mac, raw("002b 060603"), ip4)},
	{"802.1Q", LinkEthernet, cat(mac, raw("8100 e064 0800"), ip4)},
	{"802.1ad", LinkEthernet, cat(mac, raw("88a8 012c 8100 0064 0800"), ip4)},
	{"9100 stack of three", LinkEthernet, cat(mac, raw("9100 0001 9200 0002 8100 0003 86dd"), ip6)},
	{"MPLS", LinkEthernet, cat(mac, raw("8847 00010040 00011140"), ip4)},
	{"MPLS multicast, IPv6", LinkEthernet, cat(mac, raw("8848 00011140"), ip6)},
	{"pseudowire", LinkEthernet, cat(mac, raw("8847 00011140 00000000"), eth4)},
	{"pseudowire without control word", LinkEthernet, cat(mac, raw("8847 00011140"), raw("000000000001 000000000002 0800"), ip4)},
	{"PPPoE", LinkEthernet, cat(mac, raw("8864 1100 0001 002a 0021"), ip4)},
	{"PPPoE, IPv6, VLAN", LinkEthernet, cat(mac, raw("8100 0007 8864 1100 0001 003e 0057"), ip6)},
	{"PBB", LinkEthernet, cat(mac, raw("88a8 0001 88e7 00000001"), eth4)},
	{"FabricPath", LinkEthernet, cat(mac, raw("8903 0000"), eth4)},
	{"VN-Tag", LinkEthernet, cat(mac, raw("8926 00000000 0800"), ip4)},
	{"802.1BR", LinkEthernet, cat(mac, raw("893f 000000000000 0800"), ip4)},
	{"Cisco metadata", LinkEthernet, cat(mac, raw("8909 010100010000 0800"), ip4)},
	{"NSH", LinkEthernet, cat(mac, raw("894f 0002 0201 00000000"), ip6)},
	{"NSH, ethernet", LinkEthernet, cat(mac, raw("894f 0003 0203 00000000 00000000"), eth4)},
	{"raw", LinkRaw, ip4},
	{"raw 12", LinkRaw12, ip6},
	{"raw 14", LinkRaw14, ip4},
	{"IPv4", LinkIPv4, ip4},
	{"IPv6", LinkIPv6, ip6},
	{"null, little-endian", LinkNull, cat(raw("02000000"), ip4)},
	{"null, big-endian", LinkNull, cat(raw("00000002"), ip4)},
	{"null, IPv6 of FreeBSD", LinkNull, cat(raw("1c000000"), ip6)},
	{"null, IPv6 of macOS", LinkNull, cat(raw("0000001e"), ip6)},
	{"loop, IPv6 of OpenBSD", LinkLoop, cat(raw("00000018"), ip6)},
	{"PPP", LinkPPP, cat(raw("ff03 0021"), ip4)},
	{"PPP, protocol compressed", LinkPPP, cat(raw("21"), ip4)},
	{"PPP, IPv6", LinkPPPSerial, cat(raw("ff03 0057"), ip6)},
	{"PPP, Cisco", LinkPPPSerial, cat(raw("0f00 0800"), ip4)},
	{"PPP, direction", LinkPPPD, cat(raw("01 ff03 0021"), ip4)},
	{"PPP, bridged", LinkPPP, cat(raw("ff03 0031 0001"), eth4)},
	{"PPP, MPLS", LinkPPP, cat(raw("ff03 0281 00011140"), ip4)},
	{"PPP, multilink whole", LinkPPP, cat(raw("ff03 003d c0000001 21"), ip4)},
	{"PPP over ethernet", LinkPPPEther, cat(raw("1100 0001 002a 0021"), ip4)},
	{"HDLC", LinkCHDLC, cat(raw("0f00 0800"), ip4)},
	{"HDLC, IPv6", LinkCHDLC, cat(raw("8f00 86dd"), ip6)},
	{"frame relay", LinkFrameRelay, cat(raw("1841 03 cc"), ip4)},
	{"frame relay, padded SNAP", LinkFrameRelay, cat(raw("1841 03 00 80 000000 0800"), ip4)},
	{"frame relay, IPv6", LinkFrameRelay, cat(raw("1841 03 8e"), ip6)},
	{"frame relay, Cisco", LinkFrameRelay, cat(raw("1841 0800"), ip4)},
	{"FDDI", LinkFDDI, cat(raw("50"), mac, snap, ip4)},
	{"ARCNET", LinkARCNET, cat(raw("0102 d4 00 0001"), ip4)},
	{"ARCNET, exception", LinkARCNET, cat(raw("0102 d4 ff000000 00 0001"), ip4)},
	{"ARCNET, Linux", LinkARCNETLin, cat(raw("0102 0000 f0"), ip4)},
	{"ATM", LinkATM, cat(snap, ip4)},
	{"802.11", Link80211, cat(raw("0801 0000"), mac, raw("020000000003 1000"), snap, ip4)},
	{"802.11 QoS", Link80211, cat(raw("8802 0000"), mac, raw("020000000003 1000 0000"), snap, ip4)},
	{"802.11 QoS, HT control", Link80211, cat(raw("8881 0000"), mac, raw("020000000003 1000 0000 00000000"), snap, ip4)},
	{"802.11, four addresses", Link80211, cat(raw("0803 0000"), mac, raw("020000000003 1000 020000000004"), snap, ip4)},
	{"802.11, mesh", Link80211, cat(raw("8803 0000"), mac, raw("020000000003 1000 020000000004 0001 001f00000001"), snap, ip4)},
	{"802.11, aggregate", Link80211, cat(raw("8801 0000"), mac, raw("020000000003 1000 8000"), mac, raw("0030"), snap, ip4)},
	{"radiotap", LinkRadiotap, cat(raw("0000 0800 00000000 0801 0000"), mac, raw("020000000003 1000"), snap, ip4)},
	{"radiotap, padded", LinkRadiotap, cat(raw("0000 1900 030000a0 000000a0 00000000 0000000000000000 20"),
		raw("8801 0000"), mac, raw("020000000003 1000 0000 0000"), snap, ip4)},
	{"PPI", LinkPPI, cat(raw("0000 0800 69000000 0801 0000"), mac, raw("020000000003 1000"), snap, ip4)},
	{"Prism", LinkPrism, cat(raw("44000000 90000000"), make([]byte, 136), raw("0801 0000"), mac, raw("020000000003 1000"), snap, ip4)},
	{"AVS", LinkAVS, cat(raw("80211001 00000040"), make([]byte, 56), raw("0801 0000"), mac, raw("020000000003 1000"), snap, ip4)},
	{"SLL", LinkSLL, cat(raw("0000 0001 0006 0200000000010000 0800"), ip4)},
	{"SLL, LLC", LinkSLL, cat(raw("0000 0001 0006 0200000000010000 0004"), snap, ip4)},
	{"SLL, VLAN", LinkSLL, cat(raw("0000 0001 0006 0200000000010000 8100 0064 86dd"), ip6)},
	{"SLL2", LinkSLL2, cat(raw("0800 0000 00000001 0001 00 06 0200000000010000"), ip4)},
	{"NFLOG", LinkNFLOG, cat(raw("02 00 0000 0500 0a00 61000000 2c00 0900"), ip4)},
	{"NFLOG, big-endian", LinkNFLOG, cat(raw("0a 00 0000 0008 0001 00000000 0040 0009"), ip6)},
	{"PFLOG", LinkPFLOG, cat(raw("3d02"), make([]byte, 62), ip4)},
	{"PKTAP", LinkPKTAP, cat(raw("10000000 01000000 01000000 00000000"), eth4)},
	{"Juniper ethernet", LinkJuniperEth, cat(raw("4d4743 80 0004 01020304"), eth4)},
	{"Juniper without link header", LinkJuniperEth, cat(raw("4d4743 02 00000002"), ip4)},
}

func TestLinks(t *testing.T) {
	var q Parser
	for _, c := range links {
		p := Packet{Time: 7}
		isInner(t, c.name, q.Parse(c.link, c.data, len(c.data), &p), &p)
		if p.Time != 7 {
			t.Errorf("%s: time %d, want it as the caller set it", c.name, p.Time)
		}
	}
}

func TestLinkFields(t *testing.T) {
	one, two := [6]byte(mac), [6]byte(mac[6:])
	var q Parser
	for _, c := range []struct {
		name     string
		src, dst [6]byte
		vlan     [2]uint16
		tags     uint8
		labels   []uint32
	}{
		{"ethernet", two, one, [2]uint16{}, 0, nil},
		{"802.1Q", two, one, [2]uint16{100, 0}, 1, nil},
		{"802.1ad", two, one, [2]uint16{300, 100}, 2, nil},
		{"9100 stack of three", two, one, [2]uint16{1, 3}, 3, nil},
		{"MPLS", two, one, [2]uint16{}, 0, []uint32{0x100, 0x111}},
		{"FDDI", two, one, [2]uint16{}, 0, nil},
		{"802.11", two, [6]byte{2, 0, 0, 0, 0, 3}, [2]uint16{}, 0, nil},
		{"802.11 QoS", [6]byte{2, 0, 0, 0, 0, 3}, one, [2]uint16{}, 0, nil},
		{"802.11, four addresses", [6]byte{2, 0, 0, 0, 0, 4}, [6]byte{2, 0, 0, 0, 0, 3}, [2]uint16{}, 0, nil},
		{"SLL", one, [6]byte{}, [2]uint16{}, 0, nil},
		{"SLL2", one, [6]byte{}, [2]uint16{}, 0, nil},
	} {
		for _, l := range links {
			if l.name != c.name {
				continue
			}
			var p Packet
			q.Parse(l.link, l.data, len(l.data), &p)
			if p.SrcMAC != c.src || p.DstMAC != c.dst || p.VLAN != c.vlan || p.VLANs != c.tags || int(p.MPLSDepth) != len(c.labels) {
				t.Errorf("%s: %+v, want %+v", c.name, p, c)
			}
			for i, v := range c.labels {
				if p.Labels[i] != v {
					t.Errorf("%s: label %d is %#x, want %#x", c.name, i, p.Labels[i], v)
				}
			}
		}
	}
}

func TestNotIP(t *testing.T) {
	deep := mac
	for range 70 {
		deep = cat(deep, raw("8100 0001"))
	}
	for _, c := range []struct {
		name string
		link uint16
		data []byte
		want Status
	}{
		{"ARP", LinkEthernet, cat(mac, raw("0806"), make([]byte, 28)), NotIP},
		{"LLDP", LinkEthernet, cat(mac, raw("88cc"), make([]byte, 28)), NotIP},
		{"STP", LinkEthernet, cat(mac, raw("0026 424203"), make([]byte, 35)), NotIP},
		{"PPPoE discovery in a session", LinkEthernet, cat(mac, raw("8864 1109 0001 0000 0021")), NotIP},
		{"LCP", LinkPPP, raw("ff03 c021 01010004"), NotIP},
		{"multilink fragment", LinkPPP, cat(raw("ff03 003d 80000001 21"), ip4), NotIP},
		{"MPLS, OAM label", LinkEthernet, cat(mac, raw("8847 0000e140"), ip4), NotIP},
		{"MPLS, channel", LinkEthernet, cat(mac, raw("8847 00011140 10000021"), ip4), NotIP},
		{"802.11 beacon", Link80211, make([]byte, 60), NotIP},
		{"802.11 encrypted", Link80211, cat(raw("0841 0000"), make([]byte, 60)), NotIP},
		{"802.11 fragment", Link80211, cat(raw("0801 0000"), mac, raw("020000000003 1100"), snap, ip4), NotIP},
		{"netlink", LinkSLL, cat(raw("0000 0338 0000 0000000000000000 0800"), ip4), NotIP},
		{"version 5", LinkRaw, raw("55"), NotIP},
		{"version in ethernet", LinkEthernet, cat(mac, raw("0800"), ip6), Malformed},
		{"header length 16", LinkRaw, cat(raw("44"), ip4[1:]), Malformed},
		{"IPv6 by name, IPv4 inside", LinkEthernet, cat(mac, raw("86dd"), ip4), Malformed},
		{"70 VLAN tags", LinkEthernet, cat(deep, raw("0800"), ip4), Malformed},
		{"unknown", 147, ip4, UnknownLink},
		{"PPI of unknown", LinkPPI, cat(raw("0000 0800 93000000"), ip4), UnknownLink},
		{"PPI in PPI", LinkPPI, raw("0000 0800 c0000000 0000 0800 c0000000"), Short},
		{"NFLOG, length 0", LinkNFLOG, raw("02000000 0000 0900"), Malformed},
		{"empty", LinkEthernet, nil, Short},
	} {
		var q Parser
		var p Packet
		if got := q.Parse(c.link, c.data, len(c.data), &p); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestCut cuts every link's packet at every byte: what is there is read, and what
// says nothing about the IP header's end is short.
func TestCut(t *testing.T) {
	for _, c := range links {
		var whole, p Packet
		var q Parser
		q.Parse(c.link, c.data, len(c.data), &whole)
		for n := range c.data {
			s := q.Parse(c.link, c.data[:n:n], len(c.data), &p)
			if s == IP && (p.Src != whole.Src || p.Dst != whole.Dst || p.Bytes != whole.Bytes || p.Proto != whole.Proto) {
				t.Errorf("%s cut at %d: %+v, want %+v", c.name, n, p, whole)
			}
			if s == IP && p.Flags&HasPorts != 0 && (p.SrcPort != whole.SrcPort || p.DstPort != whole.DstPort) {
				t.Errorf("%s cut at %d: ports %d and %d", c.name, n, p.SrcPort, p.DstPort)
			}
			if s == UnknownLink || s == IP && n < 20 {
				t.Errorf("%s cut at %d: %v", c.name, n, s)
			}
		}
	}
}
