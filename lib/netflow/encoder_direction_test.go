package netflow

import (
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

func back(id uint16) ie.ID { return ie.New(ie.ReversePEN, id) }

// The reverse direction of a record has what the record has, whatever others of its batch have.
func TestEncodeMirrorShapes(t *testing.T) {
	b := flow.NewBuilder()
	put := func(shape flow.Shape, values ...uint64) {
		l, _ := b.Layout(shape)
		l.Next()
		for i, x := range values {
			if shape[i].ID == 8 || shape[i].ID == 12 {
				l.Cols[i].Put4(uint32(x))
			} else {
				l.Cols[i].PutInt(x)
			}
		}
	}
	put(flow.ShapeOf(8, 12, 7, 11, 2, 1, 6, back(6), back(2)), 1, 2, 1000, 80, 3, 300, 2, 18, 4)
	put(flow.ShapeOf(8, 12, 7, 2, 1, 6, back(2)), 3, 4, 1001, 5, 500, 2, 6)
	batch := b.Batch()
	for _, version := range []uint16{5, 9} {
		c := newChannel(t, Encoding{Version: version})
		rows := c.through(batch)
		if len(rows) != 4 {
			t.Fatalf("version %d: %d records", version, len(rows))
		}
		for _, r := range rows {
			if r.get(8) == "0.0.0.4" {
				if version == 9 {
					r.want(t, 12, "0.0.0.3", 2, 6, 1, "none", 6, "none")
				} else {
					r.want(t, 12, "0.0.0.3", 2, 6, 1, 0, 6, 0, 11, 1001)
				}
			}
		}
	}
}

// Flows years apart do not share a message: 32 bits of milliseconds would not reach.
func TestEncodeYearsApart(t *testing.T) {
	const year = 365 * 86400 * 1000 * ms
	shape := flow.ShapeOf(8, 12, 2, 152, 153)
	var records [][]uint64
	for i := range uint64(20) {
		start := at - (i%5)*year - i*1000*ms
		records = append(records, []uint64{1, 2, i, start, start + 5*ms})
	}
	for _, version := range []uint16{1, 5, 9} {
		c := newChannel(t, Encoding{Version: version})
		if err := c.e.Encode(made(t, shape, records...), arrival, c.take); err != nil {
			t.Fatal(err)
		}
		rows := c.in.rows()
		if len(rows) != 20 || c.e.Stats().Clamped > 0 {
			t.Errorf("version %d: %d records, %+v", version, len(rows), c.e.Stats())
		}
		for _, r := range rows {
			want := records[r.all(2)[0].num]
			r.want(t, 152, want[3], 153, want[4])
		}
	}
}

// An uptime of which nobody knows the start is not relative to the header of NetFlow v9.
func TestEncodeRawUptime(t *testing.T) {
	b := made(t, flow.ShapeOf(8, 2, 22, 21), []uint64{1, 1, 5000, 6000})
	c := newChannel(t, Encoding{Version: 9})
	r := c.through(b)[0]
	r.want(t, 152, "none", 153, "none", 2, 1)
	if n := c.e.Stats().Elements; n != 2 {
		t.Errorf("%d values left out", n)
	}
	c = newChannel(t, Encoding{Version: 10})
	c.through(b)[0].want(t, 22, 5000, 21, 6000)
}

// Of two starts that a record has one goes out, the finer.
func TestEncodeTwoStarts(t *testing.T) {
	b := made(t, flow.ShapeOf(8, 2, 150, 151, 152, 153), []uint64{1, 1, at / 1e9 * 1e9, at / 1e9 * 1e9, at - 7*ms, at - 6*ms})
	for _, e := range []Encoding{{Version: 9}, {Version: 9, Times: TimesMilliseconds}, {Version: 10, Times: TimesMilliseconds}} {
		c := newChannel(t, e)
		c.through(b)[0].want(t, 152, at-7*ms, 153, at-6*ms)
	}
	c := newChannel(t, Encoding{Version: 10})
	c.through(b)[0].want(t, 150, at/1e9*1e9, 152, at-7*ms)
}
