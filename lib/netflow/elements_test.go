package netflow

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// decodeOne decodes one record of IPFIX, whose values are given one after the other.
func decodeOne(t *testing.T, fields []flow.Elem, values ...any) row {
	t.Helper()
	s := newSession(t, Config{})
	s.send(ipfix(0, set(2, tmpl(256, fields...)), set(256, values...)))
	return s.one()
}

// TestTypes puts every type at every length that it may have.
func TestTypes(t *testing.T) {
	signed := func(x int64) string { return fmt.Sprint(column.FromSigned(x)) }
	float := func(x float64) string { return fmt.Sprint(column.FromFloat(x)) }
	for _, c := range []struct {
		id     ie.ID
		value  any
		as     ie.ID // 0: the same
		become string
	}{
		{1, uint8(200), 0, "200"}, // reduced-size encoding (RFC 7011 §6.2)
		{1, uint16(40000), 0, "40000"},
		{1, []byte{1, 2, 3}, 0, "66051"},
		{1, uint32(4e9), 0, "4000000000"},
		{1, []byte{1, 2, 3, 4, 5}, 0, "4328719365"},
		{1, []byte{1, 2, 3, 4, 5, 6}, 0, "1108152157446"},
		{1, []byte{1, 2, 3, 4, 5, 6, 7}, 0, "283686952306183"},
		{1, uint64(math.MaxUint64), 0, "18446744073709551615"},
		{5, uint16(300), 0, "300"}, // wider than its type, as some send it
		{1, bytes.Repeat([]byte{1}, 9), Raw(1), strings.Repeat("01", 9)},
		{434, uint32(0xfffffffe), 0, signed(-2)}, // mibObjectValueInteger
		{434, uint16(0xfffe), 0, signed(-2)},
		{434, uint8(0x80), 0, signed(-128)},
		{434, uint32(7), 0, signed(7)},
		{320, math.Float64bits(-2.5), 0, float(-2.5)}, // absoluteError
		{320, math.Float32bits(0.5), 0, float(0.5)},
		{320, uint16(1), Raw(320), "0001"},
		{276, uint8(1), 0, "1"}, // dataRecordsReliability: 1 is true, 2 is false
		{276, uint8(2), 0, "0"},
		{56, []byte{0, 1, 2, 3, 4, 5}, 0, "4328719365"},
		{56, uint64(1), Raw(56), "0000000000000001"},
		{8, addr("192.0.2.7"), 0, "192.0.2.7"},
		{8, uint16(7), Raw(8), "0007"},
		{27, addr("2001:db8::7"), 0, "2001:db8::7"},
		{27, addr("::ffff:192.0.2.7"), 0, "::ffff:192.0.2.7"},
		{27, addr("192.0.2.7"), Raw(27), "c0000207"},
		{82, "eth0", 0, "65746830"},
		{95, []byte{1, 2, 3, 4}, 0, "01020304"},
		{150, uint32(testTime), 0, "1700000000000000000"},
		{150, uint64(testTime), 0, "1700000000000000000"},
		{152, uint64(testTime * 1000), 0, "1700000000000000000"},
		{154, uint32(5), Raw(154), "00000005"},
		{515, bytes.Repeat([]byte{7}, 32), 0, strings.Repeat("07", 32)}, // unsigned256
		{599, []byte{9, 9}, 0, "0909"},                                  // no registry has it
		{ie.New(4711, 5), []byte{9, 9, 9}, 0, "090909"},
		{ie.New(ie.ReversePEN, 1), uint16(77), 0, "77"},
		{ie.New(ie.ReversePEN, 152), uint64(testTime * 1000), 0, "1700000000000000000"},
		{ie.New(ie.ReversePEN, 8), addr("192.0.2.9"), 0, "192.0.2.9"},
		{ie.New(ie.ReversePEN, 8), uint16(3), misfit, "000072790008" + "0003"},
		{ie.New(6876, 881), addr("192.0.2.3"), 0, "192.0.2.3"},
		{ie.New(6876, 881), addr("2001:db8::3"), misfit, "00001adc0371" + "20010db8000000000000000000000003"},
	} {
		value := join(c.value)
		as := c.as
		if as == 0 {
			as = c.id
		}
		r := decodeOne(t, []flow.Elem{el(c.id, len(value)), el(4, 1)}, value, uint8(6))
		if got := r.get(as); got != c.become || r.get(4) != "6" {
			t.Errorf("%s of %d bytes: %s is %q, want %q; record: %s", c.id, len(value), as, got, c.become, r)
		}
		if e := r[0]; as == c.id && int(e.Len) != len(value) {
			t.Errorf("%s: the shape has a length of %d, sent was %d", c.id, e.Len, len(value))
		}
	}
}

