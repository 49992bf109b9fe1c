package netflow

import (
	"encoding/binary"
	"fmt"
	"slices"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// template is what an exporter said of the layout of records.
type template struct {
	id     uint16
	fields []flow.Elem // as they were sent
	scope  int         // of options, the first so many fields say what a record is about
	opts   bool
	size   int // bytes of a record; the least if it varies
	varies bool

	learned  int64 // when it was last announced
	interval int64 // between the last two announcements
	used     uint64
	restored bool // from an earlier run

	plan     *plan // made when data come
	programs map[variant]*program
}

// maxRecord is the largest record that fits in a message.
const maxRecord = 65535 - 20

// newTemplate checks the layout and takes it over.
func newTemplate(id uint16, fields []flow.Elem, scope int, opts bool) (*template, error) {
	t := &template{id: id, fields: fields, scope: scope, opts: opts}
	for _, f := range fields {
		if f.ID.PEN() == ie.ProjectPEN {
			return nil, fmt.Errorf("template %d: enterprise number %d is not for the wire", id, ie.ProjectPEN)
		}
		if f.Len == flow.Variable {
			t.varies = true
			t.size++
		} else {
			t.size += int(f.Len)
		}
	}
	switch {
	case id < minData:
		return nil, fmt.Errorf("template %d: the least number is %d", id, minData)
	case len(fields) > flow.MaxElements-8: // a record gets a few elements more
		return nil, fmt.Errorf("template %d: %d fields, at most %d", id, len(fields), flow.MaxElements-8)
	case t.size == 0:
		return nil, fmt.Errorf("template %d: records of no length", id)
	case t.size > maxRecord:
		return nil, fmt.Errorf("template %d: records of %d bytes", id, t.size)
	case opts && scope > len(fields):
		return nil, fmt.Errorf("template %d: %d scope fields of %d", id, scope, len(fields))
	}
	return t, nil
}

func (t *template) same(o *template) bool {
	return t.opts == o.opts && t.scope == o.scope && slices.Equal(t.fields, o.fields)
}

// reader takes fields off a set; its first error sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		if r.err == nil {
			r.err = fmt.Errorf("%d bytes wanted, %d left", n, len(r.b))
		}
		r.b = nil
		return make([]byte, max(min(n, 8), 0))
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

// room fails unless n times size bytes are left.
func (r *reader) room(n, size int) bool {
	if r.err == nil && n*size > len(r.b) {
		r.err = fmt.Errorf("%d fields in %d bytes", n, len(r.b))
	}
	return r.err == nil
}

// templates9 reads a template set of NetFlow v9 (RFC 3954 §5.2).
func (x *Exporter) templates9(d *domain, b []byte) error {
	r := reader{b: b}
	for len(r.b) >= 4 && !zero(r.b) {
		id, n := r.u16(), int(r.u16())
		if !r.room(n, 4) {
			break
		}
		fields := make([]flow.Elem, n)
		for i := range fields {
			fields[i] = flow.Elem{ID: ie.New(0, r.u16()), Len: r.u16()}
		}
		if err := x.learn(d, id, fields, 0, false); err != nil {
			return err
		}
	}
	return r.err
}

// options9 reads an options template set of NetFlow v9 (RFC 3954 §6.1).
func (x *Exporter) options9(d *domain, b []byte) error {
	r := reader{b: b}
	for len(r.b) >= 6 && !zero(r.b) {
		id, scope, rest := r.u16(), int(r.u16()), int(r.u16())
		if scope%4 != 0 || rest%4 != 0 {
			return fmt.Errorf("options template %d: %d and %d bytes of fields", id, scope, rest)
		}
		if !r.room((scope+rest)/4, 4) {
			break
		}
		fields := make([]flow.Elem, (scope+rest)/4)
		for i := range fields {
			fields[i] = flow.Elem{ID: ie.New(0, r.u16()), Len: r.u16()}
			if i < scope/4 {
				fields[i].ID = scopeElement(fields[i].ID)
			}
		}
		if err := x.learn(d, id, fields, scope/4, true); err != nil {
			return err
		}
	}
	return r.err
}

