package netflow

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// arena is a sink that hostile and good exporters share.
type arena struct {
	sink    *flow.Sink
	layouts Layouts
	records uint64
	keep    bool // rows are read
	rows    []row
}

func newArena(t *testing.T) *arena {
	a := &arena{}
	a.sink = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		a.records += uint64(b.Len())
		if a.keep {
			a.rows = append(a.rows, rowsOf(t, b.Batch())...)
		}
		b.Reset()
		return b
	})
	return a
}

// exporter is one that gives its records and tables to the arena.
func (a *arena) exporter(addr string, c Config) *Exporter {
	c.Sink, c.Layouts = a.sink, &a.layouts
	c.Table = func(string, int, *flow.Batch) {}
	return NewExporter(netip.MustParseAddr(addr), c)
}

// good sends the template and the data of an honest exporter, and wants its records.
func (a *arena) good(t *testing.T, x *Exporter, number uint32) {
	t.Helper()
	a.sink.Flush()
	a.keep, a.rows = true, nil
	template := v9at(testTime, testUptime, number, 1, set(0, tmpl(300, el(1, 4), el(8, 4), el(22, 4))))
	data := v9at(testTime, testUptime, number+1, 1, set(300, uint32(7), addr("192.0.2.77"), uint32(testUptime), uint32(8), addr("192.0.2.78"), uint32(testUptime-9)))
	for _, m := range [][]byte{template, data} {
		if err := x.Decode(m, arrival); err != nil {
			t.Fatalf("the good exporter's message: %v", err)
		}
	}
	a.sink.Flush()
	a.keep = false
	if len(a.rows) != 2 {
		t.Fatalf("%d records of the good exporter, want 2", len(a.rows))
	}
	from := 130
	if x.Addr.Is6() {
		from = 131
	}
	a.rows[0].want(t, 1, 7, 8, "192.0.2.77", 152, uint64(testTime*1e9), from, x.Addr)
	a.rows[1].want(t, 1, 8, 8, "192.0.2.78", 152, uint64(testTime*1e9-9e6), from, x.Addr)
	if got := x.Stats; got.LostMessages != 0 || got.Bad != 0 || got.Redefined != 0 || got.Evicted != 0 {
		t.Errorf("the good exporter: %+v", got)
	}
}

// Limits of what an attack may cost.
const (
	attackTime  = 5 * time.Second // many times of what it takes
	attackHeld  = 24 << 20        // bytes that stay
	attackAlloc = 400             // bytes allocated for each that was sent
)

// attack sends messages again and again until they are a few megabytes, and checks time and
// memory; before and after, a good exporter is understood.
func attack(t *testing.T, c Config, messages ...[]byte) *Exporter {
	t.Helper()
	a := newArena(t)
	honest, hostile := a.exporter("192.0.2.1", Config{}), a.exporter("192.0.2.66", c)
	a.good(t, honest, 1)
	var before, after, end runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin, size := time.Now(), 0
	for round := 0; round < 2 || size < 4<<20 && round < 2000; round++ {
		for _, m := range messages {
			hostile.Decode(m, arrival+int64(round)*1e6)
			size += len(m)
		}
	}
	took := time.Since(begin)
	runtime.ReadMemStats(&end)
	runtime.GC()
	runtime.ReadMemStats(&after)
	held, alloc := int64(after.HeapAlloc)-int64(before.HeapAlloc), end.TotalAlloc-before.TotalAlloc
	t.Logf("%d KB in %v, %d KB allocated, %d KB held, %d records", size>>10, took.Round(time.Millisecond), alloc>>10, held>>10, hostile.Stats.Records)
	if took > attackTime || held > attackHeld || alloc > attackAlloc*uint64(size) {
		t.Errorf("%v, %d MB held, %d MB allocated", took, held>>20, alloc>>20)
	}
	a.good(t, honest, 3)
	a.good(t, a.exporter("2001:db8::99", Config{}), 1)
	checkBounds(t, hostile)
	return hostile
}

