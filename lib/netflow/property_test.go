package netflow

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// TestNaive decodes records of random templates, and compares them with a decoder that looks at
// one field after the other.
func TestNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 7))
	elements := ordinary()
	fields, total := 0, 0
	for round := range 600 {
		var template []flow.Elem
		for range 1 + r.IntN(40) {
			template = append(template, randomField(r, elements))
		}
		n := 1 + r.IntN(12)
		var values []byte
		var want [][]string
		for range n {
			var row []string
			for _, f := range template {
				v := randomValue(r, f)
				if s := naive(f, v); s != "" {
					row = append(row, s)
				}
				if f.Len == flow.Variable {
					if r.IntN(2) == 0 || len(v) > 254 {
						values = append(values, 255, byte(len(v)>>8), byte(len(v)))
					} else {
						values = append(values, byte(len(v)))
					}
				}
				values = append(values, v...)
			}
			want = append(want, append(row, "exporterIPv4Address="+sender.String(), fmt.Sprint("observationDomainId=", testDomain),
				fmt.Sprint("collectionTimeMilliseconds=", uint64(arrival))))
		}
		s := newSession(t, Config{})
		s.send(ipfix(0, set(2, tmpl(256, template...)), set(256, values)))
		rows := s.rows()
		if len(rows) != n {
			t.Fatalf("round %d: %d records, want %d; template %v", round, len(rows), n, template)
		}
		for i, row := range rows {
			total++
			var got []string
			for _, v := range row {
				got = append(got, v.String())
			}
			fields += len(got)
			if !slices.Equal(got, want[i]) {
				t.Fatalf("round %d, record %d: template %v\n%q, want\n%q", round, i, template, got, want[i])
			}
		}
	}
	t.Logf("%d records, %d fields", total, fields)
}

// ordinary are the elements that mean nothing to the decoder but their type.
func ordinary() []ie.ID {
	special := []ie.ID{4, 7, 11, 21, 22, 32, 34, 48, 50, 60, 130, 131, 139, 149, 158, 159, 160, 161, 162, 176, 177, 178, 179,
		258, 302, 305, 306, 309, 310}
	var out []ie.ID
	for id := ie.ID(1); id < 700; id++ {
		e, known := ie.Lookup(id)
		col, family := ie.Column(id)
		if slices.Contains(special, id) || known && e.Type.IsList() || family == ie.IPv6 || col == 156 && id != 156 || col == 157 && id != 157 {
			continue
		}
		out = append(out, id)
		if id < 400 {
			out = append(out, ie.New(ie.ReversePEN, uint16(id)), ie.New(4711, uint16(id)), ie.New(6876, uint16(800+id)), ie.New(9, uint16(12000+id)))
		}
	}
	return out
}

func randomField(r *rand.Rand, elements []ie.ID) flow.Elem {
	f := flow.Elem{ID: elements[r.IntN(len(elements))]}
	e, _ := ie.Lookup(f.ID)
	switch r.IntN(6) {
	case 0:
		f.Len = flow.Variable
	case 1:
		f.Len = uint16(1 + r.IntN(20))
	default:
		f.Len = uint16(e.Type.Size())
		if f.Len == 0 {
			f.Len = uint16(1 + r.IntN(30))
		}
	}
	return f
}