// scopeElement is the element that means the same as a scope of NetFlow v9 (RFC 3954 §6.1):
// system, interface, line card, cache, template.
func scopeElement(scope ie.ID) ie.ID {
	if elements := [...]ie.ID{1: 144, 2: 10, 3: 141, 4: 143, 5: 145}; scope > 0 && int(scope) < len(elements) {
		return elements[scope]
	}
	return scope
}

// templatesX reads a template set or an options template set of IPFIX (RFC 7011 §3.4).
func (x *Exporter) templatesX(d *domain, b []byte, opts bool) error {
	r := reader{b: b}
	for len(r.b) >= 4 && !zero(r.b) {
		id, n := r.u16(), int(r.u16())
		if n == 0 {
			x.withdraw(d, id, opts)
			continue
		}
		scope := 0
		if opts {
			if scope = int(r.u16()); scope < 1 || scope > n {
				return fmt.Errorf("options template %d: %d scope fields of %d", id, scope, n)
			}
		}
		if !r.room(n, 4) {
			break
		}
		fields := make([]flow.Elem, n)
		for i := range fields {
			num := r.u16()
			e := flow.Elem{ID: ie.New(0, num), Len: r.u16()}
			if num&enterprise != 0 {
				e.ID = ie.New(r.u32(), num&^enterprise)
			}
			fields[i] = e
		}
		if r.err != nil {
			break
		}
		if err := x.learn(d, id, fields, scope, opts); err != nil {
			return err
		}
	}
	return r.err
}

const (
	enterprise = 1 << 15 // the bit of a field number that says that an enterprise number follows
	minData    = 256     // sets below are templates
)

// zero tells that only padding is left.
func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// learn puts a template in force, if it is sound.
func (x *Exporter) learn(d *domain, id uint16, fields []flow.Elem, scope int, opts bool) error {
	t, err := newTemplate(id, fields, scope, opts)
	if err != nil {
		x.Stats.BadTemplates++
		return err
	}
	x.Stats.Templates++
	t.learned = x.now
	if old := d.templates[id]; old != nil {
		if old.same(t) {
			old.interval, old.learned, old.restored = x.now-old.learned, x.now, false
			return nil
		}
		if !old.restored {
			x.Stats.Redefined++
		}
	} else {
		x.evictTemplate()
		x.templates++
	}
	x.uses++
	t.used = x.uses
	d.templates[id] = t
	x.release(d, id)
	return nil
}

// withdraw forgets a template, or all (RFC 7011 §8.1). Over UDP there is no withdrawal.
func (x *Exporter) withdraw(d *domain, id uint16, opts bool) {
	if !x.config.Reliable {
		x.Stats.BadTemplates++
		return
	}
	x.Stats.Withdrawn++
	if id == setTemplates || id == setOptions {
		for k, t := range d.templates {
			if t.opts == (id == setOptions) {
				x.forget(d, k)
			}
		}
		return
	}
	if t := d.templates[id]; t != nil && t.opts == opts {
		x.forget(d, id)
	}
}

func (x *Exporter) forget(d *domain, id uint16) {
	delete(d.templates, id)
	x.templates--
}

// template is the template in force for a set.
func (x *Exporter) template(d *domain, id uint16) *template {
	t := d.templates[id]
	if t == nil {
		return nil
	}
	if x.expired(t) {
		x.forget(d, id)
		x.Stats.Expired++
		return nil
	}
	x.uses++
	t.used = x.uses
	return t
}

// expired tells that a template may no longer be used. One that this run has heard lives until
// it misses three of its own announcements; some exporters send theirs only once, so that one
// that was never repeated does not expire.
func (x *Exporter) expired(t *template) bool {
	age := x.now - t.learned
	switch {
	case x.config.Reliable:
		return false
	case t.restored:
		return age > x.config.Lifetime
	}
	return t.interval > 0 && age > max(x.config.Lifetime, 3*t.interval)
}

// evictTemplate makes room for one more.
func (x *Exporter) evictTemplate() {
	if x.templates < x.config.Limits.Templates {
		return
	}
	var from *domain
	var oldest *template
	for _, d := range x.domains {
		for _, t := range d.templates {
			if oldest == nil || t.used < oldest.used {
				from, oldest = d, t
			}
		}
	}
	if oldest != nil {
		x.forget(from, oldest.id)
		x.Stats.Evicted++
	}
}
