package netflow

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// channel is an encoder and a receiver that it reaches without loss: what has to be announced is
// announced, sequence numbers count.
type channel struct {
	t        *testing.T
	e        *Encoder
	in       *session
	sequence map[uint32]uint32
	said     map[string]*Announcement
	sent     [][]byte // all messages
	jumps    bool     // flows may lie so far apart that the start of the uptime is chosen anew
}

func newChannel(t *testing.T, e Encoding) *channel {
	t.Helper()
	enc, err := NewEncoder(e)
	if err != nil {
		t.Fatal(err)
	}
	return &channel{t: t, e: enc, in: newSession(t, Config{}), sequence: map[uint32]uint32{}, said: map[string]*Announcement{}}
}

// take is what Encode gives messages to.
func (c *channel) take(m *Message) error {
	var list []*Announcement
	for _, a := range m.Needs {
		if key := fmt.Sprint(a.Domain, a.Key); c.said[key] != a {
			c.said[key] = a
			list = append(list, a)
		}
	}
	all := append(c.e.Encoding.Announce(m.Data, list), *m)
	for _, x := range all {
		x.SetSequence(c.sequence[m.Domain])
		c.sequence[m.Domain] += x.Advance()
		if len(x.Data) > c.e.Size && x.Records > 1 {
			c.t.Errorf("message of %d bytes and %d records, at most %d bytes", len(x.Data), x.Records, c.e.Size)
		}
		c.sent = append(c.sent, slices.Clone(x.Data))
		c.in.sendAt(arrival, c.sent[len(c.sent)-1])
	}
	return nil
}

// through encodes batches and decodes the messages.
func (c *channel) through(batches ...*flow.Batch) []row {
	c.t.Helper()
	for _, b := range batches {
		if err := c.e.Encode(b, arrival, c.take); err != nil {
			c.t.Fatal(err)
		}
	}
	rows := c.in.rows()
	if s := c.in.x.Stats; s.Gaps > 0 && !c.tiny() || s.Unknown > 0 || s.Bad > 0 || s.Restarts > 0 && !(c.jumps && c.rebased()) || s.BadTemplates > 0 || s.Held > 0 {
		c.t.Errorf("the receiver says %+v", s)
	}
	return rows
}

// rebased tells that messages of NetFlow say different things of when the exporter was started, as
// they must when flows are too far apart.
func (c *channel) rebased() bool {
	boots := map[int64]bool{}
	for _, p := range c.sent {
		if c.e.Version < 10 {
			boots[int64(binary.BigEndian.Uint32(p[8:]))*1000-int64(binary.BigEndian.Uint32(p[4:]))] = true
		}
	}
	return len(boots) > 1
}

// plainRow is a record without the time of arrival, which is that of the receiver, and the domain
// of the header; elements keep their order and length.
func plainRow(r row, without ...ie.ID) string {
	var s []string
	for _, v := range r {
		if v.ID == 258 || v.ID == 149 || slices.Contains(without, v.ID) {
			continue
		}
		s = append(s, fmt.Sprintf("%s:%d", v, v.Len))
	}
	return strings.Join(s, " ")
}

