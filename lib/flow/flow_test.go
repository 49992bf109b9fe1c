package flow_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

// build is a fresh batch of the records, which fit into one.
func build(t testing.TB, records []record) *flow.Batch {
	t.Helper()
	b := flow.NewBuilder()
	for i := range records {
		if !put(b, &records[i]) {
			t.Fatalf("no room for record %d of %d", i, len(records))
		}
	}
	return b.Batch()
}

// reread is b after a journey through a stream; lazy leaves its columns in the file.
func reread(t testing.TB, b *flow.Batch, comp column.Comp, lazy bool) *flow.Batch {
	t.Helper()
	var out bytes.Buffer
	w := stream.NewWriter(&out)
	if err := w.Head(stream.Head{Features: stream.FeatureSelection}); err != nil {
		t.Fatal(err)
	}
	if err := b.Codes.Load(); err != nil {
		t.Fatal(err)
	}
	f, err := stream.EncodeFrame(b, comp, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(f); err != nil {
		t.Fatal(err)
	}
	r := stream.NewReader(bytes.NewReader(out.Bytes()), stream.Options{Lazy: lazy})
	for {
		it, err := r.Next()
		if err != nil {
			_, why := r.Status()
			t.Fatalf("%v %q", err, why)
		}
		if it.Kind == stream.KindRecords {
			return it.Batch
		}
	}
}

// forms are the states in which a batch of the same records can be.
var forms = []struct {
	name string
	make func(testing.TB, *flow.Batch) *flow.Batch
}{
	{"fresh", func(_ testing.TB, b *flow.Batch) *flow.Batch { return b }},
	{"encoded", func(t testing.TB, b *flow.Batch) *flow.Batch { return reread(t, b, column.None, false) }},
	{"zstd", func(t testing.TB, b *flow.Batch) *flow.Batch { return reread(t, b, column.Zstd, false) }},
	{"in file", func(t testing.TB, b *flow.Batch) *flow.Batch { return reread(t, b, column.S2, true) }},
	{"decoded", func(t testing.TB, b *flow.Batch) *flow.Batch {
		b = reread(t, b, column.None, false)
		if err := b.Decode(); err != nil {
			t.Fatal(err)
		}
		return reread(t, b, column.None, false)
	}},
}

// checkColumns compares every column, and which records have it.
func checkColumns(t *testing.T, b *flow.Batch, records []record) {
	t.Helper()
	if b.N != len(records) {
		t.Fatalf("%d records, want %d", b.N, len(records))
	}
	codes, err := b.ShapeCodes()
	if err != nil {
		t.Fatal(err)
	}
	want := map[flow.Key]bool{}
	for i := range records {
		if s := b.Shapes[codes.Int(i)]; !s.Equal(records[i].shape) {
			t.Fatalf("record %d: shape %v, want %v", i, s, records[i].shape)
		}
		for _, k := range records[i].shape.Keys(nil) {
			want[k] = true
		}
	}
	for i := range b.Cols {
		k := b.Cols[i].Key
		delete(want, k)
		v, err := b.Vec(i)
		if err != nil {
			t.Fatal(err)
		}
		present, err := b.Presence(b.Cols[i].Shapes)
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		for j := range records {
			x := records[j].nth(k)
			if has := present == nil || present.Get(j); has != (x != nil) {
				t.Fatalf("column %v, record %d: present %v, want %v", k, j, has, x)
			}
			if x == nil {
				continue
			}
			if got := value(v, v.Entry(next)); got != x {
				t.Fatalf("column %v, record %d: %v, want %v", k, j, got, x)
			}
			next++
		}
		if next != v.N {
			t.Fatalf("column %v: %d values, want %d", k, v.N, next)
		}
	}
	if len(want) > 0 {
		t.Fatalf("columns missing: %v", want)
	}
}

// checkView compares a field of every record.
func checkView(t *testing.T, what string, v flow.View, err error, records []record, want func(*record) any) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	some := false
	for i := range records {
		x := want(&records[i])
		some = some || x != nil
		if v.Has(i) != (x != nil) {
			t.Fatalf("%s of record %d %v: present %v, want %v", what, i, records[i], v.Has(i), x)
		}
		if x == nil {
			continue
		}
		if got := value(v.Vec, v.Vec.Entry(i)); got != x {
			t.Fatalf("%s of record %d %v: %v, want %v", what, i, records[i], got, x)
		}
	}
	if v.None() == some {
		t.Fatalf("%s: none is %v, but some record has it: %v", what, v.None(), some)
	}
	if !some {
		return
	}
	if v.Vec.N != len(records) || v.Vec.Form == column.Dict && len(v.Vec.Codes) != len(records) {
		t.Fatalf("%s: %d values for %d records", what, v.Vec.N, len(records))
	}
	if v.Present != nil && v.Present.Count() != len(v.Present.Rows(nil)) || v.Present != nil && len(records)&63 != 0 && v.Present[len(v.Present)-1]>>(len(records)&63) != 0 {
		t.Fatalf("%s: bits beyond the last record", what)
	}
}

