package netflow

import (
	"encoding/binary"
	"math"

	"nfpipe/lib/column"
)

// sendTemplate is a template of a domain.
type sendTemplate struct {
	id    uint16
	said  *Announcement
	needs []*Announcement
	inner []*Announcement // templates of lists in its records
	rate  []*Announcement
	made  int // version of the source that needs is of
}

// send sends the records of a group as NetFlow v9 or IPFIX.
func (e *Encoder) send(g *group) error {
	s := g.source
	if s == nil {
		g.leaveOut(&e.stats.TooMany)
		return nil
	}
	p, err := e.plan(g)
	if err != nil {
		return err
	}
	e.stats.Elements += uint64(p.elements * len(g.rows))
	e.stats.Project += uint64(p.project * len(g.rows))
	switch {
	case len(p.fields) == 0:
		g.leaveOut(&e.stats.Nothing)
		return nil
	case p.size > maxMessage-e.header():
		g.leaveOut(&e.stats.TooLong)
		return nil
	}
	t := s.template(e.Version, p.describes, 0)
	if t == nil || !e.announceRate(s, t, g) {
		g.leaveOut(&e.stats.TooMany)
		return nil
	}
	cols := make([]*sendColumn, len(p.fields))
	for i := range p.fields {
		if cols[i], err = e.column(e.b.Find(p.fields[i].key)); err != nil {
			return err
		}
		if p.fields[i].form < sendOctets && cols[i].vec.Kind == column.Bytes { // a stream may say anything of a shape
			return wrongFamily(&p.fields[i])
		}
	}
	m := messenger{e: e, s: s, t: t, p: p, cols: cols}
	if p.varies {
		return m.varying(g.rows)
	}
	return m.fixed(g.rows)
}

// leaveOut counts the records of a group; a reverse direction is no record of its own.
func (g *group) leaveOut(n *uint64) {
	if !g.mirror {
		*n += uint64(len(g.rows))
	}
}

// messenger makes the messages of one group.
type messenger struct {
	e    *Encoder
	s    *source
	t    *sendTemplate
	p    *sendPlan
	cols []*sendColumn
	boot int64
}

// header is the length of a message's header and that of its set.
func (e *Encoder) header() int {
	if e.Version == 9 {
		return header9 + setHeader
	}
	return headerX + setHeader
}

