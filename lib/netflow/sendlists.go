package netflow

import (
	"encoding/binary"
	"slices"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// list is structured data as it is sent: behind the templates that it was stored with, which get
// numbers of the source's own, written into it. A list that cannot be read goes out empty and is
// counted.
//
// The result is valid until the next call.
func (e *Encoder) list(f *sendField, stored []byte, t *sendTemplate, s *source) []byte {
	known, _ := ie.Lookup(f.ID)
	r := relister{s: s, t: t, version: e.Version}
	value, ok := r.templates(stored)
	if ok {
		e.value = append(e.value[:0], value...)
		value = e.value
		ok = r.list(known.Type, value, 0)
	}
	if !ok {
		e.stats.Elements++
		return nil
	}
	return value
}

// relister numbers the templates of a list anew.
type relister struct {
	s       *source
	t       *sendTemplate
	version uint16
	of      []inner
}

// inner is a template that a list uses.
type inner struct {
	stored uint16 // its number in the list as it was stored, and as it is sent
	id     uint16
	fields []flow.Elem
	said   *Announcement
}

// maxHeads bounds the heads of lists that a source knows.
const maxHeads = 4096

// templates reads the templates before a list, most of which are as they were before another.
func (r *relister) templates(p []byte) (list []byte, ok bool) {
	n := headLen(p)
	if n == 0 {
		return nil, false
	}
	if r.of, ok = r.s.heads[string(p[:n])]; !ok {
		if r.of, ok = r.parse(p[:n]); !ok {
			return nil, false
		}
		if len(r.s.heads) >= maxHeads {
			clear(r.s.heads)
		}
		r.s.heads[string(p[:n])] = r.of
	}
	for i := range r.of {
		if a := r.of[i].said; !slices.Contains(r.t.inner, a) {
			r.t.inner = append(slices.Clone(r.t.inner), a)
			r.t.made = -1
		}
	}
	return p[n:], true
}

// headLen is the length of the templates before a list; 0 if they end early.
func headLen(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	at := 1
	for range p[0] {
		if len(p)-at < 4 {
			return 0
		}
		fields := int(binary.BigEndian.Uint16(p[at+2:]))
		for at += 4; fields > 0; fields-- {
			if len(p)-at < 4 {
				return 0
			}
			size := 4
			if p[at]&(enterprise>>8) != 0 {
				size = 8
			}
			if at += size; at > len(p) {
				return 0
			}
		}
	}
	return at
}

// parse makes templates of those before a list, whose length is sound.
func (r *relister) parse(p []byte) (of []inner, ok bool) {
	rest := reader{b: p[1:]}
	for range p[0] {
		stored, count := rest.u16(), int(rest.u16())
		begin := rest.b
		fields := make([]flow.Elem, count)
		for i := range fields {
			num := rest.u16()
			fields[i] = flow.Elem{ID: ie.New(0, num), Len: rest.u16()}
			if num&enterprise != 0 {
				fields[i].ID = ie.New(rest.u32(), num&^enterprise)
			}
		}
		sound, err := newTemplate(minData, fields, 0, false)
		if err != nil {
			return nil, false // receivers refuse it as well
		}
		describes := binary.BigEndian.AppendUint16(nil, uint16(count))
		describes = append(describes, begin[:len(begin)-len(rest.b)]...)
		t := r.s.template(r.version, describes, 0)
		if t == nil {
			return nil, false
		}
		of = append(of, inner{stored, t.id, sound.fields, t.said})
	}
	return of, true
}

// list writes the numbers into a list of a kind (RFC 6313 §4.5).
func (r *relister) list(kind ie.Type, b []byte, depth int) bool {
	if depth == maxListDepth {
		return false
	}
	if len(b) == 0 {
		return true
	}
	switch b = b[1:]; kind { // behind the semantic
	case ie.BasicList:
		return r.basic(b, depth)
	case ie.SubTemplateList:
		return r.records(b, b[min(2, len(b)):], depth)
	case ie.SubTemplateMultiList:
		for len(b) > 0 {
			if len(b) < 4 {
				return false
			}
			n := int(binary.BigEndian.Uint16(b[2:]))
			if n < 4 || n > len(b) || !r.records(b, b[4:n], depth) {
				return false
			}
			b = b[n:]
		}
		return true
	}
	return false
}

// basic looks for lists in a basicList, behind its semantic.
func (r *relister) basic(b []byte, depth int) bool {
	if len(b) < 4 {
		return false
	}
	num, size := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if num&enterprise != 0 {
		return len(b) >= 8 // no enterprise has lists of lists
	}
	if e, ok := ie.Lookup(ie.New(0, num)); ok && e.Type.IsList() && size > 0 {
		return r.fields([]flow.Elem{{ID: e.ID, Len: size}}, b[4:], depth)
	}
	return true
}

// records writes the number of the template of records at the beginning of head.
func (r *relister) records(head, b []byte, depth int) bool {
	if len(head) < 2 {
		return false
	}
	stored := binary.BigEndian.Uint16(head)
	i := slices.IndexFunc(r.of, func(t inner) bool { return t.stored == stored })
	if i < 0 { // it was not known when the list came; without records it matters to nobody
		return len(b) == 0
	}
	binary.BigEndian.PutUint16(head, r.of[i].id)
	return r.fields(r.of[i].fields, b, depth)
}

// fields looks for lists in records.
func (r *relister) fields(fields []flow.Elem, b []byte, depth int) bool {
	for len(b) > 0 {
		begin := len(b)
		for _, f := range fields {
			size, head := int(f.Len), 0
			if f.Len == flow.Variable {
				if size, head = variable(b); head == 0 {
					return false
				}
			}
			if head+size > len(b) {
				return false
			}
			if e, ok := ie.Lookup(f.ID); ok && e.Type.IsList() && !r.list(e.Type, b[head:head+size], depth+1) {
				return false
			}
			b = b[head+size:]
		}
		if len(b) == begin {
			return false
		}
	}
	return true
}
