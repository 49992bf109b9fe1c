package sflow_test

import (
	"fmt"
	"slices"
	"testing"

	"nfpipe/lib/ie"
	"nfpipe/lib/sflow"
)

// flow4 is a flow sample of versions 4 and 2.
func flow4(rate, in, out uint32, packet xdr, extensions ...xdr) xdr {
	w := append(xdr{}.u32(1, 1, 3, rate, 5000, 0, in, out), packet...)
	return append(w.u32(uint32(len(extensions))), slices.Concat(extensions...)...)
}

func header4of(protocol uint32, frame []byte) xdr {
	return xdr{}.u32(1, protocol, uint32(len(frame))+4).opaque(frame)
}

func counters4(kind uint32, size int) xdr {
	return append(xdr{}.u32(2, 1, 3, 30, kind), make([]byte, size)...)
}

// every4 is what all records of versions 4 and 2 have in common.
var every4 = map[ie.ID]string{
	2: "1", 149: "0", 130: agent,
	156: fmt.Sprint(arrival), 157: fmt.Sprint(arrival), 258: fmt.Sprint(arrival),
}

func TestVersions4And2(t *testing.T) {
	tcpHeader := header4of(1, ether("0800", packet4(6, tcp)))
	tests := []struct {
		name    string
		version uint32
		sample  xdr
		want    string
	}{
		{"header", 4, flow4(1, 3, 4, tcpHeader), link4("10=3 14=4")},
		{"header", 2, flow4(400, 3, 4, tcpHeader), link4("10=3 14=4 interval=1 space=399")},
		{"IPv4 header", 4, flow4(1, 3, 4, header4of(11, packet4(6, tcp))), ports("1=44 224=40 " + tcp4 + " " + header4)},
		{"MPLS header", 4, flow4(1, 3, 4, header4of(13, append(raw("000101ff"), packet4(6, tcp)...))),
			ports("1=48 224=40 70=000101 " + tcp4 + " " + header4)},
		{"IPv4 fields", 4, flow4(1, 3, 4, xdr{}.u32(2, 300, 6).fixed(ip4).u32(12345, 80, 24, 40)), ports("1=300 224=300 " + tcp4)},
		{"IPv6 fields", 2, flow4(1, 3, 4, xdr{}.u32(3, 300, 17).fixed(ip6).u32(1024, 53, 0, 40)), ports("1=300 224=300 " + udp6)},
		{"several outputs", 4, flow4(1, 3, 1<<31|2, tcpHeader), link4("10=3 99=2")},
		{"large index", 4, flow4(1, 1<<30+1, 1<<30+2, tcpHeader), link4("10=1073741825 14=1073741826")},
		{"switch, router", 4, flow4(1, 3, 4, tcpHeader, xdr{}.u32(1, 100, 0, 200, 0), xdr{}.u32(2).address("203.0.113.1").u32(24, 16)),
			link4("10=3 14=4 58=100 59=200 15=203.0.113.1 9=24 13=16")},
		{"gateway", 4, flow4(1, 3, 4, tcpHeader, xdr{}.u32(3, 64500, 64501, 64502, 1, 2).array(64510, 64512).array(7).u32(100)),
			link4("10=3 14=4 16=64501 17=64512 128=64510 129=64502 291=0004001100040000fbfe0000fc00 485=000301e3000400000007")},
		{"gateway", 2, flow4(1, 3, 4, tcpHeader, xdr{}.u32(3, 64500, 64501, 64502).array(64510, 64512)),
			link4("10=3 14=4 16=64501 17=64512 128=64510 129=64502 291=0004001100040000fbfe0000fc00")},
		{"user, URL and switch", 4, flow4(1, 3, 4, tcpHeader, xdr{}.u32(4).opaque([]byte("alice")).opaque([]byte("b")),
			xdr{}.u32(5, 1).opaque([]byte("http://example.net/")), xdr{}.u32(1, 100, 0, 200, 0)), link4("10=3 14=4 58=100 59=200")},
	}
	for _, test := range tests {
		name := fmt.Sprintf("%s, version %d", test.name, test.version)
		got, stats := decode(t, sflow.Config{}, datagram4(test.version, test.sample))
		if len(got) != 1 || stats.Records != 1 {
			t.Fatalf("%s: %d records, %+v", name, len(got), stats)
		}
		if got, want := show(got[0], every4), words(t, test.want); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
		if v := test.version; v == 4 {
			again, _ := decode(t, sflow.Config{}, datagram4(v, counters4(1, 88), test.sample, test.sample))
			if len(again) != 2 || show(again[1], nil) != show(got[0], nil) {
				t.Errorf("%s: behind counters and a sample there is something else", name)
			}
		}
	}
}

// TestCounters4 has counters of every type before a sample: their length must be right.
func TestCounters4(t *testing.T) {
	samples := []xdr{counters4(1, 88), counters4(2, 140), counters4(3, 160), counters4(4, 88), counters4(5, 168), counters4(6, 88), counters4(7, 28)}
	samples = append(samples, flow4(1, 3, 4, header4of(1, ether("0806", arp))))
	got, stats := decode(t, sflow.Config{}, datagram4(4, samples...))
	if len(got) != 1 || stats.Counters != 7 || stats.Samples != 1 {
		t.Errorf("%d records, %+v", len(got), stats)
	}
}
