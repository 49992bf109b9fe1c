package sflow

import "net/netip"

// Bounds of what an exporter remembers. When a table is full it is emptied and learnt anew; what
// is lost meanwhile goes uncounted.
const (
	maxAgents  = 256
	maxSources = 1024 // of all agents
)

// maxGap is the largest distance that counts as loss; a larger one is a restart.
const maxGap = 1 << 16

// sequence follows numbers that count up by one and wrap at 32 bits.
type sequence struct {
	next  uint32
	seen  uint64 // of the 64 numbers before next; next-1 is the lowest bit
	begun bool
}

// take notes a number and tells how many were passed over to get there: 0 for the next one or a
// duplicate, -1 for one that was passed over before.
func (s *sequence) take(n uint32) int {
	d := int32(n - s.next)
	switch {
	case s.begun && d >= 0 && d <= maxGap:
		s.seen = s.seen<<(d+1) | 1
		s.next = n + 1
		return int(d)
	case s.begun && d < 0 && d >= -64:
		bit := uint64(1) << (-d - 1)
		if s.seen&bit != 0 {
			return 0
		}
		s.seen |= bit
		return -1
	}
	*s = sequence{next: n + 1, seen: ^uint64(0), begun: true}
	return 0
}

// agentID tells the sequences of datagrams of one sender apart.
type agentID struct {
	addr netip.Addr
	sub  uint32
}

// agent is the state of an agent and sub-agent. Its data sources are interfaces (class 0), VLANs
// (1) and other entities, by class and index.
type agent struct {
	sequence
	sources map[uint64]*source
}

// source is the sampler of a data source.
type source struct {
	sequence
	drops uint32
}

// datagram notes who sent a datagram, and its number.
func (x *Exporter) datagram(id agentID, n uint32) {
	a := x.agents[id]
	if a == nil {
		if len(x.agents) == maxAgents {
			clear(x.agents)
			x.sources = 0
		}
		a = &agent{sources: map[uint64]*source{}}
		x.agents[id] = a
	}
	x.agent = a
	passed := a.take(n)
	if passed > 0 {
		x.stats.Gaps++
	}
	x.stats.LostDatagrams += uint64(passed)
}

// flowSample notes the number of a flow sample, and how many packets its sampler had to drop
// until then.
func (x *Exporter) flowSample(class, index, n, drops uint32) {
	id := uint64(class)<<32 | uint64(index)
	s := x.agent.sources[id]
	if s == nil {
		if x.sources == maxSources {
			for _, a := range x.agents {
				clear(a.sources)
			}
			x.sources = 0
		}
		x.sources++
		s = &source{drops: drops}
		x.agent.sources[id] = s
	}
	x.stats.Samples++
	x.stats.LostSamples += uint64(s.take(n))
	if n+1 != s.next { // an older one that came late
		return
	}
	if d := drops - s.drops; d < 1<<31 {
		x.stats.Drops += uint64(d)
	}
	s.drops = drops
}