// sameRows compares records without regard to their order.
func sameRows(t *testing.T, what string, got, want []row, plain func(row) string) {
	t.Helper()
	count := map[string]int{}
	for _, r := range want {
		count[plain(r)]++
	}
	wrong := 0
	for _, r := range got {
		if count[plain(r)]--; count[plain(r)] < 0 && wrong < 3 {
			t.Errorf("%s: a record that was not sent: %s", what, plain(r))
			wrong++
		}
	}
	for r, n := range count {
		if n > 0 && wrong < 6 {
			t.Errorf("%s: a record did not come: %s", what, r)
			wrong++
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d records came of %d", what, len(got), len(want))
	}
}

func rowsOfAll(t *testing.T, batches []*flow.Batch) (rows []row) {
	for _, b := range batches {
		rows = append(rows, rowsOf(t, b)...)
	}
	return rows
}

// What real exporters sent goes out as IPFIX and comes back the same: elements, lengths, values,
// exporter. A v5 or v9 record is one of the same elements.
func TestEncodeCases(t *testing.T) {
	total := 0
	for _, c := range cases(t) {
		batches, _ := decodeAll(t, c.packets(t), Config{})
		want := rowsOfAll(t, batches)
		ch := newChannel(t, Encoding{Version: 10})
		got := ch.through(batches...)
		sameRows(t, c["case"], got, want, func(r row) string { return sortedRow(carried(t, r)) })
		left := 0
		for _, r := range want {
			for _, v := range r {
				if v.ID.PEN() == 0 && v.ID.Num()&enterprise != 0 {
					left++
				}
			}
		}
		if n := ch.e.Stats().Elements; n != uint64(left) {
			t.Errorf("%s: %d values are counted as left out of %d", c["case"], n, left)
		}
		if s := ch.e.Stats(); s.Records != uint64(len(want)) || s.Sent != uint64(len(want)) {
			t.Errorf("%s: %+v of %d records", c["case"], s, len(want))
		}
		total += len(want)
	}
	t.Logf("%d records", total)
}

// carried is a record as IPFIX can carry it: without elements of NetFlow v9 whose numbers have the
// bit that in IPFIX announces an enterprise; the templates of lists have no numbers, and lists no
// fixed length.
func carried(t *testing.T, r row) row {
	var out row
	for _, v := range r {
		if v.ID.PEN() == 0 && v.ID.Num()&enterprise != 0 {
			continue
		}
		if _, family := ie.Column(ie.ID(v.ID.Num() &^ enterprise)); family != ie.AnyFamily && v.ID == Raw(ie.ID(v.ID.Num()&^enterprise)) && zero(v.bytes) {
			continue // of a pair, beside the other member
		}
		if n := ie.ID(v.ID.Num() &^ enterprise); v.ID == Raw(n) && n >= 150 && n <= 157 && r.first(21, 22, 158, 159, 161, 162) != nil {
			continue // a time made of these goes out as one, and is kept when another is clamped
		}
		if isList(v.ID) {
			v.bytes, v.Len = unnumbered(t, v.bytes), flow.Variable
		}
		out = append(out, v)
	}
	return out
}

// unnumbered gives the templates of a stored list numbers from 1 on.
func unnumbered(t *testing.T, stored []byte) []byte {
	out := slices.Clone(stored)
	templates, list := splitList(t, out)
	at := 1
	for n, fields := range templates {
		id := slices.Clone(out[at : at+2])
		for i := 0; i+2 <= len(list); i++ {
			if list[i] == id[0] && list[i+1] == id[1] {
				list[i], list[i+1] = 0, byte(n+1)
			}
		}
		out[at], out[at+1] = 0, byte(n+1)
		at += 4 + len(specifiers(fields))
	}
	return out
}

// sortedRow is plainRow without regard to the place of what a collector adds.
func sortedRow(r row) string {
	words := strings.Fields(plainRow(r))
	slices.Sort(words)
	return strings.Join(words, " ")
}

// Records of random templates come back the same.
func TestEncodeRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	elements := ordinary()
	for round := range 200 {
		s := newSession(t, Config{})
		var messages [][]byte
		for k := range 1 + r.IntN(4) {
			var template []flow.Elem
			for range 1 + r.IntN(30) {
				template = append(template, randomField(r, elements))
			}
			var values []byte
			for range 1 + r.IntN(20) {
				for _, f := range template {
					v := randomValue(r, f)
					if f.Len == flow.Variable {
						values = append(values, 255, byte(len(v)>>8), byte(len(v)))
					}
					values = append(values, v...)
				}
			}
			messages = append(messages, ipfix(0, set(2, tmpl(256+k, template...)), set(256+k, values)))
		}
		for _, m := range messages {
			s.x.Decode(m, arrival)
		}
		s.x.config.Sink.Flush()
		batches := s.batches
		want := rowsOfAll(t, batches)
		ch := newChannel(t, Encoding{Version: 10, Size: 128 + r.IntN(3000)})
		sameRows(t, fmt.Sprint("round ", round), ch.through(batches...), want, sortedRow)
		if t.Failed() {
			return
		}
	}
}

