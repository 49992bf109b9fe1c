package netflow

import (
	"encoding/binary"
	"slices"

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
// A template that is not known at the time is left out.

// Bounds of what is looked at in a list.
const (
	maxListDepth     = 4
	maxListTemplates = 16
)

// inline is a list with the templates that it uses.
func (d *domain) inline(list ie.ID, value []byte) []byte {
	var used []uint16
	e, _ := ie.Lookup(list)
	d.walk(e.Type, value, 0, &used)
	out := []byte{byte(len(used))}
	for _, id := range used {
		t := d.templates[id]
		out = binary.BigEndian.AppendUint16(out, id)
		out = binary.BigEndian.AppendUint16(out, uint16(len(t.fields)))
		for _, f := range t.fields {
			out = appendField(out, f)
		}
	}
	return append(out, value...)
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

// walk adds the templates that a list uses to used, however deep.
func (d *domain) walk(kind ie.Type, b []byte, depth int, used *[]uint16) {
	if depth == maxListDepth || len(b) < 3 {
		return
	}
	switch b = b[1:]; kind { // behind the semantic
	case ie.BasicList:
		d.walkBasic(b, depth, used)
	case ie.SubTemplateList:
		d.walkRecords(binary.BigEndian.Uint16(b), b[2:], depth, used)
	case ie.SubTemplateMultiList:
		for len(b) >= 4 {
			n := int(binary.BigEndian.Uint16(b[2:]))
			if n < 4 || n > len(b) {
				return
			}
			d.walkRecords(binary.BigEndian.Uint16(b), b[4:n], depth, used)
			b = b[n:]
		}
	}
}

// walkBasic looks for lists in a basicList.
func (d *domain) walkBasic(b []byte, depth int, used *[]uint16) {
	if len(b) < 4 {
		return
	}
	num, size := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if b = b[4:]; num&enterprise != 0 {
		return // no enterprise has lists of lists
	}
	if e, ok := ie.Lookup(ie.New(0, num)); ok && e.Type.IsList() {
		d.walkFields([]flow.Elem{{ID: e.ID, Len: size}}, b, depth, used)
	}
}

func (d *domain) walkRecords(id uint16, b []byte, depth int, used *[]uint16) {
	t := d.templates[id]
	if t == nil || len(*used) == maxListTemplates {
		return
	}
	if !slices.Contains(*used, id) {
		*used = append(*used, id)
	}
	if slices.ContainsFunc(t.fields, func(f flow.Elem) bool { e, ok := ie.Lookup(f.ID); return ok && e.Type.IsList() }) {
		d.walkFields(t.fields, b, depth, used)
	}
}

// walkFields looks for lists in records.
func (d *domain) walkFields(fields []flow.Elem, b []byte, depth int, used *[]uint16) {
	for len(b) > 0 {
		before := len(b)
		for _, f := range fields {
			size, head := int(f.Len), 0
			if f.Len == flow.Variable {
				if size, head = variable(b); head == 0 {
					return
				}
			}
			if head+size > len(b) {
				return
			}
			if e, ok := ie.Lookup(f.ID); ok && e.Type.IsList() {
				d.walk(e.Type, b[head:head+size], depth+1, used)
			}
			b = b[head+size:]
		}
		if len(b) == before {
			return // records of no length
		}
	}
}
