package netflow

import "time"

// heldSet is a data set that came before its template, with what its message said.
type heldSet struct {
	body    []byte
	message message
	arrived int64
}

// heldKey names what sets wait for.
type heldKey struct {
	domain domainID
	id     uint16
}

// waiting are the sets that wait for their templates.
type waiting struct {
	sets  map[heldKey][]heldSet // each in the order in which they came
	size  int
	sweep int64 // when to look for what has waited too long
}

const (
	// holdFor is how long data wait for their template.
	holdFor   = int64(60 * time.Second)
	holdSweep = int64(time.Second)
)

// cost is what a set takes: its bytes and what is kept with them.
func (h *heldSet) cost() int { return len(h.body) + 64 }

// hold keeps a set until its template comes, if there is room for it.
func (x *Exporter) hold(m *message, id uint16, b []byte) {
	if len(b) == 0 {
		return
	}
	m.unknown = true
	h := heldSet{message: *m, arrived: x.now}
	q := &x.waiting
	if x.config.Reliable || q.size+len(b)+h.cost() > x.config.Limits.Held {
		x.Stats.Unknown++
		return
	}
	if len(q.sets) == 0 {
		q.sweep = x.now + holdFor
	}
	if q.sets == nil {
		q.sets = map[heldKey][]heldSet{}
	}
	h.message.domain = nil // found again when the template comes
	h.body = append([]byte(nil), b...)
	k := heldKey{m.domain.domainID, id}
	q.sets[k] = append(q.sets[k], h)
	q.size += h.cost()
	x.Stats.Held++
}

// release decodes what waited for a template, as of when it arrived.
func (x *Exporter) release(d *domain, t *template) {
	k := heldKey{d.domainID, t.id}
	sets := x.waiting.sets[k]
	if len(sets) == 0 {
		return
	}
	x.takeHeld(k)
	now := x.now
	for i := range sets {
		h := &sets[i]
		h.message.domain = d
		x.now = h.arrived
		if now-h.arrived <= holdFor && x.data(&h.message, t, h.body) == nil {
			x.Stats.HeldDecoded++
		} else {
			x.Stats.Unknown++
		}
	}
	x.now = now
}

// takeHeld removes the sets that wait for one template.
func (x *Exporter) takeHeld(k heldKey) {
	for i := range x.waiting.sets[k] {
		x.waiting.size -= x.waiting.sets[k][i].cost()
	}
	delete(x.waiting.sets, k)
}

// expireHeld gives up what has waited too long.
func (x *Exporter) expireHeld() {
	q := &x.waiting
	if len(q.sets) == 0 || x.now < q.sweep {
		return
	}
	next := x.now + holdFor
	for k, sets := range q.sets {
		old := 0
		for old < len(sets) && x.now-sets[old].arrived > holdFor {
			q.size -= sets[old].cost()
			x.Stats.Unknown++
			old++
		}
		switch {
		case old == len(sets):
			delete(q.sets, k)
			continue
		case old > 0:
			q.sets[k] = append([]heldSet(nil), sets[old:]...)
		}
		next = min(next, sets[old].arrived+holdFor)
	}
	q.sweep = max(next, x.now+holdSweep)
}

// dropHeld gives up what a domain sent before it started anew.
func (x *Exporter) dropHeld(d *domain) {
	for k, sets := range x.waiting.sets {
		if k.domain == d.domainID {
			x.Stats.Unknown += uint64(len(sets))
			x.takeHeld(k)
		}
	}
}
