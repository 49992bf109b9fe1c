package netflow

import (
	"nfpipe/lib/flow"
)

// tableID names a side table, and tells how many elements are its key.
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
	x := w.x
	if x.config.Table == nil {
		return
	}
	v := variant(0)
	if w.clockless() {
		v = noClock
	}
	if w.wild(n) {
		v |= rawTimes
	}
	g := x.program(w.t, v)
	x.table = tableID{tableName(w.t), g.keys}
	if x.rows == nil {
		x.rows = flow.NewSink(flow.NewBuilder(), x.tableRows)
	}
	w.rates = w.rates[:0]
	w.run(x.rows, g, 0, n)
	x.rows.Flush()
}

// tableRows gives rows of the table at hand away.
func (x *Exporter) tableRows(b *flow.Builder) *flow.Builder {
	batch := b.Batch()
	x.config.Table(x.table.name, x.table.keys, batch)
	batch.Release()
	b.Clear() // tables differ
	return b
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
			if x > 0 && x < maxMillis {
				if !w.m.hasUptime {
					w.x.restarted(d, int64(x))
				}
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
	default:
		d.setSampler(id, rate, w.x.config.Limits.Samplers)
	}
}

// setSampler remembers the rate of a sampler; when there are too many another has to go.
func (d *domain) setSampler(id uint64, r rate, limit int) {
	if _, ok := d.samplers[id]; !ok && len(d.samplers) >= limit {
		for other := range d.samplers {
			delete(d.samplers, other)
			break
		}
	}
	d.samplers[id] = r
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
