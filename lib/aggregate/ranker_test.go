package aggregate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// lines prints every value of the selected records, a line each.
func lines(t *testing.T, b *flow.Batch) []string {
	t.Helper()
	clear(views)
	var out []string
	names := []string{"srcip", "dstip", "srcport", "dstport", "proto", "icmptype", "packets", "bytes", "flows", "opackets", "first", "last",
		"username", "sampspace", "srcas", "insrcmac", "nbar"}
	for i := range b.N {
		if b.Sel != nil && !b.Sel.Get(i) {
			continue
		}
		var s strings.Builder
		for _, n := range names {
			s.WriteString(show(t, b, whole(named(n)), i) + " ")
		}
		out = append(out, s.String())
	}
	return out
}

// slowOrder sorts the records of batches by hand.
func slowOrder(t *testing.T, o Order, batches []*flow.Batch) []string {
	t.Helper()
	type row struct {
		value uint64
		line  string
	}
	var rows []row
	for _, b := range batches {
		at := 0
		text := lines(t, b)
		for i := range b.N {
			if b.Sel != nil && !b.Sel.Get(i) {
				continue
			}
			get := func(f *ie.Field, missing uint64) uint64 {
				if v := viewOf(t, b, f); v.Has(i) {
					return v.Vec.Int(i)
				}
				return missing
			}
			c := counters{get(packetsField, 0), get(bytesField, 0), get(flowsField, 1), get(firstField, ^uint64(0)),
				get(lastField, 0), get(opacketsField, 0), get(obytesField, 0)}
			rows = append(rows, row{o.value(&c), text[at]})
			at++
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	var out []string
	for _, r := range rows {
		out = append(out, r.line)
	}
	return out
}

func TestRanker(t *testing.T) {
	words := []string{"bytes", "packets:a", "flows", "tstart", "tend:d", "tend", "duration", "bps", "pps:a", "bpp", "obytes", "ibytes"}
	for seed := range uint64(4) {
		batches := randomBatches(t, seed)
		for _, word := range words {
			o, err := ParseOrder(word)
			if err != nil {
				t.Fatal(err)
			}
			want := slowOrder(t, o, batches)
			for _, n := range []int{0, 1, 300, 100000} {
				name := fmt.Sprintf("seed %d -O %s -n %d", seed, word, n)
				expect := want
				if n > 0 {
					expect = want[:min(n, len(want))]
				}
				if got := rank(t, o, n, batches); !slices.Equal(got, expect) {
					t.Errorf("%s: %d records, want %d, or another order", name, len(got), len(expect))
				}
			}
		}
	}
}

// rank ranks batches by two goroutines, in no certain order.
func rank(t *testing.T, o Order, n int, batches []*flow.Batch) []string {
	t.Helper()
	r := NewRanker(o, n, 0)
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := w; i < len(batches); i += 2 {
				if err := r.Add(encodedAgain(batches[i]), i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var out []string
	err := r.Batches(func(b *flow.Batch) error {
		out = append(out, lines(t, b)...)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return out
}

// encodedAgain is b without what was decoded.
func encodedAgain(b *flow.Batch) *flow.Batch {
	if len(b.Cols) > 0 && !b.Cols[0].Encoded() {
		return b
	}
	c := fresh(b)
	return c
}

func TestRankerMemory(t *testing.T) {
	r := NewRanker(Order{By: Bytes}, 0, 1000)
	b := randomBatch(rand.New(rand.NewPCG(1, 1)), 5000, true)
	err := r.Add(b, 0)
	if err == nil || !strings.Contains(err.Error(), "-n") {
		t.Errorf("5000 records in 1000 bytes: %v, want an error with a hint", err)
	}
}

// TestRankerForgets has many batches whose best records push out those of the batch before.
func TestRankerForgets(t *testing.T) {
	r := NewRanker(Order{By: Bytes}, 100, 0)
	build := flow.NewBuilder()
	l, _ := build.Layout(flow.ShapeOf(8, 1))
	for seq := range 200 {
		for i := range 1000 {
			l.Next()
			l.Cols[0].Put4(uint32(i))
			l.Cols[1].PutInt(uint64(seq*1000 + i))
		}
		if err := r.Add(build.Batch(), seq); err != nil {
			t.Fatal(err)
		}
		build.Reset()
	}
	if r.rows > 2000 || r.Memory() > 100_000 {
		t.Errorf("%d rows in %d bytes are held for the best 100", r.rows, r.Memory())
	}
	want := uint64(199_999)
	err := r.Batches(func(b *flow.Batch) error {
		v := viewOf(t, b, bytesField)
		for i := range b.N {
			if got := v.Vec.Int(i); got != want {
				t.Errorf("record %d: %d bytes, want %d", i, got, want)
			}
			want--
		}
		return nil
	})
	if err != nil || want != 199_899 {
		t.Errorf("ended before %d: %v", want, err)
	}
}

// TestRankerLong gives more records out than a batch holds, so that they are built in parallel.
func TestRankerLong(t *testing.T) {
	const n = 200_000
	r := NewRanker(Order{By: Bytes, Ascending: true}, 0, 0)
	build := flow.NewBuilder()
	l, _ := build.Layout(flow.ShapeOf(8, 1))
	for i := range n {
		l.Next()
		l.Cols[0].Put4(uint32(i % 1000))
		l.Cols[1].PutInt(uint64(i * 7919 % n)) // each number below n once
		if build.Full() || i == n-1 {
			if err := r.Add(build.Batch(), i); err != nil {
				t.Fatal(err)
			}
			build.Reset()
		}
	}
	next := uint64(0)
	err := r.Batches(func(b *flow.Batch) error {
		v, err := b.Field(bytesField)
		for i := range b.N {
			if v.Vec.Int(i) != next {
				return fmt.Errorf("%d bytes, want %d", v.Vec.Int(i), next)
			}
			next++
		}
		return err
	})
	if err != nil || next != n {
		t.Errorf("after %d records: %v", next, err)
	}
}
