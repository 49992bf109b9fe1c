package netflow

import (
	"fmt"
	"math"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// ntp64 is a time as an NTP timestamp.
func ntp64(nanos int64) uint64 {
	return uint64(nanos/1e9+ntpEpoch)<<32 | uint64((nanos%1e9)<<32/1e9)
}

// TestTimes sends every form of a time.
func TestTimes(t *testing.T) {
	const at int64 = testTime*1e9 - 3_123_456_000 // the start
	const millis = at / 1e6 * 1e6
	for _, c := range []struct {
		name   string
		fields []flow.Elem
		values []byte
		start  ie.ID
		want   int64
	}{
		{"seconds", []flow.Elem{el(150, 4)}, join(uint32(at / 1e9)), 150, at / 1e9 * 1e9},
		{"milliseconds", []flow.Elem{el(152, 8)}, join(uint64(at / 1e6)), 152, millis},
		{"microseconds, NTP", []flow.Elem{el(154, 8)}, join(ntp64(at)), 154, at},
		{"microseconds since 1970", []flow.Elem{el(154, 8)}, join(uint64(at / 1e3)), 154, at},
		{"nanoseconds, NTP", []flow.Elem{el(156, 8)}, join(ntp64(at)), 156, at},
		{"nanoseconds since 1970", []flow.Elem{el(156, 8)}, join(uint64(at)), 156, at},
		{"delta", []flow.Elem{el(158, 4)}, join(uint32(3_123_456)), 154, at},
		{"no time, NTP", []flow.Elem{el(156, 8)}, join(uint64(0)), 156, 0},
	} {
		end := make([]flow.Elem, len(c.fields))
		for i, f := range c.fields {
			end[i] = el(f.ID+1, int(f.Len))
		}
		for _, version := range []int{9, 10} {
			s := newSession(t, Config{})
			fields := append(append([]flow.Elem(nil), c.fields...), end...)
			m := ipfix(0, set(2, tmpl(256, fields...)), set(256, c.values, c.values))
			if version == 9 {
				m = v9(0, set(0, tmpl(256, fields...)), set(256, c.values, c.values))
			}
			s.send(m)
			r := s.one()
			for _, id := range []ie.ID{c.start, c.start + 1} {
				if v := r.all(id); len(v) != 1 || abs(int64(v[0].num)-c.want) > 1 {
					t.Errorf("v%d, %s: %s, want %d; record: %s", version, c.name, id, c.want, r)
				}
			}
			if s.x.Stats.Clamped != 0 {
				t.Errorf("%s: %d clamped", c.name, s.x.Stats.Clamped)
			}
		}
	}
}

func abs(x int64) int64 { return max(x, -x) }

// TestUptimes sends uptimes around the wrap of their counter, and of NetFlow v1, v5 and v9.
func TestUptimes(t *testing.T) {
	for _, c := range []struct {
		uptime, first uint32
		before        int64 // milliseconds from the flow's start to the message
	}{
		{testUptime, testUptime - 5000, 5000},
		{testUptime, testUptime, 0},
		{testUptime, testUptime + 40, -40}, // a clock of the exporter is behind the other
		{1000, math.MaxUint32 - 999, 2000}, // the counter wrapped between
		{math.MaxUint32, 5, -6},            // and here just after the message
		{0, 60000, -60000},                 // softflowd of a file: uptime 0, times after it
		{3381, math.MaxUint32, 3382},       // it began before the counter did
		{1 << 31, 100, 1<<31 - 100},        // 24 days ago
		{math.MaxUint32, math.MaxUint32 - 1<<30, 1 << 30},
	} {
		want := fmt.Sprint((testTime*1000 - c.before) * 1e6)
		s := newSession(t, Config{})
		s.send(v9at(testTime, c.uptime, 1, 1, set(0, tmpl(256, el(22, 4), el(21, 4))), set(256, c.first, c.first)))
		s.one().want(t, 152, want, 153, want, 22, "none", 21, "none")
		for _, version := range []int{1, 5, 7} {
			m := fixedMessage(version, fixedRecord{proto: 6, first: c.first, last: c.first})
			copy(m[4:], join(c.uptime))
			copy(m[12:], join(uint32(0)))
			s := newSession(t, Config{})
			s.send(m)
			s.one().want(t, 152, want, 153, want)
		}
	}
}

// TestSystemInit takes the start of an exporter of IPFIX from options data or from the record.
func TestSystemInit(t *testing.T) {
	s := newSession(t, Config{})
	s.send(ipfix(0, set(2, tmpl(256, el(22, 4), el(21, 4))), set(256, uint32(1000), uint32(3000))))
	s.one().want(t, 22, 1000, 21, 3000, 152, "none", 153, "none") // nothing says when it was started
	s.send(ipfix(1, set(3, optionsRecordX(300, 1, el(143, 4), el(160, 8))), set(300, uint32(1), uint64(testBoot)),
		set(256, uint32(1000), uint32(3000))))
	s.one().want(t, 152, uint64((testBoot+1000)*1e6), 153, uint64((testBoot+3000)*1e6), 22, "none")

	for _, order := range [][]flow.Elem{{el(160, 8), el(22, 4), el(21, 4)}, {el(22, 4), el(21, 4), el(160, 8)}} {
		var values []byte
		for _, f := range order {
			values = append(values, map[ie.ID][]byte{160: join(uint64(testBoot)), 22: join(uint32(1000)), 21: join(uint32(3000))}[f.ID]...)
		}
		decodeOne(t, order, values).want(t, 152, uint64((testBoot+1000)*1e6), 153, uint64((testBoot+3000)*1e6), 160, uint64(testBoot*1e6))
	}
	// the uptime of an exporter that has been up for 120 days, in 32 bits
	long := uint64(testTime*1000 - 120*86400e3)
	up := uint64(120*86400e3 - 4000)
	decodeOne(t, []flow.Elem{el(160, 8), el(22, 4)}, long, uint32(up)).want(t, 152, uint64((testTime*1000-4000)*1e6))
	// a record of NetFlow v9 that says it goes before the header, unless it says nothing
	nine := func(init uint64) row {
		s := newSession(t, Config{})
		s.send(v9(1, set(0, tmpl(256, el(160, 8), el(22, 4))), set(256, init, uint32(1000))))
		return s.one()
	}
	// the start in options data of NetFlow v9 is not that of its uptime: nothing begins anew
	s = newSession(t, Config{})
	for i := range uint64(5) {
		s.send(v9(uint32(i), set(1, optionsRecord9(300, 1, el(1, 4), el(160, 8))), set(300, uint32(0), testBoot+i*100000)))
	}
	if s.x.Stats.Restarts != 0 {
		t.Errorf("%+v", s.x.Stats)
	}
	nine(testBoot+7).want(t, 152, uint64((testBoot+1007)*1e6))
	nine(0).want(t, 152, uint64((testBoot+1000)*1e6))
}

// TestAbsoluteBeforeUptime has both: the absolute time counts, the uptime stays as it is.
func TestAbsoluteBeforeUptime(t *testing.T) {
	s := newSession(t, Config{})
	s.send(v9(1, set(0, tmpl(256, el(22, 4), el(21, 4), el(152, 8), el(153, 8))),
		set(256, uint32(1), uint32(2), uint64(5000), uint64(6000))))
	s.one().want(t, 22, 1, 21, 2, 152, uint64(5000e6), 153, uint64(6000e6))
	s.send(v9(2, set(0, tmpl(257, el(22, 4), el(21, 4), el(152, 8))), set(257, uint32(testUptime), uint32(testUptime), uint64(5000))))
	s.one().want(t, 22, testUptime, 152, uint64(5000e6), 153, uint64(testTime*1e9))
}

// TestDuration makes the missing endpoint of start, end and duration.
func TestDuration(t *testing.T) {
	const start, end = testTime*1000 - 9000, testTime*1000 - 2000
	for _, c := range []struct {
		fields     []flow.Elem
		values     []byte
		start, end any
	}{
		{[]flow.Elem{el(152, 8), el(161, 4)}, join(uint64(start), uint32(7000)), "none", uint64(end * 1e6)},
		{[]flow.Elem{el(161, 4), el(153, 8)}, join(uint32(7000), uint64(end)), uint64(start * 1e6), "none"},
		{[]flow.Elem{el(152, 8), el(162, 4)}, join(uint64(start), uint32(7e6)), "none", uint64(end * 1e6)},
		{[]flow.Elem{el(150, 4), el(161, 2)}, join(uint32(start/1000), uint16(7000)), "none", uint64(end * 1e6)},
		{[]flow.Elem{el(158, 4), el(161, 4)}, join(uint32(9e6), uint32(7000)), "none", uint64(end * 1e6)},
		{[]flow.Elem{el(152, 8), el(153, 8), el(161, 4)}, join(uint64(start), uint64(end), uint32(1)), "none", "none"},
		{[]flow.Elem{el(161, 4)}, join(uint32(1)), "none", "none"},
		{[]flow.Elem{el(22, 4), el(161, 4)}, join(uint32(1), uint32(1)), "none", "none"}, // no clock
		{[]flow.Elem{el(22, 4), el(153, 8), el(161, 4)}, join(uint32(1), uint64(end), uint32(7000)), uint64(start * 1e6), "none"},
	} {
		r := decodeOne(t, c.fields, c.values)
		r.want(t, 156, c.start, 157, c.end)
		if !r.has(161) && !r.has(162) {
			t.Errorf("the duration is gone: %s", r)
		}
	}
	s := newSession(t, Config{})
	s.send(v9(1, set(0, tmpl(256, el(22, 4), el(161, 4))), set(256, uint32(testUptime-9000), uint32(7000))))
	s.one().want(t, 152, uint64(start*1e6), 157, uint64(end*1e6))
}

// TestOutOfRange sends times that do not fit: they are the nearest that do, are counted, and stay
// as they were sent in columns of their own.
func TestOutOfRange(t *testing.T) {
	const last = uint64(math.MaxInt64)
	for _, c := range []struct {
		name    string
		field   flow.Elem
		value   []byte
		as      ie.ID
		want    uint64
		raw     ie.ID
		wantRaw string
		message func(fields []flow.Elem, v []byte) []byte
	}{
		{"milliseconds", el(152, 8), join(uint64(1) << 50), 152, last, Raw(152), "0004000000000000", nil},
		{"seconds", el(150, 8), join(uint64(1) << 40), 150, last, Raw(150), "0000010000000000", nil},
		{"reverse milliseconds", el(ie.New(ie.ReversePEN, 152), 8), join(uint64(math.MaxUint64)), ie.New(ie.ReversePEN, 152), last, misfit, "000072790098" + "ffffffffffffffff", nil},
		{"delta", el(158, 8), join(uint64(math.MaxUint64)), 154, 0, 158, "18446744073709551615", nil},
		{"uptime before 1970", el(22, 4), join(uint32(7)), 152, 0, 22, "7", func(f []flow.Elem, v []byte) []byte {
			return v9at(3, 60000, 1, 1, set(0, tmpl(256, f...)), set(256, v)) // the exporter's clock is at 1970
		}},
	} {
		s := newSession(t, Config{})
		m := ipfix(0, set(2, tmpl(256, c.field, el(4, 1))), set(256, c.value, uint8(6)))
		if c.message != nil {
			m = c.message([]flow.Elem{c.field, el(4, 1)}, join(c.value, uint8(6)))
		}
		s.send(m)
		r := s.one()
		r.want(t, c.as, c.want, c.raw, c.wantRaw, 4, 6)
		if s.x.Stats.Clamped != 1 {
			t.Errorf("%s: %d clamped", c.name, s.x.Stats.Clamped)
		}
	}
	s := newSession(t, Config{})
	s.send(ipfix(0, set(2, tmpl(256, el(152, 8), el(161, 8))), set(256, uint64(testTime*1000), uint64(math.MaxUint64))))
	s.one().want(t, 152, uint64(testTime*1e9), 157, last, 161, uint64(math.MaxUint64))
	s.send(ipfix(1, set(2, tmpl(257, el(153, 8), el(161, 8))), set(257, uint64(5000), uint64(5001))))
	s.one().want(t, 153, uint64(5000e6), 156, 0)
	if s.x.Stats.Clamped != 2 {
		t.Errorf("%d clamped", s.x.Stats.Clamped)
	}
	s.send(ipfix(2, set(3, optionsRecordX(300, 1, el(143, 4), el(160, 8))), set(300, uint32(1), uint64(1)<<60)))
	if len(s.tables) != 1 || s.tables[0].keys != 3 || s.tables[0].rows[0].get(Raw(160)) != "1000000000000000" {
		t.Errorf("tables %v", s.tables)
	}
	// a header without a time: uptimes mean nothing
	s = newSession(t, Config{})
	s.send(v9at(0, 5000, 1, 1, set(0, tmpl(256, el(22, 4))), set(256, uint32(7))))
	s.one().want(t, 22, 7, 152, "none")
	if s.x.Stats.Clamped != 0 {
		t.Errorf("%d clamped", s.x.Stats.Clamped)
	}
}

// TestNTPEras looks at NTP around 2036, when its seconds begin anew.
func TestNTPEras(t *testing.T) {
	for _, at := range []int64{946684800e9, 2085978495e9, 2085978497e9, 2200000000e9} {
		s := newSession(t, Config{})
		s.sendAt(at+1e9, ipfixAt(uint32(at/1e9), 0, 1, set(2, tmpl(256, el(156, 8))), set(256, ntp64(at))))
		s.one().want(t, 156, at)
	}
}
