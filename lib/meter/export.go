package meter

import (
	"encoding/binary"

	"nfpipe/lib/packet"
)

// export emits an entry that is in no slot of the wheel, and frees it.
func (m *Meter) export(n uint32, e *entry, reason EndReason) {
	m.emitEntry(n, e, reason)
	m.recent.remove(n)
	m.table.remove(n)
}

// emitEntry emits the records of an entry that is to be forgotten.
func (m *Meter) emitEntry(n uint32, e *entry, reason EndReason) {
	m.stats.Records += uint64(m.records(n, e, reason, m.emit))
	if e.state&labelled != 0 {
		delete(m.labels, n*2)
		delete(m.labels, n*2+1)
	}
}

// records makes the records of an entry and returns how many there are.
func (m *Meter) records(n uint32, e *entry, reason EndReason, emit func(*Record)) int {
	r := &m.record
	*r = Record{Family: e.family, Proto: e.proto, End: reason, HasPorts: e.state&portsKnown != 0}
	forward := e.state&flipped == 0
	r.ends(e, forward)
	var labels [2]Labels
	if e.state&labelled != 0 {
		for d := range labels {
			labels[d] = m.labels[n*2+uint32(d)]
		}
	}
	r.Direction, r.Labels = e.dir[0], labels[0]
	if m.config.Latency && e.proto == packet.ProtoTCP {
		r.Latency = m.handshake(n).latency()
	}
	if m.config.Biflow {
		r.Biflow = true
		r.Reverse, r.ReverseLabels = e.dir[1], labels[1]
	}
	emit(r)
	if m.config.Biflow || e.dir[1].Packets == 0 {
		return 1
	}
	r.ends(e, !forward)
	r.Direction, r.Labels = e.dir[1], labels[1]
	emit(r)
	return 2
}

// ends sets addresses and ports: from a to b if forward.
func (r *Record) ends(e *entry, forward bool) {
	src, dst := &r.Src, &r.Dst
	if !forward {
		src, dst = dst, src
	}
	binary.LittleEndian.PutUint64(src[:], e.a0)
	binary.LittleEndian.PutUint64(src[8:], e.a1)
	binary.LittleEndian.PutUint64(dst[:], e.b0)
	binary.LittleEndian.PutUint64(dst[8:], e.b1)
	a, b := uint16(e.ports>>16), uint16(e.ports)
	if !forward {
		a, b = b, a
	}
	if e.proto == packet.ProtoICMP || e.proto == packet.ProtoICMPv6 {
		r.ICMPType, r.ICMPCode = uint8(b>>8), uint8(b)
		return
	}
	r.SrcPort, r.DstPort = a, b
}
