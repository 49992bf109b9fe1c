package sflow

import (
	"math/bits"
	"sync"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// maxShapes bounds the shapes that an exporter remembers, maxKnown those that all share.
const (
	maxShapes = 64
	maxKnown  = 4096
)

// shape is a shape and its place in the sink.
type shape struct {
	traits traits
	shape  flow.Shape
	at     flow.Binding
}

// shape returns the shape of the record at hand.
func (x *Exporter) shape() *shape {
	t := x.record.has
	if x.last != nil && x.last.traits == t {
		return x.last
	}
	s := x.shapes[t]
	if s == nil {
		if len(x.shapes) == maxShapes {
			clear(x.shapes)
		}
		s = &shape{traits: t, shape: sharedShape(t)}
		x.shapes[t] = s
	}
	x.last = s
	return s
}

// known are the shapes that exporters, of which there may be thousands, have in common.
var known = struct {
	sync.Mutex
	shapes map[traits]flow.Shape
}{shapes: map[traits]flow.Shape{}}

func sharedShape(t traits) flow.Shape {
	known.Lock()
	defer known.Unlock()
	s, ok := known.shapes[t]
	if !ok {
		if len(known.shapes) == maxKnown {
			clear(known.shapes)
		}
		s = shapeOf(t)
		known.shapes[t] = s
	}
	return s
}

// shapeOf lists the elements in the order in which emit puts them.
func shapeOf(t traits) flow.Shape {
	var ids []ie.ID
	for m := t.numbers; m != 0; m &= m - 1 {
		ids = append(ids, numbers[bits.TrailingZeros64(m)])
	}
	for m := t.addrs; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		ids = append(ids, addresses[i/2][i%2])
	}
	for i := range t.labels {
		ids = append(ids, firstLabel+ie.ID(i))
	}
	for m := t.lists; m != 0; m &= m - 1 {
		ids = append(ids, lists[bits.TrailingZeros8(m)])
	}
	return flow.ShapeOf(ids...)
}
