package netflow

import (
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// form is how a value on the wire becomes one of a column.
type form uint8

const (
	formSkip form = iota
	formUint
	formSigned
	formFloat
	formBool
	formAddr4
	formAddr6
	formOctets
	formList    // structured data, to be given its templates
	formSeconds // times: since the epoch
	formMillis
	formMicros // NTP timestamps
	formNanos
	formUptime // milliseconds of the exporter's uptime
	formDelta  // microseconds before the message was sent
	formAfter  // the end from a start and a duration in the unit of op.unit
	formBefore // the start from an end and a duration

	// What a record gets from elsewhere.
	formExporter
	formDomain
	formEngineType
	formEngineID
	formArrived
	formInterval
	formSpace
	formSwapped // an ICMP type and code that stood in the source port, turned round
)

// op fills one column.
type op struct {
	form  form
	field int   // of the template
	other int   // formAfter, formBefore: the op whose times are there already
	off   int32 // of the value, where records are of one length
	width int   // of the value; 0 if it varies
	unit  uint64
}

// variant says how a record differs from its template: see [plan.variants].
type variant uint32

const (
	icmpInPort   variant = 1 + iota // the destination port is type and code; there is no source port
	icmpKeepPort                    // the same, and the source port says something
	icmpApart                       // type and code are there as well: the ports say nothing new
	icmpSwapped                     // NetFlow v5: they stand in the source port
	icmpMask     = 7
	icmp6        = 1 << 3
	sampled      = 1 << 4
	noClock      = 1 << 5 // uptimes stay as they are
	pairShift    = 8      // two bits for each pair of elements
	dropFirst    = 1
	dropSecond   = 2
	maxPairs     = 8
)

// maxVariants bounds the programs of a template.
const maxVariants = 32

// plan is what there is to look at in the records of a template.
type plan struct {
	off                        []int32 // of each field, where records are of one length
	proto, src, dst, icmp      int     // fields; -1 is none
	sampler, init              int
	rates                      []int    // fields that a sampling rate is made of
	pairs                      [][2]int // fields that are one column: the IPv4 and the IPv6 member
	uptimes                    bool
	start, end, duration       int  // fields
	startElement, endElement   bool // an absolute start or end is there
	own130, own149, own258     bool
	wantsVariants, wantsRecord bool // variant or rate differ from record to record
}

func newPlan(t *template) *plan {
	p := &plan{proto: -1, src: -1, dst: -1, icmp: -1, sampler: -1, init: -1, start: -1, end: -1, duration: -1}
	off := int32(0)
	for i, f := range t.fields {
		p.off = append(p.off, off)
		off += int32(f.Len)
		p.note(i, f)
	}
	for i, f := range t.fields {
		col, fam := ie.Column(f.ID)
		if fam != ie.IPv6 || len(p.pairs) == maxPairs {
			continue
		}
		for k, g := range t.fields {
			if c, h := ie.Column(g.ID); c == col && h == ie.IPv4 {
				p.pairs = append(p.pairs, [2]int{k, i})
				break
			}
		}
	}
	p.wantsVariants = p.dst >= 0 && p.proto >= 0 || len(p.pairs) > 0
	p.wantsRecord = p.sampler >= 0 || len(p.rates) > 0
	return p
}

// note remembers a field that others depend on.
func (p *plan) note(i int, f flow.Elem) {
	first := func(at *int) {
		if *at < 0 {
			*at = i
		}
	}
	switch f.ID {
	case 4:
		first(&p.proto)
	case 7:
		first(&p.src)
	case 11:
		first(&p.dst)
	case 32, 139, 176, 177, 178, 179:
		first(&p.icmp)
	case 48, 302:
		first(&p.sampler)
	case 34, 50, 305, 306, 309, 310:
		p.rates = append(p.rates, i)
	case 160:
		first(&p.init)
	case 21, 22:
		p.uptimes = true
	case 161, 162:
		first(&p.duration)
	case 130, 131:
		p.own130 = true
	case 149:
		p.own149 = true
	case 258:
		p.own258 = true
	}
	switch f.ID {
	case 150, 152, 154, 156:
		p.startElement = true
	case 151, 153, 155, 157:
		p.endElement = true
	}
	switch f.ID {
	case 150, 152, 154, 156, 158, 22:
		first(&p.start)
	case 151, 153, 155, 157, 159, 21:
		first(&p.end)
	}
}

// program fills the columns of one variant of a template.
type program struct {
	shape flow.Shape
	ops   []op
	bind  flow.Binding
}

func (g *program) add(e flow.Elem, o op) {
	g.shape = append(g.shape, e)
	g.ops = append(g.ops, o)
}

func (g *program) addNatural(id ie.ID, o op) { g.add(flow.ShapeOf(id)[0], o) }

// program returns the program of a variant.
func (x *Exporter) program(t *template, v variant) *program {
	if g := t.programs[v]; g != nil {
		return g
	}
	if t.programs == nil {
		t.programs = map[variant]*program{}
	}
	if len(t.programs) == maxVariants {
		if v &= 1<<pairShift - 1; t.programs[v] != nil {
			return t.programs[v]
		}
	}
	g := x.compile(t, v)
	t.programs[v] = g
	return g
}

// compile makes the program of a variant.
func (x *Exporter) compile(t *template, v variant) *program {
	g := &program{}
	p := t.plan
	if t.opts { // the key of a row begins with who sent it
		x.addOrigin(g, p, t, v)
	}
	drop := p.dropped(v)
	for i, f := range t.fields {
		if e, o := p.element(i, f, v); o.form != formSkip && !drop[i] {
			g.add(e, o)
		} else if o.form == formSkip && f.ID != padding {
			x.Stats.Skipped++
		}
	}
	if !t.opts {
		p.addDuration(g, t)
		x.addOrigin(g, p, t, v)
		if v&sampled != 0 {
			g.addNatural(ie.SamplingInterval, op{form: formInterval})
			g.addNatural(ie.SamplingSpace, op{form: formSpace})
		}
	}
	return g
}

// addOrigin adds who sent a record, and when it came.
func (x *Exporter) addOrigin(g *program, p *plan, t *template, v variant) {
	if !p.own130 || t.opts {
		id := ie.ID(130)
		if x.Addr.Is6() {
			id = 131
		}
		g.addNatural(id, op{form: formExporter})
	}
	if !p.own149 || t.opts {
		g.addNatural(149, op{form: formDomain})
	}
	if !p.own258 && !t.opts {
		g.addNatural(258, op{form: formArrived})
	}
}

// dropped lists the fields that a variant leaves out.
func (p *plan) dropped(v variant) map[int]bool {
	drop := map[int]bool{}
	switch v & icmpMask {
	case icmpInPort:
		drop[p.src] = true
	case icmpApart:
		drop[p.src], drop[p.dst] = true, true
	case icmpSwapped:
		drop[p.src] = true
	}
	for k, pair := range p.pairs {
		switch v >> (pairShift + 2*k) & 3 {
		case dropFirst:
			drop[pair[0]] = true
		case dropSecond:
			drop[pair[1]] = true
		}
	}
	return drop
}

// element is what a field becomes in a variant.
func (p *plan) element(i int, f flow.Elem, v variant) (flow.Elem, op) {
	o := op{field: i, off: p.off[i], width: int(f.Len)}
	if f.Len == flow.Variable {
		o.width = 0
	}
	if i == p.dst && v&icmpMask != 0 && v&icmpMask != icmpApart {
		o.form = formUint
		if v&icmpMask == icmpSwapped {
			o.form, o.field, o.off = formSwapped, p.src, p.off[p.src]
		}
		id := ie.ID(32)
		if v&icmp6 != 0 {
			id = 139
		}
		return flow.Elem{ID: id, Len: 2}, o
	}
	e := f
	switch {
	case f.ID == 22 && v&noClock == 0 && !p.startElement:
		e, o.form = flow.Elem{ID: 152, Len: 8}, formUptime
	case f.ID == 21 && v&noClock == 0 && !p.endElement:
		e, o.form = flow.Elem{ID: 153, Len: 8}, formUptime
	case f.ID == 158 && !p.startElement && o.width > 0 && o.width <= 8:
		e, o.form = flow.Elem{ID: 154, Len: 8}, formDelta
	case f.ID == 159 && !p.endElement && o.width > 0 && o.width <= 8:
		e, o.form = flow.Elem{ID: 155, Len: 8}, formDelta
	default:
		if o.form = formOf(f); o.form == formSkip && f.ID < 0x7ffe && f.ID != padding {
			e.ID, o.form = Raw(f.ID), formOctets
		}
	}
	return e, o
}

// Raw is the element under which a value is kept, as octets, whose length does not fit the type
// of an IANA element.
func Raw(id ie.ID) ie.ID { return ie.New(ie.ProjectPEN, 1<<15|uint16(id)) }

// formOf is the form of an element at its length; formSkip if there is none.
func formOf(f flow.Elem) form {
	if f.ID == padding {
		return formSkip
	}
	e, known := ie.Lookup(f.ID)
	n := f.Len
	number := n >= 1 && n <= 8
	class := e.Type.Class()
	switch {
	case e.Type.IsList():
		return formList
	case !known || class == ie.Bytes:
		return formOctets
	case class == ie.Addr && e.Type == ie.IPv4Address && n == 4:
		return formAddr4
	case class == ie.Addr && e.Type == ie.IPv6Address && n == 16:
		return formAddr6
	case class == ie.Uint && e.Type == ie.Boolean && n == 1:
		return formBool
	case class == ie.Uint && number:
		return formUint
	case class == ie.Int && number:
		return formSigned
	case class == ie.Float && (n == 4 || n == 8):
		return formFloat
	case e.Type == ie.DateTimeSeconds && number:
		return formSeconds
	case e.Type == ie.DateTimeMilliseconds && number:
		return formMillis
	case e.Type == ie.DateTimeMicroseconds && n == 8:
		return formMicros
	case e.Type == ie.DateTimeNanoseconds && n == 8:
		return formNanos
	}
	return formSkip
}

// addDuration adds the end of a record that has a start and a duration, or the start of one
// that has an end.
func (p *plan) addDuration(g *program, t *template) {
	if p.duration < 0 || t.fields[p.duration].Len > 8 || (p.start < 0) == (p.end < 0) {
		return
	}
	known, o, id := p.start, op{form: formAfter}, ie.ID(157)
	if known < 0 {
		known, o, id = p.end, op{form: formBefore}, 156
	}
	for i := range g.ops {
		if g.ops[i].field == known && g.ops[i].form >= formSeconds && g.ops[i].form <= formDelta {
			o.field, o.off, o.width = p.duration, p.off[p.duration], int(t.fields[p.duration].Len)
			o.other, o.unit = i, 1e6
			if t.fields[p.duration].ID == 162 {
				o.unit = 1e3
			}
			g.addNatural(id, o)
			return
		}
	}
}
