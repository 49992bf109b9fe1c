package filter

import (
	"math"
	"slices"
)

// span is the numbers from lo to hi, both included.
type span struct{ lo, hi uint64 }

// spans is a set of numbers: ascending, apart, never touching.
type spans []span

// normal sorts and joins.
func normal(s spans) spans {
	slices.SortFunc(s, func(a, b span) int {
		switch {
		case a.lo < b.lo:
			return -1
		case a.lo > b.lo:
			return 1
		}
		return 0
	})
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && (out[n-1].hi == math.MaxUint64 || x.lo <= out[n-1].hi+1) {
			out[n-1].hi = max(out[n-1].hi, x.hi)
			continue
		}
		out = append(out, x)
	}
	return out
}

// both is the numbers that are in a and in b.
func both(a, b spans) spans {
	var out spans
	for len(a) > 0 && len(b) > 0 {
		lo, hi := max(a[0].lo, b[0].lo), min(a[0].hi, b[0].hi)
		if lo <= hi {
			out = append(out, span{lo, hi})
		}
		if a[0].hi < b[0].hi {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// find is the position of the first span that ends at x or later.
func (s spans) find(x uint64) int {
	lo, hi := 0, len(s)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if s[m].hi < x {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

func (s spans) has(x uint64) bool {
	i := s.find(x)
	return i < len(s) && s[i].lo <= x
}

// within says what is known about numbers between lo and hi.
func (s spans) within(lo, hi uint64) Match {
	i := s.find(lo)
	switch {
	case i == len(s) || s[i].lo > hi:
		return None
	case s[i].lo <= lo && s[i].hi >= hi:
		return All
	}
	return Some
}
