package filter

import (
	"errors"
	"strings"
	"testing"

	"nfpipe/lib/packet"
)

func TestPacket(t *testing.T) {
	tcp := packet.Packet{Family: 4, Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{192, 0, 2, 9}, Proto: packet.ProtoTCP, SrcPort: 1025, DstPort: 80,
		TCPFlags: 2, Flags: packet.HasPorts | packet.HasTCP, TTL: 64, VLANs: 1, VLAN: [2]uint16{7, 7}, EtherType: 0x800, SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}}
	icmp := packet.Packet{Family: 6, Src: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}, Dst: [16]byte{0xff, 2, 15: 1}, Proto: packet.ProtoICMPv6,
		ICMPType: 128, Flags: packet.HasPorts, TTL: 255, EtherType: 0x86dd}
	fragment := packet.Packet{Family: 4, Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{10, 0, 0, 2}, Proto: packet.ProtoUDP, FragOffset: 8}
	for _, c := range []struct {
		filter string
		want   [3]bool
	}{
		{"any", [3]bool{true, true, true}},
		{"ip 10.0.0.1", [3]bool{true, false, true}},
		{"src net 10/8 and dst net 10/8", [3]bool{false, false, true}},
		{"net 2001:db8::/32", [3]bool{false, true, false}},
		{"ip in [192.0.2.0/24 ff02::1]", [3]bool{true, true, false}},
		{"port 80", [3]bool{true, false, false}},
		{"not port 80", [3]bool{false, true, true}},
		{"port < 5", [3]bool{false, false, false}},
		{"port in [1-10 80 100-200]", [3]bool{true, false, false}},
		{"tcp or udp", [3]bool{true, false, true}},
		{"ipv6", [3]bool{false, true, false}},
		{"ipv4 and not ip 10.0.0.2", [3]bool{true, false, false}},
		{"flags S", [3]bool{true, false, false}},
		{"flags A", [3]bool{false, false, false}},
		{"icmp-type 128", [3]bool{false, true, false}},
		{"vlan 7", [3]bool{true, false, false}},
		{"defined vlan", [3]bool{true, false, false}},
		{"ttl > 64 or tcp or udp", [3]bool{true, true, true}},
		{"mac 02:00:00:00:00:01", [3]bool{true, false, false}},
		{"ethertype 0x86dd", [3]bool{false, true, false}},
	} {
		f, err := Parse(c.filter, Options{})
		if err != nil {
			t.Fatal(c.filter, err)
		}
		match, err := f.Packet()
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		for i, p := range []*packet.Packet{&tcp, &icmp, &fragment} {
			if got := match(p); got != c.want[i] {
				t.Errorf("%s: packet %d: %v", c.filter, i, got)
			}
		}
	}
	for _, c := range []struct{ filter, word string }{
		{"tcp and bytes > 5", "bytes"}, {"not src as 5", "src as"}, {"dst tos 5", "dst tos"}, {"duration 5 or tcp", "duration"},
		{"username bob", "username"}, {"next ip 10.0.0.1", "next ip"}, {"mpls label1 5", "mpls label1"}, {"defined bytes", "bytes"},
	} {
		f, err := Parse(c.filter, Options{})
		if err != nil {
			t.Fatal(c.filter, err)
		}
		_, err = f.Packet()
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Msg, `"`+c.word+`"`) {
			t.Errorf("%s: %v does not name %q", c.filter, err, c.word)
		}
	}
}
