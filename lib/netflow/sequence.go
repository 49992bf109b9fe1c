package netflow

import "slices"

// What a sequence number counts.
const (
	sequenceMessages = iota // NetFlow v9: messages
	sequenceRecords         // the rest: records before this message
)

// extent is how many records a message holds: of flows, and with those of options data.
// Exporters differ on whether the latter count.
type extent struct{ least, most uint32 }

func (e extent) fits(step uint32) bool { return step >= e.least && step <= e.most }

// missing is a range of numbers that have not come.
type missing struct{ from, n uint32 }

// sequence follows the sequence numbers of a domain. Some exporters give the number after the
// message instead of the one before it. A step that fits either way at a time proves nothing;
// one that fits only the other way is in doubt until the next that fits only one of them.
type sequence struct {
	synced   bool
	unit     uint8
	after    bool   // the exporter gives the number after the message
	bare     bool   // options data do not count
	number   uint32 // of the latest message, and what that held
	extent   extent
	unknown  bool // it had data without a template
	late     int  // messages in a row that came late
	doubtful bool
	doubt    missing
	missing  []missing // may still come late
}

const (
	far        = 1 << 24 // a step that is no loss but a new start
	longLate   = 1 << 16 // numbers by which a message may come late
	maxLate    = 8       // messages in a row that come late: a new start
	maxMissing = 16      // ranges
)

// anew tells that an exporter that gives a number has begun to count again.
func (s *sequence) anew(number uint32) bool {
	back := s.number - number
	return s.synced && back > 0 && back < 1<<31 && (back >= longLate || s.late+1 >= maxLate)
}

// step compares the number of a message with what was expected.
func (s *sequence) step(stats *Stats, number uint32, held extent, unknown bool) {
	step, back := number-s.number, s.number-number
	switch {
	case !s.synced:
	case back > 0 && back < longLate && !s.anew(number):
		s.late++
		s.fill(stats, number, held)
		return
	case step >= far:
		stats.Gaps++
		*s = sequence{unit: s.unit, after: s.after, bare: s.bare}
	case !s.unknown && (!unknown || !s.after):
		s.judge(stats, step, held)
	}
	s.synced, s.number, s.extent, s.unknown, s.late = true, number, held, unknown, 0
}

// judge looks at a step forward.
func (s *sequence) judge(stats *Stats, step uint32, held extent) {
	now, other := s.extent, held
	if s.after {
		now, other = held, s.extent
	}
	fits, fitsOther := now.fits(step), s.unit == sequenceRecords && other.fits(step)
	switch {
	case fits:
		if now.least != now.most {
			s.bare = step == now.least
		}
		if s.doubtful && !fitsOther {
			s.lose(stats, s.doubt)
			s.doubtful = false
		}
	case fitsOther && s.doubtful:
		s.after, s.doubtful = !s.after, false
	case fitsOther:
		s.doubt, s.doubtful = s.between(step, now), true
	default:
		s.lose(stats, s.between(step, now))
	}
}

// between is what is missing before a message that is a step ahead.
func (s *sequence) between(step uint32, e extent) missing {
	n := s.count(e)
	m := missing{s.number, step - min(n, step)}
	if !s.after {
		m.from += n
	}
	return m
}

// count is by how much a message raises the number.
func (s *sequence) count(e extent) uint32 {
	if s.bare {
		return e.least
	}
	return e.most
}

// lose counts what is missing.
func (s *sequence) lose(stats *Stats, m missing) {
	if m.n == 0 {
		return // the exporter counts in a way of its own
	}
	stats.Gaps++
	*s.lost(stats) += uint64(m.n)
	s.remember(m)
}

// remember keeps a range that may still come, the latest ones.
func (s *sequence) remember(m missing) {
	if m.n == 0 {
		return
	}
	if len(s.missing) == maxMissing {
		s.missing = slices.Delete(s.missing, 0, 1)
	}
	s.missing = append(s.missing, m)
}

func (s *sequence) lost(stats *Stats) *uint64 {
	if s.unit == sequenceMessages {
		return &stats.LostMessages
	}
	return &stats.LostRecords
}

// fill takes back what was counted as lost and comes late.
func (s *sequence) fill(stats *Stats, number uint32, held extent) {
	if s.doubtful {
		s.lose(stats, s.doubt)
		s.doubtful = false
	}
	n := s.count(held)
	from := number
	if s.after {
		from -= n
	}
	for i, m := range s.missing {
		at := from - m.from // in the range
		if at >= m.n {
			continue
		}
		n = min(n, m.n-at)
		*s.lost(stats) -= uint64(n)
		s.missing = slices.Delete(s.missing, i, i+1)
		s.remember(missing{m.from, at})
		s.remember(missing{from + n, m.n - at - n})
		return
	}
}
