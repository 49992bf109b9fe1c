package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// someBatch has n records of several shapes and every kind of column.
func someBatch(r *rand.Rand, n int) *flow.Batch {
	tcp := flow.ShapeOf(8, 12, 4, 7, 11, 6, 2, 1, 152, 153, 10, 16, 14, 17)
	icmp := flow.ShapeOf(27, 28, 4, 139, 2, 1, 150, 151)
	odd := append(flow.ShapeOf(8, 8, 56, 82, 4, ie.New(6871, 18)), flow.Elem{ID: ie.New(12345, 7), Len: flow.Variable})
	b := flow.NewBuilder()
	t0 := uint64(1700000000e9)
	for range n {
		src, dst := uint32(r.Uint64N(500)), uint32(r.Uint64N(90000))
		p := 1 + r.Uint64N(1<<r.Uint64N(12))
		at := t0 + r.Uint64N(300000)*1e6
		switch r.IntN(10) {
		default:
			l, _ := b.Layout(tcp)
			l.Next()
			put(l, src, dst, []uint64{6, 17}[r.IntN(2)], []uint64{53, 443, 1024 + r.Uint64N(60000)}[r.IntN(3)], r.Uint64N(65536), r.Uint64N(64), p, p*(40+r.Uint64N(1400)), at, at+r.Uint64N(60000)*1e6,
				uint64(src/10), 64512+uint64(src/30), uint64(dst/1000), 64512+uint64(dst/500))
		case 1:
			l, _ := b.Layout(icmp)
			l.Next()
			put(l, column.V6{Hi: 0x20010db800000000, Lo: uint64(src)}, column.V6{Hi: 0x20010db800000000, Lo: uint64(dst)}, uint64(58), uint64(128<<8), p, p*64, at/1e9*1e9, at/1e9*1e9)
		case 2:
			l, _ := b.Layout(odd)
			l.Next()
			put(l, src, src+1, r.Uint64()>>16, []byte("eth"+fmt.Sprint(src%7)), uint64(47), bytes.Repeat([]byte{byte(src)}, int(src%40)), []byte{1, 2, byte(dst)})
		}
	}
	return b.Batch()
}

func put(l *flow.Layout, vals ...any) {
	for i, v := range vals {
		switch v := v.(type) {
		case uint32:
			l.Cols[i].Put4(v)
		case column.V6:
			l.Cols[i].Put6(v)
		case uint64:
			l.Cols[i].PutInt(v)
		case []byte:
			l.Cols[i].PutBytes(v)
		}
	}
}

// text lists all selected records, every value of every column.
func text(t testing.TB, b *flow.Batch) []string {
	t.Helper()
	codes, err := b.ShapeCodes()
	if err != nil {
		t.Fatal(err)
	}
	next := make([]int, len(b.Cols))
	var out []string
	for i := range b.N {
		s := codes.Int(i)
		var line strings.Builder
		fmt.Fprint(&line, b.Shapes[s])
		for c := range b.Cols {
			if b.Cols[c].Shapes>>s&1 == 0 {
				continue
			}
			v, err := b.Vec(c)
			if err != nil {
				t.Fatal(err)
			}
			e := v.Entry(next[c])
			next[c]++
			fmt.Fprintf(&line, " %v=", b.Cols[c].Key)
			switch v.Kind {
			case column.Int:
				fmt.Fprint(&line, v.Ints[e])
			case column.Addr:
				fmt.Fprint(&line, v.AddrEntry(e))
			default:
				fmt.Fprintf(&line, "%q", v.BytesEntry(e))
			}
		}
		if b.Sel == nil || b.Sel.Get(i) {
			out = append(out, line.String())
		}
	}
	return out
}

func write(t testing.TB, comp column.Comp, keep bool, batches ...*flow.Batch) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	h := Head{Features: FeatureSelection}
	h.History.Add(Entry{Tool: "test", Version: "1", Args: []string{"-r", "x"}})
	if err := w.Head(h); err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		f, err := EncodeFrame(b, comp, keep)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(End{Counts: []Count{{0, 1, 2, 3}}}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read returns the records of a stream and what the reader said of it.
func read(t testing.TB, r *Reader) (records []string, ends []End, err error) {
	t.Helper()
	for {
		it, err := r.Next()
		if err == io.EOF {
			return records, ends, nil
		}
		if err != nil {
			return records, ends, err
		}
		switch it.Kind {
		case KindRecords:
			records = append(records, text(t, it.Batch)...)
			it.Batch.Release()
		case KindEnd:
			ends = append(ends, *it.End)
		}
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d records, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: record %d\n got %s\nwant %s", what, i, got[i], want[i])
		}
	}
}