// TestOrigin checks what a record gets beyond what was sent.
func TestOrigin(t *testing.T) {
	r := decodeOne(t, []flow.Elem{el(4, 1)}, uint8(6))
	r.want(t, 130, sender, 149, testDomain, 258, uint64(arrival))
	if len(r) != 4 {
		t.Errorf("record is %s", r)
	}
	odd := decodeOne(t, []flow.Elem{el(130, 3), el(149, 9), el(258, 9)}, make([]byte, 21))
	odd.want(t, 130, sender, 149, testDomain, 258, uint64(arrival), Raw(130), "000000")
	own := decodeOne(t, []flow.Elem{el(130, 4), el(149, 4), el(258, 8)}, addr("198.51.100.1"), uint32(99), uint64(123456))
	own.want(t, 130, "198.51.100.1", 149, 99, 258, uint64(123456e6))
	s := newSession(t, Config{})
	s.x.Addr = addr("2001:db8::1")
	s.send(ipfix(0, set(2, tmpl(256, el(4, 1))), set(256, uint8(6))))
	s.one().want(t, 131, "2001:db8::1", 130, "none")
}

// TestReverse checks that elements of the other direction (RFC 5103) are columns of their own.
func TestReverse(t *testing.T) {
	rev := func(num uint16) ie.ID { return ie.New(ie.ReversePEN, num) }
	r := decodeOne(t, []flow.Elem{el(1, 4), el(rev(1), 4), el(6, 1), el(rev(6), 1), el(152, 8), el(rev(152), 8), el(7, 2), el(rev(7), 2), el(rev(22), 4)},
		uint32(100), uint32(900), uint8(2), uint8(0x12), uint64(5000), uint64(6000), uint16(1), uint16(2), uint32(3))
	r.want(t, 1, 100, rev(1), 900, 6, 2, rev(6), 0x12, 152, uint64(5000e6), rev(152), uint64(6000e6), 7, 1, rev(7), 2, rev(22), 3)
	only := decodeOne(t, []flow.Elem{el(rev(1), 4), el(rev(4), 1)}, uint32(900), uint8(17))
	only.want(t, 1, "none", 4, "none", rev(1), 900, rev(4), 17)
	cert := ie.New(ie.CERTPEN, 40|1<<14)
	decodeOne(t, []flow.Elem{el(ie.New(ie.CERTPEN, 40), 2), el(cert, 2)}, uint16(1), uint16(2)).want(t, cert, "0002", ie.New(ie.CERTPEN, 40), "0001")
}

// TestTwice sends elements more than once in a record.
func TestTwice(t *testing.T) {
	r := decodeOne(t, []flow.Elem{el(10, 4), el(10, 2), el(8, 4), el(8, 4), el(152, 8), el(150, 4)},
		uint32(1), uint16(2), addr("192.0.2.1"), addr("192.0.2.2"), uint64(5000), uint32(6))
	var got []string
	for _, v := range append(append(r.all(10), r.all(8)...), append(r.all(152), r.all(150)...)...) {
		got = append(got, v.String())
	}
	want := "ingressInterface=1 ingressInterface=2 sourceIPv4Address=192.0.2.1 sourceIPv4Address=192.0.2.2 flowStartMilliseconds=5000000000 flowStartSeconds=6000000000"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("record has %s, want %s", s, want)
	}
}

