package netflow

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"nfpipe/lib/flow"
)

// work is the memory for the set at hand.
type work struct {
	x    *Exporter
	m    *message
	t    *template
	data []byte

	// Where the fields of each record lie, if records vary in length: of field f of record r,
	// at place r*fields+f.
	at, size []int32

	variants []variant
	rates    []rate
	same     rate       // of all records, if rates is empty
	numbers  [][]uint64 // what each op put, while a program has links
}

// trim gives up memory that only a large message needed.
func (w *work) trim() {
	const keep = 1 << 14
	if cap(w.at) > keep {
		w.at, w.size = nil, nil
	}
	if cap(w.variants) > keep {
		w.variants, w.rates = nil, nil
	}
}

// data decodes the records of a set.
func (x *Exporter) data(m *message, t *template, b []byte) error {
	if t.plan == nil {
		t.plan = newPlan(t)
	}
	w := &x.work
	w.m, w.t, w.data = m, t, b
	n, err := w.locate()
	switch {
	case n == 0:
	case t.opts:
		x.Stats.Options += uint64(n)
		m.options += uint32(n)
		w.options(n)
	default:
		x.Stats.Records += uint64(n)
		m.records += uint32(n)
		w.records(n)
	}
	return err
}

// locate counts the records, and finds the fields of those that vary in length.
func (w *work) locate() (int, error) {
	t := w.t
	if !t.varies {
		return len(w.data) / t.size, nil
	}
	n, off, most := 0, 0, len(w.data)/t.size*len(t.fields)
	w.at, w.size = slices.Grow(w.at[:0], most), slices.Grow(w.size[:0], most)
	for left := len(w.data); left >= t.size; left = len(w.data) - off {
		if n > 0 && left < 4 && zero(w.data[off:]) {
			break // padding
		}
		for i, f := range t.fields {
			size := int(f.Len)
			if f.Len == flow.Variable {
				var head int
				if size, head = variable(w.data[off:]); head == 0 {
					return n, fmt.Errorf("record %d: field %d ends early", n, i)
				}
				off += head
			}
			if size > len(w.data)-off {
				return n, fmt.Errorf("record %d: field %d of %d bytes, %d are left", n, i, size, len(w.data)-off)
			}
			w.at, w.size = append(w.at, int32(off)), append(w.size, int32(size))
			off += size
		}
		n++
	}
	return n, nil
}

// variable reads the length of a field of variable length (RFC 7011 §7) and tells how many
// bytes that takes, 0 if there are too few.
func variable(b []byte) (size, head int) {
	switch {
	case len(b) == 0:
		return 0, 0
	case b[0] < 255:
		return int(b[0]), 1
	case len(b) < 3:
		return 0, 0
	}
	return int(binary.BigEndian.Uint16(b[1:])), 3
}

// value is field f of record r.
func (w *work) value(f, r int) []byte {
	if w.t.varies {
		i := r*len(w.t.fields) + f
		at := w.at[i]
		return w.data[at : at+w.size[i]]
	}
	at := r*w.t.size + int(w.t.plan.off[f])
	return w.data[at : at+int(w.t.fields[f].Len)]
}

// number is field f of record r as a number; 0 if it is wider than one.
func (w *work) number(f, r int) uint64 {
	if f < 0 {
		return 0
	}
	return bigEndian(w.value(f, r))
}

func bigEndian(b []byte) uint64 {
	if len(b) > 8 {
		return 0
	}
	x := uint64(0)
	for _, c := range b {
		x = x<<8 | uint64(c)
	}
	return x
}

// records puts n records into the sink, those of one variant after the other together.
func (w *work) records(n int) {
	p, base := w.t.plan, variant(0)
	if w.clockless() {
		base |= noClock
	}
	if w.wild(n) {
		base |= rawTimes
	}
	w.rates = w.rates[:0]
	if w.same = w.x.resolve(w.m.domain.rate); w.same.space > 0 {
		base |= sampled
	}
	if !p.wantsVariants && !p.wantsRecord || !w.look(n, base) {
		w.run(w.x.config.Sink, w.x.program(w.t, base), 0, n)
		return
	}
	for from := 0; from < n; {
		to := from + 1
		for to < n && w.variants[to] == w.variants[from] {
			to++
		}
		w.run(w.x.config.Sink, w.x.program(w.t, w.variants[from]), from, to-from)
		from = to
	}
}

// clockless tells that nothing says when the exporter's uptime began.
func (w *work) clockless() bool {
	return w.t.plan.uptimes && !w.m.hasUptime && w.t.plan.init < 0 && w.m.domain.boot == 0
}

// clock is when the exporter was started, in milliseconds since the epoch, as record r or its
// message tells.
func (w *work) clock(r int) int64 {
	if init := w.number(w.t.plan.init, r); init > 0 && init < maxMillis {
		return int64(init)
	}
	if w.m.hasUptime {
		return w.m.exported - int64(w.m.uptime)
	}
	return w.m.domain.boot
}

