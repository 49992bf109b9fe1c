package filter

import (
	"math"
	"math/bits"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Counters are compared scaled by the sampling rate of their record. Most batches have one
// rate; then the test is turned round and the counters are compared as they were sent.

// rate is the sampling rate of the records of some shapes, if all have the same and that is
// known without decoding.
func (e *evaluator) rate(shapes uint64) (interval, space uint64, ok bool) {
	i, s := e.batch.Find(flow.Key{ID: ie.SamplingInterval}), e.batch.Find(flow.Key{ID: ie.SamplingSpace})
	if i < 0 || s < 0 {
		return 1, 0, true
	}
	ci, cs := &e.batch.Cols[i], &e.batch.Cols[s]
	if both := ci.Shapes & cs.Shapes & shapes; both == 0 {
		return 1, 0, true
	} else if both != shapes {
		return 0, 0, false
	}
	ilo, ihi := numberBounds(ci)
	slo, shi := numberBounds(cs)
	return ilo, slo, ilo == ihi && slo == shi
}

// numberBounds is between which numbers a column lies.
func numberBounds(c *flow.Column) (lo, hi uint64) {
	if !c.Encoded() || c.Block.N == 0 || c.Block.Kind != column.Int {
		return 0, math.MaxUint64
	}
	return c.Block.Lo.Lo, c.Block.Hi.Lo
}

// scale is x at a sampling rate, as flow.Batch.Scaled has it.
func scale(x, interval, space uint64) uint64 {
	if interval == 0 || space == 0 {
		return x
	}
	hi, lo := bits.Mul64(x, space)
	if hi >= interval {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, interval)
	return flow.AddSaturated(x, q)
}

// unscale finds the counters whose scaled values are in the set of t. It reports false where
// the records of s have several rates.
func (e *evaluator) unscale(t *test, s *source) bool {
	interval, space, ok := e.rate(s.shapes)
	if !ok || t.shift != 0 || t.mask != allBits {
		return false
	}
	if interval == 0 || space == 0 {
		return true
	}
	s.scaled, s.set = true, make(spans, 0, len(t.set))
	for _, r := range t.set {
		lo, some := firstScaled(r.lo, interval, space)
		if !some {
			break
		}
		hi := uint64(math.MaxUint64)
		if r.hi != hi {
			if above, some := firstScaled(r.hi+1, interval, space); some {
				hi = above - 1 // above is not 0, since that is 0 at any rate
			}
		}
		if lo <= hi {
			s.set = append(s.set, span{lo, hi})
		}
	}
	return true
}

// firstScaled is the smallest number that is at least x at a sampling rate.
func firstScaled(x, interval, space uint64) (uint64, bool) {
	lo, hi := uint64(0), x // scaled numbers are never smaller
	for lo < hi {
		m := lo + (hi-lo)/2
		if scale(m, interval, space) >= x {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return lo, scale(lo, interval, space) >= x
}

// scaledBounds decides a test where the rates differ: no value is below the smallest one
// sent, or above the largest one at the largest rate.
func (e *evaluator) scaledBounds(t *test, st *state) Match {
	if t.field.Derived || t.form != onInts || t.mask != allBits {
		return Some
	}
	lo, hi := uint64(math.MaxUint64), uint64(0)
	for i := range st.sources {
		l, h := numberBounds(&e.batch.Cols[st.sources[i].col])
		lo, hi = min(lo, l), max(hi, h)
	}
	i, s := e.batch.Find(flow.Key{ID: ie.SamplingInterval}), e.batch.Find(flow.Key{ID: ie.SamplingSpace})
	if i >= 0 && s >= 0 {
		ilo, _ := numberBounds(&e.batch.Cols[i])
		_, shi := numberBounds(&e.batch.Cols[s])
		hi = scale(hi, max(ilo, 1), shi) // an interval of 0 scales nothing
	}
	m := t.set.within(lo, hi)
	if m == All && st.covered != e.shapes {
		return Some
	}
	return m
}
