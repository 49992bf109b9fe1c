package sflow_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/sflow"
)

// whole are datagrams that have everything that is decoded.
func whole() map[string]xdr {
	version4 := datagram4(4, counters4(2, 140),
		flow4(512, 3, 4, header4of(1, ether("0800", packet4(6, tcp))), xdr{}.u32(1, 100, 0, 200, 0), xdr{}.u32(2).address("203.0.113.1").u32(24, 16),
			xdr{}.u32(3, 64500, 64501, 64502, 1, 2).array(64510, 64512).array(7).u32(100), xdr{}.u32(4).opaque([]byte("alice")).opaque([]byte("b")),
			xdr{}.u32(5, 1).opaque([]byte("http://example.net/"))),
		flow4(1, 3, 1<<31, xdr{}.u32(2, 300, 6).fixed(ip4).u32(12345, 80, 24, 40)))
	version2 := datagram4(2,
		flow4(1, 3, 4, xdr{}.u32(3, 300, 17).fixed(ip6).u32(1024, 53, 0, 40), xdr{}.u32(3, 64500, 64501, 64502).array(64510, 64512)))
	parts := datagram5(
		compact(sampledIP(3, 6, 1, 2, 3, 4), sampledEther(0x0800), structure(1012, xdr{}.array(0x88a8012c)),
			structure(1006, xdr{}.address("203.0.113.1").array(0x00010040).array(1, 2)),
			structure(1007, xdr{}.address("203.0.113.2").address("2001:db8::3")), structure(1020, xdr{}.u32(1, 2))),
		expanded(0, 3, 1, 258, sampledIP(4, 17, 1, 2, 3, 4)),
		structure(5, make(xdr, 32)))
	return map[string]xdr{"mixed": mixed(), "parts": parts, "version 4": version4, "version 2": version2}
}

// place is what every error of a damaged sample begins with.
var place = regexp.MustCompile(`^sflow: offset \d+, sample \d+: `)

// attack decodes a datagram of whatever bytes and checks what holds for all of them.
func attack(t *testing.T, p []byte) (sflow.Stats, error) {
	t.Helper()
	r := newReceiver(t)
	x := sflow.NewExporter(netip.MustParseAddr(agent), sflow.Config{Sink: r.sink, Tunnel: len(p)%2 == 0})
	err := x.Decode(p, arrival)
	s := x.Stats()
	if n := len(r.all()); uint64(n) != s.Records || s.Records > s.Samples || s.Bad > 1 || (s.Bad == 1) != (err != nil) {
		t.Fatalf("%x: %d records, error %v, %+v", p, n, err, s)
	}
	if s.LostDatagrams+s.LostSamples+s.Gaps > uint64(len(p))<<16 {
		t.Fatalf("%x: %+v", p, s)
	}
	return s, err
}

// TestCut cuts datagrams at every byte.
func TestCut(t *testing.T) {
	for name, p := range whole() {
		all, err := attack(t, p)
		if err != nil || all.Samples < 1 {
			t.Fatalf("%s: %+v, %v", name, all, err)
		}
		before := uint64(0)
		for n := range len(p) {
			s, err := attack(t, p[:n])
			if err == nil {
				t.Errorf("%s: no error when cut to %d of %d bytes", name, n, len(p))
			} else if n >= 40 && !place.MatchString(err.Error()) {
				t.Errorf("%s: cut to %d: %v", name, n, err)
			}
			if s.Records < before {
				t.Errorf("%s: cut to %d of %d bytes: %d records, %d with less", name, n, len(p), s.Records, before)
			}
			before = s.Records
		}
	}
}