// TestV9Numbers checks that NetFlow v9 has no enterprises: numbers above 32,767 are its own.
func TestV9Numbers(t *testing.T) {
	s := newSession(t, Config{})
	s.send(v9(1, set(0, tmpl(256, el(33002, 2), el(40005, 1), el(57590, 2), el(40001, 4), el(40000, 20), el(40002, 2), el(4, 1))),
		set(256, uint16(2025), uint8(2), uint16(82), addr("192.0.2.1"), "user\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", uint16(5), uint8(1))))
	s.one().want(t, 33002, 2025, 40005, 2, 57590, "0052", 40001, "192.0.2.1", 4, 1,
		40000, "7573657200000000000000000000000000000000", misfit, "00000000"+"9c42"+"0005")
}

// TestVariable sends lengths of one and of three bytes (RFC 7011 §7), in IPFIX and in NetFlow v9,
// where H3C does so too.
func TestVariable(t *testing.T) {
	long := strings.Repeat("x", 300)
	fields := []flow.Elem{el(82, variable16), el(1, 4), el(ie.New(4711, 1), variable16), el(83, variable16)}
	values := join(uint8(3), "abc", uint32(7), uint8(255), uint16(len(long)), long, uint8(255), uint16(2), "zz",
		uint8(0), uint32(8), uint8(0), uint8(1), "q")
	check := func(rows []row) {
		t.Helper()
		if len(rows) != 2 {
			t.Fatalf("%d records", len(rows))
		}
		rows[0].want(t, 82, "616263", 1, 7, ie.New(4711, 1), fmt.Sprintf("%x", long), 83, "7a7a")
		rows[1].want(t, 82, "", 1, 8, ie.New(4711, 1), "", 83, "71")
	}
	s := newSession(t, Config{})
	s.send(ipfix(0, set(2, tmpl(256, fields...)), set(256, values, []byte{0, 0, 0})))
	check(s.rows())
	nine := fields
	nine[2].ID = 599
	s = newSession(t, Config{})
	s.send(v9(0, set(0, tmpl(256, nine...)), set(256, values)))
	rows := s.rows()
	if len(rows) != 2 || rows[0].get(599) != fmt.Sprintf("%x", long) {
		t.Errorf("%d records: %s", len(rows), rows)
	}
}

// TestVariableCut cuts a set of variable length at every byte: whole records stay, and the rest
// is an error.
func TestVariableCut(t *testing.T) {
	record := join(uint8(2), "ab", uint32(7))
	values := append(append([]byte(nil), record...), record...)
	for n := range values {
		s := newSession(t, Config{})
		err := s.x.Decode(ipfix(0, set(2, tmpl(256, el(82, variable16), el(1, 4))), set(256, values[:n])), arrival)
		rows := s.rows()
		if len(rows) != n/len(record) || (err == nil) != (n%len(record) < 5) {
			t.Errorf("%d bytes: %d records, %v", n, len(rows), err)
		}
	}
}

// TestPadding pads sets and messages.
func TestPadding(t *testing.T) {
	s := newSession(t, Config{})
	s.send(
		v9(1, set(0, tmpl(256, el(1, 4), el(4, 1)), []byte{0, 0}), set(256, uint32(1), uint8(6), []byte{0, 0, 0})),
		v9(2, set(0, tmpl(256, el(1, 4), el(4, 1)), []byte{0, 0, 0, 0, 0, 0, 0, 0}), set(256, uint32(2), uint8(6)), make([]byte, 1100)), // Palo Alto fills its packets
		v9(3, set(1, optionsRecord9(257, 1, el(1, 4), el(34, 4)), []byte{0, 0}), set(256, uint32(3), uint8(6)), []byte{0, 0}),
		v9(4, set(256, uint32(4), uint8(6), make([]byte, 4))), // up to a record less a byte
		v9(5, set(256)),
	)
	for i, r := range s.rows() {
		r.want(t, 1, i+1, 4, 6)
	}
	if got := s.x.Stats; got.Records != 4 || got.Templates != 3 || got.LostMessages != 0 {
		t.Errorf("%+v", got)
	}
	padded := decodeOne(t, []flow.Elem{el(210, 3), el(1, 4), el(210, 1)}, []byte{1, 2, 3}, uint32(9), uint8(1))
	padded.want(t, 1, 9, 210, "none")
}

