package netflow

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"

	"nfpipe/lib/flow"
)

// TestMemoryOfExporters: 10,000 exporters with 10 templates each, all in use, take little.
func TestMemoryOfExporters(t *testing.T) {
	sink := flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder { b.Reset(); return b })
	template, data := benchPackets(1)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var xs []*Exporter
	var shared Layouts
	for i := range 10000 {
		x := NewExporter(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Config{Sink: sink, Layouts: &shared})
		for k := range 10 {
			binary.BigEndian.PutUint16(template[24:], uint16(300+k))
			if err := x.Decode(template, 1); err != nil {
				t.Fatal(err)
			}
			binary.BigEndian.PutUint16(data[0][20:], uint16(300+k))
			if err := x.Decode(data[0], 1); err != nil {
				t.Fatal(err)
			}
		}
		xs = append(xs, x)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	mb := (after.HeapAlloc - before.HeapAlloc) >> 20
	t.Logf("%d MB", mb)
	if mb > 150 {
		t.Errorf("%d exporters take %d MB", len(xs), mb)
	}
	runtime.KeepAlive(xs)
}
