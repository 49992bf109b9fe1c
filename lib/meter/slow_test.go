package meter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/packet"
)

// slowMeter does what Meter does, with a list and a look at every flow each
// tick: what the flow cache has to agree with. It knows no fragments.
type slowMeter struct {
	limits limits
	flows  []*slowFlow
	clock  int64
	out    []string
}

type slowFlow struct {
	name        string
	src         [16]byte
	sport       uint16
	rec         Record
	first, last int64
	fin         [2]bool
	rst         bool
	class       class
}

func (s *slowMeter) end(f *slowFlow, why EndReason) {
	s.flows = slices.DeleteFunc(s.flows, func(x *slowFlow) bool { return x == f })
	f.rec.End = why
	s.out = append(s.out, text(&f.rec))
}

func text(r *Record) string { return fmt.Sprintf("%+v", *r) }

func (s *slowMeter) over(f *slowFlow, now int64) (EndReason, bool) {
	idle, active := f.last+s.limits.idle[f.class], f.first+s.limits.active
	if now <= idle && now <= active {
		return 0, false
	}
	switch {
	case active < idle:
		return Active, true
	case f.class == classRst || f.class == classFin:
		return EndOfFlow, true
	}
	return Idle, true
}

func slowKey(p *packet.Packet) string {
	a, b := fmt.Sprint(p.Src, p.SrcPort), fmt.Sprint(p.Dst, p.DstPort)
	if p.Proto == packet.ProtoICMP {
		// The type belongs to the receiving end.
		b = fmt.Sprint(p.Dst, uint16(p.ICMPType)<<8|uint16(p.ICMPCode))
	}
	return fmt.Sprint(min(a, b), max(a, b), p.Proto, p.Family)
}

func (s *slowMeter) add(p *packet.Packet) {
	if now := p.Time / tick; now > s.clock {
		s.clock = now
		for _, f := range slices.Clone(s.flows) {
			if why, over := s.over(f, now*tick); over {
				s.end(f, why)
			}
		}
	}
	name := slowKey(p)
	i := slices.IndexFunc(s.flows, func(f *slowFlow) bool { return f.name == name })
	if i >= 0 {
		f := s.flows[i]
		closed := f.rst || f.fin[0] && f.fin[1]
		if why, over := s.over(f, p.Time); over {
			s.end(f, why)
			i = -1
		} else if closed && p.TCPFlags&(tcpSYN|tcpACK) == tcpSYN {
			s.end(f, EndOfFlow)
			i = -1
		}
	}
	var f *slowFlow
	if i < 0 {
		f = &slowFlow{name: name, src: p.Src, sport: p.SrcPort, first: p.Time, last: p.Time}
		f.class = classOf(&key{proto: p.Proto})
		f.rec = Record{Src: p.Src, Dst: p.Dst, SrcPort: p.SrcPort, DstPort: p.DstPort, Family: p.Family, Proto: p.Proto,
			ICMPType: p.ICMPType, ICMPCode: p.ICMPCode, HasPorts: true, Biflow: true}
		s.flows = append(s.flows, f)
	} else {
		f = s.flows[i]
	}
	d, way := &f.rec.Direction, 0
	if p.Src != f.src || p.SrcPort != f.sport {
		d, way = &f.rec.Reverse, 1
	}
	if d.Packets == 0 {
		*d = Direction{First: p.Time, Last: p.Time, TOS: p.TOS, MinTTL: p.TTL, MaxTTL: p.TTL}
	}
	d.Packets++
	d.Bytes += uint64(p.Bytes)
	d.First, d.Last = min(d.First, p.Time), max(d.Last, p.Time)
	d.MinTTL, d.MaxTTL = min(d.MinTTL, p.TTL), max(d.MaxTTL, p.TTL)
	d.TCPFlags |= p.TCPFlags
	f.first, f.last = min(f.first, p.Time), max(f.last, p.Time)
	if p.Proto == packet.ProtoTCP {
		f.fin[way] = f.fin[way] || p.TCPFlags&tcpFIN != 0
		f.rst = f.rst || p.TCPFlags&tcpRST != 0
		if f.rst {
			f.class = classRst
		} else if f.fin[0] && f.fin[1] {
			f.class = classFin
		}
	}
}

