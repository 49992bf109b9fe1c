package meter

import "nfpipe/lib/packet"

const (
	fragmentLife = 15 * second
	maxDatagrams = 1 << 16 // fragmented datagrams remembered at a time
	maxHeld      = 1 << 13 // fragments that wait for their first
)

// datagramKey is what all fragments of a datagram share.
type datagramKey struct {
	src, dst      [16]byte
	id            uint32
	proto, family uint8
}

// datagram is what is known of one: its ports, or the fragments that wait for
// them.
type datagram struct {
	time               int64
	held               int32 // first waiting fragment+1
	src, dst           uint16
	icmpType, icmpCode uint8
	flags              packet.Flags
	known              bool // the first fragment was seen
}

type heldPacket struct {
	packet packet.Packet
	next   int32
}

type age struct {
	key  datagramKey
	time int64
}

// fragments remembers the ports of first fragments.
type fragments struct {
	table map[datagramKey]datagram
	ages  []age // in the order of arrival; ages[:gone] are no longer of interest
	gone  int
	held  []heldPacket
	free  int32 // first free of held+1
	used  int
}

func hasPorts(proto uint8) bool {
	switch proto {
	case packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP, packet.ProtoICMPv6,
		packet.ProtoSCTP, packet.ProtoDCCP, packet.ProtoUDPLite:
		return true
	}
	return false
}

// resolve gives a later fragment the ports of its first. It returns false if the
// packet has to wait. A first fragment sets free those that wait for it.
func (f *fragments) resolve(m *Meter, p *packet.Packet) bool {
	m.stats.Fragments++
	if m.table.track < TrackPort || !hasPorts(p.Proto) {
		return true
	}
	k := datagramKey{src: p.Src, dst: p.Dst, id: p.ID, proto: p.Proto, family: p.Family}
	f.room(m)
	d, ok := f.table[k]
	if ok && p.Time-d.time > fragmentLife && d.held == 0 {
		ok = false
	}
	if p.FragOffset == 0 {
		first := datagram{
			time: p.Time, src: p.SrcPort, dst: p.DstPort, icmpType: p.ICMPType, icmpCode: p.ICMPCode,
			flags: p.Flags & packet.HasPorts, known: true,
		}
		f.store(k, first)
		m.count(p)
		if ok {
			f.release(m, d.held, &first)
		}
		return false
	}
	switch {
	case !ok:
		d = datagram{time: p.Time}
		if d.held = f.hold(p, 0); d.held == 0 {
			m.stats.Unresolved++
			return true
		}
		f.store(k, d)
		return false
	case !d.known:
		h := f.hold(p, d.held)
		if h == 0 {
			m.stats.Unresolved++
			return true
		}
		d.held = h
		f.table[k] = d
		return false
	}
	d.apply(p)
	return true
}

func (d *datagram) apply(p *packet.Packet) {
	p.SrcPort, p.DstPort = d.src, d.dst
	p.ICMPType, p.ICMPCode = d.icmpType, d.icmpCode
	p.Flags |= d.flags
}

// room makes place for one datagram more.
func (f *fragments) room(m *Meter) {
	for len(f.ages)-f.gone >= maxDatagrams {
		f.drop(m)
	}
}

func (f *fragments) store(k datagramKey, d datagram) {
	if f.table == nil {
		f.table = make(map[datagramKey]datagram)
	}
	f.table[k] = d
	f.ages = append(f.ages, age{k, d.time})
}

// hold keeps a copy of p in front of the list that begins at next. It returns 0
// if there is no room.
func (f *fragments) hold(p *packet.Packet, next int32) int32 {
	if f.used >= maxHeld {
		return 0
	}
	f.used++
	if f.free == 0 {
		f.held = append(f.held, heldPacket{*p, next})
		return int32(len(f.held))
	}
	n := f.free
	h := &f.held[n-1]
	f.free = h.next
	*h = heldPacket{*p, next}
	return n
}

// release counts the waiting fragments of a list, in the order of arrival.
func (f *fragments) release(m *Meter, list int32, d *datagram) {
	var reversed int32
	for list != 0 {
		h := &f.held[list-1]
		list, h.next, reversed = h.next, reversed, list
	}
	for reversed != 0 {
		n := reversed
		p := f.held[n-1].packet
		reversed = f.held[n-1].next
		f.held[n-1].next = f.free
		f.free = n
		f.used--
		if d != nil {
			d.apply(&p)
		} else {
			m.stats.Unresolved++
		}
		m.count(&p)
	}
}

// expire forgets what is too old.
func (f *fragments) expire(m *Meter, now int64) {
	for f.gone < len(f.ages) && now-f.ages[f.gone].time > fragmentLife {
		f.drop(m)
	}
}

// drop forgets the oldest datagram.
func (f *fragments) drop(m *Meter) {
	a := f.ages[f.gone]
	if f.gone++; f.gone > len(f.ages)/2 {
		n := copy(f.ages, f.ages[f.gone:])
		f.ages, f.gone = f.ages[:n], 0
	}
	d, ok := f.table[a.key]
	if !ok || d.time != a.time {
		return // replaced by a later datagram of the same number
	}
	delete(f.table, a.key)
	f.release(m, d.held, nil)
}

func (f *fragments) flush(m *Meter) {
	for f.gone < len(f.ages) {
		f.drop(m)
	}
}
