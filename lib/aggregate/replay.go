package aggregate

import (
	"fmt"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// replay gives records out by a builder; ref of each is the held batch and the row in it.
func replay(build *flow.Builder, open []*opened, list []ranked, yield func(*flow.Batch) error) error {
	flush := func() error {
		if build.Len() == 0 {
			return nil
		}
		err := yield(build.Batch())
		build.Reset()
		return err
	}
	for i := range list {
		from, row := open[list[i].ref>>32], int(uint32(list[i].ref))
		if !from.put(build, row) {
			if err := flush(); err != nil {
				return err
			}
			build.Clear()
			if !from.put(build, row) {
				return fmt.Errorf("a record of %d elements does not fit into a batch", len(from.b.Cols))
			}
		}
		if build.Full() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// opened is a held batch, decoded.
type opened struct {
	b      *flow.Batch
	codes  *column.Vec
	shapes []openedShape
}

// openedShape is how records of one shape are copied: column i of a layout takes cols[i].
type openedShape struct {
	shape flow.Shape
	cols  []openedColumn
}

type openedColumn struct {
	vec    *column.Vec
	before []int32 // values before each 64 records; nil: one value each
	has    flow.Bitmap
}

func (r *Ranker) open(b *flow.Batch) (*opened, error) {
	codes, err := b.ShapeCodes()
	if err != nil {
		return nil, err
	}
	o := &opened{b: b, codes: codes, shapes: make([]openedShape, len(b.Shapes))}
	cols := make(map[flow.Key]openedColumn, len(b.Cols))
	before := map[uint64][]int32{}
	for i := range b.Cols {
		var c openedColumn
		if c.vec, err = b.Vec(i); err != nil {
			return nil, err
		}
		if err := r.charge(int64(c.vec.Size())); err != nil {
			return nil, err
		}
		if c.has, err = b.Presence(b.Cols[i].Shapes); err != nil {
			return nil, err
		}
		if c.has != nil {
			mask := b.Cols[i].Shapes
			if before[mask] == nil {
				before[mask] = countBefore(c.has)
			}
			c.before = before[mask]
		}
		cols[b.Cols[i].Key] = c
	}
	for s := range b.Shapes {
		for i, k := range b.Shapes[s].Keys(nil) {
			if c, ok := cols[k]; ok {
				o.shapes[s].shape = append(o.shapes[s].shape, b.Shapes[s][i])
				o.shapes[s].cols = append(o.shapes[s].cols, c)
			}
		}
	}
	return o, nil
}

func countBefore(m flow.Bitmap) []int32 {
	out := make([]int32, len(m))
	n := 0
	for i := range m {
		out[i] = int32(n)
		n += m[i : i+1].Count()
	}
	return out
}

// put appends a row to a builder; false if the builder has no room for its shape.
func (o *opened) put(b *flow.Builder, row int) bool {
	s := &o.shapes[o.codes.Int(row)%uint64(len(o.shapes))]
	l, ok := b.Layout(s.shape)
	if !ok {
		return false
	}
	l.Next()
	for i := range s.cols {
		c := &s.cols[i]
		at := row
		if c.before != nil {
			below := flow.Bitmap{c.has[row>>6] & (1<<(row&63) - 1)}
			at = int(c.before[row>>6]) + below.Count()
		}
		l.Cols[i].PutEntry(c.vec, c.vec.Entry(at))
	}
	return true
}