// checkBounds checks the limits of an exporter's state, and that its counts are those of what is
// there.
func checkBounds(t *testing.T, x *Exporter) {
	t.Helper()
	limits, templates, fields, ops := x.config.Limits, 0, 0, 0
	for _, d := range x.domains {
		templates += len(d.templates)
		if len(d.samplers) > limits.Samplers || len(d.missing) > maxMissing {
			t.Errorf("%d samplers, %d ranges", len(d.samplers), len(d.missing))
		}
		for _, p := range d.templates {
			fields += len(p.fields)
			for _, g := range p.programs {
				ops += len(g.ops)
			}
			if len(p.programs) > maxVariants+1<<pairShift {
				t.Errorf("%d programs of a template", len(p.programs))
			}
		}
	}
	if templates != x.templates || fields != x.fields || templates > limits.Templates || fields > limits.Fields {
		t.Errorf("%d templates of %d fields; counted are %d and %d", templates, fields, x.templates, x.fields)
	}
	if ops > maxOps {
		t.Errorf("%d ops", ops)
	}
	if cap(x.work.at) > 1<<14 || cap(x.work.variants) > 1<<15 {
		t.Errorf("room for %d fields and %d variants is kept", cap(x.work.at), cap(x.work.variants))
	}
	size := 0
	for _, l := range x.config.Layouts.of {
		size += len(l.fields)
		for _, g := range l.programs {
			size += len(g.ops)
		}
	}
	if size > maxLayoutsSize+2*maxOps || len(x.config.Layouts.of) > maxLayouts {
		t.Errorf("%d layouts of %d fields and ops", len(x.config.Layouts.of), size)
	}
	held := 0
	for _, sets := range x.waiting.sets {
		for i := range sets {
			held += sets[i].cost()
		}
	}
	if held != x.waiting.size || held > limits.Held || len(x.domains) > limits.Domains {
		t.Errorf("%d bytes held, counted are %d; %d domains", held, x.waiting.size, len(x.domains))
	}
}

// manySets is a message of as many bytes as fit, of sets made for each number.
func manySets(header func(...[]byte) []byte, size int, one func(i int) []byte) []byte {
	var body []byte
	for i := 0; len(body) < size; i++ {
		body = append(body, one(i)...)
	}
	return header(body)
}

func nine(sets ...[]byte) []byte { return v9(1, sets...) }
func ten(sets ...[]byte) []byte  { return ipfix(1, sets...) }

const most = 65000 // bytes of the sets of a message