func randomValue(r *rand.Rand, f flow.Elem) []byte {
	n := int(f.Len)
	if f.Len == flow.Variable {
		n = []int{0, 1, 5, 40, 300}[r.IntN(5)]
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	e, _ := ie.Lookup(f.ID)
	if n != e.Type.Size() {
		if e.Type == ie.DateTimeMilliseconds || e.Type == ie.DateTimeSeconds {
			for i := range min(n, max(0, n-4)) {
				b[i] = 0 // in range
			}
		}
		return b
	}
	at := testTime*1e9 - r.Int64N(1e15)
	switch e.Type {
	case ie.DateTimeSeconds:
		return join(uint32(at / 1e9))
	case ie.DateTimeMilliseconds:
		return join(uint64(at / 1e6))
	case ie.DateTimeMicroseconds:
		return join(uint64(at / 1e3)) // plain; NTP has a test of its own
	case ie.DateTimeNanoseconds:
		return join(uint64(at))
	case ie.Float64:
		return join(math.Float64bits(r.NormFloat64()))
	case ie.Float32:
		return join(math.Float32bits(float32(r.NormFloat64())))
	}
	return b
}

// naive is what a field becomes, as a value is printed; "" for padding.
func naive(f flow.Elem, v []byte) string {
	e, known := ie.Lookup(f.ID)
	x := new(big.Int).SetBytes(v)
	number := func(x *big.Int) string { return fmt.Sprintf("%s=%s", f.ID, x) }
	octets := fmt.Sprintf("%s=%x", f.ID, v)
	if f.ID == 210 {
		return ""
	}
	if !known || e.Type == ie.OctetArray || e.Type == ie.String || e.Type == ie.Unsigned256 {
		return octets
	}
	fits := f.Len <= 8
	switch e.Type {
	case ie.Unsigned8, ie.Unsigned16, ie.Unsigned32, ie.Unsigned64:
		if fits {
			return number(x)
		}
	case ie.Signed8, ie.Signed16, ie.Signed32, ie.Signed64:
		if fits {
			if v[0] >= 0x80 {
				x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v))))
			}
			return fmt.Sprintf("%s=%d", f.ID, column.FromSigned(x.Int64()))
		}
	case ie.Float32, ie.Float64:
		switch f.Len {
		case 4:
			return fmt.Sprintf("%s=%d", f.ID, column.FromFloat(float64(math.Float32frombits(uint32(x.Uint64())))))
		case 8:
			return fmt.Sprintf("%s=%d", f.ID, column.FromFloat(math.Float64frombits(x.Uint64())))
		}
	case ie.Boolean:
		if fits {
			if x.Uint64() == 2 {
				x.SetInt64(0)
			}
			return number(x)
		}
	case ie.MACAddress:
		if f.Len == 6 {
			return number(x)
		}
	case ie.IPv4Address, ie.IPv6Address:
		if int(f.Len) == e.Type.Size() {
			a, _ := netip.AddrFromSlice(v)
			return fmt.Sprintf("%s=%s", f.ID, a)
		}
	case ie.DateTimeSeconds, ie.DateTimeMilliseconds:
		if fits {
			unit := int64(1e9)
			if e.Type == ie.DateTimeMilliseconds {
				unit = 1e6
			}
			return number(x.Mul(x, big.NewInt(unit)))
		}
	case ie.DateTimeMicroseconds, ie.DateTimeNanoseconds:
		if f.Len == 8 {
			unit := int64(1)
			if e.Type == ie.DateTimeMicroseconds {
				unit = 1000
			}
			return number(x.Mul(x, big.NewInt(unit)))
		}
	}
	if f.ID.PEN() == 0 {
		return fmt.Sprintf("%d/%d=%x", uint32(ie.ProjectPEN), 32768+uint64(f.ID), v)
	}
	return fmt.Sprintf("%d/32767=%08x%04x%s", uint32(ie.ProjectPEN), f.ID.PEN(), f.ID.Num(), hex.EncodeToString(v))
}

// TestSplit packs the same records into messages and sets in different ways: they stay the same.
func TestSplit(t *testing.T) {
	templates := [][]byte{
		tmpl(256, benchElems()...),
		tmpl(257, el(82, variable16), el(1, 8), el(8, 4), el(27, 16)),
		tmpl(258, el(4, 1), el(7, 2), el(11, 2), el(48, 1), el(2, 4)),
	}
	r := rand.New(rand.NewPCG(3, 1))
	type piece struct {
		id   int
		body []byte
	}
	var records []piece
	for range 400 {
		id := 256 + r.IntN(3)
		for range 1 + r.IntN(10) {
			var b []byte
			switch id {
			case 256:
				for _, f := range benchElems() {
					b = append(b, join(uint64(r.Uint64()))[:f.Len]...)
				}
			case 257:
				name := make([]byte, r.IntN(300))
				four, six := make([]byte, 4), make([]byte, 16)
				four[3], six[15] = byte(r.IntN(2)), byte(r.IntN(2))
				b = join(short(name), r.Uint64(), four, six)
			case 258:
				b = join([]uint8{1, 6, 17, 58}[r.IntN(4)], uint16(r.IntN(3)), uint16(r.Uint32()), uint8(r.IntN(3)), r.Uint32())
			}
			records = append(records, piece{id, b})
		}
	}
	decode := func(version, perMessage int, joined bool) []row {
		build, first, sampler := ipfix, 2, set(3, optionsRecordX(300, 1, el(144, 1), el(48, 1), el(50, 2)))
		if version == 9 {
			build, first, sampler = v9, 0, set(1, optionsRecord9(300, 1, el(1, 1), el(48, 1), el(50, 2)))
		}
		s := newSession(t, Config{})
		s.send(build(0, set(first, bytesOnly(templates...)), sampler, set(300, uint8(0), uint8(1), uint16(50))))
		for from := 0; from < len(records); from += perMessage {
			var sets [][]byte
			var body []byte
			part := records[from:min(from+perMessage, len(records))]
			for i, p := range part {
				body = append(body, p.body...)
				if !joined || i+1 == len(part) || part[i+1].id != p.id {
					sets = append(sets, set(p.id, body))
					body = nil
				}
			}
			s.send(build(uint32(from), sets...))
		}
		return s.rows()
	}
	for _, version := range []int{9, 10} {
		want := decode(version, 1, false)
		if len(want) != len(records) {
			t.Fatalf("%d records, want %d", len(want), len(records))
		}
		for _, per := range []int{2, 7, 100} {
			for _, joined := range []bool{false, true} {
				got := decode(version, per, joined)
				if len(got) != len(want) {
					t.Fatalf("%d a message: %d records, want %d", per, len(got), len(want))
				}
				for i := range got {
					if got[i].String() != want[i].String() {
						t.Fatalf("%d a message, record %d: %s, want %s", per, i, got[i], want[i])
					}
				}
			}
		}
	}
}
