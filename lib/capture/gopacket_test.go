package capture_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"nfpipe/lib/capture"
	"nfpipe/lib/packet"
)

// TestAgainstGopacket compares field by field what gopacket decodes of every
// Ethernet frame in the captures: the first IP header and the transport header
// behind it, where gopacket finds both whole.
func TestAgainstGopacket(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(shared, "pcap", "ORACLE.tsv"))
	if err != nil {
		skip(t, "../shared/data/pcap/ORACLE.tsv")
	}
	compared, reported := 0, 0
	different := map[string]int{
		// Labels 13 and 14, behind which IP must not be.
		"pcap/trex/exp__udp_1pkt_mpls_vm.pcap": 2,
		"pcap/composite/dev-overlap.pcap":      2,
	}
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		f, err := os.Open(filepath.Join(shared, name))
		if err != nil {
			t.Fatal(err)
		}
		r, err := capture.NewReader(f)
		var frame capture.Packet
		var q packet.Parser
		var p packet.Packet
		for n := 1; err == nil; n++ {
			if err = r.Next(&frame); err != nil || frame.LinkType != packet.LinkEthernet {
				continue
			}
			status := q.Parse(frame.LinkType, frame.Data, frame.OrigLen, &p)
			ours, theirs := fields(&p, status), theirFields(frame.Data)
			if theirs == (fieldSet{}) {
				continue
			}
			if theirs.tcp {
				ours.tcp = p.Flags&packet.HasTCP != 0
			} else {
				ours.tcp, ours.sport, ours.dport, ours.flags, ours.seq, ours.window = false, theirs.sport, theirs.dport, 0, 0, 0
			}
			compared++
			// Reserved flags and lengths above 65,535 are beyond it.
			if ours.flags &= 0x1ff; p.Bytes > 65535 {
				ours.bytes = theirs.bytes
			}
			if ours != theirs && different[name] > 0 {
				different[name]--
			} else if ours != theirs {
				if reported++; reported > 10 {
					t.Fatal("and more")
				}
				t.Errorf("%s frame %d: %v; gopacket has %v", name, n, ours, theirs)
			}
		}
		f.Close()
	}
	for name, n := range different {
		if n != 0 {
			t.Errorf("%s: %d frames fewer differ than are excepted", name, n)
		}
	}
	if compared < 100_000 {
		t.Errorf("only %d frames compared", compared)
	}
}

type fieldSet struct {
	src, dst     netip.Addr
	tos, ttl     uint8
	label        uint32
	bytes        int
	tcp          bool
	sport, dport uint16
	flags        uint16
	seq          uint32
	window       uint16
}

func (f fieldSet) String() string {
	return fmt.Sprintf("%v>%v tos %#x ttl %d label %d bytes %d tcp %v ports %d>%d flags %#x seq %d window %d",
		f.src, f.dst, f.tos, f.ttl, f.label, f.bytes, f.tcp, f.sport, f.dport, f.flags, f.seq, f.window)
}

func fields(p *packet.Packet, s packet.Status) fieldSet {
	if s != packet.IP {
		return fieldSet{}
	}
	set := fieldSet{tos: p.TOS, ttl: p.TTL, label: p.FlowLabel, bytes: int(p.Bytes),
		sport: p.SrcPort, dport: p.DstPort, flags: p.TCPFlags, seq: p.Seq, window: p.Window}
	if p.Family == 4 {
		set.src, set.dst = netip.AddrFrom4([4]byte(p.Src[:4])), netip.AddrFrom4([4]byte(p.Dst[:4]))
	} else {
		set.src, set.dst = netip.AddrFrom16(p.Src), netip.AddrFrom16(p.Dst)
	}
	return set
}

func theirFields(data []byte) fieldSet {
	all := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	if all.ErrorLayer() != nil {
		return fieldSet{}
	}
	var set fieldSet
	for _, l := range all.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			if set.ttl != 0 || set.src.IsValid() {
				return set // an inner header
			}
			set.src, _ = netip.AddrFromSlice(l.SrcIP.To4())
			set.dst, _ = netip.AddrFromSlice(l.DstIP.To4())
			set.tos, set.ttl, set.bytes = l.TOS, l.TTL, int(l.Length)
		case *layers.IPv6:
			if set.src.IsValid() {
				return set
			}
			set.src, _ = netip.AddrFromSlice(l.SrcIP)
			set.dst, _ = netip.AddrFromSlice(l.DstIP)
			set.tos, set.ttl, set.label, set.bytes = l.TrafficClass, l.HopLimit, l.FlowLabel, 40+int(l.Length)
		case *layers.TCP:
			set.tcp = true
			set.sport, set.dport, set.seq, set.window = uint16(l.SrcPort), uint16(l.DstPort), l.Seq, l.Window
			for i, on := range []bool{l.FIN, l.SYN, l.RST, l.PSH, l.ACK, l.URG, l.ECE, l.CWR, l.NS} {
				if on {
					set.flags |= 1 << i
				}
			}
			return set
		case *layers.UDP:
			set.sport, set.dport = uint16(l.SrcPort), uint16(l.DstPort)
			return set
		case *layers.ARP:
			return fieldSet{}
		}
	}
	return set
}
