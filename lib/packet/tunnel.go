package packet

import "encoding/binary"

// UDP ports by which tunnels are known.
const (
	portGTPU     = 2152
	portGTPv0    = 3386
	portLISP     = 4341
	portLISPCtl  = 4342
	portGRE      = 4754
	portAYIYA    = 5072
	portTeredo   = 3544
	portVXLAN    = 4789
	portGeneve   = 6081
	portMPLS     = 6635
	portVXLANGPE = 4790
	portVXLANOld = 8472
)

// decap replaces p by the packet inside it, if p is a tunnel's and the inside
// can be read. b is what follows p's last header.
func (q *Parser) decap(b []byte, orig int, p *Packet) Status {
	switch p.Proto {
	case ProtoIPIP, ProtoIPv6, ProtoGRE, ProtoEtherIP, ProtoMPLS, ProtoPIM, ProtoAH:
	case ProtoUDP:
		if p.Flags&HasPorts == 0 || len(b) < 8 || !tunnelPorts(p.SrcPort, p.DstPort) {
			return IP
		}
	default:
		return IP
	}
	if q.Decap > MaxDecap && p.Depth >= MaxDecap {
		return IP
	}
	outer := *p
	*p = Packet{
		Time: outer.Time, Depth: outer.Depth + 1, Tunnel: outer.Proto,
		SrcMAC: outer.SrcMAC, DstMAC: outer.DstMAC,
		VLAN: outer.VLAN, VLANs: outer.VLANs,
		MPLSDepth: outer.MPLSDepth, Labels: outer.Labels,
	}
	if q.inside(&outer, b, orig, p) != IP {
		*p = outer
	}
	return IP
}

func (q *Parser) inside(outer *Packet, b []byte, orig int, p *Packet) Status {
	if !q.deeper() {
		return Malformed
	}
	switch outer.Proto {
	case ProtoIPIP:
		return q.ipv4(b, orig, p)
	case ProtoIPv6:
		return q.ipv6(b, orig, p)
	case ProtoGRE:
		return q.gre(b, orig, p)
	case ProtoEtherIP: // RFC 3378: version 3 in the upper four bits, 12 reserved
		if len(b) < 2 || b[0] != 0x30 {
			return NotIP
		}
		return q.ethernet(b[2:], orig-2, p)
	case ProtoMPLS:
		return q.mpls(b, orig, p)
	case ProtoPIM: // register (RFC 7761 §4.9.3): version 2, type 1, 6 more, packet
		if len(b) < 8 || b[0] != 0x21 {
			return NotIP
		}
		return q.anyIP(b[8:], orig-8, p)
	case ProtoAH: // in tunnel mode
		if len(b) < 8 || b[0] != ProtoIPIP && b[0] != ProtoIPv6 {
			return NotIP
		}
		n := (int(b[1]) + 2) * 4
		if len(b) < n {
			return Short
		}
		return q.anyIP(b[n:], orig-n, p)
	}
	return q.udpTunnel(outer.SrcPort, outer.DstPort, b[8:], orig-8, p)
}

func tunnelPorts(src, dst uint16) bool {
	switch dst {
	case portGTPU, portGTPv0, portTeredo, portVXLAN, portVXLANGPE, portVXLANOld, portGeneve,
		portMPLS, portLISP, portLISPCtl, portGRE, portAYIYA:
		return true
	}
	return src == portTeredo || src == portGTPU || src == portGTPv0 || src == portAYIYA
}

func (q *Parser) udpTunnel(src, dst uint16, b []byte, orig int, p *Packet) Status {
	switch dst {
	case portVXLAN, portVXLANOld, portVXLANGPE:
		return q.vxlan(b, orig, p)
	case portGeneve:
		return q.geneve(b, orig, p)
	case portMPLS:
		return q.mpls(b, orig, p)
	case portGRE:
		return q.gre(b, orig, p)
	case portLISP: // RFC 9300 §5.1: two words of flags, nonce and instance
		if len(b) < 8 {
			return Short
		}
		return q.anyIP(b[8:], orig-8, p)
	case portLISPCtl: // RFC 9301 §5.8: type 8 encapsulates, one word of flags
		if len(b) < 4 || b[0]>>4 != 8 {
			return NotIP
		}
		return q.anyIP(b[4:], orig-4, p)
	}
	switch {
	case src == portTeredo || dst == portTeredo:
		return q.teredo(b, orig, p)
	case src == portAYIYA || dst == portAYIYA:
		return q.ayiya(b, orig, p)
	}
	return q.gtp(b, orig, p)
}

// vxlan is RFC 7348: flags (8 = VNI is valid), 3 reserved, VNI, 1 reserved.
// The generic protocol extension has flag 4 and a next protocol in byte 3.
func (q *Parser) vxlan(b []byte, orig int, p *Packet) Status {
	if len(b) < 8 {
		return Short
	}
	if b[0]&8 == 0 {
		return NotIP
	}
	next := uint8(3)
	if b[0]&4 != 0 {
		next = b[3]
	}
	b, orig = b[8:], orig-8
	switch next {
	case 1, 2:
		return q.anyIP(b, orig, p)
	case 3:
		return q.ethernet(b, orig, p)
	case 4:
		return q.nsh(b, orig, p)
	case 5:
		return q.mpls(b, orig, p)
	}
	return NotIP
}

