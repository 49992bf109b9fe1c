package meter

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"nfpipe/lib/packet"
)

func dur(ns int64) time.Duration { return time.Duration(ns) }

// segment is a TCP packet between two fixed ends; back goes the other way.
func segment(at float64, flags uint16, back bool) packet.Packet {
	p := packet.Packet{Time: int64(at * second), Family: 4, Proto: packet.ProtoTCP, Bytes: 40,
		SrcPort: 1000, DstPort: 80, TCPFlags: flags, Flags: packet.HasPorts | packet.HasTCP}
	p.Src[0], p.Dst[0] = 10, 20
	if back {
		p.Src, p.Dst, p.SrcPort, p.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
	}
	return p
}

// meter runs packets and returns "packets+reverse packets:end reason" per flow.
func meterAll(c Config, list ...packet.Packet) []string {
	c.Biflow = true
	var out []string
	m := New(c, func(r *Record) {
		out = append(out, fmt.Sprintf("%d+%d:%d", r.Packets, r.Reverse.Packets, r.End))
	})
	m.Add(list)
	m.Flush()
	return out
}

func TestTCP(t *testing.T) {
	const syn, ack, fin, rst = tcpSYN, tcpACK, tcpFIN, tcpRST
	for _, c := range []struct {
		name string
		list []packet.Packet
		want []string
	}{
		{"open", []packet.Packet{segment(1, syn, false), segment(1, syn|ack, true), segment(2, ack, false)},
			[]string{"2+1:4"}},
		{"last ack belongs to it", []packet.Packet{segment(1, syn, false), segment(2, fin|ack, false),
			segment(2, fin|ack, true), segment(2, ack, false)}, []string{"3+1:3"}},
		{"SYN after both FIN", []packet.Packet{segment(1, fin, false), segment(1, fin, true), segment(2, syn, false)},
			[]string{"1+1:3", "1+0:4"}},
		{"SYN after one FIN", []packet.Packet{segment(1, fin, false), segment(2, syn, false)}, []string{"2+0:4"}},
		{"SYN after two FIN one way", []packet.Packet{segment(1, fin, false), segment(1, fin, false), segment(2, syn, false)},
			[]string{"3+0:4"}},
		{"SYN after RST", []packet.Packet{segment(1, syn, false), segment(1, rst|ack, true), segment(2, syn, false),
			segment(2, rst|ack, true)}, []string{"1+1:3", "1+1:3"}},
		{"SYN from the other end", []packet.Packet{segment(1, rst, false), segment(2, syn, true)},
			[]string{"1+0:3", "1+0:4"}},
		{"SYN and ACK after RST", []packet.Packet{segment(1, rst, false), segment(2, syn|ack, true)}, []string{"1+1:3"}},
		{"after the linger", []packet.Packet{segment(1, rst, false), segment(6, ack, false), segment(11.5, ack, false)},
			[]string{"2+0:3", "1+0:4"}},
		{"FIN and RST at once", []packet.Packet{segment(1, fin|rst, false)}, []string{"1+0:3"}},
		{"idle to the nanosecond", []packet.Packet{segment(1, ack, false), segment(61, ack, false), segment(121.000001, ack, false)},
			[]string{"2+0:1", "1+0:4"}},
		{"active to the nanosecond", func() []packet.Packet {
			var l []packet.Packet
			for i := range 7 {
				l = append(l, segment(0.5+float64(i)*50, ack, false))
			}
			return append(l, segment(300.500001, ack, true))
		}(), []string{"7+0:2", "1+0:4"}},
	} {
		if got := meterAll(Config{}, c.list...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWideCounters(t *testing.T) {
	p := segment(1, tcpACK, false)
	p.Bytes = 1<<32 - 1
	var got uint64
	m := New(Config{}, func(r *Record) { got += r.Bytes })
	m.Add([]packet.Packet{p, p, p, p, p})
	m.Flush()
	if want := uint64(5 * (1<<32 - 1)); got != want {
		t.Errorf("five packets of 2^32-1 bytes: %d bytes, want %d", got, want)
	}
}

// numbered is a UDP packet of flow n.
func numbered(n int, at float64) packet.Packet {
	p := packet.Packet{Time: int64(at * second), Family: 4, Proto: packet.ProtoUDP, Bytes: 100, Flags: packet.HasPorts,
		SrcPort: uint16(n), DstPort: uint16(n >> 16)}
	p.Dst[0] = 1
	return p
}

// TestEvict fills a cache of four: what was idle longest leaves, not what is oldest.
func TestEvict(t *testing.T) {
	var out []string
	m := New(Config{MaxFlows: 4}, func(r *Record) { out = append(out, fmt.Sprintf("%d:%d:%d", r.SrcPort, r.Packets, r.End)) })
	m.Add([]packet.Packet{numbered(1, 1), numbered(2, 2), numbered(3, 3), numbered(4, 4), numbered(1, 5),
		numbered(5, 6), numbered(6, 7)})
	if want := []string{"2:1:5", "3:1:5"}; !slices.Equal(out, want) {
		t.Errorf("evicted %v, want %v", out, want)
	}
	if s := m.Stats(); s.Active != 4 || s.Evicted != 2 || s.Flows != 6 {
		t.Errorf("stats %+v, want 4 active, 2 evicted, 6 flows", s)
	}
	m.Flush()
	if want := []string{"1:2:4", "4:1:4", "5:1:4", "6:1:4"}; len(out) != 6 || !slices.Equal(sorted(out[2:]), want) {
		t.Errorf("at the end %v, want %v", out, want)
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// TestBounded floods the cache with flows and fragments.
func TestBounded(t *testing.T) {
	const limit, n = 1000, 200_000
	sum, most := uint64(0), 0
	m := New(Config{MaxFlows: limit}, func(r *Record) { sum += r.Packets })
	list := make([]packet.Packet, 0, n)
	for i := range n {
		p := numbered(i, 1+float64(i)/1e6)
		if i%2 == 1 {
			p.FragOffset, p.ID, p.Flags = 8, uint32(i), 0
		}
		list = append(list, p)
	}
	for i := 0; i < n; i += 100 {
		m.Add(list[i : i+100])
		most = max(most, m.Stats().Active)
	}
	if len(m.frags.held) > maxHeld || len(m.frags.table) > maxDatagrams {
		t.Errorf("%d fragments of %d datagrams held, want at most %d and %d",
			len(m.frags.held), len(m.frags.table), maxHeld, maxDatagrams)
	}
	if len(m.table.chunks) > 1+limit/chunkSize {
		t.Errorf("%d chunks for %d flows", len(m.table.chunks), limit)
	}
	m.Flush()
	if sum != n || most > limit {
		t.Errorf("%d packets in records, want %d; %d flows at most, want %d", sum, n, most, limit)
	}
}

// TestClockBack sets the clock back by years, as a machine without a battery
// does: flows expire again.
func TestClockBack(t *testing.T) {
	ended := 0
	m := New(Config{}, func(r *Record) { ended++ })
	m.Add([]packet.Packet{numbered(1, 2e9)})
	for i := range lateRuns {
		m.Add([]packet.Packet{numbered(2, 1e9+float64(i)/1000)})
	}
	if ended != 0 {
		t.Fatalf("%d records before their time", ended)
	}
	m.Advance((1e9 + 100) * second)
	if ended != 1 {
		t.Errorf("%d records 100 seconds later, want the flow of the new time", ended)
	}
	m.Flush()
	if ended != 2 {
		t.Errorf("%d records in all, want 2", ended)
	}
}

// TestExtremeTimes has times at both ends of the range.
func TestExtremeTimes(t *testing.T) {
	for _, c := range []Timeouts{DefaultTimeouts(), {General: Endless, MaxLife: Endless}} {
		var packets uint64
		m := New(Config{Timeouts: c}, func(r *Record) {
			packets += r.Packets
			if r.Last < r.First || r.First < 0 {
				t.Errorf("flow from %d to %d", r.First, r.Last)
			}
		})
		for i := range 20 {
			for _, at := range []int64{0, 1<<63 - 1, -1 << 63, 1, 1<<63 - 2, -1, 9223372036 * second} {
				p := numbered(i%3, 0)
				p.Time = at
				m.Add([]packet.Packet{p})
			}
		}
		m.Advance(1<<63 - 1)
		m.Flush()
		if packets != 140 {
			t.Errorf("%d packets in records, want 140", packets)
		}
	}
}

func TestAfterFlush(t *testing.T) {
	n := 0
	m := New(Config{}, func(r *Record) { n++ })
	for range 3 {
		for i := range 5000 {
			m.Add([]packet.Packet{numbered(i, 1e9)})
		}
		m.Flush()
	}
	if n != 15000 || m.Stats().Active != 0 || m.Stats().Records != 15000 {
		t.Errorf("%d records, stats %+v; want 15000", n, m.Stats())
	}
}

func TestLabelsAndLink(t *testing.T) {
	a, b := numbered(1, 1), numbered(1, 2)
	a.SrcMAC, a.VLAN, a.TOS, a.FlowLabel = [6]byte{1}, [2]uint16{5, 6}, 7, 8
	b.MPLSDepth, b.Labels[0], b.Labels[1] = 2, 0x100, 0x201
	b.TTL = 9
	var got Record
	m := New(Config{}, func(r *Record) { got = *r })
	m.Add([]packet.Packet{a, b})
	m.Flush()
	if got.SrcMAC != a.SrcMAC || got.VLAN != a.VLAN || got.TOS != 7 || got.FlowLabel != 8 ||
		got.MinTTL != 0 || got.MaxTTL != 9 || got.Labels.Depth != 2 || got.Labels.Label[1] != 0x201 {
		t.Errorf("record %+v of packets %+v and %+v", got, a, b)
	}
	if len(m.labels) != 0 {
		t.Errorf("%d label stacks left behind", len(m.labels))
	}
}

func TestNoAllocation(t *testing.T) {
	m := New(Config{}, func(*Record) {})
	list := traffic(10_000, 100)
	m.Add(list)
	if n := testing.AllocsPerRun(5, func() { m.Add(list) }); n != 0 {
		t.Errorf("%v allocations in 10,000 packets", n)
	}
}
