package filter

import (
	"fmt"
	"slices"
	"sort"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// run is entries of a dictionary that match, from the first to before the last.
type run struct{ from, to int }

// run evaluates a predicate on the values of a vector: bit i of dst is value i.
func (e *evaluator) run(t *test, v *column.Vec, s *source, dst flow.Bitmap) (Match, error) {
	switch {
	case t.form == onPresence:
		return All, nil
	case t.form == onInts && v.Kind == column.Int:
		return e.ints(t, v, s, dst), nil
	case t.form == onAddrs && v.Kind == column.Addr:
		return e.addresses(&t.ips, v, dst), nil
	case t.form == onBytes && v.Kind == column.Bytes:
		return e.bytes(t, v, dst), nil
	}
	return None, fmt.Errorf("field %s: column of kind %s", t.field.Name, v.Kind)
}

// entries decides by the runs in e.runs, and looks at the codes only if it must.
func (e *evaluator) entries(v *column.Vec, dst flow.Bitmap) Match {
	all := v.Entries()
	switch {
	case len(e.runs) == 0 || all == 0:
		return None
	case e.runs[0] == run{0, all}:
		return All
	case len(e.runs) == 1:
		codesWithin(dst, v.Codes, uint16(e.runs[0].from), uint16(e.runs[0].to-1), all)
	default:
		clear(e.table[:all])
		for _, r := range e.runs {
			for i := r.from; i < r.to; i++ {
				e.table[i] = 1
			}
		}
		codesTable(dst, v.Codes, (*[1 << 16]uint8)(e.table))
	}
	return tally(dst, v.N)
}

func (e *evaluator) add(from, to int) {
	if from >= to {
		return
	}
	if n := len(e.runs); n > 0 && e.runs[n-1].to == from {
		e.runs[n-1].to = to
		return
	}
	e.runs = append(e.runs, run{from, to})
}

func (e *evaluator) ints(t *test, v *column.Vec, s *source, dst flow.Bitmap) Match {
	set := t.set
	if s.scaled {
		set = s.set
	}
	shift, mask := t.shift+s.shift, t.mask
	if s.mask != 0 {
		mask &= s.mask >> t.shift
	}
	if v.Form == column.Plain {
		e.plain(set, v.Ints, shift, mask, dst)
		return tally(dst, v.N)
	}
	e.runs = e.runs[:0]
	if shift != 0 || mask != allBits {
		for i, x := range v.Ints {
			if set.has(x >> shift & mask) {
				e.add(i, i+1)
			}
		}
		return e.entries(v, dst)
	}
	// Both the dictionary and the set are sorted: look up the shorter one in the longer.
	if len(set) > len(v.Ints) {
		for i, x := range v.Ints {
			if set.has(x) {
				e.add(i, i+1)
			}
		}
		return e.entries(v, dst)
	}
	from := 0
	for _, r := range set {
		n, _ := slices.BinarySearch(v.Ints[from:], r.lo)
		from += n
		to := from + sort.Search(len(v.Ints)-from, func(i int) bool { return v.Ints[from+i] > r.hi })
		e.add(from, to)
		from = to
	}
	return e.entries(v, dst)
}

// plain evaluates values that have no dictionary.
func (e *evaluator) plain(set spans, vals []uint64, shift uint8, mask uint64, dst flow.Bitmap) {
	whole := shift == 0 && mask == allBits
	switch {
	case len(set) == 0:
		clear(dst)
	case len(set) == 1 && whole:
		intsWithin(dst, vals, set[0])
	case len(set) == 1:
		intsMasked(dst, vals, shift, mask, set[0])
	case whole && set[len(set)-1].hi < 1<<16:
		clear(e.table)
		for _, r := range set {
			for x := r.lo; x <= r.hi; x++ {
				e.table[x] = 1
			}
		}
		intsTable(dst, vals, (*[1 << 16]uint8)(e.table))
	case whole && len(set) < 4: // passes are faster than searches
		intsWithin(dst, vals, set[0])
		more := e.scratch(len(vals))
		for _, r := range set[1:] {
			intsWithin(more, vals, r)
			dst.Or(more)
		}
		e.give(more)
	default:
		intsSearch(dst, vals, shift, mask, set)
	}
}

func (e *evaluator) addresses(ips *addrs, v *column.Vec, dst flow.Bitmap) Match {
	e.runs = e.runs[:0]
	e.v4(ips.v4, v.V4)
	e.v6(ips, v.V6, len(v.V4))
	return e.entries(v, dst)
}

// v4 adds the runs of sorted entries that are in a set.
func (e *evaluator) v4(set spans, entries []uint32) {
	if len(set) > len(entries) {
		for i, a := range entries {
			if set.has(uint64(a)) {
				e.add(i, i+1)
			}
		}
		return
	}
	from := 0
	for _, r := range set {
		from += sort.Search(len(entries)-from, func(i int) bool { return uint64(entries[from+i]) >= r.lo })
		to := from + sort.Search(len(entries)-from, func(i int) bool { return uint64(entries[from+i]) > r.hi })
		e.add(from, to)
		from = to
	}
}

func (e *evaluator) v6(ips *addrs, entries []column.V6, base int) {
	if len(ips.v6) > len(entries) {
		for i, a := range entries {
			if ips.has6(a) {
				e.add(base+i, base+i+1)
			}
		}
		return
	}
	from := 0
	for _, r := range ips.v6 {
		from += sort.Search(len(entries)-from, func(i int) bool { return entries[from+i].Compare(r.lo) >= 0 })
		to := from + sort.Search(len(entries)-from, func(i int) bool { return entries[from+i].Compare(r.hi) > 0 })
		e.add(base+from, base+to)
		from = to
	}
}

func (e *evaluator) bytes(t *test, v *column.Vec, dst flow.Bitmap) Match {
	if v.Form == column.Plain {
		clear(dst)
		for i := range v.N {
			if t.match(v.BytesEntry(i)) {
				dst.Set(i)
			}
		}
		return tally(dst, v.N)
	}
	e.runs = e.runs[:0]
	for i := range v.Entries() {
		if t.match(v.BytesEntry(i)) {
			e.add(i, i+1)
		}
	}
	return e.entries(v, dst)
}
