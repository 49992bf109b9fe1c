package flow

import (
	"nfpipe/lib/column"
)

// Compact returns a batch of the selected records alone, in their order. Dictionaries keep
// only the entries that are left. The result does not alias b.
func (b *Batch) Compact() (*Batch, error) {
	if b.Sel == nil {
		return b, nil
	}
	rows := b.Sel.Rows(make([]int32, 0, b.N))
	out := &Batch{N: len(rows), Shapes: b.Shapes}
	codes, err := b.ShapeCodes()
	if err != nil {
		return nil, err
	}
	out.Codes.SetVec(gather(out.scratch(column.Int), codes, rows))
	for i := range b.Cols {
		c := &b.Cols[i]
		v, err := b.Vec(i)
		if err != nil {
			return nil, err
		}
		at, err := b.positions(c.Shapes, rows)
		if err != nil {
			return nil, err
		}
		if len(at) == 0 {
			continue
		}
		col := Column{Key: c.Key}
		col.SetVec(gather(out.scratch(v.Kind), v, at))
		out.Cols = append(out.Cols, col)
	}
	return out, out.Link()
}

// positions turns records into positions within a column that only some shapes have.
func (b *Batch) positions(mask uint64, rows []int32) ([]int32, error) {
	present, err := b.Presence(mask)
	if err != nil || present == nil {
		return rows, err
	}
	before := make([]int32, len(present)+1)
	for i := range present {
		before[i+1] = before[i] + int32(Bitmap(present[i:i+1]).Count())
	}
	out := make([]int32, 0, len(rows))
	for _, r := range rows {
		if present.Get(int(r)) {
			below := present[r>>6] & (1<<(r&63) - 1)
			out = append(out, before[r>>6]+int32(Bitmap{below}.Count()))
		}
	}
	return out, nil
}

// gather copies the values at the positions into out.
func gather(out, v *column.Vec, at []int32) *column.Vec {
	out.N, out.Form = len(at), v.Form
	switch {
	case v.Form == column.Plain && v.Kind == column.Int:
		for _, p := range at {
			out.Ints = append(out.Ints, v.Ints[p])
		}
		return out
	case v.Form == column.Plain:
		out.Off = append(out.Off, 0)
		for _, p := range at {
			out.Data = append(out.Data, v.BytesEntry(int(p))...)
			out.Off = append(out.Off, uint32(len(out.Data)))
		}
		return out
	}
	if v.Kind == column.Bytes {
		out.Off = append(out.Off, 0)
	}
	if v.Form == column.Const {
		copyEntry(out, v, 0)
		return out
	}
	// Renumber the entries that are used; ascending order is kept.
	renumber := make([]uint32, v.Entries())
	for _, p := range at {
		renumber[v.Codes[p]] = 1
	}
	n := uint32(0)
	for e, used := range renumber {
		if used != 0 {
			renumber[e] = n
			n++
			copyEntry(out, v, e)
		}
	}
	if n == 1 {
		out.Form = column.Const
		return out
	}
	for _, p := range at {
		out.Codes = append(out.Codes, uint16(renumber[v.Codes[p]]))
	}
	return out
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