// geneve is RFC 8926: version 2 bits, options length 6 bits in words, flags,
// protocol u16, VNI, reserved, options.
func (q *Parser) geneve(b []byte, orig int, p *Packet) Status {
	if len(b) < 8 {
		return Short
	}
	n := 8 + int(b[0]&0x3f)*4
	if b[0]>>6 != 0 {
		return NotIP
	}
	if len(b) < n {
		return Short
	}
	return q.etherType(binary.BigEndian.Uint16(b[2:]), b[n:], orig-n, p)
}

// gre is RFC 2784 and 2890: flags and version u16, protocol u16, then as the
// flags say: checksum u32, key u32, sequence u32; version 1 (RFC 2637) also
// acknowledgement u32.
func (q *Parser) gre(b []byte, orig int, p *Packet) Status {
	const checksum, routing, key, sequence, ack = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
	if len(b) < 4 {
		return Short
	}
	flags, typ := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	version := flags & 7
	if version > 1 {
		return NotIP
	}
	n := 4
	if flags&(checksum|routing) != 0 {
		n += 4
	}
	if flags&key != 0 {
		n += 4
	}
	if flags&sequence != 0 {
		n += 4
	}
	if version == 1 && flags&ack != 0 {
		n += 4
	}
	if len(b) < n {
		return Short
	}
	if flags&routing != 0 { // source routes, the last of them empty
		for {
			if len(b) < n+4 {
				return Short
			}
			hop := int(b[n+3])
			n += 4 + hop
			if hop == 0 {
				break
			}
		}
		if len(b) < n {
			return Short
		}
	}
	b, orig = b[n:], orig-n
	if typ >= 0x8200 && typ <= 0x8250 { // Aruba's tunnels between access point and controller
		return q.wifi(b, orig, false, p)
	}
	switch typ {
	case typeERSPAN2:
		if flags&sequence == 0 { // type I has no header of its own
			return q.ethernet(b, orig, p)
		}
		if len(b) < 8 {
			return Short
		}
		return q.ethernet(b[8:], orig-8, p)
	case typeERSPAN3:
		return q.erspan3(b, orig, p)
	case 0: // keep-alives of some routers, and what WCCP and others put there
		return NotIP
	case 0x883e: // WCCP version 2: a redirect header may come before IP
		if len(b) > 4 && b[0]>>4 != 4 {
			b, orig = b[4:], orig-4
		}
		return q.anyIP(b, orig, p)
	}
	if typ <= 1500 {
		return NotIP
	}
	return q.etherType(typ, b, orig, p)
}

// erspan3 is 12 bytes: version, VLAN, …, timestamp, security group, flags with
// the frame type in bits 6-2 of byte 10 and, in the last bit, a sub-header of 8.
func (q *Parser) erspan3(b []byte, orig int, p *Packet) Status {
	if len(b) < 12 {
		return Short
	}
	n := 12
	if b[11]&1 != 0 {
		n += 8
	}
	if len(b) < n {
		return Short
	}
	frame := b[10] >> 2 & 0x1f
	b, orig = b[n:], orig-n
	if frame == 2 {
		return q.anyIP(b, orig, p)
	}
	return q.ethernet(b, orig, p)
}

// gtp is GTP-U version 1 (3GPP TS 29.281 §5.1): flags (version 3 bits, 0x10
// protocol, 4 extension, 2 sequence, 1 N-PDU), type (255 = a user's packet),
// length u16, tunnel u32; with any of the flags 4 bytes more, the last of them the
// type of the first extension header (length in words, …, next type).
func (q *Parser) gtp(b []byte, orig int, p *Packet) Status {
	if len(b) < 8 {
		return Short
	}
	if b[1] != 255 || b[0]>>4 != 3 && b[0]>>4 != 1 {
		return NotIP
	}
	if b[0]>>4 == 1 { // version 0 (GSM 09.60): 20 bytes
		if len(b) < 20 {
			return Short
		}
		return q.anyIP(b[20:], orig-20, p)
	}
	n := 8
	if b[0]&7 != 0 {
		if len(b) < 12 {
			return Short
		}
		n = 12
		for next := b[11]; b[0]&4 != 0 && next != 0; {
			if len(b) <= n {
				return Short
			}
			size := int(b[n]) * 4
			if size == 0 {
				return Malformed
			}
			if len(b) < n+size {
				return Short
			}
			n += size
			next = b[n-1]
		}
	}
	return q.anyIP(b[n:], orig-n, p)
}

// ayiya: identity length as a power of two, signature length in words, operation
// (1 = forward) in byte 2, next protocol in byte 3, time in 4, identity, signature.
func (q *Parser) ayiya(b []byte, orig int, p *Packet) Status {
	if len(b) < 8 {
		return Short
	}
	n := 8 + 1<<(b[0]>>4) + int(b[1]>>4)*4
	if b[2]&15 != 1 || b[3] != ProtoIPv6 && b[3] != ProtoIPIP {
		return NotIP
	}
	if len(b) < n {
		return Short
	}
	return q.anyIP(b[n:], orig-n, p)
}

// teredo is RFC 4380 §5.1.1: IPv6, before it perhaps an authentication header
// (0, 1, client id length, key length, …, nonce of 8, 1) and an origin (0, 0, 6 more).
func (q *Parser) teredo(b []byte, orig int, p *Packet) Status {
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 {
		n := 4 + int(b[2]) + int(b[3]) + 9
		if len(b) < n {
			return Short
		}
		b, orig = b[n:], orig-n
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
		b, orig = b[8:], orig-8
	}
	if len(b) < 1 || b[0]>>4 != 6 {
		return NotIP
	}
	return q.ipv6(b, orig, p)
}
