package meter

import "nfpipe/lib/packet"

const (
	second = 1_000_000_000 // nanoseconds

	// A clock that was ahead is given up when so many packets in a row are so
	// far behind it.
	maxLate  = 600 * second
	lateRuns = 1024
	// So far behind, Advance follows at once.
	maxBack = 5 * second
)

// DefaultMaxFlows is Config.MaxFlows when it is 0.
const DefaultMaxFlows = 1 << 20

// Track is what makes two packets the same flow, besides their addresses; each
// level includes those before it.
type Track uint8

const (
	TrackDefault Track = iota // TrackPort
	TrackIP                   // nothing
	TrackProto                // protocol
	TrackPort                 // ports, type and code
	TrackVLAN                 // VLAN ids
	TrackEther                // MAC addresses
)

// Config of a Meter; the zero value has the defaults.
type Config struct {
	Timeouts Timeouts // zero: DefaultTimeouts
	MaxFlows int      // entries in the cache, each a conversation of two directions
	Biflow   bool     // one record for both directions
	Track    Track

	// Filter keeps the packets for which it returns true. Later fragments
	// have their ports by then.
	Filter func(*packet.Packet) bool

	// Sample counts one packet in so many of those that the filter keeps: the
	// first, then the one after Sample-1 others. Below 2 all are counted.
	// Counters are not scaled; see ColumnOptions.
	Sample uint32

	// Latency takes the times of TCP handshakes.
	Latency bool

	// Clocked lets Advance alone move the clock, for packets that come only
	// nearly in the order of time, as those of several rings of an interface.
	Clocked bool
}

// Stats of a Meter.
type Stats struct {
	Packets, Bytes uint64 // counted into flows
	Filtered       uint64 // packets that the filter refused
	Unsampled      uint64 // packets that sampling passed over
	Fragments      uint64
	Unresolved     uint64 // later fragments counted without ports
	Flows          uint64 // entries made
	Records        uint64
	Evicted        uint64 // entries that left for lack of room
	Active         int    // entries now in the cache
}

// Meter is a flow cache.
type Meter struct {
	table  table
	wheel  wheel
	frags  fragments
	recent recent
	labels map[uint32]Labels // by entry*2 + direction
	shakes [][]handshake     // by entry, as in table.chunks
	limits limits
	config Config
	emit   func(*Record)
	stats  Stats

	clock      int64  // ticks
	nextTick   int64  // nanoseconds at which the clock advances
	skip       uint32 // packets to pass over before one is sampled
	lateBefore int64
	late       int

	keys   [batchSize]key
	record Record
	sink   uint64 // keeps reads alive that are done for the cache
}

// New makes a Meter that gives its records to emit, which must not keep the
// pointer.
func New(c Config, emit func(*Record)) *Meter {
	if c.Timeouts == (Timeouts{}) {
		c.Timeouts = DefaultTimeouts()
	}
	if c.MaxFlows <= 0 {
		c.MaxFlows = DefaultMaxFlows
	}
	c.MaxFlows = min(c.MaxFlows, 1<<30)
	if c.Track == TrackDefault {
		c.Track = TrackPort
	}
	return &Meter{
		table: newTable(c.Track), limits: c.Timeouts.limits(), config: c, emit: emit,
		labels: make(map[uint32]Labels),
	}
}

// batchSize is how many packets' cache misses are made to overlap.
const batchSize = 64

// Add counts packets, in this order. Packets without an IP header are ignored.
// The fragments among them may get ports written into them.
func (m *Meter) Add(packets []packet.Packet) {
	for len(packets) > 0 {
		n := min(len(packets), batchSize)
		batch := packets[:n]
		packets = packets[n:]
		for i := range batch {
			m.table.keyOf(&batch[i], &m.keys[i])
		}
		m.sink = m.table.touch(m.keys[:n])
		for i := range batch {
			m.add(&batch[i], &m.keys[i])
		}
	}
}

func (m *Meter) add(p *packet.Packet, k *key) {
	if p.Family == 0 {
		return
	}
	p.Time = max(p.Time, 0)
	if p.Time >= m.nextTick {
		m.late = 0
		if !m.config.Clocked {
			m.advance(p.Time / tick)
		}
	} else if p.Time < m.lateBefore {
		m.rewind(p.Time)
	} else {
		m.late = 0
	}
	if p.Fragment() {
		if m.frags.resolve(m, p) {
			m.count(p)
		}
		return
	}
	m.update(p, k)
}

// count adds a packet for which no key was made yet.
func (m *Meter) count(p *packet.Packet) {
	var k key
	m.table.keyOf(p, &k)
	m.update(p, &k)
}

func (m *Meter) update(p *packet.Packet, k *key) {
	if m.config.Filter != nil && !m.config.Filter(p) {
		m.stats.Filtered++
		return
	}
	if m.config.Sample > 1 && !m.sampled() {
		return
	}
	m.stats.Packets++
	m.stats.Bytes += uint64(p.Bytes)
	n, ok := m.table.find(k, p)
	if !ok {
		m.create(p, k)
		return
	}
	e := m.table.at(n)
	if m.ended(e, p) {
		m.unlink(e)
		m.export(n, e, m.endedBy(e, p))
		m.create(p, k)
		return
	}
	d := e.direction(k)
	if p.Time < e.first { // brings the active timeout nearer
		e.first = p.Time
		m.unlink(e)
		m.link(n, e, m.schedule(e))
	}
	e.last = max(e.last, p.Time)
	dir := &e.dir[d]
	if dir.Packets == 0 {
		dir.start(p)
	}
	dir.add(p)
	m.recent.seen(n)
	m.beside(n, e, d, p)
}

