package netflow

import (
	"encoding/binary"
	"math"
	"math/bits"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Records of NetFlow v1 and v5 have one layout, so that their fields are looked for by what they
// mean rather than by what was sent.
const (
	record15  = 48 // bytes of a record of v1 and of v5
	maxFixed5 = 30 // records of a message
	maxFixed1 = 24
	maxRate5  = 1<<14 - 1
	asTrans   = 23456 // stands for AS numbers of four bytes (RFC 6793)
)

// fixedViews are the fields of v1 and v5 by record.
type fixedViews struct {
	src, dst, next, in, out, packets, bytes, first, last, sport, dport, icmpType, icmpCode,
	flags, proto, tos, srcAS, dstAS, srcMask, dstMask flow.View

	backPackets, backBytes, backFirst, backLast, backFlags, backTOS flow.View
}

var fixedFieldsOf = func() []*ie.Field {
	var all []*ie.Field
	for _, name := range []string{
		"srcip", "dstip", "nexthop", "inif", "outif", "packets", "bytes", "first", "last", "srcport", "dstport", "icmptype", "icmpcode",
		"flags", "proto", "srctos", "srcas", "dstas", "srcmask", "dstmask",
	} {
		f, ok := ie.FieldByName(name)
		if !ok {
			panic("netflow: no field " + name)
		}
		all = append(all, f)
	}
	for _, id := range []ie.ID{2, 1, 156, 157, 6, 5} {
		back, _ := id.Reverse()
		f := &ie.Field{Name: back.String(), Elements: []ie.ID{back}}
		switch id {
		case 1, 2: // or the total
			f.Elements = append(f.Elements, back+84)
		}
		all = append(all, f)
	}
	return all
}()

// loadFixed looks for the fields.
func (e *Encoder) loadFixed() error {
	v := &e.fixed
	to := []*flow.View{&v.src, &v.dst, &v.next, &v.in, &v.out, &v.packets, &v.bytes, &v.first, &v.last, &v.sport, &v.dport,
		&v.icmpType, &v.icmpCode, &v.flags, &v.proto, &v.tos, &v.srcAS, &v.dstAS, &v.srcMask, &v.dstMask,
		&v.backPackets, &v.backBytes, &v.backFirst, &v.backLast, &v.backFlags, &v.backTOS}
	for i, f := range fixedFieldsOf {
		got, err := e.b.Field(f)
		if err != nil {
			return err
		}
		want := column.Int
		if i < 3 {
			want = column.Addr
		}
		if !got.None() && got.Vec.Kind == want {
			*to[i] = got
		}
	}
	return nil
}

// number is the value of a record, 0 if it has none.
func number(v *flow.View, i int) uint64 {
	if !v.Has(i) {
		return 0
	}
	return v.Vec.Int(i)
}

// address4 is the IPv4 address of a record; ok tells that it has one, v6 that it has another.
func address4(v *flow.View, i int) (a uint32, ok, v6 bool) {
	if !v.Has(i) {
		return 0, false, false
	}
	n := v.Vec.Entry(i)
	if n >= len(v.Vec.V4) {
		return 0, false, true
	}
	return v.Vec.V4[n], true, false
}

// flowRecord is a record before it is written.
type flowRecord struct {
	src, dst, next       uint32
	in, out              uint64
	packets, bytes       uint64
	first, last          int64 // milliseconds since the epoch
	sport, dport         uint64
	flags, proto, tos    uint64
	srcAS, dstAS         uint64
	srcMask, dstMask     uint64
	hasAddresses, isIPv6 bool
}

// record reads record i, or its reverse direction.
func (e *Encoder) record(i int, mirror bool) (r flowRecord) {
	v := &e.fixed
	var src, dst bool
	var src6, dst6 bool
	r.src, src, src6 = address4(&v.src, i)
	r.dst, dst, dst6 = address4(&v.dst, i)
	r.next, _, _ = address4(&v.next, i)
	r.hasAddresses, r.isIPv6 = src && dst, src6 || dst6
	r.in, r.out = number(&v.in, i), number(&v.out, i)
	r.packets, r.bytes = number(&v.packets, i), number(&v.bytes, i)
	r.sport, r.dport = number(&v.sport, i), number(&v.dport, i)
	if v.icmpType.Has(i) {
		r.sport, r.dport = 0, number(&v.icmpType, i)<<8|number(&v.icmpCode, i)&0xff
	}
	r.flags, r.proto, r.tos = number(&v.flags, i), number(&v.proto, i), number(&v.tos, i)
	r.srcAS, r.dstAS = number(&v.srcAS, i), number(&v.dstAS, i)
	r.srcMask, r.dstMask = number(&v.srcMask, i), number(&v.dstMask, i)
	first, last := &v.first, &v.last
	if mirror {
		r.src, r.dst, r.in, r.out = r.dst, r.src, r.out, r.in
		r.srcAS, r.dstAS, r.srcMask, r.dstMask = r.dstAS, r.srcAS, r.dstMask, r.srcMask
		if !v.icmpType.Has(i) {
			r.sport, r.dport = r.dport, r.sport
		}
		r.packets, r.bytes = number(&v.backPackets, i), number(&v.backBytes, i)
		r.flags, r.tos = number(&v.backFlags, i), number(&v.backTOS, i)
		if v.backFirst.Has(i) {
			first = &v.backFirst
		}
		if v.backLast.Has(i) {
			last = &v.backLast
		}
	}
	now := e.now / 1e6
	r.first, r.last = now, now
	if first.Has(i) {
		r.first = int64(first.Vec.Int(i) / 1e6)
	}
	if last.Has(i) {
		r.last = int64(last.Vec.Int(i) / 1e6)
	} else {
		r.last = max(r.last, r.first)
	}
	if !first.Has(i) {
		r.first = r.last
	}
	return r
}

// flowMessage collects the records of a message.
type flowMessage struct {
	e       *Encoder
	g       *group
	records []flowRecord
	scale   rate // of counters; none where the header tells the rate
	header  uint16

	first, last int64 // times of the records
}

// sendFixed sends the records of a group as NetFlow v1 or v5.
func (e *Encoder) sendFixed(g *group) error {
	if g.source == nil {
		g.leaveOut(&e.stats.TooMany)
		return nil
	}
	m := flowMessage{e: e, g: g}
	if g.rate != (rate{}) {
		if e.Version == 5 && g.interval == 1 && g.space < maxRate5 {
			m.header = 1<<14 | uint16(g.space+1) // deterministic
		} else {
			m.scale = g.rate
			if !g.mirror {
				e.stats.Scaled += uint64(len(g.rows))
			}
		}
	}
	for _, i := range g.rows {
		r := e.record(int(i), g.mirror)
		if r.isIPv6 || !r.hasAddresses {
			switch {
			case g.mirror: // counted
			case r.isIPv6:
				e.stats.IPv6++
			default:
				e.stats.NoAddress++
			}
			continue
		}
		if m.scale != (rate{}) {
			r.packets, r.bytes = scaled(r.packets, m.scale), scaled(r.bytes, m.scale)
		}
		if err := m.split(r); err != nil {
			return err
		}
	}
	return m.flush()
}

// scaled is a counter times a rate.
func scaled(x uint64, r rate) uint64 {
	hi, lo := bits.Mul64(x, uint64(r.space))
	if hi >= uint64(r.interval) {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, uint64(r.interval))
	if sum := x + q; sum >= x {
		return sum
	}
	return math.MaxUint64
}

// maxSplit bounds the records that one is split into.
const maxSplit = 1024

// split adds a record, as several when a counter does not fit into 32 bits: together they have
// what it has.
func (m *flowMessage) split(r flowRecord) error {
	const most = math.MaxUint32
	n := max((r.packets+most-1)/most, (r.bytes+most-1)/most, 1)
	if r.packets > maxSplit*most || r.bytes > maxSplit*most {
		m.e.stats.Clamped++
		r.packets, r.bytes = min(r.packets, maxSplit*most), min(r.bytes, maxSplit*most)
		n = maxSplit
	}
	packets, bytes := r.packets, r.bytes
	for ; n > 0; n-- {
		part := r
		part.packets, part.bytes = packets/n, bytes/n
		packets -= part.packets
		bytes -= part.bytes
		if err := m.add(part); err != nil {
			return err
		}
	}
	return nil
}

// add adds a record. Those whose times lie too far apart do not share a message.
func (m *flowMessage) add(r flowRecord) error {
	first, last := min(r.first, r.last), max(r.first, r.last)
	if len(m.records) > 0 {
		first, last = min(first, m.first), max(last, m.last)
		if last-first > maxAge {
			if err := m.flush(); err != nil {
				return err
			}
			return m.add(r)
		}
	}
	m.first, m.last = first, last
	m.records = append(m.records, r)
	most, header := maxFixed5, header5
	if m.e.Version == 1 {
		most, header = maxFixed1, header1
	}
	if len(m.records) < most && header+(len(m.records)+1)*record15 <= m.e.Size {
		return nil
	}
	return m.flush()
}

// flush sends the records collected.
func (m *flowMessage) flush() error {
	if len(m.records) == 0 {
		return nil
	}
	e, be := m.e, binary.BigEndian
	exported, boot := e.clock.at(e.now/1e6, m.first, m.last)
	header := header5
	if e.Version == 1 {
		header = header1
	}
	e.buf = grown(e.buf, header+len(m.records)*record15)
	p := e.buf
	clear(p)
	be.PutUint16(p, e.Version)
	be.PutUint16(p[2:], uint16(len(m.records)))
	be.PutUint32(p[4:], uint32(exported-boot))
	be.PutUint32(p[8:], uint32(exported/msSecond))
	if e.Version == 5 {
		be.PutUint16(p[20:], uint16(m.g.source.wire))
		be.PutUint16(p[22:], m.header)
	}
	for i := range m.records {
		e.putFixed(p[header+i*record15:][:record15], &m.records[i], boot)
	}
	n := len(m.records)
	m.records = m.records[:0]
	return e.give(m.g.source, p, n, nil)
}

// putFixed writes a record. What follows the ports differs between v1 and v5.
func (e *Encoder) putFixed(p []byte, r *flowRecord, boot int64) {
	be := binary.BigEndian
	be.PutUint32(p, r.src)
	be.PutUint32(p[4:], r.dst)
	be.PutUint32(p[8:], r.next)
	be.PutUint16(p[12:], uint16(e.clamp(r.in, 16)))
	be.PutUint16(p[14:], uint16(e.clamp(r.out, 16)))
	be.PutUint32(p[16:], uint32(r.packets))
	be.PutUint32(p[20:], uint32(r.bytes))
	be.PutUint32(p[24:], e.uptime(r.first, boot))
	be.PutUint32(p[28:], e.uptime(r.last, boot))
	be.PutUint16(p[32:], uint16(r.sport))
	be.PutUint16(p[34:], uint16(r.dport))
	if e.Version == 1 {
		p[38], p[39], p[40] = byte(r.proto), byte(r.tos), byte(r.flags)
		return
	}
	p[37], p[38], p[39] = byte(r.flags), byte(r.proto), byte(r.tos)
	be.PutUint16(p[40:], as16(r.srcAS))
	be.PutUint16(p[42:], as16(r.dstAS))
	p[44], p[45] = byte(r.srcMask), byte(r.dstMask)
}

func as16(as uint64) uint16 {
	if as > math.MaxUint16 {
		return asTrans
	}
	return uint16(as)
}

// clamp is x, or the largest number of some bits.
func (e *Encoder) clamp(x uint64, width uint) uint64 {
	if most := uint64(1)<<width - 1; x > most {
		e.stats.Clamped++
		return most
	}
	return x
}

// uptime is a time relative to the exporter's start.
func (e *Encoder) uptime(ms, boot int64) uint32 {
	if ms < boot || ms-boot > maxUptime {
		e.stats.Clamped++
		return uint32(min(max(ms-boot, 0), maxUptime))
	}
	return uint32(ms - boot)
}
