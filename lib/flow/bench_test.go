package flow_test

import (
	"math/rand/v2"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

const benchRecords = 50000

// traffic is n records of 20 columns and as many shapes as asked: TCP, then ICMP, then IPv6.
func traffic(b *flow.Builder, r *rand.Rand, n, shapes int) {
	kinds := [][]ie.ID{
		{8, 12, 4, 7, 11, 6, 2, 1, 152, 153, 10, 14, 16, 17, 9, 13, 5, 61, 136, 130},
		{8, 12, 4, 32, 2, 1, 152, 153, 10, 14, 16, 17, 9, 13, 5, 61, 136, 130},
		{27, 28, 4, 7, 11, 6, 2, 1, 152, 153, 10, 14, 16, 17, 29, 30, 5, 61, 136, 130},
	}
	var layouts []*flow.Layout
	for _, ids := range kinds[:shapes] {
		l, ok := b.Layout(flow.ShapeOf(ids...))
		if !ok {
			panic("no room")
		}
		layouts = append(layouts, l)
	}
	s := 0
	for i := range n {
		if i&7 == 0 {
			s = r.IntN(len(layouts))
		}
		l := layouts[s]
		l.Next()
		x := r.Uint64()
		for c, col := range l.Cols {
			switch {
			case col.Kind() == column.Int:
				col.PutInt(x >> (8 + c&31) & 0xffff)
			case s == 2:
				col.Put6(column.V6{Hi: 0x20010db800000000, Lo: x >> (c & 1) & 0x3fff})
			default:
				col.Put4(uint32(x) >> (c & 1) & 0x3fff)
			}
		}
	}
}

func benchBatch(b testing.TB, shapes int) *flow.Batch {
	w := flow.NewBuilder()
	traffic(w, rand.New(rand.NewPCG(1, 1)), benchRecords, shapes)
	batch := w.Batch()
	if err := batch.Decode(); err != nil {
		b.Fatal(err)
	}
	return batch
}

// again is b with its decoded columns and nothing else remembered.
func again(b *flow.Batch) *flow.Batch {
	return &flow.Batch{N: b.N, Shapes: b.Shapes, Codes: b.Codes, Cols: b.Cols, Sel: b.Sel}
}

// perRecord reports what a record took.
func perRecord(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRecords, "ns/record")
	b.ReportAllocs()
}

func BenchmarkPut20(b *testing.B) {
	// Making up the values is a third of it.
	w := flow.NewBuilder()
	r := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		traffic(w, r, benchRecords, 1)
		w.Reset()
	}
	perRecord(b)
}

func BenchmarkPutAndBatch20(b *testing.B) {
	w := flow.NewBuilder()
	r := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		traffic(w, r, benchRecords, 1)
		w.Batch()
		w.Reset()
	}
	perRecord(b)
}

func BenchmarkReset512(b *testing.B) {
	w := flow.NewBuilder()
	ids := make([]ie.ID, 512)
	for i := range ids {
		ids[i] = ie.ID(i + 1)
	}
	if _, ok := w.Layout(flow.ShapeOf(ids...)); !ok {
		b.Fatal("no room")
	}
	for b.Loop() {
		w.Reset()
	}
	b.ReportAllocs()
}

func benchField(b *testing.B, shapes int, names ...string) {
	batch := benchBatch(b, shapes)
	for b.Loop() {
		x := again(batch)
		for _, name := range names {
			if _, err := x.Scaled(named(name)); err != nil {
				b.Fatal(err)
			}
		}
		x.Release()
	}
	perRecord(b)
}

func BenchmarkFieldOneShape(b *testing.B)        { benchField(b, 1, "srcport") }
func BenchmarkFieldThreeShapes(b *testing.B)     { benchField(b, 3, "srcport") }
func BenchmarkFieldThreeShapesAddr(b *testing.B) { benchField(b, 3, "srcip4") }
func BenchmarkDuration(b *testing.B)             { benchField(b, 3, "duration") }
func BenchmarkBitsPerSecond(b *testing.B)        { benchField(b, 3, "bps") }

func BenchmarkPresence(b *testing.B) {
	for _, form := range []string{"plain", "dictionary"} {
		b.Run(form, func(b *testing.B) {
			batch := benchBatch(b, 3)
			if form == "dictionary" {
				codes, err := batch.ShapeCodes()
				if err != nil {
					b.Fatal(err)
				}
				d := &column.Vec{Kind: column.Int, Form: column.Dict, N: batch.N, Ints: []uint64{0, 1, 2}}
				for _, s := range codes.Ints {
					d.Codes = append(d.Codes, uint16(s))
				}
				batch.Codes.SetVec(d)
			}
			for b.Loop() {
				if _, err := again(batch).Presence(2); err != nil {
					b.Fatal(err)
				}
			}
			perRecord(b)
		})
	}
}

func BenchmarkCompact(b *testing.B) {
	for _, x := range []struct {
		name        string
		one, shapes int
	}{{"1percent", 100, 3}, {"50percent", 2, 3}, {"50percentOneShape", 2, 1}} {
		b.Run(x.name, func(b *testing.B) {
			batch := benchBatch(b, x.shapes)
			r := rand.New(rand.NewPCG(2, 2))
			batch.Sel = flow.NewBitmap(batch.N)
			for i := range batch.N {
				if r.IntN(x.one) == 0 {
					batch.Sel.Set(i)
				}
			}
			for b.Loop() {
				c, err := again(batch).Compact()
				if err != nil {
					b.Fatal(err)
				}
				c.Release()
			}
			perRecord(b)
		})
	}
}

func BenchmarkSum(b *testing.B) {
	for _, shapes := range []int{1, 3} {
		b.Run([]string{1: "one shape", 3: "three shapes"}[shapes], func(b *testing.B) {
			batch := benchBatch(b, shapes)
			for b.Loop() {
				x := again(batch)
				if _, err := x.Sum(); err != nil {
					b.Fatal(err)
				}
				x.Release()
			}
			perRecord(b)
		})
	}
}
