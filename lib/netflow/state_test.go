package netflow

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"nfpipe/lib/ie"
)

// learned is an exporter that has told all that is kept.
func learned(t *testing.T) *session {
	s := newSession(t, Config{})
	s.send(
		v9(41, set(0, tmpl(256, el(1, 4), el(22, 4), el(48, 1))), set(1, optionsRecord9(300, 1, el(1, 4), el(48, 1), el(50, 4))),
			set(300, uint32(0), uint8(3), uint32(100), []byte{0, 0, 0})),
		ipfix(1000, set(2, tmpl(256, el(1, 4), el(22, 4), el(ie.New(4711, 3), variable16))),
			set(3, optionsRecordX(300, 1, el(143, 4), el(160, 8), el(34, 4))), set(300, uint32(1), uint64(testBoot), uint32(10))),
	)
	return s
}

// restart is a new run of the collector that reads the state from its file.
func restart(t *testing.T, old *Exporter, at int64) *session {
	t.Helper()
	b, err := json.Marshal(old.State())
	if err != nil {
		t.Fatal(err)
	}
	var states []State
	if err := json.Unmarshal(b, &states); err != nil {
		t.Fatal(err)
	}
	s := newSession(t, Config{})
	s.x.Restore(states, at)
	if !reflect.DeepEqual(s.x.State(), old.State()) {
		t.Errorf("restored is\n%+v\nwant\n%+v", s.x.State(), old.State())
	}
	return s
}

// TestRestore decodes data after a restart without new templates.
func TestRestore(t *testing.T) {
	s := restart(t, learned(t).x, arrival+60e9)
	s.send(v9at(testTime+61, testUptime+61000, 55, testDomain, set(256, uint32(1), uint32(testUptime), uint8(3))),
		ipfixAt(testTime+61, 1500, testDomain, set(256, uint32(2), uint32(2000), uint8(1), "x"), set(300, uint32(1), uint64(testBoot), uint32(20))))
	rows := s.rows()
	if len(rows) != 2 {
		t.Fatalf("%d records, %+v", len(rows), s.x.Stats)
	}
	rows[0].want(t, 1, 1, 152, uint64(testTime*1e9), ie.SamplingSpace, 99)
	rows[1].want(t, 1, 2, 152, uint64((testBoot+2000)*1e6), ie.SamplingSpace, 9, ie.New(4711, 3), "78")
	if len(s.tables) != 1 || s.tables[0].keys != 3 {
		t.Errorf("tables %v", s.tables)
	}
}

// TestRestoreLifetime uses restored templates within their lifetime alone; one that was announced
// again lives on.
func TestRestoreLifetime(t *testing.T) {
	old := learned(t).x
	data := func(number uint32) []byte { return v9(number, set(256, uint32(1), uint32(1), uint8(1))) }
	for _, c := range []struct {
		restored, used time.Duration
		want           int
	}{
		{time.Second, 29 * time.Minute, 1},
		{29 * time.Minute, 29 * time.Minute, 1},
		{time.Second, 31 * time.Minute, 0},
		{31 * time.Minute, 31 * time.Minute, 0},
		{-31 * time.Minute, -31 * time.Minute, 0}, // a clock that went back
	} {
		s := newSession(t, Config{})
		s.x.Restore(old.State(), arrival+int64(c.restored))
		s.sendAt(arrival+int64(c.used), data(42))
		if got := len(s.rows()); got != c.want {
			t.Errorf("restored after %v, used after %v: %d records; %+v", c.restored, c.used, got, s.x.Stats)
		}
	}
	s := newSession(t, Config{})
	s.x.Restore(old.State(), arrival)
	s.sendAt(arrival+60e9, v9(42, set(0, tmpl(256, el(1, 4), el(22, 4), el(48, 1)))))
	s.sendAt(arrival+int64(40*time.Minute), data(43))
	if got := len(s.rows()); got != 1 {
		t.Errorf("%d records of a template that was announced again; %+v", got, s.x.Stats)
	}
}

// TestRestoreRestarted does not use restored templates when the exporter has started anew, which
// its uptime shows, or the sequence numbers of IPFIX.
func TestRestoreRestarted(t *testing.T) {
	old := learned(t).x
	for _, c := range []struct {
		name string
		m    []byte
		want int
	}{
		{"the same uptime", v9at(testTime+60, testUptime+60000, 42, testDomain, set(256, uint32(1), uint32(1), uint8(1))), 1},
		{"a clock that was set back", v9at(testTime-3600, testUptime+60000, 42, testDomain, set(256, uint32(1), uint32(1), uint8(1))), 1},
		{"a new uptime", v9at(testTime+60, 10000, 1, testDomain, set(256, uint32(1), uint32(1), uint8(1))), 0},
		{"another domain", v9at(testTime+60, testUptime+60000, 1, testDomain+1, set(256, uint32(1), uint32(1), uint8(1))), 0},
		{"a later sequence number", ipfixAt(testTime+60, 5000, testDomain, set(256, uint32(2), uint32(1), uint8(0))), 1},
		{"an earlier sequence number", ipfixAt(testTime+60, 3, testDomain, set(256, uint32(2), uint32(1), uint8(0))), 0},
		{"a new start in options data", ipfixAt(testTime+60, 5000, testDomain, set(300, uint32(1), uint64(testBoot+50000), uint32(10)),
			set(256, uint32(2), uint32(1), uint8(0))), 0},
	} {
		s := restart(t, old, arrival+30e9)
		s.sendAt(arrival+60e9, c.m)
		if got := len(s.rows()); got != c.want {
			t.Errorf("%s: %d records, want %d; %+v", c.name, got, c.want, s.x.Stats)
		}
	}
}

