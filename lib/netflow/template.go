package netflow

import (
	"fmt"
	"slices"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// template is what an exporter said of the layout of records.
type template struct {
	id uint16
	*layout

	learned  int64 // when it was last announced
	interval int64 // the longest between two announcements
	used     uint64
	restored bool // from an earlier run
}

// maxRecord is the largest record that fits in a message.
const maxRecord = 65535 - 20

// maxSame bounds the fields of a record that share the element of their columns.
const maxSame = 250

// newTemplate checks the layout and takes it over.
func newTemplate(id uint16, fields []flow.Elem, scope int, opts bool) (*template, error) {
	if scope > len(fields) {
		return nil, fmt.Errorf("template %d: %d scope fields of %d", id, scope, len(fields))
	}
	empty := func(f flow.Elem) bool { return f.Len == 0 }
	n := len(slices.DeleteFunc(fields[:scope:scope], empty))
	rest := slices.DeleteFunc(fields[scope:], empty)
	fields, scope = append(fields[:n], rest...), n
	t := &template{id: id, layout: &layout{fields: fields, scope: scope, opts: opts}}
	for i, f := range fields {
		if f.ID.PEN() == ie.ProjectPEN {
			return nil, fmt.Errorf("template %d: enterprise number %d is not for the wire", id, ie.ProjectPEN)
		}
		if f.Len == flow.Variable {
			t.varies = true
			t.size++
		} else {
			t.size += int(f.Len)
		}
		if e, ok := ie.Lookup(f.ID); ok && e.Type.IsList() {
			t.lists = append(t.lists, listField{i, e.Type})
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
	case mostSame(fields) > maxSame: // a batch has room for 255
		return nil, fmt.Errorf("template %d: more than %d fields of one element", id, maxSame)
	}
	return t, nil
}

// mostSame is how many fields at most share the element of their columns.
func mostSame(fields []flow.Elem) int {
	if len(fields) <= maxSame {
		return 0
	}
	most, count := 0, map[ie.ID]int{}
	for _, f := range fields {
		e, form := kept(f)
		if form == formSkip {
			continue
		}
		col, _ := ie.Column(e.ID)
		count[col]++
		most = max(most, count[col])
	}
	return most
}

func (t *template) same(o *template) bool {
	return t.opts == o.opts && t.scope == o.scope && slices.Equal(t.fields, o.fields)
}
