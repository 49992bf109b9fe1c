package stream

import (
	"io"
	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"os"
	"testing"
)

func BenchmarkReal(b *testing.B) {
	f, err := os.Open(os.Getenv("NF"))
	if err != nil {
		b.Skip("x")
	}
	r := NewReader(f, Options{Lazy: true})
	var bs []*flow.Batch
	for len(bs) < 4 {
		it, err := r.Next()
		if err == io.EOF {
			break
		}
		if it.Kind != KindRecords {
			continue
		}
		it.Batch.Decode()
		// plain ints as builders make them
		for i := range it.Batch.Cols {
			v, _ := it.Batch.Vec(i)
			if v.Kind == column.Int {
				p := &column.Vec{Kind: column.Int, N: v.N, Ints: make([]uint64, v.N)}
				for j := range p.Ints {
					p.Ints[j] = v.Int(j)
				}
				it.Batch.Cols[i].SetVec(p)
			}
		}
		it.Batch.Totals = flow.Totals{}
		bs = append(bs, it.Batch)
	}
	n := 0
	for b.Loop() {
		src := bs[n%len(bs)]
		n++
		cp := &flow.Batch{N: src.N, Shapes: src.Shapes, Cols: append([]flow.Column(nil), src.Cols...), Codes: src.Codes}
		if _, err := EncodeFrame(cp, column.None, false); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/65536, "ns/rec")
}
