package filter

import (
	"math/bits"
	"slices"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// ofFew evaluates the rest of a conjunction on the records of dst alone if those are so few
// that decoding their values is cheaper than decoding all; it leaves in dst those that match.
func (e *evaluator) ofFew(rest []*node, dst flow.Bitmap) (m Match, done bool, err error) {
	if flow.Sparse*dst.Count() > e.batch.N {
		return Some, false, nil
	}
	if !slices.ContainsFunc(rest, e.undecoded) {
		return Some, false, nil
	}
	var fields []*ie.Field
	for _, k := range rest {
		k.walk(func(n *node) {
			if n.op == opTest {
				fields = append(fields, n.test.field)
			}
		})
	}
	b := e.batch
	sel := b.Sel
	b.Sel = dst
	few, err := b.Narrow(flow.KeysOfAll(fields))
	b.Sel = sel
	if err != nil || few == b {
		return Some, false, err
	}
	defer few.Release()
	sub := e.filter.evaluator()
	defer e.filter.give(sub)
	sub.begin(few)
	for _, k := range rest {
		if sub.bounds(k) == None {
			return None, true, nil
		}
	}
	matching := sub.scratch(few.N)
	defer sub.give(matching)
	m, err = sub.series(&node{op: opAnd, kids: rest}, matching)
	if m == Some {
		thin(dst, matching)
	}
	if m == All { // of dst, which is not all
		m = Some
	}
	return m, true, err
}

// undecoded tells whether a test under n needs a column that is not decoded.
func (e *evaluator) undecoded(n *node) bool {
	st := &e.states[n.id]
	switch {
	case st.match != Some:
		return false
	case n.op != opTest:
		return slices.ContainsFunc(n.kids, e.undecoded)
	case st.computed:
		return true
	}
	return slices.ContainsFunc(st.sources, func(s source) bool { return !e.batch.Cols[s.col].Decoded() })
}

// thin clears the set bits of m whose bit in keep, counted along the set bits of m, is clear.
func thin(m, keep flow.Bitmap) {
	i := 0
	for w, x := range m {
		for ; x != 0; x &= x - 1 {
			if !keep.Get(i) {
				m[w] &^= 1 << bits.TrailingZeros64(x)
			}
			i++
		}
	}
}
