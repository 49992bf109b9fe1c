package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// FuzzMode compiles any format; one that is accepted must print any record.
func FuzzMode(f *testing.F) {
	for _, s := range []string{"line", "long6", "extended", "csv", "json", "ndjson", "null", "raw", "", "6", "fmt:", "csv:%ts,%te",
		"fmt:%ts , %te , %sa", "fmt:%%%n%{srcip}%{", "fmt:%{12345/6}", "csv:%{tos},%{mpls}", "fmt:%xx", "fmt:%", "fmt:\x00\xff%sa",
		"fmt:%{duration}%{ip}%{geo}%{frame}", "csv:%{natSourceIPv4Address}"} {
		f.Add(s)
	}
	b := batch(f, wholeRecord(), nil, []value{{27, "@2001:db8::1"}, {12345<<16 | 6, "x"}})
	f.Fuzz(func(t *testing.T, mode string) {
		p, err := New(mode, Options{})
		if err != nil {
			return
		}
		var head bytes.Buffer
		p.Header(&head)
		out, err := p.Batch(nil, b, 0)
		if err != nil {
			t.Fatalf("%q: %v", mode, err)
		}
		if n := len(out) + head.Len(); n > 100*(len(mode)+1000)*4 {
			t.Fatalf("%q: %d bytes", mode, n)
		}
	})
}

// FuzzStrings holds CSV and JSON against their readers.
func FuzzStrings(f *testing.F) {
	for _, s := range []string{"", "a,b", `"`, "\r\n", "\\", "\xff\xfe", "\x00", "é\u2028"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		var back string
		if err := json.Unmarshal(appendJSON(nil, s), &back); err != nil || back != strings.ToValidUTF8(replaceEach(s), "") {
			t.Errorf("%q: %v, came back as %q", s, err, back)
		}
		if bytes.ContainsAny(appendPrintable(nil, s), "\n\r\t\x00\x1b\x7f") {
			t.Errorf("%q: control character in text %q", s, appendPrintable(nil, s))
		}
		if got := unquoteCSV(string(appendCSV(nil, s))); got != string(s) {
			t.Errorf("%q: CSV came back as %q", s, got)
		}
	})
}

// replaceEach puts U+FFFD in place of each byte that is no UTF-8.
func replaceEach(s []byte) string {
	var b strings.Builder
	for _, r := range string(s) {
		b.WriteRune(r)
	}
	return b.String()
}

func unquoteCSV(s string) string {
	if in, ok := strings.CutPrefix(s, `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(in, `"`), `""`, `"`)
	}
	if strings.ContainsAny(s, ",\r\n\"") {
		return "not quoted: " + s
	}
	return s
}

// randomBatch has random elements of all types in random shapes, some twice.
func randomBatch(t testing.TB, r *rand.Rand) *flow.Batch {
	var ids []ie.ID
	for i := range 480 {
		ids = append(ids, ie.ID(i))
	}
	fields := ie.Fields()
	for i := range fields {
		ids = append(ids, fields[i].Elements...)
	}
	ids = append(ids, 12345<<16|1, 29305<<16|1, 29305<<16|8)
	b := flow.NewBuilder()
	for range 1 + r.IntN(8) {
		shape := make([]ie.ID, r.IntN(30))
		for i := range shape {
			shape[i] = ids[r.IntN(len(ids))]
		}
		l, ok := b.Layout(flow.ShapeOf(shape...))
		if !ok {
			t.Fatal("no room")
		}
		same := r.IntN(2) == 0
		for range r.IntN(20) {
			l.Next()
			x := r.Uint64() >> r.IntN(64)
			if same {
				x = 7
			}
			for i, c := range l.Cols {
				switch c.Kind() {
				case column.Int:
					c.PutInt(x)
				case column.Addr:
					if _, family := ie.Column(shape[i]); family == ie.IPv6 {
						c.Put6(column.V6{Hi: x, Lo: ^x})
					} else {
						c.Put4(uint32(x))
					}
				default:
					c.PutBytes([]byte(fmt.Sprint(x))[:r.IntN(len(fmt.Sprint(x))+1)])
				}
			}
		}
	}
	out := encoded(b.Batch())
	if r.IntN(2) == 0 && out.N > 0 {
		out.Sel = flow.NewBitmap(out.N)
		for i := range out.N {
			if r.IntN(3) > 0 {
				out.Sel.Set(i)
			}
		}
	}
	return out
}

// everyToken is a format with all that can be printed.
func everyToken(prefix string) string {
	var s []string
	fields := ie.Fields()
	for i := range fields {
		f := &fields[i]
		if prefix == "csv:" && f.CSV == "" {
			continue
		}
		s = append(s, "%{"+f.Name+"}")
	}
	return prefix + strings.Join(s, ",")
}

func TestRandomBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	modes := []string{"line", "extended6", "bilong", "nsel", "csv", "json", "ndjson", everyToken("fmt:"), everyToken("csv:")}
	printers := map[string]*Printer{}
	for _, m := range modes {
		p, err := New(m, Options{})
		if err != nil {
			t.Fatal(err)
		}
		printers[m] = p
	}
	for range 300 {
		b := randomBatch(t, r)
		n := b.Selected()
		for _, m := range modes {
			out, err := printers[m].Batch(nil, b, 0)
			if err != nil {
				t.Fatalf("%.20s: %v (%v)", m, err, b.Shapes)
			}
			switch m {
			case "line", "extended6", "csv", "ndjson":
				if got := bytes.Count(out, []byte("\n")); got != n {
					t.Fatalf("%.20s: %d rows of %d", m, got, n)
				}
			case "json":
				var v []any
				if err := json.Unmarshal([]byte("["+string(out)+"]"), &v); err != nil || len(v) != n {
					t.Fatalf("%d objects of %d, %v\n%s", len(v), n, err, out)
				}
			}
		}
	}
}

// One printer serves several goroutines, and gives each what it gives to one.
func TestConcurrent(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, mode := range []string{"line", "csv", "ndjson"} {
		p, err := New(mode, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			b := randomBatch(t, r)
			want, err := p.Batch(nil, b, 5)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				for range 20 {
					if got, err := p.Batch(nil, b, 5); err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s: %v, output differs", mode, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// Memory is for the batch, not for its records.
func TestAllocations(t *testing.T) {
	small, large := benchBatch(t, 1000), benchBatch(t, 50000)
	for _, mode := range []string{"line", "extended", "csv", "ndjson"} {
		p, err := New(mode, Options{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Batch(nil, large, 0)
		if err != nil {
			t.Fatal(err)
		}
		count := func(b *flow.Batch) float64 {
			return testing.AllocsPerRun(5, func() {
				if out, err = p.Batch(out[:0], b, 0); err != nil {
					t.Fatal(err)
				}
			})
		}
		if a, b := count(small), count(large); b > a+20 {
			t.Errorf("%s: %v allocations for 1000 records, %v for 50000", mode, a, b)
		}
	}
}
