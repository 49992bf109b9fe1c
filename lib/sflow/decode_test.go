package sflow_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"nfpipe/lib/ie"
	"nfpipe/lib/sflow"
)

// every is what all records of these tests have in common.
var every = map[ie.ID]string{
	2: "1", 149: "7", 130: agent,
	156: fmt.Sprint(arrival), 157: fmt.Sprint(arrival), 258: fmt.Sprint(arrival),
}

// Parts of the records of these tests.
const ()

// macText are the addresses of ether as numbers.
const macText = "56=1577079554 80=1577079553"

func structure(format uint32, w xdr) xdr { return xdr{}.tagged(format, w) }

func switched(in, out uint32) xdr { return structure(1001, xdr{}.u32(in, 5, out, 6)) }

func routed(hop string, src, dst uint32) xdr {
	return structure(1002, xdr{}.address(hop).u32(src, dst))
}

// gateway has the path segments as they are on the wire.
func gateway(hop string, segments xdr, communities ...uint32) xdr {
	return structure(1003, append(xdr{}.address(hop).u32(64500, 64501, 64502),
		segments...).array(communities...).u32(100))
}

func sampledIP(format, proto, srcPort, dstPort, flags, tos uint32) xdr {
	w := xdr{}.u32(300, proto)
	if format == 3 {
		w = w.fixed(ip4)
	} else {
		w = w.fixed(ip6)
	}
	return structure(format, w.u32(srcPort, dstPort, flags, tos))
}

func sampledEther(kind uint32) xdr {
	return structure(2, xdr{}.u32(90).fixed(macs[6:]).fixed(macs[:6]).u32(kind))
}

const (
	link    = "10=3 14=4 " + macText
	tcp4    = "4=6 5=40 6=24 7=12345 8=192.0.2.5 11=80 12=198.51.100.7"
	udp4    = "4=17 5=40 7=1024 8=192.0.2.5 11=53 12=198.51.100.7"
	icmp4   = "4=1 5=40 8=192.0.2.5 12=198.51.100.7"
	udp6    = "4=17 5=40 7=1024 11=53 27=2001:db8::5 28=2001:db8::7"
	icmp6   = "4=58 5=40 27=2001:db8::5 28=2001:db8::7"
	header4 = "192=63 197=64"
	header6 = "31=74565 192=62"
)

// words sorts what parts of a record say as show does.
func words(t *testing.T, s string) string {
	t.Helper()
	row := map[ie.ID]string{}
	for _, w := range strings.Fields(s) {
		name, v, _ := strings.Cut(w, "=")
		var id ie.ID
		switch name {
		case "interval":
			id = ie.SamplingInterval
		case "space":
			id = ie.SamplingSpace
		default:
			fmt.Sscan(name, (*uint64)(&id))
		}
		if _, twice := row[id]; twice || id == 0 {
			t.Fatalf("%q in %q", w, s)
		}
		row[id] = v
	}
	return show(row, nil)
}