func TestAttacks(t *testing.T) {
	zeros := make([]byte, most)
	ones := bytes.Repeat([]byte{1}, most)
	fields := func(n int, f func(i int) flow.Elem) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(n))
		for i := range n {
			b = append(b, specifiers([]flow.Elem{f(i)})...)
		}
		return b
	}
	wide := fields(500, func(i int) flow.Elem { return el(ie.ID(1000+i), 1) })
	pairs := fields(16, func(i int) flow.Elem {
		return el([]ie.ID{8, 27, 12, 28, 15, 62, 18, 63, 225, 281, 226, 282, 9, 29, 13, 30}[i], []int{4, 16}[i&1])
	})
	pairRecords := make([]byte, 0, most)
	for i := 0; len(pairRecords) < most-200; i++ {
		for k := range 8 {
			four, six := make([]byte, 4), make([]byte, 16)
			four[3], six[15] = byte(i>>k&1), byte(i>>(k+3)&1)
			pairRecords = join(pairRecords, four, six)
		}
	}
	for _, c := range []struct {
		name     string
		config   Config
		messages [][]byte
	}{
		{"a withdrawal, then data", Config{}, [][]byte{ten(set(2, tmpl(256, el(1, 4)))), ten(set(2, tmpl(256))), ten(set(256, zeros))}},
		{"a withdrawal, then data, reliable", Config{Reliable: true}, [][]byte{ten(set(2, tmpl(256, el(1, 4)))), ten(set(2, tmpl(256))), ten(set(256, zeros))}},
		{"a template without fields, then data", Config{}, [][]byte{nine(set(0, tmpl(256))), nine(set(256, zeros))}},
		{"fields of no length, then data", Config{}, [][]byte{ten(set(2, tmpl(256, el(1, 0)))), ten(set(256, zeros))}},
		{"500 fields of no length and one of a byte", Config{}, [][]byte{
			ten(set(2, uint16(256), fields(500, func(i int) flow.Elem { return el(ie.ID(1+i), min(1, i/499)) }))), ten(set(256, ones))}},
		{"500 fields of no length and one that varies", Config{}, [][]byte{
			ten(set(2, uint16(256), fields(500, func(i int) flow.Elem { return el(ie.ID(1+i), max(0, i-498)*variable16) }))), ten(set(256, zeros))}},
		{"fields of variable length alone", Config{}, [][]byte{ten(set(2, tmpl(256, el(82, variable16), el(83, variable16)))), ten(set(256, zeros)), ten(set(256, ones))}},
		{"lengths beyond the set", Config{}, [][]byte{ten(set(2, tmpl(256, el(82, variable16)))), ten(set(256, uint8(255), uint16(65535), ones[:99])), ten(set(256, uint8(255)))}},
		{"records of a byte", Config{}, [][]byte{ten(set(2, tmpl(256, el(4, 1)))), ten(set(256, ones))}},
		{"500 fields of a byte", Config{}, [][]byte{ten(set(2, uint16(256), wide)), ten(set(256, ones))}},
		{"counts of 65,535", Config{}, [][]byte{nine(set(0, uint16(256), uint16(65535))), nine(set(1, uint16(256), uint16(65532), uint16(65532))),
			ten(set(2, uint16(256), uint16(65535))), ten(set(3, uint16(256), uint16(65535), uint16(65535)))}},
		{"sets beyond the message", Config{}, [][]byte{nine(join(uint16(256), uint16(65535), zeros[:8])), ten(join(uint16(2), uint16(65535), zeros[:8])), ten(join(uint16(2), uint16(3)))}},
		{"sets of no length", Config{}, [][]byte{nine(join(uint16(256), uint16(0), zeros)), nine(manySets(bytesOnly, most, func(int) []byte { return set(700) }))}},
		{"enterprise bits in options templates", Config{}, [][]byte{
			nine(set(1, uint16(256), uint16(4), uint16(4), uint16(0x8001), uint16(4), uint16(0xffff), uint16(4))), nine(set(256, ones)),
			ten(set(3, uint16(256), uint16(2), uint16(1), uint16(0x8001), uint16(4), uint32(ie.ProjectPEN), uint16(0x8002), uint16(4)))}},
		{"a flood of templates", Config{}, [][]byte{manySets(nine, most, func(i int) []byte { return set(0, tmpl(256+i, el(1, 4))) })}},
		{"a flood of templates in one set", Config{}, [][]byte{nine(set(0, manySets(bytesOnly, most-8, func(i int) []byte { return tmpl(256+i, el(1, 4)) })))}},
		{"a flood of large templates", Config{}, [][]byte{manySets(ten, most-2010, func(i int) []byte { return set(2, uint16(256+i), wide) })}},
		{"a flood of large templates in use", Config{}, [][]byte{manySets(ten, most-2600, func(i int) []byte { return join(set(2, uint16(256+i), wide), set(256+i, ones[:500])) })}},
		{"layouts beyond what is shared", Config{}, [][]byte{manySets(ten, most-1300, func(i int) []byte {
			return join(set(2, tmpl(256, append(benchElems(), el(ie.ID(1000+i), 1), el(ie.New(uint32(1+i), 7), 2))...)), set(256, ones[:200]))
		}), manySets(ten, most-1300, func(i int) []byte {
			return join(set(2, tmpl(256, append(benchElems(), el(ie.New(4712, uint16(i)), 1), el(ie.ID(2000+i), 1))...)), set(256, ones[:200]))
		})}},
		{"a flood of the same template", Config{}, [][]byte{manySets(nine, most, func(i int) []byte { return set(0, tmpl(256, el(1, 4))) })}},
		{"a flood of options templates", Config{}, [][]byte{manySets(nine, most, func(i int) []byte { return set(1, optionsRecord9(256+i, 1, el(1, 4), el(34, 4))) })}},
		{"redefinitions between data", Config{}, [][]byte{manySets(ten, most, func(i int) []byte { return join(set(2, tmpl(256, el(ie.ID(1+i%400), 4))), set(256, uint32(i))) })}},
		{"refused templates", Config{}, [][]byte{manySets(ten, most, func(i int) []byte { return set(2, tmpl(256, el(1, 0))) })}},
		{"padding before a template", Config{}, [][]byte{ten(set(2, zeros[:most-8], uint16(256))), nine(set(0, zeros[:most-8], uint16(256)))}},
		{"withdrawals of all", Config{Reliable: true}, [][]byte{ten(set(2, manySets(bytesOnly, most/2, func(i int) []byte { return tmpl(256+i, el(1, 4)) }))),
			ten(set(2, manySets(bytesOnly, most-8, func(int) []byte { return tmpl(2) })))}},
		{"elements of the project", Config{}, [][]byte{ten(set(2, tmpl(256, el(ie.SamplingInterval, 4), el(ie.SamplingSpace, 4)))), ten(set(256, zeros))}},
		{"lengths that fit no type", Config{}, [][]byte{ten(set(2, uint16(256), fields(400, func(i int) flow.Elem { return el(ie.ID(1+i), 3+i%7*5) }))), ten(set(256, ones))}},
		{"variants of pairs", Config{}, [][]byte{ten(set(2, uint16(256), pairs)), ten(set(256, pairRecords))}},
		{"data without templates", Config{}, [][]byte{manySets(nine, most, func(i int) []byte { return set(256+i%60000, uint32(i)) })}},
		{"data before their templates", Config{}, [][]byte{
			manySets(nine, most, func(i int) []byte { return set(256+i%8000, uint8(1)) }),
			manySets(nine, most, func(i int) []byte { return set(0, tmpl(256+i%8000, el(4, 1))) })}},
		{"options data", Config{}, [][]byte{ten(set(3, optionsRecordX(256, 1, el(144, 1), el(34, 1)))), ten(set(256, ones))}},
		{"options data of many shapes", Config{}, [][]byte{manySets(ten, most, func(i int) []byte {
			return join(set(3, optionsRecordX(256, 1+i%2, el(144, 1), el(34, 1+i%4), el(ie.ID(1000+i), 1))), set(256, ones[:3+i%4]))
		})}},
		{"a flood of samplers", Config{}, [][]byte{ten(set(3, optionsRecordX(256, 1, el(302, 4), el(34, 4)))), ten(set(256, pairRecords))}},
		{"sequence numbers and uptimes at random", Config{}, randomHeaders()},
		{"65,535 records of NetFlow v5", Config{}, [][]byte{join(fixedHeader(5, 65535, 7), ones), join(fixedHeader(1, 65535, 7), ones), join(fixedHeader(7, 65535, 7), ones)}},
	} {
		t.Run(c.name, func(t *testing.T) { attack(t, c.config, c.messages...) })
	}
}

