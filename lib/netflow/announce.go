package netflow

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// reader takes fields off a set; its first error sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		if r.err == nil {
			r.err = fmt.Errorf("%d bytes wanted, %d left", n, len(r.b))
		}
		r.b = nil
		return make([]byte, n)
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

// room fails unless n fields of at least four bytes are left.
func (r *reader) room(n int) bool {
	if r.err == nil && 4*n > len(r.b) {
		r.err = fmt.Errorf("%d fields in %d bytes", n, len(r.b))
	}
	return r.err == nil
}

// padding tells that a set of templates ends here: no template has the number 0.
func (r *reader) padding() bool {
	if binary.BigEndian.Uint16(r.b) != 0 {
		return false
	}
	if !zero(r.b) {
		r.err = errors.New("template 0")
	}
	return true
}

// templates9 reads a template set of NetFlow v9 (RFC 3954 §5.2).
func (x *Exporter) templates9(d *domain, b []byte) error {
	r := reader{b: b}
	var refused error
	for len(r.b) >= 4 && !r.padding() {
		id, n := r.u16(), int(r.u16())
		if !r.room(n) {
			break
		}
		fields := make([]flow.Elem, n)
		for i := range fields {
			fields[i] = flow.Elem{ID: ie.New(0, r.u16()), Len: r.u16()}
		}
		refused = first(refused, x.learn(d, id, fields, 0, false))
	}
	return first(r.err, refused)
}

// options9 reads an options template set of NetFlow v9 (RFC 3954 §6.1).
func (x *Exporter) options9(d *domain, b []byte) error {
	r := reader{b: b}
	var refused error
	for len(r.b) >= 6 && !r.padding() {
		id, scope, rest := r.u16(), int(r.u16()), int(r.u16())
		if scope%4 != 0 || rest%4 != 0 {
			return fmt.Errorf("options template %d: %d and %d bytes of fields", id, scope, rest)
		}
		if !r.room((scope + rest) / 4) {
			break
		}
		fields := make([]flow.Elem, (scope+rest)/4)
		for i := range fields {
			fields[i] = flow.Elem{ID: ie.New(0, r.u16()), Len: r.u16()}
			if i < scope/4 {
				fields[i].ID = scopeElement(fields[i].ID)
			}
		}
		refused = first(refused, x.learn(d, id, fields, scope/4, true))
	}
	return first(r.err, refused)
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
	var refused error
	for len(r.b) >= 4 && !r.padding() {
		id, n := r.u16(), int(r.u16())
		if n == 0 {
			x.withdraw(d, id, opts)
			continue
		}
		scope := 0
		if opts {
			scope = int(r.u16())
		}
		if !r.room(n) {
			break
		}
		fields := make([]flow.Elem, n)
		for i := range fields {
			num := r.u16()
			fields[i] = flow.Elem{ID: ie.New(0, num), Len: r.u16()}
			if num&enterprise != 0 {
				fields[i].ID = ie.New(r.u32(), num&^enterprise)
			}
		}
		if r.err != nil {
			break
		}
		if opts && (scope < 1 || scope > n) {
			x.Stats.BadTemplates++
			refused = first(refused, fmt.Errorf("options template %d: %d scope fields of %d", id, scope, n))
			continue
		}
		refused = first(refused, x.learn(d, id, fields, scope, opts))
	}
	return first(r.err, refused)
}

// first is the error that came first.
func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
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
	old := d.templates[id]
	if old != nil && old.same(t) {
		old.interval, old.learned, old.restored = max(old.interval, x.now-old.learned), x.now, false
		return nil
	}
	if old != nil {
		if !old.restored {
			x.Stats.Redefined++
			if x.config.Redefined != nil {
				x.config.Redefined(d.id, id, old.fields, t.fields)
			}
		}
		x.forget(d, id)
	}
	x.force(d, t)
	x.release(d, t)
	return nil
}

// force puts a template in force.
func (x *Exporter) force(d *domain, t *template) {
	x.makeRoom(len(t.fields))
	t.layout = x.config.Layouts.shared(t.layout, x.Addr.Is6())
	x.uses++
	t.used = x.uses
	d.templates[t.id] = t
	x.templates++
	x.fields += len(t.fields)
}

func (x *Exporter) forget(d *domain, id uint16) {
	x.templates--
	x.fields -= len(d.templates[id].fields)
	delete(d.templates, id)
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
		return age > x.config.Lifetime || -age > x.config.Lifetime
	}
	return t.interval > 0 && age > 3*max(x.config.Lifetime, t.interval)
}

// makeRoom makes room for one more template of so many fields. It forgets an eighth at a time,
// so that a flood of templates costs little.
func (x *Exporter) makeRoom(fields int) {
	limits := &x.config.Limits
	if x.templates < limits.Templates && x.fields+fields <= limits.Fields {
		return
	}
	type place struct {
		d *domain
		t *template
	}
	all := make([]place, 0, x.templates)
	for _, d := range x.domains {
		for _, t := range d.templates {
			all = append(all, place{d, t})
		}
	}
	slices.SortFunc(all, func(a, b place) int { return cmp.Compare(a.t.used, b.t.used) })
	for _, p := range all {
		if x.templates < limits.Templates*7/8 && x.fields+fields <= limits.Fields*7/8 {
			return
		}
		x.forget(p.d, p.t.id)
		x.Stats.Evicted++
	}
}
