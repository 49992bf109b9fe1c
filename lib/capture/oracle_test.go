package capture_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"nfpipe/lib/capture"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
)

// shared is the folder of test data beside the checkout.
const shared = "../../../shared/data"

func skip(t testing.TB, missing string) {
	t.Helper()
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		t.Fatalf("missing: %s", missing)
	}
	t.Skipf("missing: %s", missing)
}

// counted is what both sides count in a capture.
type counted struct {
	ip4, ip6, bytes          int // frames by outer IP header, their IP bytes
	conv4, conv6, ctcp, cudp int // conversations
}

// exceptions are the captures in which tshark 4.0.17 counts something else, with
// what we count. An entry that is no longer needed fails the test.
var exceptions = map[string]struct {
	ours counted
	why  string
}{
	"arkime/gtp-iphone.pcap": {counted{106, 0, 27091, 2, 4, 4, 7},
		"tshark lists the RTP stream between ports 19956 and 49120 once for each direction"},
	"fpcap/linux-cooked-unsw-nb15.pcap": {counted{992, 0, 269250, 23, 0, 45, 5},
		"tshark lists two SNMP packets with the same addresses and ports as two conversations"},
	"fpcap/linux-cooked-unsw-nb15-2.pcap": {counted{992, 0, 269250, 23, 0, 45, 5},
		"the same packets once more"},
	"arkime/tcp-reassembly-synthetic.pcap": {counted{106, 0, 4997, 1, 0, 12, 0},
		"port 40009: a SYN behind both FINs opens a flow; tshark sees by its sequence number that it came late"},
	"arkime/tcp_handshake_synthetic.pcap": {counted{50, 0, 2054, 1, 0, 14, 0},
		"ports 40003, 40013: a second SYN without FIN or RST before does not open a flow; tshark goes by its sequence number"},
	"composite/dev-overlap.pcap": {counted{105995, 2262, 13781964, 1574, 200, 3193, 567},
		"four connections are in it twice, so that a SYN comes after the end (+4), and the two of the capture before (-2)"},
	"suricata/bug-6875-01__fuzz.pcap": {counted{1, 0, 174, 1, 0, 0, 0},
		"tshark takes the file for a variant with longer record headers, in which nothing is IP; by its magic it is not"},
	"suricata/defrag__bug-6887-defrag-eth-vlan-ipv4-tcp-syn__frag-eth-vlan-ip-tcp-syn.pcap": {
		counted{3, 0, 84, 1, 0, 1, 0},
		"the ports are in the first fragment; tshark judges the reassembled segment, whose header is cut off"},
	"tcpdump/ip_printroute_asan.pcap": {counted{1, 0, 32768, 1, 0, 0, 0},
		"the snap length cuts the IP options off; tshark counts the packet but no conversation"},
	"tcpdump/ipv6_mobility_1.pcap": {counted{0, 16, 1024, 0, 1, 0, 0},
		"tshark counts no IPv6 conversation for packets that end with a mobility header"},
	"tcpdump/ipv6-too-long-jumbo.pcap": {counted{0, 1, 476, 0, 1, 0, 0},
		"the payload length is 0 without a jumbo option where one belongs; we take the frame's length, tshark 40"},
	"zeek/trunc__ipv4-truncated-broken-header.pcap": {counted{1, 0, 20, 1, 0, 0, 0},
		"total length below header length; tshark counts the packet but no conversation"},
	"zeek/trunc__ip6-trunc.pcap": {counted{0, 0, 0, 0, 0, 0, 0},
		"the snap length cuts the destination address off; there is no flow without it"},
	"zeek/tunnels__gtp__gtp_ext_header.pcap": {counted{2, 0, 1564, 1, 0, 0, 1},
		"the tunnel's packet is fragmented, and fragments are not opened; tshark looks into the first"},
}