func (s *slowMeter) flush() {
	for _, f := range slices.Clone(s.flows) {
		if why, over := s.over(f, s.clock*tick); over {
			s.end(f, why)
		} else if f.rst || f.fin[0] && f.fin[1] {
			s.end(f, EndOfFlow)
		} else {
			s.end(f, Forced)
		}
	}
	slices.Sort(s.out)
}

// random makes a packet of one of a few flows.
func random(r *rand.Rand, now int64) packet.Packet {
	p := packet.Packet{Time: now, Family: 4, Flags: packet.HasPorts,
		Bytes: uint32(20 + r.IntN(1480)), TOS: uint8(r.IntN(3)), TTL: uint8(60 + r.IntN(5))}
	p.Src[0], p.Dst[0] = uint8(1+r.IntN(2)), uint8(1+r.IntN(2))
	switch r.IntN(4) {
	case 0:
		p.Proto = packet.ProtoICMP
		p.ICMPType = []uint8{0, 3, 8}[r.IntN(3)]
	case 1:
		p.Proto = packet.ProtoUDP
		p.SrcPort, p.DstPort = uint16(r.IntN(2)), uint16(r.IntN(2))
	default:
		p.Proto = packet.ProtoTCP
		p.SrcPort, p.DstPort = uint16(r.IntN(2)), uint16(r.IntN(2))
		p.TCPFlags = []uint16{tcpSYN, tcpSYN | tcpACK, tcpACK, tcpACK, tcpACK | tcpFIN, tcpRST}[r.IntN(6)]
	}
	return p
}

// difference is the first few lines that only one of two sorted lists has.
func difference(got, want []string) string {
	var b strings.Builder
	for i, list := range [][]string{got, want} {
		other := want
		if i == 1 {
			other = got
		}
		n := 0
		for _, s := range list {
			if _, ok := slices.BinarySearch(other, s); !ok && n < 3 {
				fmt.Fprintf(&b, "%s: %s\n", []string{"got", "want"}[i], s)
				n++
			}
		}
	}
	return b.String()
}

func TestAgainstSlow(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		span := func(n int) int64 { return int64(1+r.IntN(n)) * second / 2 }
		c := Config{Biflow: true, Timeouts: Timeouts{
			TCP: dur(span(40)), TCPRst: dur(span(6)), TCPFin: dur(span(6)),
			UDP: dur(span(40)), ICMP: dur(span(20)), General: dur(span(40)), MaxLife: dur(span(120)),
		}}
		inOrder := seed%2 == 0
		if inOrder && seed%4 == 0 {
			c.Timeouts.Interval = dur(7 * second)
		}
		var got []string
		m := New(c, func(r *Record) {
			if r.Reverse.Packets == 0 {
				r.Reverse = Direction{}
			}
			got = append(got, text(r))
		})
		s := slowMeter{limits: c.Timeouts.limits()}
		now := int64(1_700_000_000) * second
		var list []packet.Packet
		for range 400 {
			now += int64(r.IntN(int(2 * second)))
			if r.IntN(100) == 0 {
				now += 100 * second
			}
			at := now
			if !inOrder {
				at -= int64(r.IntN(int(5 * second)))
			}
			list = append(list, random(r, at))
		}
		for i := range list {
			s.add(&list[i])
		}
		s.flush()
		m.Add(list)
		m.Flush()
		slices.Sort(got)
		if !slices.Equal(got, s.out) {
			t.Fatalf("seed %d: of %d records and %d wanted differ\n%s", seed, len(got), len(s.out), difference(got, s.out))
		}
	}
}

// TestLiveAlike holds that a clock that goes on without packets, as on an
// interface, cuts flows where a file's packets alone do.
func TestLiveAlike(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		c := Config{Timeouts: activeIdle(30*dur(second), 5*dur(second))}
		var file, live []string
		a := New(c, func(r *Record) { file = append(file, text(r)) })
		b := New(c, func(r *Record) { live = append(live, text(r)) })
		now := int64(1_700_000_000) * second
		for range 500 {
			next := now + int64(r.IntN(int(3*second)))
			for ; now < next; now += second / 10 {
				b.Advance(now)
			}
			now = next
			p := random(r, now)
			a.Add([]packet.Packet{p})
			b.Add([]packet.Packet{p})
		}
		a.Flush()
		b.Flush()
		slices.Sort(file)
		slices.Sort(live)
		if !slices.Equal(file, live) {
			t.Fatalf("seed %d: with a clock and without differ\n%s", seed, difference(live, file))
		}
	}
}
