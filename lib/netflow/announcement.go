package netflow

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

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
	record  int // bytes of a record in it
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
		w.open(a.set, len(a.template))
		w.p = append(w.p, a.template...)
		w.last = a.template
		w.count++
	}
	if a.data != nil {
		w.open(a.dataID, len(a.data))
		w.p = append(w.p, a.data...)
		w.count++
		w.records++
	}
}

// open begins a set of records of so many bytes, if it is not that which is open.
func (w *announcer) open(set uint16, record int) {
	if w.at > 0 && w.set == set {
		return
	}
	w.close()
	w.set, w.at, w.record = set, len(w.p), record
	w.p = binary.BigEndian.AppendUint16(w.p, set)
	w.p = append(w.p, 0, 0)
}

// close ends the set that is open. Sets of NetFlow v9 end at a multiple of four bytes.
func (w *announcer) close() {
	if w.at == 0 {
		return
	}
	if w.e.Version == 9 {
		w.p = padded(w.p, w.at, w.record)
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
	s.say(a)
}

// Bounds of what is known of the rates of a domain.
const (
	maxRates    = 1024 // announcements at hand; an older one may be made again
	maxSamplers = 1024 // those beyond share the domain's rate
)

// sampler is what records say of who chose the packets: element 48 or 302 and its value. The zero
// value is nothing.
type sampler struct {
	element ie.ID
	number  uint64
}

// rated is what an announcement says of sampling.
type rated struct {
	rate
	sampler
}

// announceRate tells the sampling rate of records: that of their sampler, where they name one,
// else that of the domain, which is told anew whenever it changes. Once a domain has had a rate,
// records without one say so. It reports false if there is no template left for that.
func (e *Encoder) announceRate(s *source, t *sendTemplate, g *group) bool {
	if g.rate == (rate{}) && !s.rates {
		return true
	}
	s.rates = true
	k := rated{g.rate, g.sampler}
	if k.interval == 0 {
		k.rate = rate{interval: 1}
	}
	if k.sampler != (sampler{}) && !s.samplers[k.sampler] {
		if len(s.samplers) < maxSamplers {
			s.samplers[k.sampler] = true
		} else {
			k.sampler = sampler{}
		}
	}
	said := s.rated[k]
	if said == nil {
		if said = e.rates(s, k); said == nil {
			return false
		}
		if len(s.rated) >= maxRates {
			clear(s.rated)
		}
		s.rated[k] = said
	}
	if len(t.rate) == 0 || t.rate[0] != said[0] {
		t.rate, t.made = said, -1
	}
	return true
}

// rates makes what announces a rate; nil if there is no template left. That of a domain is told in
// two ways: nfcapd 1.7.1 takes element 34 if it stands alone, and nothing else. It comes first, for
// it may be rounded, and the last that a receiver understands is the one that holds.
func (e *Encoder) rates(s *source, k rated) []*Announcement {
	domain := optionsField{149, 4, uint64(s.wire)} // NetFlow v9: the system
	var said []*Announcement
	key := "rate"
	if k.sampler == (sampler{}) {
		all := uint64(k.interval) + uint64(k.space)
		nearest := (all + uint64(k.interval)/2) / uint64(k.interval)
		fields := []optionsField{domain, {34, 4, min(nearest, math.MaxUint32)}}
		said = append(said, s.options(e.Version, "interval", 1, fields))
	} else {
		key = fmt.Sprint("sampler ", k.element, " ", k.number)
	}
	said = append(said, s.options(e.Version, key, 1, k.fields(e.Version, domain)))
	if slices.Contains(said, nil) {
		return nil
	}
	return said
}

// fields are those of the options data that tell a rate. Receivers of NetFlow v9 know one packet
// in so many best as elements 34 and 50, those of IPFIX as 305 and 306.
func (k rated) fields(version uint16, domain optionsField) []optionsField {
	fields := []optionsField{domain}
	if k.element != 0 {
		of := optionsField{k.element, 4, k.number}
		if k.element == 302 || k.number > math.MaxUint32 {
			of.width = 8
		}
		if version == 10 {
			fields = nil
		}
		fields = append(fields, of)
	}
	oneIn := optionsField{34, 4, uint64(k.space) + 1}
	switch {
	case version == 10 || k.interval != 1 || k.space == math.MaxUint32 || k.element == 302:
		return append(fields, optionsField{304, 2, 1}, optionsField{305, 4, uint64(k.interval)}, optionsField{306, 4, uint64(k.space)})
	case k.element != 0:
		oneIn.id = 50
		return append(fields, optionsField{49, 1, 1}, oneIn)
	}
	return append(fields, oneIn, optionsField{35, 1, 1})
}