func TestWriteReadIdentity(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 65, 3000} {
		for _, comp := range []column.Comp{column.None, column.S2, column.Zstd} {
			for _, selected := range []bool{false, true} {
				b := someBatch(r, n)
				if selected && n > 0 {
					b.Sel = flow.NewBitmap(n)
					for i := range n {
						if r.IntN(3) == 0 {
							b.Sel.Set(i)
						}
					}
				}
				want := text(t, b)
				for _, keep := range []bool{true, false} {
					what := fmt.Sprintf("%d records, %s, selection %t kept %t", n, comp, selected, keep)
					raw := write(t, comp, keep, b)
					x := NewReader(bytes.NewReader(raw), Options{Name: "x"})
					got, ends, err := read(t, x)
					if s, p := x.Status(); err != nil || s != Complete {
						t.Fatalf("%s: %v %s %v", what, err, s, p)
					}
					same(t, what, got, want)
					if len(ends) != 1 || ends[0].Records != uint64(len(want)) || ends[0].Length != uint64(len(raw)) {
						t.Fatalf("%s: ends %+v, %d bytes", what, ends, len(raw))
					}
					lazy := NewReader(bytes.NewReader(raw), Options{Name: "x", Lazy: true})
					got, _, err = read(t, lazy)
					if err != nil {
						t.Fatalf("%s: lazy: %v", what, err)
					}
					same(t, what+", lazy", got, want)
				}
			}
		}
	}
}

func TestTotals(t *testing.T) {
	b := someBatch(rand.New(rand.NewPCG(3, 4)), 2000)
	raw := write(t, column.None, false, b)
	_, ends, _ := read(t, NewReader(bytes.NewReader(raw), Options{}))
	var packets uint64
	v, err := b.Vec(b.Find(flow.Key{ID: 2}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range v.N {
		packets += v.Int(i)
	}
	e := ends[0]
	if !e.HasTotals || flow.Sum(&e.Totals.Packets) != packets || flow.Sum(&e.Totals.Flows) != 2000 {
		t.Errorf("totals %+v, want %d packets and 2000 flows", e.Totals, packets)
	}
}

func TestConcatenated(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	a, b := someBatch(r, 100), someBatch(r, 200)
	raw := append(write(t, column.None, false, a), write(t, column.Zstd, false, b)...)
	got, ends, err := read(t, NewReader(bytes.NewReader(raw), Options{}))
	if err != nil || len(ends) != 2 {
		t.Fatal(ends, err)
	}
	same(t, "two segments", got, append(text(t, a), text(t, b)...))
}

// TestCutAtEveryByte: whole frames before the cut are delivered and the status says so.
func TestCutAtEveryByte(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	a, b := someBatch(r, 20), someBatch(r, 30)
	raw := write(t, column.None, false, a, b)
	one := len(write(t, column.None, false, a))
	for cut := range raw {
		for _, lazy := range []bool{false, true} {
			x := NewReader(bytes.NewReader(raw[:cut]), Options{Name: "cut", Lazy: lazy})
			got, _, err := read(t, x)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if s, p := x.Status(); s != Truncated || len(p) != 1 {
				t.Fatalf("cut at %d: %s %q", cut, s, p)
			}
			if cut > one && len(got) < 20 {
				t.Fatalf("cut at %d: %d records", cut, len(got))
			}
		}
	}
}

// TestFlippedBits: any single flipped bit is noticed, and costs at most its frame where the
// frame's bounds are still known.
func TestFlippedBits(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	raw := write(t, column.None, false, someBatch(r, 20), someBatch(r, 30))
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1 << (i % 8)
		for _, rec := range []bool{false, true} {
			x := NewReader(bytes.NewReader(bad), Options{Name: "bad", Recover: rec})
			got, _, err := read(t, x)
			if err != nil {
				t.Fatalf("byte %d: %v", i, err)
			}
			s, p := x.Status()
			if s == Complete && !reserved(raw, i) {
				t.Fatalf("byte %d: not noticed (%d records)", i, len(got))
			}
			if rec && len(got) < 20 {
				t.Fatalf("byte %d: only %d records recovered: %v", i, len(got), p)
			}
		}
	}
}

func reserved([]byte, int) bool { return false }

func TestAbsurdHeaders(t *testing.T) {
	gig := appendFrame(nil, KindRecords, nil, 1<<30)
	version := appendFrame(nil, KindHead, nil, 0)
	version[4] = 9
	future := appendFrame(nil, KindHead, (&Head{Features: 1 << 40}).append(nil), 0)
	stop := append(appendFrame(nil, KindHead, (&Head{}).append(nil), 0), appendFrame(nil, 0x55, nil, 0)...)
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"a gigabyte in twenty bytes": {gig, "at most"},
		"not a stream":               {[]byte("From: someone who pipes the wrong file into it"), "no frame starts here"},
		"empty":                      {nil, "empty"},
		"version":                    {version, "version 9"},
		"required feature":           {future, "required features"},
		"unknown kind":               {stop, "frame kind"},
	} {
		x := NewReader(bytes.NewReader(c.in), Options{Name: "x"})
		if _, _, err := read(t, x); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s, p := x.Status()
		if s == Complete || !strings.Contains(strings.Join(p, "\n"), c.want) {
			t.Errorf("%s: %s %q, want %q", name, s, p, c.want)
		}
	}
}

