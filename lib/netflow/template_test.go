package netflow

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// TestRedefinition changes templates: the one that was last announced holds, across kinds.
func TestRedefinition(t *testing.T) {
	var told []string
	s := newSession(t, Config{Redefined: func(domain uint32, id uint16, before, after []flow.Elem) {
		told = append(told, fmt.Sprint(domain, id, before, after))
	}})
	s.send(v9(1, set(0, tmpl(256, el(1, 4))), set(256, uint32(1))),
		v9(2, set(0, tmpl(256, el(2, 4))), set(256, uint32(2))),
		v9(3, set(0, tmpl(256, el(2, 4))), set(256, uint32(3))), // the same once more
		v9(4, set(1, optionsRecord9(256, 1, el(1, 2), el(34, 2))), set(256, uint16(4), uint16(1))),
		v9(5, set(0, tmpl(256, el(2, 2), el(1, 2))), set(256, uint16(5), uint16(6))))
	rows := s.rows()
	if len(rows) != 4 || len(s.tables) != 1 {
		t.Fatalf("%d records, %d tables", len(rows), len(s.tables))
	}
	rows[0].want(t, 1, 1, 2, "none")
	rows[1].want(t, 2, 2, 1, "none")
	rows[2].want(t, 2, 3)
	rows[3].want(t, 2, 5, 1, 6)
	if got := s.x.Stats; got.Redefined != 3 || got.Templates != 5 || got.Options != 1 || s.x.templates != 1 {
		t.Errorf("%+v", got)
	}
	a, b, options, c := []flow.Elem{el(1, 4)}, []flow.Elem{el(2, 4)}, []flow.Elem{el(144, 2), el(34, 2)}, []flow.Elem{el(2, 2), el(1, 2)}
	if want := []string{fmt.Sprint(testDomain, 256, a, b), fmt.Sprint(testDomain, 256, b, options), fmt.Sprint(testDomain, 256, options, c)}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
}

// TestDomains keeps templates of observation domains and of versions apart.
func TestDomains(t *testing.T) {
	s := newSession(t, Config{})
	s.send(v9at(testTime, testUptime, 1, 1, set(0, tmpl(256, el(1, 4)))),
		v9at(testTime, testUptime, 1, 2, set(0, tmpl(256, el(2, 4)))),
		ipfixAt(testTime, 0, 1, set(2, tmpl(256, el(85, 4)))))
	s.send(v9at(testTime, testUptime, 2, 1, set(256, uint32(1))), v9at(testTime, testUptime, 2, 2, set(256, uint32(2))),
		ipfixAt(testTime, 0, 1, set(256, uint32(3))))
	rows := s.rows()
	rows[0].want(t, 1, 1, 149, 1)
	rows[1].want(t, 2, 2, 149, 2)
	rows[2].want(t, 85, 3, 149, 1)
}

// TestWithdrawal withdraws one template, and all of a kind (RFC 7011 §8.1).
func TestWithdrawal(t *testing.T) {
	begin := ipfix(0, set(2, tmpl(256, el(1, 4)), tmpl(257, el(2, 4))), set(3, optionsRecordX(300, 1, el(144, 4), el(34, 4))))
	for _, c := range []struct {
		name string
		set  []byte
		left []int
	}{
		{"one", set(2, tmpl(256)), []int{257, 300}},
		{"two", set(2, tmpl(257), tmpl(256)), []int{300}},
		{"options", set(3, tmpl(300)), []int{256, 257}},
		{"of the other kind", set(3, tmpl(256)), []int{256, 257, 300}},
		{"unknown", set(2, tmpl(999)), []int{256, 257, 300}},
		{"all", set(2, tmpl(2)), []int{300}},
		{"all options", set(3, tmpl(3)), []int{256, 257}},
		{"one, and a new one", set(2, tmpl(256), tmpl(258, el(1, 4))), []int{257, 258, 300}},
	} {
		for _, reliable := range []bool{true, false} {
			s := newSession(t, Config{Reliable: reliable})
			s.send(begin, ipfix(0, c.set))
			want := c.left
			if !reliable { // over UDP there is no withdrawal
				want = []int{256, 257, 300}
				if c.name == "one, and a new one" {
					want = []int{256, 257, 258, 300}
				}
			}
			d := s.x.domains[domainID{10, testDomain}]
			for _, id := range want {
				if d.templates[uint16(id)] == nil {
					t.Errorf("%s, reliable %v: template %d is gone", c.name, reliable, id)
				}
			}
			if len(d.templates) != len(want) || s.x.templates != len(want) {
				t.Errorf("%s, reliable %v: %d templates and %d counted, want %d", c.name, reliable, len(d.templates), s.x.templates, len(want))
			}
			if got := s.x.Stats; reliable != (got.Withdrawn > 0) || reliable == (got.BadTemplates > 0) {
				t.Errorf("%s, reliable %v: %+v", c.name, reliable, got)
			}
		}
	}
	s := newSession(t, Config{Reliable: true})
	s.send(begin, ipfix(0, set(2, tmpl(256))), ipfix(0, set(256, uint32(5)))) // data of a withdrawn template
	if len(s.rows()) != 0 || s.x.Stats.Unknown != 1 || s.x.Stats.Held != 0 {
		t.Errorf("%+v", s.x.Stats)
	}
	s.send(ipfix(0, set(2, tmpl(256, el(2, 4))), set(256, uint32(6))))
	s.one().want(t, 2, 6)
}

