package aggregate

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
)

const (
	digitBits = 11
	digits    = 1 << digitBits
	small     = 256 // below this, comparing is faster than counting
)

// sortRanked sorts by value, keeping the order of equal ones; spare is as long as list. It
// counts digits, and passes over those that all values share.
func sortRanked(list, spare []ranked) {
	if len(list) < small {
		slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(a.value, b.value) })
		return
	}
	differ := uint64(0)
	for i := range list {
		differ |= list[i].value ^ list[0].value
	}
	from, to := list, spare
	for shift := uint(0); shift < 64; shift += digitBits {
		if differ>>shift&(digits-1) == 0 {
			continue
		}
		var at [digits]int32
		for i := range from {
			at[from[i].value>>shift&(digits-1)]++
		}
		sum := int32(0)
		for d, n := range at {
			at[d] = sum
			sum += n
		}
		for i := range from {
			d := from[i].value >> shift & (digits - 1)
			to[at[d]] = from[i]
			at[d]++
		}
		from, to = to, from
	}
	if len(list) > 0 && &from[0] != &list[0] {
		copy(list, from)
	}
}

// breakTies orders runs of equal values by key, on all processors. Values are of no use
// afterwards.
func (r *ranking) breakTies(list []ranked) {
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for left := workers; left > 0 && len(list) > 0; left-- {
		end := len(list) / left
		for end > 0 && end < len(list) && list[end].value == list[end-1].value {
			end++
		}
		part := list[:end]
		list = list[end:]
		wg.Go(func() {
			for _, run := range runs(part) {
				r.breakRun(run)
			}
		})
	}
	wg.Wait()
}

// breakRun orders groups of equal rank.
func (r *ranking) breakRun(run []ranked) {
	if len(run) < small {
		for i := range run {
			c, e := r.entry(run[i].ref)
			run[i].value = r.key(c, e, 0)
		}
		slices.SortFunc(run, func(a, b ranked) int {
			if c := cmp.Compare(a.ref>>32, b.ref>>32); c != 0 {
				return c
			}
			if c := cmp.Compare(a.value, b.value); c != 0 {
				return c
			}
			return r.compareKeys(a.ref, b.ref, 1)
		})
		return
	}
	for i := range run {
		run[i].value = run[i].ref >> 32
	}
	sortRanked(run, make([]ranked, len(run)))
	first := 0
	for i := 1; i <= len(run); i++ {
		if i == len(run) || run[i].ref>>32 != run[first].ref>>32 {
			r.byKey(run[first:i], 0)
			first = i
		}
	}
}

// byKey orders groups of one class by word w of their keys and what follows.
func (r *ranking) byKey(list []ranked, w int) {
	c := r.classes[list[0].ref>>32]
	if w == c.words {
		return
	}
	for i := range list {
		_, e := r.entry(list[i].ref)
		list[i].value = r.key(c, e, w)
	}
	sortRanked(list, make([]ranked, len(list)))
	for _, same := range runs(list) {
		r.byKey(same, w+1)
	}
}

// runs cuts a sorted list into its runs of two and more equal values.
func runs(list []ranked) [][]ranked {
	var out [][]ranked
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j].value == list[i].value {
			j++
		}
		if j-i > 1 {
			out = append(out, list[i:j])
		}
		i = j
	}
	return out
}