func TestUnknownFramesPass(t *testing.T) {
	b := someBatch(rand.New(rand.NewPCG(11, 12)), 10)
	var out bytes.Buffer
	w := NewWriter(&out)
	f, err := EncodeFrame(b, column.None, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Head(Head{}), w.Side(0xf1, []byte("key"), []byte("value")), w.Write(f), w.End(End{})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var copied bytes.Buffer
	c := NewWriter(&copied)
	r := NewReader(bytes.NewReader(out.Bytes()), Options{})
	for {
		it, err := r.Next()
		if err == io.EOF {
			break
		}
		switch {
		case err != nil:
			t.Fatal(err)
		case it.Kind == KindHead:
			err = c.Head(*it.Head)
		case it.Kind == KindEnd:
			err = c.End(*it.End)
		default:
			err = c.Pass(it)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(copied.Bytes(), out.Bytes()) {
		t.Error("a copy differs from its original")
	}
}

// TestLength: the lengths of all items are what was taken of the input, however it is read and
// whatever was lost.
func TestLength(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	raw := write(t, column.None, false, someBatch(r, 3000), someBatch(r, 5))
	broken := bytes.Clone(raw)
	broken[len(raw)/2] ^= 1
	two := append(bytes.Clone(raw), raw...)
	want := []flow.Key{{ID: 4}}
	for _, c := range []struct {
		name string
		r    *Reader
		want int
	}{
		{"memory", NewReader(bytes.NewReader(raw), Options{}), len(raw)},
		{"lazy", NewReader(bytes.NewReader(raw), Options{Lazy: true}), len(raw)},
		{"passing over", NewReader(slowDiscarder{bytes.NewReader(raw)}, Options{Want: want}), len(raw)},
		{"leaving", NewReader(slowDiscarder{bytes.NewReader(raw)}, Options{Want: want, Leave: true}), len(raw)},
		{"two segments", NewReader(bytes.NewReader(two), Options{}), len(two)},
		{"damage", NewReader(bytes.NewReader(broken), Options{}), len(raw)},
		{"recovery", NewReader(bytes.NewReader(append([]byte("no stream"), broken...)), Options{Recover: true}), 9 + len(raw)},
	} {
		sum := int64(0)
		for {
			it, err := c.r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if it.Length < 0 {
				t.Errorf("%s: %s frame of %d bytes", c.name, it.Kind, it.Length)
			}
			sum += it.Length
		}
		if sum != int64(c.want) {
			t.Errorf("%s: %d of %d bytes", c.name, sum, c.want)
		}
	}
}

func TestParallelKeepsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	var want []string
	var batches []*flow.Batch
	for range 40 {
		b := someBatch(r, 50)
		batches = append(batches, b)
		want = append(want, text(t, b)...)
	}
	raw := write(t, column.None, false, batches...)
	var got []string
	work := func(it *Item) ([]string, error) {
		if it.Kind != KindRecords {
			return nil, nil
		}
		return text(t, it.Batch), nil
	}
	err := Parallel(NewReader(bytes.NewReader(raw), Options{}), work, func(it *Item, lines []string) error {
		got = append(got, lines...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parallel", got, want)
	broken := errors.New("broken")
	if err := Parallel(NewReader(bytes.NewReader(raw), Options{}), work, func(*Item, []string) error { return broken }); err != broken {
		t.Errorf("sink's error came back as %v", err)
	}
}

func TestHistory(t *testing.T) {
	var a, b History
	a.Add(Entry{Tool: "nfcap"})
	a.Add(Entry{Tool: "nffilter", Args: []string{"port 53"}, Port: "pass"})
	b.Add(Entry{Tool: "nfcap"})
	b.Add(Entry{Tool: "nffilter", Args: []string{"port 53"}, Port: "fail"})
	a.Merge(b)
	if len(a.Entries) != 3 || len(a.Leaves()) != 2 {
		t.Fatalf("merged: %+v", a)
	}
	c := cursor{b: a.append(nil)}
	if got := parseHistory(&c); c.err != nil || len(got.Entries) != 3 || got.Entries[2].Port != "fail" || got.Entries[2].Parents[0] != 0 {
		t.Errorf("read back: %+v %v", got, c.err)
	}
	for i := range 300 {
		a.Add(Entry{Tool: fmt.Sprint(i)})
	}
	if len(a.Entries) != maxHistory || a.More != 300+3-maxHistory {
		t.Errorf("%d entries and %d more", len(a.Entries), a.More)
	}
}

// TestGolden: files of every version stay readable.
func TestGolden(t *testing.T) {
	b := someBatch(rand.New(rand.NewPCG(15, 16)), 200)
	raw := write(t, column.None, false, b)
	golden := filepath.Join("testdata", "v1.nf")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := read(t, NewReader(bytes.NewReader(old), Options{}))
	if err != nil {
		t.Fatal(err)
	}
	same(t, golden, got, text(t, b))
}