// TestRestoreUnsound restores states that were tampered with: nothing of them may do harm.
func TestRestoreUnsound(t *testing.T) {
	fields := func(n int, f [3]uint32) [][3]uint32 {
		out := make([][3]uint32, n)
		for i := range out {
			out[i] = f
		}
		return out
	}
	for i, ts := range []TemplateState{
		{ID: 256},
		{ID: 255, Fields: fields(1, [3]uint32{0, 1, 4})},
		{ID: 256, Fields: fields(1, [3]uint32{0, 1, 0})},
		{ID: 256, Fields: fields(1, [3]uint32{0, 65536 + 1, 4})},
		{ID: 256, Fields: fields(1, [3]uint32{0, 1, 65536 + 4})},
		{ID: 256, Fields: fields(1, [3]uint32{ie.ProjectPEN, 1, 4})},
		{ID: 256, Fields: fields(100000, [3]uint32{0, 1, 4})},
		{ID: 256, Options: true, Scope: 2, Fields: fields(1, [3]uint32{0, 1, 4})},
		{ID: 256, Options: true, Scope: -1, Fields: fields(1, [3]uint32{0, 1, 4})},
		{ID: 256, Scope: math.MaxInt, Fields: fields(1, [3]uint32{0, 1, 4})},
		{ID: 256, Learned: math.MinInt64, Fields: fields(1, [3]uint32{0, 1, 4})},
		{ID: 256, Learned: math.MaxInt64, Fields: fields(1, [3]uint32{0, 1, 4})},
	} {
		if ts.Learned == 0 {
			ts.Learned = arrival
		}
		s := newSession(t, Config{})
		s.x.Restore([]State{{Version: 9, Domain: testDomain, Templates: []TemplateState{ts}}}, arrival)
		s.send(v9(1, set(256, uint32(1))))
		if len(s.rows()) != 0 || s.x.templates != 0 {
			t.Errorf("template %d is used", i)
		}
	}
	s := newSession(t, Config{Limits: Limits{Templates: 5, Samplers: 5, Domains: 5}})
	var states []State
	for d := range uint32(20) {
		st := State{Version: 9, Domain: d, Started: math.MaxInt64, Boot: math.MinInt64, Rate: [2]uint32{0, 5}}
		for i := range 20 {
			st.Templates = append(st.Templates, TemplateState{ID: uint16(300 + i), Learned: arrival, Fields: fields(1, [3]uint32{0, 22, 4})})
			st.Samplers = append(st.Samplers, SamplerState{ID: uint64(i)})
		}
		states = append(states, st)
	}
	states = append(states, State{Version: 5}, State{Version: 77}, states[0])
	s.x.Restore(states, arrival)
	if s.x.templates > 5 || len(s.x.domains) > 5 {
		t.Errorf("%d templates, %d domains", s.x.templates, len(s.x.domains))
	}
	for _, d := range s.x.domains {
		if len(d.samplers) > 5 {
			t.Errorf("%d samplers", len(d.samplers))
		}
		for id := range d.templates {
			s.send(v9at(testTime, testUptime, 1, d.id, set(int(id), uint32(1))))
		}
	}
	s.rows()
}

// TestChanges checks that the state stays the same while the count of changes does.
func TestChanges(t *testing.T) {
	s := newSession(t, Config{})
	state, changes := s.x.State(), s.x.Changes()
	for _, m := range [][]byte{
		v9(1, set(0, tmpl(256, el(1, 4)))), v9(2, set(1, optionsRecord9(300, 1, el(1, 4), el(34, 4)))),
		v9(3, set(300, uint32(0), uint32(9))), ipfix(0, set(2, tmpl(256, el(1, 4)))),
	} {
		s.send(m)
		now := s.x.State()
		if !reflect.DeepEqual(now, state) && s.x.Changes() == changes {
			t.Errorf("the state changed from\n%+v\nto\n%+v", state, now)
		}
		state, changes = now, s.x.Changes()
	}
	if len(state) != 2 || len(state[0].Templates) != 2 || state[0].Rate != [2]uint32{1, 8} {
		t.Errorf("%+v", state)
	}
}
