package netflow

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"nfpipe/lib/flow"
)

// benchFields is a template of 17 fields, as routers send it.
var benchFields = [][2]uint16{{8, 4}, {12, 4}, {15, 4}, {10, 4}, {14, 4}, {2, 4}, {1, 4}, {22, 4}, {21, 4},
	{7, 2}, {11, 2}, {6, 1}, {4, 1}, {5, 1}, {16, 4}, {17, 4}, {9, 1}}

// benchPackets are a template and data packets of 22 records of NetFlow v9.
func benchPackets(n int) (template []byte, data [][]byte) {
	header := func(count uint16) []byte {
		p := binary.BigEndian.AppendUint16(nil, 9)
		p = binary.BigEndian.AppendUint16(p, count)
		p = binary.BigEndian.AppendUint32(p, 3_600_000)
		p = binary.BigEndian.AppendUint32(p, 1_700_000_000)
		p = binary.BigEndian.AppendUint32(p, 1)
		return binary.BigEndian.AppendUint32(p, 7)
	}
	template = header(1)
	template = binary.BigEndian.AppendUint16(template, 0)
	template = binary.BigEndian.AppendUint16(template, uint16(8+4*len(benchFields)))
	template = binary.BigEndian.AppendUint16(template, 300)
	template = binary.BigEndian.AppendUint16(template, uint16(len(benchFields)))
	for _, f := range benchFields {
		template = binary.BigEndian.AppendUint16(template, f[0])
		template = binary.BigEndian.AppendUint16(template, f[1])
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		p := header(22)
		p = binary.BigEndian.AppendUint16(p, 300)
		p = append(p, 0, 0)
		for range 22 {
			for _, f := range benchFields {
				for range f[1] {
					p = append(p, byte(r.Uint32()))
				}
				switch f[0] {
				case 8, 12:
					binary.BigEndian.PutUint32(p[len(p)-4:], 0x0a000000|uint32(r.ExpFloat64()*3000))
				case 15:
					binary.BigEndian.PutUint32(p[len(p)-4:], 0x0a000000|uint32(r.IntN(8)))
				case 4:
					p[len(p)-1] = 6
				case 21, 22:
					binary.BigEndian.PutUint32(p[len(p)-4:], uint32(3_590_000+r.IntN(9000)))
				}
			}
		}
		binary.BigEndian.PutUint16(p[22:], uint16(len(p)-20))
		data = append(data, p)
	}
	return template, data
}

func BenchmarkDecode(b *testing.B) {
	template, data := benchPackets(1000)
	benchmark(b, template, data, 22)
}

// BenchmarkLayouts decodes records of other layouts, all of the same bytes in every packet.
func BenchmarkLayouts(b *testing.B) {
	six := []flow.Elem{el(27, 16), el(28, 16), el(62, 16), el(10, 4), el(14, 4), el(2, 8), el(1, 8), el(152, 8), el(153, 8),
		el(7, 2), el(11, 2), el(6, 2), el(4, 1), el(5, 1), el(16, 4), el(17, 4), el(302, 4)}
	both := []flow.Elem{el(8, 4), el(12, 4), el(27, 16), el(28, 16), el(10, 4), el(14, 4), el(2, 8), el(1, 8), el(152, 8), el(153, 8),
		el(7, 2), el(11, 2), el(6, 1), el(4, 1), el(5, 1)}
	varies := append(append([]flow.Elem(nil), both...), el(82, variable16))
	for name, fields := range map[string][]flow.Elem{"ipv6-selector": six, "pairs": both, "variable": varies} {
		b.Run(name, func(b *testing.B) {
			var values []byte
			for i := range 12 {
				for _, f := range fields {
					switch n := int(f.Len); {
					case f.Len == flow.Variable:
						values = append(values, 3, 'e', 't', 'h')
					case n == 8:
						values = append(values, join(uint64(testTime*1000-i))...)
					default:
						values = append(values, make([]byte, n-1)...)
						values = append(values, byte(i+2))
					}
				}
			}
			benchmark(b, ipfix(0, set(2, tmpl(256, fields...))), [][]byte{ipfix(0, set(256, values))}, 12)
		})
	}
	b.Run("v5", func(b *testing.B) {
		var records []fixedRecord
		for i := range 30 {
			records = append(records, fixedRecord{uint16(i), 80, 6, testUptime - 1000, testUptime})
		}
		benchmark(b, fixedMessage(5), [][]byte{fixedMessage(5, records...)}, 30)
	})
}

// benchmark decodes packets of so many records.
func benchmark(b *testing.B, template []byte, data [][]byte, records int) {
	sink := flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		b.Reset()
		return b
	})
	x := NewExporter(netip.MustParseAddr("192.0.2.1"), Config{Sink: sink})
	if err := x.Decode(template, 1e18); err != nil {
		b.Fatal(err)
	}
	i := 0
	for range 9000 { // the builder has its memory
		x.Decode(data[i%len(data)], 1e18)
		i++
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(data[0])))
	for b.Loop() {
		if err := x.Decode(data[i%len(data)], 1e18); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
}

// TestDecodeAllocates checks that decoding allocates nothing for a packet.
func TestDecodeAllocates(t *testing.T) {
	template, data := benchPackets(10)
	sink := flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		b.Reset()
		return b
	})
	x := NewExporter(netip.MustParseAddr("192.0.2.1"), Config{Sink: sink})
	x.Decode(template, 1e18)
	i := 0
	decode := func() {
		if err := x.Decode(data[i%len(data)], 1e18); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range 4000 {
		decode()
	}
	if n := testing.AllocsPerRun(1000, decode); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
