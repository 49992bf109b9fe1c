package packet

import "encoding/binary"

// ppp is RFC 1662: address and control (ff 03) may have been left out.
func (q *Parser) ppp(b []byte, orig int, p *Packet) Status {
	if len(b) < 1 {
		return Short
	}
	switch {
	case len(b) >= 2 && b[0] == 0xff && b[1] == 3:
		b, orig = b[2:], orig-2
	case len(b) >= 4 && (b[0] == 0x0f || b[0] == 0x8f) && b[1] == 0:
		return q.chdlc(b, orig, p) // Cisco's framing on a serial line
	case b[0] <= 1 && len(b) >= 4 && b[1] == 0xff && b[2] == 3: // pppd's direction byte
		b, orig = b[3:], orig-3
	}
	return q.pppProtocol(b, orig, p)
}

// pppProtocol is two bytes, or one odd byte when compressed.
func (q *Parser) pppProtocol(b []byte, orig int, p *Packet) Status {
	if len(b) < 1 {
		return Short
	}
	proto, n := uint16(b[0]), 1
	if b[0]&1 == 0 {
		if len(b) < 2 {
			return Short
		}
		proto, n = binary.BigEndian.Uint16(b), 2
	}
	b, orig = b[n:], orig-n
	if !q.deeper() {
		return Malformed
	}
	switch proto {
	case 0x0021:
		p.EtherType = typeIPv4
		return q.ipv4(b, orig, p)
	case 0x0057:
		p.EtherType = typeIPv6
		return q.ipv6(b, orig, p)
	case 0x0281, 0x0283:
		return q.mpls(b, orig, p)
	case 0x0031: // bridged: flags, MAC type, frame
		if len(b) < 2 {
			return Short
		}
		if b[1] == 1 {
			return q.ethernet(b[2:], orig-2, p)
		}
	case 0x003d: // multilink: only a fragment with both begin and end is whole
		if len(b) >= 4 && b[0]&0xc0 == 0xc0 {
			return q.pppProtocol(b[4:], orig-4, p)
		}
	}
	return NotIP
}
