package netflow

import (
	"encoding/binary"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Announcement is something that a receiver must know before it can read messages: a template,
// or options data with their template. It never changes, and any goroutine may use it.
type Announcement struct {
	Domain uint32
	// Key is what it is about: a later one with the same key takes its place.
	Key string

	set      uint16 // of the template
	template []byte // its record
	dataID   uint16
	data     []byte // a record of options data, nil if there is none
}

// Announce makes messages of announcements for the receiver of a message that needs them: of its
// domain, and sent when it is. They are larger than the encoding's size only if one announcement
// alone is. Any goroutine may call it, on the Encoding of an Encoder.
func (e Encoding) Announce(before []byte, list []*Announcement) []Message {
	if e.Version < 9 {
		return nil
	}
	w := announcer{e: e, header: before[:headerX]}
	if e.Version == 9 {
		w.header = before[:header9]
	}
	for _, a := range list {
		w.add(a)
	}
	w.end()
	return w.out
}

// announcer fills messages.
type announcer struct {
	e       Encoding
	header  []byte
	out     []Message
	p       []byte
	set     uint16 // that is open, and where it begins
	at      int
	records int // of options data
	count   int // of all records, as NetFlow v9 counts them
	last    []byte
}

func (w *announcer) begin() {
	w.p = append(make([]byte, 0, w.e.Size), w.header...)
	SetSequence(w.p, 0)
	w.at, w.records, w.count, w.last = 0, 0, 0, nil
}

// add adds an announcement; of several with the same template that is in a message once.
func (w *announcer) add(a *Announcement) {
	need := len(a.template) + len(a.data) + 2*(setHeader+3)
	if w.p != nil && len(w.p)+need > w.e.Size {
		w.end()
	}
	if w.p == nil {
		w.begin()
	}
	if len(w.last) == 0 || &w.last[0] != &a.template[0] {
		w.open(a.set)
		w.p = append(w.p, a.template...)
		w.last = a.template
		w.count++
	}
	if a.data != nil {
		w.open(a.dataID)
		w.p = append(w.p, a.data...)
		w.count++
		w.records++
	}
}

// open begins a set, if it is not that which is open.
func (w *announcer) open(set uint16) {
	if w.at > 0 && w.set == set {
		return
	}
	w.close()
	w.set, w.at = set, len(w.p)
	w.p = binary.BigEndian.AppendUint16(w.p, set)
	w.p = append(w.p, 0, 0)
}

// close ends the set that is open. Sets of NetFlow v9 end at a multiple of four bytes.
func (w *announcer) close() {
	if w.at == 0 {
		return
	}
	for w.e.Version == 9 && (len(w.p)-w.at)&3 != 0 {
		w.p = append(w.p, 0)
	}
	binary.BigEndian.PutUint16(w.p[w.at+2:], uint16(len(w.p)-w.at))
	w.at = 0
}

// end ends the message.
func (w *announcer) end() {
	if w.p == nil {
		return
	}
	w.close()
	if w.e.Version == 10 {
		binary.BigEndian.PutUint16(w.p[2:], uint16(len(w.p)))
	} else {
		binary.BigEndian.PutUint16(w.p[2:], uint16(w.count))
	}
	domain := binary.BigEndian.Uint32(w.header[len(w.header)-4:])
	w.out = append(w.out, Message{Data: w.p, Domain: domain, Records: w.records})
	w.p = nil
}

// optionsField is a field of options data that the encoder makes itself, a number.
type optionsField struct {
	id    ie.ID
	width uint16
	value uint64
}

// options makes options data of numbers, the first so many of which are their scope.
func (s *source) options(version uint16, key string, scope int, fields []optionsField) *Announcement {
	var of []scoped
	var data []byte
	for _, f := range fields {
		of = append(of, scoped{f.id, f.width})
		at := len(data)
		data = append(data, make([]byte, f.width)...)
		put(data[at:], int(f.width), f.value)
	}
	t := s.optionsTemplate(version, of, scope)
	if t == nil {
		return nil
	}
	return &Announcement{Domain: s.wire, Key: key, set: t.said.set, template: t.said.template, dataID: t.id, data: data}
}

// scoped is a field of an options template.
type scoped struct {
	id  ie.ID
	len uint16
}

// optionsTemplate finds or makes an options template. In NetFlow v9 its scope is types of their
// own; what they lack is a field behind a scope of the whole system.
func (s *source) optionsTemplate(version uint16, fields []scoped, scope int) *sendTemplate {
	var p []byte
	field := func(f scoped) []byte {
		return appendField(nil, flow.Elem{ID: f.id, Len: f.len})
	}
	if version == 9 {
		var scopes, rest []byte
		for i, f := range fields {
			if i < scope {
				p := binary.BigEndian.AppendUint16(nil, scopeType(f.id))
				scopes = append(scopes, binary.BigEndian.AppendUint16(p, f.len)...)
			} else {
				rest = append(rest, field(f)...)
			}
		}
		p = binary.BigEndian.AppendUint16(p, uint16(len(scopes)))
		p = binary.BigEndian.AppendUint16(p, uint16(len(rest)))
		p = append(append(p, scopes...), rest...)
	} else {
		p = binary.BigEndian.AppendUint16(p, uint16(len(fields)))
		p = binary.BigEndian.AppendUint16(p, uint16(scope))
		for _, f := range fields {
			p = append(p, field(f)...)
		}
	}
	t := s.template(version, p, scope+1)
	if t != nil && t.said == nil {
		set := uint16(setOptions)
		if version == 9 {
			set = set9Options
		}
		t.said = &Announcement{Domain: s.wire, set: set, template: append(binary.BigEndian.AppendUint16(nil, t.id), p...)}
	}
	return t
}

// scopeType is the scope of NetFlow v9 (RFC 3954 §6.1) that means the same as an element.
func scopeType(id ie.ID) uint16 {
	switch id {
	case 10:
		return 2
	case 141:
		return 3
	case 143:
		return 4
	case 145:
		return 5
	}
	return systemScope
}

const systemScope = 1

// announceStart tells when metering began, of the whole domain.
func (s *source) announceStart(ns int64) {
	a := s.options(10, "start", 1, []optionsField{{149, 4, uint64(s.wire)}, {160, 8, uint64(ns / 1e6)}})
	s.common = append(s.common, a)
	s.changed()
}

// announceRate tells the sampling rate of records: that of their sampler, where they name one,
// else that of the domain. Once a domain has had a rate, records without one say so.
func (e *Encoder) announceRate(s *source, t *sendTemplate, g *group) {
	if g.rate == (rate{}) && !s.rates {
		return
	}
	if !s.rates {
		s.rates = true
		s.changed()
	}
	r := g.rate
	if r.interval == 0 {
		r = rate{interval: 1}
	}
	key := "rate"
	if g.sampler != 0 {
		key = string(binary.BigEndian.AppendUint64([]byte("sampler"), g.sampler))
	}
	full := string(binary.BigEndian.AppendUint64([]byte(key), uint64(r.interval)<<32|uint64(r.space)))
	a := s.byRow[full]
	if a == nil {
		if len(s.byRow) >= maxRows {
			e.stats.TableLimit++
			return
		}
		if a = s.options(e.Version, key, 1, e.rateFields(s, r, g.sampler)); a == nil {
			return
		}
		s.byRow[full] = a
	}
	if t.rate != a {
		t.rate, t.made = a, -1
	}
}

// rateFields are the fields of the options data that tell a rate.
func (e *Encoder) rateFields(s *source, r rate, sampler uint64) []optionsField {
	scope := optionsField{149, 4, uint64(s.wire)} // NetFlow v9: the system
	if e.Version == 10 {
		fields := []optionsField{scope, {304, 2, 1}, {305, 4, uint64(r.interval)}, {306, 4, uint64(r.space)}}
		if sampler != 0 {
			fields[0] = optionsField{302, 8, sampler - 1}
		}
		return fields
	}
	fields := []optionsField{scope}
	if sampler != 0 {
		fields = append(fields, optionsField{48, 4, sampler - 1})
	}
	switch {
	case r.interval != 1:
		return append(fields, optionsField{305, 4, uint64(r.interval)}, optionsField{306, 4, uint64(r.space)})
	case sampler != 0:
		return append(fields, optionsField{49, 1, 1}, optionsField{50, 4, uint64(r.space) + 1})
	}
	return append(fields, optionsField{34, 4, uint64(r.space) + 1}, optionsField{35, 1, 1})
}
