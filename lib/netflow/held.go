package netflow

import "time"

// heldSet is a data set that came before its template, with what its message said.
type heldSet struct {
	domain  domainID
	id      uint16
	body    []byte
	message message
	arrived int64
}

// holdFor is how long data wait for their template.
const holdFor = int64(60 * time.Second)

// size is what a set costs: its bytes and what is kept with them.
func (h *heldSet) size() int { return len(h.body) + 64 }

// hold keeps a set until its template comes, if there is room for it.
func (x *Exporter) hold(m *message, id uint16, b []byte) {
	m.domain.unknown = true
	h := heldSet{m.domain.domainID, id, b, *m, x.now}
	if x.config.Reliable || x.heldSize+h.size() > x.config.Limits.Held {
		x.Stats.Unknown++
		return
	}
	x.Stats.Held++
	x.heldSize += h.size()
	h.body = append([]byte(nil), b...)
	x.held = append(x.held, h)
}

// release decodes what waited for a template, as of when it arrived.
func (x *Exporter) release(d *domain, id uint16) {
	now := x.now
	x.sweepHeld(func(h *heldSet) bool {
		if h.domain != d.domainID || h.id != id {
			return false
		}
		h.message.domain = d
		x.now = h.arrived
		if t := d.templates[id]; t != nil && x.data(&h.message, t, h.body) == nil {
			x.Stats.HeldDecoded++
		} else {
			x.Stats.Unknown++
		}
		return true
	})
	x.now = now
}

func (x *Exporter) expireHeld() {
	if len(x.held) == 0 || x.now-x.held[0].arrived <= holdFor {
		return
	}
	x.sweepHeld(func(h *heldSet) bool {
		old := x.now-h.arrived > holdFor
		if old {
			x.Stats.Unknown++
		}
		return old
	})
}

// dropHeld gives up what a domain sent before it started anew.
func (x *Exporter) dropHeld(d *domain) {
	x.sweepHeld(func(h *heldSet) bool {
		if h.domain != d.domainID {
			return false
		}
		x.Stats.Unknown++
		return true
	})
}

// sweepHeld removes the sets that done takes, in the order in which they came.
func (x *Exporter) sweepHeld(done func(*heldSet) bool) {
	if len(x.held) == 0 {
		return
	}
	rest := x.held[:0]
	for i := range x.held {
		h := x.held[i]
		if done(&h) {
			x.heldSize -= h.size()
			continue
		}
		rest = append(rest, h)
	}
	clear(x.held[len(rest):])
	x.held = rest
}
