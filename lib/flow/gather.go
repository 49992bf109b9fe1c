package flow

import (
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

// Sparse is how many records there are at least for each that counts before Narrow pays.
const Sparse = 8

// Narrow is Compact for one who looks at the columns of keys alone, when few records count;
// otherwise, or when keys is nil, it returns b.
func (b *Batch) Narrow(keys []Key) (*Batch, error) {
	if b.Sel == nil || keys == nil || Sparse*b.Sel.Count() > b.N {
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
	p := newPicker(b)
	out := &Batch{N: len(p.rows), Shapes: b.Shapes}
	var g gatherer
	out.Codes.SetVec(g.gather(out.scratch(column.Int), pluck(codes, p.rows)))
	few := Sparse*len(p.rows) <= b.N
	for i := range b.Cols {
		c := &b.Cols[i]
		if keys != nil && !slices.Contains(keys, c.Key) {
			continue
		}
		if !few {
			if _, err := b.Vec(i); err != nil {
				return nil, err
			}
		}
		v, err := p.pick(i, 0)
		if err != nil {
			return nil, err
		}
		if v.N == 0 {
			continue
		}
		col := Column{Key: c.Key}
		col.SetVec(g.gather(out.scratch(v.Kind), v))
		out.Cols = append(out.Cols, col)
	}
	return out, out.Link()
}

// gatherer copies vectors; it keeps its table from column to column.
type gatherer struct {
	renumber []uint16
}

// gather copies v to out, without the entries that no value has.
func (g *gatherer) gather(out, v *column.Vec) *column.Vec {
	out.N, out.Form = v.N, v.Form
	if v.Kind == column.Bytes {
		out.Off = append(out.Off, 0)
	}
	switch {
	case v.N == 0:
		out.Form = column.Plain
		if v.Kind == column.Addr {
			out.Form = column.Const
		}
	case v.Form == column.Const:
		copyEntry(out, v, 0)
	case v.Form == column.Dict:
		g.dict(out, v)
	case v.Kind == column.Int:
		out.Ints = append(out.Ints, v.Ints...)
	default:
		out.Off = append(out.Off[:0], v.Off...)
		out.Data = append(out.Data, v.Data...)
	}
	return out
}

// dict renumbers the entries that are used; ascending order is kept.
func (g *gatherer) dict(out, v *column.Vec) {
	g.renumber = grow(g.renumber, v.Entries())
	clear(g.renumber)
	renumber := g.renumber
	for _, c := range v.Codes {
		renumber[c] = 1
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
	out.Codes = grow(out.Codes, v.N)
	for i, c := range v.Codes {
		out.Codes[i] = renumber[c]
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
