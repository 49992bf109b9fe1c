package netflow

import (
	"testing"
	"time"
)

// TestHeld sends data before their template: they are decoded when it comes, with the time of
// their own arrival and what their own message says.
func TestHeld(t *testing.T) {
	s := newSession(t, Config{})
	s.sendAt(arrival+1e9, v9at(testTime+1, testUptime+1000, 1, 1, set(256, uint32(1), uint32(testUptime))))
	s.sendAt(arrival+2e9, v9at(testTime+2, testUptime+2000, 2, 1, set(256, uint32(2), uint32(testUptime)), set(257, uint32(9))))
	s.sendAt(arrival+2e9, v9at(testTime+2, testUptime+2000, 1, 2, set(256, uint32(7), uint32(testUptime)))) // another domain
	if len(s.rows()) != 0 || s.x.Stats.Held != 4 {
		t.Fatalf("%+v", s.x.Stats)
	}
	s.sendAt(arrival+9e9, v9at(testTime+9, testUptime+9000, 3, 1, set(0, tmpl(256, el(1, 4), el(22, 4))), set(256, uint32(3), uint32(testUptime))))
	rows := s.rows()
	if len(rows) != 3 {
		t.Fatalf("%d records", len(rows))
	}
	for i, at := range []int64{1, 2, 9} {
		rows[i].want(t, 1, i+1, 258, arrival+at*1e9, 152, uint64(testTime*1e9), 149, 1)
	}
	if got := s.x.Stats; got.HeldDecoded != 2 || got.Unknown != 0 || got.LostMessages != 0 || got.Records != 3 {
		t.Errorf("%+v", got)
	}
	s.sendAt(arrival+10e9, v9at(testTime+10, testUptime+10000, 2, 2, set(0, tmpl(256, el(2, 4), el(22, 4)))))
	s.one().want(t, 2, 7, 1, "none", 149, 2)
	s.sendAt(arrival+10e9, v9at(testTime+10, testUptime+10000, 4, 1, set(0, tmpl(256, el(1, 4), el(22, 4))))) // again: nothing is held
	if len(s.rows()) != 0 {
		t.Error("a set was decoded twice")
	}
}

// TestHeldOptions holds options data: what they say holds from when they are decoded.
func TestHeldOptions(t *testing.T) {
	s := newSession(t, Config{})
	s.send(ipfix(0, set(300, uint32(1), uint64(testBoot), uint32(10))),
		ipfix(1, set(2, tmpl(256, el(22, 4))), set(3, optionsRecordX(300, 1, el(143, 4), el(160, 8), el(34, 4))), set(256, uint32(1000))))
	s.one().want(t, 152, uint64((testBoot+1000)*1e6))
	if len(s.tables) != 1 || s.x.Stats.HeldDecoded != 1 {
		t.Errorf("%+v", s.x.Stats)
	}
	// held options data that say the exporter was started anew give up what else is held
	s = newSession(t, Config{})
	for i := range 20 {
		s.send(ipfix(0, set(300, uint32(1), uint64(testBoot+20000*i)), set(400, uint32(1))))
	}
	s.send(ipfix(0, set(3, optionsRecordX(300, 1, el(143, 4), el(160, 8)))))
	if got := s.x.Stats; got.Restarts != 19 || got.HeldDecoded != 20 || got.Unknown != 20 || s.x.waiting.size != 0 {
		t.Errorf("%+v, %d bytes are held", got, s.x.waiting.size)
	}
}

// TestHeldTime gives up what waited for more than 60 seconds.
func TestHeldTime(t *testing.T) {
	for _, c := range []struct {
		wait time.Duration
		want int
	}{{59 * time.Second, 1}, {61 * time.Second, 0}} {
		s := newSession(t, Config{})
		s.sendAt(arrival, v9(1, set(256, uint32(1))))
		s.sendAt(arrival+int64(c.wait), v9(2, set(0, tmpl(256, el(1, 4)))))
		if got := len(s.rows()); got != c.want || s.x.Stats.Unknown != uint64(1-c.want) || s.x.waiting.size != 0 {
			t.Errorf("after %v: %d records, %+v, %d bytes are held", c.wait, got, s.x.Stats, s.x.waiting.size)
		}
	}
	s := newSession(t, Config{}) // those behind stay
	for i := range int64(10) {
		s.sendAt(arrival+i*20e9, v9(1, set(256, uint32(i))))
	}
	s.sendAt(arrival+185e9, v9(2, set(0, tmpl(256, el(1, 4)))))
	rows := s.rows()
	if len(rows) != 3 || s.x.Stats.Unknown != 7 {
		t.Fatalf("%d records, %+v", len(rows), s.x.Stats)
	}
	rows[0].want(t, 1, 7)
}

