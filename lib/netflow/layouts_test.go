package netflow

import (
	"fmt"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// TestLayoutsShared: exporters that share layouts decode as those that do not.
func TestLayoutsShared(t *testing.T) {
	fields := []flow.Elem{el(1, 4), el(34, 4), el(8, 4), el(27, 16)}
	values := join(uint32(1), uint32(2), addr("192.0.2.1"), addr("::"))
	var shared Layouts
	for round := range 2 {
		for _, from := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"} {
			for _, m := range [][]byte{
				ipfix(0, set(2, tmpl(256, fields...)), set(256, values)),
				ipfix(0, set(2, tmpl(999, fields...)), set(999, values)),
				ipfix(0, set(3, optionsRecordX(256, 1, fields...)), set(256, values)),
				ipfix(0, set(3, optionsRecordX(256, 2, fields...)), set(256, values)),
				ipfix(0, set(2, tmpl(256, el(1, 4), el(34, 4), el(8, 4), el(27, 15))), set(256, values)),
				v9(1, set(0, tmpl(256, fields...)), set(256, values)),
				fixedMessage(5, fixedRecord{proto: 6}), fixedMessage(7, fixedRecord{proto: 6}),
			} {
				var got [2]string
				for i, l := range []*Layouts{nil, &shared} {
					s := newSession(t, Config{Layouts: l})
					s.x.Addr = addr(from)
					s.send(m)
					got[i] = fmt.Sprint(s.rows(), s.tables)
				}
				if got[0] != got[1] {
					t.Errorf("round %d, %s: shared %s\nwant %s", round, from, got[1], got[0])
				}
			}
		}
	}
}

// TestLayoutsBounded gives one exporter after the other templates that nobody has, the first of
// them with records of many variants.
func TestLayoutsBounded(t *testing.T) {
	a := newArena(t)
	for round := range 30 {
		x := a.exporter("192.0.2.66", Config{})
		templates, records := 75, 1
		if round == 0 {
			templates, records = 10, 40
		}
		for i := range templates {
			fields, values := manyPairs(uint32(1+75*round+i), records)
			x.Decode(ipfix(0, set(2, tmpl(256+i, fields...)), set(256+i, values)), arrival)
		}
		if x.Stats.Records != uint64(templates*records) {
			t.Fatalf("%+v", x.Stats)
		}
		checkBounds(t, x)
		if t.Failed() {
			return
		}
	}
}

// manyPairs are a template of pairs of elements and of an enterprise's, and records of which each
// has other members of the pairs.
func manyPairs(pen uint32, records int) (fields []flow.Elem, values []byte) {
	members := []ie.ID{8, 27, 12, 28, 15, 62, 18, 63, 225, 281, 226, 282}
	for k, id := range members {
		fields = append(fields, el(id, []int{4, 16}[k&1]))
	}
	for k := range 400 {
		fields = append(fields, el(ie.New(pen, uint16(k)), 1))
	}
	for r := range records {
		for k := range members {
			b := make([]byte, []int{4, 16}[k&1])
			b[0] = byte(r>>(k/2)&1 ^ k&1)
			values = append(values, b...)
		}
		values = append(values, make([]byte, 400)...)
	}
	return fields, values
}
