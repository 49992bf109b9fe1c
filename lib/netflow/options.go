package netflow

import (
	"nfpipe/lib/flow"
)

// tableID names a side table: tables of one name with keys of different lengths are apart.
type tableID struct {
	name string
	keys int
}

// options takes n records of options data: what they say of sampling and clocks holds for the
// domain, and each is a row of a side table.
func (w *work) options(n int) {
	for r := range n {
		w.option(r)
	}
	if w.x.config.Table == nil {
		return
	}
	v := variant(0)
	if w.clockless() {
		v = noClock
	}
	w.rates = w.rates[:0]
	w.run(w.x.table(tableID{tableName(w.t), 2 + w.t.scope}), w.x.program(w.t, v), 0, n)
}

// option takes what record r says of sampling and clocks.
func (w *work) option(r int) {
	d, parts := w.m.domain, rateParts{}
	id, numbered, rates := uint64(0), false, false
	for f, e := range w.t.fields {
		x := w.number(f, r)
		switch e.ID {
		case 48, 302: // samplerId, selectorId
			id, numbered = x, true
		case 160:
			if x != 0 && x < 1<<62 {
				w.x.restarted(d, int64(x))
				d.boot = int64(x)
			}
		default:
			rates = parts.put(uint32(min(e.ID, 1<<16)), x) || rates
		}
	}
	rate := parts.rate()
	switch {
	case !rates || rate.interval == 0:
	case !numbered:
		d.rate = rate
	case len(d.samplers) < w.x.config.Limits.Samplers:
		d.samplers[id] = rate
	default:
		if _, ok := d.samplers[id]; ok {
			d.samplers[id] = rate
		}
	}
}

// tableName is the table of an options template, by what it tells.
func tableName(t *template) string {
	name := "options"
	for _, f := range t.fields {
		switch f.ID {
		case 82, 83: // interfaceName, interfaceDescription
			return "interfaces"
		case 236: // VRFname
			return "vrfs"
		case 94, 96: // applicationDescription, applicationName
			return "applications"
		case 34, 50, 305, 306, 309, 310:
			name = "samplers"
		}
	}
	return name
}

// table is the sink of a side table.
func (x *Exporter) table(id tableID) *flow.Sink {
	s := x.tables[id]
	if s == nil {
		s = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
			batch := b.Batch()
			x.config.Table(id.name, id.keys, batch)
			batch.Release()
			b.Reset()
			return b
		})
		if x.tables == nil {
			x.tables = map[tableID]*flow.Sink{}
		}
		x.tables[id] = s
	}
	return s
}

// flushTables gives away what the options data of a message said.
func (x *Exporter) flushTables() {
	for _, s := range x.tables {
		if s.Len() > 0 {
			s.Flush()
		}
	}
}
