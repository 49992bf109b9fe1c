package flow_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

func TestProject(t *testing.T) {
	each(t, 6, func(t *testing.T, r *rand.Rand, b *flow.Batch, records []record) {
		var keys []flow.Key
		for i := range b.Cols {
			if r.IntN(2) == 0 {
				keys = append(keys, b.Cols[i].Key)
			}
		}
		checkProject(t, b, records, keys)
	})
}

// checkProject projects and compares what is left, and again after another journey.
func checkProject(t *testing.T, b *flow.Batch, records []record, keys []flow.Key) {
	t.Helper()
	if err := b.Project(keys); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		for i := range b.Cols {
			c := &b.Cols[i]
			if !slices.Contains(keys, c.Key) {
				t.Fatalf("column %v was not asked for", c.Key)
			}
			v, err := b.Vec(i)
			if err != nil {
				t.Fatal(err)
			}
			next := 0
			for j := range records {
				if x := records[j].nth(c.Key); x != nil {
					if got := value(v, v.Entry(next)); got != x {
						t.Fatalf("round %d: column %v, record %d: %v, want %v", round, c.Key, j, got, x)
					}
					next++
				}
			}
		}
		if len(b.Cols) != len(keys) {
			t.Fatalf("round %d: %d columns, want %d", round, len(b.Cols), len(keys))
		}
		b = reread(t, b, column.None, false)
	}
}

func TestKeysOf(t *testing.T) {
	// What KeysOf names is enough to answer for the field.
	r := rand.New(rand.NewPCG(8, 8))
	for i := range 20 {
		records := randomRecords(r, 100, 4)
		for _, name := range fieldNames {
			f := named(name)
			b := build(t, records)
			if err := b.Project(flow.KeysOf(f)); err != nil {
				t.Fatal(err)
			}
			v, err := b.Scaled(f)
			checkView(t, fmt.Sprintf("%s alone, round %d", name, i), v, err, records, func(r *record) any { return r.scaled(f) })
		}
	}
	keys := flow.KeysOf(named("port"))
	for _, id := range []ie.ID{7, 180, 182, 11, 181, 183} {
		if !slices.Contains(keys, flow.Key{ID: id}) {
			t.Errorf("keys of port lack %v", id)
		}
	}
	for _, name := range []string{"ip", "srcip4", "srcip6"} {
		if keys := flow.KeysOf(named(name)); !slices.Contains(keys, flow.Key{ID: 8}) || !slices.Contains(keys, flow.Key{ID: 8, Occ: 1}) {
			t.Errorf("keys of %s are %v", name, keys)
		}
	}
}
