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
	sink := flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		b.Reset()
		return b
	})
	x := NewExporter(netip.MustParseAddr("192.0.2.1"), Config{Sink: sink})
	if err := x.Decode(template, 1); err != nil {
		b.Fatal(err)
	}
	i := 0
	for range 3000 { // the builder has its memory
		x.Decode(data[i%len(data)], 1e18)
		i++
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := x.Decode(data[i%len(data)], 1e18); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/22, "ns/record")
}