func TestVersion5(t *testing.T) {
	plain := header(ether("0800", packet4(6, tcp)))
	tests := []struct {
		name   string
		sample xdr
		want   string // the record, without what every one has
	}{
		// What is in a sampled header.
		{"tcp", compact(plain), link + " 256=2048 1=58 224=40 " + tcp4 + " " + header4},
		{"udp", compact(header(ether("0800", packet4(17, udp)))), link + " 256=2048 1=46 224=28 " + udp4 + " " + header4},
		{"icmp", compact(header(ether("0800", packet4(1, ping)))), link + " 256=2048 1=46 224=28 32=2048 " + icmp4 + " " + header4},
		{"other protocol", compact(header(ether("0800", packet4(50, ping)))),
			link + " 256=2048 1=46 224=28 4=50 5=40 8=192.0.2.5 12=198.51.100.7 " + header4},
		{"tcp cut before its flags", compact(header(ether("0800", packet4(6, tcp[:12])))),
			link + " 256=2048 1=50 224=32 4=6 5=40 7=12345 8=192.0.2.5 11=80 12=198.51.100.7 " + header4},
		{"cut before the ports", compact(header(ether("0800", packet4(6, tcp[:3])))),
			link + " 256=2048 1=41 224=23 4=6 5=40 8=192.0.2.5 12=198.51.100.7 " + header4},
		{"udp6", compact(header(ether("86dd", packet6(17, udp)))), link + " 256=34525 1=66 224=48 " + udp6 + " " + header6},
		{"icmp6", compact(header(ether("86dd", packet6(58, ping6)))), link + " 256=34525 1=66 224=48 139=32771 " + icmp6 + " " + header6},
		{"arp", compact(header(ether("0806", arp))), link + " 256=2054 1=46"},
		{"802.3", compact(header(ether("0026", raw("424203 0000000000")))), link + " 1=26"},
		{"broken IP", compact(header(ether("0800", raw("41")))), link + " 256=2048 1=19"},
		{"no Ethernet header", compact(header(macs)), ports("1=16")},
		{"empty header", compact(headerOf(1, nil)), ports("1=4")},
		{"first fragment", compact(header(ether("0800", fragment4(17, 0x2000, udp)))),
			link + " 256=2048 1=46 224=28 " + udp4 + " 192=63 197=32 54=4660 88=0"},
		{"later fragment", compact(header(ether("0800", fragment4(17, 0x00b9, udp)))),
			link + " 256=2048 1=46 224=28 4=17 5=40 8=192.0.2.5 12=198.51.100.7 192=63 197=0 54=4660 88=185"},
		{"fragment of IPv6", compact(header(ether("86dd", packet6(44, raw("1100 05c1 00000009"))))),
			link + " 256=34525 1=66 224=48 4=17 5=40 27=2001:db8::5 28=2001:db8::7 " + header6 + " 197=32 54=9 88=184"},

		// Forms of headers and samples.
		{"long form", expanded(0, 3, 0, 4, plain), link + " 256=2048 1=58 224=40 " + tcp4 + " " + header4},
		{"IPv4 header", compact(headerOf(11, packet4(6, tcp))), ports("1=44 224=40 " + tcp4 + " " + header4)},
		{"IPv6 header", compact(headerOf(12, packet6(17, udp))), ports("1=52 224=48 " + udp6 + " " + header6)},
		{"PPP header", compact(headerOf(7, append(raw("ff03 0021"), packet4(6, tcp)...))), ports("1=48 224=40 " + tcp4 + " " + header4)},
		{"POS header", compact(headerOf(14, append(raw("0f00 0800"), packet4(6, tcp)...))), ports("1=48 224=40 " + tcp4 + " " + header4)},
		{"frame relay header", compact(headerOf(5, append(raw("1841 03cc"), packet4(6, tcp)...))), ports("1=48 224=40 " + tcp4 + " " + header4)},
		{"ATM header", compact(headerOf(9, append(raw("aaaa03 000000 0800"), packet4(6, tcp)...))), ports("1=52 224=40 " + tcp4 + " " + header4)},
		{"MPLS header", compact(headerOf(13, append(raw("000101ff"), packet4(6, tcp)...))),
			ports("1=48 224=40 70=000101 " + tcp4 + " " + header4)},
		{"X.25 header", compact(headerOf(6, packet4(6, tcp))), ports("1=44")},
		{"IPv4 fields", compact(sampledIP(3, 6, 12345, 80, 24, 40)), ports("1=300 224=300 " + tcp4)},
		{"IPv4 fields, ICMP", compact(sampledIP(3, 1, 0, 0, 0, 40)), ports("1=300 224=300 " + icmp4)},
		{"IPv6 fields", compact(sampledIP(4, 17, 1024, 53, 0, 40)), ports("1=300 224=300 " + udp6)},
		{"Ethernet fields", compact(sampledEther(0x0806)), link + " 1=90 256=2054"},
		{"Ethernet and IPv4 fields", compact(sampledIP(3, 17, 1024, 53, 0, 40), sampledEther(0x0800)),
			link + " 1=90 224=300 256=2048 " + udp4},
		{"header before fields", compact(sampledIP(3, 17, 1, 2, 0, 40), sampledEther(0x0806), plain),
			link + " 256=2048 1=58 224=40 " + tcp4 + " " + header4},
		{"fields where the header has no IP", compact(headerOf(6, raw("00")), sampledIP(3, 17, 1024, 53, 0, 40)),
			ports("1=5 224=300 " + udp4)},

		// Interfaces.
		{"several outputs", sampled(1, 3, 1<<31|9, plain), link4("10=3 99=9")},
		{"unknown outputs", sampled(1, 3, 1<<31, plain), link4("10=3 99=0")},
		{"dropped by a filter", sampled(1, 3, 1<<30|258, plain), link4("10=3 89=130")},
		{"dropped as unreachable", expanded(0, 3, 1, 1, plain), link4("10=3 89=131")},
		{"dropped", expanded(0, 3, 1, 256, plain), link4("10=3 89=128")},
		{"large index", expanded(0, 1<<31+5, 0, 1<<31+6, plain), link4("10=2147483653 14=2147483654")},
		{"the device itself", sampled(1, 0x3fffffff, 0, plain), link4("10=1073741823 14=0")},
		{"unknown format", expanded(3, 3, 3, 4, plain), link4("")},

		// Rates.
		{"rate", sampled(512, 3, 4, plain), link4("10=3 14=4 interval=1 space=511")},
		{"rate unknown", sampled(0, 3, 4, plain), link4("10=3 14=4")},
		{"largest rate", sampled(1<<32-1, 3, 4, plain), link4("10=3 14=4 interval=1 space=4294967294")},

		// VLANs and labels.
		{"tag", compact(header(ether("8100 2064 0800", packet4(6, tcp)))), ports(tcpFrame + " 1=62 58=100")},
		{"two tags", compact(header(ether("88a8 2064 8100 00c8 0800", packet4(6, tcp)))), ports(tcpFrame + " 1=66 58=100 245=200")},
		{"switch", compact(plain, switched(100, 200)), link4("10=3 14=4 58=100 59=200")},
		{"switch and tag", compact(header(ether("8100 2064 0800", packet4(6, tcp))), switched(100, 200)),
			ports(tcpFrame + " 1=62 58=100 59=200")},
		{"switch and another tag", compact(header(ether("8100 2064 0800", packet4(6, tcp))), switched(300, 200)),
			ports(tcpFrame + " 1=62 58=300 59=200 243=100")},
		{"switch that knows nothing", compact(header(ether("8100 2064 0800", packet4(6, tcp))), switched(1<<32-1, 1<<32-1)),
			ports(tcpFrame + " 1=62 58=100")},
		{"stripped tag", compact(plain, structure(1012, xdr{}.array(0x8100012c))), link4("10=3 14=4 58=300")},
		{"stripped tags", compact(plain, structure(1012, xdr{}.array(0x88a8012c, 0x81000190))), link4("10=3 14=4 58=300 245=400")},
		{"stripped tag and tag", compact(header(ether("8100 2064 0800", packet4(6, tcp))), structure(1012, xdr{}.array(0x88a8012c))),
			ports(tcpFrame + " 1=62 58=300 245=100")},
		{"labels", compact(header(ether("8847 00010040 00011140", packet4(6, tcp)))),
			ports("56=1577079554 80=1577079553 256=2048 224=40 " + tcp4 + " " + header4 + " 1=66 70=000100 71=000111")},
		{"extended MPLS", compact(plain, structure(1006, xdr{}.address("203.0.113.1").array(0x00010040, 0x00011140).array(0x00012140))),
			link4("10=3 14=4 15=203.0.113.1 70=000100 71=000111")},
		{"more labels than there are elements", compact(plain, structure(1006, xdr{}.address("").array(0, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304, 2560).array())),
			link4("10=3 14=4 70=000000 71=000001 72=000002 73=000003 74=000004 75=000005 76=000006 77=000007 78=000008 79=000009")},

		// Routing and translation.
		{"router", compact(plain, routed("203.0.113.1", 24, 0)), link4("10=3 14=4 15=203.0.113.1 9=24 13=0")},
		{"router, IPv6", compact(header(ether("86dd", packet6(17, udp))), routed("2001:db8::1", 48, 128)),
			link + " 256=34525 1=66 224=48 62=2001:db8::1 29=48 30=128 " + udp6 + " " + header6},
		{"router that knows nothing", compact(plain, routed("", 1<<32-1, 33)), link4("10=3 14=4")},
		{"router of ARP", compact(header(ether("0806", arp)), routed("203.0.113.1", 24, 24)), link + " 256=2054 1=46 15=203.0.113.1"},
		{"gateway", compact(plain, gateway("203.0.113.9", xdr{}.u32(1, 2).array(64510, 64511, 64512), 65000<<16|1)),
			link4("10=3 14=4 18=203.0.113.9 16=64501 17=64512 128=64510 129=64502 " +
				"291=0004001100040000fbfe0000fbff0000fc00 485=000301e30004fde80001")},
		{"gateway with a set", compact(plain, gateway("2001:db8::9", xdr{}.u32(2, 2).array(64510).u32(1).array(7, 8))),
			link4("10=3 14=4 63=2001:db8::9 16=64501 17=8 128=64510 129=64502 291=00ff001100040000fbfe0000000700000008 485=000301e30004")},
		{"gateway to itself", compact(plain, gateway("", xdr{}.u32(0))),
			link4("10=3 14=4 16=64501 17=0 128=0 129=64502 291=000400110004 485=000301e30004")},
		{"NAT", compact(plain, structure(1007, xdr{}.address("203.0.113.2").address("2001:db8::3")), structure(1020, xdr{}.u32(1111, 2222))),
			link4("10=3 14=4 225=203.0.113.2 282=2001:db8::3 227=1111 228=2222")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, stats := decode(t, sflow.Config{}, datagram5(test.sample))
			if len(got) != 1 || stats.Records != 1 || stats.Samples != 1 || stats.Datagrams != 1 || stats.Bad != 0 {
				t.Fatalf("%d records, %+v", len(got), stats)
			}
			if got, want := show(got[0], every), words(t, test.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			for id, v := range every {
				if got[0][id] != v {
					t.Errorf("element %s is %q, want %q", id, got[0][id], v)
				}
			}
		})
	}
}

