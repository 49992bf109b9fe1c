package format

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"nfpipe/lib/flow"
)

// benchBatch looks like what a border router exports: addresses and ports that repeat, times
// that run on with the records.
func benchBatch(tb testing.TB, n int) *flow.Batch {
	r := rand.New(rand.NewPCG(3, 4))
	b := flow.NewBuilder()
	four, ok := b.Layout(flow.ShapeOf(8, 12, 7, 11, 4, 6, 5, 10, 14, 16, 17, 2, 1, 152, 153, 258))
	six, ok6 := b.Layout(flow.ShapeOf(27, 28, 7, 11, 4, 6, 5, 10, 14, 16, 17, 2, 1, 152, 153, 258))
	if !ok || !ok6 {
		tb.Fatal("no layout")
	}
	now := uint64(1700000000000)
	skew := func(n uint64) uint64 { return uint64(r.ExpFloat64()*float64(n)) % (n * 8) }
	for i := range n {
		l := four
		if i%8 == 0 {
			l = six
		}
		l.Next()
		for k := range 2 {
			h := skew(4000)*2654435761 + uint64(k)
			if l == four {
				l.Cols[k].Put4(uint32(h))
				continue
			}
			var a [16]byte
			copy(a[:], "\x20\x01\x0d\xb8")
			binary.BigEndian.PutUint64(a[8:], h*h)
			l.Cols[k].Put16(a[:])
		}
		first := now - r.Uint64N(60000)
		packets := 1 + skew(10)
		values := []uint64{1024 + r.Uint64N(60000), []uint64{443, 80, 53, 1024 + r.Uint64N(60000)}[r.IntN(4)], []uint64{6, 6, 6, 17}[r.IntN(4)],
			[]uint64{0x1b, 0x02, 0x18, 0x13}[r.IntN(4)], 0, skew(20), skew(20), skew(300), skew(300), packets, packets * (40 + r.Uint64N(1400)),
			first * 1e6, (first + r.Uint64N(60000)) * 1e6, now * 1e6}
		for k, x := range values {
			l.Cols[k+2].PutInt(x)
		}
		if i%30 == 0 {
			now += 5
		}
	}
	return encoded(b.Batch())
}

// fresh is b as it comes from a file: encoded, nothing decoded yet.
func fresh(b *flow.Batch) *flow.Batch {
	c := &flow.Batch{N: b.N, Shapes: b.Shapes}
	bare := func(c *flow.Column) flow.Column {
		return flow.Column{Key: c.Key, Block: c.Block, Ref: c.Ref, Shapes: c.Shapes}
	}
	c.Codes = bare(&b.Codes)
	for i := range b.Cols {
		c.Cols = append(c.Cols, bare(&b.Cols[i]))
	}
	return c
}

func BenchmarkBatch(b *testing.B) {
	batch := benchBatch(b, 65536)
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	for _, mode := range []string{"line", "long", "extended", "csv", "json", "ndjson", "fmt:%ts , %te , %sa"} {
		b.Run(mode, func(b *testing.B) {
			p, err := New(mode, Options{Location: loc})
			if err != nil {
				b.Fatal(err)
			}
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				in := fresh(batch)
				if out, err = p.Batch(out[:0], in, 0); err != nil {
					b.Fatal(err)
				}
				in.Release()
			}
			b.SetBytes(int64(len(out)))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.N), "ns/record")
		})
	}
}
