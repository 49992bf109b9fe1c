package main

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

// TestEncodeOurs: what the stream adds up to is what the rows add up to.
func TestEncodeOurs(t *testing.T) {
	for _, comp := range []column.Comp{column.None, column.Zstd} {
		var file bytes.Buffer
		e, err := newEncoder(&file, comp)
		if err != nil {
			t.Fatal(err)
		}
		const n = 70_000 // more than one frame
		var s nfdumpStats
		timed(1, n, func(rows []Row) {
			for i := range rows {
				s.add(&rows[i])
			}
			e.Rows(rows)
		})
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
		r := stream.NewReader(&file, stream.Options{})
		var records, frames int
		var flows, packets, octets [5]uint64
		for {
			it, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%v: %v", comp, err)
			}
			if it.Kind != stream.KindRecords {
				continue
			}
			frames++
			b := it.Batch
			b.Totals.Records = 0 // count from the columns, not from the header
			sum, err := b.Sum()
			if err != nil {
				t.Fatalf("%v: %v", comp, err)
			}
			records += b.N
			for c := range sum.Flows {
				flows[c+1] += sum.Flows[c]
				packets[c+1] += sum.Packets[c]
				octets[c+1] += sum.Bytes[c]
				flows[0] += sum.Flows[c]
				packets[0] += sum.Packets[c]
				octets[0] += sum.Bytes[c]
			}
			b.Release()
		}
		if records != n || frames != e.frames || flows != s.flows || packets != s.packets || octets != s.bytes {
			t.Errorf("%v: %d records in %d frames\nflows %v want %v\npackets %v want %v\nbytes %v want %v",
				comp, records, frames, flows, s.flows, packets, s.packets, octets, s.bytes)
		}
	}
}

func BenchmarkEncodeOurs(b *testing.B) {
	var rows []Row
	Generate(1, 4<<16, func(r *Row) { rows = append(rows, *r) })
	e, err := newEncoder(io.Discard, column.None)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += len(rows) {
		e.Rows(rows[:min(len(rows), b.N-done)])
	}
	if err := e.close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkEncodeFrame encodes full frames of generated records, without putting them together.
func BenchmarkEncodeFrame(b *testing.B) {
	const n, frames = flow.MaxRecords, 4
	var batches []*flow.Batch
	var e *encoder
	Generate(1, frames*n, func(r *Row) {
		if e == nil {
			e, _ = newEncoder(io.Discard, column.None)
		}
		if e.row(r); e.builder.Len() == n {
			batches = append(batches, e.builder.Batch())
			e = nil
		}
	})
	b.ReportAllocs()
	octets, i := 0, 0
	for b.Loop() {
		src := batches[i%frames]
		cols := slices.Clone(src.Cols)
		f, err := stream.EncodeFrame(&flow.Batch{N: src.N, Shapes: src.Shapes, Cols: cols, Codes: src.Codes}, column.None, false)
		if err != nil {
			b.Fatal(err)
		}
		octets += f.Len()
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(i)/n, "ns/record")
	b.ReportMetric(float64(octets)/float64(i)/n, "bytes/record")
}
