package netflow

import (
	"math/rand/v2"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
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

// BenchmarkEncodeMixed encodes records of two shapes and eight exporters in any order, most of them
// sampled.
func BenchmarkEncodeMixed(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	build := flow.NewBuilder()
	four := flow.ShapeOf(152, 153, 8, 12, 7, 11, 6, 4, 5, 2, 1, 10, 14, 16, 17, 9, 13, 130, 149, 258, ie.SamplingInterval, ie.SamplingSpace)
	six := flow.ShapeOf(152, 153, 27, 28, 7, 11, 6, 4, 5, 2, 1, 10, 14, 16, 17, 29, 30, 130, 149, 258)
	for range flow.MaxRecords {
		shape := four
		if r.IntN(8) == 0 {
			shape = six
		}
		l, _ := build.Layout(shape)
		l.Next()
		start := uint64(arrival) - r.Uint64N(300e9)
		for i, c := range l.Cols {
			switch {
			case i == 0 || i == 1 || i == 19:
				c.PutInt(start)
			case shape[i].ID == 130:
				c.Put4(uint32(0x0a000001 + r.IntN(8)))
			case shape[i].ID == 149 || shape[i].ID == ie.SamplingInterval:
				c.PutInt(1)
			case shape[i].ID == ie.SamplingSpace:
				c.PutInt(uint64(99))
			case shape[i].ID == 8 || shape[i].ID == 12:
				c.Put4(0x0a000000 + uint32(r.IntN(20000)))
			case shape[i].ID == 27 || shape[i].ID == 28:
				c.Put6(column.V6{Hi: 0x20010db8 << 32, Lo: uint64(r.IntN(20000))})
			default:
				c.PutInt(r.Uint64N(256))
			}
		}
	}
	batch := build.Batch()
	for name, version := range map[string]uint16{"v5": 5, "v9": 9, "IPFIX": 10} {
		b.Run(name, func(b *testing.B) {
			e, _ := NewEncoder(Encoding{Version: version})
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Encode(batch, arrival, func(m *Message) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/flow.MaxRecords, "ns/record")
		})
	}
}

// TestEncodeAllocates checks that what is allocated for a batch does not grow with its records and
// messages, once the encoder has its memory.
func TestEncodeAllocates(t *testing.T) {
	batch := func(n int) *flow.Batch {
		b := flow.NewBuilder()
		plain, _ := b.Layout(flow.ShapeOf(8, 12, 2, 152, 153, 130, ie.SamplingInterval, ie.SamplingSpace))
		list, _ := b.Layout(flow.Shape{{ID: 8, Len: 4}, {ID: subList, Len: flow.Variable}, {ID: 82, Len: flow.Variable}})
		stored := join(uint8(1), tmpl(400, el(7, 2), el(11, 2)), uint8(3), uint16(400), uint32(1), uint32(2))
		for i := range n {
			plain.Next()
			plain.Cols[0].Put4(uint32(i))
			plain.Cols[1].Put4(7)
			plain.Cols[5].Put4(uint32(i % 5))
			for k, x := range map[int]uint64{2: uint64(i), 3: at, 4: at, 6: 1, 7: uint64(i % 3)} {
				plain.Cols[k].PutInt(x)
			}
			list.Next()
			list.Cols[0].Put4(uint32(i))
			list.Cols[1].PutBytes(stored)
			list.Cols[2].PutBytes([]byte("eth0"))
		}
		return b.Batch()
	}
	for _, e := range []Encoding{{Version: 5, Size: 200}, {Version: 9, Size: 200}, {Version: 10, Size: 200}} {
		allocs := func(n int) float64 {
			x, _ := NewEncoder(e)
			b := batch(n)
			messages := 0
			once := func() {
				if err := x.Encode(b, arrival, func(*Message) error { messages++; return nil }); err != nil {
					t.Fatal(err)
				}
			}
			once()
			if messages < n/8 {
				t.Fatalf("%d messages", messages)
			}
			return testing.AllocsPerRun(5, once)
		}
		few, many := allocs(100), allocs(5000)
		if many > few+4 {
			t.Errorf("version %d: %v allocations for 200 records, %v for 10,000", e.Version, few, many)
		}
	}
}
