package packet

import "encoding/binary"

// ipv4 is RFC 791:
//
//	0 version, length  1 ToS  2 total length  4 identification
//	6 flags, fragment offset  8 TTL  9 protocol  10 checksum  12 source  16 destination
func (q *Parser) ipv4(b []byte, orig int, p *Packet) Status {
	if len(b) < 20 {
		return Short
	}
	head := int(b[0]&15) * 4
	if b[0]>>4 != 4 || head < 20 {
		return Malformed
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		// Segmentation offload leaves the length to the network card.
		total = orig
	}
	p.Family = 4
	p.Bytes = uint32(total)
	p.TOS, p.TTL, p.Proto = b[1], b[8], b[9]
	p.ID = uint32(binary.BigEndian.Uint16(b[4:]))
	frag := binary.BigEndian.Uint16(b[6:])
	p.FragOffset = frag & 0x1fff << 3
	p.Flags = Flags(frag>>14&1)*DontFragment | Flags(frag>>13&1)*MoreFragments
	copy(p.Src[:4], b[12:16])
	copy(p.Dst[:4], b[16:20])
	if total < head {
		return IP // the sum of its bytes is all that can be believed
	}
	p.Payload = uint32(total - head)
	if len(b) <= head {
		return IP
	}
	rest := b[head:]
	if total < len(b) { // what follows is the frame's padding
		rest = b[head:total]
	}
	q.behind = rest
	if p.FragOffset > 0 {
		return IP
	}
	p.transport(rest)
	if q.Decap > int(p.Depth) && !p.Fragment() {
		return q.decap(rest, orig-head, p)
	}
	return IP
}

// ipv6 is RFC 8200:
//
//	0 version, class, flow label  4 payload length  6 next header  7 hop limit
//	8 source  24 destination  40 extension headers
func (q *Parser) ipv6(b []byte, orig int, p *Packet) Status {
	if len(b) < 40 {
		return Short
	}
	v := binary.BigEndian.Uint32(b)
	if v>>28 != 6 {
		return Malformed
	}
	p.Family = 6
	p.TOS = uint8(v >> 20)
	p.FlowLabel = v & 0xfffff
	p.TTL = b[7]
	p.Src = [16]byte(b[8:])
	p.Dst = [16]byte(b[24:])
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	next := b[6]
	if total == 40 {
		total = unsizedIPv6(b, orig, next)
	}
	p.Bytes = uint32(total)
	rest := b[40:]
	if total < len(b) {
		rest = b[40:total]
	}
	p.Payload = p.Bytes - 40
	rest, ok := p.extensions(next, rest)
	q.behind = rest
	if !ok {
		return IP
	}
	p.transport(rest)
	if q.Decap > int(p.Depth) && !p.Fragment() {
		return q.decap(rest, orig-(len(b)-len(rest)), p)
	}
	return IP
}

// ethernetPadding is the most that a minimal Ethernet frame adds to 40 bytes.
const ethernetPadding = 46

// unsizedIPv6 is the length of a packet whose payload length is 0: a jumbogram
// (RFC 2675: first option of a hop-by-hop header, type 0xc2, length 4), a frame
// before segmentation, or a packet that ends with its header.
func unsizedIPv6(b []byte, orig int, next uint8) int {
	if next == ProtoHopByHop && len(b) >= 48 && b[42] == 0xc2 && b[43] == 4 {
		if n := binary.BigEndian.Uint32(b[44:]); n < 1<<32-40 {
			return 40 + int(n)
		}
	}
	if next != ProtoNone && orig > 40+ethernetPadding {
		return orig
	}
	return 40
}

// extensions walks the extension headers and leaves the upper protocol in
// p.Proto. It returns what is behind them, and false if no upper header is there: in a
// later fragment, or a chain that was cut off.
//
//	options, routing, …  0 next  1 length in 8 bytes, the first not counted
//	AH (RFC 4302)        0 next  1 length in 4 bytes less 2
//	fragment             0 next  2 offset 13 bits, more 1 bit  4 identification
func (p *Packet) extensions(next uint8, b []byte) ([]byte, bool) {
	for {
		p.Proto = next
		var n int
		switch next {
		case ProtoHopByHop, ProtoRouting, ProtoDstOpts, ProtoHIP, ProtoShim6:
			if len(b) < 8 {
				return nil, false
			}
			n = (int(b[1]) + 1) * 8
		case ProtoAH:
			if len(b) < 8 {
				return nil, false
			}
			n = (int(b[1]) + 2) * 4
		case ProtoFragment:
			if len(b) < 8 {
				return nil, false
			}
			frag := binary.BigEndian.Uint16(b[2:])
			p.FragOffset = frag &^ 7
			p.Flags |= Flags(frag&1) * MoreFragments
			p.ID = binary.BigEndian.Uint32(b[4:])
			if p.FragOffset > 0 {
				p.Proto = b[0]
				return b[8:], false
			}
			n = 8
		default:
			return b, true
		}
		next = b[0]
		if len(b) < n {
			p.Proto = next
			return nil, false
		}
		b = b[n:]
		p.Payload -= min(p.Payload, uint32(n))
	}
}

// transport reads ports, or type and code, from an unfragmented packet or a
// first fragment.
//
//	TCP (RFC 9293): 0 ports  4 sequence  8 acknowledgement  12 offset, flags  14 window
func (p *Packet) transport(b []byte) {
	switch p.Proto {
	case ProtoTCP:
		if len(b) < 4 {
			return
		}
		p.ports(b)
		if len(b) >= 16 {
			p.Seq = binary.BigEndian.Uint32(b[4:])
			p.Ack = binary.BigEndian.Uint32(b[8:])
			p.TCPFlags = binary.BigEndian.Uint16(b[12:]) & 0xfff
			p.TCPHeader = b[12] >> 4 * 4
			p.Window = binary.BigEndian.Uint16(b[14:])
			p.Flags |= HasTCP
		} else if len(b) >= 14 {
			p.TCPFlags = binary.BigEndian.Uint16(b[12:]) & 0xfff
		}
	case ProtoUDP, ProtoUDPLite, ProtoSCTP, ProtoDCCP:
		if len(b) >= 4 {
			p.ports(b)
		}
	case ProtoICMP, ProtoICMPv6:
		if len(b) >= 2 && (p.Proto == ProtoICMP) == (p.Family == 4) {
			p.ICMPType, p.ICMPCode = b[0], b[1]
			p.Flags |= HasPorts
		}
	}
}

func (p *Packet) ports(b []byte) {
	p.SrcPort = binary.BigEndian.Uint16(b)
	p.DstPort = binary.BigEndian.Uint16(b[2:])
	p.Flags |= HasPorts
}