// made is a batch of records of one shape, a list of numbers each; addresses are IPv4.
func made(t *testing.T, shape flow.Shape, records ...[]uint64) *flow.Batch {
	t.Helper()
	b := flow.NewBuilder()
	l, ok := b.Layout(shape)
	if !ok {
		t.Fatal("no layout")
	}
	for _, r := range records {
		l.Next()
		for i, x := range r {
			switch c := l.Cols[i]; c.Kind() {
			case column.Addr:
				if x>>32 != 0 {
					c.Put6(column.V6{Hi: x, Lo: 1})
				} else {
					c.Put4(uint32(x))
				}
			case column.Bytes:
				c.PutBytes(binary.BigEndian.AppendUint64(nil, x)[8-shape[i].Len:])
			default:
				c.PutInt(x)
			}
		}
	}
	return b.Batch()
}

const ms = 1_000_000

var at = uint64(arrival)

func TestEncode5(t *testing.T) {
	shape := flow.ShapeOf(8, 12, 4, 7, 11, 2, 1, 152, 153, 6, 5, 10, 14, 16, 17, 9, 13, 15)
	b := made(t, shape,
		[]uint64{0x0a000001, 0x0a000002, 6, 1234, 80, 5, 500, at - 9000*ms, at - 5000*ms, 0x1b, 0xb8, 3, 4, 65000, 70000, 24, 16, 0x0a0000fe},
		[]uint64{0x0a000001, 0x0a000002, 17, 53, 53, 1 << 32, 3<<32 + 5, at - 9000*ms, at - 5000*ms, 0, 0, 1 << 20, 4, 0, 0, 0, 0, 0})
	c := newChannel(t, Encoding{Version: 5})
	rows := c.through(b)
	if len(rows) != 5 { // the second has more bytes than three times 2^32-1
		t.Fatalf("%d records", len(rows))
	}
	rows[0].want(t, 8, "10.0.0.1", 12, "10.0.0.2", 4, 6, 7, 1234, 11, 80, 2, 5, 1, 500, 152, at-9000*ms, 153, at-5000*ms, 6, 0x1b, 5, 0xb8,
		10, 3, 14, 4, 16, 65000, 17, 23456, 9, 24, 13, 16, 15, "10.0.0.254")
	packets, bytes := uint64(0), uint64(0)
	for _, r := range rows[1:] {
		r.want(t, 10, 65535, 4, 17)
		packets += r.all(2)[0].num
		bytes += r.all(1)[0].num
	}
	if packets != 1<<32 || bytes != 3<<32+5 {
		t.Errorf("%d packets and %d bytes", packets, bytes)
	}
	if s := c.e.Stats(); s.Records != 2 || s.Sent != 5 || s.Clamped != 4 {
		t.Errorf("%+v", s)
	}
	p := c.sent[0]
	if binary.BigEndian.Uint16(p) != 5 || len(p) != 24+5*48 || binary.BigEndian.Uint16(p[22:]) != 0 {
		t.Errorf("% x", p)
	}
}

// The sequence number is that of the records sent before.
func TestEncodeSequence(t *testing.T) {
	shape := flow.ShapeOf(8, 12, 2, 1, 152, 153)
	var records [][]uint64
	for i := range uint64(100) {
		records = append(records, []uint64{1, 2, i, i, at, at})
	}
	for _, x := range []struct {
		version uint16
		size    int
		want    []uint32
	}{
		{5, 0, []uint32{0, 29 - 1, 56, 84}}, // 28 records in 1400 bytes
		{9, 0, []uint32{0, 1, 2, 3}},
		{10, 0, []uint32{0, 0, 34, 68}},
	} {
		c := newChannel(t, Encoding{Version: x.version, Size: x.size})
		c.through(made(t, shape, records...))
		var got []uint32
		for _, p := range c.sent {
			at := map[uint16]int{5: 16, 9: 12, 10: 8}[x.version]
			got = append(got, binary.BigEndian.Uint32(p[at:]))
		}
		if len(got) > len(x.want) {
			got = got[:len(x.want)]
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("version %d: sequence numbers %v, want %v", x.version, got, x.want)
		}
	}
}