// TestOracle meters all captures without timeouts. Packets and bytes are those of
// the outer headers; tshark's conversations are of the headers at all depths, so
// for those each frame counts once for each.
func TestOracle(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(shared, "pcap", "ORACLE.tsv"))
	if err != nil {
		skip(t, "../shared/data/pcap/ORACLE.tsv")
	}
	lines := strings.Split(strings.TrimRight(string(list), "\n"), "\n")
	head := map[string]int{}
	for i, name := range strings.Split(lines[0], "\t") {
		head[name] = i
	}
	used := 0
	for _, line := range lines[1:] {
		row := strings.Split(line, "\t")
		at := func(name string) int {
			n, err := strconv.Atoi(row[head[name]])
			if err != nil {
				t.Fatalf("%s: column %s: %v", row[0], name, err)
			}
			return n
		}
		oracle := counted{at("ip4_pkts"), at("ip6_pkts"), at("ip_bytes"),
			at("conv_ip4"), at("conv_ip6"), at("conv_tcp"), at("conv_udp")}
		want := oracle
		name := strings.TrimPrefix(row[0], "pcap/")
		e, ok := exceptions[name]
		if ok {
			want = e.ours
			used++
			if want == oracle {
				t.Errorf("%s: the exception is no longer needed", name)
			}
		}
		if got := count(t, filepath.Join(shared, row[0])); got != want {
			t.Errorf("%s: we count %+v, want %+v; tshark has %+v", name, got, want, oracle)
		}
	}
	if used != len(exceptions) {
		t.Errorf("%d exceptions, %d of them for captures that are there", len(exceptions), used)
	}
	if n := len(lines) - 1; n < 491 || len(exceptions)*100 > n*3 {
		t.Errorf("%d exceptions in %d captures, at most 3 %% are allowed", len(exceptions), n)
	}
}

// count reads a capture as far as it can be read.
func count(t *testing.T, name string) counted {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var c counted
	pairs := map[string]int{} // two addresses to their family
	never := meter.Timeouts{TCP: meter.Endless, UDP: meter.Endless, ICMP: meter.Endless, General: meter.Endless}
	m := meter.New(meter.Config{Biflow: true, Timeouts: never}, func(r *meter.Record) {
		switch {
		case r.Proto == packet.ProtoTCP && r.HasPorts:
			c.ctcp++
		case r.Proto == packet.ProtoUDP && r.HasPorts:
			c.cudp++
		}
	})
	r, err := capture.NewReader(f)
	var frame capture.Packet
	var list [1]packet.Packet
	p := &list[0]
	for err == nil {
		if err = r.Next(&frame); err != nil {
			break
		}
		for depth := 0; depth <= packet.MaxDecap; depth++ {
			q := packet.Parser{Decap: depth}
			p.Time = frame.Time
			if q.Parse(frame.LinkType, frame.Data, frame.OrigLen, p) != packet.IP || int(p.Depth) != depth {
				break
			}
			if depth == 0 {
				c.outer(p)
			}
			a, b := string(p.Src[:]), string(p.Dst[:])
			pairs[min(a, b)+max(a, b)] = int(p.Family)
			if oversize(p) {
				break // tshark decodes nothing behind a length that the header cannot hold
			}
			if p.Flags&packet.HasTCP != 0 && (p.TCPHeader < 20 || uint32(p.TCPHeader) > p.Payload) {
				continue // nor does it count a segment that is shorter than its header
			}
			m.Add(list[:])
		}
	}
	m.Flush()
	for _, family := range pairs {
		if family == 4 {
			c.conv4++
		} else {
			c.conv6++
		}
	}
	return c
}

// outer counts a frame as the columns of packets and bytes do: for tshark the
// length of an IPv6 packet is its payload length and 40, also when that is 0
// because it would be above 65,535.
func (c *counted) outer(p *packet.Packet) {
	if p.Family == 4 {
		c.ip4++
		c.bytes += int(p.Bytes)
		return
	}
	c.ip6++
	if oversize(p) {
		c.bytes += 40
	} else {
		c.bytes += int(p.Bytes)
	}
}

// oversize is a length that the header's own field cannot hold.
func oversize(p *packet.Packet) bool {
	return p.Family == 4 && p.Bytes > 65535 || p.Family == 6 && p.Bytes > 40+65535
}