// bytesOnly joins sets without a header.
func bytesOnly(sets ...[]byte) []byte { return bytes.Join(sets, nil) }

// randomHeaders are messages of all versions whose headers jump.
func randomHeaders() [][]byte {
	var out [][]byte
	for i := range uint32(3000) {
		x := i * 2654435761
		out = append(out, v9at(x>>3, x<<5, x, 1, set(256, uint32(1))), ipfixAt(x, x>>7, 1, set(2, tmpl(256, el(22, 4))), set(256, x)))
		m := fixedMessage(5, fixedRecord{first: x, last: x >> 9})
		binary.BigEndian.PutUint32(m[16:], x)
		binary.BigEndian.PutUint32(m[4:], x<<3)
		out = append(out, m)
	}
	return out
}

// TestDomainsFlood names domains by the thousand: those with templates that are in use stay.
func TestDomainsFlood(t *testing.T) {
	a := newArena(t)
	x := a.exporter("192.0.2.1", Config{})
	template := func(d uint32) []byte { return v9at(testTime, testUptime, 1, d, set(0, tmpl(256, el(1, 4)))) }
	x.Decode(template(1), arrival)
	begin := time.Now()
	for i := range uint32(100000) {
		x.Decode(v9at(testTime, testUptime, 1, 100+i, set(256, i)), arrival)
		x.Decode(ipfixAt(testTime, 0, 100+i), arrival)
		m := fixedMessage(5)
		m[20], m[21] = byte(i>>8), byte(i)
		x.Decode(m, arrival)
	}
	for i := range uint32(200) {
		x.Decode(template(1e6+i), arrival)
	}
	if took := time.Since(begin); took > attackTime {
		t.Errorf("%v", took)
	}
	x.Decode(v9at(testTime, testUptime, 2, 1, set(256, uint32(5))), arrival)
	if x.Stats.Records != 1 || x.Stats.Evicted < 200000 {
		t.Errorf("%+v", x.Stats)
	}
	checkBounds(t, x)
}

