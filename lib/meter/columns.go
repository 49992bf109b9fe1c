package meter

import (
	"cmp"
	"encoding/binary"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/packet"
)

// Columns puts records into a flow.Builder. Which elements a record gets follows from what
// its packets had: ports or ICMP type and code, TCP flags, VLAN tags, MPLS labels, IPv6 flow
// label, an interface; the latency of a TCP handshake; and what ColumnOptions say.
type Columns struct {
	b       *flow.Builder
	opt     ColumnOptions
	layouts map[traits]*layout
}

// ColumnOptions is what records have besides what their packets had. The zero value adds nothing.
type ColumnOptions struct {
	MAC       bool   // source and destination MAC address
	Sample    uint32 // Config.Sample: from 2 on, the sampling interval and space
	Interface uint32 // the number of the interface in all records; 0: that of their packets
	MaxLabels int    // keep the first so many MPLS labels; 0: all, below 0: none
}

// traits is what decides the shape of a record.
type traits struct {
	family, vlans, labels       uint8
	ports, icmp, tcp, label, bi bool
	back                        bool // a biflow's reverse direction has packets
	iface                       bool // ingressInterface
	latency                     stage
}

type layout struct {
	l   *flow.Layout
	put []func(*Record, *column.Builder)
}

// NewColumns returns columns with an empty builder.
func NewColumns(o ColumnOptions) *Columns {
	return &Columns{b: flow.NewBuilder(), opt: o, layouts: map[traits]*layout{}}
}

// Add appends a record. It reports false when a batch has to be taken first; then nothing was
// added.
func (c *Columns) Add(r *Record) bool {
	if c.b.Full() {
		return false
	}
	t := c.traits(r)
	l := c.layouts[t]
	if l == nil {
		var ok bool
		if l, ok = c.layout(t); !ok {
			return false
		}
	}
	l.l.Next()
	for i, put := range l.put {
		put(r, l.l.Cols[i])
	}
	return true
}

// Len is the number of records since the last Reset.
func (c *Columns) Len() int { return c.b.Len() }

// Batch is what was added; it is valid until Reset.
func (c *Columns) Batch() *flow.Batch { return c.b.Batch() }

// Reset empties the columns. A builder that has run out of shapes starts afresh.
func (c *Columns) Reset() {
	if len(c.layouts) < flow.MaxShapes {
		c.b.Reset()
		return
	}
	c.b.Clear()
	clear(c.layouts)
}

func (c *Columns) traits(r *Record) traits {
	t := traits{family: r.Family, labels: r.Labels.Depth, bi: r.Biflow, tcp: r.Proto == packet.ProtoTCP}
	t.icmp = r.Proto == packet.ProtoICMP || r.Proto == packet.ProtoICMPv6
	t.ports = r.HasPorts && !t.icmp
	t.icmp = t.icmp && r.HasPorts
	if r.VLAN[0] != 0 {
		t.vlans++
		if r.VLAN[1] != 0 {
			t.vlans++
		}
	}
	if n := c.opt.MaxLabels; n != 0 {
		t.labels = min(t.labels, uint8(min(max(n, 0), packet.MaxLabels)))
	}
	t.iface = c.opt.Interface != 0 || r.Interface != 0
	t.label, t.latency = r.FlowLabel != 0, r.Latency.known()
	t.back = r.Biflow && r.Reverse.Packets > 0
	return t
}

// element is a column that a record fills.
type element struct {
	id  ie.ID
	put func(*Record, *column.Builder)
}

func number(id ie.ID, get func(*Record) uint64) element {
	return element{id, func(r *Record, c *column.Builder) { c.PutInt(get(r)) }}
}