// ICMP, IPv6, records without addresses, and sampling in v1 and v5.
func TestEncodeFixedSpecial(t *testing.T) {
	icmp := made(t, flow.ShapeOf(8, 12, 4, 32, 2, 1, 152, 153), []uint64{1, 2, 1, 0x0301, 1, 84, at, at})
	six := made(t, flow.ShapeOf(27, 28, 4, 2, 1, 152, 153), []uint64{1 << 60, 1 << 61, 6, 1, 84, at, at})
	mac := made(t, flow.ShapeOf(56, 80, 2, 1), []uint64{1, 2, 1, 84})
	sampled := made(t, flow.ShapeOf(8, 12, 2, 1, ie.SamplingInterval, ie.SamplingSpace),
		[]uint64{1, 2, 3, 300, 1, 99}, []uint64{1, 3, 3, 300, 2, 3}, []uint64{1, 4, 3, 300, 1, 1 << 20})
	for _, version := range []uint16{1, 5} {
		c := newChannel(t, Encoding{Version: version})
		rows := c.through(icmp, six, mac, sampled)
		if s := c.e.Stats(); len(rows) != 4 || s.IPv6 != 1 || s.NoAddress != 1 || s.Records != 6 {
			t.Fatalf("version %d: %d records, %+v", version, len(rows), s)
		}
		rows[0].want(t, 32, 0x0301)
		if version == 1 {
			rows[1].want(t, 2, 300, 1, 30000, ie.SamplingInterval, "none")
		} else {
			rows[1].want(t, 2, 3, 1, 300, ie.SamplingInterval, 1, ie.SamplingSpace, 99)
		}
		rows[2].want(t, 2, 7, 1, 750, ie.SamplingInterval, "none")
		rows[3].want(t, 2, 3+3<<20, 1, uint64(300+300<<20), ie.SamplingInterval, "none")
	}
}

// Times of v9 are relative to the uptime; header and times agree to the millisecond.
func TestEncodeUptime(t *testing.T) {
	shape := flow.ShapeOf(8, 12, 2, 1, 156, 157)
	const day = 86400 * 1000 * ms
	for _, x := range []struct {
		name        string
		first, last uint64
	}{
		{"now", at - 3500*ms, at - 1234*ms},
		{"in the future", at + 3500*ms, at + 5000*ms},
		{"a month ago", at - 30*day, at - 30*day + 77*ms},
		{"a year ago", at - 365*day + 3*ms, at - 365*day + 4567*ms},
		{"over 48 days", at - 50*day, at - 2*day},
		{"1970", 2 * 3600 * 1000 * ms, 2*3600*1000*ms + 5*ms},
	} {
		for _, version := range []uint16{1, 5, 9} {
			c := newChannel(t, Encoding{Version: version})
			recent := []uint64{1, 2, 3, 4, at - 2000*ms, at - 1000*ms}
			b := made(t, shape, []uint64{1, 2, 3, 4, x.first, x.last})
			for _, batch := range []*flow.Batch{b, made(t, shape, recent), b} {
				if err := c.e.Encode(batch, arrival, c.take); err != nil {
					t.Fatal(err)
				}
			}
			rows := c.in.rows()
			if len(rows) != 3 {
				t.Fatalf("%s, version %d: %d records", x.name, version, len(rows))
			}
			for i, want := range [][2]uint64{{x.first, x.last}, {recent[4], recent[5]}, {x.first, x.last}} {
				rows[i].want(t, 152, want[0]/ms*ms, 153, want[1]/ms*ms)
			}
			if t.Failed() {
				t.Fatalf("%s, version %d", x.name, version)
			}
		}
	}
}