// tcpFrame is what the TCP packet in Ethernet gives, but for the length of the frame.
const tcpFrame = macText + " 256=2048 224=40 " + tcp4 + " " + header4

// ports adds the interfaces of most samples here, link4 the TCP packet.
func ports(s string) string { return "10=3 14=4 " + s }
func link4(s string) string { return tcpFrame + " 1=58 " + s }

func TestRates(t *testing.T) {
	for _, test := range []struct {
		rate, force, announced uint32
		space                  string
	}{
		{0, 0, 0, ""}, {0, 0, 1, ""}, {0, 0, 10, "9"},
		{100, 0, 0, "99"}, {100, 0, 1, ""}, {100, 0, 10, "9"},
		{0, 100, 0, "99"}, {0, 100, 10, "99"}, {0, 1, 10, ""}, {50, 100, 10, "99"},
	} {
		p := datagram5(sampled(test.announced, 3, 4, header(ether("0806", arp))))
		got, _ := decode(t, sflow.Config{Rate: test.rate, Force: test.force}, p)
		interval := ""
		if test.space != "" {
			interval = "1"
		}
		if got[0][ie.SamplingSpace] != test.space || got[0][ie.SamplingInterval] != interval {
			t.Errorf("%+v: interval %q, space %q", test, got[0][ie.SamplingInterval], got[0][ie.SamplingSpace])
		}
	}
}

