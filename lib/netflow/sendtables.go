package netflow

import (
	"fmt"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Bounds of what is announced of side tables.
const (
	maxRows     = 1 << 14 // of a domain
	maxAllRows  = 1 << 16
	maxRowsSize = 64 << 20
)

// Table announces the rows of a side table, the first keys elements of each shape being what a
// row is about. A row whose key is that of an earlier one takes its place. Sampling rates are left
// out, and with them tables of samplers: they are announced with the records that have them, and a
// row that says otherwise would win.
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
	c := planner{e: e, shape: s, p: &t.plan}
	for i, key := range s.Keys(nil) {
		at := e.b.Find(key)
		if at < 0 || i >= keys && tellsRate(s[i].ID) {
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
		if len(t.plan.fields) == before {
			continue
		}
		if f := &t.plan.fields[before]; f.form < sendOctets && col.vec.Kind == column.Bytes {
			return nil, wrongFamily(f)
		}
		t.cols = append(t.cols, col)
		if i < keys {
			t.scope++
		}
	}
	return t, nil
}

// tellsRate tells that an element is one that a sampling rate is made of, at whichever length.
func tellsRate(id ie.ID) bool {
	if n := ie.ID(id.Num() &^ (1 << 15)); id == Raw(n) {
		id = n
	}
	var p rateParts
	return id < 1<<15 && p.put(uint32(id), 0)
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
	e.stats.Elements += uint64(t.plan.elements)
	e.stats.Project += uint64(t.plan.project)
	if len(t.plan.fields) == t.scope {
		return nil // it says nothing
	}
	var o origin
	if t.exporter != nil {
		o.exporter = t.exporter.vec.AddrEntry(t.exporter.at(int(i)))
	}
	if t.domain != nil {
		o.domain = uint32(t.domain.int(int(i)))
	}
	s := e.source(o)
	if s == nil {
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
	var lists sendTemplate // what they need
	keyEnd := 0
	for k := range t.plan.fields {
		f := &t.plan.fields[k]
		fields = append(fields, scoped{f.ID, f.Len})
		one := sendPlan{fields: t.plan.fields[k : k+1]}
		var err error
		if data, err = e.appendRecord(data, &one, t.cols[k:k+1], i, 0, &lists, s); err != nil {
			return err
		}
		if k < t.scope {
			keyEnd = len(data)
		}
	}
	of := s.optionsTemplate(e.Version, fields, scope)
	if of == nil || len(data) > maxMessage-len(of.said.template)-64 {
		e.stats.TableLimit++
		return nil
	}
	for _, a := range lists.inner {
		if s.said(a.Key) == nil {
			s.say(a)
		}
	}
	key := fmt.Sprintf("%s %d %x", name, of.id, data[:keyEnd])
	e.tell(s, &Announcement{Domain: s.wire, Key: key, set: of.said.set, template: of.said.template, dataID: of.id, data: data})
	return nil
}

// tell announces a row, if it says something new and there is room for it.
func (e *Encoder) tell(s *source, a *Announcement) {
	old, size := s.said(a.Key), len(a.data)
	if old != nil {
		if string(old.data) == string(a.data) {
			return
		}
		size -= len(old.data)
	}
	if old == nil && (len(s.common) >= maxRows || e.rows >= maxAllRows) || e.rowSize+size > maxRowsSize {
		e.stats.TableLimit++
		return
	}
	if old == nil {
		e.rows++
	}
	e.rowSize += size
	s.say(a)
	e.stats.TableRows++
}
