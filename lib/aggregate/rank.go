package aggregate

import (
	"cmp"
	"runtime"
	"slices"
	"sync"

	"nfpipe/lib/column"
)

// ranked is a group and what it is ordered by.
type ranked struct {
	value uint64
	ref   uint64 // class<<32 | shard<<24 | entry
}

// ranking orders the groups of a table.
type ranking struct {
	t       *Table
	order   Order
	classes []*class // in the order of their codes
	strings bool     // some column of the key holds numbers of strings
}

func (t *Table) newRanking(o Order) *ranking {
	r := &ranking{t: t, order: o}
	for _, c := range t.classes {
		r.classes = append(r.classes, c)
	}
	slices.SortFunc(r.classes, func(a, b *class) int { return cmp.Compare(a.code, b.code) })
	for i := range t.sources {
		if t.sources[i].kind == column.Bytes {
			r.strings = true
			t.strings.ranks()
		}
	}
	return r
}

func (r *ranking) entry(ref uint64) (*class, []uint64) {
	c := r.classes[ref>>32]
	return c, c.shards[ref>>24&0xff].entry(uint32(ref&maxID), c.stride)
}

// key is word w of a group's key as it compares: numbers of strings become their ranks.
func (r *ranking) key(c *class, e []uint64, w int) uint64 {
	x := e[c.key+w]
	if !r.strings {
		return x
	}
	for i := range c.places {
		p := &c.places[i]
		if p.state == absent || p.word != w || r.t.sources[i].kind != column.Bytes {
			continue
		}
		n := x >> p.shift & (1<<32 - 1)
		x = x&^((1<<32-1)<<p.shift) | r.t.strings.rank[n]<<p.shift
	}
	return x
}

// compare orders groups by value, then key.
func (r *ranking) compare(a, b ranked) int {
	if c := cmp.Compare(a.value, b.value); c != 0 {
		return c
	}
	if c := cmp.Compare(a.ref>>32, b.ref>>32); c != 0 {
		return c
	}
	return r.compareKeys(a.ref, b.ref, 0)
}

// compareKeys compares the keys of two groups of one class from word w on.
func (r *ranking) compareKeys(a, b uint64, w int) int {
	c, x := r.entry(a)
	_, y := r.entry(b)
	for ; w < c.words; w++ {
		if d := cmp.Compare(r.key(c, x, w), r.key(c, y, w)); d != 0 {
			return d
		}
	}
	return 0
}

// each calls f for every shard that has groups, on all processors; f gets the goroutine's
// number.
func (r *ranking) each(workers int, f func(worker, class, shard int)) {
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := range r.classes {
				for s := worker; s < shards; s += workers {
					if r.classes[i].shards[s].n > 0 {
						f(worker, i, s)
					}
				}
			}
		})
	}
	wg.Wait()
}

// counters reads those of an entry.
func (t *Table) counters(e []uint64) counters {
	c := counters{packets: e[0], bytes: e[1], flows: e[2], first: e[3], last: e[4]}
	if t.out {
		c.opackets, c.obytes = e[5], e[6]
	}
	return c
}

// scan calls f with the value and reference of each group of a shard.
func (r *ranking) scan(class, shard int, f func(ranked)) {
	c := r.classes[class]
	s := &c.shards[shard]
	base := uint64(class)<<32 | uint64(shard)<<24
	for id := uint32(1); id <= uint32(s.n); id++ {
		n := r.t.counters(s.entry(id, c.stride))
		f(ranked{r.order.value(&n), base | uint64(id)})
	}
}

// best is the first n groups, in order.
func (r *ranking) best(n int) []ranked {
	workers := runtime.GOMAXPROCS(0)
	heaps := make([]top, workers)
	r.each(workers, func(worker, class, shard int) {
		h := &heaps[worker]
		h.r, h.limit = r, n
		r.scan(class, shard, h.offer)
	})
	var out []ranked
	for i := range heaps {
		out = append(out, heaps[i].list...)
	}
	slices.SortFunc(out, r.compare)
	return out[:min(n, len(out))]
}

// top keeps the first limit groups; the last of them is at the root of a heap.
type top struct {
	r     *ranking
	limit int
	list  []ranked
}

func (h *top) offer(x ranked) {
	if len(h.list) < h.limit {
		h.list = append(h.list, x)
		for i := len(h.list) - 1; i > 0; {
			up := (i - 1) / 2
			if h.r.compare(h.list[i], h.list[up]) <= 0 {
				break
			}
			h.list[i], h.list[up] = h.list[up], h.list[i]
			i = up
		}
		return
	}
	if root := h.list[0]; x.value > root.value || x.value == root.value && h.r.compare(x, root) >= 0 {
		return
	}
	h.list[0] = x
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(h.list) {
			return
		}
		if down+1 < len(h.list) && h.r.compare(h.list[down+1], h.list[down]) > 0 {
			down++
		}
		if h.r.compare(h.list[down], h.list[i]) <= 0 {
			return
		}
		h.list[i], h.list[down] = h.list[down], h.list[i]
		i = down
	}
}

// all is every group, in order.
func (r *ranking) all() []ranked {
	start := make([][shards]int, len(r.classes))
	n := 0
	for i, c := range r.classes {
		for s := range shards {
			start[i][s] = n
			n += c.shards[s].n
		}
	}
	list := make([]ranked, n)
	r.each(runtime.GOMAXPROCS(0), func(_, class, shard int) {
		at := start[class][shard]
		r.scan(class, shard, func(x ranked) {
			list[at] = x
			at++
		})
	})
	sortRanked(list, make([]ranked, n))
	r.breakTies(list)
	return list
}
