package filter

import (
	"encoding/binary"

	"nfpipe/lib/column"
	"nfpipe/lib/packet"
)

// Packet is the filter as a predicate on single packets. Only what a packet can answer is
// allowed: addresses, ports, protocols, TCP flags, ICMP types, VLANs, TOS, time to live, MAC
// addresses, Ethernet types. Other words are an *Error that names them. The function may be
// used by several goroutines.
func (f *Filter) Packet() (func(*packet.Packet) bool, error) {
	// Words that mean either side of a device are fine, those that mean the far side are not.
	near := map[token]bool{}
	f.root.walk(func(n *node) {
		if n.op == opTest && !farSide(n.test.field.Name) {
			near[n.test.word] = true
		}
	})
	var err error
	f.root.walk(func(n *node) {
		if n.op == opTest && !near[n.test.word] && err == nil {
			err = n.test.notInPackets()
		}
	})
	if err != nil {
		return nil, err
	}
	return f.root.packet()
}

// farSide tells that no packet has the field, since it is of the device's other side.
func farSide(field string) bool {
	switch field {
	case "dsttos", "dstvlan", "outsrcmac", "outdstmac":
		return true
	}
	return false
}

func (t *test) notInPackets() error {
	e := t.lex.errorf(t.word, "a packet has no %q", t.lex.text[t.word.pos:t.word.end])
	e.Hint = "packets have ip, net, port, proto, flags, icmp-type, icmp-code, vlan, tos, ttl, mac, ethertype"
	return e
}

func (n *node) packet() (func(*packet.Packet) bool, error) {
	if n.op == opAny {
		return func(*packet.Packet) bool { return true }, nil
	}
	if n.op == opTest {
		return n.test.packet()
	}
	kids := make([]func(*packet.Packet) bool, len(n.kids))
	for i, k := range n.kids {
		var err error
		if kids[i], err = k.packet(); err != nil {
			return nil, err
		}
	}
	a, b := kids[0], kids[len(kids)-1]
	switch {
	case n.op == opNot:
		return func(p *packet.Packet) bool { return !a(p) }, nil
	case n.op == opAnd && len(kids) == 2:
		return func(p *packet.Packet) bool { return a(p) && b(p) }, nil
	case n.op == opOr && len(kids) == 2:
		return func(p *packet.Packet) bool { return a(p) || b(p) }, nil
	}
	decided := n.op == opOr
	return func(p *packet.Packet) bool {
		for _, k := range kids {
			if k(p) == decided {
				return decided
			}
		}
		return !decided
	}, nil
}

func (t *test) packet() (func(*packet.Packet) bool, error) {
	if get := addressOf(t.field.Name); get != nil {
		ips := t.ips
		if t.form == onPresence {
			ips = addrs{every4, every6}
		}
		return func(p *packet.Packet) bool { return ips.holds(get(p), p.Family) }, nil
	}
	get := numberOf(t.field.Name)
	if get == nil || t.form != onInts && t.form != onPresence {
		return nil, t.notInPackets()
	}
	if t.form == onPresence {
		return func(p *packet.Packet) bool { _, ok := get(p); return ok }, nil
	}
	set, shift, mask := t.set, t.shift, t.mask
	if len(set) == 1 {
		lo, width := set[0].lo, set[0].hi-set[0].lo
		return func(p *packet.Packet) bool {
			x, ok := get(p)
			return ok && (x>>shift&mask)-lo <= width
		}, nil
	}
	return func(p *packet.Packet) bool {
		x, ok := get(p)
		return ok && set.has(x>>shift&mask)
	}, nil
}

// holds tells whether an address as packets have it is in the set.
func (s *addrs) holds(a *[16]byte, family uint8) bool {
	switch family {
	case 4:
		return s.v4.has(uint64(binary.BigEndian.Uint32(a[:4])))
	case 6:
		return s.has6(column.V6{Hi: binary.BigEndian.Uint64(a[:8]), Lo: binary.BigEndian.Uint64(a[8:])})
	}
	return false
}

func addressOf(field string) func(*packet.Packet) *[16]byte {
	switch field {
	case "srcip", "srcip4", "srcip6":
		return func(p *packet.Packet) *[16]byte { return &p.Src }
	case "dstip", "dstip4", "dstip6":
		return func(p *packet.Packet) *[16]byte { return &p.Dst }
	}
	return nil
}

// numberOf is how to read a number from a packet, and whether the packet has it.
func numberOf(field string) func(*packet.Packet) (uint64, bool) {
	isICMP := func(p *packet.Packet) bool { return p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6 }
	switch field {
	case "proto":
		return func(p *packet.Packet) (uint64, bool) { return uint64(p.Proto), p.Family != 0 }
	case "ipversion":
		return func(p *packet.Packet) (uint64, bool) { return uint64(p.Family), p.Family != 0 }
	case "srcport":
		return func(p *packet.Packet) (uint64, bool) {
			return uint64(p.SrcPort), p.Flags&packet.HasPorts != 0 && !isICMP(p)
		}
	case "dstport":
		return func(p *packet.Packet) (uint64, bool) {
			return uint64(p.DstPort), p.Flags&packet.HasPorts != 0 && !isICMP(p)
		}
	case "icmptype":
		return func(p *packet.Packet) (uint64, bool) {
			return uint64(p.ICMPType), p.Flags&packet.HasPorts != 0 && isICMP(p)
		}
	case "icmpcode":
		return func(p *packet.Packet) (uint64, bool) {
			return uint64(p.ICMPCode), p.Flags&packet.HasPorts != 0 && isICMP(p)
		}
	case "flags":
		return func(p *packet.Packet) (uint64, bool) { return uint64(p.TCPFlags), p.Flags&packet.HasTCP != 0 }
	}
	return linkNumberOf(field)
}

func linkNumberOf(field string) func(*packet.Packet) (uint64, bool) {
	mac := func(a [6]byte) uint64 {
		return uint64(binary.BigEndian.Uint16(a[:]))<<32 | uint64(binary.BigEndian.Uint32(a[2:]))
	}
	// A zero address is that of a link layer without addresses.
	switch field {
	case "srctos":
		return func(p *packet.Packet) (uint64, bool) { return uint64(p.TOS), p.Family != 0 }
	case "minttl", "maxttl":
		return func(p *packet.Packet) (uint64, bool) { return uint64(p.TTL), p.Family != 0 }
	case "srcvlan", "dot1qvlan":
		return func(p *packet.Packet) (uint64, bool) { return uint64(p.VLAN[0]), p.VLANs > 0 }
	case "custvlan":
		return func(p *packet.Packet) (uint64, bool) { return uint64(p.VLAN[1]), p.VLANs > 1 }
	case "ethertype":
		return func(p *packet.Packet) (uint64, bool) { return uint64(p.EtherType), p.EtherType != 0 }
	case "insrcmac":
		return func(p *packet.Packet) (uint64, bool) { return mac(p.SrcMAC), p.SrcMAC != [6]byte{} }
	case "indstmac":
		return func(p *packet.Packet) (uint64, bool) { return mac(p.DstMAC), p.DstMAC != [6]byte{} }
	}
	if farSide(field) {
		return func(p *packet.Packet) (uint64, bool) { return 0, false }
	}
	return nil
}
