package netflow

import (
	"testing"

	"nfpipe/lib/ie"
)

// fixedRecord is what the tests set in a record of NetFlow v1, v5 or v7.
type fixedRecord struct {
	src, dst    uint16
	proto       uint8
	first, last uint32
}

func (r fixedRecord) bytes(version int) []byte {
	b := join(addr("192.0.2.10"), addr("198.51.100.20"), addr("203.0.113.1"), uint16(3), uint16(4), uint32(5), uint32(600),
		r.first, r.last, r.src, r.dst)
	if version == 1 {
		return join(b, uint16(0), r.proto, uint8(0xb8), uint8(0x1b), make([]byte, 7))
	}
	b = join(b, uint8(0), uint8(0x1b), r.proto, uint8(0xb8), uint16(64500), uint16(64501), uint8(24), uint8(16), uint16(0))
	if version == 7 {
		b = append(b, 10, 0, 0, 1)
	}
	return b
}

// fixedHeader is the header of so many records; after is the sequence number of v5 and v7.
func fixedHeader(version, count int, number uint32) []byte {
	b := join(uint16(version), uint16(count), uint32(testUptime), uint32(testTime), uint32(250e6))
	switch version {
	case 5:
		return join(b, number, uint8(2), uint8(9), uint16(0))
	case 7:
		return join(b, number, uint32(0))
	}
	return b
}

func fixedMessage(version int, records ...fixedRecord) []byte {
	b := fixedHeader(version, len(records), 0)
	for _, r := range records {
		b = append(b, r.bytes(version)...)
	}
	return b
}

// TestFixed checks every field of the three versions.
func TestFixed(t *testing.T) {
	for _, version := range []int{1, 5, 7} {
		s := newSession(t, Config{})
		s.send(fixedMessage(version, fixedRecord{1000, 2000, 6, testUptime - 5000, testUptime - 1000}))
		r := s.one()
		r.want(t, 8, "192.0.2.10", 12, "198.51.100.20", 15, "203.0.113.1", 10, 3, 14, 4, 2, 5, 1, 600, 7, 1000, 11, 2000,
			4, 6, 5, 0xb8, 6, 0x1b, 152, uint64(testTime*1e9+250e6-5e9), 153, uint64(testTime*1e9+250e6-1e9), 130, sender)
		elements := 17
		if version != 1 {
			r.want(t, 16, 64500, 17, 64501, 9, 24, 13, 16)
			elements += 4
		}
		switch version {
		case 5:
			r.want(t, 38, 2, 39, 9, 149, 2<<8|9)
			elements += 2
		case 7:
			r.want(t, 43, "10.0.0.1", 149, 0)
			elements++
		}
		if len(r) != elements {
			t.Errorf("v%d has %d elements, want %d: %s", version, len(r), elements, r)
		}
	}
}

// TestFixedLong sends more records than routers do, and v1 with more padding.
func TestFixedLong(t *testing.T) {
	for _, version := range []int{1, 5, 7} {
		var records []fixedRecord
		for i := range 100 {
			records = append(records, fixedRecord{src: uint16(i), dst: 1, proto: 17})
		}
		s := newSession(t, Config{})
		s.send(fixedMessage(version, records...))
		for i, r := range s.rows() {
			r.want(t, 7, i)
		}
		if s.x.Stats.Records != 100 {
			t.Errorf("v%d: %+v", version, s.x.Stats)
		}
	}
	s := newSession(t, Config{})
	m := fixedHeader(1, 3, 0)
	for i := range 3 {
		m = join(m, fixedRecord{src: uint16(i), dst: 7, proto: 17}.bytes(1), []byte{9, 9, 9, 9})
	}
	s.send(m)
	for i, r := range s.rows() {
		r.want(t, 7, i, 11, 7)
	}
}

// TestFixedDamage cuts messages off, and lies about the count.
func TestFixedDamage(t *testing.T) {
	for _, version := range []int{1, 5, 7} {
		whole := fixedMessage(version, make([]fixedRecord, 3)...)
		size := len(fixedRecord{}.bytes(version))
		header := len(whole) - 3*size
		for n := range whole {
			s := newSession(t, Config{})
			err := s.x.Decode(whole[:n], arrival)
			want := max(0, n-header) / size
			if got := len(s.rows()); err == nil || got != want {
				t.Errorf("v%d cut at %d: %d records, want %d; error %v", version, n, got, want, err)
			}
		}
		few := append([]byte(nil), whole...)
		few[3] = 2
		s := newSession(t, Config{})
		if err := s.x.Decode(few, arrival); err == nil || len(s.rows()) != 2 || s.x.Stats.Bad != 1 {
			t.Errorf("v%d: what is behind the records is no error: %+v", version, s.x.Stats)
		}
		s = newSession(t, Config{})
		s.send(join(whole, make([]byte, 400))) // filled up
		if len(s.rows()) != 3 {
			t.Errorf("v%d filled up: %+v", version, s.x.Stats)
		}
	}
}

// TestRateOfHeader checks the sampling of NetFlow v5, whose upper two bits are a mode.
func TestRateOfHeader(t *testing.T) {
	for _, c := range []struct {
		field           uint16
		interval, space string
	}{
		{0, "none", "none"},
		{1, "none", "none"},
		{2, "1", "1"},
		{1<<14 | 100, "1", "99"},
		{2<<14 | 16383, "1", "16382"},
		{3 << 14, "none", "none"},
	} {
		m := fixedMessage(5, fixedRecord{proto: 6})
		m[22], m[23] = byte(c.field>>8), byte(c.field)
		s := newSession(t, Config{})
		s.send(m)
		s.one().want(t, ie.SamplingInterval, c.interval, ie.SamplingSpace, c.space, 1, 600)
	}
}

// TestVersions refuses what is neither NetFlow nor IPFIX, and leaves no state behind.
func TestVersions(t *testing.T) {
	s := newSession(t, Config{})
	for _, m := range [][]byte{nil, {0}, {0, 9}, {0, 9, 0}, join(uint16(8), make([]byte, 60)), join(uint16(0), make([]byte, 60)),
		join(uint16(9), make([]byte, 17)), join(uint16(5), make([]byte, 21)), join(uint16(10), uint16(16), make([]byte, 11)),
		join(uint16(10), uint16(15), make([]byte, 12)), join(uint16(10), uint16(17), make([]byte, 12))} {
		if err := s.x.Decode(m, arrival); err == nil {
			t.Errorf("% x is no error", m)
		}
	}
	if len(s.x.domains) != 0 || s.x.Stats.Bad != s.x.Stats.Messages {
		t.Errorf("%d domains, %+v", len(s.x.domains), s.x.Stats)
	}
	if err := s.x.Decode(join(ipfix(0), []byte{1}), arrival); err == nil {
		t.Error("a byte behind the message is no error")
	}
}