// TestTemplatesFlood floods an exporter with templates while its own are in use: they stay.
func TestTemplatesFlood(t *testing.T) {
	a := newArena(t)
	x := a.exporter("192.0.2.1", Config{})
	for i := range 10 {
		x.Decode(v9(1, set(0, tmpl(300+i, el(1, 4)))), arrival)
	}
	for round := range 200 {
		x.Decode(manySets(nine, 1400, func(i int) []byte { return set(0, tmpl(1000+(200*round+i)%60000, el(2, 4))) }), arrival)
		for i := range 10 {
			x.Decode(v9(1, set(300+i, uint32(5))), arrival)
		}
	}
	if x.Stats.Records != 2000 || x.Stats.Evicted < 15000 {
		t.Errorf("%+v", x.Stats)
	}
	checkBounds(t, x)
}

// TestListAttacks hides depth, breadth and templates in lists.
func TestListAttacks(t *testing.T) {
	deep := []byte{}
	for range 2000 { // a list of a list of a list …
		deep = join(uint8(3), uint16(400), uint8(255), uint16(len(deep)), deep)
	}
	basic := []byte{}
	for range 2000 {
		basic = join(uint8(3), uint16(basicList), uint16(variable16), uint8(255), uint16(len(basic)), basic)
	}
	var entries, large []byte
	for i := 0; len(entries) < most-100; i++ {
		entries = join(entries, uint16(400+i%20), uint16(5), uint8(0))
	}
	for i := range 500 {
		large = append(large, specifiers([]flow.Elem{el(ie.ID(1000+i), 1)})...)
	}
	templates := manySets(bytesOnly, 500, func(i int) []byte { return tmpl(400+i, el(subList, variable16)) })
	records := make([]byte, most-100)
	for _, c := range []struct {
		name string
		kind ie.ID
		list []byte
	}{
		{"deep", subList, deep[:min(len(deep), most-100)]},
		{"deep basic lists", basicList, basic},
		{"entries", multiList, join(uint8(255), entries)},
		{"empty records", subList, join(uint8(3), uint16(400), records)},
		{"records of no list", subList, join(uint8(3), uint16(600), records)},
		{"basic lists of no length", basicList, join(uint8(3), uint16(subList), uint16(0), records)},
		{"empty lists", basicList, join(uint8(3), uint16(subList), uint16(3), records)},
	} {
		t.Run(c.name, func(t *testing.T) {
			attack(t, Config{}, ten(set(2, templates, tmpl(256, el(c.kind, variable16)), uint16(600), uint16(500), large)),
				ten(set(256, uint8(255), uint16(len(c.list)), c.list)))
		})
	}
	t.Run("small lists of a large template", func(t *testing.T) {
		list := short(uint8(3), uint16(600), uint8(1))
		x := attack(t, Config{}, ten(set(2, tmpl(256, el(subList, variable16)), uint16(600), uint16(500), large)),
			ten(set(256, bytes.Repeat(list, (most-100)/len(list)))))
		if x.Stats.Records == 0 {
			t.Error("no records")
		}
	})
}