// TestLifetime: a template that is repeated lives until it misses three announcements, one that
// was sent once for ever, and over a reliable transport all do.
func TestLifetime(t *testing.T) {
	announce, data := v9(1, set(0, tmpl(256, el(1, 4)))), v9(1, set(256, uint32(1)))
	day := int64(24 * time.Hour)
	for _, c := range []struct {
		name   string
		config Config
		repeat int64 // 0: never
		age    int64
		lives  bool
	}{
		{"once", Config{}, 0, 30 * day, true},
		{"every minute", Config{}, 60e9, 89 * 60e9, true},
		{"every minute", Config{}, 60e9, 91 * 60e9, false},
		{"every hour", Config{}, 3600e9, 179 * 60e9, true},
		{"every hour", Config{}, 3600e9, 181 * 60e9, false},
		{"every minute, lifetime of 5", Config{Lifetime: 300e9}, 60e9, 16 * 60e9, false},
		{"every minute, reliable", Config{Reliable: true}, 60e9, day, true},
	} {
		s := newSession(t, c.config)
		at := int64(arrival)
		s.sendAt(at, announce)
		if c.repeat > 0 {
			at += c.repeat
			s.sendAt(at, announce)
		}
		s.sendAt(at+c.age, data)
		if lives := len(s.rows()) == 1; lives != c.lives || s.x.Stats.Expired > 0 == c.lives {
			t.Errorf("%s: after %v it lives: %v; %+v", c.name, time.Duration(c.age), lives, s.x.Stats)
		}
	}
}

// TestLeastRecent forgets the templates that were not used when there are too many.
func TestLeastRecent(t *testing.T) {
	s := newSession(t, Config{Limits: Limits{Templates: 16}})
	s.send(v9(1, set(0, tmpl(256, el(1, 4)))))
	for i := range 1000 {
		s.send(v9(1, set(0, tmpl(1000+i, el(2, 4)))), v9(1, set(256, uint32(i))))
	}
	if rows := s.rows(); len(rows) != 1000 || s.x.templates > 16 || s.x.Stats.Evicted < 900 {
		t.Errorf("%d records, %d templates, %+v", len(rows), s.x.templates, s.x.Stats)
	}
	s = newSession(t, Config{Limits: Limits{Fields: 1000}})
	wide := make([]byte, 0)
	for range 100 {
		wide = append(wide, specifiers(benchElems()[:10])...)
	}
	for i := range 50 {
		s.send(v9(1, set(0, uint16(300+i), uint16(100), wide[:400])))
		if s.x.fields > 1000 || s.x.fields != 100*s.x.templates {
			t.Fatalf("%d fields of %d templates", s.x.fields, s.x.templates)
		}
	}
}

