package packet

import (
	"encoding/binary"
	"testing"
)

// frames builds n Ethernet frames of TCP with pseudo-random addresses.
func frames(n int) [][]byte {
	out := make([][]byte, n)
	x := uint64(88172645463325252)
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b := make([]byte, 98)
		b[12], b[13] = 8, 0
		b[14], b[17], b[22], b[23] = 0x45, 84, 64, ProtoTCP
		binary.BigEndian.PutUint64(b[26:], x)
		binary.BigEndian.PutUint32(b[34:], uint32(x>>20))
		b[46], b[47] = 0x50, 0x10
		out[i] = b
	}
	return out
}

func BenchmarkParseTCP(b *testing.B) {
	list := frames(1024)
	var q Parser
	out := make([]Packet, 256)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		f := list[i&1023]
		if q.Parse(LinkEthernet, f, len(f), &out[i&255]) != IP {
			b.Fatal("not ip")
		}
	}
}
