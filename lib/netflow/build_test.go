package netflow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Messages are built from the inside out: bytes joins values, set puts a head before them, v9
// and ipfix a header before sets.

// join makes bytes of values: numbers by their size, addresses, octets, strings.
func join(values ...any) []byte {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case uint8:
			b = append(b, v)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, v)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, v)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, v)
		case netip.Addr:
			b = append(b, v.AsSlice()...)
		case []byte:
			b = append(b, v...)
		case string:
			b = append(b, v...)
		default:
			panic(fmt.Sprintf("a %T is no value", v))
		}
	}
	return b
}

// set is a set of templates or data.
func set(id int, values ...any) []byte {
	body := join(values...)
	return join(uint16(id), uint16(4+len(body)), body)
}

// el is a field of a template.
func el(id ie.ID, size int) flow.Elem { return flow.Elem{ID: id, Len: uint16(size)} }

const variable16 = flow.Variable

// specifiers are the fields of a template; of enterprise elements with their number.
func specifiers(fields []flow.Elem) []byte {
	var b []byte
	for _, f := range fields {
		b = appendField(b, f)
	}
	return b
}

// tmpl is a template record of both protocols.
func tmpl(id int, fields ...flow.Elem) []byte {
	return join(uint16(id), uint16(len(fields)), specifiers(fields))
}

// options9 and optionsX are options template records, of which the first fields are scopes.
func optionsRecord9(id, scopes int, fields ...flow.Elem) []byte {
	return join(uint16(id), uint16(4*scopes), uint16(4*(len(fields)-scopes)), specifiers(fields))
}

func optionsRecordX(id, scopes int, fields ...flow.Elem) []byte {
	return join(uint16(id), uint16(len(fields)), uint16(scopes), specifiers(fields))
}

// The header of most messages: an exporter that was started an hour before.
const (
	testTime   = 1_700_000_000 // seconds
	testUptime = 3_600_000
	testBoot   = testTime*1000 - testUptime
	testDomain = 7
	arrival    = testTime*1e9 + 500e6
)

func v9at(secs, uptime, number, domain uint32, sets ...[]byte) []byte {
	p := join(uint16(9), uint16(len(sets)), uptime, secs, number, domain)
	for _, s := range sets {
		p = append(p, s...)
	}
	return p
}

func v9(number uint32, sets ...[]byte) []byte {
	return v9at(testTime, testUptime, number, testDomain, sets...)
}

func ipfixAt(secs, number, domain uint32, sets ...[]byte) []byte {
	var body []byte
	for _, s := range sets {
		body = append(body, s...)
	}
	return join(uint16(10), uint16(16+len(body)), secs, number, domain, body)
}

func ipfix(number uint32, sets ...[]byte) []byte {
	return ipfixAt(testTime, number, testDomain, sets...)
}

// session is an exporter and what came of its messages.
type session struct {
	t       *testing.T
	x       *Exporter
	batches []*flow.Batch
	tables  []tableCall
}

// tableCall is a call of Config.Table.
type tableCall struct {
	name string
	keys int
	rows []row
}

var sender = netip.MustParseAddr("192.0.2.1")

func newSession(t *testing.T, c Config) *session {
	s := &session{t: t}
	c.Sink = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		s.batches = append(s.batches, b.Batch())
		return flow.NewBuilder()
	})
	c.Table = func(name string, keys int, b *flow.Batch) {
		s.tables = append(s.tables, tableCall{name, keys, rowsOf(t, b)})
	}
	s.x = NewExporter(sender, c)
	return s
}

// send decodes messages that must be sound.
func (s *session) send(messages ...[]byte) {
	s.t.Helper()
	for _, m := range messages {
		s.sendAt(arrival, m)
	}
}

func (s *session) sendAt(at int64, m []byte) {
	s.t.Helper()
	if err := s.x.Decode(m, at); err != nil {
		s.t.Fatalf("% x: %v", m, err)
	}
}

// rows are the records since the last call.
func (s *session) rows() []row {
	s.t.Helper()
	s.x.config.Sink.Flush()
	var out []row
	for _, b := range s.batches {
		out = append(out, rowsOf(s.t, b)...)
	}
	s.batches = nil
	return out
}

// one is the record since the last call.
func (s *session) one() row {
	s.t.Helper()
	rows := s.rows()
	if len(rows) != 1 {
		s.t.Fatalf("%d records, want 1", len(rows))
	}
	return rows[0]
}

// value is a value of a record, under the element that it was sent as.
type value struct {
	flow.Elem
	kind  column.Kind
	num   uint64
	addr  netip.Addr
	bytes []byte
}

func (v value) String() string {
	switch v.kind {
	case column.Int:
		return fmt.Sprintf("%s=%d", v.ID, v.num)
	case column.Addr:
		return fmt.Sprintf("%s=%s", v.ID, v.addr)
	}
	return fmt.Sprintf("%s=%x", v.ID, v.bytes)
}

// row is a record.
type row []value

func (r row) String() string {
	var s []string
	for _, v := range r {
		s = append(s, v.String())
	}
	return strings.Join(s, " ")
}

// all are the values of an element.
func (r row) all(id ie.ID) []value {
	var out []value
	for _, v := range r {
		if v.ID == id {
			out = append(out, v)
		}
	}
	return out
}

func (r row) has(id ie.ID) bool { return len(r.all(id)) > 0 }

// get is the value of an element that was sent once, as text.
func (r row) get(id ie.ID) string {
	switch all := r.all(id); {
	case len(all) == 0:
		return "none"
	case len(all) > 1:
		return "several"
	case all[0].kind == column.Int:
		return fmt.Sprint(all[0].num)
	case all[0].kind == column.Addr:
		return all[0].addr.String()
	default:
		return fmt.Sprintf("%x", all[0].bytes)
	}
}

// want checks values given as element and text, "none" for no value.
func (r row) want(t *testing.T, pairs ...any) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		var id ie.ID
		switch x := pairs[i].(type) {
		case int:
			id = ie.ID(x)
		case ie.ID:
			id = x
		}
		if got, want := r.get(id), fmt.Sprint(pairs[i+1]); got != want {
			t.Errorf("%s is %s, want %s; record: %s", id, got, want, r)
		}
	}
}

// rowsOf reads the records of a batch from its columns, one value after the other.
func rowsOf(t *testing.T, b *flow.Batch) []row {
	t.Helper()
	codes, err := b.ShapeCodes()
	if err != nil {
		t.Fatal(err)
	}
	next := make([]int, len(b.Cols))
	rows := make([]row, b.N)
	for i := range rows {
		shape := b.Shapes[codes.Int(i)]
		for k, key := range shape.Keys(nil) {
			c := b.Find(key)
			vec, err := b.Vec(c)
			if err != nil {
				t.Fatal(err)
			}
			e := vec.Entry(next[c])
			next[c]++
			v := value{Elem: shape[k], kind: vec.Kind}
			switch vec.Kind {
			case column.Int:
				v.num = vec.Ints[e]
			case column.Addr:
				v.addr = vec.AddrEntry(e)
			default:
				v.bytes = append([]byte(nil), vec.BytesEntry(e)...)
			}
			rows[i] = append(rows[i], v)
		}
	}
	for c, n := range next {
		if vec, _ := b.Vec(c); vec.N != n {
			t.Fatalf("column %v has %d values, %d records", b.Cols[c].Key, vec.N, n)
		}
	}
	return rows
}

// benchElems are the fields of the benchmark's template.
func benchElems() []flow.Elem {
	var out []flow.Elem
	for _, f := range benchFields {
		out = append(out, el(ie.ID(f[0]), int(f[1])))
	}
	return out
}
