package aggregate

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

var benchRecords = flag.Int("records", 1_000_000, "records of a benchmark's traffic")

var benchBatches []*flow.Batch

// traffic is records as a reader hands them out: encoded, addresses drawn by Zipf's law, one
// of seven IPv6, times in the order of export.
func traffic(b testing.TB) []*flow.Batch {
	if benchBatches != nil {
		return benchBatches
	}
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.35, 20, 1<<20)
	shapes := []flow.Shape{
		flow.ShapeOf(8, 12, 7, 11, 4, 6, 5, 2, 1, 152, 153),
		flow.ShapeOf(27, 28, 7, 11, 4, 6, 5, 2, 1, 152, 153),
	}
	build := flow.NewBuilder()
	clock := uint64(1_772_000_000_000)
	scramble := func(x uint64) uint64 { return x * 0x9e3779b97f4a7c15 }
	for i := range *benchRecords {
		v6 := 0
		if r.IntN(7) == 0 {
			v6 = 1
		}
		l, _ := build.Layout(shapes[v6])
		l.Next()
		for c := range 2 {
			a := scramble(zipf.Uint64() + uint64(c)<<40)
			if v6 == 0 {
				l.Cols[c].Put4(uint32(a >> 32))
			} else {
				l.Cols[c].Put6(column.V6{Hi: 0x2001_0db8_0000_0000 | a>>44, Lo: a})
			}
		}
		l.Cols[2].PutInt(uint64(1024 + r.IntN(60000)))
		l.Cols[3].PutInt([]uint64{53, 443, 443, 443, 80, 22, uint64(r.IntN(65536)), 123}[r.IntN(8)])
		l.Cols[4].PutInt([]uint64{6, 6, 6, 17}[r.IntN(4)])
		l.Cols[5].PutInt([]uint64{0x1b, 0x13, 0x02, 0x1f}[r.IntN(4)])
		l.Cols[6].PutInt(uint64(r.IntN(3)) * 32)
		packets := 1 + uint64(r.ExpFloat64()*r.ExpFloat64()*20)
		l.Cols[7].PutInt(packets)
		l.Cols[8].PutInt(packets * uint64(40+r.IntN(1460)))
		start := clock + uint64(i)/10 - uint64(r.IntN(60000))
		l.Cols[9].PutInt(start * 1e6)
		l.Cols[10].PutInt((start + uint64(r.ExpFloat64()*5000)) * 1e6)
		if build.Full() || i == *benchRecords-1 {
			benchBatches = append(benchBatches, encoded(b, build.Batch()))
			build.Reset()
		}
	}
	runtime.GC()
	return benchBatches
}

// fresh is b without what a run decoded.
func fresh(b *flow.Batch) *flow.Batch {
	c := *b
	c.Cols = append([]flow.Column(nil), b.Cols...)
	return &c
}

// addAll adds the batches on all processors, undecoded.
func addAll(b testing.TB, t *Table, batches []*flow.Batch) {
	inParallel(len(batches), func(i int) {
		c := fresh(batches[i])
		if err := t.Add(c); err != nil {
			b.Error(err)
		}
		c.Release()
	})
}

func inParallel(n int, f func(i int)) {
	var next atomic.Int32
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
}

func benchTable(b *testing.B, s Spec, o Order, n int) {
	batches := traffic(b)
	b.ReportAllocs()
	var groups, memory float64
	used := processorTime()
	var adding, giving time.Duration
	b.ResetTimer()
	for range b.N {
		t, err := New(s)
		if err != nil {
			b.Fatal(err)
		}
		at := time.Now()
		addAll(b, t, batches)
		adding += time.Since(at)
		at = time.Now()
		if err := t.Batches(o, n, func(*flow.Batch) error { return nil }); err != nil {
			b.Fatal(err)
		}
		giving += time.Since(at)
		groups, memory = float64(t.Groups()), float64(t.Memory())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*benchRecords), "ns/record")
	b.ReportMetric((processorTime()-used).Seconds()*1e3/float64(b.N), "cpu-ms")
	b.ReportMetric(adding.Seconds()*1e3/float64(b.N), "add-ms")
	b.ReportMetric(giving.Seconds()*1e3/float64(b.N), "give-ms")
	b.ReportMetric(groups, "groups")
	b.ReportMetric(memory/groups, "B/group")
}

// processorTime is what this process has used, on all processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func mustKeys(b testing.TB, list string) []Key {
	keys, err := ParseKeys(list)
	if err != nil {
		b.Fatal(err)
	}
	return keys
}

func BenchmarkSource(b *testing.B) {
	benchTable(b, Spec{Keys: mustKeys(b, "srcip")}, Order{By: Bytes}, 10)
}

func BenchmarkEither(b *testing.B) {
	st, err := ParseStat("ip/flows")
	if err != nil {
		b.Fatal(err)
	}
	benchTable(b, Spec{Keys: st.Keys(nil)}, st.Orders[0], 10)
}

func BenchmarkPort(b *testing.B) {
	benchTable(b, Spec{Keys: mustKeys(b, "srcport")}, Order{By: Flows}, 10)
}

func BenchmarkPair(b *testing.B) {
	benchTable(b, Spec{Keys: mustKeys(b, "srcip,dstip")}, Order{By: Bytes}, 10)
}

func BenchmarkPairSorted(b *testing.B) {
	benchTable(b, Spec{Keys: mustKeys(b, "srcip,dstip")}, Order{}, 0)
}

func BenchmarkTuple(b *testing.B) {
	benchTable(b, Spec{Keys: Tuple()}, Order{By: Bytes}, 10)
}

func BenchmarkNet(b *testing.B) {
	benchTable(b, Spec{Keys: mustKeys(b, "srcip/24,dstport,proto"), Flags: true, TOS: true}, Order{By: Bytes}, 10)
}

func benchRanker(b *testing.B, order string, n int) {
	batches := traffic(b)
	o, err := ParseOrder(order)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var memory float64
	used := processorTime()
	b.ResetTimer()
	for range b.N {
		r := NewRanker(o, n, 0)
		inParallel(len(batches), func(i int) {
			c := fresh(batches[i])
			if err := r.Add(c, i); err != nil {
				b.Error(err)
			}
			c.Release()
		})
		if err := r.Batches(func(*flow.Batch) error { return nil }); err != nil {
			b.Fatal(err)
		}
		memory = float64(r.Memory())
	}
	b.ReportMetric((processorTime()-used).Seconds()*1e3/float64(b.N), "cpu-ms")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*benchRecords), "ns/record")
	b.ReportMetric(memory/float64(*benchRecords), "B/record")
}

func BenchmarkRecordsTop(b *testing.B) { benchRanker(b, "bytes", 10) }
func BenchmarkRecordsBPS(b *testing.B) { benchRanker(b, "bps", 1000) }
func BenchmarkRecordsAll(b *testing.B) { benchRanker(b, "tstart", 0) }

// BenchmarkDecode is what the columns of a pair cost before a table sees them.
func BenchmarkDecode(b *testing.B) {
	batches := traffic(b)
	t, err := New(Spec{Keys: mustKeys(b, "srcip,dstip")})
	if err != nil {
		b.Fatal(err)
	}
	fields := t.Fields()
	b.ResetTimer()
	for range b.N {
		for _, x := range batches {
			c := fresh(x)
			for _, f := range fields {
				if _, err := c.Field(f); err != nil {
					b.Fatal(err)
				}
			}
			c.Release()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*benchRecords), "ns/record")
}