func TestDropReasons(t *testing.T) {
	for reason, want := range map[uint32]string{
		0: "131", 1: "131", 2: "128", 4: "133", 6: "131", 7: "131", 9: "129", 10: "129", 13: "129",
		256: "128", 257: "137", 258: "130", 259: "128", 260: "139", 261: "138", 262: "133", 1 << 30: "128",
	} {
		got, _ := decode(t, sflow.Config{}, datagram5(expanded(0, 3, 1, reason, header(ether("0806", arp)))))
		if got[0][89] != want || got[0][14] != "" {
			t.Errorf("reason %d: forwarding status %q, output %q, want %s", reason, got[0][89], got[0][14], want)
		}
	}
}

func TestTunnel(t *testing.T) {
	inner := packet4(17, udp)
	p := datagram5(compact(header(ether("86dd", packet6(4, inner)))))
	for _, test := range []struct {
		tunnel bool
		want   string
	}{
		{false, link + " 256=34525 1=86 224=68 4=4 5=40 27=2001:db8::5 28=2001:db8::7 " + header6},
		{true, link + " 1=86 224=28 " + udp4 + " " + header4},
	} {
		got, _ := decode(t, sflow.Config{Tunnel: test.tunnel}, p)
		if got, want := show(got[0], every), words(t, test.want); got != want {
			t.Errorf("tunnel %t:\ngot  %s\nwant %s", test.tunnel, got, want)
		}
	}
}

func TestAgent(t *testing.T) {
	arpSample := compact(header(ether("0806", arp)))
	for _, test := range []struct {
		address, sender string
		id              ie.ID
		want            string
	}{
		{"192.0.2.1", "192.0.2.9", 130, "192.0.2.1"},
		{"2001:db8::1", "192.0.2.9", 131, "2001:db8::1"},
		{"::ffff:192.0.2.1", "192.0.2.9", 131, "::ffff:192.0.2.1"},
		{"", "192.0.2.9", 130, "192.0.2.9"},
		{"0.0.0.0", "2001:db8::9", 131, "2001:db8::9"},
		{"", "::ffff:192.0.2.9", 130, "192.0.2.9"},
	} {
		r := newReceiver(t)
		x := sflow.NewExporter(netip.MustParseAddr(test.sender), sflow.Config{Sink: r.sink})
		p := append(xdr{}.u32(5).address(test.address).u32(7, 1, 2, 1), arpSample...)
		if err := x.Decode(p, arrival); err != nil {
			t.Fatal(err)
		}
		if row := r.all()[0]; row[test.id] != test.want || row[130] != "" && row[131] != "" {
			t.Errorf("agent %q from %s: %q, %q", test.address, test.sender, row[130], row[131])
		}
	}
}