// TestOptionsTables checks the side tables: their names, their keys, and their rows.
func TestOptionsTables(t *testing.T) {
	s := newSession(t, Config{})
	s.send(
		ipfix(0, set(3, optionsRecordX(300, 1, el(10, 4), el(82, 4))), set(300, uint32(7), "eth7", uint32(8), "eth8")),
		ipfix(0, set(3, optionsRecordX(301, 1, el(234, 4), el(236, variable16))), set(301, uint32(1), uint8(3), "red")),
		ipfix(0, set(3, optionsRecordX(302, 1, el(95, 4), el(96, 4), el(94, 4))), set(302, uint32(1), "http", "hype")),
		ipfix(0, set(3, optionsRecordX(303, 2, el(144, 4), el(302, 4), el(305, 4), el(306, 4))), set(303, uint32(1), uint32(2), uint32(3), uint32(4))),
		ipfix(0, set(3, optionsRecordX(304, 1, el(143, 4), el(160, 8), el(42, 8))), set(304, uint32(1), uint64(testBoot), uint64(5))),
		v9(1, set(1, optionsRecord9(300, 1, el(2, 4), el(83, 4))), set(300, uint32(9), "eth9")),
		v9(2, set(1, optionsRecord9(301, 5, el(1, 4), el(2, 4), el(3, 4), el(4, 4), el(5, 2), el(41, 4))),
			set(301, uint32(1), uint32(2), uint32(3), uint32(4), uint16(5), uint32(6))),
		v9(3, set(1, optionsRecord9(302, 0, el(34, 4))), set(302, uint32(6))),
	)
	want := []struct {
		name string
		keys int
		rows int
		has  []any
	}{
		{"interfaces", 3, 2, []any{10, 7, 82, "65746837"}},
		{"vrfs", 3, 1, []any{234, 1, 236, "726564"}},
		{"applications", 3, 1, []any{95, "00000001", 96, "68747470", 94, "68797065"}},
		{"samplers", 4, 1, []any{302, 2, 305, 3, 306, 4}},
		{"options", 3, 1, []any{143, 1, 160, uint64(testBoot * 1e6), 42, 5}},
		{"interfaces", 3, 1, []any{10, 9, 83, "65746839"}},
		{"options", 7, 1, []any{144, 1, 10, 2, 141, 3, 143, 4, 145, 5, 41, 6}},
		{"samplers", 2, 1, []any{34, 6}},
	}
	if len(s.tables) != len(want) {
		t.Fatalf("%d tables, want %d", len(s.tables), len(want))
	}
	for i, w := range want {
		c := s.tables[i]
		if c.name != w.name || c.keys != w.keys || len(c.rows) != w.rows {
			t.Errorf("table %d: %s with %d keys and %d rows, want %s with %d and %d", i, c.name, c.keys, len(c.rows), w.name, w.keys, w.rows)
			continue
		}
		c.rows[0].want(t, append(w.has, 130, sender, 149, testDomain)...)
		if c.rows[0][0].ID != 130 || c.rows[0][1].ID != 149 || c.rows[0].has(258) {
			t.Errorf("table %d: %s", i, c.rows[0])
		}
	}
	if len(s.rows()) != 0 || s.x.Stats.Options != 9 || s.x.Stats.Records != 0 {
		t.Errorf("%+v", s.x.Stats)
	}
}

// TestSamplersBounded announces more samplers than there is room for.
func TestSamplersBounded(t *testing.T) {
	s := newSession(t, Config{Limits: Limits{Samplers: 8}})
	for i := range uint32(1000) {
		s.send(ipfix(0, set(3, optionsRecordX(300, 1, el(302, 4), el(309, 4), el(310, 4))), set(300, i, uint32(1), i+2)))
	}
	d := s.x.domains[domainID{10, testDomain}]
	if r := d.sampler(999); len(d.samplers) != 8 || r != (rate{1, 1000}) {
		t.Errorf("%d samplers, the last is %v", len(d.samplers), r)
	}
}