// TestHeldSweep does not decode what is too old, whenever it was last looked for.
func TestHeldSweep(t *testing.T) {
	s := newSession(t, Config{})
	s.sendAt(arrival, v9(1, set(256, uint32(1))))
	s.sendAt(arrival+5e8, v9(2, set(256, uint32(2))))
	s.sendAt(arrival+602e8, v9(3)) // the first is too old
	s.sendAt(arrival+608e8, v9(4, set(0, tmpl(256, el(1, 4)))))
	if got := len(s.rows()); got != 0 || s.x.Stats.Unknown != 2 {
		t.Errorf("%d records, %+v", got, s.x.Stats)
	}
}

// TestHeldSize bounds what is held.
func TestHeldSize(t *testing.T) {
	s := newSession(t, Config{})
	const sets, bytes = 1000, 400
	for range sets {
		s.send(v9(1, set(256, make([]byte, bytes))))
	}
	fit := 1 << 16 / (bytes + 64)
	if got := s.x.Stats; got.Held != uint64(fit) || got.Unknown != uint64(sets-fit) || s.x.waiting.size > 1<<16 {
		t.Errorf("%+v, %d bytes are held", got, s.x.waiting.size)
	}
	s.send(v9(2, set(0, tmpl(256, el(1, 4)))))
	if got := len(s.rows()); got != fit*bytes/4 || s.x.waiting.size != 0 || len(s.x.waiting.sets) != 0 {
		t.Errorf("%d records, %d bytes are held", got, s.x.waiting.size)
	}
	s = newSession(t, Config{Limits: Limits{Held: 100}})
	s.send(v9(1, set(256, make([]byte, 37))), v9(2, set(256, make([]byte, 36))), v9(2, set(257, make([]byte, 1))))
	if got := s.x.Stats; got.Held != 1 || got.Unknown != 2 {
		t.Errorf("%+v", got)
	}
}

// TestHeldRestart drops what is held when uptime or sequence begin anew, of that domain alone.
func TestHeldRestart(t *testing.T) {
	nine := func(secs, uptime, domain uint32, sets ...[]byte) []byte {
		return v9at(secs, uptime, 1, domain, sets...)
	}
	s := newSession(t, Config{})
	s.send(nine(testTime, testUptime, 1, set(256, uint32(1))), nine(testTime, testUptime, 2, set(256, uint32(2))))
	s.send(nine(testTime+60, 100, 1, set(256, uint32(3)))) // started 59.9 s later
	s.send(nine(testTime+61, 1100, 1, set(0, tmpl(256, el(1, 4)))), nine(testTime+1, testUptime+1000, 2, set(0, tmpl(256, el(1, 4)))))
	rows := s.rows()
	if len(rows) != 2 || s.x.Stats.Restarts != 1 || s.x.Stats.Unknown != 1 {
		t.Fatalf("%d records, %+v", len(rows), s.x.Stats)
	}
	rows[0].want(t, 1, 3)
	rows[1].want(t, 1, 2)

	s = newSession(t, Config{})
	s.send(ipfix(1e6, set(256, uint32(1))), ipfix(0, set(256, uint32(2))), ipfix(1, set(2, tmpl(256, el(1, 4)))))
	s.one().want(t, 1, 2)
	if s.x.Stats.Restarts != 1 {
		t.Errorf("%+v", s.x.Stats)
	}
	// nor does the clock of the old run hold
	s = newSession(t, Config{})
	init := set(3, optionsRecordX(300, 1, el(143, 4), el(160, 8)))
	s.send(ipfix(1e6, init, set(300, uint32(1), uint64(testBoot)), set(2, tmpl(256, el(22, 4))), set(256, uint32(5))), ipfix(0, set(256, uint32(6))))
	rows = s.rows()
	rows[0].want(t, 152, uint64((testBoot+5)*1e6))
	rows[1].want(t, 22, 6, 152, "none")

	s = newSession(t, Config{}) // the counter of the uptime wraps, or the clock is set a little
	s.send(nine(testTime, 1<<32-1000, 1, set(256, uint32(1))), nine(testTime+2, 1000, 1, set(256, uint32(2))),
		nine(testTime+4, 100, 1, set(0, tmpl(256, el(1, 4)))))
	if got := len(s.rows()); got != 2 || s.x.Stats.Restarts != 0 {
		t.Errorf("%d records, %+v", got, s.x.Stats)
	}
}
