package sflow

import (
	"fmt"
	"net/netip"

	"nfpipe/lib/flow"
	"nfpipe/lib/packet"
)

// Config is how the datagrams of an exporter are decoded.
type Config struct {
	Sink *flow.Sink // takes the records
	// Tunnel makes a flow of the innermost IP header of a sampled header, not of the outermost.
	Tunnel bool
	// Rate is used for samples that announce none; Force even if they do. 0 is none.
	Rate, Force uint32
}

// Stats counts what came from an exporter.
type Stats struct {
	Datagrams uint64 // with a whole header
	Bad       uint64 // datagrams of which a part or all was refused
	Samples   uint64 // flow samples
	Records   uint64 // made of them; the others held no packet
	Counters  uint64 // counter samples, passed over
	Discards  uint64 // notices of discarded packets, passed over
	Skipped   uint64 // other samples, and structures in flow samples, of which no column is made

	Gaps          uint64 // in the sequence of datagrams
	LostDatagrams uint64 // what was missing there and has not come late
	LostSamples   uint64 // flow samples that are missing in the sequences of their sources
	Drops         uint64 // packets that samplers had to drop for lack of resources, by their word
}

// Exporter is the state of one sender. It is used by one goroutine.
type Exporter struct {
	sender netip.Addr
	config Config
	stats  Stats
	parser packet.Parser

	agents  map[agentID]*agent
	sources int // of all agents
	shapes  map[traits]*shape
	last    *shape

	// Of the datagram at hand.
	version uint32
	agent   *agent
	number  int    // of the sample, from 1
	err     error  // the first fault
	common  traits // of all records

	// Of the sample at hand.
	sample sample
	record record
	packet packet.Packet
	frame  []byte // memory for a sampled header that needs another before it
}

// NewExporter returns the state for a sender.
func NewExporter(sender netip.Addr, c Config) *Exporter {
	x := &Exporter{sender: sender.Unmap(), config: c, agents: map[agentID]*agent{}, shapes: map[traits]*shape{}}
	if c.Tunnel {
		x.parser.Decap = packet.MaxDecap
	}
	return x
}

// Stats returns the counts so far.
func (x *Exporter) Stats() Stats { return x.stats }

// Decode puts the samples of a datagram into the sink; it arrived at a time in nanoseconds since
// the epoch. p is not kept. An error names the first place at which something was refused; the
// package's documentation says how much. All else counts.
//
//	version 5, 4 or 2  agent: address type, address  sub-agent (version 5)
//	sequence number  uptime in ms  number of samples  samples
func (x *Exporter) Decode(p []byte, received int64) error {
	c := cursor{b: p}
	x.version, x.number, x.err = c.u32(), 0, nil
	if !c.bad && x.version != 5 && x.version != 4 && x.version != 2 {
		x.stats.Bad++
		return fmt.Errorf("sflow: version %d", x.version)
	}
	a, sub := c.address(), uint32(0)
	if x.version == 5 {
		sub = c.u32()
	}
	sequence, _, samples := c.u32(), c.u32(), c.u32()
	if c.bad {
		x.stats.Bad++
		return fmt.Errorf("sflow: offset %d: the header of the datagram is damaged or cut off", c.at)
	}
	x.stats.Datagrams++
	id := agentID{x.sender, sub}
	if addr, ok := netip.AddrFromSlice(a.b); ok && !addr.IsUnspecified() {
		id.addr = addr
	}
	x.datagram(id, sequence)
	x.origin(id, received)
	x.samples(&c, samples)
	x.sample = sample{} // which holds parts of p
	if x.err != nil {
		x.stats.Bad++
	}
	return x.err
}

// samples decodes the samples behind a header, each of which takes four bytes at least.
func (x *Exporter) samples(c *cursor, count uint32) {
	for range count {
		x.number++
		if x.version == 5 {
			x.sample5(c)
		} else {
			x.sample4(c)
		}
		if c.bad {
			return
		}
	}
}

// refuse notes the first fault of a datagram.
func (x *Exporter) refuse(at int, what string) {
	if x.err == nil {
		x.err = fmt.Errorf("sflow: offset %d, sample %d: %s", at, x.number, what)
	}
}

// origin sets what all records of a datagram have in common.
func (x *Exporter) origin(id agentID, received int64) {
	r := &x.record
	r.has = traits{}
	if a := id.addr.As16(); id.addr.Is4() {
		r.setAddr(addrExporter, address{4, a[12:]})
	} else if id.addr.Is6() {
		r.setAddr(addrExporter, address{6, a[:]})
	}
	t := uint64(max(received, 0))
	r.set(numFirst, t)
	r.set(numLast, t)
	r.set(numReceived, t)
	r.set(numDomain, uint64(id.sub))
	r.set(numPackets, 1)
	x.common = r.has
}
