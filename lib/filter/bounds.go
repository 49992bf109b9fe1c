package filter

import (
	"math"
	"math/bits"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// bounds decides a node by the smallest and largest values that the encoded columns name,
// without decoding anything. Some means that it cannot tell.
func (e *evaluator) bounds(n *node) Match {
	st := &e.states[n.id]
	st.match = Some
	switch n.op {
	case opAny:
		st.match = All
	case opNot:
		switch e.bounds(n.kids[0]) {
		case None:
			st.match = All
		case All:
			st.match = None
		}
	case opTest:
		e.resolve(n.test, st)
		st.match = e.boundsOf(n.test, st)
	default:
		neutral, final := All, None
		if n.op == opOr {
			neutral, final = None, All
		}
		st.match = neutral
		for _, k := range n.kids {
			switch e.bounds(k) {
			case final:
				st.match = final
				return final
			case Some:
				st.match = Some
			}
		}
	}
	return st.match
}

func (e *evaluator) boundsOf(t *test, st *state) Match {
	if st.computed {
		return e.scaledBounds(t)
	}
	none, all := !t.absent || st.covered == e.shapes, t.absent || st.covered == e.shapes
	for i := range st.sources {
		s := &st.sources[i]
		s.match = Some
		if t.form == onPresence {
			s.match = All
		} else if c := &e.batch.Cols[s.col]; c.Encoded() && c.Block.N > 0 && s.mask == 0 {
			s.match = t.within(c.Block.Kind, c.Block.Lo, c.Block.Hi)
		}
		none = none && s.match == None
		all = all && s.match == All
	}
	switch {
	case none:
		return None
	case all:
		return All
	}
	return Some
}

// within decides a predicate for values between two bounds.
func (t *test) within(k column.Kind, lo, hi column.Bound) Match {
	switch {
	case t.form == onInts && k == column.Int && t.mask == allBits && t.shift == 0:
		return t.set.within(lo.Lo, hi.Lo)
	case t.form == onAddrs && k == column.Addr:
		return t.ips.within(lo, hi)
	case t.form == onBytes && k == column.Bytes && t.prefixes != nil:
		for _, p := range t.prefixes {
			if p.Compare(lo) >= 0 && p.Compare(hi) <= 0 {
				return Some
			}
		}
		return None
	}
	return Some
}

// scaledBounds decides a test on a sampled counter: no record's value is below the smallest
// one sent, or above the largest one times the largest rate.
func (e *evaluator) scaledBounds(t *test) Match {
	if t.field.Derived || t.form != onInts || t.mask != allBits {
		return Some
	}
	lo, hi := uint64(math.MaxUint64), uint64(0)
	found, covered := false, uint64(0)
	for _, id := range t.field.Elements {
		i := e.batch.Find(flow.Key{ID: id})
		if i < 0 {
			continue
		}
		c := &e.batch.Cols[i]
		if !c.Encoded() || c.Block.N == 0 || c.Block.Kind != column.Int {
			return Some
		}
		found, covered = true, covered|c.Shapes
		lo, hi = min(lo, c.Block.Lo.Lo), max(hi, c.Block.Hi.Lo)
	}
	if !found {
		return Some
	}
	m := t.set.within(lo, e.largest(hi))
	if m == All && covered&e.shapes != e.shapes {
		return Some
	}
	return m
}

// largest is x at the largest sampling rate that the batch can have.
func (e *evaluator) largest(x uint64) uint64 {
	interval, space := e.batch.Find(flow.Key{ID: ie.SamplingInterval}), e.batch.Find(flow.Key{ID: ie.SamplingSpace})
	if interval < 0 || space < 0 {
		return x
	}
	i, s := &e.batch.Cols[interval], &e.batch.Cols[space]
	if !i.Encoded() || !s.Encoded() {
		return math.MaxUint64
	}
	hi, lo := bits.Mul64(x, s.Block.Hi.Lo)
	by := max(i.Block.Lo.Lo, 1) // an interval of 0 scales nothing
	if hi >= by {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, by)
	return flow.AddSaturated(x, q)
}