// -A: the elements and units of start and end.
func TestEncodeTimes(t *testing.T) {
	b := made(t, flow.ShapeOf(8, 12, 2, 156, 157), []uint64{1, 2, 3, at - 123456789, at - 987654})
	for _, x := range []struct {
		times       TimeUnit
		start, end  ie.ID
		unit        uint64
		versionNine bool
	}{
		{TimesSeconds, 150, 151, 1e9, true}, {TimesMilliseconds, 152, 153, 1e6, true}, {TimesMicroseconds, 154, 155, 1e3, true},
		{TimesNanoseconds, 156, 157, 1, true}, {TimesDefault, 156, 157, 1, false},
	} {
		for _, version := range []uint16{9, 10} {
			if version == 9 && !x.versionNine {
				continue
			}
			c := newChannel(t, Encoding{Version: version, Times: x.times})
			rows := c.through(b)
			rows[0].want(t, x.start, (at-123456789)/x.unit*x.unit, x.end, (at-987654)/x.unit*x.unit)
		}
	}
}

// Every microsecond and nanosecond of a second is found again.
func TestNTP(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	w := work{x: &Exporter{now: arrival}}
	for range 200_000 {
		ns := at - uint64(r.Int64N(1e18))
		if got := w.ntp(rare(&sendField{form: sendNanos}, ns), 1); got != int64(ns) {
			t.Fatalf("%d ns came as %d", ns, got)
		}
		ns = ns / 1000 * 1000
		x := rare(&sendField{form: sendMicros}, ns)
		if got := w.ntp(x, 1000); got != int64(ns) || x&(1<<11-1) != 0 {
			t.Fatalf("%d ns came as %d, in µs %x", ns, got, x)
		}
		if cut := (x>>32-ntpEpoch)*1e6 + x&(1<<32-1)*1e6>>32; cut != ns/1000 { // as others read it
			t.Fatalf("%d ns is %d µs to one who cuts off", ns, cut)
		}
	}
}

// Two exporters with the same domain get domains of their own, and are told apart by a field.
func TestEncodeOrigins(t *testing.T) {
	shape := flow.ShapeOf(8, 2, 130, 149)
	b := made(t, shape, []uint64{1, 1, 0x0a000001, 7}, []uint64{1, 2, 0x0a000002, 7}, []uint64{1, 3, 0x0a000001, 8}, []uint64{1, 4, 0x0a000001, 7})
	for _, version := range []uint16{9, 10} {
		c := newChannel(t, Encoding{Version: version})
		rows := c.through(b)
		domains := map[uint32]bool{}
		for _, p := range c.sent {
			domains[binary.BigEndian.Uint32(p[map[uint16]int{9: 16, 10: 12}[version]:])] = true
		}
		if len(domains) != 3 {
			t.Errorf("version %d: domains %v", version, domains)
		}
		slices.SortFunc(rows, func(a, b row) int { return int(a.all(2)[0].num) - int(b.all(2)[0].num) })
		for i, want := range [][2]any{{"10.0.0.1", 7}, {"10.0.0.2", 7}, {"10.0.0.1", 8}, {"10.0.0.1", 7}} {
			rows[i].want(t, 130, want[0], 149, want[1])
		}
	}
	c := newChannel(t, Encoding{Version: 10, NoExporter: true})
	for _, r := range c.through(b) {
		r.want(t, 130, sender)
	}
}

// Rates are announced, and change with the records; records without one are not scaled.
func TestEncodeRates(t *testing.T) {
	sampled := flow.ShapeOf(8, 2, 1, ie.SamplingInterval, ie.SamplingSpace)
	named := flow.ShapeOf(8, 2, 1, 48, ie.SamplingInterval, ie.SamplingSpace)
	for _, version := range []uint16{9, 10} {
		c := newChannel(t, Encoding{Version: version})
		rows := c.through(
			made(t, flow.ShapeOf(8, 2, 1), []uint64{1, 1, 1}),
			made(t, sampled, []uint64{1, 2, 1, 1, 99}, []uint64{1, 3, 1, 3, 7}, []uint64{1, 4, 1, 1, 99}),
			made(t, flow.ShapeOf(8, 2, 1), []uint64{1, 5, 1}),
			made(t, named, []uint64{1, 6, 1, 17, 1, 9}, []uint64{1, 7, 1, 18, 1, 19}, []uint64{1, 8, 1, 17, 1, 9}))
		slices.SortFunc(rows, func(a, b row) int { return int(a.all(2)[0].num) - int(b.all(2)[0].num) })
		for i, want := range [][2]any{{"none", "none"}, {1, 99}, {3, 7}, {1, 99}, {"none", "none"}, {1, 9}, {1, 19}, {1, 9}} {
			rows[i].want(t, ie.SamplingInterval, want[0], ie.SamplingSpace, want[1])
		}
	}
}

