package stream

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// slowDiscarder can pass over bytes, and gives few at a time.
type slowDiscarder struct{ r io.Reader }

func (s slowDiscarder) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), 1000)]) }

func (s slowDiscarder) Discard(n int64) error {
	_, err := io.CopyN(io.Discard, s.r, n)
	return unexpected(err)
}

func (s slowDiscarder) CopyTo(w io.Writer, n int64) error {
	_, err := io.CopyN(w, s.r, n)
	return unexpected(err)
}

// TestWanted: the columns asked for are right, those that they lean on come along, and the
// others say that they were passed over.
func TestWanted(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	raw := write(t, column.None, false, someBatch(r, 3000), someBatch(r, 5))
	for _, keys := range [][]flow.Key{{{ID: 4}}, {{ID: 8}}, {{ID: 1}}, {{ID: 17}, {ID: 157}}, {{ID: 153}}} {
		whole := NewReader(bytes.NewReader(raw), Options{})
		part := NewReader(slowDiscarder{bytes.NewReader(raw)}, Options{Want: keys})
		for {
			a, err := whole.Next()
			b, err2 := part.Next()
			if err != err2 {
				t.Fatalf("%v: %v and %v", keys, err, err2)
			}
			if err == io.EOF {
				break
			}
			if a.Kind != KindRecords {
				continue
			}
			for i := range a.Batch.Cols {
				va, err := a.Batch.Vec(i)
				if err != nil {
					t.Fatal(err)
				}
				vb, err := b.Batch.Vec(i)
				wanted := false
				for _, k := range keys {
					wanted = wanted || k == a.Batch.Cols[i].Key
				}
				switch {
				case wanted && err != nil:
					t.Fatalf("%v: %v", keys, err)
				case err != nil:
				case fmt.Sprint(va.Codes, va.Ints, va.V4, va.V6, va.Data) != fmt.Sprint(vb.Codes, vb.Ints, vb.V4, vb.V6, vb.Data):
					t.Fatalf("%v: column %s differs", keys, a.Batch.Cols[i].Key.ID)
				}
			}
		}
		if s, p := part.Status(); s != Complete {
			t.Fatalf("%v: %s %v", keys, s, p)
		}
	}
}

// TestLeave: frames that are selected from while most of them lies in the input come out as
// those that were read whole, selected twice over, and dropped frames leave no trace.
func TestLeave(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	batches := []*flow.Batch{someBatch(r, 3000), someBatch(r, 70), someBatch(r, 1), someBatch(r, 900)}
	raw := write(t, column.None, false, batches...)
	var want []string
	for n, b := range batches {
		for i, line := range text(t, b) {
			if n != 1 && i%2 == 0 && i%3 == 0 {
				want = append(want, line)
			}
		}
	}
	every := func(k int) func(*flow.Batch) (Verdict, error) {
		frame := 0
		return func(b *flow.Batch) (Verdict, error) {
			frame++
			sel := flow.NewBitmap(b.N)
			for i := 0; i < b.N; i += k {
				if b.Sel == nil || b.Sel.Get(i) {
					sel.Set(i)
				}
			}
			b.Sel = sel
			return Verdict{Drop: k == 2 && frame == 2}, nil
		}
	}
	for _, k := range []int{2, 3} {
		var out bytes.Buffer
		tr := Transform{W: NewWriter(&out), Work: every(k), Plain: true}
		in := NewReader(slowDiscarder{bytes.NewReader(raw)}, Options{Leave: true, Want: []flow.Key{{ID: 4}}})
		if err := tr.Run(in); err != nil {
			t.Fatal(err)
		}
		if s, p := in.Status(); s != Complete {
			t.Fatalf("every %d: %s %v", k, s, p)
		}
		raw = out.Bytes()
	}
	x := NewReader(bytes.NewReader(raw), Options{})
	got, ends, err := read(t, x)
	if err != nil || len(ends) != 1 {
		t.Fatal(ends, err)
	}
	if s, p := x.Status(); s != Complete {
		t.Fatal(s, p)
	}
	same(t, "selected twice", got, want)
}

// TestLeaveCut: an input that ends within what was left is truncated, and what was written before
// is whole.
func TestLeaveCut(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	a := someBatch(r, 300)
	raw := write(t, column.None, false, a, someBatch(r, 400))
	one := len(write(t, column.None, false, a))
	for cut := one; cut < len(raw); cut += 101 {
		tr := Transform{W: NewWriter(io.Discard), Work: func(*flow.Batch) (Verdict, error) { return Verdict{}, nil }}
		in := NewReader(slowDiscarder{bytes.NewReader(raw[:cut])}, Options{Leave: true, Want: []flow.Key{{ID: 4}}})
		err := tr.Run(in)
		if s, p := in.Status(); err != nil || s != Truncated {
			t.Fatalf("cut at %d of %d: %v, %s %v", cut, len(raw), err, s, p)
		}
	}
}

func BenchmarkPassOver(b *testing.B) {
	raw := write(b, column.None, false, someBatch(rand.New(rand.NewPCG(37, 38)), flow.MaxRecords))
	for name, want := range map[string][]flow.Key{"all": nil, "protocol": {{ID: 4}}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				pr, pw, err := os.Pipe()
				if err != nil {
					b.Fatal(err)
				}
				go func() {
					pw.Write(raw)
					pw.Close()
				}()
				x := NewReader(slowDiscarder{pr}, Options{Want: want})
				for {
					it, err := x.Next()
					if err != nil {
						break
					}
					if it.Kind == KindRecords {
						it.Batch.Release()
					}
				}
				pr.Close()
			}
		})
	}
}
