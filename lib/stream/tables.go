package stream

import (
	"encoding/binary"
	"fmt"
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// Bounds of Tables.
const (
	maxTables    = 64
	maxTableRows = 1 << 16
	maxTableSize = 64 << 20 // bytes of all tables
	rowOverhead  = 100      // bytes that a row costs beside its values
)

// Tables keeps the side tables in force: what a writer repeats after each Head, and what a
// merger makes of several segments. Tables of one name with different numbers of keys are
// different tables. The zero value is empty and ready for use, by one goroutine.
type Tables struct {
	tables  []*sideTable // in the order in which they came first
	size    int
	changes uint64
}

// sideTable holds rows as octets: they are few, kept long, and compared whole.
type sideTable struct {
	name    string
	keys    int
	shapes  []flow.Shape
	shapeAt map[string]int
	rows    []sideRow // in the order in which their keys came first
	at      map[string]int
}

// sideRow is a row: its values one after the other, each a byte that is the kind and
//
//	'n' 8 a number
//	'4' 4, '6' 16 an address
//	'o' uvarint length, octets
type sideRow struct {
	shape  int
	values string
}

// Add merges the rows of a table; of equal keys the newest wins. An error leaves the rows
// before the one that it is about.
func (s *Tables) Add(t Table) error {
	b, err := t.Batch.Compact()
	if err != nil {
		return err
	}
	x, err := s.table(t.Name, t.Keys)
	if err != nil {
		return err
	}
	rows, err := newRowReader(b, t.Keys)
	if err != nil {
		return fmt.Errorf("table %.40q: %w", t.Name, err)
	}
	shapes := make([]int, len(b.Shapes))
	for i, shape := range rows.shapes {
		shapes[i] = s.intern(x, shape)
	}
	for i := range b.N {
		shape, key, values, err := rows.next(i)
		if err == nil {
			err = s.put(x, key, sideRow{shapes[shape], values})
		}
		if err != nil {
			return fmt.Errorf("table %.40q: row %d: %w", t.Name, i, err)
		}
	}
	return nil
}

func (s *Tables) table(name string, keys int) (*sideTable, error) {
	for _, x := range s.tables {
		if x.name == name && x.keys == keys {
			return x, nil
		}
	}
	if len(s.tables) == maxTables {
		return nil, fmt.Errorf("more than %d side tables", maxTables)
	}
	x := &sideTable{name: name, keys: keys, shapeAt: map[string]int{}, at: map[string]int{}}
	s.tables = append(s.tables, x)
	return x, nil
}

func (s *Tables) intern(x *sideTable, shape flow.Shape) int {
	var name []byte
	for _, e := range shape {
		name = binary.LittleEndian.AppendUint64(name, uint64(e.ID))
		name = binary.LittleEndian.AppendUint16(name, e.Len)
	}
	i, ok := x.shapeAt[string(name)]
	if !ok {
		i = len(x.shapes)
		x.shapes = append(x.shapes, slices.Clone(shape))
		x.shapeAt[string(name)] = i
		s.size += 2 * len(name)
	}
	return i
}

func (s *Tables) put(x *sideTable, key string, r sideRow) error {
	i, ok := x.at[key]
	grown := len(r.values)
	switch {
	case ok:
		grown -= len(x.rows[i].values)
	case len(x.rows) == maxTableRows:
		return fmt.Errorf("more than %d rows", maxTableRows)
	default:
		grown += len(key) + rowOverhead
	}
	if s.size+grown > maxTableSize {
		return fmt.Errorf("side tables of more than %d bytes", maxTableSize)
	}
	s.size += grown
	if ok {
		if x.rows[i] != r {
			s.changes++
			x.rows[i] = r
		}
		return nil
	}
	s.changes++
	x.at[key] = len(x.rows)
	x.rows = append(x.rows, r)
	return nil
}

// Changes grows when a row is new or differs from the one before it.
func (s *Tables) Changes() uint64 { return s.changes }

// All returns the tables in force, in the order in which they came first; a table with too
// many shapes, columns or bytes for one batch comes in several parts.
func (s *Tables) All() []Table {
	var out []Table
	for _, x := range s.tables {
		b := flow.NewBuilder()
		take := func() {
			if b.Len() > 0 {
				out = append(out, Table{Name: x.name, Keys: x.keys, Batch: b.Batch()})
				b = flow.NewBuilder()
			}
		}
		for _, r := range x.rows {
			l, ok := b.Layout(x.shapes[r.shape])
			if !ok || b.Len() == flow.MaxRecords || b.Size() > 4<<20 {
				take()
				l, _ = b.Layout(x.shapes[r.shape])
			}
			l.Next()
			r.putInto(l)
		}
		take()
	}
	return out
}

func (r *sideRow) putInto(l *flow.Layout) {
	v := []byte(r.values)
	for _, c := range l.Cols {
		kind := v[0]
		v = v[1:]
		switch kind {
		case 'n':
			c.PutInt(binary.LittleEndian.Uint64(v))
			v = v[8:]
		case '4':
			c.Put4(binary.LittleEndian.Uint32(v))
			v = v[4:]
		case '6':
			c.Put6(column.V6{Hi: binary.LittleEndian.Uint64(v), Lo: binary.LittleEndian.Uint64(v[8:])})
			v = v[16:]
		default:
			n, k := binary.Uvarint(v)
			c.PutBytes(v[k : k+int(n)])
			v = v[k+int(n):]
		}
	}
}

// rowReader turns a batch into rows.
type rowReader struct {
	keys   int
	shapes []flow.Shape // without the elements that have no column
	cols   [][]int      // for each shape and element, its column
	names  []string     // for each shape, what its keys are
	codes  *column.Vec
	vecs   []*column.Vec
	at     []int // the next value of each column
}

func newRowReader(b *flow.Batch, keys int) (*rowReader, error) {
	r := &rowReader{keys: keys, at: make([]int, len(b.Cols))}
	var err error
	if r.codes, err = b.ShapeCodes(); err != nil {
		return nil, err
	}
	for i := range b.Cols {
		v, err := b.Vec(i)
		if err != nil {
			return nil, err
		}
		if k := b.Cols[i].Key.ID; v.Kind != flow.KindOf(k) {
			return nil, corrupt("column %s holds %s", k, v.Kind)
		}
		r.vecs = append(r.vecs, v)
	}
	for _, s := range b.Shapes {
		if err := r.shape(b, s); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *rowReader) shape(b *flow.Batch, s flow.Shape) error {
	var name []byte
	var shape flow.Shape
	var cols []int
	seen := map[flow.Key]bool{}
	for i, k := range s.Keys(nil) {
		c := b.Find(k)
		switch {
		case seen[k]:
			return corrupt("element %s too often", k.ID)
		case c < 0 && i < r.keys:
			return corrupt("no column of key %s", k.ID)
		case c < 0:
			continue
		case i < r.keys:
			name = append(binary.LittleEndian.AppendUint64(name, uint64(k.ID)), k.Occ)
		}
		seen[k] = true
		shape, cols = append(shape, s[i]), append(cols, c)
	}
	if len(shape) < r.keys {
		return corrupt("shape of %d elements, %d are keys", len(shape), r.keys)
	}
	r.shapes, r.cols, r.names = append(r.shapes, shape), append(r.cols, cols), append(r.names, string(name))
	return nil
}

// next returns the shape of row i, its key and its values. Rows are read in their order.
func (r *rowReader) next(i int) (shape int, key, values string, err error) {
	shape = int(r.codes.Int(i))
	var p []byte
	end := 0
	for j, c := range r.cols[shape] {
		v, k := r.vecs[c], r.at[c]
		if k >= v.N {
			return 0, "", "", corrupt("column of %d values has too few", v.N)
		}
		r.at[c]++
		p = appendValue(p, v, v.Entry(k))
		if j < r.keys {
			end = len(p)
		}
	}
	values = string(p)
	return shape, r.names[shape] + values[:end], values, nil
}

func appendValue(p []byte, v *column.Vec, e int) []byte {
	switch {
	case v.Kind == column.Int:
		return binary.LittleEndian.AppendUint64(append(p, 'n'), v.Ints[e])
	case v.Kind == column.Bytes:
		o := v.BytesEntry(e)
		return append(binary.AppendUvarint(append(p, 'o'), uint64(len(o))), o...)
	case e < len(v.V4):
		return binary.LittleEndian.AppendUint32(append(p, '4'), v.V4[e])
	}
	a := v.V6[e-len(v.V4)]
	p = binary.LittleEndian.AppendUint64(append(p, '6'), a.Hi)
	return binary.LittleEndian.AppendUint64(p, a.Lo)
}
