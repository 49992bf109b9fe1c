package netflow

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// A domain has 4096 templates; records that would need more are left out and counted, and those
// before stay.
func TestEncodeTemplateLimit(t *testing.T) {
	for _, version := range []uint16{9, 10} {
		c := newChannel(t, Encoding{Version: version})
		c.in = newSession(t, Config{Limits: Limits{Templates: 5000, Fields: 1 << 20}})
		shape := func(i int) flow.Shape {
			return flow.Shape{{ID: 8, Len: 4}, {ID: 2, Len: uint16(1 + i%8)}, {ID: 1, Len: uint16(1 + i/8%8)}, {ID: 85, Len: uint16(1 + i/64%8)}, {ID: 86, Len: uint16(1 + i/512)}}
		}
		got := 0
		for i := range 5 * 1024 {
			shape := shape(i % 4096)
			if i >= 4096 {
				shape = append(shape, flow.Elem{ID: 10, Len: 4})
			}
			record := []uint64{1, 2, 3, 4, 5, 6}[:len(shape)]
			got += len(c.through(made(t, shape, record)))
		}
		if s := c.e.Stats(); got != 4096 || s.TooMany != 1024 || s.Records != 5120 {
			t.Errorf("version %d: %d records, %+v", version, got, s)
		}
		if rows := c.through(made(t, shape(77), []uint64{1, 2, 3, 4, 5})); len(rows) != 1 {
			t.Errorf("version %d: %d records of a template that was there", version, len(rows))
		}
	}
}

// As many exporters as there may be share a domain: each gets one of its own, the next that is free,
// in the order in which they come.
func TestEncodeOriginLimit(t *testing.T) {
	shape := flow.ShapeOf(8, 130, 149)
	var records [][]uint64
	for i := range uint64(maxOrigins) {
		records = append(records, []uint64{1, 0x0a000000 + i, 7})
	}
	e, _ := NewEncoder(Encoding{Version: 10})
	begin, seen := time.Now(), map[uint32]bool{}
	take := func(m *Message) error {
		n := uint32(len(seen))
		if m.Domain != 7+n || seen[m.Domain] || fmt.Sprint(m.Exporter) != fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&0xff, n&0xff) {
			t.Fatalf("domain %d of %s after %d others", m.Domain, m.Exporter, n)
		}
		seen[m.Domain] = true
		return nil
	}
	if err := e.Encode(made(t, shape, records...), arrival, take); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); len(seen) != maxOrigins || took > 10*time.Second {
		t.Errorf("%d domains in %v", len(seen), took)
	}
	if err := e.Encode(made(t, shape, []uint64{1, 0x0b000000, 7}), arrival, take); err != nil || e.Stats().TooMany != 1 {
		t.Errorf("%v, %+v", err, e.Stats())
	}
}

// A message is no longer than it may be, unless its one record is.
func TestEncodeSize(t *testing.T) {
	shape := flow.Shape{{ID: 8, Len: 4}, {ID: 82, Len: flow.Variable}}
	b := flow.NewBuilder()
	l, _ := b.Layout(shape)
	want := 0
	for i := range 3000 {
		l.Next()
		l.Cols[0].Put4(uint32(i))
		n := i * 7 % 500
		switch i {
		case 1000:
			n = 5000
		case 2000:
			n = maxMessage - 20 - 4 - 3 // fills a message
		case 2500:
			n = maxMessage - 20 - 4 - 2 // does not fit
		}
		l.Cols[1].PutBytes(make([]byte, n))
		want++
	}
	batch := b.Batch()
	for _, size := range []int{128, 512, 1400, 9000, 65535} {
		c := newChannel(t, Encoding{Version: 10, Size: size})
		rows := c.through(batch)
		if s := c.e.Stats(); len(rows) != want-1 || s.TooLong != 1 {
			t.Errorf("size %d: %d records, %+v", size, len(rows), s)
		}
		next := uint32(0)
		for _, r := range rows {
			if next == 2500 {
				next++
			}
			if got := r.get(8); got != fmt.Sprintf("0.0.%d.%d", next>>8, next&0xff) {
				t.Fatalf("size %d: record %s out of order", size, got)
			}
			next++
		}
	}
	for size, want := range map[int]int{0: 28, 1400: 28, 1464: 30, 9000: 30, 128: 2} {
		c := newChannel(t, Encoding{Version: 5, Size: size})
		var records [][]uint64
		for i := range uint64(100) {
			records = append(records, []uint64{1, 2, i})
		}
		c.through(made(t, flow.ShapeOf(8, 12, 2), records...))
		if n := int(binary.BigEndian.Uint16(c.sent[0][2:])); n != want || len(c.sent[0]) != 24+48*n {
			t.Errorf("size %d: %d records of v5", size, n)
		}
	}
}