// Side tables are options data again.
func TestEncodeTable(t *testing.T) {
	b := flow.NewBuilder()
	shape := flow.Shape{{ID: 130, Len: 4}, {ID: 149, Len: 4}, {ID: 10, Len: 4}, {ID: 82, Len: flow.Variable}}
	l, _ := b.Layout(shape)
	for i, name := range []string{"eth0", "eth1", "eth0"} {
		l.Next()
		l.Cols[0].Put4(0x0a000001)
		l.Cols[1].PutInt(7)
		l.Cols[2].PutInt(uint64(i%2 + 1))
		l.Cols[3].PutBytes([]byte(name))
	}
	batch := b.Batch()
	for _, version := range []uint16{9, 10} {
		c := newChannel(t, Encoding{Version: version})
		if err := c.e.Table("interfaces", 3, batch); err != nil {
			t.Fatal(err)
		}
		c.through(made(t, flow.ShapeOf(8, 2, 130, 149), []uint64{1, 1, 0x0a000001, 7}))
		names := map[string]string{}
		for _, table := range c.in.tables {
			if table.name != "interfaces" || table.keys != 3 {
				t.Errorf("table %q with %d keys", table.name, table.keys)
			}
			for _, r := range table.rows {
				names[r.get(10)] = strings.TrimRight(string(r.all(82)[0].bytes), "\x00")
				r.want(t, 149, 7)
			}
		}
		if len(names) != 2 || names["1"] != "eth0" || names["2"] != "eth1" {
			t.Errorf("version %d: %v", version, names)
		}
	}
}

// A biflow is one record in IPFIX, and two elsewhere.
func TestEncodeBiflow(t *testing.T) {
	shape := flow.ShapeOf(8, 12, 4, 7, 11, 2, 1, 152, 153, 6, 10, 14, back(2), back(1), back(152), back(153), back(6))
	b := made(t, shape,
		[]uint64{1, 2, 6, 1000, 80, 5, 500, at - 9*ms, at - 8*ms, 2, 3, 4, 6, 600, at - 7*ms, at - 6*ms, 0x12},
		[]uint64{1, 3, 6, 1001, 80, 5, 500, at - 9*ms, at - 8*ms, 2, 3, 4, 0, 0, at, at, 0})
	c := newChannel(t, Encoding{Version: 10})
	sameRows(t, "IPFIX", c.through(b), rowsOf(t, b), func(r row) string { return plainRow(r, 130) })
	for _, version := range []uint16{1, 5, 9} {
		c := newChannel(t, Encoding{Version: version})
		rows := c.through(b)
		if len(rows) != 3 {
			t.Fatalf("version %d: %d records", version, len(rows))
		}
		rows[0].want(t, 8, "0.0.0.1", 12, "0.0.0.2", 7, 1000, 11, 80, 2, 5, 1, 500, 152, at-9*ms, 153, at-8*ms, 6, 2, 10, 3, 14, 4)
		rows[2].want(t, 8, "0.0.0.2", 12, "0.0.0.1", 7, 80, 11, 1000, 2, 6, 1, 600, 152, at-7*ms, 153, at-6*ms, 6, 0x12, 10, 4, 14, 3)
	}
}