var fieldNames = []string{"srcip", "srcip4", "srcip6", "dstip", "dstip4", "dstip6", "sourceIPv4Address", "sourceIPv6Address",
	"srcmask", "sourceIPv4PrefixLength", "sourceIPv6PrefixLength", "icmptype", "icmpcode", "icmpTypeCodeIPv4", "icmpTypeCodeIPv6",
	"srcport", "dstport", "proto", "flags", "packets", "bytes", "obytes", "opackets", "flows", "first", "last", "inif", "srcas",
	"next", "minttl", "maxttl", "sampinterval", "sampspace", "duration", "durationraw", "pps", "bps", "bpp", "opps", "obps", "obpp",
	"interfaceName", "mean", "samplingProbability", "mibObjectValueInteger", "paddingOctets", "dataLinkFrameSection", "12345/7"}

func checkFields(t *testing.T, b *flow.Batch, records []record) {
	t.Helper()
	for _, name := range fieldNames {
		f := named(name)
		v, err := b.Field(f)
		checkView(t, name, v, err, records, func(r *record) any { return r.field(f) })
		v, err = b.Scaled(f)
		checkView(t, "scaled "+name, v, err, records, func(r *record) any { return r.scaled(f) })
	}
}

func selected(b *flow.Batch, records []record) []record {
	var out []record
	for i := range records {
		if b.Sel == nil || b.Sel.Get(i) {
			out = append(out, records[i])
		}
	}
	return out
}

func checkSum(t *testing.T, b *flow.Batch, records []record) {
	t.Helper()
	got, err := b.Sum()
	if want := sum(selected(b, records)); err != nil || got != want {
		t.Fatalf("sum %+v, %v\nwant %+v", got, err, want)
	}
}

func randomSelection(r *rand.Rand, n int) flow.Bitmap {
	switch r.IntN(4) {
	case 0:
		return nil
	case 1:
		return flow.NewBitmap(n)
	}
	m, one := flow.NewBitmap(n), 1+r.IntN(100)
	for i := range n {
		if r.IntN(one) == 0 {
			m.Set(i)
		}
	}
	return m
}

// each runs f for random records in every form.
func each(t *testing.T, seed uint64, f func(t *testing.T, r *rand.Rand, b *flow.Batch, records []record)) {
	for i, n := range []int{0, 1, 2, 63, 64, 65, 200, 200, 700, 3000} {
		for _, shapes := range []int{1, 3, 20} {
			r := rand.New(rand.NewPCG(seed, uint64(i*100+shapes)))
			records := randomRecords(r, n, shapes)
			for _, form := range forms {
				t.Run(fmt.Sprintf("%d records, %d shapes, seed %d, %s", n, shapes, i, form.name), func(t *testing.T) {
					b := form.make(t, build(t, records))
					defer b.Release()
					f(t, r, b, records)
				})
			}
		}
	}
}

