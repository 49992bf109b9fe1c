package netflow

import (
	"fmt"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// maxRows bounds what is announced of a domain beside templates.
const maxRows = 4096

// Table announces the rows of a side table, the first keys elements of each shape being what a
// row is about. Rows of sampling rates are left out: the rates are announced with the records
// that have them.
func (e *Encoder) Table(name string, keys int, b *flow.Batch) error {
	if e.Version < 9 || name == "samplers" || name == "exporters" {
		return nil
	}
	e.b = b
	defer e.done()
	codes, err := b.ShapeCodes()
	if err != nil {
		return err
	}
	if codes.N == 0 {
		return nil
	}
	shapes := make([]*tableShape, len(b.Shapes))
	for i := range b.N {
		n := codes.Int(i)
		if shapes[n] == nil {
			if shapes[n], err = e.tableShape(b.Shapes[n], keys); err != nil {
				return err
			}
		}
		if err := e.row(name, shapes[n], int32(i)); err != nil {
			return err
		}
	}
	return nil
}

// tableShape is the rows of a shape: who told, then scope and values.
type tableShape struct {
	exporter, domain *sendColumn
	plan             sendPlan
	cols             []*sendColumn
	scope            int
}

func (e *Encoder) tableShape(s flow.Shape, keys int) (*tableShape, error) {
	t := &tableShape{}
	c := planner{e: e, shape: s, p: &t.plan, kept: map[ie.ID]bool{}}
	for i, key := range s.Keys(nil) {
		at := e.b.Find(key)
		if at < 0 {
			continue
		}
		col, err := e.column(at)
		if err != nil {
			return nil, err
		}
		switch {
		case i < keys && key == keyExporter && t.exporter == nil:
			t.exporter = col
			continue
		case i < keys && key == keyDomain && t.domain == nil:
			t.domain = col
			continue
		}
		elem := s[i]
		if e.Version == 9 && col.vec.Kind == column.Bytes {
			if elem.Len, err = e.textWidth(at, elem); err != nil {
				return nil, err
			}
		}
		before := len(t.plan.fields)
		c.field(elem, key)
		if len(t.plan.fields) > before {
			t.cols = append(t.cols, col)
			if i < keys {
				t.scope++
			}
		}
	}
	for i := range t.plan.fields {
		if f := &t.plan.fields[i]; f.form == sendUptime { // relative to nothing
			f.Elem, f.form = flow.ShapeOf(152)[0], sendMillis
		} else if f.form == sendList {
			f.form = sendVariable
		}
	}
	return t, nil
}

// scopes9 tells that NetFlow v9 has a scope for each of the scope's elements.
func (t *tableShape) scopes9() bool {
	for _, f := range t.plan.fields[:t.scope] {
		if scopeType(f.ID) == systemScope && f.ID != 144 {
			return false
		}
	}
	return true
}

// row announces a row.
func (e *Encoder) row(name string, t *tableShape, i int32) error {
	if len(t.plan.fields) == 0 {
		return nil
	}
	var o origin
	if t.exporter != nil {
		o.exporter = t.exporter.vec.AddrEntry(t.exporter.at(int(i)))
	}
	if t.domain != nil {
		o.domain = uint32(t.domain.vec.Ints[t.domain.at(int(i))])
	}
	s := e.source(o)
	if s == nil || len(s.byRow) >= maxRows {
		e.stats.TableLimit++
		return nil
	}
	fields, scope := make([]scoped, 0, len(t.plan.fields)+1), t.scope
	var data []byte
	if scope == 0 || e.Version == 9 && !t.scopes9() { // of the whole domain
		fields, scope = append(fields, scoped{149, 4}), 1
		data = append(data, 0, 0, 0, 0)
		put(data, 4, uint64(s.wire))
	}
	keyEnd := 0
	for k := range t.plan.fields {
		f := &t.plan.fields[k]
		fields = append(fields, scoped{f.ID, f.Len})
		one := sendPlan{fields: t.plan.fields[k : k+1]}
		var err error
		if data, err = e.appendRecord(data, &one, t.cols[k:k+1], i, 0, nil, s); err != nil {
			return err
		}
		if k < t.scope {
			keyEnd = len(data)
		}
	}
	if len(data) > maxMessage-1024 {
		e.stats.TableLimit++
		return nil
	}
	of := s.optionsTemplate(e.Version, fields, scope)
	if of == nil {
		e.stats.TableLimit++
		return nil
	}
	key := fmt.Sprintf("%s %d %x", name, of.id, data[:keyEnd])
	if old := s.byRow[key]; old != nil {
		if string(old.data) == string(data) {
			return nil
		}
		for n, a := range s.common {
			if a == old {
				s.common = append(s.common[:n:n], s.common[n+1:]...)
				break
			}
		}
	}
	a := &Announcement{Domain: s.wire, Key: key, set: of.said.set, template: of.said.template, dataID: of.id, data: data}
	s.byRow[key] = a
	s.common = append(s.common, a)
	s.changed()
	e.stats.TableRows++
	return nil
}
