package sflow_test

import (
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/sflow"
)

// numbered is a datagram of a sub-agent with samples of a source.
func numbered(sub, datagram uint32, samples ...xdr) xdr {
	w := xdr{}.u32(5).address(agent).u32(sub, datagram, 5000, uint32(len(samples)))
	return append(w, slices.Concat(samples...)...)
}

// from is a sample of a data source.
func from(source, number, drops uint32) xdr {
	w := xdr{}.u32(number, source, 1, 5000, drops, 3, 4, 1)
	return xdr{}.tagged(1, append(w, header(ether("0806", arp))...))
}

// TestLosses feeds datagrams of two sub-agents and samples of three sources.
func TestLosses(t *testing.T) {
	r := newReceiver(t)
	x := sflow.NewExporter(netip.MustParseAddr(agent), sflow.Config{Sink: r.sink})
	for i, step := range []struct {
		p                         xdr
		gaps, lost, samples, drop uint64
	}{
		{numbered(0, 10, from(1, 50, 7), from(2, 90, 0)), 0, 0, 0, 0},
		{numbered(0, 11, from(1, 51, 7)), 0, 0, 0, 0},
		{numbered(1, 80, from(1, 7, 100)), 0, 0, 0, 0},                // a source of another sub-agent
		{numbered(0, 14, from(1, 55, 9), from(2, 91, 1)), 1, 2, 3, 3}, // 12, 13; 52, 53, 54
		{numbered(0, 12, from(1, 53, 8)), 1, 1, 2, 3},                 // late, with an older count of drops
		{numbered(1, 82), 2, 2, 2, 3},
		{numbered(0, 15, from(1<<24|1, 3, 0)), 2, 2, 2, 3}, // a VLAN of the same number
		{numbered(0, 16, from(1, 56, 9)), 2, 2, 2, 3},
		{numbered(0, 500, from(1, 500_000, 0)), 3, 485, 2, 3}, // the sampler has begun anew
		{numbered(0, 501, from(1, 500_001, 5)), 3, 485, 2, 8},
	} {
		if err := x.Decode(step.p, arrival); err != nil {
			t.Fatal(err)
		}
		s := x.Stats()
		if got := [4]uint64{s.Gaps, s.LostDatagrams, s.LostSamples, s.Drops}; got != [4]uint64{step.gaps, step.lost, step.samples, step.drop} {
			t.Errorf("after datagram %d: gaps, lost datagrams, samples, drops are %v, want %v", i, got, step)
		}
	}
}

// TestBoundedState sends what makes an exporter remember: agents and shapes in the first half,
// sources of one agent in the second.
func TestBoundedState(t *testing.T) {
	records := 0
	sink := flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		records += b.Len()
		b.Clear()
		return b
	})
	x := sflow.NewExporter(netip.MustParseAddr(agent), sflow.Config{Sink: sink})
	const n = 20000
	shapes := manyShapes()
	var before int64
	for i := range uint32(n) {
		if i == n/10 {
			before = inUse()
		}
		p := numbered(min(i, n/2), i, from(i, 1, 0), shapes[int(i)%len(shapes)])
		if err := x.Decode(p, arrival); err != nil {
			t.Fatal(err)
		}
	}
	grown := inUse() - before
	if sink.Flush(); records != 2*n {
		t.Errorf("%d records, want %d", records, 2*n)
	}
	if grown > 4<<20 {
		t.Errorf("the exporter has grown by %d bytes", grown)
	}
	if s := x.Stats(); s.Gaps+s.LostSamples != 0 {
		t.Errorf("nothing was lost, but %+v", s)
	}
}

// inUse is the memory that is reachable.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// manyShapes are samples of different shapes, more than a batch or an exporter can hold.
func manyShapes() []xdr {
	var list []xdr
	parts := []xdr{
		header(ether("0800", packet4(6, tcp))), switched(1, 2), routed("203.0.113.1", 1, 2), gateway("", xdr{}.u32(0)),
		structure(1012, xdr{}.array(9)), structure(1006, xdr{}.address("").array(1).array()),
		structure(1007, xdr{}.address("203.0.113.2").address("203.0.113.3")), structure(1020, xdr{}.u32(1, 2)),
	}
	for i := range 1 << len(parts) {
		var some []xdr
		for j, p := range parts {
			if i>>j&1 != 0 {
				some = append(some, p)
			}
		}
		list = append(list, compact(append(some, sampledEther(0x0800))...))
	}
	return list
}

// TestNoAllocation decodes datagrams of several shapes again and again.
func TestNoAllocation(t *testing.T) {
	sink := flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		b.Reset()
		return b
	})
	x := sflow.NewExporter(netip.MustParseAddr(agent), sflow.Config{Sink: sink})
	p := mixed()
	run := func() {
		if err := x.Decode(p, arrival); err != nil {
			t.Fatal(err)
		}
		if sink.Len() > flow.MaxRecords-100 {
			sink.Flush()
		}
	}
	for range 20000 { // let the columns grow
		run()
	}
	if n := testing.AllocsPerRun(20000, run); n != 0 {
		t.Errorf("%v allocations a datagram", n)
	}
}

// mixed is a datagram of seven samples as a router sends them.
func mixed() xdr {
	frame := func(types string, packet []byte) xdr {
		return header(append(ether(types, packet), make([]byte, 60)...))
	}
	path := xdr{}.u32(1, 2).array(64510, 64511, 64512)
	return datagram5(
		sampled(512, 3, 4, frame("0800", packet4(6, tcp)), switched(100, 200), routed("203.0.113.1", 24, 16), gateway("203.0.113.9", path, 1, 2)),
		sampled(512, 3, 4, frame("0800", packet4(17, udp)), switched(100, 200), routed("203.0.113.1", 24, 16), gateway("203.0.113.9", path, 1, 2)),
		sampled(512, 3, 4, frame("86dd", packet6(17, udp)), switched(100, 200)),
		sampled(512, 3, 4, frame("8100 2064 0800", packet4(1, ping)), switched(100, 200)),
		sampled(512, 3, 4, frame("8847 00010040 00011140", packet4(6, tcp))),
		structure(2, make(xdr, 168)),
		sampled(512, 3, 4, frame("0806", arp)),
	)
}

// BenchmarkDecode decodes datagrams of seven samples: one kind each, and mixed.
func BenchmarkDecode(b *testing.B) {
	tcpFrame := header(append(ether("0800", packet4(6, tcp)), make([]byte, 74)...)) // 128 bytes
	one := sampled(512, 3, 4, tcpFrame, switched(100, 200))
	for _, bench := range []struct {
		name    string
		p       xdr
		records int
	}{
		{"tcp", datagram5(one, one, one, one, one, one, one), 7},
		{"mixed", mixed(), 6},
	} {
		b.Run(bench.name, func(b *testing.B) {
			sink := flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
				b.Reset()
				return b
			})
			x := sflow.NewExporter(netip.MustParseAddr(agent), sflow.Config{Sink: sink})
			b.SetBytes(int64(len(bench.p)))
			b.ReportAllocs()
			for b.Loop() {
				if err := x.Decode(bench.p, arrival); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*bench.records), "ns/record")
		})
	}
}
