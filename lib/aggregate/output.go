package aggregate

import (
	"fmt"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Batches gives the groups out in order, the first n of them, all if n is 0. A group is a
// record: its key under the elements of its fields, addresses cut; packetDeltaCount,
// octetDeltaCount and the post counters, deltaFlowCount, flowStartNanoseconds and
// flowEndNanoseconds, tcpControlBits and ipClassOfService as far as the table keeps them and
// records had them. Counters are scaled and carry no sampling rate. A batch is valid until
// yield returns.
func (t *Table) Batches(o Order, n int, yield func(*flow.Batch) error) error {
	r := t.newRanking(o)
	var list []ranked
	if n > 0 && n < t.Groups() {
		list = r.best(n)
	} else {
		list = r.all()
	}
	return r.emit(list, yield)
}

// emitter fills a builder with groups.
type emitter struct {
	*ranking
	b       *flow.Builder
	layouts map[layoutKey]*flow.Layout
	proto   int    // column of the key that is the protocol, or -1
	touched uint64 // keeps the compiler from dropping the loads of warm
}

// layoutKey tells groups apart whose records differ in their elements: by class, by whether
// they have times, flags and type of service, and ICMPv6 from ICMP.
type layoutKey struct {
	class             int
	first, last       bool
	flags, tos, icmp6 bool
}

func (r *ranking) newEmitter() *emitter {
	m := &emitter{ranking: r, b: flow.NewBuilder(), layouts: map[layoutKey]*flow.Layout{}, proto: -1}
	for i := range r.t.sources {
		if r.t.sources[i].v4 == 4 {
			m.proto = i
		}
	}
	return m
}

// emit gives the groups of list out.
func (r *ranking) emit(list []ranked, yield func(*flow.Batch) error) error {
	return inParts(len(list), func() partFunc {
		m := r.newEmitter()
		return func(from, to int, yield func(*flow.Batch) error) error { return m.emit(list[from:to], yield) }
	}, yield)
}

// emit gives the groups of list out, one batch after the other.
func (m *emitter) emit(list []ranked, yield func(*flow.Batch) error) error {
	flush := func() error {
		if m.b.Len() == 0 {
			return nil
		}
		err := yield(m.b.Batch())
		m.b.Reset()
		return err
	}
	var last layoutKey
	var l *flow.Layout
	for i := range list {
		if i&(block-1) == 0 {
			m.warm(list[i:min(i+block, len(list))])
		}
		c, e := m.entry(list[i].ref)
		k := m.keyOf(list[i].ref, c, e)
		if l == nil || k != last {
			l, last = m.layouts[k], k
		}
		if l == nil {
			var ok bool
			if l, ok = m.b.Layout(m.shape(k, c)); !ok {
				if err := flush(); err != nil {
					return err
				}
				m.b.Clear()
				clear(m.layouts)
				if l, ok = m.b.Layout(m.shape(k, c)); !ok {
					return fmt.Errorf("a group of %d columns does not fit into a batch", len(c.places))
				}
			}
			m.layouts[k] = l
		}
		m.put(l, k, c, e)
		if m.b.Full() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// warm touches entries, so that the waits for memory overlap.
func (m *emitter) warm(list []ranked) {
	for i := range list {
		_, e := m.entry(list[i].ref)
		m.touched ^= e[0] ^ e[len(e)-1]
	}
}

func (m *emitter) keyOf(ref uint64, c *class, e []uint64) layoutKey {
	k := layoutKey{class: int(ref >> 32), first: e[3] != ^uint64(0), last: e[4] != 0}
	if m.t.marks {
		marks := e[m.t.fixed-1]
		k.flags, k.tos = marks&hasFlags != 0, marks&hasTOS != 0
	}
	if m.proto >= 0 {
		p := &c.places[m.proto]
		k.icmp6 = p.state == narrow && e[c.key+p.word]>>p.shift&0xff == 58
	}
	return k
}

// shape lists the elements of a group's record in the order in which put fills them.
func (m *emitter) shape(k layoutKey, c *class) flow.Shape {
	var ids []ie.ID
	for i := range c.places {
		s := &m.t.sources[i]
		switch {
		case c.places[i].state == absent:
		case c.places[i].state == wide && s.kind == column.Addr:
			ids = append(ids, s.v6)
		case k.icmp6 && (s.v4 == 176 || s.v4 == 177):
			ids = append(ids, s.v4+2)
		case i > 0 && m.t.sources[i-1].mask != nil && c.places[i-1].state == wide:
			ids = append(ids, s.v6) // the prefix length of an IPv6 network
		default:
			ids = append(ids, s.v4)
		}
	}
	saw := m.t.saw.Load()
	for _, c := range []struct {
		has bool
		id  ie.ID
	}{
		{saw&sawPackets != 0, 2}, {saw&sawBytes != 0, 1}, {true, 3}, {k.first, 156}, {k.last, 157},
		{saw&sawOPackets != 0, 24}, {saw&sawOBytes != 0, 23}, {k.flags, 6}, {k.tos, 5},
	} {
		if c.has {
			ids = append(ids, c.id)
		}
	}
	return flow.ShapeOf(ids...)
}

// put appends a group's record.
func (m *emitter) put(l *flow.Layout, k layoutKey, c *class, e []uint64) {
	l.Next()
	cols := l.Cols
	for i := range c.places {
		p := &c.places[i]
		if p.state == absent {
			continue
		}
		x := e[c.key+p.word] >> p.shift
		if p.bits < 64 {
			x &= 1<<p.bits - 1
		}
		switch m.t.sources[i].kind {
		case column.Int:
			cols[0].PutInt(x)
		case column.Addr:
			if p.state == narrow {
				cols[0].Put4(uint32(x))
			} else {
				cols[0].Put6(column.V6{Hi: x, Lo: e[c.key+p.word+1]})
			}
		default:
			cols[0].PutBytes([]byte(m.t.strings.list[x]))
		}
		cols = cols[1:]
	}
	next := func(has bool, x uint64) {
		if has {
			cols[0].PutInt(x)
			cols = cols[1:]
		}
	}
	saw := m.t.saw.Load()
	next(saw&sawPackets != 0, e[0])
	next(saw&sawBytes != 0, e[1])
	next(true, e[2])
	next(k.first, e[3])
	next(k.last, e[4])
	if m.t.out {
		next(saw&sawOPackets != 0, e[5])
		next(saw&sawOBytes != 0, e[6])
	}
	if m.t.marks {
		marks := e[m.t.fixed-1]
		next(k.flags, marks&markFlags)
		next(k.tos, marks>>markTOS&0xff)
	}
}
