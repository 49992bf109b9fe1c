package netflow

import (
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// TestSoftflowd9 has the odds of softflowd's NetFlow v9: a count of the data records alone, a set
// for each template, options sets without padding, type and code of ICMP in place of ports.
func TestSoftflowd9(t *testing.T) {
	four := []flow.Elem{el(8, 4), el(12, 4), el(22, 4), el(21, 4), el(1, 4), el(2, 4), el(10, 4), el(14, 4), el(61, 1), el(136, 1)}
	tcp := append(append([]flow.Elem(nil), four...), el(7, 2), el(11, 2), el(4, 1), el(6, 1), el(60, 1), el(5, 1))
	icmp := append(append([]flow.Elem(nil), four...), el(32, 2), el(4, 1), el(60, 1), el(5, 1))
	head := join(addr("192.0.2.1"), addr("192.0.2.2"), uint32(testUptime-5000), uint32(testUptime-1000), uint32(600), uint32(5), uint32(2), uint32(2), uint8(0), uint8(3))
	options := join(uint16(1), uint16(26), optionsRecord9(256, 1, el(2, 4), el(34, 4), el(35, 1), el(82, 16)))
	data := join(uint16(256), uint16(29), uint32(2), uint32(10), uint8(1), "eth0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	m := v9(1, set(0, tmpl(1024, tcp...)), set(0, tmpl(1025, icmp...)), options, data,
		set(1024, head, uint16(40000), uint16(53), uint8(17), uint8(0), uint8(4), uint8(0), []byte{0, 0}),
		set(1025, head, uint16(0x0800), uint8(1), uint8(4), uint8(0), []byte{0}))
	copy(m[2:], join(uint16(2)))
	s := newSession(t, Config{})
	s.send(m)
	rows := s.rows()
	if len(rows) != 2 || len(s.tables) != 1 {
		t.Fatalf("%d records, %d tables, %+v", len(rows), len(s.tables), s.x.Stats)
	}
	rows[0].want(t, 7, 40000, 11, 53, 4, 17, 152, uint64((testTime-5)*1e9), 153, uint64((testTime-1)*1e9), ie.SamplingSpace, 9)
	rows[1].want(t, 32, 0x800, 4, 1, 7, "none", 136, 3)
	if c := s.tables[0]; c.name != "interfaces" || c.keys != 3 {
		t.Errorf("table %s with %d keys", c.name, c.keys)
	}
	c := s.tables[0].rows[0]
	c.want(t, 10, 2, 34, 10)
}

// TestSoftflowd10 has those of its IPFIX: biflows whose forward counters may be zero, and the
// start of the clock in options data.
func TestSoftflowd10(t *testing.T) {
	rev := func(n uint16) ie.ID { return ie.New(ie.ReversePEN, n) }
	fields := []flow.Elem{el(8, 4), el(12, 4), el(22, 4), el(21, 4), el(1, 4), el(2, 4), el(rev(1), 4), el(rev(2), 4),
		el(7, 2), el(11, 2), el(4, 1), el(6, 1), el(rev(6), 1), el(5, 1), el(rev(5), 1)}
	s := newSession(t, Config{})
	s.send(ipfix(1, set(2, tmpl(1024, fields...)),
		set(3, optionsRecordX(256, 1, el(143, 4), el(160, 8), el(305, 4), el(306, 4), el(304, 2), el(82, 16))),
		set(256, uint32(77), uint64(testBoot), uint32(1), uint32(0), uint16(1), make([]byte, 16)),
		set(1024, addr("192.0.2.1"), addr("192.0.2.2"), uint32(1000), uint32(2000), uint32(0), uint32(0), uint32(252), uint32(3),
			uint16(1), uint16(2), uint8(6), uint8(0), uint8(0x12), uint8(0), uint8(0xb8))))
	s.one().want(t, 1, 0, 2, 0, rev(1), 252, rev(2), 3, 6, 0, rev(6), 0x12, 5, 0, rev(5), 0xb8,
		152, uint64((testBoot+1000)*1e6), ie.SamplingSpace, "none")
}
