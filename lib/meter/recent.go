package meter

import (
	"cmp"
	"slices"
)

// recent is the entries in the order in which they were last seen. It is kept only from when the
// cache was full for the first time: to move an entry costs a packet more than to count it.
type recent struct {
	links          []recentLink // by entry
	oldest, newest uint32       // entry+1, 0 is none
}

type recentLink struct{ older, newer uint32 }

// begin takes in all entries there are. No more are ever made, since the cache is full.
func (r *recent) begin(t *table) {
	type seen struct {
		last int64
		n    uint32
	}
	var list []seen
	for n := range t.made {
		if e := t.at(n); e.family != 0 {
			list = append(list, seen{e.last, n})
		}
	}
	slices.SortFunc(list, func(a, b seen) int { return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.n, b.n)) })
	r.links = make([]recentLink, t.made)
	for _, s := range list {
		r.add(s.n)
	}
}

func (r *recent) add(n uint32) {
	if r.links == nil {
		return
	}
	r.links[n] = recentLink{older: r.newest}
	if r.newest != 0 {
		r.links[r.newest-1].newer = n + 1
	} else {
		r.oldest = n + 1
	}
	r.newest = n + 1
}

func (r *recent) remove(n uint32) {
	if r.links == nil {
		return
	}
	l := r.links[n]
	if l.older != 0 {
		r.links[l.older-1].newer = l.newer
	} else {
		r.oldest = l.newer
	}
	if l.newer != 0 {
		r.links[l.newer-1].older = l.older
	} else {
		r.newest = l.older
	}
}

func (r *recent) seen(n uint32) {
	if r.links != nil && r.newest != n+1 {
		r.remove(n)
		r.add(n)
	}
}

// evict makes room by exporting the entry that was not seen for the longest time.
func (m *Meter) evict() {
	if m.recent.links == nil {
		m.recent.begin(&m.table)
	}
	n := m.recent.oldest - 1
	e := m.table.at(n)
	m.stats.Evicted++
	m.unlink(e)
	m.export(n, e, LackOfResources)
}
