package main

import (
	"math"
	"math/bits"
	"net/netip"
	"time"
)

// The modelled exporter.
const (
	tick            = 50     // ms between two looks at a part of the flow cache
	ring            = 2048   // ticks: more than the longest wait until an export
	activeTimeout   = 60_000 // ms
	inactiveTimeout = 15_000 // ms
	warmUp          = 90_000 // ms simulated before the first row, so that long flows are there from the start
	talksPerTick    = 262    // about 10,000 rows a second
	packetBudget    = 1444   // octets of an export packet for records
	recordSize      = 61     // of an IPv4 record, IPv6 is recordSizeV6
	recordSizeV6    = 97
)

var firstMoment = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMilli()

// side is one direction of a conversation in the exporter's cache: the record to come and what follows it.
type side struct {
	row      Row
	mix      *sizes
	packets  uint64 // left after this record
	duration int64  // ms left after this record
	silent   bool   // ends by timeout, not by FIN or RST
}

// generator simulates an exporter: conversations begin, records are due when they end or time out,
// and a calendar of ticks emits them.
type generator struct {
	r        random
	src      *source
	calendar [ring][]int32
	sides    []side
	free     []int32
	now      int64 // start of the current tick

	emit   func(*Row)
	left   int
	packet [32]Row // the export packet being filled
	fill   int
	room   int
	sent   int64 // time of the last packet
}

// Generate emits n rows in export order. The row is valid until emit returns. Equal seeds give equal rows.
func Generate(seed uint64, n int, emit func(*Row)) {
	g := &generator{r: random{seed}, emit: emit, left: n, room: packetBudget, now: firstMoment - warmUp}
	g.src = newSource(&g.r)
	for g.left > 0 {
		talks := talksPerTick + int(math.Round(16*g.r.normal()))
		for range talks {
			g.begin()
		}
		g.scan()
		g.now += tick
	}
}

// begin starts a conversation within the current tick.
func (g *generator) begin() {
	r := &g.r
	t := g.src.next(r, 3_000_000)
	start := g.now + int64(r.below(tick))
	roundTrip := int64(r.lognormal(18, 1)) + 1
	duration := g.lasting(&t, roundTrip)
	upRow, downRow := g.rows(&t)
	upRow.Flags, downRow.Flags = g.flags(&t)
	closes := t.app.proto == protoTCP && !t.scan && t.down > 0 && r.chance(930)
	g.place(side{row: upRow, mix: t.app.up, packets: t.up, duration: duration, silent: !closes}, start)
	if t.down > 0 {
		g.place(side{row: downRow, mix: t.app.down, packets: t.down, duration: duration, silent: !closes}, start+roundTrip)
	}
}

// lasting is the duration of a conversation: packets and the gaps between them, round trips, and idle connections.
func (g *generator) lasting(t *talk, roundTrip int64) int64 {
	most := max(t.up, t.down)
	if most <= 1 {
		return 0
	}
	ms := float64(most) * g.r.lognormal(t.app.gap, 1.3)
	if t.app.proto == protoTCP {
		ms += float64(2 * roundTrip)
		if most > 4 && g.r.chance(250) { // kept open
			ms += g.r.lognormal(5_000, 1)
		}
	}
	// No gap is longer than the inactive timeout on average, and nothing is faster than about 10 Gbit/s.
	return int64(min(max(ms, float64(most)/800), float64(most)*float64(inactiveTimeout)*0.7, 6*3600*1000))
}

// rows makes both records of a conversation with everything but times, counters and flags.
func (g *generator) rows(t *talk) (up, down Row) {
	up = Row{Src: t.client.addr, Dst: t.server.addr, SrcPort: t.sport, DstPort: t.dport, Proto: t.app.proto}
	down = Row{Src: t.server.addr, Dst: t.client.addr, SrcPort: t.dport, DstPort: t.sport, Proto: t.app.proto}
	if t.app.proto == protoICMP {
		g.icmp(t, &up, &down)
	}
	up.Tos, down.Tos = g.tos(t), g.tos(t)
	g.route(&up, t.client.prefix, t.server.prefix)
	g.route(&down, t.server.prefix, t.client.prefix)
	return up, down
}

func (g *generator) icmp(t *talk, up, down *Row) {
	up.SrcPort, up.DstPort, down.SrcPort, down.DstPort = 0, 0, 0, 0
	up.ICMPType, down.ICMPType = 8, 0
	errors := [...][2]uint8{{3, 1}, {3, 3}, {3, 13}, {11, 0}, {3, 10}}
	if t.v6 {
		up.Proto, down.Proto = protoICMPv6, protoICMPv6
		up.ICMPType, down.ICMPType = 128, 129
		errors = [...][2]uint8{{1, 0}, {1, 3}, {1, 4}, {3, 0}, {2, 0}}
	}
	if t.down == 0 && g.r.chance(700) {
		e := errors[g.r.below(len(errors))]
		up.ICMPType, up.ICMPCode = e[0], e[1]
	}
}

var classes = [...]uint8{0x28, 0x48, 0x20, 0x08, 0x10, 0x88, 0xb8, 0x02, 0x68, 0x01}

func (g *generator) tos(t *talk) uint8 {
	switch {
	case t.app.up == voice && g.r.chance(600):
		return 0xb8
	case t.app.up == control:
		return 0xc0
	case g.r.chance(130):
		return classes[min(g.r.below(len(classes)), g.r.below(len(classes)))]
	}
	return 0
}

