package netflow

import (
	"errors"
	"slices"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// encodings are all that a stream may be sent as.
var encodings = []Encoding{
	{Version: 10}, {Version: 10, Size: 128, NoExporter: true, Started: arrival}, {Version: 10, Times: TimesNanoseconds},
	{Version: 9}, {Version: 9, Size: 200, Times: TimesMilliseconds}, {Version: 5}, {Version: 1},
}

// FuzzEncode encodes what came of messages, in every way. The receiver must find nothing wrong, and
// what comes over IPFIX is what was sent.
func FuzzEncode(f *testing.F) {
	f.Add(set(2, tmpl(256, benchElems()...)), set(256, make([]byte, 120)))
	f.Add(join(set(3, optionsRecordX(257, 1, el(143, 4), el(160, 8), el(305, 4), el(306, 4))), set(2, tmpl(256, el(22, 4), el(161, 4), el(back(1), 8)))),
		join(set(257, uint32(1), uint64(testBoot), uint32(1), uint32(99)), set(256, uint32(5), uint32(6), uint64(7))))
	f.Add(set(2, tmpl(256, el(293, variable16)), tmpl(257, el(292, variable16)), tmpl(258, el(291, variable16), el(1, 4))),
		set(256, short(uint8(255), uint16(257), uint16(13), short(uint8(3), uint16(258), short(uint8(3), uint16(1), uint16(4), uint32(9))))))
	f.Add(set(2, tmpl(256, el(ie.New(4711, 1), variable16), el(154, 8), el(156, 8), el(150, 4), el(320, 8), el(434, 4), el(276, 1), el(56, 5))),
		set(256, uint8(255), uint16(3), "abc", ntp64(arrival), ntp64(arrival), uint32(5), make([]byte, 18)))
	f.Add(set(2, tmpl(256, el(8, 4), el(12, 4), el(7, 2), el(11, 2), el(4, 1), el(2, 8), el(1, 8), el(back(2), 8), el(back(1), 4), el(150, 4), el(151, 4), el(131, 16), el(149, 4))),
		set(256, make([]byte, 33), uint8(9), make([]byte, 40)))
	f.Fuzz(func(t *testing.T, templates, data []byte) {
		type table struct {
			name string
			keys int
			*flow.Batch
		}
		var batches []*flow.Batch
		var tables []table
		c := Config{
			Sink: flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
				batches = append(batches, b.Batch())
				return flow.NewBuilder()
			}),
		}
		var want []row
		c.Table = func(name string, keys int, b *flow.Batch) {
			for _, e := range encodings { // the batch is valid during the call
				x, _ := NewEncoder(e)
				if err := x.Table(name, keys, b); err != nil {
					t.Errorf("table %s: %v", name, err)
				}
			}
			if len(tables) == 0 {
				tables = append(tables, table{name, keys, made(t, flow.ShapeOf(130, 149, 10, 14), []uint64{1, 2, 3, 4})})
			}
		}
		x := NewExporter(sender, c)
		for i, sets := range [][]byte{templates, data, join(templates, data)} {
			x.Decode(ipfix(uint32(i), sets), arrival)
			x.Decode(v9(uint32(i), sets), arrival)
		}
		c.Sink.Flush()
		want = rowsOfAll(t, batches)
		for _, e := range encodings {
			ch := newChannel(t, e)
			ch.jumps = true
			for _, x := range tables {
				if err := ch.e.Table(x.name, x.keys, x.Batch); err != nil {
					t.Fatal(err)
				}
			}
			got := ch.through(batches...)
			s := ch.e.Stats()
			if s.Records != uint64(len(want)) || s.Sent != uint64(len(got)) && !ch.tiny() {
				t.Errorf("%+v: %d records, %d came, %+v", e, len(want), len(got), s)
			}
			if e.Version == 10 && s.Sent != s.Records-s.TooMany-s.TooLong-s.Nothing {
				t.Errorf("%+v: %d records, %d came, %+v", e, len(want), len(got), s)
			}
			if e == (Encoding{Version: 10}) && s.Elements+s.Project+s.TooLong+s.Nothing+s.Clamped == 0 && !distant(want) {
				sameRows(t, "IPFIX", got, want, func(r row) string { return sortedRow(carried(t, r)) })
			}
			if t.Failed() {
				t.Fatalf("%+v", e)
			}
		}
	})
}

