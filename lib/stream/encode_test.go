package stream

import (
	"math/rand/v2"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// BenchmarkEncodeFrame encodes full frames of records whose ports, counters, times and address
// functions are spread as traffic spreads them.
func BenchmarkEncodeFrame(b *testing.B) {
	src := someBatch(rand.New(rand.NewPCG(41, 42)), flow.MaxRecords)
	b.ReportAllocs()
	octets := 0
	for b.Loop() {
		cols := append([]flow.Column(nil), src.Cols...)
		f, err := EncodeFrame(&flow.Batch{N: src.N, Shapes: src.Shapes, Cols: cols, Codes: src.Codes}, column.None, false)
		if err != nil {
			b.Fatal(err)
		}
		octets = f.Len()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(src.N), "ns/record")
	b.ReportMetric(float64(octets)/float64(src.N), "bytes/record")
}
