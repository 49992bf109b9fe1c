package netflow

import (
	"bytes"
	"fmt"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

const (
	basicList = ie.ID(291)
	subList   = ie.ID(292)
	multiList = ie.ID(293)
)

// short is a value of variable length.
func short(values ...any) []byte {
	b := join(values...)
	if len(b) < 255 {
		return join(uint8(len(b)), b)
	}
	return join(uint8(255), uint16(len(b)), b)
}

// TestLists keeps lists with the templates that they use, in the order of their use.
func TestLists(t *testing.T) {
	ports := []flow.Elem{el(7, 2), el(11, 2)}
	tcp := []flow.Elem{el(6, 1), el(ie.New(6871, 14), 4), el(82, variable16)}
	nested := []flow.Elem{el(4, 1), el(subList, variable16)}
	basics := []flow.Elem{el(basicList, variable16)}
	templates := set(2, tmpl(400, ports...), tmpl(401, tcp...), tmpl(402, nested...), tmpl(403, basics...), tmpl(404, el(1, 50)))
	sub := func(id int, records ...any) []byte { return join(uint8(3), uint16(id), join(records...)) }
	part := func(id int, records ...any) []byte {
		b := join(records...)
		return join(uint16(id), uint16(4+len(b)), b)
	}
	basic := func(f flow.Elem, values ...any) []byte {
		return join(uint8(3), specifiers([]flow.Elem{f}), join(values...))
	}
	tcpRecord := join(uint8(2), uint32(9), short("eth0"))
	for _, c := range []struct {
		name string
		kind ie.ID
		list []byte
		used [][]flow.Elem
	}{
		{"one record", subList, sub(400, uint32(1)), [][]flow.Elem{ports}},
		{"three records", subList, sub(401, tcpRecord, tcpRecord, tcpRecord), [][]flow.Elem{tcp}},
		{"no record", subList, sub(400), nil},
		{"less than a record", subList, sub(404, uint32(1)), nil},
		{"an unknown template", subList, sub(999, uint32(1)), nil},
		{"a list of a list", subList, sub(402, uint8(6), short(sub(401, tcpRecord))), [][]flow.Elem{nested, tcp}},
		{"a list of itself", subList, sub(402, uint8(6), short(sub(402, uint8(7), short(sub(402))))), [][]flow.Elem{nested}},
		{"several", multiList, join(uint8(255), part(401, tcpRecord), part(400, uint32(1), uint32(2)), part(401, tcpRecord), part(999, uint8(1)), part(404)), [][]flow.Elem{tcp, ports}},
		{"several, cut off", multiList, join(uint8(255), part(401, tcpRecord), uint16(400), uint16(99), uint32(1)), [][]flow.Elem{tcp}},
		{"several, an entry of no length", multiList, join(uint8(255), uint16(400), uint16(3), part(401, tcpRecord)), nil},
		{"numbers", basicList, basic(el(1, 4), uint32(1), uint32(2)), nil},
		{"numbers of an enterprise", basicList, basic(el(ie.New(4711, 292), 4), uint32(1), uint32(2)), nil},
		{"lists", basicList, basic(el(subList, variable16), short(sub(400, uint32(1))), short(sub(401, tcpRecord))), [][]flow.Elem{ports, tcp}},
		{"lists of lists", subList, sub(403, short(basic(el(multiList, variable16), short(uint8(255), part(400, uint32(7)))))), [][]flow.Elem{basics, ports}},
		{"nothing", subList, nil, nil},
		{"a semantic alone", multiList, []byte{255}, nil},
		{"half a head", basicList, []byte{255, 0, 1}, nil},
	} {
		for _, fixed := range []bool{false, true} {
			s := newSession(t, Config{})
			f, value := el(c.kind, variable16), short(c.list)
			if fixed {
				if len(c.list) == 0 {
					continue
				}
				f, value = el(c.kind, len(c.list)), c.list
			}
			s.send(ipfix(0, templates, set(2, tmpl(256, el(1, 4), f, el(2, 4)))), ipfix(0, set(256, uint32(5), value, uint32(6))))
			r := s.one()
			r.want(t, 1, 5, 2, 6)
			used, list := splitList(t, r.all(c.kind)[0].bytes)
			if !bytes.Equal(list, c.list) {
				t.Errorf("%s: list % x, want % x", c.name, list, c.list)
			}
			if fmt.Sprint(used) != fmt.Sprint(c.used) {
				t.Errorf("%s: templates %v, want %v", c.name, used, c.used)
			}
		}
	}
}

// TestListsRedefined inlines the templates that hold at the time.
func TestListsRedefined(t *testing.T) {
	s := newSession(t, Config{})
	value := short(uint8(3), uint16(400), uint32(1))
	s.send(ipfix(0, set(2, tmpl(256, el(subList, variable16)), tmpl(400, el(1, 4)))), ipfix(0, set(256, value)),
		ipfix(1, set(2, tmpl(400, el(2, 4)))), ipfix(1, set(256, value)))
	for i, r := range s.rows() {
		used, _ := splitList(t, r.all(subList)[0].bytes)
		if len(used) != 1 || used[0][0].ID != ie.ID(i+1) {
			t.Errorf("record %d has %v", i, used)
		}
	}
}

// TestListDepth inlines templates of four lists within each other, and no more.
func TestListDepth(t *testing.T) {
	var templates, list []byte
	for i := range 6 {
		templates = append(templates, tmpl(400+i, el(subList, variable16))...)
	}
	for i := 5; i >= 0; i-- {
		list = join(uint8(3), uint16(400+i), short(list))
	}
	s := newSession(t, Config{})
	s.send(ipfix(0, set(2, tmpl(256, el(subList, variable16)), templates)), ipfix(0, set(256, short(list))))
	used, rest := splitList(t, s.one().all(subList)[0].bytes)
	if len(used) != maxListDepth || !bytes.Equal(rest, list) {
		t.Errorf("%d templates, list % x", len(used), rest)
	}
}

// TestListTemplatesBounded uses more templates than are kept with a list.
func TestListTemplatesBounded(t *testing.T) {
	s := newSession(t, Config{})
	templates, list := []byte(nil), []byte{255}
	for i := range 40 {
		templates = append(templates, tmpl(400+i, el(1, 4))...)
		list = join(list, uint16(400+i), uint16(8), uint32(i))
	}
	s.send(ipfix(0, set(2, tmpl(256, el(multiList, variable16)), templates)), ipfix(0, set(256, short(list))))
	used, rest := splitList(t, s.one().all(multiList)[0].bytes)
	if len(used) != maxListTemplates || !bytes.Equal(rest, list) {
		t.Errorf("%d templates, list % x", len(used), rest)
	}
}
