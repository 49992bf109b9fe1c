package meter

import "nfpipe/lib/packet"

// EndReason is IPFIX element 136, flowEndReason.
type EndReason uint8

const (
	Idle            EndReason = 1
	Active          EndReason = 2
	EndOfFlow       EndReason = 3
	Forced          EndReason = 4
	LackOfResources EndReason = 5
)

// Direction is what was counted one way.
type Direction struct {
	Packets, Bytes uint64
	First, Last    int64 // nanoseconds since the epoch

	FlowLabel      uint32    // of the first packet, as are the next four and TOS
	Interface      uint32    // number of that where it was seen, 0: none
	VLAN           [2]uint16 // id of the outermost and, if there are several, innermost tag
	SrcMAC, DstMAC [6]byte

	TCPFlags       uint16 // all packets' flags, twelve bits
	TOS            uint8
	MinTTL, MaxTTL uint8
	Fragments      FragmentFlags
}

// FragmentFlags tell what some packet of a direction had.
type FragmentFlags uint8

const (
	DontFragment  FragmentFlags = 1 << iota // IPv4 DF
	MoreFragments                           // MF
	LaterFragment                           // a fragment offset above 0
)

// Labels is an MPLS stack from the top: label, traffic class and bottom bit in
// 24 bits each, the form of elements 70 to 79.
type Labels struct {
	Depth uint8
	Label [packet.MaxLabels]uint32
}

// Record is one flow direction, or with Biflow both of them.
type Record struct {
	// Addresses of the forward direction in network order; IPv4 in the
	// first four bytes.
	Src, Dst         [16]byte
	SrcPort, DstPort uint16
	Family           uint8 // 4 or 6
	Proto            uint8
	HasPorts         bool // ports, or type and code, are known
	ICMPType         uint8
	ICMPCode         uint8
	End              EndReason
	Biflow           bool // Reverse and ReverseLabels are in use

	Latency Latency // with Config.Latency, of TCP

	Direction        // the forward direction, which is that of the first packet
	Labels    Labels // of its first packet with labels

	Reverse       Direction // without packets when there were none
	ReverseLabels Labels
}

func (d *Direction) start(p *packet.Packet) {
	*d = Direction{
		First: p.Time, Last: p.Time,
		FlowLabel: p.FlowLabel,
		Interface: p.Interface,
		VLAN:      p.VLAN,
		SrcMAC:    p.SrcMAC, DstMAC: p.DstMAC,
		TOS:    p.TOS,
		MinTTL: p.TTL, MaxTTL: p.TTL,
	}
}

func (d *Direction) add(p *packet.Packet) {
	d.Packets++
	d.Bytes += uint64(p.Bytes)
	d.First = min(d.First, p.Time)
	d.Last = max(d.Last, p.Time)
	d.TCPFlags |= p.TCPFlags
	d.MinTTL = min(d.MinTTL, p.TTL)
	d.MaxTTL = max(d.MaxTTL, p.TTL)
	d.Fragments |= FragmentFlags(p.Flags & (packet.DontFragment | packet.MoreFragments))
	if p.FragOffset > 0 {
		d.Fragments |= LaterFragment
	}
}
