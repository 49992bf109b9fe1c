package flow

import (
	"fmt"
	"math/bits"

	"nfpipe/lib/column"
)

// picker decodes columns of b at the selected records alone.
type picker struct {
	b    *Batch
	rows []int32             // the selected records
	at   map[uint64]placed   // by the shapes of a column
	vecs map[int]*column.Vec // what was picked: values at those positions, dictionaries whole
}

// placed is where the selected records lie among the n that have one of some shapes.
type placed struct {
	n  int
	at []int32
}

func newPicker(b *Batch) *picker {
	return &picker{b, b.Sel.Rows(make([]int32, 0, b.Sel.Count())), map[uint64]placed{}, map[int]*column.Vec{}}
}

// positions of the selected records that have column c, within it.
func (p *picker) positions(c *Column) ([]int32, error) {
	at, ok := p.at[c.Shapes]
	if !ok {
		var err error
		if at, err = p.place(c.Shapes); err != nil {
			return nil, err
		}
		p.at[c.Shapes] = at
	}
	if c.Block.N != at.n || c.vec != nil && c.vec.N != at.n {
		return nil, fmt.Errorf("column %s: %w: %d values for %d records", c.Key.ID, column.ErrCorrupt, c.Block.N, at.n)
	}
	return at.at, nil
}

func (p *picker) place(shapes uint64) (placed, error) {
	present, err := p.b.Presence(shapes)
	if err != nil {
		return placed{}, err
	}
	if present == nil {
		return placed{p.b.N, p.rows}, nil
	}
	n, at := 0, make([]int32, 0, len(p.rows))
	for w, has := range present {
		for m := has & p.b.Sel[w]; m != 0; m &= m - 1 {
			below := has & (m&-m - 1)
			at = append(at, int32(n+bits.OnesCount64(below)))
		}
		n += bits.OnesCount64(has)
	}
	return placed{n, at}, nil
}

// pick decodes column i at its positions.
func (p *picker) pick(i, depth int) (*column.Vec, error) {
	if v, ok := p.vecs[i]; ok {
		return v, nil
	}
	c := &p.b.Cols[i]
	at, err := p.positions(c)
	if err != nil {
		return nil, err
	}
	var v *column.Vec
	if c.vec != nil {
		v = pluck(c.vec, at)
	} else if v, err = p.decode(c, at, depth); err != nil {
		return nil, err
	}
	p.vecs[i] = v
	return v, nil
}

func (p *picker) decode(c *Column, at []int32, depth int) (*column.Vec, error) {
	if err := p.b.check(c, depth); err != nil {
		return nil, err
	}
	var ref *column.Vec
	var err error
	switch {
	case c.Ref < 0:
	case c.Block.LeansOnAll():
		ref, err = p.b.decode(&p.b.Cols[c.Ref], depth+1)
	default:
		ref, err = p.pick(c.Ref, depth+1)
	}
	if err != nil {
		return nil, err
	}
	v := p.b.scratch(c.Block.Kind)
	if err := c.Block.Pick(v, ref, at); err != nil {
		return nil, fmt.Errorf("column %s: %w", c.Key.ID, err)
	}
	return v, nil
}

// pluck is the values of v at the positions, with all its entries, which it shares.
func pluck(v *column.Vec, at []int32) *column.Vec {
	out := *v
	out.N = len(at)
	switch {
	case v.Form == column.Const:
	case v.Form == column.Dict:
		out.Codes = make([]uint16, len(at))
		for i, p := range at {
			out.Codes[i] = v.Codes[p]
		}
	case v.Kind == column.Int:
		out.Ints = make([]uint64, len(at))
		for i, p := range at {
			out.Ints[i] = v.Ints[p]
		}
	default:
		out.Off, out.Data = []uint32{0}, nil
		for _, p := range at {
			copyEntry(&out, v, int(p))
		}
	}
	return &out
}
