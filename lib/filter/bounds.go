package filter

import "nfpipe/lib/column"

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
		return e.scaledBounds(t, st)
	}
	none, all := !t.absent || st.covered == e.shapes, t.absent || st.covered == e.shapes
	for i := range st.sources {
		s := &st.sources[i]
		s.match = Some
		if t.form == onPresence {
			s.match = All
		} else if c := &e.batch.Cols[s.col]; c.Encoded() && c.Block.N > 0 && s.mask == 0 {
			s.match = t.within(s, c.Block.Kind, c.Block.Lo, c.Block.Hi)
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
func (t *test) within(s *source, k column.Kind, lo, hi column.Bound) Match {
	switch {
	case t.form == onInts && k == column.Int && t.mask == allBits && t.shift == 0:
		if s.scaled {
			return s.set.within(lo.Lo, hi.Lo)
		}
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