func (c *Columns) layout(t traits) (*layout, bool) {
	es := addresses(t.family)
	es = append(es, number(4, func(r *Record) uint64 { return uint64(r.Proto) }))
	switch {
	case t.ports:
		es = append(es,
			number(7, func(r *Record) uint64 { return uint64(r.SrcPort) }),
			number(11, func(r *Record) uint64 { return uint64(r.DstPort) }))
	case t.icmp && t.family == 4:
		es = append(es, number(32, typeCode))
	case t.icmp:
		es = append(es, number(139, typeCode))
	}
	es = append(es, direction(t.tcp, t.family == 6 && t.label, c.opt.MAC, 0, func(r *Record) *Direction { return &r.Direction })...)
	es = append(es, number(136, func(r *Record) uint64 { return uint64(r.End) }))
	if t.vlans > 0 {
		es = append(es, number(58, func(r *Record) uint64 { return uint64(r.VLAN[0]) }))
	}
	if t.vlans > 1 {
		es = append(es, number(245, func(r *Record) uint64 { return uint64(r.VLAN[1]) }))
	}
	for i := range int(t.labels) {
		es = append(es, element{ie.ID(70 + i), func(r *Record, c *column.Builder) {
			var p [4]byte
			binary.BigEndian.PutUint32(p[:], r.Labels.Label[i])
			c.PutBytes(p[1:])
		}})
	}
	if t.latency >= shaken {
		es = append(es,
			number(ie.ClientLatency, func(r *Record) uint64 { return micros(r.Latency.Client) }),
			number(ie.ServerLatency, func(r *Record) uint64 { return micros(r.Latency.Server) }))
	}
	if t.latency >= answered {
		es = append(es, number(ie.AppLatency, func(r *Record) uint64 { return micros(r.Latency.App) }))
	}
	if t.bi {
		es = append(es, number(239, func(*Record) uint64 { return 1 })) // initiator
	}
	if t.back {
		es = append(es, direction(t.tcp, false, c.opt.MAC, ie.New(ie.ReversePEN, 0), func(r *Record) *Direction { return &r.Reverse })...)
	}
	if t.iface {
		n := c.opt.Interface
		es = append(es, number(10, func(r *Record) uint64 { return uint64(cmp.Or(n, r.Interface)) }))
	}
	if n := c.opt.Sample; n > 1 {
		es = append(es,
			number(ie.SamplingInterval, func(*Record) uint64 { return 1 }),
			number(ie.SamplingSpace, func(*Record) uint64 { return uint64(n - 1) }))
	}
	shape := make(flow.Shape, len(es))
	out := &layout{}
	for i, e := range es {
		shape[i] = flow.ShapeOf(e.id)[0]
		out.put = append(out.put, e.put)
	}
	l, ok := c.b.Layout(shape)
	if !ok {
		return nil, false
	}
	out.l = l
	c.layouts[t] = out
	return out, true
}

func typeCode(r *Record) uint64 { return uint64(r.ICMPType)<<8 | uint64(r.ICMPCode) }

func addresses(family uint8) []element {
	if family == 4 {
		return []element{
			{8, func(r *Record, c *column.Builder) { c.Put4(binary.BigEndian.Uint32(r.Src[:])) }},
			{12, func(r *Record, c *column.Builder) { c.Put4(binary.BigEndian.Uint32(r.Dst[:])) }},
		}
	}
	return []element{
		{27, func(r *Record, c *column.Builder) { c.Put16(r.Src[:]) }},
		{28, func(r *Record, c *column.Builder) { c.Put16(r.Dst[:]) }},
	}
}

// direction lists what is counted one way; rev turns the ids into reverse elements (RFC 5103).
func direction(tcp, label, mac bool, rev ie.ID, of func(*Record) *Direction) []element {
	es := []element{
		number(2, func(r *Record) uint64 { return of(r).Packets }),
		number(1, func(r *Record) uint64 { return of(r).Bytes }),
		number(156, func(r *Record) uint64 { return uint64(max(of(r).First, 0)) }),
		number(157, func(r *Record) uint64 { return uint64(max(of(r).Last, 0)) }),
		number(5, func(r *Record) uint64 { return uint64(of(r).TOS) }),
		number(52, func(r *Record) uint64 { return uint64(of(r).MinTTL) }),
		number(53, func(r *Record) uint64 { return uint64(of(r).MaxTTL) }),
		number(197, func(r *Record) uint64 { return uint64(fragmentBits(of(r).Fragments)) }),
	}
	if tcp {
		es = append(es, number(6, func(r *Record) uint64 { return uint64(of(r).TCPFlags) }))
	}
	if label {
		es = append(es, number(31, func(r *Record) uint64 { return uint64(of(r).FlowLabel) }))
	}
	if mac {
		es = append(es,
			number(56, func(r *Record) uint64 { return macOf(of(r).SrcMAC) }),
			number(80, func(r *Record) uint64 { return macOf(of(r).DstMAC) }))
	}
	for i := range es {
		es[i].id |= rev
	}
	return es
}

func macOf(m [6]byte) uint64 {
	return uint64(binary.BigEndian.Uint16(m[:]))<<32 | uint64(binary.BigEndian.Uint32(m[2:]))
}

// fragmentBits writes the flags as element 197 has them: bit 1 DF, bit 2 MF of RFC 791, the
// first bit being the highest.
func fragmentBits(f FragmentFlags) uint8 {
	b := uint8(0)
	if f&DontFragment != 0 {
		b |= 0x40
	}
	if f&MoreFragments != 0 {
		b |= 0x20
	}
	return b
}
