package collect

import "fmt"

// Counts is what was received and stored since the collector began.
type Counts struct {
	Packets, Refused uint64
	BadTemplates     uint64 // that were refused
	Redefined        uint64 // templates that an exporter changed
	Exporters        int
	Sources          []SourceCounts
}

// SourceCounts is what a source stored and lost.
type SourceCounts struct {
	Ident string
	Slot
}

// Counts counts all up to now; losses those that are remembered of the open slot too.
func (c *Collector) Counts() Counts {
	c.slot.Lock()
	defer c.slot.Unlock()
	out := Counts{Packets: c.packets.Load()}
	open := map[*Source]Losses{}
	for _, w := range c.workers {
		w.mu.Lock()
		out.Refused += w.refused
		out.BadTemplates += w.bad
		out.Redefined += w.redefined
		out.Exporters += len(w.exporters) + len(w.sessions)
		for s, l := range w.gone {
			t := open[s]
			t.add(l)
			open[s] = t
		}
		w.each(func(x *exporter) {
			t := open[x.source]
			t.add(x.unseen())
			open[x.source] = t
			if x.netflow != nil {
				out.BadTemplates += x.netflow.Stats.BadTemplates
				out.Redefined += x.netflow.Stats.Redefined
			}
		})
		w.mu.Unlock()
	}
	for _, s := range c.config.Sources.all() {
		s.mu.Lock()
		counts := SourceCounts{s.Ident, s.all}
		counts.add(&s.slot)
		counts.Losses.add(s.booked)
		s.mu.Unlock()
		counts.Losses.add(open[s])
		out.Sources = append(out.Sources, counts)
	}
	return out
}

// Health tells what keeps the collector from storing.
func (c *Collector) Health() error {
	for _, s := range c.config.Sources.all() {
		s.mu.Lock()
		err := s.failing
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("%s: %w", s.Ident, err)
		}
	}
	return nil
}