// look finds the variant and the rate of each record; it reports false if all are as base.
func (w *work) look(n int, base variant) bool {
	p := w.t.plan
	if !p.wantsRecord && len(p.pairs) == 0 && !w.anyICMP(n) {
		return false
	}
	w.variants = w.variants[:0]
	for r := range n {
		v := base
		if p.wantsRecord {
			rate := w.x.resolve(w.rateOf(r))
			w.rates = append(w.rates, rate)
			if v &^= sampled; rate.space > 0 {
				v |= sampled
			}
		}
		if p.dst >= 0 && p.proto >= 0 {
			if proto := w.number(p.proto, r); proto == 1 || proto == 58 {
				v |= w.icmp(r, proto)
			}
		}
		if len(p.pairs) > 0 {
			v |= w.family(r)
		}
		w.variants = append(w.variants, v)
	}
	return true
}

// family tells which members of pairs say something. Where both are zero, the IPv6 member counts
// if the record is one of IPv6.
func (w *work) family(r int) variant {
	p := w.t.plan
	v, empty, six := variant(0), variant(0), w.number(p.version, r) == 6
	for k, pair := range p.pairs {
		shift := pairShift + 2*k
		switch first, second := zero(w.value(pair[0], r)), zero(w.value(pair[1], r)); {
		case first && second:
			empty |= 1 << shift
		case second:
			v |= dropSecond << shift
		case first:
			v |= dropFirst << shift
			six = six || p.version < 0
		}
	}
	if six {
		return v | dropFirst*empty
	}
	return v | dropSecond*empty
}

// anyICMP tells whether the protocol of a record is ICMP or ICMPv6.
func (w *work) anyICMP(n int) bool {
	proto := w.t.plan.proto
	if w.t.varies || w.t.fields[proto].Len != 1 {
		return true // look at each
	}
	at := int(w.t.plan.off[proto])
	for range n {
		if p := w.data[at]; p == 1 || p == 58 {
			return true
		}
		at += w.t.size
	}
	return false
}

// rateOf is the sampling rate of record r: its own, or its sampler's.
func (w *work) rateOf(r int) rate {
	p, parts := w.t.plan, rateParts{}
	for _, f := range p.rates {
		parts.put(uint32(w.t.fields[f].ID), w.number(f, r))
	}
	if own := parts.rate(); own.interval > 0 {
		return own
	}
	if p.sampler >= 0 {
		return w.m.domain.sampler(w.number(p.sampler, r))
	}
	return w.m.domain.rate
}

// icmp tells where the type and code of a record of ICMP are.
func (w *work) icmp(r int, proto uint64) variant {
	p, v := w.t.plan, variant(0)
	if proto == 58 {
		v = icmp6
	}
	src, dst := w.number(p.src, r), w.number(p.dst, r)
	switch {
	case p.icmp[0] >= 0 || p.icmp[1] >= 0:
		if src == 0 && (dst == 0 || dst == w.typeAndCode(r, proto)) {
			return v | icmpApart
		}
		return 0
	case src == 0:
		return v | icmpInPort
	case w.m.domain.version < 9 && (dst == 0 || src < 256 && dst < 256):
		return v | icmpMoved
	}
	return v | icmpKeepPort
}

// typeAndCode is what the elements for it say.
func (w *work) typeAndCode(r int, proto uint64) uint64 {
	p, six := w.t.plan, 0
	if proto == 58 && p.icmp[1] >= 0 || p.icmp[0] < 0 {
		six = 1
	}
	x := w.number(p.icmp[six], r)
	if id := w.t.fields[p.icmp[six]].ID; id == 176 || id == 178 {
		return x<<8 | w.number(p.icmpCode[six], r)
	}
	return x
}

// moved is the type and code of ICMP from the ports of NetFlow v1, v5 or v7: the type in the
// source port and the code in the destination port (fprobe), both in the source port in either
// order (some routers).
func moved(src, dst uint64) uint64 {
	switch {
	case src < 256:
		return src<<8 | dst
	case src&0xff == 0:
		return src
	}
	return uint64(bits.ReverseBytes16(uint16(src)))
}

// run puts n records from the first on into a sink.
func (w *work) run(s *flow.Sink, g *program, from, n int) {
	for n > 0 {
		l, k := s.Begin(g.shape, &g.bind, n)
		if k == 0 {
			w.x.Stats.Skipped += uint64(n)
			return
		}
		if g.links {
			w.numbers = slices.Grow(w.numbers[:0], len(g.ops))[:len(g.ops)]
		}
		for i := range g.ops {
			w.put(g, i, l.Cols[i], from, k)
		}
		if g.links {
			clear(w.numbers)
		}
		from += k
		n -= k
	}
}