// distant tells that there are times of NTP so far from the arrival that a receiver may take them for
// plain units since 1970.
func distant(rows []row) bool {
	const years = 15 * 365 * 86400 * 1e9
	for _, r := range rows {
		for _, v := range r {
			e, _ := ie.Lookup(v.ID)
			ntp := e.Type == ie.DateTimeMicroseconds || e.Type == ie.DateTimeNanoseconds
			if ntp && (v.num > arrival+years || v.num < arrival-years) {
				return true
			}
		}
	}
	return false
}

// tiny tells that records may be shorter than padding, so that a receiver may take zeros at the end
// for none.
func (c *channel) tiny() bool {
	for _, p := range c.e.plans {
		if p.size < 4 {
			return true
		}
	}
	return false
}

// damaged makes a batch out of octets, as a stream might have it: shapes of any elements, columns
// of any kind and number of values.
func damaged(p []byte) *flow.Batch {
	next := func() int {
		if len(p) == 0 {
			return 0
		}
		x := p[0]
		p = p[1:]
		return int(x)
	}
	ids := []ie.ID{8, 27, 12, 28, 7, 11, 4, 2, 1, 152, 156, 157, 22, 21, 82, 130, 131, 149, 258, 48, 302, 291, 292, 293, 32, 56, 434, 276,
		back(2), back(1), back(152), back(27), ie.SamplingInterval, ie.SamplingSpace, ie.Percent, misfit, Raw(8), Raw(152), ie.New(9, 5), 40001, 38, 39, 160, 320}
	lengths := []uint16{1, 2, 4, 8, 16, 0, 3, 600, 65534, flow.Variable}
	b := &flow.Batch{N: next() % 40}
	for range 1 + next()%4 {
		var s flow.Shape
		for range next() % 12 {
			s = append(s, flow.Elem{ID: ids[next()%len(ids)], Len: lengths[next()%len(lengths)]})
		}
		b.Shapes = append(b.Shapes, s)
	}
	codes := &column.Vec{Kind: column.Int, Form: column.Dict, N: b.N}
	for i := range b.Shapes {
		codes.Ints = append(codes.Ints, uint64(i))
	}
	var count [flow.MaxShapes]int
	for range b.N {
		c := next() % len(b.Shapes)
		codes.Codes = append(codes.Codes, uint16(c))
		count[c]++
	}
	b.Codes.SetVec(codes)
	var keys []flow.Key
	for _, s := range b.Shapes {
		for _, k := range s.Keys(nil) {
			if !slices.Contains(keys, k) && next()%16 > 0 {
				keys = append(keys, k)
			}
		}
	}
	for _, k := range keys {
		n := 0
		for i, s := range b.Shapes {
			if slices.Contains(s.Keys(nil), k) {
				n += count[i]
			}
		}
		kind := flow.KindOf(k.ID)
		switch next() % 32 {
		case 1:
			n = next()
		case 2:
			kind = column.Kind(next() % 3)
		}
		var c column.Builder
		c.Reset(kind)
		for range n {
			x := next()
			switch kind {
			case column.Addr:
				if x&1 == 0 {
					c.Put4(uint32(x))
				} else {
					c.Put6(column.V6{Lo: uint64(x)})
				}
			case column.Bytes:
				c.PutBytes(p[:min(len(p), x)])
			default:
				c.PutInt(uint64(x) << (next() & 63))
			}
		}
		col := flow.Column{Key: k}
		col.SetVec(c.Vec())
		b.Cols = append(b.Cols, col)
	}
	if next()%4 == 0 {
		b.Sel = flow.NewBitmap(b.N)
		for i := range b.N {
			if next()%2 == 0 {
				b.Sel.Set(i)
			}
		}
	}
	return b
}