// route sets what follows from the prefixes of both addresses. In 2 % of the rows, for each column by itself, the
// value is another one: asymmetric routes, moved customers, more specific routes.
func (g *generator) route(row *Row, from, to int32) {
	src, dst := &g.src.net.prefixes[from], &g.src.net.prefixes[to]
	row.In, row.Out, row.SrcAS, row.DstAS = src.iface, dst.iface, src.as, dst.as
	row.SrcMask, row.DstMask, row.NextHop = uint8(src.net.Bits()), uint8(dst.net.Bits()), dst.nextHop
	r := &g.r
	v, odd := r.next(), [7]bool{}
	for i := range 6 {
		odd[i] = v&1023 < 20
		v >>= 10
	}
	odd[6] = r.chance(20)
	if odd == [7]bool{} {
		return
	}
	if odd[0] {
		row.In = uint32(r.between(1, 200))
	}
	if odd[1] {
		row.Out = uint32(r.between(1, 200))
	}
	if odd[2] {
		row.SrcAS = uint32(r.between(1, 400_000))
	}
	if odd[3] {
		row.DstAS = uint32(r.between(1, 400_000))
	}
	longest := row.Src.BitLen()
	if odd[4] {
		row.SrcMask = uint8(r.between(longest/4, longest))
	}
	if odd[5] {
		row.DstMask = uint8(r.between(longest/4, longest))
	}
	if odd[6] {
		row.NextHop = g.oddHop(row.Src.Is4())
	}
}

func (g *generator) oddHop(v4 bool) netip.Addr {
	a, b := byte(g.r.below(256)), byte(g.r.below(256))
	if v4 {
		return netip.AddrFrom4([4]byte{172, 31, a, b})
	}
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: 3, 14: a, 15: b})
}

const (
	fin = 1 << iota
	syn1
	rst
	psh
	ack
)

// flags are the TCP flags of both whole conversations.
func (g *generator) flags(t *talk) (up, down uint8) {
	if t.app.proto != protoTCP {
		return 0, 0
	}
	if t.down == 0 {
		return syn1, 0
	}
	if t.scan {
		if g.r.chance(700) {
			return syn1, rst | ack
		}
		return syn1 | rst, syn1 | ack
	}
	up, down = syn1|psh|ack|fin, syn1|psh|ack|fin
	switch v := g.r.below(100); {
	case v < 9:
		up |= rst
	case v < 14:
		up = up&^fin | rst
	case v < 18:
		down |= rst
	case v < 22:
		up |= 0x40 // ECE
	}
	return up, down
}

// place cuts the next record of a side that begins at start, and enters it in the calendar.
func (g *generator) place(s side, start int64) {
	row := &s.row
	r := &g.r
	row.Start = start
	var due int64
	if s.duration <= activeTimeout || s.packets < 2 {
		if s.packets == 1 {
			s.duration = 0
		}
		row.Packets, row.End = s.packets, start+s.duration
		due = row.End + int64(r.below(1000))
		if s.silent {
			due += inactiveTimeout
		}
		s.packets = 0
	} else {
		row.Packets = min(s.packets-1, max(1, uint64(float64(s.packets)*activeTimeout/float64(s.duration))))
		gap := s.duration / int64(s.packets)
		row.End = start + activeTimeout - 1 - int64(float64(gap)*r.unit())
		if row.Packets == 1 {
			row.End = start
		}
		due = start + activeTimeout + int64(r.below(1000))
		s.packets -= row.Packets
		s.duration -= activeTimeout
	}
	row.Bytes = s.mix.total(r, row.Packets, row.Src.Is6())
	index := g.allocate()
	g.sides[index] = s
	bucket := (due + tick - 1) / tick % ring
	g.calendar[bucket] = append(g.calendar[bucket], index)
}

func (g *generator) allocate() int32 {
	if n := len(g.free); n > 0 {
		i := g.free[n-1]
		g.free = g.free[:n-1]
		return i
	}
	g.sides = append(g.sides, side{})
	return int32(len(g.sides) - 1)
}

// scan exports what is due in this tick, in the order of the cache, which is none that shows.
func (g *generator) scan() {
	due := g.calendar[g.now/tick%ring]
	g.calendar[g.now/tick%ring] = due[:0]
	for i := len(due) - 1; i > 0; i-- {
		j := g.r.below(i + 1)
		due[i], due[j] = due[j], due[i]
	}
	for i, index := range due {
		s := g.sides[index]
		g.free = append(g.free, index)
		row := s.row
		if s.packets > 0 {
			row.Flags &^= fin | rst // still going on
			s.row.Flags &^= syn1
			g.place(s, row.Start+activeTimeout+int64(g.r.below(200)))
		}
		g.export(&row, g.now+int64(i*tick/len(due)))
	}
}

// export puts a row into the export packet, and sends the packet when it is full.
func (g *generator) export(row *Row, at int64) {
	size := recordSize
	if row.Src.Is6() {
		size = recordSizeV6
	}
	if g.room < size || g.fill == len(g.packet) {
		g.sent = max(g.sent, at+1+int64(bits.TrailingZeros64(g.r.next())))
		for i := range g.packet[:g.fill] {
			if g.sent < firstMoment || g.left == 0 {
				break
			}
			g.packet[i].Received = g.sent
			g.emit(&g.packet[i])
			g.left--
		}
		g.fill, g.room = 0, packetBudget
	}
	g.packet[g.fill] = *row
	g.fill++
	g.room -= size
}
