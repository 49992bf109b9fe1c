package netflow

import (
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// A record has its rate, whatever the rows of side tables say of rates.
func TestEncodeTableRates(t *testing.T) {
	table := func(of uint64) *flow.Batch {
		return made(t, flow.ShapeOf(130, 149, 10, 34, 252), []uint64{0x0a000001, 7, 2, of, of})
	}
	plain := made(t, flow.ShapeOf(8, 2, 130, 149), []uint64{1, 1, 0x0a000001, 7})
	sampled := made(t, flow.ShapeOf(8, 2, 130, 149, ie.SamplingInterval, ie.SamplingSpace), []uint64{1, 1, 0x0a000001, 7, 1, 99})
	for _, version := range []uint16{9, 10} {
		c := newChannel(t, Encoding{Version: version})
		for i, b := range []*flow.Batch{plain, sampled, sampled} {
			if err := c.e.Table("interfaces", 3, table(uint64(10+i))); err != nil {
				t.Fatal(err)
			}
			want := any("none")
			if i > 0 {
				want = 99
			}
			for _, r := range c.through(b) {
				r.want(t, ie.SamplingSpace, want)
			}
			var last row
			for _, x := range c.in.tables {
				if x.rows[0].has(252) {
					last = x.rows[0]
				}
			}
			last.want(t, 252, 10+i, 34, "none")
		}
	}
}

// However many rates there are, each record has its own.
func TestEncodeManyRates(t *testing.T) {
	var records [][]uint64
	for i := range uint64(9000) {
		records = append(records, []uint64{1, i, 1, i + 1})
	}
	for _, version := range []uint16{9, 10} {
		c := newChannel(t, Encoding{Version: version})
		rows := c.through(made(t, flow.ShapeOf(8, 2, ie.SamplingInterval, ie.SamplingSpace), records...))
		wrong := 0
		for _, r := range rows {
			if r.get(ie.SamplingSpace) != r.get(2) && r.all(2)[0].num+1 != r.all(ie.SamplingSpace)[0].num {
				wrong++
			}
		}
		if wrong > 0 || len(rows) != 9000 {
			t.Errorf("version %d: %d of %d records have a wrong rate", version, wrong, len(rows))
		}
	}
}

// Samplers are announced under the element that the records have; of more than receivers remember
// the rest share the domain's rate, and each record has its own all the same.
func TestEncodeSamplers(t *testing.T) {
	for _, element := range []ie.ID{48, 302} {
		shape := flow.Shape{{ID: 8, Len: 4}, {ID: 2, Len: 4}, {ID: element, Len: 4}, {ID: ie.SamplingInterval, Len: 4}, {ID: ie.SamplingSpace, Len: 4}}
		var records [][]uint64
		for i := range uint64(1500) {
			records = append(records, []uint64{1, i + 1, i, 1, i + 1})
		}
		for _, version := range []uint16{9, 10} {
			c := newChannel(t, Encoding{Version: version})
			rows := c.through(made(t, shape, records...))
			if len(rows) != 1500 {
				t.Fatalf("%d records", len(rows))
			}
			for _, r := range rows {
				r.want(t, ie.SamplingSpace, r.get(2), ie.SamplingInterval, 1)
			}
			if n := len(c.said); n != 1+1024+2 { // the template, and the domain's rate in two ways
				t.Errorf("version %d: %d announcements in force", version, n)
			}
			first := c.in.tables[0].rows[0]
			if !first.has(element) {
				t.Errorf("version %d: announced as %s", version, first)
			}
		}
	}
}

// A list in a row of a side table goes out with the templates that it uses.
func TestEncodeTableList(t *testing.T) {
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.Shape{{ID: 130, Len: 4}, {ID: 149, Len: 4}, {ID: 10, Len: 4}, {ID: subList, Len: flow.Variable}})
	list := join(uint8(3), uint16(400), uint32(0x00500051), uint32(0x00520053))
	l.Next()
	l.Cols[0].Put4(0x0a000001)
	l.Cols[1].PutInt(7)
	l.Cols[2].PutInt(3)
	l.Cols[3].PutBytes(join(uint8(1), tmpl(400, el(7, 2), el(11, 2)), list))
	c := newChannel(t, Encoding{Version: 10})
	if err := c.e.Table("options", 3, b.Batch()); err != nil {
		t.Fatal(err)
	}
	c.through(made(t, flow.ShapeOf(8, 2, 130, 149), []uint64{1, 1, 0x0a000001, 7}))
	if len(c.in.tables) != 1 {
		t.Fatalf("%d tables", len(c.in.tables))
	}
	used, got := splitList(t, c.in.tables[0].rows[0].all(subList)[0].bytes)
	if len(used) != 1 || len(used[0]) != 2 || used[0][0] != el(7, 2) || used[0][1] != el(11, 2) || string(got[3:]) != string(list[3:]) {
		t.Errorf("templates %v, list % x", used, got)
	}
}

// A row takes the place of the one with its key, what is said again is not announced again, and there
// is a bound.
func TestEncodeTableReplaces(t *testing.T) {
	rows := func(from, to, mtu uint64) *flow.Batch {
		var records [][]uint64
		for i := from; i < to; i++ {
			records = append(records, []uint64{0x0a000001, 7, i, mtu})
		}
		return made(t, flow.ShapeOf(130, 149, 10, 253), records...)
	}
	c := newChannel(t, Encoding{Version: 10})
	record := made(t, flow.ShapeOf(8, 130, 149), []uint64{1, 0x0a000001, 7})
	said := func(b *flow.Batch) int {
		c.in.tables = nil
		if err := c.e.Table("interfaces", 3, b); err != nil {
			t.Fatal(err)
		}
		c.through(record)
		n := 0
		for _, x := range c.in.tables {
			n += len(x.rows)
		}
		return n
	}
	for _, x := range []struct {
		from, to, mtu uint64
		want          int
	}{{0, 10, 1500, 10}, {0, 10, 1500, 0}, {3, 5, 9000, 2}, {0, 12, 1500, 4}} {
		if n := said(rows(x.from, x.to, x.mtu)); n != x.want {
			t.Errorf("rows %d to %d with %d: %d announced, want %d", x.from, x.to, x.mtu, n, x.want)
		}
	}
	if n := said(rows(0, 20000, 1500)); n != maxRows-12 || c.e.Stats().TableLimit != 20000-maxRows {
		t.Errorf("%d announced, %+v", n, c.e.Stats())
	}
	if n := len(c.said); n != maxRows+1 {
		t.Errorf("%d announcements in force", n)
	}
}