// TestPassedOver has what makes no record, between two that do.
func TestPassedOver(t *testing.T) {
	one := compact(header(ether("0806", arp)))
	user := structure(1004, xdr{}.u32(106).opaque([]byte("alice")).u32(106).opaque([]byte("b")))
	url := structure(1005, xdr{}.u32(1).opaque([]byte("http://example.net/")).opaque([]byte("example.net")))
	foreign := structure(4300<<12|1, raw("01020304"))
	for _, test := range []struct {
		name   string
		sample xdr
		want   sflow.Stats
	}{
		{"counters", structure(2, xdr{}.u32(1, 3, 0)), sflow.Stats{Counters: 1}},
		{"expanded counters", structure(4, xdr{}.u32(1, 0, 3, 0)), sflow.Stats{Counters: 1}},
		{"discarded packet", structure(5, xdr{}.u32(1, 0, 3, 0, 3, 4, 258, 0)), sflow.Stats{Discards: 1}},
		{"another enterprise's sample", structure(4300<<12|1, raw("0102030405")), sflow.Stats{Skipped: 1}},
		{"a format of the future", structure(9, nil), sflow.Stats{Skipped: 1}},
		{"a sample without a packet", compact(switched(1, 2), user, url, foreign, structure(1014, make(xdr, 40))), sflow.Stats{Samples: 1, Skipped: 4}},
		{"an empty sample", compact(), sflow.Stats{Samples: 1}},
		{"a packet with all that", compact(user, url, foreign, header(ether("0806", arp))), sflow.Stats{Samples: 1, Records: 1, Skipped: 3}},
	} {
		rows, got := decode(t, sflow.Config{}, datagram5(one, test.sample, one))
		want := test.want
		want.Datagrams, want.Samples, want.Records = 1, want.Samples+2, want.Records+2
		if got != want || len(rows) != int(want.Records) {
			t.Errorf("%s: %d records, %+v, want %+v", test.name, len(rows), got, want)
		}
	}
}

// TestTwice has structures of one kind twice, the second of them broken or not.
func TestTwice(t *testing.T) {
	one := header(ether("0800", packet4(6, tcp)))
	path := gateway("203.0.113.9", xdr{}.u32(1, 2).array(64510), 7)
	for _, test := range []struct {
		name   string
		sample xdr
		want   string
	}{
		{"headers", compact(one, header(ether("0806", arp))), link4("10=3 14=4")},
		{"headers, one broken", compact(structure(1, xdr{}.u32(6, 9, 9, 9)), one), link4("10=3 14=4")},
		{"routers", compact(one, routed("203.0.113.1", 1, 2), routed("2001:db8::1", 3, 4)), link4("10=3 14=4 62=2001:db8::1 9=3 13=4")},
		{"gateways", compact(one, gateway("", xdr{}.u32(0)), path),
			link4("10=3 14=4 18=203.0.113.9 16=64501 17=64510 128=64510 129=64502 291=0004001100040000fbfe 485=000301e3000400000007")},
		{"gateways, one broken", compact(one, path, structure(1003, xdr{}.u32(0, 1, 2, 3, 1, 2).array(9, 9))),
			link4("10=3 14=4 18=203.0.113.9 16=64501 17=64510 128=64510 129=64502")},
	} {
		r := newReceiver(t)
		x := sflow.NewExporter(netip.MustParseAddr(agent), sflow.Config{Sink: r.sink})
		err := x.Decode(datagram5(test.sample), arrival)
		if broken := strings.HasSuffix(test.name, "broken"); broken != (err != nil) {
			t.Errorf("%s: error %v", test.name, err)
		}
		if got, want := show(r.all()[0], every), words(t, test.want); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, want)
		}
	}
}

// TestLongerStructures have something behind what is known of them.
func TestLongerStructures(t *testing.T) {
	more := func(w xdr) xdr { // a structure with eight bytes more
		return xdr{}.tagged(uint32(w[2])<<8|uint32(w[3]), append(w[8:len(w):len(w)], make([]byte, 8)...))
	}
	p := datagram5(compact(more(header(ether("0800", packet4(6, tcp)))), more(switched(1, 2)), more(routed("203.0.113.1", 1, 2))))
	got, _ := decode(t, sflow.Config{}, append(p, 1, 2, 3))
	if got, want := show(got[0], every), words(t, link4("10=3 14=4 58=1 59=2 15=203.0.113.1 9=1 13=2")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