// fixed sends records of one length.
func (m *messenger) fixed(rows []int32) error {
	e, p := m.e, m.p
	head := e.header()
	most := max((e.Size-head)/p.size, 1)
	if e.Version == 9 { // room for padding
		most = max((e.Size-head)&^3/p.size, 1)
	}
	for len(rows) > 0 {
		n, first, last := m.span(rows[:min(most, len(rows))])
		e.buf = grown(e.buf, head+n*p.size+3)
		m.begin(first, last)
		for i := range p.fields {
			f := &p.fields[i]
			if err := e.values(f, m.cols[i], e.buf[head+f.off:], p.size, rows[:n], m.boot); err != nil {
				return err
			}
		}
		if err := m.finish(e.buf[:head+n*p.size], n); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func grown[T any](p []T, n int) []T {
	if cap(p) < n {
		return make([]T, n, n+n/2)
	}
	return p[:n]
}

// varying sends records whose length varies, which NetFlow v9 does not have.
func (m *messenger) varying(rows []int32) error {
	e := m.e
	head := e.header()
	e.buf = grown(e.buf, head)
	m.begin(0, 0)
	n, whole := 0, head
	for _, i := range rows {
		var err error
		if e.buf, err = e.appendRecord(e.buf[:whole], m.p, m.cols, i, m.boot, m.t, m.s); err != nil {
			return err
		}
		if len(e.buf)-whole > maxMessage-head {
			e.stats.TooLong++
			continue
		}
		if n > 0 && len(e.buf) > e.Size {
			if err := m.finish(e.buf[:whole], n); err != nil {
				return err
			}
			e.buf = e.buf[:head+copy(e.buf[head:], e.buf[whole:])]
			m.begin(0, 0)
			n = 0
		}
		n, whole = n+1, len(e.buf)
	}
	if n == 0 {
		return nil
	}
	return m.finish(e.buf[:whole], n)
}

// begin writes the header of a message of flows from first to last, but for its length.
func (m *messenger) begin(first, last int64) {
	e := m.e
	p := e.buf
	be := binary.BigEndian
	be.PutUint16(p, e.Version)
	if e.Version == 10 {
		be.PutUint32(p[4:], uint32(e.now/1e9))
		be.PutUint32(p[8:], 0)
		be.PutUint32(p[12:], m.s.wire)
		be.PutUint16(p[headerX:], m.t.id)
		return
	}
	exported, boot := e.clock.at(e.now/1e6, first, last)
	m.boot = boot
	be.PutUint32(p[4:], uint32(exported-boot))
	be.PutUint32(p[8:], uint32(exported/msSecond))
	be.PutUint32(p[12:], 0)
	be.PutUint32(p[16:], m.s.wire)
	be.PutUint16(p[header9:], m.t.id)
}

// span is how many of the records one message can hold for their times, and from the first start
// to the last end of them, in milliseconds since the epoch; all and now, where times are not
// relative to the header.
func (m *messenger) span(rows []int32) (n int, first, last int64) {
	now := m.e.now / 1e6
	if !m.p.uptimes {
		return len(rows), now, now
	}
	if first, last = m.extremes(rows); last-first <= maxAge {
		return len(rows), first, last
	}
	first, last = m.extremes(rows[:1])
	for n = 1; n < len(rows); n++ {
		f, l := m.extremes(rows[n : n+1])
		if f, l = min(f, first), max(l, last); l-f > maxAge {
			break
		}
		first, last = f, l
	}
	return n, first, last
}

// extremes are the first and the last time of some records.
func (m *messenger) extremes(rows []int32) (first, last int64) {
	least, most := uint64(math.MaxUint64), uint64(0)
	for _, f := range [2]int{m.p.first, m.p.last} {
		if f < 0 {
			continue
		}
		c := m.cols[f]
		for _, i := range rows {
			x := c.vec.Ints[c.at(int(i))]
			least, most = min(least, x), max(most, x)
		}
	}
	return int64(least / 1e6), int64(most / 1e6)
}

// finish sets the lengths of a message, which is all there, and gives it away.
func (m *messenger) finish(p []byte, n int) error {
	e := m.e
	be := binary.BigEndian
	if e.Version == 10 {
		be.PutUint16(p[headerX+2:], uint16(len(p)-headerX))
		be.PutUint16(p[2:], uint16(len(p)))
	} else {
		p = padded(p, header9, m.p.size)
		be.PutUint16(p[header9+2:], uint16(len(p)-header9))
		be.PutUint16(p[2:], uint16(n))
	}
	return e.give(m.s, p, n, e.needs(m.s, m.t))
}

// padded fills up a set of NetFlow v9 that begins at some place to a multiple of four bytes
// (RFC 3954 §5.3), unless a receiver would take that for a record.
func padded(p []byte, at, record int) []byte {
	if n := (at - len(p)) & 3; n < record && len(p)+n <= maxMessage {
		return append(p, 0, 0, 0)[:len(p)+n]
	}
	return p
}

// template is the one that describes records in such a way, made if it is new; nil if there are
// too many. scope is of options.
func (s *source) template(version uint16, describes []byte, scope int) *sendTemplate {
	var room [512]byte
	name := append(binary.BigEndian.AppendUint16(room[:0], uint16(scope)), describes...)
	if t := s.templates[string(name)]; t != nil {
		return t
	}
	if len(s.templates) >= maxTemplates {
		return nil
	}
	key := string(name)
	t := &sendTemplate{id: uint16(s.next), made: -1}
	s.next++
	s.templates[key] = t
	if scope == 0 {
		record := binary.BigEndian.AppendUint16(nil, t.id)
		set := uint16(setTemplates)
		if version == 9 {
			set = set9Templates
		}
		t.said = &Announcement{Domain: s.wire, Key: key, set: set, template: append(record, describes...)}
	}
	return t
}

// maxNeeded bounds the lists of needs at hand; they are made again when they are asked for.
const maxNeeded = 1 << 22

// needs is what a receiver must know before records of t: what holds for the whole domain, the
// templates of lists, t, and the rate.
func (e *Encoder) needs(s *source, t *sendTemplate) []*Announcement {
	if t.made == s.version {
		return t.needs
	}
	n := len(s.common) + len(t.inner) + len(t.rate) + 1
	if e.needed += n - len(t.needs); e.needed > maxNeeded {
		for _, s := range e.origins {
			for _, t := range s.templates {
				t.needs, t.made = nil, -1
			}
		}
		e.needed = n
	}
	t.made = s.version
	t.needs = append(append(make([]*Announcement, 0, n), s.common...), t.inner...)
	t.needs = append(append(t.needs, t.said), t.rate...)
	return t.needs
}

// say announces something of the whole domain, in place of what has the same key.
func (s *source) say(a *Announcement) {
	if i, ok := s.at[a.Key]; ok {
		s.common[i] = a
	} else {
		s.at[a.Key] = len(s.common)
		s.common = append(s.common, a)
	}
	s.version++
}

// said is what was announced under a key, or nil.
func (s *source) said(key string) *Announcement {
	if i, ok := s.at[key]; ok {
		return s.common[i]
	}
	return nil
}
