package netflow

import (
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// variant says how a record differs from its template.
type variant uint32

const (
	icmpInPort   variant = 1 + iota // the destination port is type and code; there is no source port
	icmpKeepPort                    // the same, and the source port says something
	icmpApart                       // type and code are there as well: the ports say nothing new
	icmpMoved                       // NetFlow v1, v5, v7: they stand in the source port, or in both
	icmpMask     = 7
	icmp6        = 1 << 3
	sampled      = 1 << 4
	noClock      = 1 << 5 // uptimes stay as they are
	rawTimes     = 1 << 6 // a time is out of range: times are kept as they were sent as well
	pairShift    = 8      // two bits for each pair of elements
	dropFirst    = 1
	dropSecond   = 2
	maxPairs     = 12
)

const (
	maxVariants = 32      // programs of a template that differ in pairs
	maxOps      = 1 << 15 // of all programs of an exporter
)

// program fills the columns of one variant of a template.
type program struct {
	variant
	shape flow.Shape
	ops   []op
	keys  int  // of options, how many elements say what a record is about
	links bool // an op needs what another put
	bind  flow.Binding
}

func (g *program) add(e flow.Elem, o op) {
	g.shape = append(g.shape, e)
	g.ops = append(g.ops, o)
}

func (g *program) addNatural(id ie.ID, o op) { g.add(flow.ShapeOf(id)[0], o) }

// program returns the program of a variant.
func (x *Exporter) program(t *template, v variant) *program {
	if t.last != nil && t.last.variant == v {
		return t.last
	}
	g := t.program(v)
	if g == nil && len(t.programs) >= maxVariants {
		v &= 1<<pairShift - 1
		g = t.program(v)
	}
	if g == nil {
		g = x.compile(t, v)
		x.config.Layouts.grow(len(g.ops))
		if x.ops += len(g.ops); x.ops > maxOps {
			x.dropPrograms()
			x.ops = len(g.ops)
		}
		t.programs = append(t.programs, g)
	}
	t.last = g
	return g
}

// program is the one of a variant, if it is there.
func (l *layout) program(v variant) *program {
	for _, g := range l.programs {
		if g.variant == v {
			return g
		}
	}
	return nil
}

// dropPrograms forgets all programs of the exporter's templates; they are made again when they
// are needed.
func (x *Exporter) dropPrograms() {
	for _, d := range x.domains {
		for _, t := range d.templates {
			t.programs, t.last = nil, nil
		}
	}
}

// compile makes the program of a variant.
func (x *Exporter) compile(t *template, v variant) *program {
	g := &program{variant: v, shape: make(flow.Shape, 0, len(t.fields)+8), ops: make([]op, 0, len(t.fields)+8)}
	p := t.plan
	if t.opts { // the key of a row begins with who sent it
		x.addOrigin(g, t)
		g.keys = len(g.ops)
	}
	drop := p.dropped(v)
	for i, f := range t.fields {
		if drop[i] {
			continue
		}
		e, o := p.element(i, f, v)
		if o.form != formSkip {
			g.add(e, o)
			if i < t.scope {
				g.keys++
			}
		}
		if v&rawTimes != 0 && i >= t.scope && o.form >= formSeconds && o.form <= formDelta {
			if e, o.form = kept(f); o.form != formUint {
				e, o.form = raw(f)
			}
			g.add(e, o)
		}
	}
	if t.opts {
		return g
	}
	p.addDuration(g, t)
	x.addOrigin(g, t)
	if t.version5 {
		g.addNatural(38, op{form: formEngineType})
		g.addNatural(39, op{form: formEngineID})
	}
	if v&sampled != 0 {
		g.addNatural(ie.SamplingInterval, op{form: formInterval})
		g.addNatural(ie.SamplingSpace, op{form: formSpace})
	}
	return g
}

// addOrigin adds who sent a record, and when it came.
func (x *Exporter) addOrigin(g *program, t *template) {
	if !t.plan.own130 || t.opts {
		id := ie.ID(130)
		if x.Addr.Is6() {
			id = 131
		}
		g.addNatural(id, op{form: formExporter})
	}
	if !t.plan.own149 || t.opts {
		g.addNatural(149, op{form: formDomain})
	}
	if !t.plan.own258 && !t.opts {
		g.addNatural(258, op{form: formArrived})
	}
}

// dropped lists the fields that a variant leaves out.
func (p *plan) dropped(v variant) map[int]bool {
	drop := map[int]bool{}
	switch v & icmpMask {
	case icmpInPort, icmpMoved:
		drop[p.src] = true
	case icmpApart:
		drop[p.src], drop[p.dst] = true, true
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
	o := op{field: int16(i), off: p.off[i], width: f.Len}
	if f.Len == flow.Variable {
		o.width = 0
	}
	if i == p.dst && v&icmpMask != 0 {
		o.form = formUint
		if v&icmpMask == icmpMoved {
			o.form = formICMP
		}
		id := ie.ID(32)
		if v&icmp6 != 0 {
			id = 139
		}
		return flow.Elem{ID: id, Len: 2}, o
	}
	var e flow.Elem
	switch number := o.width >= 1 && o.width <= 8; {
	case f.ID == 22 && v&noClock == 0 && !p.startElement && number:
		e, o.form = flow.Elem{ID: 152, Len: 8}, formUptime
	case f.ID == 21 && v&noClock == 0 && !p.endElement && number:
		e, o.form = flow.Elem{ID: 153, Len: 8}, formUptime
	case f.ID == 158 && !p.startElement && number:
		e, o.form = flow.Elem{ID: 154, Len: 8}, formDelta
	case f.ID == 159 && !p.endElement && number:
		e, o.form = flow.Elem{ID: 155, Len: 8}, formDelta
	default:
		e, o.form = kept(f)
	}
	return e, o
}

// addDuration adds the end of a record that has a start and a duration, or the start of one
// that has an end.
func (p *plan) addDuration(g *program, t *template) {
	start, end := g.time(156), g.time(157)
	if p.duration < 0 || (start < 0) == (end < 0) {
		return
	}
	f := t.fields[p.duration]
	o := op{form: formAfter, micros: f.ID == 162, field: int16(p.duration), off: p.off[p.duration], width: f.Len, other: int16(start)}
	id := ie.ID(157)
	if start < 0 {
		id, o.form, o.other = 156, formBefore, int16(end)
	}
	g.addNatural(id, o)
	g.links = true
}

// time is the op that fills a column of times, or -1.
func (g *program) time(col ie.ID) int {
	for i, e := range g.shape {
		if c, _ := ie.Column(e.ID); c == col && g.ops[i].form >= formSeconds && g.ops[i].form <= formDelta {
			return i
		}
	}
	return -1
}
