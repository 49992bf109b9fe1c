package flow_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

func TestShapeKeys(t *testing.T) {
	for _, x := range []struct {
		sent []ie.ID
		want string
	}{
		{nil, "[]"},
		{[]ie.ID{8, 12, 4}, "[{8 0} {12 0} {4 0}]"},
		{[]ie.ID{27, 28, 29, 30, 139}, "[{8 0} {12 0} {9 0} {13 0} {32 0}]"},
		{[]ie.ID{8, 27, 8}, "[{8 0} {8 1} {8 2}]"},
		{[]ie.ID{152, 156, 322}, "[{156 0} {156 1} {325 0}]"},
		{[]ie.ID{7, 180, 182, 7}, "[{7 0} {180 0} {182 0} {7 1}]"},
	} {
		var got []string
		for _, k := range flow.ShapeOf(x.sent...).Keys(nil) {
			got = append(got, fmt.Sprintf("{%d %d}", k.ID, k.Occ))
		}
		if fmt.Sprint(got) != x.want {
			t.Errorf("keys of %v are %v, want %s", x.sent, got, x.want)
		}
	}
	k := flow.ShapeOf(4, 4).Keys([]flow.Key{{ID: 4, Occ: 9}})
	if k[1].Occ != 0 || k[2].Occ != 1 {
		t.Errorf("what was in dst counts: %v", k)
	}
	many := flow.ShapeOf(slices.Repeat([]ie.ID{210}, 400)...)
	if _, ok := flow.NewBuilder().Layout(many); ok {
		t.Error("an element 400 times has a layout, but keys tell 256 apart")
	}
	b := &flow.Batch{Shapes: []flow.Shape{many}, Cols: []flow.Column{{Key: flow.Key{ID: 210, Occ: 255}}}}
	if b.Link() == nil {
		t.Error("a batch with an element 400 times links")
	}
}

func TestShapeEqual(t *testing.T) {
	a := flow.ShapeOf(8, 12, 4)
	short := slices.Clone(a)
	short[2].Len = 2
	for _, x := range []struct {
		b    flow.Shape
		want bool
	}{{flow.ShapeOf(8, 12, 4), true}, {flow.ShapeOf(12, 8, 4), false}, {flow.ShapeOf(8, 12), false}, {short, false}, {nil, false}} {
		if a.Equal(x.b) != x.want {
			t.Errorf("%v equals %v: %v", a, x.b, !x.want)
		}
	}
	if s := flow.ShapeOf(82, 8, 27, 56, 1); fmt.Sprint(s[0].Len, s[1].Len, s[2].Len, s[3].Len, s[4].Len) != "65535 4 16 6 8" {
		t.Errorf("natural lengths %v", s)
	}
}

func TestKindOf(t *testing.T) {
	for id, want := range map[ie.ID]column.Kind{8: column.Addr, 27: column.Addr, 4: column.Int, 152: column.Int, 56: column.Int, 82: column.Bytes,
		313: column.Bytes, 434: column.Int, 311: column.Int, ie.New(12345, 7): column.Bytes, ie.New(ie.ReversePEN, 8): column.Addr, ie.Mean: column.Int} {
		if got := flow.KindOf(id); got != want {
			t.Errorf("element %v is kept as %v, want %v", id, got, want)
		}
	}
}

func TestLinkRefusesTwins(t *testing.T) {
	b := &flow.Batch{Cols: []flow.Column{{Key: flow.Key{ID: 4}}, {Key: flow.Key{ID: 4}}}}
	if b.Link() == nil {
		t.Error("a column twice links")
	}
}

func TestBuilderRoom(t *testing.T) {
	b := flow.NewBuilder()
	for i := range flow.MaxShapes {
		if _, ok := b.Layout(flow.Shape{{ID: 4, Len: uint16(i)}}); !ok {
			t.Fatalf("no room for shape %d", i)
		}
	}
	if _, ok := b.Layout(flow.Shape{{ID: 4, Len: 999}}); ok {
		t.Fatalf("room for more than %d shapes", flow.MaxShapes)
	}
	if _, ok := b.Layout(flow.Shape{{ID: 4, Len: 5}}); !ok {
		t.Fatal("a shape that is there is refused")
	}
	b.Clear()
	wide := make([]ie.ID, flow.MaxColumns)
	for i := range wide {
		wide[i] = ie.New(12345, uint16(i))
	}
	if _, ok := b.Layout(flow.ShapeOf(append(wide, 4)...)); ok {
		t.Fatal("room for 513 columns")
	}
	l, ok := b.Layout(flow.ShapeOf(wide...))
	if !ok {
		t.Fatal("no room for 512 columns")
	}
	if _, ok := b.Layout(flow.ShapeOf(4)); ok {
		t.Fatal("room for column 513")
	}
	if _, ok := b.Layout(flow.ShapeOf(wide[7], wide[3])); !ok {
		t.Fatal("no room for a shape of columns that are there")
	}
	l.Next()
	for i, c := range l.Cols {
		c.PutBytes([]byte{byte(i), byte(i >> 8)})
	}
	batch := reread(t, b.Batch(), column.None, false)
	if len(batch.Cols) != 512 || len(batch.Shapes) != 1 {
		t.Fatalf("%d columns, %d shapes", len(batch.Cols), len(batch.Shapes))
	}
	for i := range batch.Cols {
		v, err := batch.Vec(i)
		if err != nil {
			t.Fatal(err)
		}
		n := batch.Cols[i].Key.ID.Num()
		if string(v.BytesEntry(0)) != string([]byte{byte(n), byte(n >> 8)}) {
			t.Fatalf("column %v has %x", batch.Cols[i].Key, v.BytesEntry(0))
		}
	}
}

