package meter

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"nfpipe/lib/packet"
)

// traffic makes packets of so many flows, uniformly mixed: the worst that the
// caches can meet.
func traffic(packets, flows int) []packet.Packet {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]packet.Packet, packets)
	for i := range list {
		f := uint32(r.IntN(flows))
		p := &list[i]
		p.Time = 1_700_000_000*second + int64(i)*10_000
		p.Family, p.Proto, p.Bytes, p.TTL = 4, packet.ProtoTCP, 100, 64
		p.TCPFlags, p.Flags = tcpACK, packet.HasPorts
		binary.BigEndian.PutUint32(p.Src[:], 10<<24|f*2654435761>>8)
		binary.BigEndian.PutUint32(p.Dst[:], 172<<24|f)
		p.SrcPort, p.DstPort = uint16(f*40503), 443
		if r.IntN(2) == 0 {
			p.Src, p.Dst, p.SrcPort, p.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
		}
	}
	return list
}

// BenchmarkAdd gives ten million packets to a new cache and empties it.
func BenchmarkAdd(b *testing.B) {
	for _, flows := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("flows=%d", flows), func(b *testing.B) {
			const n, rounds = 2_000_000, 5
			list := traffic(n, flows)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				m := New(Config{}, func(*Record) {})
				for range rounds {
					m.Add(list)
				}
				m.Flush()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*rounds), "ns/packet")
		})
	}
}
