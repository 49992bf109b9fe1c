package stream

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// names is a table of an exporter's interfaces: number, name, number, name …
func names(pairs ...any) *flow.Batch {
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.ShapeOf(130, 10, 82))
	for i := 0; i < len(pairs); i += 2 {
		l.Next()
		put(l, uint32(0xc0000201), uint64(pairs[i].(int)), []byte(pairs[i+1].(string)))
	}
	return b.Batch()
}

func tablesText(t *testing.T, s *Tables) string {
	var out []string
	for _, x := range s.All() {
		for _, line := range text(t, x.Batch) {
			out = append(out, fmt.Sprintf("%s/%d %s", x.Name, x.Keys, line[strings.Index(line, "]")+1:]))
		}
	}
	return strings.Join(out, "\n")
}

func TestTablesNewestWins(t *testing.T) {
	var s Tables
	check(t, s.Add(Table{TableInterfaces, 2, names(1, "eth1", 2, "eth2")}))
	check(t, s.Add(Table{TableVRFs, 2, names(1, "red")}))
	check(t, s.Add(Table{TableInterfaces, 2, names(2, "Ethernet2", 3, "eth3", 3, "eth3b")}))
	check(t, s.Add(Table{TableInterfaces, 1, names(1, "other scope")}))
	six := flow.NewBuilder()
	l, _ := six.Layout(flow.ShapeOf(131, 10, 82, 83))
	l.Next()
	put(l, column.V6{Hi: 1, Lo: 2}, uint64(1), []byte("eth1"), []byte("uplink"))
	check(t, s.Add(Table{TableInterfaces, 2, six.Batch()}))
	got := tablesText(t, &s)
	want := strings.Join([]string{
		`interfaces/2  {ingressInterface 0}=1 {interfaceName 0}="eth1" {exporterIPv4Address 0}=192.0.2.1`,
		`interfaces/2  {ingressInterface 0}=2 {interfaceName 0}="Ethernet2" {exporterIPv4Address 0}=192.0.2.1`,
		`interfaces/2  {ingressInterface 0}=3 {interfaceName 0}="eth3b" {exporterIPv4Address 0}=192.0.2.1`,
		`interfaces/2  {ingressInterface 0}=1 {interfaceName 0}="eth1" {interfaceDescription 0}="uplink" {exporterIPv4Address 0}=::1:0:0:0:2`,
		`vrfs/2  {ingressInterface 0}=1 {interfaceName 0}="red" {exporterIPv4Address 0}=192.0.2.1`,
		`interfaces/1  {ingressInterface 0}=1 {interfaceName 0}="other scope" {exporterIPv4Address 0}=192.0.2.1`,
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTablesBounds(t *testing.T) {
	var many Tables
	for i := range maxTables {
		check(t, many.Add(Table{fmt.Sprint("t", i), 2, names(1, "x")}))
	}
	if err := many.Add(Table{"one more", 2, names(1, "x")}); err == nil || !strings.Contains(err.Error(), "more than 64 side tables") {
		t.Errorf("65 tables: %v", err)
	}
	rows := func(from, n int, value string) *flow.Batch {
		b := flow.NewBuilder()
		l, _ := b.Layout(flow.ShapeOf(10, 82))
		for i := range n {
			l.Next()
			put(l, uint64(from+i), []byte(value))
		}
		return b.Batch()
	}
	var long Tables
	check(t, long.Add(Table{"t", 1, rows(0, maxTableRows, "a")}))
	check(t, long.Add(Table{"t", 1, rows(5, 100, "b")})) // equal keys are no new rows
	if err := long.Add(Table{"t", 1, rows(maxTableRows, 1, "a")}); err == nil || !strings.Contains(err.Error(), "more than 65536 rows") {
		t.Errorf("65537 rows: %v", err)
	}
	if all := long.All(); len(all) != 1 || all[0].Batch.N != maxTableRows {
		t.Errorf("%d tables", len(all))
	}
	var wide Tables
	var err error
	for i := 0; err == nil && i < 200; i++ {
		err = wide.Add(Table{"t", 1, rows(i*16, 16, strings.Repeat("x", 1<<16))})
	}
	if err == nil || !strings.Contains(err.Error(), "bytes") || wide.size > maxTableSize {
		t.Errorf("200 MiB of rows: %v, %d bytes", err, wide.size)
	}
	total := 0
	for _, x := range wide.All() {
		total += x.Batch.N
	}
	if total != len(wide.tables[0].rows) {
		t.Errorf("%d rows in parts, %d kept", total, len(wide.tables[0].rows))
	}
}

// TestManyShapes: a table with more shapes than a batch holds comes in parts.
func TestManyShapes(t *testing.T) {
	var s Tables
	for i := range 150 {
		b := flow.NewBuilder()
		l, _ := b.Layout(flow.Shape{{ID: 10, Len: 4}, {ID: 82, Len: uint16(i + 1)}})
		l.Next()
		put(l, uint64(i), []byte(fmt.Sprint("name", i)))
		check(t, s.Add(Table{"t", 1, b.Batch()}))
	}
	var again Tables
	all := s.All()
	for _, x := range all {
		check(t, again.Add(x))
	}
	if len(all) != 3 || tablesText(t, &s) != tablesText(t, &again) {
		t.Errorf("%d parts, rows\n%s\nand\n%s", len(all), tablesText(t, &s), tablesText(t, &again))
	}
}

// segmentWithSides is a segment of tables, ticks and records among each other.
func segmentWithSides(t *testing.T, seed uint64, name string) []byte {
	r := rand.New(rand.NewPCG(seed, seed))
	var out bytes.Buffer
	w := NewWriter(&out)
	check(t, w.Head(Head{Features: FeatureSelection}))
	check(t, w.Table(Table{TableInterfaces, 2, names(1, name)}))
	for i := range 3 {
		f, err := EncodeFrame(someBatch(r, 40), column.None, false)
		check(t, err)
		check(t, w.Write(f))
		check(t, w.Tick(Tick{Clock: seed + uint64(i), Dropped: uint64(1000 * i)}))
	}
	check(t, w.Table(Table{TableOptions, 1, names(7, name+"!")}))
	check(t, w.End(End{}))
	return out.Bytes()
}

// script lists the frames of a stream in their order.
func script(t *testing.T, raw []byte) string {
	x := NewReader(bytes.NewReader(raw), Options{})
	var out []string
	for {
		it, err := x.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		switch it.Kind {
		case KindSide:
			var s Tables
			check(t, s.Add(*it.Table))
			out = append(out, tablesText(t, &s))
		case KindTick:
			out = append(out, fmt.Sprint("tick ", *it.Tick))
		case KindRecords:
			out = append(out, fmt.Sprint("records ", it.Batch.Selected()))
		default:
			out = append(out, it.Kind.String())
		}
	}
	if s, p := x.Status(); s != Complete {
		t.Fatalf("%s %q", s, p)
	}
	return strings.Join(out, "\n")
}

// TestSidesPassThrough: tables and ticks stay, in their place, through a filter, a pipe and cat.
func TestSidesPassThrough(t *testing.T) {
	raw := append(segmentWithSides(t, 100, "eth1"), segmentWithSides(t, 200, "ge-0/0/1")...)
	want := strings.ReplaceAll(script(t, raw), "records 40", "records 10")
	if n := strings.Count(want, "eth1!"); n != 1 {
		t.Fatalf("%d options in\n%s", n, want)
	}
	keepTen := func(b *flow.Batch) (Verdict, error) {
		b.First(10)
		f, err := EncodeFrame(b, column.None, true)
		return Verdict{Frame: f}, err
	}
	for name, lazy := range map[string]bool{"from a pipe": false, "from a file": true} {
		first, second := new(bytes.Buffer), new(bytes.Buffer)
		tr := Transform{W: NewWriter(first), Work: keepTen, Entry: Entry{Tool: "nffilter"}}
		check(t, tr.Run(NewReader(bytes.NewReader(raw), Options{Lazy: lazy})))
		pr, pw := io.Pipe()
		go func() {
			pw.Write(first.Bytes())
			pw.Close()
		}()
		tr = Transform{W: NewWriter(second), Entry: Entry{Tool: "nfcat"}}
		check(t, tr.Run(NewReader(pr, Options{})))
		if got := script(t, second.Bytes()); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	none := new(bytes.Buffer)
	tr := Transform{W: NewWriter(none), Work: func(*flow.Batch) (Verdict, error) { return Verdict{Drop: true}, nil }}
	check(t, tr.Run(NewReader(bytes.NewReader(raw), Options{})))
	if got := script(t, none.Bytes()); got != strings.ReplaceAll(want, "records 10\n", "") {
		t.Errorf("all records dropped:\n%s", got)
	}
}

// TestDamagedTable: damage costs the table and is reported; records are all there.
func TestDamagedTable(t *testing.T) {
	raw := segmentWithSides(t, 300, "eth1")
	for _, f := range layouts(raw) {
		if f.kind != KindSide {
			continue
		}
		bad := bytes.Clone(raw)
		bad[f.body+1] ^= 4
		x := NewReader(bytes.NewReader(bad), Options{Name: "bad"})
		got, ends, err := read(t, x)
		s, p := x.Status()
		if err != nil || len(got) != 120 || s != Partial || len(p) != 1 || !strings.Contains(p[0], fmt.Sprintf("side frame at offset %d", f.start)) {
			t.Errorf("%d records, %v: %s %q", len(got), err, s, p)
		}
		if ends[0].Status != Partial {
			t.Errorf("the end says %s", ends[0].Status)
		}
	}
}

func TestFramesOutsideOfSegments(t *testing.T) {
	var out bytes.Buffer
	for what, f := range map[string]func(*Writer) error{
		"table": func(w *Writer) error { return w.Table(Table{"t", 1, names(1, "x")}) },
		"tick":  func(w *Writer) error { return w.Tick(Tick{}) },
		"pass":  func(w *Writer) error { return w.Pass(&Item{Kind: 0xf0, prefix: []byte("x")}) },
	} {
		if err := f(NewWriter(&out)); err == nil || out.Len() > 0 {
			t.Errorf("%s before a head: %v, %d bytes written", what, err, out.Len())
		}
	}
}
