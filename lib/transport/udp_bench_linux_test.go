package transport

import (
	"net/netip"
	"testing"
)

// BenchmarkReceive drains a full socket: the time is that of receiving alone.
func BenchmarkReceive(b *testing.B) {
	for _, c := range []struct {
		name      string
		size, gso int
	}{{"plain/200", 200, 0}, {"plain/1450", 1450, 0}, {"gro/500", 500, 128}, {"gro/1450", 1450, 44}} {
		b.Run(c.name, func(b *testing.B) { benchmarkReceive(b, c.size, c.gso) })
	}
}

func benchmarkReceive(b *testing.B, size, gso int) {
	u, err := ListenUDP(Endpoint{Network: "udp", Host: "127.0.0.1"}, UDPOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer u.Close()
	if u.Buffer().Granted < defaultBuffer {
		b.Skip("missing: CAP_NET_ADMIN, for a receive buffer that holds the packets")
	}
	const fill = 20000 / 128 / 44 * 128 * 44
	l := newLoader(b, netip.Addr{}, u.Addr())
	packets := numbered(0, fill, size)
	if gso > 0 {
		l.segments(b, size)
		packets = numbered(0, fill/gso, size*gso)
	}
	buffers := newBatch(u.workers[0].gro)
	b.ReportAllocs()
	b.ResetTimer()
	got := 0
	for range (b.N + fill - 1) / fill {
		b.StopTimer()
		l.send(b, packets)
		b.StartTimer()
		for want := got + fill; got < want; {
			batch, err := buffers.receive(u.workers[0].fd, 0x40)
			if err != nil || len(batch) == 0 {
				b.Fatalf("%d of %d packets, %d dropped: %v", got, want, u.Drops(), err)
			}
			got += len(batch)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/packet")
}