// TestBadTemplates refuses templates, each of which must leave the one before it in force, and
// those beside it.
func TestBadTemplates(t *testing.T) {
	many := tmpl(256, benchElems()...)
	for len(many) < 4*600 {
		many = append(many, specifiers(benchElems())...)
	}
	many[2], many[3] = byte((len(many)-4)/4>>8), byte((len(many)-4)/4)
	project := tmpl(256, el(ie.New(ie.ProjectPEN, 7), 4))
	for _, c := range []struct {
		name    string
		version int
		set     []byte
	}{
		{"no fields", 9, set(0, tmpl(256))},
		{"a field of no length", 9, set(0, tmpl(256, el(1, 0)))},
		{"only fields of no length", 10, set(2, tmpl(256, el(1, 0), el(2, 0)))},
		{"a number below 256", 10, set(2, tmpl(255, el(1, 4)))},
		{"a count of 65,535", 9, set(0, uint16(256), uint16(65535), make([]byte, 16))},
		{"a count of 65,535", 10, set(2, uint16(256), uint16(65535), make([]byte, 16))},
		{"more fields than a shape has", 9, set(0, many)},
		{"records longer than a message", 9, set(0, tmpl(256, el(95, 60000), el(96, 60000)))},
		{"the project's elements", 10, set(2, project)},
		{"half an enterprise number", 10, set(2, project[:len(project)-2])},
		{"a field that is cut", 10, set(2, tmpl(256, el(1, 4), el(2, 4))[:10])},
		{"no scope", 10, set(3, optionsRecordX(256, 0, el(144, 4), el(34, 4)))},
		{"more scopes than fields", 10, set(3, uint16(256), uint16(1), uint16(2), specifiers(benchElems()[:2]))},
		{"65,535 scopes", 10, set(3, uint16(256), uint16(65535), uint16(65535), make([]byte, 20))},
		{"lengths that wrap", 9, set(1, uint16(256), uint16(65532), uint16(65532), make([]byte, 20))},
		{"lengths that are no fields", 9, set(1, uint16(256), uint16(3), uint16(5), make([]byte, 20))},
		{"a scope of no length alone", 9, set(1, optionsRecord9(256, 1, el(1, 0)))},
		{"one element 300 times", 10, set(2, uint16(256), uint16(300), sameField(300))},
	} {
		s := newSession(t, Config{Reliable: c.version == 10})
		good := tmpl(256, el(1, 4))
		beside := tmpl(257, el(2, 4))
		data := [][]byte{set(256, uint32(11)), set(257, uint32(22))}
		build := v9
		first := 0
		if c.version == 10 {
			build, first = ipfix, 2
		}
		s.send(build(1, set(first, good)))
		err := s.x.Decode(build(2, c.set, set(first, beside), data[0], data[1]), arrival)
		rows := s.rows()
		if err == nil || len(rows) != 2 {
			t.Errorf("v%d, %s: %d records, error %v; %+v", c.version, c.name, len(rows), err, s.x.Stats)
			continue
		}
		rows[0].want(t, 1, 11)
		rows[1].want(t, 2, 22)
		if got := s.x.Stats; got.Bad != 1 || got.Redefined != 0 || got.Skipped != 0 {
			t.Errorf("v%d, %s: %+v", c.version, c.name, got)
		}
	}
}

func sameField(n int) []byte {
	var b []byte
	for range n {
		b = append(b, specifiers(benchElems()[:1])...)
	}
	return b
}

// TestMostFields has as many fields, and as many of one element, as are taken.
func TestMostFields(t *testing.T) {
	for _, n := range []int{250, 504} {
		var fields, values []byte
		for i := range n {
			id := ie.ID(1)
			if n > 250 {
				id = ie.New(4711, uint16(i))
			}
			fields = append(fields, specifiers(append(benchElems()[:0], el(id, 1)))...)
			values = append(values, byte(i))
		}
		s := newSession(t, Config{})
		s.send(ipfix(0, set(2, uint16(256), uint16(n), fields), set(256, values, values)))
		rows := s.rows()
		if len(rows) != 2 || len(rows[1]) != n+3 || s.x.Stats.Skipped != 0 {
			t.Fatalf("%d records, %+v", len(rows), s.x.Stats)
		}
		for i := range n {
			if v := rows[1][i]; v.kind == 0 && v.num != uint64(byte(i)) || v.kind != 0 && v.bytes[0] != byte(i) {
				t.Errorf("field %d of %d is %s", i, n, v)
			}
		}
	}
}
