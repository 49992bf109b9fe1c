package netflow

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// record is what became of a record of a packet.
type record struct {
	row
	packet *packet
}

// packet is a datagram of a case, what its header says, and what became of it.
type packet struct {
	datum
	version  uint16
	exported int64 // milliseconds since the epoch
	boot     int64 // of the exporter, as far as it has told
	flows    []record
	options  []record
	err      error
}

// decoded is a case and its packets.
type decoded struct {
	caseRow
	packets []*packet
}

func (d *decoded) flows() (out []record) {
	for _, p := range d.packets {
		out = append(out, p.flows...)
	}
	return out
}

// decodeCases decodes all cases but those of sFlow, each packet as of when it was sent. Cases of
// the same packets and oracles are there once.
func decodeCases(t *testing.T) []*decoded {
	t.Helper()
	var out []*decoded
	seen := map[string]bool{}
	for _, c := range cases(t) {
		if strings.HasPrefix(c["protocol"], "sflow") || seen[c["oracle_prefix"]] {
			continue
		}
		seen[c["oracle_prefix"]] = true
		d := &decoded{caseRow: c}
		exporters := map[netip.Addr]*Exporter{}
		boot := int64(0)
		for _, datum := range c.packets(t) {
			p := header(datum)
			d.packets = append(d.packets, p)
			x := exporters[p.from]
			if x == nil {
				x = NewExporter(p.from, Config{})
				exporters[p.from] = x
			}
			p.decode(t, x)
			for _, r := range p.options {
				if init := r.of(160); len(init) > 0 {
					boot = int64(init[0].num / 1e6)
				}
			}
			if p.version == 10 {
				p.boot = boot
			}
		}
		out = append(out, d)
	}
	return out
}

// header reads what all headers have in common.
func header(d datum) *packet {
	p := &packet{datum: d}
	if len(d.body) < 16 {
		return p
	}
	p.version = binary.BigEndian.Uint16(d.body)
	if p.version == 10 {
		p.exported = 1000 * int64(binary.BigEndian.Uint32(d.body[4:]))
		return p
	}
	p.exported = 1000 * int64(binary.BigEndian.Uint32(d.body[8:]))
	if p.version < 9 {
		p.exported += int64(binary.BigEndian.Uint32(d.body[12:])) / 1e6
	}
	p.boot = p.exported - int64(binary.BigEndian.Uint32(d.body[4:]))
	return p
}

// decode decodes a packet by itself.
func (p *packet) decode(t *testing.T, x *Exporter) {
	keep := func(to *[]record, b *flow.Batch) {
		for _, r := range rowsOf(t, b) {
			*to = append(*to, record{r, p})
		}
	}
	x.config.Sink = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		keep(&p.flows, b.Batch())
		return flow.NewBuilder()
	})
	x.config.Table = func(_ string, _ int, b *flow.Batch) {
		first := len(p.options)
		keep(&p.options, b)
		for i := range p.options[first:] { // without exporter and domain
			p.options[first+i].row = p.options[first+i].row[2:]
		}
	}
	p.err = x.Decode(p.body, p.exported*1e6+5e8)
	x.config.Sink.Flush()
}

// lines reads a file of JSON objects, one a line.
func lines(t *testing.T, name string) []map[string]any {
	t.Helper()
	f, err := os.Open(filepath.Join(sharedData, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if strings.TrimSpace(s.Text()) == "" {
			continue
		}
		m := map[string]any{}
		d := json.NewDecoder(strings.NewReader(s.Text()))
		d.UseNumber()
		if err := d.Decode(&m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, m)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// texts are the values of a field: one, or several.
func texts(v any) []string {
	if list, ok := v.([]any); ok {
		var out []string
		for _, x := range list {
			out = append(out, fmt.Sprint(x))
		}
		return out
	}
	return []string{fmt.Sprint(v)}
}

// tally counts what was compared with an oracle, and holds the differences against the known
// ones.
type tally struct {
	t               *testing.T
	records, fields int
	unmapped        map[string]int
	differ          map[difference]int
	details         map[difference]string
}

// difference names a field of a case that is not as the oracle says.
type difference struct{ name, field string }

// known is a difference that is right: how often, and why.
type known struct {
	difference
	n   int
	why string
}

func newTally(t *testing.T) *tally {
	return &tally{t: t, unmapped: map[string]int{}, differ: map[difference]int{}, details: map[difference]string{}}
}

// check counts a field, and notes a difference.
func (y *tally) check(ok bool, name, field, format string, a ...any) {
	y.fields++
	if !ok {
		d := difference{name, field}
		y.differ[d]++
		if y.details[d] == "" {
			y.details[d] = fmt.Sprintf(format, a...)
		}
	}
}

// finish compares the differences with the known ones, which must all be there still, and the
// fields that no map has with those that are expected to have none.
func (y *tally) finish(exceptions []known, unmapped ...string) {
	y.t.Helper()
	excused := 0
	for _, k := range exceptions {
		if got := y.differ[k.difference]; got != k.n {
			y.t.Errorf("%s: %s differs %d times, %d are known (%s)", k.name, k.field, got, k.n, k.why)
		}
		excused += k.n
		delete(y.differ, k.difference)
	}
	for _, d := range slices.SortedFunc(maps.Keys(y.differ), func(a, b difference) int {
		return strings.Compare(a.name+a.field, b.name+b.field)
	}) {
		y.t.Errorf("%s: %s differs %d times: %s", d.name, d.field, y.differ[d], y.details[d])
	}
	names := slices.Sorted(maps.Keys(y.unmapped))
	for _, n := range names {
		y.t.Logf("not compared: %s, %d times", n, y.unmapped[n])
	}
	slices.Sort(unmapped)
	if !slices.Equal(names, unmapped) {
		y.t.Errorf("not compared are %q, want %q", names, unmapped)
	}
	y.t.Logf("%d records and %d fields compared, %d differences excused in %d kinds", y.records, y.fields, excused, len(exceptions))
}

// of are the values of elements, and of their reverse elements, in the order sent.
func (r row) of(ids ...ie.ID) []value {
	var out []value
	for _, v := range r {
		id := v.ID
		if f, ok := id.Forward(); ok && id.PEN() == ie.ReversePEN {
			id = f
		}
		if slices.Contains(ids, id) {
			out = append(out, v)
		}
	}
	return out
}

// partner tells that the other member of a pair of elements is there in place of one.
func (r row) partner(ids ...ie.ID) bool {
	for _, id := range ids {
		col, family := ie.Column(id)
		for _, v := range r {
			if c, f := ie.Column(v.ID); c == col && f != family && family != ie.AnyFamily {
				return true
			}
		}
	}
	return false
}

// splitList takes the templates off a list.
func splitList(t *testing.T, b []byte) (templates [][]flow.Elem, list []byte) {
	r := reader{b: b}
	for range r.take(1)[0] {
		r.u16()
		fields := make([]flow.Elem, r.u16())
		for i := range fields {
			num := r.u16()
			fields[i] = el(ie.New(0, num), int(r.u16()))
			if num&enterprise != 0 {
				fields[i].ID = ie.New(r.u32(), num&^enterprise)
			}
		}
		templates = append(templates, fields)
	}
	if r.err != nil {
		t.Fatalf("list % x: %v", b, r.err)
	}
	return templates, r.b
}