// beside does what few packets need.
func (m *Meter) beside(n uint32, e *entry, d int, p *packet.Packet) {
	if p.Proto == packet.ProtoTCP {
		if m.config.Latency {
			m.handshake(n).add(p, d)
		}
		if p.TCPFlags&(tcpFIN|tcpRST) != 0 {
			m.closing(n, e, d, p)
		}
	}
	if p.MPLSDepth > 0 {
		m.label(n, e, d, p)
	}
}

func (m *Meter) sampled() bool {
	if m.skip > 0 {
		m.skip--
		m.stats.Unsampled++
		return false
	}
	m.skip = m.config.Sample - 1
	return true
}

const (
	tcpFIN = 1
	tcpSYN = 2
	tcpRST = 4
	tcpACK = 16
)

// ended tells whether the packet comes too late for the entry, or begins a
// connection after the entry's has ended.
func (m *Meter) ended(e *entry, p *packet.Packet) bool {
	return m.over(e, p.Time) || e.closed() && p.TCPFlags&(tcpSYN|tcpACK) == tcpSYN
}

func (e *entry) closed() bool { return e.state&reset != 0 || e.state&finBoth == finBoth }

// endedBy is the same reason that the wheel would have found before the packet.
func (m *Meter) endedBy(e *entry, p *packet.Packet) EndReason {
	if m.over(e, p.Time) {
		return m.reason(e)
	}
	return EndOfFlow
}

// closing notes FIN and RST, which bring the entry's end nearer.
// Without ports an entry is many connections, and the end of one says nothing.
func (m *Meter) closing(n uint32, e *entry, d int, p *packet.Packet) {
	if m.config.Track == TrackIP || m.config.Track == TrackProto {
		return
	}
	before := e.class
	if p.TCPFlags&tcpRST != 0 {
		e.state |= reset
	}
	if p.TCPFlags&tcpFIN != 0 {
		e.state |= finForward << d
	}
	switch {
	case e.state&reset != 0:
		e.class = classRst
	case e.state&finBoth == finBoth:
		e.class = classFin
	}
	if e.class != before {
		m.unlink(e)
		m.link(n, e, m.schedule(e))
	}
}

func (m *Meter) create(p *packet.Packet, k *key) {
	if m.table.used >= m.config.MaxFlows {
		m.evict()
	}
	m.stats.Flows++
	n := m.table.insert(k)
	e := m.table.at(n)
	*e = entry{
		a0: k.a0, a1: k.a1, b0: k.b0, b1: k.b1, ports: k.ports, proto: k.proto, family: k.family,
		class: classOf(k), first: p.Time, last: p.Time,
	}
	e.state = state(k.swap) * flipped
	if k.known != 0 {
		e.state |= portsKnown
	}
	e.dir[0].start(p)
	e.dir[0].add(p)
	m.link(n, e, m.schedule(e))
	m.recent.add(n)
	if m.config.Latency {
		*m.handshake(n) = handshake{}
	}
	m.beside(n, e, 0, p)
}

func classOf(k *key) class {
	switch k.proto {
	case packet.ProtoTCP:
		return classTCP
	case packet.ProtoUDP:
		return classUDP
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return classICMP
	}
	return classGeneral
}

// label keeps a direction's first label stack beside the table: most networks
// have none.
func (m *Meter) label(n uint32, e *entry, d int, p *packet.Packet) {
	at := n*2 + uint32(d)
	if e.state&labelled != 0 {
		if _, ok := m.labels[at]; ok {
			return
		}
	}
	e.state |= labelled
	l := Labels{Depth: p.MPLSDepth}
	copy(l.Label[:l.Depth], p.Labels[:])
	m.labels[at] = l
}

// Flush exports all entries, as at the end of the input, in the order in which
// they were made as far as places were not used again. The Meter is then empty.
func (m *Meter) Flush() {
	m.frags.flush(m)
	for n := range m.table.made {
		e := m.table.at(n)
		if e.family == 0 {
			continue
		}
		reason := Forced
		if m.over(e, m.clock*tick) {
			reason = m.reason(e)
		} else if e.closed() {
			reason = EndOfFlow
		}
		m.emitEntry(n, e, reason)
	}
	m.table.reset()
	m.wheel = wheel{}
	m.recent = recent{}
}

// Clear forgets all entries without a record, and the fragments that wait.
func (m *Meter) Clear() {
	m.frags = fragments{}
	clear(m.labels)
	m.table.reset()
	m.wheel = wheel{}
	m.recent = recent{}
}

// Each calls f with the records of all entries as they are now, in the order of Flush, which
// have no end reason. The entries stay. f must not keep the pointer, nor use the Meter.
func (m *Meter) Each(f func(*Record)) {
	for n := range m.table.made {
		if e := m.table.at(n); e.family != 0 {
			m.records(n, e, 0, f)
		}
	}
}

// Stats returns the counts so far.
func (m *Meter) Stats() Stats {
	s := m.stats
	s.Active = m.table.used
	return s
}
