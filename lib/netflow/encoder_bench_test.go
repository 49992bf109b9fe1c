package netflow

import (
	"math/rand/v2"
	"testing"

	"nfpipe/lib/flow"
)

// BenchmarkEncode encodes batches of records of 17 fields.
func BenchmarkEncode(b *testing.B) {
	shape := flow.ShapeOf(152, 153, 8, 12, 7, 11, 6, 4, 5, 2, 1, 10, 14, 16, 17, 9, 13)
	r := rand.New(rand.NewPCG(1, 2))
	build := flow.NewBuilder()
	l, _ := build.Layout(shape)
	for range flow.MaxRecords {
		l.Next()
		start := uint64(arrival) - r.Uint64N(300e9)
		for i, c := range l.Cols {
			switch i {
			case 0:
				c.PutInt(start)
			case 1:
				c.PutInt(start + r.Uint64N(10e9))
			case 2, 3:
				c.Put4(0x0a000000 + uint32(r.IntN(20000)))
			case 9, 10:
				c.PutInt(r.Uint64N(1 << 20))
			default:
				c.PutInt(r.Uint64N(256))
			}
		}
	}
	batch := build.Batch()
	for name, version := range map[string]uint16{"v5": 5, "v9": 9, "IPFIX": 10} {
		b.Run(name, func(b *testing.B) {
			e, err := NewEncoder(Encoding{Version: version})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			bytes := 0
			for b.Loop() {
				if err := e.Encode(batch, arrival, func(m *Message) error { bytes += len(m.Data); return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/flow.MaxRecords, "ns/record")
		})
	}
}