func TestColumns(t *testing.T) {
	each(t, 1, func(t *testing.T, _ *rand.Rand, b *flow.Batch, records []record) { checkColumns(t, b, records) })
}

func TestFields(t *testing.T) {
	each(t, 2, func(t *testing.T, _ *rand.Rand, b *flow.Batch, records []record) { checkFields(t, b, records) })
}

func TestSum(t *testing.T) {
	each(t, 3, func(t *testing.T, r *rand.Rand, b *flow.Batch, records []record) {
		checkSum(t, b, records)
		b.Sel = randomSelection(r, b.N)
		checkSum(t, b, records)
	})
}

func TestFirst(t *testing.T) {
	each(t, 4, func(t *testing.T, r *rand.Rand, b *flow.Batch, records []record) {
		b.Sel = randomSelection(r, b.N)
		before := selected(b, records)
		n := r.IntN(len(records) + 2)
		b.First(uint64(n))
		n = min(n, len(before))
		if got := selected(b, records); b.Selected() != n || len(got) != n {
			t.Fatalf("%d selected, want %d", len(got), n)
		}
		rows := flow.NewBitmap(b.N)
		rows.Fill(b.N)
		if b.Sel != nil {
			rows = b.Sel
		}
		checkSum(t, b, records)
		if len(rows.Rows(nil)) != n {
			t.Fatalf("%d rows, want %d", len(rows.Rows(nil)), n)
		}
	})
}

func TestCompact(t *testing.T) {
	each(t, 5, func(t *testing.T, r *rand.Rand, b *flow.Batch, records []record) {
		b.Sel = randomSelection(r, b.N)
		want := selected(b, records)
		if r.IntN(2) == 0 { // some columns decoded before
			checkSum(t, b, records)
		}
		c, err := b.Compact()
		if err != nil {
			t.Fatal(err)
		}
		if c != b {
			checkColumns(t, b, records)
			b.Release()
			scribble(t)
		}
		checkColumns(t, c, want)
		checkFields(t, c, want)
		checkSum(t, c, want)
		for i := range c.Cols {
			v, err := c.Vec(i)
			if err != nil {
				t.Fatal(err)
			}
			if v.Form != column.Dict || c == b {
				continue
			}
			used := make([]bool, v.Entries())
			for _, code := range v.Codes {
				used[code] = true
			}
			if slices.Contains(used, false) {
				t.Fatalf("column %v keeps entries that no record has", c.Cols[i].Key)
			}
		}
		checkColumns(t, reread(t, c, column.None, false), want)
	})
}

// scribble fills recycled memory with other values.
func scribble(t *testing.T) {
	r := rand.New(rand.NewPCG(77, 7))
	for range 3 {
		b := reread(t, build(t, randomRecords(r, 700, 3)), column.None, false)
		if err := b.Decode(); err != nil {
			t.Fatal(err)
		}
		b.Release()
	}
}

func TestReleaseDoesNotAlias(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	first, second := randomRecords(r, 700, 5), randomRecords(r, 700, 5)
	a := reread(t, build(t, first), column.Zstd, false)
	checkFields(t, a, first)
	a.Release()
	a.Release() // does no harm
	b, c := reread(t, build(t, second), column.None, false), reread(t, build(t, first), column.S2, false)
	// Interleaved, so that each has recycled vectors while the other is alive.
	for i := range max(len(b.Cols), len(c.Cols)) {
		for _, x := range []*flow.Batch{b, c} {
			if i < len(x.Cols) {
				if _, err := x.Vec(i); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	checkFields(t, c, first)
	checkFields(t, b, second)
	checkColumns(t, b, second)
	checkColumns(t, c, first)
	c.Release()
	checkColumns(t, b, second)
}
