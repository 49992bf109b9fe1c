package meter

import "math"

// tick is what the clock goes by: a flow leaves at most that long after its timeout.
const tick = second / 4

// The wheel has a slot a tick. An entry is in the slot of the tick in which it was
// last known to become due; later packets only move its time, and when the slot
// comes up the entry goes to its new place. So an entry is moved once in an idle
// timeout, not once a packet.
const (
	wheelSize = 1 << 14 // ticks
	wheelMask = wheelSize - 1
	slotFlag  = 1 << 31 // in prev: the rest is the slot that the entry is first in
)

type wheel struct {
	head [wheelSize]uint32 // entry+1, 0 is empty
}

// link puts an entry into the slot of a tick.
func (m *Meter) link(n uint32, e *entry, at int64) {
	slot := uint32(min(max(at, m.clock+1), m.clock+wheelSize-1)) & wheelMask
	h := m.wheel.head[slot]
	e.next, e.prev = h, slotFlag|slot
	if h != 0 {
		m.table.at(h - 1).prev = n
	}
	m.wheel.head[slot] = n + 1
}

func (m *Meter) unlink(e *entry) {
	if e.next != 0 {
		m.table.at(e.next - 1).prev = e.prev
	}
	if e.prev&slotFlag == 0 {
		m.table.at(e.prev).next = e.next
		return
	}
	slot := e.prev &^ slotFlag
	m.wheel.head[slot] = e.next
}

// due is the first tick at whose begin the entry's timeout has passed.
func (m *Meter) due(e *entry) int64 {
	return 1 + min(tickOfSum(e.last, m.limits.idle[e.class]), tickOfSum(e.first, m.limits.active))
}

// tickOfSum is (a+b)/tick of sums that need not fit.
func tickOfSum(a, b int64) int64 {
	return a/tick + b/tick + (a%tick+b%tick)/tick
}

// over tells whether at this time a timeout of the entry has passed.
func (m *Meter) over(e *entry, now int64) bool {
	return now-e.last > m.limits.idle[e.class] || now-e.first > m.limits.active
}

// schedule is when to look at the entry.
func (m *Meter) schedule(e *entry) int64 {
	t, i := m.due(e), m.limits.interval
	return (t + i - 1) / i * i
}

// rewind follows packets whose clock was set back.
func (m *Meter) rewind(t int64) {
	if m.late++; m.late >= lateRuns && !m.config.Clocked {
		m.setBack(t)
	}
}

// setBack gives every entry a new place in the wheel.
func (m *Meter) setBack(t int64) {
	m.late = 0
	m.clock = t/tick - 1
	m.wheel = wheel{}
	for n := range m.table.made {
		if e := m.table.at(n); e.family != 0 {
			m.link(n, e, m.schedule(e))
		}
	}
	m.advance(t / tick)
}

// Advance moves the clock without a packet, for interfaces that have gone quiet. With
// Config.Clocked it also follows a clock that was set back by some seconds.
func (m *Meter) Advance(now int64) {
	if now >= m.nextTick {
		m.advance(now / tick)
	} else if m.config.Clocked && now >= 0 && now < m.clock*tick-maxBack {
		m.setBack(now)
	}
}

// advance turns the wheel to a later tick and exports what is due.
func (m *Meter) advance(to int64) {
	from := m.clock
	m.clock = to
	m.nextTick = math.MaxInt64
	if to < math.MaxInt64/tick {
		m.nextTick = (to + 1) * tick
	}
	m.lateBefore = to*tick - maxLate
	for s, n := from+1, min(to-from, wheelSize); n > 0; n-- {
		if slot := uint32(s) & wheelMask; m.wheel.head[slot] != 0 {
			m.turn(slot)
		}
		s++
	}
	m.frags.expire(m, to*tick)
}

func (m *Meter) turn(slot uint32) {
	h := m.wheel.head[slot]
	m.wheel.head[slot] = 0
	for h != 0 {
		n := h - 1
		e := m.table.at(n)
		h = e.next
		if at := m.schedule(e); at > m.clock {
			m.link(n, e, at)
		} else {
			m.export(n, e, m.reason(e))
		}
	}
}

// reason tells why an entry that is due ends.
func (m *Meter) reason(e *entry) EndReason {
	switch {
	case m.limits.active-m.limits.idle[e.class] < e.last-e.first:
		return Active
	case e.class == classRst || e.class == classFin:
		return EndOfFlow
	}
	return Idle
}
