package netflow

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// counter is an exporter that counts what it sends.
type counter struct {
	version int
	style   string // "before", "after", and for options data "bare" as well
	number  uint32
}

// send is a message of so many records of flows and options data.
func (c *counter) send(flows, options int) []byte {
	count := flows
	if c.style != "bare" && c.style != "after" {
		count += options
	}
	if c.version == 9 {
		count = 1
	}
	number := c.number
	c.number += uint32(count)
	if c.style == "after" {
		number = c.number
	}
	if c.version == 5 || c.version == 7 {
		m := fixedHeader(c.version, flows, number)
		for range flows {
			m = append(m, fixedRecord{proto: 6}.bytes(c.version)...)
		}
		return m
	}
	var sets [][]byte
	if flows > 0 {
		sets = append(sets, set(256, make([]byte, 4*flows)))
	}
	if options > 0 {
		sets = append(sets, set(300, make([]byte, 8*options)))
	}
	return c.message(number, sets...)
}

func (c *counter) message(number uint32, sets ...[]byte) []byte {
	if c.version == 9 {
		return v9(number, sets...)
	}
	return ipfix(number, sets...)
}

// templates is a message without records.
func (c *counter) templates() []byte {
	number := c.number
	if c.version == 9 {
		c.number++
		return c.message(number, set(0, tmpl(256, el(1, 4))), set(1, optionsRecord9(300, 1, el(1, 4), el(41, 4))))
	}
	return c.message(number, set(2, tmpl(256, el(1, 4))), set(3, optionsRecordX(300, 1, el(144, 4), el(41, 4))))
}

var counters = []counter{{version: 5}, {version: 7}, {version: 9}, {version: 10}, {version: 10, style: "after"}, {version: 10, style: "bare"}}

func (c counter) name() string { return fmt.Sprintf("v%d %s", c.version, c.style) }

// begin is a session with an exporter that has sent its templates and a few messages of
// different sizes, so that its style is known.
func (c *counter) begin(t *testing.T, number uint32) *session {
	c.number = number
	s := newSession(t, Config{})
	if c.version >= 9 {
		s.send(c.templates())
	}
	for n := range 4 {
		s.send(c.send(10+n, 0))
	}
	return s
}

func (s *session) losses(c *counter) uint64 {
	if c.version == 9 {
		return s.x.Stats.LostMessages
	}
	return s.x.Stats.LostRecords
}

// TestSequence loses messages of an exporter, and counts exactly what is missing.
func TestSequence(t *testing.T) {
	for _, c := range counters {
		for _, start := range []uint32{0, 1000, 1<<32 - 60} {
			r := rand.New(rand.NewPCG(uint64(start), 5))
			s := c.begin(t, start)
			lost, gaps, dropped := uint64(0), uint64(0), false
			for i := range 2000 {
				flows, options := 1+r.IntN(30), 0
				switch {
				case c.version < 9:
				case r.IntN(20) == 0:
					options = 1 + r.IntN(3)
				case r.IntN(20) == 0:
					s.send(c.templates())
					continue
				}
				before := c.number
				m := c.send(flows, options)
				if r.IntN(30) == 0 && i < 1990 {
					lost += uint64(c.number - before)
					dropped = true
					continue
				}
				if dropped {
					gaps++
				}
				dropped = false
				s.send(m)
			}
			for n := range 4 {
				s.send(c.send(20+n, 0)) // nothing is in doubt
			}
			if got := s.losses(&c); got != lost || s.x.Stats.Gaps != gaps {
				t.Errorf("%s from %d: %d lost in %d gaps, want %d in %d", c.name(), start, got, s.x.Stats.Gaps, lost, gaps)
			}
		}
	}
}

// TestSequenceOrder sends messages late and twice: nothing is lost.
func TestSequenceOrder(t *testing.T) {
	for _, c := range counters {
		for _, late := range []int{1, 3, 6} {
			r := rand.New(rand.NewPCG(1, uint64(late)))
			s := c.begin(t, 1<<32-3000)
			var waiting [][]byte
			for range 500 {
				m := c.send(1+r.IntN(30), 0)
				switch {
				case r.IntN(8) == 0 && len(waiting) < late:
					waiting = append(waiting, m)
					continue
				case r.IntN(8) == 0:
					s.send(m, m)
				default:
					s.send(m)
				}
				if len(waiting) > 0 && r.IntN(4) == 0 {
					s.send(waiting[0])
					waiting = waiting[1:]
				}
			}
			s.send(waiting...)
			if got := s.losses(&c); got != 0 {
				t.Errorf("%s, up to %d late: %d lost", c.name(), late, got)
			}
		}
	}
}

// TestSequenceLateAndLost loses messages of which some come late: what did not come is lost.
func TestSequenceLateAndLost(t *testing.T) {
	for _, c := range counters {
		s := c.begin(t, 100)
		var m [][]byte
		for n := range 6 {
			m = append(m, c.send(5+n, 0))
		}
		per := []uint64{5, 6, 7, 8, 9, 10}
		if c.version == 9 {
			per = []uint64{1, 1, 1, 1, 1, 1}
		}
		want := uint64(0)
		for _, step := range []struct {
			i    int
			lost int64
		}{{0, 0}, {5, int64(per[1] + per[2] + per[3] + per[4])}, {3, -int64(per[3])}, {3, 0}, {1, -int64(per[1])}, {5, 0}, {4, -int64(per[4])}} {
			s.send(m[step.i])
			want += uint64(step.lost)
			if got := s.losses(&c); got != want {
				t.Errorf("%s, message %d: %d lost, want %d", c.name(), step.i, got, want)
			}
		}
		s.send(c.send(3, 0))
		if got := s.losses(&c); got != want || s.x.Stats.Gaps != 1 {
			t.Errorf("%s: %d lost in %d gaps, want %d in 1", c.name(), got, s.x.Stats.Gaps, want)
		}
	}
}

