package netflow

import (
	"cmp"
	"math"
	"slices"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// State is what is worth keeping of a domain over a restart of the collector.
type State struct {
	Version   uint16          `json:"version"`
	Domain    uint32          `json:"domain"`
	Started   int64           `json:"started,omitempty"` // of the exporter, milliseconds since the epoch
	Boot      int64           `json:"boot,omitempty"`    // systemInitTimeMilliseconds
	Sequence  uint32          `json:"sequence,omitempty"`
	Rate      [2]uint32       `json:"rate,omitzero"` // interval and space
	Samplers  []SamplerState  `json:"samplers,omitempty"`
	Templates []TemplateState `json:"templates,omitempty"`
}

// SamplerState is the rate of one sampler.
type SamplerState struct {
	ID   uint64    `json:"id"`
	Rate [2]uint32 `json:"rate"`
}

// TemplateState is a template; each field is an enterprise number, an element and a length.
type TemplateState struct {
	ID      uint16      `json:"id"`
	Options bool        `json:"options,omitempty"`
	Scope   int         `json:"scope,omitempty"`
	Learned int64       `json:"learned"` // nanoseconds since the epoch
	Fields  [][3]uint32 `json:"fields"`
}

// Changes counts what changes the state: while it stays the same, so does State.
func (x *Exporter) Changes() uint64 { return x.Stats.Templates + x.Stats.Withdrawn + x.Stats.Options }

// State returns the state of every domain that has any, in a fixed order.
func (x *Exporter) State() []State {
	var out []State
	for _, d := range x.domains {
		if !keeps(d.version) || len(d.templates)+len(d.samplers) == 0 && d.rate == (rate{}) {
			continue
		}
		s := State{Version: d.version, Domain: d.id, Started: d.started, Boot: d.boot, Sequence: d.number, Rate: [2]uint32{d.rate.interval, d.rate.space}}
		for id, r := range d.samplers {
			s.Samplers = append(s.Samplers, SamplerState{id, [2]uint32{r.interval, r.space}})
		}
		slices.SortFunc(s.Samplers, func(a, b SamplerState) int { return cmp.Compare(a.ID, b.ID) })
		for _, t := range d.templates {
			ts := TemplateState{ID: t.id, Options: t.opts, Scope: t.scope, Learned: t.learned}
			for _, f := range t.fields {
				ts.Fields = append(ts.Fields, [3]uint32{f.ID.PEN(), uint32(f.ID.Num()), uint32(f.Len)})
			}
			s.Templates = append(s.Templates, ts)
		}
		slices.SortFunc(s.Templates, func(a, b TemplateState) int { return cmp.Compare(a.ID, b.ID) })
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Domain, b.Domain))
	})
	return out
}

// keeps tells that there is something to keep of a version: the messages of others say all.
func keeps(version uint16) bool { return version == 9 || version == 10 }

// Restore puts back what an earlier run kept, as of now in nanoseconds since the epoch. What is
// too old, or unsound, is left out: the file may have been tampered with. Templates so restored
// are used until the exporter is seen to have started anew.
func (x *Exporter) Restore(states []State, now int64) {
	x.now = now
	for _, s := range states {
		if !keeps(s.Version) {
			continue
		}
		d := x.domain(s.Version, s.Domain)
		d.started, d.boot, d.rate = s.Started, s.Boot, rate{s.Rate[0], s.Rate[1]}
		d.restored, d.number = true, s.Sequence
		for _, m := range s.Samplers {
			if len(d.samplers) < x.config.Limits.Samplers {
				d.samplers[m.ID] = rate{m.Rate[0], m.Rate[1]}
			}
		}
		for _, ts := range s.Templates {
			x.restoreTemplate(d, ts)
		}
	}
}

func (x *Exporter) restoreTemplate(d *domain, s TemplateState) {
	limits := &x.config.Limits
	if len(s.Fields) > flow.MaxElements || x.templates >= limits.Templates || x.fields+len(s.Fields) > limits.Fields || s.Scope < 0 {
		return
	}
	fields := make([]flow.Elem, len(s.Fields))
	for i, f := range s.Fields {
		if max(f[1], f[2]) > math.MaxUint16 {
			return
		}
		fields[i] = flow.Elem{ID: ie.New(f[0], uint16(f[1])), Len: uint16(f[2])}
	}
	t, err := newTemplate(s.ID, fields, s.Scope, s.Options)
	if err != nil {
		return
	}
	t.restored, t.learned = true, s.Learned
	if !x.expired(t) && d.templates[t.id] == nil {
		x.force(d, t)
	}
}
