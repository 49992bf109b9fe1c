package netflow

// What a sequence number counts.
const (
	sequenceMessages = iota // NetFlow v9: messages
	sequenceRecords         // the rest: records before this message
)

// sequence follows the sequence numbers of a domain. The next number may lie in a range, for
// exporters differ on whether options data count; and some give the number after the message
// instead of the one before it, which shows when two messages differ in size.
type sequence struct {
	synced  bool
	unit    uint8
	last    uint32 // number of the message at hand
	least   uint32 // what it, and the one before it, add
	most    uint32
	unknown bool // it had data without a template
	jump    uint32
	pending bool // jump is to be judged when the message's own records are known
	after   bool // the exporter gives the number after the message
	x       *Exporter
}

// far is a difference that is no loss but a new start.
const far = 1 << 24

// begin compares the number of a message with what was expected.
func (s *sequence) begin(x *Exporter, number uint32, unit uint8) {
	s.x = x
	step := number - s.last
	back := s.last - number
	switch {
	case !s.synced:
		s.pending = false
	case s.unknown || step >= s.least && step <= s.most:
		s.pending = false
	case back > 0 && back < 1<<16 && back < step: // late, or sent twice
		s.pending = false
		s.unit = unit
		s.unknown = false
		return
	case step >= far: // a new start
		s.pending = false
		s.x.Stats.Gaps++
	default:
		s.pending, s.jump = true, step
	}
	s.synced, s.unit, s.last, s.unknown = true, unit, number, false
}

// end says how many the message at hand adds, at least and at most.
func (s *sequence) end(least, most uint32) {
	if s.pending && s.unit == sequenceRecords && s.jump >= least && s.jump <= most && (s.after || least != s.least) {
		s.after, s.pending = true, false
	}
	if s.pending {
		s.x.Stats.Gaps++
		lost := s.jump - s.most
		if s.after {
			lost = s.jump - most
		}
		if s.jump < s.least || lost > far { // fewer than there were
			lost = 0
		}
		if s.unit == sequenceMessages {
			s.x.Stats.LostMessages += uint64(lost)
		} else {
			s.x.Stats.LostRecords += uint64(lost)
		}
		s.pending = false
	}
	s.least, s.most = least, most
}
