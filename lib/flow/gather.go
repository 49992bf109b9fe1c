package flow

import (
	"fmt"
	"math/bits"
	"slices"

	"nfpipe/lib/column"
)

// Compact returns a batch of the selected records alone, in their order. Dictionaries keep
// only the entries that are left. The result does not alias b.
func (b *Batch) Compact() (*Batch, error) {
	if b.Sel == nil {
		return b, nil
	}
	return b.compact(nil)
}

// sparse is how many records there are at least for each that counts before Narrow pays.
const sparse = 8

// Narrow is Compact for one who looks at the columns of keys alone, when few records count;
// otherwise, or when keys is nil, it returns b.
func (b *Batch) Narrow(keys []Key) (*Batch, error) {
	if b.Sel == nil || keys == nil || sparse*b.Sel.Count() > b.N {
		return b, nil
	}
	return b.compact(keys)
}

// compact copies the columns of keys, all if keys is nil.
func (b *Batch) compact(keys []Key) (*Batch, error) {
	codes, err := b.ShapeCodes()
	if err != nil {
		return nil, err
	}
	rows := b.Sel.Rows(make([]int32, 0, b.Sel.Count()))
	out := &Batch{N: len(rows), Shapes: b.Shapes}
	var g gatherer
	out.Codes.SetVec(g.gather(out.scratch(column.Int), codes, rows))
	places := map[uint64]places{}
	for i := range b.Cols {
		c := &b.Cols[i]
		if keys != nil && !slices.Contains(keys, c.Key) {
			continue
		}
		v, err := b.Vec(i)
		if err != nil {
			return nil, err
		}
		at, ok := places[c.Shapes]
		if !ok {
			if at, err = b.places(c.Shapes, rows); err != nil {
				return nil, err
			}
			places[c.Shapes] = at
		}
		if v.N != at.n {
			return nil, fmt.Errorf("column %s: %w: %d values for %d records", c.Key.ID, column.ErrCorrupt, v.N, at.n)
		}
		if len(at.rows) == 0 {
			continue
		}
		col := Column{Key: c.Key}
		col.SetVec(g.gather(out.scratch(v.Kind), v, at.rows))
		out.Cols = append(out.Cols, col)
	}
	return out, out.Link()
}

// places are positions within a column of n values.
type places struct {
	n    int
	rows []int32
}

// places turns the selected records into positions within a column that only some shapes have.
func (b *Batch) places(mask uint64, rows []int32) (places, error) {
	present, err := b.Presence(mask)
	if err != nil || present == nil {
		return places{b.N, rows}, err
	}
	p := places{rows: make([]int32, 0, len(rows))}
	for w, has := range present {
		for m := has & b.Sel[w]; m != 0; m &= m - 1 {
			below := has & (m&-m - 1)
			p.rows = append(p.rows, int32(p.n+bits.OnesCount64(below)))
		}
		p.n += bits.OnesCount64(has)
	}
	return p, nil
}

// gatherer copies values; it keeps its table from column to column.
type gatherer struct {
	renumber []uint16
}

// gather copies the values at the positions into out.
func (g *gatherer) gather(out, v *column.Vec, at []int32) *column.Vec {
	out.N, out.Form = len(at), v.Form
	if v.Kind == column.Bytes {
		out.Off = append(out.Off, 0)
	}
	switch {
	case len(at) == 0:
		out.Form = column.Plain
		if v.Kind == column.Addr {
			out.Form = column.Const
		}
	case v.Form == column.Const:
		copyEntry(out, v, 0)
	case v.Form == column.Dict:
		g.dict(out, v, at)
	case v.Kind == column.Int:
		out.Ints = grow(out.Ints, len(at))
		for i, p := range at {
			out.Ints[i] = v.Ints[p]
		}
	default:
		for _, p := range at {
			copyEntry(out, v, int(p))
		}
	}
	return out
}

// dict renumbers the entries that are used; ascending order is kept.
func (g *gatherer) dict(out, v *column.Vec, at []int32) {
	g.renumber = grow(g.renumber, v.Entries())
	clear(g.renumber)
	renumber := g.renumber
	for _, p := range at {
		renumber[v.Codes[p]] = 1
	}
	n := 0
	for e, used := range renumber {
		if used != 0 {
			renumber[e] = uint16(n)
			n++
			copyEntry(out, v, e)
		}
	}
	if n == 1 {
		out.Form = column.Const
		return
	}
	out.Codes = grow(out.Codes, len(at))
	for i, p := range at {
		out.Codes[i] = renumber[v.Codes[p]]
	}
}

func copyEntry(out, v *column.Vec, e int) {
	switch v.Kind {
	case column.Int:
		out.Ints = append(out.Ints, v.Ints[e])
	case column.Addr:
		if e < len(v.V4) {
			out.V4 = append(out.V4, v.V4[e])
		} else {
			out.V6 = append(out.V6, v.V6[e-len(v.V4)])
		}
	default:
		out.Data = append(out.Data, v.BytesEntry(e)...)
		out.Off = append(out.Off, uint32(len(out.Data)))
	}
}