// A batch that does not hold what its shapes say is an error, not a crash.
func TestEncodeDamaged(t *testing.T) {
	short := column.Vec{Kind: column.Int, N: 1, Ints: []uint64{1}}
	text := column.Vec{Kind: column.Bytes, N: 2, Off: []uint32{0, 1, 2}, Data: []byte("ab")}
	six := column.Vec{Kind: column.Addr, Form: column.Const, N: 2, V6: []column.V6{{Hi: 1}}}
	for name, v := range map[string]column.Vec{"short": short, "text": text, "family": six} {
		for _, version := range []uint16{1, 5, 9, 10} {
			id := ie.ID(2)
			if name == "family" {
				id = 8
			}
			b := &flow.Batch{N: 2, Shapes: []flow.Shape{flow.ShapeOf(id)}, Cols: []flow.Column{{Key: flow.Key{ID: id}, Block: column.Encode(&v), Ref: -1}}}
			b.Codes.SetVec(&column.Vec{Kind: column.Int, Form: column.Const, N: 2, Ints: []uint64{0}})
			if err := b.Link(); err != nil {
				t.Fatal(err)
			}
			e, _ := NewEncoder(Encoding{Version: version})
			err := e.Encode(b, arrival, func(m *Message) error { return nil })
			if err == nil && (version >= 9 || name != "family") {
				t.Errorf("%s, version %d: no error", name, version)
			}
		}
	}
}

var _ = netip.Addr{}

// What real exporters sent goes out as NetFlow v9 and comes back with all that is no element of an
// enterprise, times in milliseconds, octets filled up with zeros. As v5 and v1 come those of IPv4, and
// their packets and bytes.
func TestEncodeCasesNetFlow(t *testing.T) {
	total := map[uint16]int{}
	for _, c := range cases(t) {
		batches, _ := decodeAll(t, c.packets(t), Config{})
		sent := rowsOfAll(t, batches)
		biflows := slices.ContainsFunc(sent, func(r row) bool { return r.has(back(1)) || r.has(back(2)) || r.has(back(85)) || r.has(back(86)) })
		for _, version := range []uint16{1, 5, 9} {
			ch := newChannel(t, Encoding{Version: version})
			got := ch.through(batches...)
			s := ch.e.Stats()
			if s.Sent != uint64(len(got)) {
				t.Errorf("%s, version %d: %d records came of %+v", c["case"], version, len(got), s)
			}
			total[version] += len(got)
			switch {
			case biflows:
			case version == 9:
				sameRows(t, c["case"], got, slices.DeleteFunc(slices.Clone(sent), func(r row) bool { return row9(r) == "" }), row9)
			default:
				for _, ids := range [][]ie.ID{{1, 85, 231}, {2, 86, 298}} {
					if a, b := sum4(sent, version == 1, ids...), sum4(got, false, ids[0]); a != b {
						t.Errorf("%s, version %d: %s is %d, want %d; %+v", c["case"], version, ids[0], b, a, s)
					}
				}
			}
		}
	}
	t.Logf("records of the versions: %v", total)
}

// sum4 is the sum of a counter, the first that each has, over the records between IPv4 addresses.
func sum4(rows []row, scaling bool, ids ...ie.ID) (sum uint64) {
	for _, r := range rows {
		v := r.first(ids...)
		if !r.has(8) || !r.has(12) || v == nil {
			continue
		}
		x := v.num
		if scaling && r.has(ie.SamplingSpace) {
			x = x * (r.all(ie.SamplingInterval)[0].num + r.all(ie.SamplingSpace)[0].num) / r.all(ie.SamplingInterval)[0].num
		}
		sum += x
	}
	return sum
}

// row9 is a record as NetFlow v9 has it.
func row9(r row) string {
	var out []string
	for _, v := range r {
		rate := v.ID == ie.SamplingInterval || v.ID == ie.SamplingSpace
		switch col, _ := ie.Column(v.ID); {
		case col == 156 || col == 157:
			if finer := r.first(col, col-2, col-4, col-6); finer.ID == v.ID { // one of several
				out = append(out, fmt.Sprintf("%s=%d", col, v.num/ms))
			}
		case v.ID == 21 || v.ID == 22 || v.ID == 149 || v.ID == 258 || v.ID.PEN() != 0 && !rate || isList(v.ID):
		case v.kind == column.Bytes:
			out = append(out, fmt.Sprintf("%s=%x", v.ID, strings.TrimRight(string(v.bytes), "\x00")))
		default:
			out = append(out, v.String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
