package netflow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"nfpipe/lib/flow"
)

// Config is how an exporter's messages are decoded.
type Config struct {
	Sink *flow.Sink // takes the records
	// Table takes options data: a side table and the number of elements that are its key. The
	// batch is valid during the call. Nil drops them.
	Table func(name string, keys int, b *flow.Batch)
	// Rate is used for records whose exporter announces none; Force even if it does. 0 is none.
	Rate, Force uint32
	// Reliable says that messages come in order and without loss (TCP, TLS, SCTP): templates
	// hold until they are withdrawn, and are never held back.
	Reliable bool
	Lifetime int64 // of templates of an earlier run, nanoseconds; 0 is 30 minutes
	Limits   Limits
}

// Limits bound the state of one exporter; 0 is the default.
type Limits struct {
	Templates int // 1024
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
	LostRecords     uint64 // as NetFlow v5, v7 and IPFIX tell
	LostMessages    uint64 // as NetFlow v9 tells
	Restarts        uint64 // of the exporter
	Clamped         uint64 // times out of range
	Skipped         uint64 // values of a length that their type cannot have, and that have no other place
}

// Exporter is the state of one sender. It is used by one goroutine.
type Exporter struct {
	Addr  netip.Addr
	Stats Stats

	config    Config
	domains   map[domainID]*domain
	templates int // of all domains
	uses      uint64
	held      []heldSet
	heldSize  int
	now       int64 // arrival of the message at hand
	tables    map[tableID]*flow.Sink
	v5        map[uint16]*template // v1, v5, v7 by version
	message   message // at hand
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
	// restoredAt is the sequence number that an earlier run saw last, while templates of it are
	// in force.
	restoredAt uint32
	used       uint64
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
	engine    uint16 // type and id, of v5 and v7
}

// errShort is a message that ends within its header.
var errShort = errors.New("message ends within its header")

// Decode decodes a message that arrived at a time in nanoseconds since the epoch. What comes
// before an error was decoded.
func (x *Exporter) Decode(p []byte, arrived int64) error {
	x.now = arrived
	x.Stats.Messages++
	x.Stats.Bytes += uint64(len(p))
	x.expireHeld()
	err := x.decode(p)
	if err != nil {
		x.Stats.Bad++
	}
	x.flushTables()
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
	*m = message{domain: d, hasUptime: true,
		uptime: binary.BigEndian.Uint32(p[4:]), exported: int64(binary.BigEndian.Uint32(p[8:])) * 1000}
	x.restarted(d, m.exported-int64(m.uptime))
	d.begin(x, binary.BigEndian.Uint32(p[12:]), sequenceMessages)
	err := x.sets(m, p, 20)
	d.end(1, 1)
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
	d := x.domain(10, binary.BigEndian.Uint32(p[12:]))
	m := &x.message
	*m = message{domain: d, exported: int64(binary.BigEndian.Uint32(p[4:])) * 1000}
	x.continued(d, binary.BigEndian.Uint32(p[8:]))
	records, options := x.Stats.Records, x.Stats.Options
	d.begin(x, binary.BigEndian.Uint32(p[8:]), sequenceRecords)
	err := x.sets(m, p[:n], 16)
	least := uint32(x.Stats.Records - records)
	d.end(least, least+uint32(x.Stats.Options-options))
	if err == nil && n < len(p) {
		err = fmt.Errorf("%d bytes behind the message", len(p)-n)
	}
	return err
}

// sets decodes the sets of a message that begin at off.
func (x *Exporter) sets(m *message, p []byte, off int) error {
	for len(p)-off >= 4 {
		id, n := binary.BigEndian.Uint16(p[off:]), int(binary.BigEndian.Uint16(p[off+2:]))
		if n < 4 || n > len(p)-off {
			if id == 0 && zero(p[off:]) {
				return nil // padding
			}
			return fmt.Errorf("set %d at offset %d: %d bytes, %d are left", id, off, n, len(p)-off)
		}
		if err := x.set(m, id, p[off+4:off+n]); err != nil {
			return fmt.Errorf("set %d at offset %d: %w", id, off, err)
		}
		off += n
	}
	return nil
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
			x.evictDomain()
		}
		d = &domain{domainID: k, templates: map[uint16]*template{}, samplers: map[uint64]rate{}}
		x.domains[k] = d
	}
	x.uses++
	d.used = x.uses
	return d
}

func (x *Exporter) evictDomain() {
	var oldest *domain
	for _, d := range x.domains {
		if oldest == nil || d.used < oldest.used {
			oldest = d
		}
	}
	x.templates -= len(oldest.templates)
	delete(x.domains, oldest.domainID)
	x.Stats.Evicted++
}

// restarted looks at when the exporter was started, in milliseconds since the epoch. After a
// restart, templates of an earlier run and data without a template mean nothing.
func (x *Exporter) restarted(d *domain, started int64) {
	const slack = 5000 // clocks are set, and v9 gives whole seconds
	if d.started != 0 && started > d.started+slack {
		x.Stats.Restarts++
		x.forgetRestored(d)
		x.dropHeld(d)
		d.synced = false
	}
	if d.started == 0 || started > d.started || d.started-started > slack {
		d.started = started
	}
}

// continued looks at the first sequence number after a restart of the collector: IPFIX has no
// uptime, but an exporter that started anew counts from 0.
func (x *Exporter) continued(d *domain, number uint32) {
	if d.restoredAt != 0 && int32(number-d.restoredAt) < 0 {
		x.Stats.Restarts++
		x.forgetRestored(d)
	}
	d.restoredAt = 0
}

func (x *Exporter) forgetRestored(d *domain) {
	for id, t := range d.templates {
		if t.restored {
			x.forget(d, id)
		}
	}
}
