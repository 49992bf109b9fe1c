package format

import (
	"fmt"
	"strconv"
	"strings"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Statistic describes a table of the records that share a value, ranked by a counter.
type Statistic struct {
	Key   *ie.Field // the value
	Order string    // what it is ranked by: flows, packets, ibytes, obps …
	Top   int       // rows that were asked for, 0 is all
	Split bool      // each protocol has rows of its own
}

// Sums are what the percentages are of.
type Sums struct {
	Flows, Packets, Bytes uint64
	OutPackets, OutBytes  uint64
}

// direction says which counters a table shows.
type direction uint8

const (
	both direction = iota
	in
	out
)

// directionOf follows nfdump: flows and orders in i show what came in, those in o what went
// out, the others the sum.
func directionOf(order string) direction {
	switch {
	case order == "flows" || order == "":
		return in
	case strings.HasPrefix(order, "i"):
		return in
	case strings.HasPrefix(order, "o"):
		return out
	}
	return both
}

// Table writes the rows of a statistic. It does not change: several goroutines may call Batch.
type Table struct {
	*Printer
	s      Statistic
	dir    direction
	key    *ie.Field
	value  item
	fields []*ie.Field
}

// NewTable compiles a table for a mode: csv, json (an array), ndjson, null, or any text mode.
func NewTable(s Statistic, mode string, o Options) (*Table, error) {
	if strings.HasPrefix(mode, "csv:") || strings.HasPrefix(mode, "fmt:") {
		return nil, fmt.Errorf("output mode %s: a statistic has columns of its own", mode[:4])
	}
	p, err := New(mode, o)
	if err != nil {
		return nil, err
	}
	t := &Table{Printer: p, s: s, dir: directionOf(s.Order), key: shown(s.Key)}
	if t.s.Order == "" {
		t.s.Order = "flows"
	}
	if len(t.key.Elements) == 0 {
		return nil, fmt.Errorf("no statistic of %s: it is not stored", s.Key.Name)
	}
	t.fields = append(fieldsOf("first", "last", "proto", "flows", "packets", "bytes", "opackets", "obytes"), t.key)
	switch p.family {
	case familyText:
		t.value = p.simple(t.key)
		if t.key.Kind == ie.Protocol {
			t.value = item{entry: number(appendUint), absent: "0"}
		}
		t.value.absent = strings.Trim(t.value.absent, " ")
		p.header = t.titles()
	case familyCSV:
		t.value = p.simpleCSV(t.key)
		p.header = t.columns()
	case familyJSON, familyLines:
		p.style = jsonStyle{before: ", ", colon: " : "}
		t.value = p.jsonItem(s.Key.Name, t.key)
	}
	if o.Quiet && p.family != familyJSON {
		p.header = ""
	}
	return t, nil
}

// Title is the line above a list of the first top records, "flows" if what is empty.
func Title(top int, what, order string) string {
	if what == "" {
		what = "flows"
	}
	if top > 0 {
		return fmt.Sprintf("Top %d %s ordered by %s:\n", top, what, order)
	}
	return fmt.Sprintf("%s ordered by %s:\n", what, order)
}

func (t *Table) valueWidth() int {
	if t.o.Full {
		return wideAddress
	}
	return narrowAddress + 1
}

// titles is the head of a text table.
func (t *Table) titles() string {
	name := strings.TrimSpace(t.s.Key.Header)
	if name == "" {
		name = t.s.Key.Name
	}
	return Title(t.s.Top, name, t.s.Order) +
		fmt.Sprintf("Date first seen             Duration     Proto %*s    Flows(%%)     Packets(%%)       Bytes(%%)         pps      bps   bpp\n", t.valueWidth(), name)
}

// columns is the head of a CSV table.
func (t *Table) columns() string {
	d := [...]string{both: "", in: "i", out: "o"}[t.dir]
	return strings.ReplaceAll("ts,te,td,pr,val,fl,flP,@pkt,@pktP,@byt,@bytP,@pps,@bps,@bpp\n", "@", d)
}

// Sources of a row, in the order of Table.fields.
const (
	statFirst = iota
	statLast
	statProto
	statFlows
	statPackets
	statBytes
	statOutPackets
	statOutBytes
	statKey
)

// line is one row.
type line struct {
	first, last           uint64
	proto                 string // name, "any" if the rows are not split
	number                uint64 // the same as a number, 0 if they are not
	value                 []byte
	some                  bool // value is there
	flows, packets, bytes uint64
}

// Batch appends the selected rows of b, the result of an aggregation. printed is the number
// of rows before the batch.
func (t *Table) Batch(dst []byte, b *flow.Batch, printed uint64, sums Sums) ([]byte, error) {
	if t.family == familyNull || b.N == 0 {
		return dst, nil
	}
	w := t.pool.Get().(*work)
	defer t.pool.Put(w)
	defer w.forget()
	src := make([]source, len(t.fields))
	for i, f := range t.fields {
		v, err := w.view(b, f, !t.o.Raw)
		if err != nil {
			return dst, err
		}
		src[i] = newSource(v)
	}
	var total line
	total.flows = sums.Flows
	total.packets, total.bytes = t.counters(sums.Packets, sums.Bytes, sums.OutPackets, sums.OutBytes)
	var scratch []byte
	for i := range b.N {
		if b.Sel != nil && !b.Sel.Get(i) {
			continue
		}
		l := t.read(src, i)
		if l.some = src[statKey].view.Has(i); l.some {
			v := src[statKey].view.Vec
			scratch = t.value.entry(scratch[:0], w, v, v.Entry(i))
			l.value = scratch
		}
		dst = t.write(dst, w, &l, &total, printed)
		printed++
	}
	return dst, nil
}

// counters picks or adds directions.
func (t *Table) counters(packets, bytes, outPackets, outBytes uint64) (uint64, uint64) {
	switch t.dir {
	case in:
		return packets, bytes
	case out:
		return outPackets, outBytes
	}
	return flow.AddSaturated(packets, outPackets), flow.AddSaturated(bytes, outBytes)
}

func (t *Table) read(src []source, i int) line {
	l := line{first: src[statFirst].at(i), last: src[statLast].at(i), proto: "any", flows: 1}
	if t.s.Split || t.key.Kind == ie.Protocol {
		l.number = src[statProto].at(i)
		if t.key.Kind == ie.Protocol {
			l.number = src[statKey].at(i)
		}
		l.proto = ie.ProtoName(uint8(l.number))
		if t.o.Plain {
			l.proto = strconv.FormatUint(l.number, 10)
		}
	}
	if src[statFlows].view.Has(i) {
		l.flows = src[statFlows].at(i)
	}
	l.packets, l.bytes = t.counters(src[statPackets].at(i), src[statBytes].at(i), src[statOutPackets].at(i), src[statOutBytes].at(i))
	return l
}

func (t *Table) write(dst []byte, w *work, l, total *line, printed uint64) []byte {
	switch t.family {
	case familyText:
		return t.writeText(dst, w, l, total)
	case familyCSV:
		return t.writeCSV(dst, w, l, total)
	}
	return t.writeJSON(dst, w, l, printed)
}

func (l *line) pps() uint64 { return flow.PerSecond(l.packets, 1, elapsed(l.first, l.last)) }
func (l *line) bps() uint64 { return flow.PerSecond(l.bytes, 8, elapsed(l.first, l.last)) }

// percent writes 100*x/n with one decimal.
func percent(dst []byte, x, n uint64, width int) []byte {
	p := 0.0
	if n > 0 {
		p = 100 * float64(x) / float64(n)
	}
	start := len(dst)
	return padLeft(strconv.AppendFloat(dst, p, 'f', 1, 64), start, width)
}

func (t *Table) writeText(dst []byte, w *work, l, total *line) []byte {
	dst = append(w.local.appendMilli(dst, l.first), ' ')
	if t.o.Plain {
		dst = append(appendThousandths(dst, elapsed(l.first, l.last)/1e6, 16), ' ')
	} else {
		dst = append(appendDuration(dst, elapsed(l.first, l.last)), ' ')
	}
	start := len(dst)
	dst = append(padRight(append(dst, l.proto...), start, 5), ' ')
	dst = t.writeValue(dst, l)
	show := appendScaled
	if t.o.Plain {
		show = appendRight
	}
	for _, c := range [...][2]uint64{{l.flows, total.flows}, {l.packets, total.packets}, {l.bytes, total.bytes}} {
		dst = append(show(append(dst, ' '), c[0], 8), '(')
		dst = append(percent(dst, c[0], c[1], 4), ')')
	}
	dst = show(append(dst, ' '), l.pps(), 8)
	dst = show(append(dst, ' '), l.bps(), 8)
	return append(appendRight(append(dst, ' '), ratio(l.bytes, l.packets), 5), '\n')
}

func (t *Table) writeValue(dst []byte, l *line) []byte {
	start := len(dst)
	if !l.some {
		return padLeft(append(dst, t.value.absent...), start, t.valueWidth())
	}
	v := l.value
	for len(v) > 0 && v[0] == ' ' {
		v = v[1:]
	}
	for len(v) > 0 && v[len(v)-1] == ' ' {
		v = v[:len(v)-1]
	}
	return padLeft(append(dst, v...), start, t.valueWidth())
}

func (t *Table) writeCSV(dst []byte, w *work, l, total *line) []byte {
	dst = append(w.local.append(dst, int64(l.first/1e9), ' '), ',')
	dst = append(w.local.append(dst, int64(l.last/1e9), ' '), ',')
	dst = append(appendThousandths(dst, elapsed(l.first, l.last)/1e6, 0), ',')
	dst = append(append(dst, l.proto...), ',')
	dst = append(dst, l.value...)
	for _, c := range [...][2]uint64{{l.flows, total.flows}, {l.packets, total.packets}, {l.bytes, total.bytes}} {
		dst = append(appendUint(append(dst, ','), c[0]), ',')
		dst = percent(dst, c[0], c[1], 0)
	}
	dst = appendUint(append(dst, ','), l.pps())
	dst = appendUint(append(dst, ','), l.bps())
	return append(appendUint(append(dst, ','), ratio(l.bytes, l.packets)), '\n')
}

// writeJSON writes an object on a line of its own.
func (t *Table) writeJSON(dst []byte, w *work, l *line, printed uint64) []byte {
	if t.family == familyJSON {
		if printed > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '\n')
	}
	dst = append(w.local.appendISO(append(dst, `{ "first" : "`...), l.first), '"')
	dst = append(w.local.appendISO(append(dst, `, "last" : "`...), l.last), '"')
	dst = appendUint(append(dst, `, "proto" : `...), l.number)
	if l.some && t.key.Kind != ie.Protocol {
		dst = append(append(append(dst, t.value.pre...), l.value...), t.value.post...)
	}
	for _, m := range [...]struct {
		name  string
		value uint64
	}{{"flows", l.flows}, {"packets", l.packets}, {"bytes", l.bytes}, {"pps", l.pps()}, {"bps", l.bps()}, {"bpp", ratio(l.bytes, l.packets)}} {
		dst = append(append(append(dst, `, "`...), m.name...), `" : `...)
		dst = appendUint(dst, m.value)
	}
	dst = append(dst, '}')
	if t.family == familyLines {
		dst = append(dst, '\n')
	}
	return dst
}
