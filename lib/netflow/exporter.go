package netflow

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nfpipe/lib/flow"
)

// Config is how an exporter's messages are decoded.
type Config struct {
	Sink *flow.Sink // takes the records
	// Table takes options data: a side table and the number of elements that are its key. The
	// batch is valid during the call. Nil drops them.
	Table func(name string, keys int, b *flow.Batch)
	// Redefined is told of a template that the exporter changed in this run; nil is not.
	Redefined func(domain uint32, id uint16, before, after []flow.Elem)
	// Rate is used for records whose exporter announces none; Force even if it does. 0 is none.
	Rate, Force uint32
	// Reliable says that messages come in order and without loss (TCP, TLS, SCTP): templates
	// hold until they are withdrawn, and are never held back.
	Reliable bool
	Lifetime int64 // of templates of an earlier run, nanoseconds; 0 is 30 minutes
	Limits   Limits
	Layouts  *Layouts // of all exporters of the goroutine; nil shares nothing
}

// Limits bound the state of one exporter; 0 is the default.
type Limits struct {
	Templates int // 1024
	Fields    int // of all templates: 32,768
	Domains   int // 256
	Samplers  int // 1024
	Held      int // bytes of data without a template: 65,536
}

// Stats counts what came from an exporter.
type Stats struct {
	Messages, Bytes uint64
	Bad             uint64 // messages of which a part or all was refused
	Records         uint64 // of flows
	Options         uint64 // records of options data
	Templates       uint64 // announcements
	BadTemplates    uint64
	Redefined       uint64 // templates that changed
	Withdrawn       uint64
	Expired         uint64
	Evicted         uint64 // templates and domains that had to make room
	Held            uint64 // sets that came before their template
	HeldDecoded     uint64
	Unknown         uint64 // sets that were given up for want of a template
	Gaps            uint64 // in sequence numbers
	// What the gaps stand for, records as NetFlow v5, v7 and IPFIX tell, messages as v9 does.
	// What comes late is taken back, so that these may fall.
	LostRecords, LostMessages uint64
	Restarts                  uint64 // of the exporter
	Clamped                   uint64 // times out of range
	Skipped                   uint64 // records that no batch can hold
}

// Exporter is the state of one sender. It is used by one goroutine.
type Exporter struct {
	Addr  netip.Addr
	Stats Stats

	config    Config
	domains   map[domainID]*domain
	templates int // of all domains
	fields    int // of all templates
	ops       int // of all their programs
	uses      uint64
	waiting   waiting
	now       int64 // arrival of the message at hand
	table     tableID
	rows      *flow.Sink           // of the table
	layouts   map[uint16]*template // v1, v5, v7 by version
	message   message              // at hand
	work      work
}

// domainID tells the observation domains of an exporter apart: the version, and the source id
// of v9, the observation domain of IPFIX, or engine type and id of v5 and v7.
type domainID struct {
	version uint16
	id      uint32
}

// domain is the state of one observation domain.
type domain struct {
	domainID
	templates map[uint16]*template
	samplers  map[uint64]rate
	rate      rate  // without a sampler's number
	boot      int64 // systemInitTimeMilliseconds of options data; 0 unknown
	started   int64 // by its uptime, milliseconds; 0 unknown
	restored  bool  // and not heard since: the sequence number is that of an earlier run
	used      uint64
	sequence
}

// NewExporter returns the state for a sender.
func NewExporter(addr netip.Addr, c Config) *Exporter {
	def := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	def(&c.Limits.Templates, 1024)
	def(&c.Limits.Fields, 1<<15)
	def(&c.Limits.Domains, 256)
	def(&c.Limits.Samplers, 1024)
	def(&c.Limits.Held, 1<<16)
	if c.Lifetime == 0 {
		c.Lifetime = int64(30 * time.Minute)
	}
	x := &Exporter{Addr: addr.Unmap(), config: c, domains: map[domainID]*domain{}}
	x.work.x = x
	return x
}

// message is what the header of a message says.
type message struct {
	domain    *domain
	exported  int64  // milliseconds since the epoch
	uptime    uint32 // milliseconds, of v1 to v9
	hasUptime bool
	engine    uint16 // type and id, of v5

	records, options uint32 // decoded
	unknown          bool   // it has data without a template
}

// errShort is a message that ends within its header.
var errShort = errors.New("message ends within its header")

// Decode decodes a message that arrived at a time in nanoseconds since the epoch. What an error
// is not about was decoded.
func (x *Exporter) Decode(p []byte, arrived int64) error {
	x.now = arrived
	x.Stats.Messages++
	x.Stats.Bytes += uint64(len(p))
	x.expireHeld()
	err := x.decode(p)
	if err != nil {
		x.Stats.Bad++
	}
	x.work.trim()
	return err
}

func (x *Exporter) decode(p []byte) error {
	if len(p) < 4 {
		return errShort
	}
	switch version := binary.BigEndian.Uint16(p); version {
	case 1, 5, 7:
		return x.fixed(version, p)
	case 9:
		return x.v9(p)
	case 10:
		return x.ipfix(p)
	default:
		return fmt.Errorf("version %d is no NetFlow or IPFIX", version)
	}
}

// behind is the error of a message with something else behind it; padding is nothing.
func behind(rest []byte) error {
	if zero(rest) {
		return nil
	}
	return fmt.Errorf("%d bytes behind the message", len(rest))
}

const (
	set9Templates = 0
	set9Options   = 1
	setTemplates  = 2
	setOptions    = 3
)