// All 64 shapes in one batch, and the last of 65,536 records.
func TestBuilderFull(t *testing.T) {
	b := flow.NewBuilder()
	n := 0
	for !b.Full() {
		l, ok := b.Layout(flow.Shape{{ID: ie.ID(100 + n%2), Len: flow.Variable}, {ID: 4, Len: uint16(n % 64)}})
		if !ok {
			t.Fatalf("no room for record %d", n)
		}
		l.Next()
		if l.Cols[0].Kind() == column.Bytes {
			l.Cols[0].PutBytes(nil)
		} else {
			l.Cols[0].PutInt(uint64(n))
		}
		l.Cols[1].PutInt(uint64(n % 200))
		n++
	}
	if n != flow.MaxRecords || b.Len() != n {
		t.Fatalf("full at %d records, want %d", n, flow.MaxRecords)
	}
	for _, batch := range []*flow.Batch{b.Batch(), reread(t, b.Batch(), column.None, false)} {
		if len(batch.Shapes) != 64 {
			t.Fatalf("%d shapes", len(batch.Shapes))
		}
		v, err := batch.Field(named("proto"))
		if err != nil {
			t.Fatal(err)
		}
		codes, err := batch.ShapeCodes()
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if v.Vec.Int(i) != uint64(i%200) || batch.Shapes[codes.Int(i)][1].Len != uint16(i%64) {
				t.Fatalf("record %d: %d, shape %d", i, v.Vec.Int(i), codes.Int(i))
			}
		}
		for s := range batch.Shapes {
			m, err := batch.Presence(1 << s)
			if err != nil || m.Count() != n/64 || !m.Get(s) {
				t.Fatalf("shape %d: %d records, %v", s, m.Count(), err)
			}
		}
	}
}

func TestBuilderFullOfStrings(t *testing.T) {
	// Asked after every record, and asked after every 30.
	for _, step := range []int{1, 30, 255} {
		b := flow.NewBuilder()
		l, _ := b.Layout(flow.ShapeOf(82))
		s := make([]byte, 60000)
		for !b.Full() {
			for range step {
				l.Next()
				l.Cols[0].PutBytes(s)
			}
			if b.Size() > 64<<20 {
				t.Fatalf("asked every %d records: %d bytes and not full", step, b.Size())
			}
		}
		if b.Size() < 15<<20 {
			t.Errorf("asked every %d records: full at %d bytes", step, b.Size())
		}
	}
}

// Reset keeps layouts, Clear forgets them; neither shows in the next batch.
func TestBuilderReuse(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	b := flow.NewBuilder()
	for round := range 60 {
		records := randomRecords(r, r.IntN(300), 4)
		for i := range records {
			if !put(b, &records[i]) {
				if i > 0 {
					t.Fatalf("round %d: no room for record %d", round, i)
				}
				b.Clear()
				if !put(b, &records[i]) {
					t.Fatalf("round %d: a cleared builder has no room", round)
				}
			}
		}
		if b.Len() != len(records) {
			t.Fatalf("round %d: %d records, want %d", round, b.Len(), len(records))
		}
		batch := b.Batch()
		f, err := stream.EncodeFrame(batch, column.None, false)
		if err != nil || f.Records != len(records) {
			t.Fatalf("round %d: %d records, %v", round, f.Records, err)
		}
		checkColumns(t, batch, records)
		checkSum(t, batch, records)
		for s := 1; s < len(batch.Cols); s++ {
			if batch.Cols[s-1].Key == batch.Cols[s].Key {
				t.Fatalf("round %d: column %v twice", round, batch.Cols[s].Key)
			}
		}
		if round%20 == 19 {
			b.Clear()
		} else {
			b.Reset()
		}
		if b.Len() != 0 || b.Full() {
			t.Fatalf("round %d: %d records after a reset", round, b.Len())
		}
	}
}

// The order of columns is that in which a filter decides.
func TestColumnOrder(t *testing.T) {
	rec := record{shape: flow.ShapeOf(82, 156, 1, 8, 6, 7, 4, 8), vals: []any{"x", uint64(1), uint64(2), addr("10.0.0.1"), uint64(3), uint64(4), uint64(5), addr("::1")}}
	b := build(t, []record{rec})
	var got []string
	for i := range b.Cols {
		got = append(got, fmt.Sprint(b.Cols[i].Key))
	}
	if want := "[{protocolIdentifier 0} {sourceTransportPort 0} {tcpControlBits 0} {sourceIPv4Address 0} {sourceIPv4Address 1} {octetDeltaCount 0} {flowStartNanoseconds 0} {interfaceName 0}]"; fmt.Sprint(got) != want {
		t.Errorf("columns %v\nwant %s", got, want)
	}
}