// The headers and sets of NetFlow v9 are as RFC 3954 has them: the count is that of all records, of
// templates too; sets end at a multiple of four bytes.
func TestEncodeHeader9(t *testing.T) {
	c := newChannel(t, Encoding{Version: 9})
	c.through(made(t, flow.ShapeOf(8, 5, 130, 149, ie.SamplingInterval, ie.SamplingSpace), []uint64{1, 2, 3, 8, 1, 9}, []uint64{1, 2, 3, 8, 1, 9}, []uint64{1, 2, 3, 8, 1, 9}))
	if len(c.sent) != 2 {
		t.Fatalf("%d messages", len(c.sent))
	}
	for i, count := range []uint16{5, 3} { // a template, two options templates and their records
		p := c.sent[i]
		be := binary.BigEndian
		if got := be.Uint16(p[2:]); got != count {
			t.Errorf("message %d: count %d, want %d", i, got, count)
		}
		if n, domain := be.Uint32(p[12:]), be.Uint32(p[16:]); n != uint32(i) || domain != 8 {
			t.Errorf("message %d: number %d, domain %d", i, n, domain)
		}
		boot := int64(be.Uint32(p[8:]))*1000 - int64(be.Uint32(p[4:]))
		if boot%1000 != 0 || boot > arrival/ms {
			t.Errorf("message %d: started at %d ms", i, boot)
		}
		at := 20
		for at < len(p) {
			n := int(be.Uint16(p[at+2:]))
			if n%4 != 0 || n < 8 {
				t.Fatalf("message %d: a set of %d bytes at %d", i, n, at)
			}
			at += n
		}
		if at != len(p) {
			t.Errorf("message %d: sets end at %d of %d", i, at, len(p))
		}
	}
	if p := c.sent[0][20:]; binary.BigEndian.Uint16(p) != 0 || binary.BigEndian.Uint16(p[4:]) < 256 {
		t.Errorf("the template does not come first: % x", p)
	}
}

// A message of IPFIX, byte by byte: the domain stands in the header alone, false is 2
// (RFC 7011 §6.1.5), numbers keep their sign at any length, a set has no padding that was not asked
// for.
func TestEncodeWire(t *testing.T) {
	shape := flow.Shape{{ID: 8, Len: 4}, {ID: 276, Len: 1}, {ID: 276, Len: 1}, {ID: 434, Len: 8}, {ID: 434, Len: 3}, {ID: ie.New(4711, 5), Len: 3},
		{ID: 149, Len: 4}, {ID: 258, Len: 8}}
	b := flow.NewBuilder()
	l, _ := b.Layout(shape)
	l.Next()
	l.Cols[0].Put4(0x0a000001)
	l.Cols[5].PutBytes([]byte("abc"))
	for i, x := range map[int]uint64{1: 0, 2: 1, 3: column.FromSigned(-5), 4: column.FromSigned(-6), 6: 7, 7: at} {
		l.Cols[i].PutInt(x)
	}
	c := newChannel(t, Encoding{Version: 10})
	c.through(b.Batch())
	template := ipfix(0, set(2, tmpl(256, shape[:6]...)))
	data := ipfix(0, set(256, uint32(0x0a000001), uint8(2), uint8(1), uint64(1<<64-5), []byte{255, 255, 250}, "abc"))
	if len(c.sent) != 2 || string(c.sent[0]) != string(template) || string(c.sent[1]) != string(data) {
		t.Errorf("% x, want\n% x\n% x", c.sent, template, data)
	}
}

// Padding of NetFlow v9 is never long enough to be taken for a record.
func TestEncodeShort9(t *testing.T) {
	for _, elements := range [][]ie.ID{{4}, {4, 5}, {7}, {7, 4}, {4, 5, 6}} {
		shape := flow.ShapeOf(elements...)
		for n := 1; n < 9; n++ {
			var records [][]uint64
			for range n {
				records = append(records, []uint64{1, 2, 3}[:len(elements)])
			}
			c := newChannel(t, Encoding{Version: 9})
			if rows := c.through(made(t, shape, records...)); len(rows) != n {
				t.Errorf("%d records of %v came as %d", n, shape, len(rows))
			}
		}
	}
	// Neither is that of options data.
	c := newChannel(t, Encoding{Version: 9})
	if err := c.e.Table("options", 1, made(t, flow.Shape{{ID: 10, Len: 1}, {ID: 4, Len: 1}}, []uint64{1, 6}, []uint64{2, 17}, []uint64{3, 1})); err != nil {
		t.Fatal(err)
	}
	c.through(made(t, flow.ShapeOf(8), []uint64{1}))
	n := 0
	for _, x := range c.in.tables {
		n += len(x.rows)
	}
	if n != 3 {
		t.Errorf("%d rows of 3", n)
	}
}