// v9 decodes an export packet of NetFlow v9 (RFC 3954 §5.1).
func (x *Exporter) v9(p []byte) error {
	if len(p) < 20 {
		return errShort
	}
	d := x.domain(9, binary.BigEndian.Uint32(p[16:]))
	m := &x.message
	*m = message{domain: d}
	x.clock(m, p, 0)
	err := x.sets(m, p, 20)
	x.follow(m, sequenceMessages, binary.BigEndian.Uint32(p[12:]), extent{1, 1})
	return err
}

// ipfix decodes a message of IPFIX (RFC 7011 §3.1).
func (x *Exporter) ipfix(p []byte) error {
	if len(p) < 16 {
		return errShort
	}
	n := int(binary.BigEndian.Uint16(p[2:]))
	if n < 16 || n > len(p) {
		return fmt.Errorf("message of %d bytes says %d", len(p), n)
	}
	number := binary.BigEndian.Uint32(p[8:])
	d := x.domain(10, binary.BigEndian.Uint32(p[12:]))
	m := &x.message
	*m = message{domain: d, exported: int64(binary.BigEndian.Uint32(p[4:])) * 1000}
	x.continued(d, number)
	err := x.sets(m, p[:n], 16)
	x.follow(m, sequenceRecords, number, extent{m.records, m.records + m.options})
	return first(err, behind(p[n:]))
}

// follow counts what is missing before a message.
func (x *Exporter) follow(m *message, unit uint8, number uint32, held extent) {
	s := &m.domain.sequence
	s.unit = unit
	if x.config.Reliable {
		s.number = number // nothing is missing
		return
	}
	s.step(&x.Stats, number, held, m.unknown)
}

// clock takes uptime and time from a header of NetFlow.
func (x *Exporter) clock(m *message, p []byte, nanos uint32) {
	m.uptime = binary.BigEndian.Uint32(p[4:])
	m.exported = int64(binary.BigEndian.Uint32(p[8:]))*1000 + int64(nanos/1e6)
	if m.hasUptime = m.exported > 0; m.hasUptime {
		x.restarted(m.domain, m.exported-int64(m.uptime))
	}
}

// sets decodes the sets of a message that begin at off. One that is damaged costs itself.
func (x *Exporter) sets(m *message, p []byte, off int) error {
	var refused error
	for len(p)-off >= 4 {
		id, n := binary.BigEndian.Uint16(p[off:]), int(binary.BigEndian.Uint16(p[off+2:]))
		if n < 4 || n > len(p)-off {
			if id == 0 && zero(p[off:]) {
				return refused // padding
			}
			return first(refused, fmt.Errorf("set %d at offset %d: %d bytes, %d are left", id, off, n, len(p)-off))
		}
		if err := x.set(m, id, p[off+4:off+n]); err != nil && refused == nil {
			refused = fmt.Errorf("set %d at offset %d: %w", id, off, err)
		}
		off += n
	}
	return refused
}

func (x *Exporter) set(m *message, id uint16, b []byte) error {
	d, nine := m.domain, m.domain.version == 9
	switch {
	case id >= minData:
		t := x.template(d, id)
		if t == nil {
			x.hold(m, id, b)
			return nil
		}
		return x.data(m, t, b)
	case nine && id == set9Templates:
		return x.templates9(d, b)
	case nine && id == set9Options:
		return x.options9(d, b)
	case !nine && (id == setTemplates || id == setOptions):
		return x.templatesX(d, b, id == setOptions)
	}
	return nil // reserved for what may come
}

// domain finds or makes the state of an observation domain.
func (x *Exporter) domain(version uint16, id uint32) *domain {
	k := domainID{version, id}
	d := x.domains[k]
	if d == nil {
		if len(x.domains) >= x.config.Limits.Domains {
			x.evictDomains()
		}
		d = &domain{domainID: k, templates: map[uint16]*template{}, samplers: map[uint64]rate{}}
		x.domains[k] = d
	}
	x.uses++
	d.used = x.uses
	return d
}

// evictDomains makes room for one more domain. It forgets an eighth at a time, first those
// without a template.
func (x *Exporter) evictDomains() {
	all := make([]*domain, 0, len(x.domains))
	for _, d := range x.domains {
		all = append(all, d)
	}
	empty := func(d *domain) int { return min(len(d.templates), 1) }
	slices.SortFunc(all, func(a, b *domain) int {
		return cmp.Or(cmp.Compare(empty(a), empty(b)), cmp.Compare(a.used, b.used))
	})
	for _, d := range all[:1+len(all)/8] {
		for id := range d.templates {
			x.forget(d, id)
		}
		delete(x.domains, d.domainID)
		x.Stats.Evicted++
	}
}

// restarted looks at when the exporter was started, in milliseconds since the epoch. After a
// restart, templates of an earlier run and data without a template mean nothing.
func (x *Exporter) restarted(d *domain, started int64) {
	const (
		slack = 5000    // clocks are set, and v9 gives whole seconds
		wrap  = 1 << 32 // an uptime that begins again after 49 days
	)
	ahead := started - d.started
	if d.started != 0 && ahead > slack && (ahead < wrap-slack || ahead > wrap+slack) {
		x.Stats.Restarts++
		x.forgetRestored(d)
		x.dropHeld(d)
		d.sequence = sequence{}
	}
	if d.started == 0 || ahead > 0 || -ahead > slack {
		d.started = started
	}
}

// continued looks at a sequence number of IPFIX, which has no uptime: an exporter that started
// anew counts from 0.
func (x *Exporter) continued(d *domain, number uint32) {
	if d.anew(number) || d.restored && int32(number-d.number) < 0 {
		x.Stats.Restarts++
		x.forgetRestored(d)
		x.dropHeld(d)
		d.boot = 0
	}
	d.restored = false
}

func (x *Exporter) forgetRestored(d *domain) {
	for id, t := range d.templates {
		if t.restored {
			x.forget(d, id)
		}
	}
}
