package packet

import "encoding/binary"

// Link types by their LINKTYPE_ number, as capture files have them.
const (
	LinkNull       = 0
	LinkEthernet   = 1
	LinkARCNET     = 7
	LinkSLIP       = 8
	LinkPPP        = 9
	LinkFDDI       = 10
	LinkRaw12      = 12
	LinkRaw14      = 14
	LinkPPPSerial  = 50
	LinkPPPEther   = 51
	LinkATM        = 100
	LinkRaw        = 101
	LinkCHDLC      = 104
	Link80211      = 105
	LinkFrameRelay = 107
	LinkLoop       = 108
	LinkSLL        = 113
	LinkPFLOG      = 117
	LinkPrism      = 119
	LinkRadiotap   = 127
	LinkARCNETLin  = 129
	LinkUser2      = 149 // Apple's pktap, before it had a number
	LinkAVS        = 163
	LinkPPPD       = 166
	LinkJuniperEth = 178
	LinkPPI        = 192
	LinkIPv4       = 228
	LinkIPv6       = 229
	LinkNFLOG      = 239
	LinkPKTAP      = 258
	LinkSLL2       = 276
)

func (q *Parser) link(link uint16, b []byte, orig int, p *Packet) Status {
	if !q.deeper() {
		return Malformed
	}
	switch link {
	case LinkEthernet:
		return q.ethernet(b, orig, p)
	case LinkRaw, LinkRaw12, LinkRaw14, LinkIPv4, LinkIPv6:
		return q.anyIP(b, orig, p)
	case LinkSLL:
		return q.sll(b, orig, p)
	case LinkSLL2:
		return q.sll2(b, orig, p)
	case LinkNull, LinkLoop:
		return q.null(b, orig, p)
	case LinkPPP, LinkPPPSerial, LinkPPPD:
		return q.ppp(b, orig, p)
	case LinkPPPEther: // PPPoE header: version and type, code, session u16, length u16
		return q.etherType(typePPPoE, b, orig, p)
	case LinkCHDLC:
		return q.chdlc(b, orig, p)
	case LinkFrameRelay:
		return q.frameRelay(b, orig, p)
	case LinkFDDI: // frame control, destination, source, LLC
		if len(b) < 13 {
			return Short
		}
		p.DstMAC, p.SrcMAC = [6]byte(b[1:]), [6]byte(b[7:])
		return q.llc(b[13:], orig-13, p)
	case LinkARCNET:
		return q.arcnet(b, orig, 2, p)
	case LinkARCNETLin:
		return q.arcnet(b, orig, 4, p)
	case LinkATM: // RFC 2684 with LLC
		return q.llc(b, orig, p)
	case Link80211:
		return q.wifi(b, orig, false, p)
	case LinkRadiotap:
		return q.radiotap(b, orig, p)
	case LinkPPI:
		return q.ppi(b, orig, p)
	case LinkPrism, LinkAVS:
		return q.prism(b, orig, p)
	case LinkNFLOG:
		return q.nflog(b, orig, p)
	case LinkPFLOG:
		return q.pflog(b, orig, p)
	case LinkPKTAP, LinkUser2:
		return q.pktap(b, orig, p)
	case LinkJuniperEth:
		return q.juniperEther(b, orig, p)
	}
	return UnknownLink
}

// sll is LINKTYPE_LINUX_SLL: 0 packet type  2 hardware type  4 address length
// 6 address (8 bytes)  14 protocol.
func (q *Parser) sll(b []byte, orig int, p *Packet) Status {
	if len(b) < 16 {
		return Short
	}
	if binary.BigEndian.Uint16(b[4:]) == 6 {
		p.SrcMAC = [6]byte(b[6:])
	}
	return q.cooked(binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[14:]), b[16:], orig-16, p)
}

// sll2 is LINKTYPE_LINUX_SLL2: 0 protocol  2 reserved  4 interface u32
// 8 hardware type  10 packet type u8  11 address length u8  12 address (8 bytes).
func (q *Parser) sll2(b []byte, orig int, p *Packet) Status {
	if len(b) < 20 {
		return Short
	}
	if b[11] == 6 {
		p.SrcMAC = [6]byte(b[12:])
	}
	return q.cooked(binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b), b[20:], orig-20, p)
}

// cooked goes on by Linux's protocol number: an EtherType, or 4 for LLC. Netlink
// and 802.11 devices have other meanings in the field.
func (q *Parser) cooked(hardware, proto uint16, b []byte, orig int, p *Packet) Status {
	const netlink, wifi, wifiRadiotap, frad = 824, 801, 803, 770
	switch hardware {
	case netlink, frad:
		return NotIP
	case wifi:
		return q.wifi(b, orig, false, p)
	case wifiRadiotap:
		return q.radiotap(b, orig, p)
	}
	switch {
	case proto == 4:
		return q.llc(b, orig, p)
	case proto < 0x600:
		return NotIP
	}
	return q.etherType(proto, b, orig, p)
}

// null is LINKTYPE_NULL and LOOP: an address family in four bytes of the writing
// host's order. IPv6 has a different number on every system.
func (q *Parser) null(b []byte, orig int, p *Packet) Status {
	if len(b) < 4 {
		return Short
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(b)
	}
	switch family {
	case 2:
		p.EtherType = typeIPv4
		return q.ipv4(b[4:], orig-4, p)
	case 10, 24, 28, 30:
		p.EtherType = typeIPv6
		return q.ipv6(b[4:], orig-4, p)
	}
	return NotIP
}

// chdlc is Cisco's HDLC: address, control, EtherType.
func (q *Parser) chdlc(b []byte, orig int, p *Packet) Status {
	if len(b) < 4 {
		return Short
	}
	if typ := binary.BigEndian.Uint16(b[2:]); typ > 1500 {
		return q.etherType(typ, b[4:], orig-4, p)
	} else if typ&0xff00 == 0xfe00 {
		return q.nlpid(b[3:], orig-3, p)
	}
	return NotIP
}

// frameRelay is RFC 2427: an address of 2 to 4 bytes, the last with its low bit
// set, control 3, perhaps a pad byte 0, NLPID; or Cisco's: EtherType at once.
func (q *Parser) frameRelay(b []byte, orig int, p *Packet) Status {
	n := 0
	for n < 4 && n < len(b) && b[n]&1 == 0 {
		n++
	}
	n++
	if len(b) < n+2 {
		return Short
	}
	b, orig = b[n:], orig-n
	if b[0] != 3 {
		return q.etherType(binary.BigEndian.Uint16(b), b[2:], orig-2, p)
	}
	if b[1] == 0 {
		return q.nlpid(b[2:], orig-2, p)
	}
	return q.nlpid(b[1:], orig-1, p)
}

// arcnet is RFC 1201: source, destination, (Linux: two bytes of offset), type,
// then for the types of that RFC split flag and sequence; types 240 and 241 are
// the older RFC 1051 without them.
func (q *Parser) arcnet(b []byte, orig, n int, p *Packet) Status {
	if len(b) < n+1 {
		return Short
	}
	kind := b[n]
	b, orig = b[n+1:], orig-n-1
	switch kind {
	case 240:
		return q.ipv4(b, orig, p)
	case 212, 196: // IPv4, IPv6
		if len(b) < 3 {
			return Short
		}
		if b[0] == 0xff { // the exception form: padding of four bytes
			if len(b) < 7 {
				return Short
			}
			b, orig = b[4:], orig-4
		}
		if b[0] != 0 { // part of a frame that was split
			return NotIP
		}
		return q.anyIP(b[3:], orig-3, p)
	}
	return NotIP
}