// TestPaddingOfVariable pads records that may be shorter than the padding.
func TestPaddingOfVariable(t *testing.T) {
	for n := range 4 {
		s := newSession(t, Config{})
		s.send(ipfix(0, set(2, tmpl(256, el(82, variable16))), set(256, short("abc"), short(""), short("d"), make([]byte, n))))
		rows := s.rows()
		if len(rows) != 3 {
			t.Fatalf("%d bytes of padding: %d records", n, len(rows))
		}
		rows[0].want(t, 82, "616263")
		rows[1].want(t, 82, "")
		rows[2].want(t, 82, "64")
	}
}

// TestSetLengths has sets that are too short for their head, or longer than what is left: what
// stands before them is decoded.
func TestSetLengths(t *testing.T) {
	for _, wrong := range []int{0, 1, 2, 3, 9, 10, 12, 65535} {
		for _, build := range []func(uint32, ...[]byte) []byte{v9, ipfix} {
			s := newSession(t, Config{})
			s.send(v9(0, set(0, tmpl(256, el(1, 4)))), ipfix(0, set(2, tmpl(256, el(1, 4)))))
			m := build(1, set(256, uint32(5)), join(uint16(256), uint16(wrong), uint32(6)))
			m = append(m, 1, 2, 3, 4)[:len(m)] // what lies behind in memory
			if err := s.x.Decode(m, arrival); err == nil {
				t.Errorf("a set of %d bytes, of which 8 are there, is no error", wrong)
			}
			s.one().want(t, 1, 5)
		}
	}
}

// TestEmptyFields checks that fields of no length say nothing.
func TestEmptyFields(t *testing.T) {
	s := newSession(t, Config{})
	s.send(ipfix(0, set(2, tmpl(256, el(82, 0), el(1, 4), el(4, 0), el(2, 4))), set(256, uint32(1), uint32(2))))
	r := s.one()
	r.want(t, 1, 1, 2, 2, 82, "none", 4, "none")
	s.send(v9(0, set(1, optionsRecord9(256, 1, el(1, 0), el(35, 1), el(34, 4))), set(256, uint8(2), uint32(10), []byte{0, 0, 0}))) // a scope of the system
	if c := s.tables; len(c) != 1 || c[0].keys != 2 || len(c[0].rows) != 1 || c[0].rows[0].get(34) != "10" {
		t.Errorf("tables %v", c)
	}
}