// TestSequenceUnknown sends data without a template: nobody knows how many records they are.
func TestSequenceUnknown(t *testing.T) {
	for _, c := range counters[2:] {
		s := c.begin(t, 500)
		c.number += 7
		m := c.message(c.number-7, set(999, make([]byte, 28)))
		if c.version == 9 {
			c.number -= 6
		} else if c.style == "after" {
			m = c.message(c.number, set(999, make([]byte, 28)))
		}
		s.send(m, c.send(3, 0), c.send(4, 0))
		if got := s.losses(&c); got != 0 || s.x.Stats.Gaps != 0 || s.x.Stats.Held != 1 {
			t.Errorf("%s: %d lost, %+v", c.name(), got, s.x.Stats)
		}
		// what is decoded later does not count for the message at hand
		s.send(c.message(c.number, set(2, tmpl(999, el(1, 4))), set(0, tmpl(999, el(1, 4)))))
		if c.version == 9 {
			c.number++
		}
		s.send(c.send(5, 0), c.send(6, 0))
		if got := s.losses(&c); got != 0 || s.x.Stats.Gaps != 0 || s.x.Stats.HeldDecoded != 1 {
			t.Errorf("%s: %d lost, %+v", c.name(), got, s.x.Stats)
		}
	}
}

// TestSequenceStyle hears exporters from their first message on.
func TestSequenceStyle(t *testing.T) {
	for _, c := range counters {
		s := newSession(t, Config{})
		if c.version >= 9 {
			s.send(c.templates())
		}
		sizes := []int{24, 32, 32, 12, 30, 5, 8}
		for _, n := range sizes { // a message of another size fits one style alone
			s.send(c.send(n, 0))
		}
		if got := s.losses(&c); got != 0 || s.x.Stats.Gaps != 0 {
			t.Errorf("%s: %d lost in %d gaps", c.name(), got, s.x.Stats.Gaps)
		}
	}
	// a loss that looks like the other style, and the message after it that tells
	c := counter{version: 10}
	s := newSession(t, Config{})
	s.send(c.templates(), c.send(10, 0))
	c.send(14, 0) // is lost
	s.send(c.send(24, 0))
	s.send(c.send(5, 0))
	s.send(c.send(6, 0))
	if got := s.x.Stats.LostRecords; got != 14 || s.x.Stats.Gaps != 1 {
		t.Errorf("%d lost in %d gaps", got, s.x.Stats.Gaps)
	}
}

// TestSequenceRestart counts anew: no loss.
func TestSequenceRestart(t *testing.T) {
	for _, c := range counters {
		for _, from := range []uint32{200, 1 << 20} {
			s := c.begin(t, from)
			c.number = 0
			for n := range 30 {
				s.send(c.send(3+n, 0))
			}
			if got := s.losses(&c); got != 0 {
				t.Errorf("%s from %d: %d lost, %+v", c.name(), from, got, s.x.Stats)
			}
			c.send(9, 0)
			s.send(c.send(3, 0), c.send(4, 0), c.send(5, 0))
			want := uint64(9)
			if c.version == 9 {
				want = 1
			}
			if got := s.losses(&c); got != want {
				t.Errorf("%s from %d: %d lost after a new start, want %d", c.name(), from, got, want)
			}
		}
	}
	for _, jump := range []uint32{1 << 25, 1<<31 - 46, 1 << 31, 1<<31 + 1} { // ahead, and half around
		c := counter{version: 10}
		s := c.begin(t, 0)
		c.number += jump
		s.send(c.send(3, 0), c.send(4, 0))
		if s.x.Stats.LostRecords != 0 || s.x.Stats.Restarts > 1 || s.x.Stats.Gaps != 1 {
			t.Errorf("%d ahead: %+v", jump, s.x.Stats)
		}
	}
}

// TestSequenceConstant hears exporters that do not count at all.
func TestSequenceConstant(t *testing.T) {
	for _, c := range counters {
		s := newSession(t, Config{})
		if c.version >= 9 {
			s.send(c.templates())
		}
		for n := range 50 {
			c.number = 0
			m := c.send(1+n%3, 0)
			s.send(m)
		}
		if c.style == "after" {
			continue // it counts: up to each message
		}
		if got := s.losses(&c); got != 0 {
			t.Errorf("%s: %d lost", c.name(), got)
		}
	}
}

// TestSequenceReliable counts no loss where there is none.
func TestSequenceReliable(t *testing.T) {
	c := counter{version: 10}
	s := newSession(t, Config{Reliable: true})
	s.send(c.templates(), c.send(4, 0))
	c.number += 100 // several streams of SCTP count apart
	s.send(c.send(4, 0))
	if s.x.Stats.LostRecords != 0 || s.x.Stats.Gaps != 0 {
		t.Errorf("%+v", s.x.Stats)
	}
}
