package packet

import "encoding/binary"

const maxLinkHeaders = 64

// Parser parses frames. Its zero value makes flows of the outermost IP header.
type Parser struct {
	// Decap is the number of encapsulations to remove, 0 to MaxDecap.
	Decap int

	layers int    // link headers left for this frame
	behind []byte // the IP headers, in the frame at hand
}

// Behind is what the frame of the last Parse has behind its IP headers, of a fragment too; it
// points into the frame.
func (q *Parser) Behind() []byte { return q.behind }

// Parse fills p, but for its Time and Interface, from a frame of the given LINKTYPE, of which
// data was captured and which had orig bytes on the wire. The contents of p have
// a meaning only when the status is IP.
func (q *Parser) Parse(link uint16, data []byte, orig int, p *Packet) Status {
	*p = Packet{Time: p.Time, Interface: p.Interface}
	q.layers, q.behind = maxLinkHeaders, nil
	orig = max(orig, len(data)) // which every length below relies on
	if link == LinkEthernet {
		return q.ethernet(data, orig, p)
	}
	return q.link(link, data, orig, p)
}

// deeper counts one more link header.
func (q *Parser) deeper() bool {
	q.layers--
	return q.layers >= 0
}

// etherType goes on behind a header that names what follows by EtherType.
func (q *Parser) etherType(typ uint16, b []byte, orig int, p *Packet) Status {
	for q.deeper() {
		p.EtherType = typ
		var n int
		switch typ {
		case typeIPv4:
			return q.ipv4(b, orig, p)
		case typeIPv6:
			return q.ipv6(b, orig, p)
		case typeVLAN, typeQinQ, typeQinQ91, typeQinQ92:
			if len(b) < 4 {
				return Short
			}
			p.tag(binary.BigEndian.Uint16(b) & 0xfff)
			typ, n = binary.BigEndian.Uint16(b[2:]), 4
		case typeVNTag: // flags and interfaces u32, EtherType
			n = 6
		case typeETag: // 802.1BR: PCP, E-CID base and extension, EtherType
			n = 8
		case typeCMD: // Cisco metadata: version, length, SGT option, EtherType
			n = 8
		case typeMPLS, typeMPLSUp:
			return q.mpls(b, orig, p)
		case typePPPoE: // version and type, code, session u16, length u16, PPP protocol
			if len(b) < 8 {
				return Short
			}
			if b[1] != 0 {
				return NotIP
			}
			return q.pppProtocol(b[6:], orig-6, p)
		case typePPP:
			return q.ppp(b, orig, p)
		case typePBB: // I-TAG u32, then the customer's frame
			if len(b) < 4 {
				return Short
			}
			return q.ethernet(b[4:], orig-4, p)
		case typeFabricPath: // tree and hop count u16, then the frame
			if len(b) < 2 {
				return Short
			}
			return q.ethernet(b[2:], orig-2, p)
		case typeTEB:
			return q.ethernet(b, orig, p)
		case typeNSH:
			return q.nsh(b, orig, p)
		default:
			if typ <= 1500 {
				return q.llc(b, orig, p)
			}
			return NotIP
		}
		if len(b) < n {
			return Short
		}
		if n > 4 {
			typ = binary.BigEndian.Uint16(b[n-2:])
		}
		b, orig = b[n:], orig-n
	}
	return Malformed
}

// tag notes a VLAN id: the first tag is the outermost, the last the innermost.
func (p *Packet) tag(id uint16) {
	if p.VLANs == 0 {
		p.VLAN[0] = id
	} else {
		p.VLAN[1] = id
	}
	if p.VLANs < 255 {
		p.VLANs++
	}
}

// ethernet: 0 destination  6 source  12 EtherType, or length of an 802.3 frame.
func (q *Parser) ethernet(b []byte, orig int, p *Packet) Status {
	if len(b) < 14 {
		return Short
	}
	p.DstMAC = [6]byte(b)
	p.SrcMAC = [6]byte(b[6:])
	typ := binary.BigEndian.Uint16(b[12:])
	if typ == typeIPv4 {
		p.EtherType = typ
		return q.ipv4(b[14:], orig-14, p)
	}
	return q.etherType(typ, b[14:], orig-14, p)
}

