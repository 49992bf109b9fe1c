package netflow

import (
	"encoding/binary"
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Structured data (RFC 6313) name templates of the session, which are gone when a stream is
// read later. So a list is kept with them:
//
//	u8     templates
//	       each as a template record (RFC 7011 §3.4.1)
//	       the list as it was sent
//
// They are in the order in which the list first uses them. A template of which the list has no
// record, or that is not known at the time, is left out.

// Bounds of what is looked at in a list.
const (
	maxListDepth     = 4
	maxListTemplates = 16
)

// listField is a field of a template that holds structured data.
type listField struct {
	field int
	kind  ie.Type
}

// walker collects the templates that a list uses.
type walker struct {
	d    *domain
	used []*template
}

// lists puts lists with the templates that they use.
func (w *work) lists(o *op, c *column.Builder, from, n int) {
	e, _ := ie.Lookup(w.t.fields[o.field].ID)
	walk := walker{d: w.m.domain}
	var out []byte
	for r := from; r < from+n; r++ {
		value := w.value(int(o.field), r)
		walk.used = walk.used[:0]
		walk.list(e.Type, value, 0)
		out = append(out[:0], byte(len(walk.used)))
		for _, t := range walk.used {
			t.used = w.x.uses
			out = appendTemplate(out, t)
		}
		c.PutBytes(append(out, value...))
	}
}

func appendTemplate(dst []byte, t *template) []byte {
	dst = binary.BigEndian.AppendUint16(dst, t.id)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(t.fields)))
	for _, f := range t.fields {
		dst = appendField(dst, f)
	}
	return dst
}

func appendField(dst []byte, f flow.Elem) []byte {
	num := f.ID.Num()
	if f.ID.PEN() != 0 {
		num |= enterprise
	}
	dst = binary.BigEndian.AppendUint16(dst, num)
	dst = binary.BigEndian.AppendUint16(dst, f.Len)
	if f.ID.PEN() != 0 {
		dst = binary.BigEndian.AppendUint32(dst, f.ID.PEN())
	}
	return dst
}

// list looks at a list of a kind.
func (w *walker) list(kind ie.Type, b []byte, depth int) {
	if depth == maxListDepth || len(b) < 3 {
		return
	}
	switch b = b[1:]; kind { // behind the semantic
	case ie.BasicList:
		w.basic(b, depth)
	case ie.SubTemplateList:
		w.records(binary.BigEndian.Uint16(b), b[2:], depth)
	case ie.SubTemplateMultiList:
		for len(b) >= 4 {
			n := int(binary.BigEndian.Uint16(b[2:]))
			if n < 4 || n > len(b) {
				return
			}
			w.records(binary.BigEndian.Uint16(b), b[4:n], depth)
			b = b[n:]
		}
	}
}

// basic looks for lists in a basicList, behind its semantic.
func (w *walker) basic(b []byte, depth int) {
	if len(b) < 4 {
		return
	}
	num, size := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if num&enterprise != 0 {
		return // no enterprise has lists of lists
	}
	if e, ok := ie.Lookup(ie.New(0, num)); ok && e.Type.IsList() && size > 0 {
		l := layout{fields: []flow.Elem{{ID: e.ID, Len: size}}, lists: []listField{{0, e.Type}}}
		w.fields(&l, b[4:], depth)
	}
}

// records looks at the records of a template in a list.
func (w *walker) records(id uint16, b []byte, depth int) {
	t := w.d.templates[id]
	if t == nil || len(b) < t.size {
		return
	}
	if !slices.Contains(w.used, t) {
		if len(w.used) == maxListTemplates {
			return
		}
		w.used = append(w.used, t)
	}
	if len(t.lists) > 0 {
		w.fields(t.layout, b, depth)
	}
}

// fields looks for lists in records, each of which has at least a byte.
func (w *walker) fields(t *layout, b []byte, depth int) {
	for len(b) > 0 {
		lists := t.lists
		for i, f := range t.fields {
			size, head := int(f.Len), 0
			if f.Len == flow.Variable {
				if size, head = variable(b); head == 0 {
					return
				}
			}
			if head+size > len(b) {
				return
			}
			if len(lists) > 0 && lists[0].field == i {
				w.list(lists[0].kind, b[head:head+size], depth+1)
				lists = lists[1:]
			}
			b = b[head+size:]
		}
	}
}