// TestNumbers puts large and odd numbers in the place of every one in a datagram.
func TestNumbers(t *testing.T) {
	for name, p := range whole() {
		start := time.Now()
		for at := 0; at+4 <= len(p); at += 4 {
			for _, n := range []uint32{0, 1, 2, 3, 5, 7, 1 << 12, 1<<16 - 1, 1 << 30, 1<<31 - 1, 1 << 31, 1<<32 - 4, 1<<32 - 1} {
				q := slices.Clone(p)
				binary.BigEndian.PutUint32(q[at:], n)
				attack(t, q)
			}
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// TestFaults says what a fault costs, and where it is said to be.
func TestFaults(t *testing.T) {
	one := compact(header(ether("0806", arp)))
	good := header(ether("0800", packet4(6, tcp)))
	head := len(datagram5())
	tests := []struct {
		name    string
		p       xdr
		err     string
		records int
	}{
		{"empty", nil, "sflow: offset 0: the header of the datagram is damaged or cut off", 0},
		{"version 3", xdr{}.u32(3, 1, 2, 3), "sflow: version 3", 0},
		{"unknown address", xdr{}.u32(5, 3, 0, 0, 0, 0, 0, 0), "sflow: offset 8: the header", 0},
		{"more samples than there are", append(xdr{}.u32(5).address(agent).u32(7, 1, 2, 1<<32-1), one...), "sample 2: sample is cut off", 1},
		{"sample longer than the datagram", datagram5(one, xdr{}.u32(1, 1<<32-1), one), "sample 2: sample is cut off", 1},
		{"sample too short", datagram5(one, structure(1, xdr{}.u32(1, 2, 3)), one), "sample 2: flow sample is cut off", 2},
		{"structure longer than its sample", datagram5(compact(good, xdr{}.u32(1001, 17, 1, 2, 3, 4)), one), "sample 1: structure is cut off", 2},
		{"more structures than there are", datagram5(structure(1, append(xdr{}.u32(1, 3, 1, 0, 0, 3, 4, 1<<32-1), good...)), one), "sample 1: structure is cut off", 2},
		{"switch too short", datagram5(compact(good, structure(1001, xdr{}.u32(1, 2, 3))), one), "sample 1: structure 1001 contradicts its length", 2},
		{"header longer than its structure", datagram5(compact(structure(1, xdr{}.u32(1, 64, 4, 1<<32-1, 5))), one), "sample 1: structure 1 contradicts its length", 1},
		{"header one byte too long", datagram5(compact(structure(1, xdr{}.u32(1, 64, 4, 5, 5))), one), "sample 1: structure 1 contradicts its length", 1},
		{"path of 2^32-1 segments", datagram5(compact(good, structure(1003, xdr{}.u32(0, 1, 2, 3, 1<<32-1, 2, 0))), one), "sample 1: structure 1003 contradicts its length", 2},
		{"segment of 2^30 numbers", datagram5(compact(good, structure(1003, xdr{}.u32(0, 1, 2, 3, 1, 2, 1<<30, 5, 5))), one), "sample 1: structure 1003 contradicts its length", 2},
		{"path of 1001 numbers", datagram5(compact(good, structure(1003, xdr{}.u32(0, 1, 2, 3, 1, 2).array(make([]uint32, 1001)...).u32(0, 0))), one), "sample 1: structure 1003 contradicts its length", 2},
		{"label stack of 2^30 labels", datagram5(compact(good, structure(1006, xdr{}.u32(0, 1<<30, 5))), one), "sample 1: structure 1006 contradicts its length", 2},
		{"next hop of an unknown family", datagram5(compact(good, structure(1002, xdr{}.u32(9, 1, 2, 3))), one), "sample 1: structure 1002 contradicts its length", 2},
		{"port of 17 bits", datagram5(compact(sampledIP(3, 6, 1<<16, 2, 3, 4), good), one), "sample 1: structure 3 contradicts its length", 2},
		{"two faults", datagram5(compact(good, structure(1001, nil)), structure(1, nil), one), "sample 1: structure 1001", 2},
		{"version 4: unknown sample", datagram4(4, flow4(1, 3, 4, header4of(1, arp)), xdr{}.u32(3), flow4(1, 3, 4, header4of(1, arp))), "sample 2: sample is cut off or of an unknown form", 1},
		{"version 4: unknown extension", datagram4(4, flow4(1, 3, 4, header4of(1, arp), xdr{}.u32(6)), flow4(1, 3, 4, header4of(1, arp))), "sample 1: sample is cut off or of an unknown form", 0},
		{"version 4: unknown packet", datagram4(4, flow4(1, 3, 4, xdr{}.u32(4))), "sample 1: ", 0},
		{"version 4: unknown counters", datagram4(4, counters4(8, 28)), "sample 1: ", 0},
		{"version 4: counters cut off", datagram4(4, counters4(2, 139)), "sample 1: ", 0},
		{"version 4: 2^32-1 extensions", datagram4(4, append(flow4(1, 3, 4, header4of(1, arp))[:len(flow4(1, 3, 4, header4of(1, arp)))-4], xdr{}.u32(1<<32-1)...)), "sample 1: ", 0},
	}
	for _, test := range tests {
		s, err := attack(t, test.p)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: error %v, want %s", test.name, err, test.err)
		}
		if s.Records != uint64(test.records) {
			t.Errorf("%s: %d records, want %d", test.name, s.Records, test.records)
		}
	}
	_, err := attack(t, datagram5(one, xdr{}.u32(1, 1<<32-1)))
	if want := head + len(one); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("offset %d,", want)) {
		t.Errorf("%v, want offset %d", err, want)
	}
}

// TestHostileMemory sends the largest datagrams that claim most, and looks at what stays.
func TestHostileMemory(t *testing.T) {
	path := xdr{}.u32(1, 2).array(make([]uint32, 900)...)
	big := compact(header(ether("0806", arp)), gateway("", path, make([]uint32, 900)...))
	samples := []xdr{compact(headerOf(13, make([]byte, 9000)))}
	for size := 0; size+len(big) < 50_000; size += len(big) {
		samples = append(samples, big)
	}
	p := datagram5(samples...)
	sink := flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		b.Reset()
		return b
	})
	exporters := make([]*sflow.Exporter, 200)
	before := inUse()
	for i := range exporters {
		exporters[i] = sflow.NewExporter(netip.MustParseAddr(agent), sflow.Config{Sink: sink})
		if err := exporters[i].Decode(p, arrival); err != nil {
			t.Fatal(err)
		}
		sink.Flush()
	}
	if each := (inUse() - before) / int64(len(exporters)); each > 32<<10 {
		t.Errorf("an exporter keeps %d bytes", each)
	}
	for i := range uint32(1000) { // bytes allocated for a datagram that is refused
		q := append(xdr{}.u32(5).address(agent).u32(i, 1, 2, 1<<32-1), make(xdr, 8)...)
		exporters[0].Decode(q, arrival)
	}
	if n := testing.AllocsPerRun(100, func() { exporters[0].Decode(p[:1000], arrival) }); n > 10 {
		t.Errorf("%v allocations for a refused datagram", n)
	}
}
