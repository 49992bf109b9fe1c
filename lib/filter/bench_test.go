package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// benchBatch is a full batch of one shape. A column of many different values has no
// dictionary.
func benchBatch(dict bool) *flow.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	b := flow.NewBuilder()
	ids := []ie.ID{4, 7, 11, 6, 8, 12, 1, 2, 152, 153}
	l, _ := b.Layout(flow.ShapeOf(ids...))
	for range flow.MaxRecords {
		l.Next()
		l.Cols[0].PutInt([]uint64{6, 6, 17, 1}[r.IntN(4)])
		l.Cols[1].PutInt(1024 + r.Uint64N(60000))
		port := []uint64{53, 80, 443, 22, r.Uint64N(1 << 16)}[r.IntN(5)]
		if dict {
			port &= 1023
		}
		l.Cols[2].PutInt(port)
		l.Cols[3].PutInt(r.Uint64N(32))
		l.Cols[4].Put4(10<<24 | uint32(r.IntN(20000)))
		l.Cols[5].Put4(192<<24 | uint32(r.IntN(20000)))
		n := 1 + r.Uint64N(50)
		l.Cols[6].PutInt(n * (40 + r.Uint64N(1400)))
		l.Cols[7].PutInt(n)
		first := (dayStart*1000 + r.Uint64N(300_000)) * 1e6
		l.Cols[8].PutInt(first)
		l.Cols[9].PutInt(first + r.Uint64N(60_000)*1e6)
	}
	batch := b.Batch()
	if dict {
		i := batch.Find(flow.Key{ID: 11})
		v, _ := batch.Vec(i)
		batch.Cols[i].SetVec(dictionary(v))
	}
	return batch
}

func bench(b *testing.B, batch *flow.Batch, text string, want Match) {
	f, err := Parse(text, Options{})
	if err != nil {
		b.Fatal(err)
	}
	dst := flow.NewBitmap(batch.N)
	b.ReportAllocs()
	for b.Loop() {
		m, err := f.Eval(batch, dst)
		if err != nil || m != want {
			b.Fatal(text, m, err)
		}
		if !batch.Cols[0].Encoded() {
			batch.Release() // what was computed; the columns are the builder's
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.N), "ns/record")
}

func BenchmarkEval(b *testing.B) {
	plain, dict := benchBatch(false), benchBatch(true)
	var ips, ports []string
	for i := range 1000 {
		ips = append(ips, fmt.Sprintf("10.0.%d.%d", i/4, i%4*64))
		ports = append(ports, fmt.Sprint(1024+i*37))
	}
	for _, c := range []struct {
		name, text string
		batch      *flow.Batch
		want       Match
	}{
		{"port-dict", "dst port 53", dict, Some},
		{"ports-dict", "dst port in [22 53 443]", dict, Some},
		{"port-plain", "dst port 53", plain, Some},
		{"range-plain", "src port > 50000", plain, Some},
		{"list-plain", "src port in [" + strings.Join(ports, " ") + "]", plain, Some},
		{"ip-dict", "src ip 10.0.1.1", plain, Some},
		{"net-dict", "src net 10.0.0.0/20", plain, Some},
		{"iplist-dict", "src ip in [" + strings.Join(ips, " ") + "]", plain, Some},
		{"flags", "flags S", plain, Some},
		{"bytes", "bytes > 10k", plain, Some},
		{"duration", "duration > 30s", plain, Some},
		{"bps", "bps > 100k", plain, Some},
		{"and", "proto udp and dst port 53 and bytes > 1k", plain, Some},
		{"or", "port 53 or port 80 or port 443", plain, Some},
		{"none", "proto sctp and dst port 53", dict, None},
	} {
		b.Run(c.name, func(b *testing.B) { bench(b, c.batch, c.text, c.want) })
	}
}

// BenchmarkShapes filters a batch of two shapes in runs, each with columns of its own.
func BenchmarkShapes(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	fb := flow.NewBuilder()
	l4, _ := fb.Layout(flow.ShapeOf(4, 7, 11, 8, 12, 1, 2))
	l6, _ := fb.Layout(flow.ShapeOf(4, 182, 183, 27, 28, 85, 86))
	l := l4
	for i := range flow.MaxRecords {
		if i%20 == 0 {
			l = []*flow.Layout{l4, l4, l6}[r.IntN(3)]
		}
		l.Next()
		l.Cols[0].PutInt([]uint64{6, 6, 17, 1}[r.IntN(4)])
		l.Cols[1].PutInt(1024 + r.Uint64N(60000))
		l.Cols[2].PutInt([]uint64{53, 80, 443, 22, r.Uint64N(1 << 16)}[r.IntN(5)])
		for _, c := range l.Cols[3:5] {
			if l == l4 {
				c.Put4(10<<24 | uint32(r.IntN(20000)))
			} else {
				c.Put6(column.V6{Hi: 0x20010db8 << 32, Lo: r.Uint64N(20000)})
			}
		}
		l.Cols[5].PutInt(r.Uint64N(50000))
		l.Cols[6].PutInt(r.Uint64N(50))
	}
	batch := fb.Batch()
	for _, text := range []string{"dst port 53", "net 2001:db8::/112", "bytes > 10k"} {
		b.Run(text, func(b *testing.B) { bench(b, batch, text, Some) })
	}
}

// BenchmarkBounds decides a batch without decoding it.
func BenchmarkBounds(b *testing.B) {
	batch := benchBatch(false)
	out := &flow.Batch{N: batch.N, Shapes: batch.Shapes, Codes: batch.Codes}
	for i := range batch.Cols {
		v, _ := batch.Vec(i)
		out.Cols = append(out.Cols, flow.Column{Key: batch.Cols[i].Key, Block: column.Encode(v), Ref: -1})
	}
	if err := out.Link(); err != nil {
		b.Fatal(err)
	}
	bench(b, out, "src ip 11.0.0.1 and bytes > 1k", None)
}

func BenchmarkParse(b *testing.B) {
	const text = "src ip in [10.0.0.0/8 172.16/12] and (dst port 53 or flags S and not flags A) and bytes > 1k"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