// llc is IEEE 802.2: DSAP, SSAP, control; with SNAP: OUI (3 bytes), EtherType.
func (q *Parser) llc(b []byte, orig int, p *Packet) Status {
	if len(b) < 3 {
		return Short
	}
	switch {
	case b[0] == 0xaa && b[1] == 0xaa:
		if len(b) < 8 {
			return Short
		}
		typ := binary.BigEndian.Uint16(b[6:])
		if typ <= 1500 {
			return NotIP
		}
		if oui := [3]byte(b[3:]); oui == [3]byte{} || oui == [3]byte{0, 0, 0xf8} {
			return q.etherType(typ, b[8:], orig-8, p)
		}
	case b[0] == 6 && b[1]&^1 == 6: // the IP service access point
		return q.anyIP(b[3:], orig-3, p)
	case b[0] == 0xfe && b[1] == 0xfe && b[2] == 3 && len(b) > 3: // OSI network layer NLPID
		return q.nlpid(b[3:], orig-3, p)
	}
	return NotIP
}

// nlpid is ISO 9577's first byte.
func (q *Parser) nlpid(b []byte, orig int, p *Packet) Status {
	if len(b) < 1 {
		return Short
	}
	switch b[0] {
	case 0xcc:
		return q.ipv4(b[1:], orig-1, p)
	case 0x8e:
		return q.ipv6(b[1:], orig-1, p)
	case 0x80: // SNAP
		if len(b) < 6 {
			return Short
		}
		if [3]byte(b[1:]) == [3]byte{} {
			return q.etherType(binary.BigEndian.Uint16(b[4:]), b[6:], orig-6, p)
		}
	case 0xcf:
		return q.pppProtocol(b[1:], orig-1, p)
	}
	return NotIP
}

// anyIP takes the version from the header itself.
func (q *Parser) anyIP(b []byte, orig int, p *Packet) Status {
	if len(b) < 1 {
		return Short
	}
	switch b[0] >> 4 {
	case 4:
		p.EtherType = typeIPv4
		return q.ipv4(b, orig, p)
	case 6:
		p.EtherType = typeIPv6
		return q.ipv6(b, orig, p)
	}
	return NotIP
}

// mpls is a label stack (RFC 3032): label 20 bits, class 3, bottom 1, TTL 8.
func (q *Parser) mpls(b []byte, orig int, p *Packet) Status {
	const oamAlert, gal = 14, 13 // labels above something that is not a user's packet
	for {
		if len(b) < 4 {
			return Short
		}
		v := binary.BigEndian.Uint32(b)
		b, orig = b[4:], orig-4
		if p.MPLSDepth < MaxLabels {
			p.Labels[p.MPLSDepth] = v >> 8
			p.MPLSDepth++
		}
		if v&0x100 != 0 {
			if v>>12 == oamAlert || v>>12 == gal {
				return NotIP
			}
			break
		}
	}
	if len(b) < 1 {
		return Short
	}
	switch b[0] >> 4 {
	case 4, 6:
		return q.anyIP(b, orig, p)
	case 0: // a pseudowire's control word (RFC 4385), mostly before Ethernet
		if len(b) > 4 && q.deeper() {
			return q.pseudowire(b, orig, p)
		}
	}
	return NotIP
}

// pseudowire takes what is behind a label stack for an Ethernet frame only if
// it holds IP or a tag where Ethernet would: nothing in the packet says so.
func (q *Parser) pseudowire(b []byte, orig int, p *Packet) Status {
	for _, n := range [...]int{4, 0} {
		if len(b) < n+14 {
			continue
		}
		switch binary.BigEndian.Uint16(b[n+12:]) {
		case typeIPv4, typeIPv6, typeVLAN, typeQinQ, typeMPLS:
			return q.ethernet(b[n:], orig-n, p)
		}
	}
	return NotIP
}

// nsh is RFC 8300: version, flags, TTL, length in words (6 bits), type, next protocol.
func (q *Parser) nsh(b []byte, orig int, p *Packet) Status {
	if len(b) < 8 {
		return Short
	}
	n := int(b[1]&0x3f) * 4
	if n < 8 {
		return Malformed
	}
	if len(b) < n {
		return Short
	}
	next := b[3]
	b, orig = b[n:], orig-n
	if !q.deeper() {
		return Malformed
	}
	switch next {
	case 1, 2:
		return q.anyIP(b, orig, p)
	case 3:
		return q.ethernet(b, orig, p)
	case 5:
		return q.mpls(b, orig, p)
	}
	return NotIP
}
