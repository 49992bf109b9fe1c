package format

import (
	"fmt"
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// op says how a cell finds its text.
type op uint8

const (
	opText     op = iota // nothing but the literal
	opTable              // text of a dictionary entry, written when first met
	opEntry              // value by value
	opTime               // the frequent kinds of plain values, without a call
	opScaled             //
	opRight              //
	opUint               //
	opAddrPort           // sources: address, port, and for ICMP protocol, type, code
	opDuration           // sources: first, last
	opRow                // several sources
	opCount              // number of the row
	opNext               // a comma between rows
)

// entryFunc writes one entry of a column. It reads nothing but the entry, so that its text
// can be kept for the batch.
type entryFunc func(dst []byte, w *work, v *column.Vec, e int) []byte

// rowFunc writes the value of record i from the sources of its cell.
type rowFunc func(dst []byte, w *work, c *cell, i int) []byte

// item is one token of a format, compiled.
type item struct {
	lit       string // text in front of it
	pre, post string // around a value, not around an absent one
	sources   []*ie.Field
	scale     bool // counters count with their sampling rate
	need      int  // of several sources, how many from the first on a value must have
	op        op   // of plain values
	entry     entryFunc
	row       rowFunc
	width     int
	absent    string // in place of a value
	header    string // title of the column
	csv       string // the same of CSV, "" if CSV cannot have it
}

// source is one field of the batch.
type source struct {
	view flow.View
	form column.Form
	ints []uint64
	code []uint16
}

func newSource(v flow.View) source {
	s := source{view: v}
	if v.Vec != nil {
		s.form, s.ints, s.code = v.Vec.Form, v.Vec.Ints, v.Vec.Codes
	}
	return s
}

// at is the number of record i, 0 if it has none.
func (s *source) at(i int) uint64 {
	if s.view.Present == nil && s.form == column.Plain && i < len(s.ints) {
		return s.ints[i]
	}
	return s.slow(i)
}

func (s *source) slow(i int) uint64 {
	if !s.view.Has(i) || len(s.ints) == 0 {
		return 0
	}
	switch s.form {
	case column.Plain:
		return s.ints[i]
	case column.Dict:
		return s.ints[s.code[i]]
	}
	return s.ints[0]
}

// bytes is the string of record i, empty if it has none.
func (s *source) bytes(i int) []byte {
	if v := s.view.Vec; s.view.Has(i) && v.Kind == column.Bytes {
		return v.BytesEntry(v.Entry(i))
	}
	return nil
}

// cell is an item over one batch.
type cell struct {
	op        op
	lit       []byte
	pre, post string
	absent    string
	present   flow.Bitmap
	vec       *column.Vec
	ints      []uint64
	code      []uint16
	it        *item
	table     *table
	src       []source
}

// table keeps the text of dictionary entries.
type table struct {
	span []span
	text []byte
}

type span struct{ from, to uint32 }

// maxKept bounds the strings of a column whose text is kept, and the text that a table keeps
// from batch to batch.
const maxKept = 1 << 20

// reset makes room for n entries, none of them written.
func (t *table) reset(n int) {
	if cap(t.span) < n {
		t.span = make([]span, n)
	} else {
		t.span = t.span[:n]
		clear(t.span)
	}
	t.text = append(t.text[:0], 0) // so that no entry ends at 0
}

// append appends the text of entry e of v.
func (t *table) append(dst []byte, w *work, v *column.Vec, e int, f entryFunc) []byte {
	s := t.span[e]
	if s.to == 0 {
		s = t.fill(w, v, e, f)
	}
	return appendShort(dst, t.text[s.from:], int(s.to-s.from))
}

// fill writes an entry; behind the last one there is room for a short copy to read.
func (t *table) fill(w *work, v *column.Vec, e int, f entryFunc) span {
	from := len(t.text)
	t.text = slices.Grow(f(t.text, w, v, e), chunk)
	t.span[e] = span{uint32(from), uint32(len(t.text))}
	return t.span[e]
}

// work is what one call of Batch needs; it is kept from call to call.
type work struct {
	local, utc clock
	number     uint64 // of the row, for %cnt
	cells      []cell
	lits       []byte
	tables     []*table
	used       int
	views      map[viewKey]flow.View
	items      []item   // JSON: those of the batch
	shown      []uint64 // JSON: for each column the shapes in which some item shows it
}

type viewKey struct {
	f      *ie.Field
	scaled bool
}

func (w *work) newTable(n int) *table {
	if w.used == len(w.tables) {
		w.tables = append(w.tables, new(table))
	}
	t := w.tables[w.used]
	w.used++
	t.reset(n)
	return t
}

// view asks the batch for a field once.
func (w *work) view(b *flow.Batch, f *ie.Field, scaled bool) (flow.View, error) {
	k := viewKey{f, scaled}
	if v, ok := w.views[k]; ok {
		return v, nil
	}
	var v flow.View
	var err error
	if scaled {
		v, err = b.Scaled(f)
	} else {
		v, err = b.Field(f)
	}
	if err == nil && v.Vec != nil && v.Vec.Kind != kindOf(f) {
		err = fmt.Errorf("field %s: %w: %s values", f.Name, column.ErrCorrupt, v.Vec.Kind)
	}
	if err == nil {
		w.views[k] = v
	}
	return v, err
}

// bind resolves items against a batch. Neighbours whose text does not change become one
// literal, and so does what stands around a value that every record has; omit leaves out what no record has (JSON has no key then).
func (w *work) bind(b *flow.Batch, items []item, omit bool) error {
	w.cells, w.lits, w.used = w.cells[:0], w.lits[:0], 0
	lit := 0 // where the pending literal begins in lits
	for k := range items {
		it := &items[k]
		c, err := w.cell(b, it)
		if err != nil {
			return err
		}
		if c.op == opText && omit && c.absent == "" && len(it.sources) > 0 {
			continue
		}
		w.lits = append(w.lits, it.lit...)
		if c.op == opText {
			w.lits = append(w.lits, c.absent...)
			continue
		}
		if c.present == nil {
			w.lits = append(w.lits, it.pre...)
		}
		if c.op == opTable && c.vec.Form == column.Const && c.present == nil {
			w.lits = it.entry(w.lits, w, c.vec, 0)
			w.lits = append(w.lits, it.post...)
			continue
		}
		w.lits = slices.Grow(w.lits, chunk)
		c.lit = w.lits[lit:]
		lit = len(w.lits)
		w.cells = append(w.cells, c)
		if c.present == nil {
			w.lits = append(w.lits, it.post...)
		}
	}
	if lit < len(w.lits) {
		w.cells = append(w.cells, cell{op: opText, lit: slices.Grow(w.lits, chunk)[lit:]})
	}
	return nil
}

func (w *work) cell(b *flow.Batch, it *item) (cell, error) {
	c := cell{it: it, op: it.op, pre: it.pre, post: it.post, absent: it.absent}
	if len(it.sources) == 0 {
		return c, nil
	}
	c.src = make([]source, len(it.sources))
	none := true
	for j, f := range it.sources {
		v, err := w.view(b, f, it.scale)
		if err != nil {
			return c, err
		}
		c.src[j] = newSource(v)
		none = none && v.None()
	}
	if none {
		c.op = opText
		return c, nil
	}
	first := &c.src[0]
	c.vec = first.view.Vec
	if c.vec != nil {
		c.ints, c.code = c.vec.Ints, c.vec.Codes
	}
	switch it.op {
	case opAddrPort:
		w.bindAddrPort(&c)
		return c, nil
	case opDuration, opRow:
		c.require(it.need)
		return c, nil
	}
	c.present = first.view.Present
	switch {
	case c.vec.Form == column.Plain:
	case len(c.vec.Data) > maxKept: // its text could be several times as long
		c.op = opEntry
	default:
		c.op = opTable
		c.table = w.newTable(c.vec.Entries())
	}
	return c, nil
}

// require restricts the cell to records that have the first n sources.
func (c *cell) require(n int) {
	for _, s := range c.src[:n] {
		switch {
		case s.view.None():
			c.op = opText
			return
		case s.view.Present == nil:
		case c.present == nil:
			c.present = s.view.Present
		default:
			both := append(flow.Bitmap(nil), c.present...)
			both.And(s.view.Present)
			c.present = both
		}
	}
}

// rows appends the selected records.
func (w *work) rows(dst []byte, b *flow.Batch) []byte {
	if b.Sel == nil {
		for i := range b.N {
			dst = w.row(dst, i)
		}
		return dst
	}
	for j, m := range b.Sel {
		for i := j << 6; m != 0; i, m = i+1, m>>1 {
			if m&1 != 0 {
				dst = w.row(dst, i)
			}
		}
	}
	return dst
}

func (w *work) row(dst []byte, i int) []byte {
	w.number++
	for k := range w.cells {
		c := &w.cells[k]
		dst = appendShort(dst, c.lit, len(c.lit))
		if c.present != nil {
			if !c.present.Get(i) {
				dst = append(dst, c.absent...)
				continue
			}
			dst = append(dst, c.pre...)
		}
		switch c.op {
		case opText:
		case opTable:
			e := 0
			if len(c.code) > 0 {
				e = int(c.code[i])
			}
			dst = c.table.append(dst, w, c.vec, e, c.it.entry)
		case opTime:
			dst = w.local.appendMilli(dst, c.ints[i])
		case opScaled:
			dst = appendScaled(dst, c.ints[i], c.it.width)
		case opRight:
			dst = appendRight(dst, c.ints[i], c.it.width)
		case opUint:
			dst = appendUint(dst, c.ints[i])
		case opAddrPort:
			dst = c.addrPort(dst, w, i)
		case opDuration:
			dst = appendDuration(dst, elapsed(c.src[0].at(i), c.src[1].at(i)))
		case opEntry:
			dst = c.it.entry(dst, w, c.vec, c.vec.Entry(i))
		case opRow:
			dst = c.it.row(dst, w, c, i)
		case opCount:
			dst = appendRight(dst, w.number, c.it.width)
		case opNext:
			if w.number > 1 {
				dst = append(dst, ',')
			}
			dst = append(dst, '\n')
		}
		if c.present != nil {
			dst = append(dst, c.post...)
		}
	}
	return dst
}

func elapsed(first, last uint64) uint64 {
	if last > first {
		return last - first
	}
	return 0
}

// forget drops what belongs to the batch.
func (w *work) forget() {
	clear(w.views)
	clear(w.cells)
	for _, t := range w.tables[:w.used] {
		if cap(t.text) > 4*maxKept {
			t.text = nil
		}
	}
	w.cells, w.items = w.cells[:0], w.items[:0]
}