// FuzzEncodeBatch encodes batches that nobody has checked. What comes of them a receiver can read,
// or there is an error that says that the batch is damaged.
func FuzzEncodeBatch(f *testing.F) {
	f.Add([]byte{20, 1, 5, 0, 2, 2, 2, 9, 3, 14, 9, 21, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 5, 5, 6})
	f.Add([]byte{9, 3, 3, 0, 2, 7, 3, 28, 3, 2, 0, 2, 28, 3, 1, 33, 4, 0, 1, 2, 0, 1, 2, 3, 2, 1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4})
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, e := range encodings {
			b := damaged(p)
			if b.Link() != nil {
				return
			}
			ch := newChannel(t, e)
			check := func(err error) {
				if err != nil && !errors.Is(err, column.ErrCorrupt) {
					t.Errorf("%+v: %v", e, err)
				}
			}
			check(ch.e.Table("options", len(b.Shapes[0])/2, b))
			check(ch.e.Encode(b, arrival, ch.take))
			got := ch.in.rows()
			s := ch.e.Stats()
			if x := ch.in.x.Stats; x.Bad+x.Unknown+x.BadTemplates+x.Held > 0 || uint64(len(got)) != s.Sent && !ch.tiny() {
				t.Errorf("%+v: the receiver has %d records and says %+v, the sender %+v", e, len(got), x, s)
			}
			if left := s.IPv6 + s.NoAddress + s.TooMany + s.TooLong + s.Nothing; left > s.Records {
				t.Errorf("%+v: %d records left out of %d", e, left, s.Records)
			}
		}
	})
}

// FuzzEncodeList encodes lists as a stream may have stored them. What a receiver makes of one that
// goes out is a list of the same length, which goes out the same again.
func FuzzEncodeList(f *testing.F) {
	stored := func(list []byte, templates ...[]byte) []byte {
		return join(uint8(len(templates)), bytesOnly(templates...), list)
	}
	f.Add(byte(1), stored(join(uint8(3), uint16(400), uint32(1), uint32(2)), tmpl(400, el(7, 2), el(11, 2))))
	f.Add(byte(2), stored(join(uint8(3), uint16(400), uint16(8), uint32(1), uint16(401), uint16(7), short(uint8(9), uint8(8))),
		tmpl(400, el(7, 2), el(11, 2)), tmpl(401, el(ie.New(9, 1), variable16))))
	f.Add(byte(0), stored(join(uint8(3), uint16(292), uint16(variable16), short(uint8(3), uint16(300), uint32(1))), tmpl(300, el(1, 4))))
	f.Add(byte(1), stored(join(uint8(3), uint16(400), uint8(6), short(uint8(3), uint16(400))), tmpl(400, el(4, 1), el(292, variable16))))
	f.Fuzz(func(t *testing.T, kind byte, list []byte) {
		id := []ie.ID{basicList, subList, multiList}[kind%3]
		through := func(list []byte) ([]byte, EncoderStats) {
			b := flow.NewBuilder()
			l, _ := b.Layout(flow.Shape{{ID: 8, Len: 4}, {ID: id, Len: flow.Variable}})
			for range 2 {
				l.Next()
				l.Cols[0].Put4(1)
				l.Cols[1].PutBytes(list)
			}
			c := newChannel(t, Encoding{Version: 10})
			rows := c.through(b.Batch())
			s := c.e.Stats()
			if len(rows) == 0 && s.TooLong == 2 {
				return nil, s
			}
			if len(rows) != 2 || rows[0].String() != rows[1].String() {
				t.Fatalf("%d records: %v", len(rows), rows)
			}
			return rows[0].all(id)[0].bytes, s
		}
		got, s := through(list)
		if got == nil {
			return
		}
		if n := len(list) - headLen(list); s.Elements == 0 && len(got)-headLen(got) != n {
			t.Fatalf("a list of %d bytes came as %d", n, len(got)-headLen(got))
		}
		// Numbers in the order of their use are those that the encoder gives.
		twice, s := through(got)
		if thrice, _ := through(twice); s.Elements == 0 && string(thrice) != string(twice) || len(twice) > len(got) {
			t.Fatalf("% x came again as % x and % x", got, twice, thrice)
		}
	})
}