// TestPairs sends both members of pairs: the one that is zero gives way, and of two that are zero
// that of the other family.
func TestPairs(t *testing.T) {
	four, none4 := addr("192.0.2.1"), addr("0.0.0.0")
	six, none6 := addr("2001:db8::1"), addr("::")
	for _, c := range []struct {
		name                   string
		src4, src6, dst4, dst6 netip.Addr
		version, mask4, mask6  uint8
		want                   string // elements that are there
	}{
		{"IPv4", four, none6, four, none6, 4, 24, 0, "8 12 9"},
		{"IPv6", none4, six, none4, six, 6, 0, 64, "27 28 29"},
		{"IPv6 without a prefix", none4, six, none4, six, 6, 0, 0, "27 28 29"},
		{"IPv4 without a prefix", four, none6, four, none6, 4, 0, 0, "8 12 9"},
		{"DHCP", none4, none6, four, none6, 4, 0, 0, "8 12 9"},
		{"duplicate address detection", none4, none6, none4, six, 6, 0, 0, "27 28 29"},
		{"nothing of IPv6", none4, none6, none4, none6, 6, 0, 0, "27 28 29"},
		{"nothing", none4, none6, none4, none6, 0, 0, 0, "8 12 9"},
		{"both", four, six, four, six, 4, 24, 64, "8 27 12 28 9 29"},
	} {
		for _, versioned := range []bool{true, false} {
			fields := []flow.Elem{el(8, 4), el(27, 16), el(12, 4), el(28, 16), el(9, 1), el(29, 1), el(4, 1)}
			values := join(c.src4, c.src6, c.dst4, c.dst6, c.mask4, c.mask6, uint8(17))
			if versioned {
				fields = append(fields, el(60, 1))
				values = append(values, c.version)
			} else if c.name == "nothing of IPv6" {
				continue // nothing says so
			}
			r := decodeOne(t, fields, values)
			var got []string
			for _, v := range r {
				switch v.ID {
				case 8, 27, 12, 28, 9, 29:
					got = append(got, fmt.Sprint(uint64(v.ID)))
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s (version field: %v): elements %s, want %s", c.name, versioned, s, c.want)
			}
		}
	}
	rev := func(n uint16) ie.ID { return ie.New(ie.ReversePEN, n) }
	decodeOne(t, []flow.Elem{el(8, 4), el(rev(8), 4), el(rev(27), 16)}, none4, none4, six).want(t, 8, "0.0.0.0", rev(8), "none", rev(27), six)
}

// TestICMP moves type and code out of the ports, wherever exporters put them.
func TestICMP(t *testing.T) {
	nine := func(fields []flow.Elem, values ...any) row {
		t.Helper()
		s := newSession(t, Config{})
		s.send(v9(1, set(0, tmpl(256, fields...)), set(256, values...)))
		return s.one()
	}
	ports := []flow.Elem{el(4, 1), el(7, 2), el(11, 2)}
	nine(ports, uint8(1), uint16(0), uint16(0x0800)).want(t, 32, 0x800, 7, "none", 11, "none")
	nine(ports, uint8(58), uint16(0), uint16(0x8000)).want(t, 139, 0x8000, 32, "none", 7, "none", 11, "none")
	nine(ports, uint8(1), uint16(77), uint16(0x0303)).want(t, 32, 0x303, 7, 77, 11, "none")
	nine(ports, uint8(6), uint16(0), uint16(0x0800)).want(t, 32, "none", 7, 0, 11, 0x800)
	nine(ports[:2], uint8(1), uint16(5)).want(t, 7, 5, 32, "none")
	nine([]flow.Elem{el(4, 1), el(11, 2)}, uint8(1), uint16(0x0b00)).want(t, 32, 0xb00, 11, "none")
	nine([]flow.Elem{el(11, 4), el(4, 2)}, uint32(0x0b00), uint16(1)).want(t, 32, 0xb00, 11, "none")

	apart := append(ports, el(32, 2))
	nine(apart, uint8(1), uint16(0), uint16(0), uint16(0x0800)).want(t, 32, 0x800, 7, "none", 11, "none")
	nine(apart, uint8(1), uint16(0), uint16(0x0800), uint16(0x0800)).want(t, 32, 0x800, 7, "none", 11, "none")
	nine(apart, uint8(1), uint16(17549), uint16(0), uint16(0x0800)).want(t, 32, 0x800, 7, 17549, 11, 0) // Cisco ASA: an identifier
	nine(apart, uint8(6), uint16(0), uint16(0), uint16(0)).want(t, 32, 0, 7, 0, 11, 0)

	two := append(apart, el(139, 2))
	nine(two, uint8(58), uint16(0), uint16(0x8000), uint16(0), uint16(0x8000)).want(t, 139, 0x8000, 32, "none", 7, "none", 11, "none")
	nine(two, uint8(1), uint16(0), uint16(0x0800), uint16(0x0800), uint16(0)).want(t, 32, 0x800, 139, "none", 7, "none", 11, "none")

	both := append(ports, el(176, 1), el(177, 1))
	nine(both, uint8(1), uint16(0), uint16(0x0301), uint8(3), uint8(1)).want(t, 176, 3, 177, 1, 7, "none", 11, "none")
	nine(both, uint8(1), uint16(0), uint16(0), uint8(3), uint8(1)).want(t, 176, 3, 7, "none", 11, "none")
	nine(both, uint8(1), uint16(0), uint16(17549), uint8(0), uint8(0)).want(t, 176, 0, 7, 0, 11, 17549)

	for _, c := range []struct{ proto, src, dst, want int }{
		{1, 0, 0x0800, 0x0800},
		{1, 3, 1, 0x0301},          // fprobe: type and code in a port each
		{1, 8, 0, 0x0800},          // the same, or the source port turned round
		{1, 0x0103, 0, 0x0301},     // turned round
		{1, 0x0800, 0, 0x0800},     // in the source port
		{58, 0, 0x8700, 0x8700},    // softflowd does not, but it could be
		{1, 40000, 0x0303, 0x0303}, // the source port says something else
		{1, 0, 0, 0},               // an echo reply
	} {
		for _, version := range []int{1, 5, 7} {
			s := newSession(t, Config{})
			s.send(fixedMessage(version, fixedRecord{src: uint16(c.src), dst: uint16(c.dst), proto: uint8(c.proto)}))
			id := 32
			if c.proto == 58 {
				id = 139
			}
			r := s.one()
			r.want(t, id, c.want, 11, "none")
			if kept := c.src == 40000; r.has(7) != kept {
				t.Errorf("v%d, ports %d and %d: source port %s", version, c.src, c.dst, r.get(7))
			}
		}
	}
}

// TestMixed puts records of many variants into one set, and wants them in their order.
func TestMixed(t *testing.T) {
	s := newSession(t, Config{})
	fields := []flow.Elem{el(1, 4), el(4, 1), el(7, 2), el(11, 2), el(8, 4), el(27, 16)}
	var values []byte
	const n = 500
	for i := range n {
		four, six := addr("192.0.2.1"), addr("::")
		if i%3 == 0 {
			four, six = addr("0.0.0.0"), addr("2001:db8::1")
		}
		values = append(values, join(uint32(i), []uint8{6, 1, 17, 58}[i/2%4], uint16(i%5), uint16(i), four, six)...)
	}
	s.send(ipfix(0, set(2, tmpl(256, fields...)), set(256, values)))
	rows := s.rows()
	if len(rows) != n {
		t.Fatalf("%d records", len(rows))
	}
	for i, r := range rows {
		r.want(t, 1, i)
		if (i%3 == 0) != r.has(27) || (i%3 != 0) != r.has(8) {
			t.Errorf("record %d: %s", i, r)
		}
		switch i / 2 % 4 {
		case 1:
			r.want(t, 32, i, 11, "none")
		case 3:
			r.want(t, 139, i, 11, "none")
		default:
			r.want(t, 11, i, 7, i%5)
		}
	}
}

// TestRawReserved keeps out of the numbers that are the stream's own.
func TestRawReserved(t *testing.T) {
	for id := ie.ID(0); id < 1<<16; id++ {
		e, _ := raw(el(id, 1))
		if n := e.ID.Num(); e.ID.PEN() != ie.ProjectPEN || n >= 1<<16-2 || e.ID != misfit && n&^enterprise != uint16(id) {
			t.Fatalf("element %d is kept as %d", id, n)
		}
		if _, known := ie.Lookup(e.ID); known {
			t.Fatalf("element %d is kept as %s, which is another", id, e.ID)
		}
	}
}
