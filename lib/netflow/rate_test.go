package netflow

import (
	"fmt"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// sampling is the rate of a record: "none", or interval/space.
func sampling(r row) string {
	if !r.has(ie.SamplingInterval) {
		return "none"
	}
	return r.get(ie.SamplingInterval) + "/" + r.get(ie.SamplingSpace)
}

// TestAnnouncedRate announces rates in every way that options data have, with and without the
// number of a sampler, and looks at records with and without one.
func TestAnnouncedRate(t *testing.T) {
	const pop = 310
	for _, c := range []struct {
		name   string
		fields []flow.Elem
		values []byte
		bare   string // rate of a record without a sampler
		seven  string // of sampler or selector 7
	}{
		{"34", []flow.Elem{el(34, 4)}, join(uint32(100)), "1/99", "1/99"},
		{"34 and 35", []flow.Elem{el(34, 4), el(35, 1)}, join(uint32(2), uint8(1)), "1/1", "1/1"},
		{"34 of one byte", []flow.Elem{el(34, 1)}, join(uint8(10)), "1/9", "1/9"},
		{"34 is 0", []flow.Elem{el(34, 4), el(35, 1)}, join(uint32(0), uint8(0)), "none", "none"},
		{"34 is 1", []flow.Elem{el(34, 4)}, join(uint32(1)), "none", "none"},
		{"48 to 50", []flow.Elem{el(48, 1), el(49, 1), el(50, 4)}, join(uint8(7), uint8(2), uint32(5000)), "none", "1/4999"},
		{"48 to 50, wide", []flow.Elem{el(48, 4), el(49, 1), el(50, 2)}, join(uint32(7), uint8(2), uint16(5000)), "none", "1/4999"},
		{"48 to 50 of another", []flow.Elem{el(48, 1), el(49, 1), el(50, 4)}, join(uint8(8), uint8(2), uint32(5000)), "none", "none"},
		{"50 alone", []flow.Elem{el(50, 4)}, join(uint32(64)), "1/63", "1/63"},
		{"302, 304 to 306", []flow.Elem{el(302, 8), el(304, 2), el(305, 4), el(306, 4)}, join(uint64(7), uint16(1), uint32(10), uint32(990)), "none", "10/990"},
		{"305 and 306", []flow.Elem{el(305, 4), el(306, 4)}, join(uint32(1), uint32(999)), "1/999", "1/999"}, // Nokia
		{"305 and no space", []flow.Elem{el(305, 4), el(306, 4)}, join(uint32(1), uint32(0)), "none", "none"},
		{"305 alone", []flow.Elem{el(305, 4)}, join(uint32(50)), "1/49", "1/49"},
		{"302, 309 and 310", []flow.Elem{el(302, 4), el(304, 2), el(309, 4), el(pop, 4)}, join(uint32(7), uint16(3), uint32(3), uint32(256)), "none", "3/253"},
		{"305 of one, 309 and 310", []flow.Elem{el(302, 4), el(305, 4), el(309, 4), el(pop, 4)}, join(uint32(7), uint32(1), uint32(1), uint32(256)), "none", "1/255"}, // Cisco
		{"310 below 309", []flow.Elem{el(309, 4), el(pop, 4)}, join(uint32(5), uint32(4)), "none", "none"},
		{"309 is 0", []flow.Elem{el(309, 4), el(pop, 4)}, join(uint32(0), uint32(4)), "none", "none"},
		{"50 above 34", []flow.Elem{el(34, 4), el(50, 4)}, join(uint32(9), uint32(20)), "1/19", "1/19"},
		{"too large", []flow.Elem{el(305, 8), el(306, 8)}, join(uint64(1), uint64(1)<<40), "none", "none"},
	} {
		for _, version := range []int{9, 10} {
			for _, sampler := range []int{48, 302} {
				s := newSession(t, Config{})
				bare := tmpl(256, el(1, 4))
				numbered := tmpl(257, el(1, 4), el(ie.ID(sampler), 4))
				fields := append([]flow.Elem{el(144, 4)}, c.fields...)
				data := join(set(256, uint32(1000)), set(257, uint32(1000), uint32(7)))
				if version == 9 {
					fields[0].ID = 1 // the scope System
					s.send(v9(1, set(0, bare, numbered), set(1, optionsRecord9(300, 1, fields...)), set(300, uint32(0), c.values), data))
				} else {
					s.send(ipfix(0, set(2, bare, numbered), set(3, optionsRecordX(300, 1, fields...)), set(300, uint32(0), c.values), data))
				}
				rows := s.rows()
				if len(rows) != 2 {
					t.Fatalf("%s: %d records", c.name, len(rows))
				}
				if got := [2]string{sampling(rows[0]), sampling(rows[1])}; got != [2]string{c.bare, c.seven} {
					t.Errorf("v%d, %s: rates %q, want %q and %q", version, c.name, got, c.bare, c.seven)
				}
				rows[0].want(t, 1, 1000) // counters stay as they were sent
			}
		}
	}
}

// TestRateOfRecord takes the rate from the record itself, before what was announced.
func TestRateOfRecord(t *testing.T) {
	s := newSession(t, Config{})
	s.send(ipfix(0, set(3, optionsRecordX(300, 1, el(144, 4), el(34, 4))), set(300, uint32(0), uint32(100)),
		set(2, tmpl(256, el(34, 4), el(1, 4)), tmpl(257, el(305, 4), el(306, 4)), tmpl(258, el(1, 4))),
		set(256, uint32(10), uint32(1), uint32(0), uint32(2), uint32(1), uint32(3)),
		set(257, uint32(2), uint32(6)), set(258, uint32(4))))
	var got []string
	for _, r := range s.rows() {
		got = append(got, sampling(r))
	}
	if want := "[1/9 1/99 none 2/6 1/99]"; fmt.Sprint(got) != want {
		t.Errorf("rates %v, want %s", got, want)
	}
}

// TestRateOfUser has a default and an overriding rate.
func TestRateOfUser(t *testing.T) {
	announce := func(rate uint32) []byte {
		return v9(1, set(1, optionsRecord9(300, 1, el(1, 4), el(34, 4))), set(300, uint32(0), rate))
	}
	for _, c := range []struct {
		rate, force uint32
		announced   uint32 // 0: nothing
		want        string
	}{
		{0, 0, 0, "none"},
		{200, 0, 0, "1/199"},
		{200, 0, 100, "1/99"},
		{200, 0, 1, "none"}, // that every packet counts was announced
		{0, 50, 100, "1/49"},
		{200, 50, 0, "1/49"},
		{200, 1, 100, "none"},
	} {
		s := newSession(t, Config{Rate: c.rate, Force: c.force})
		if c.announced > 0 {
			s.send(announce(c.announced))
		}
		s.send(v9(2, set(0, tmpl(256, el(1, 4), el(48, 1)), tmpl(257, el(1, 4))), set(256, uint32(1), uint8(0)), set(257, uint32(1))))
		for _, r := range s.rows() {
			if got := sampling(r); got != c.want {
				t.Errorf("%+v: rate %s", c, got)
			}
		}
	}
	s := newSession(t, Config{Rate: 64})
	s.send(fixedMessage(5, fixedRecord{proto: 6}))
	if got := sampling(s.one()); got != "1/63" {
		t.Errorf("v5 without a rate has %s", got)
	}
}

// TestRateOfDomain keeps the samplers of observation domains apart.
func TestRateOfDomain(t *testing.T) {
	s := newSession(t, Config{})
	for domain := range uint32(3) {
		s.send(v9at(testTime, testUptime, 1, domain, set(0, tmpl(256, el(1, 4), el(48, 1))),
			set(1, optionsRecord9(300, 1, el(1, 4), el(48, 1), el(50, 4))), set(300, uint32(0), uint8(1), 10*(domain+1))))
	}
	for domain := range uint32(3) {
		s.send(v9at(testTime, testUptime, 2, domain, set(256, uint32(1), uint8(1), uint32(1), uint8(2))))
	}
	rows := s.rows()
	for domain := range 3 {
		if a, b := sampling(rows[2*domain]), sampling(rows[2*domain+1]); a != fmt.Sprintf("1/%d", 10*domain+9) || b != "none" {
			t.Errorf("domain %d: rates %s and %s", domain, a, b)
		}
	}
}

// TestRateChanges announces another rate between two records of a message.
func TestRateChanges(t *testing.T) {
	s := newSession(t, Config{})
	s.send(ipfix(0, set(2, tmpl(256, el(1, 4))), set(3, optionsRecordX(300, 1, el(144, 4), el(34, 4))),
		set(256, uint32(1)), set(300, uint32(0), uint32(8)), set(256, uint32(2)), set(300, uint32(0), uint32(1)), set(256, uint32(3))))
	var got []string
	for _, r := range s.rows() {
		got = append(got, sampling(r))
	}
	if want := "[none 1/7 none]"; fmt.Sprint(got) != want {
		t.Errorf("rates %v, want %s", got, want)
	}
}
