package packet

import "encoding/binary"

// nflog is LINKTYPE_NFLOG: family, version, resource u16, then attributes of
// length u16 and type u16 in the host's order, padded to four; type 9 is the packet.
func (q *Parser) nflog(b []byte, orig int, p *Packet) Status {
	if len(b) < 4 {
		return Short
	}
	if b[1] != 0 {
		return NotIP
	}
	family := b[0]
	order := binary.ByteOrder(binary.LittleEndian)
	if len(b) >= 8 && binary.LittleEndian.Uint16(b[6:]) > 0xff && binary.BigEndian.Uint16(b[6:]) <= 0xff {
		order = binary.BigEndian
	}
	const payload, hardwareAddr = 9, 8
	for at := 4; len(b) >= at+4; {
		n, kind := int(order.Uint16(b[at:])), order.Uint16(b[at+2:])&0x7fff
		if n < 4 {
			return Malformed
		}
		if kind == payload {
			if family != 2 && family != 10 {
				return NotIP
			}
			return q.anyIP(b[at+4:min(at+n, len(b))], min(orig-at, n)-4, p)
		}
		if kind == hardwareAddr && n >= 14 && len(b) >= at+14 {
			p.SrcMAC = [6]byte(b[at+8:]) // length u16, pad u16, address
		}
		at += (n + 3) &^ 3
	}
	return NotIP
}

// pflog is the header of the BSD packet filter's log: its length first, then the
// address family; it is padded to four bytes.
func (q *Parser) pflog(b []byte, orig int, p *Packet) Status {
	if len(b) < 4 {
		return Short
	}
	n := (int(b[0]) + 3) &^ 3
	if n < 28 {
		return Malformed
	}
	if len(b) < n {
		return Short
	}
	return q.anyIP(b[n:], orig-n, p)
}

// pktap is Apple's: 0 header length u32  4 record type u32  8 link type u32, all
// little-endian.
func (q *Parser) pktap(b []byte, orig int, p *Packet) Status {
	if len(b) < 12 {
		return Short
	}
	n := binary.LittleEndian.Uint32(b)
	kind, link := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	if n < 12 || n > 1<<16 || link > 0xffff {
		return Malformed
	}
	if len(b) < int(n) {
		return Short
	}
	if kind != 1 {
		return NotIP
	}
	return q.link(uint16(link), b[n:], orig-int(n), p)
}

// juniperEther: magic 4d 47 43, flags (0x80 = extensions, whose total length
// follows in two bytes), then an Ethernet frame; flag 2 means that no link header
// is there but a family in four bytes.
func (q *Parser) juniperEther(b []byte, orig int, p *Packet) Status {
	if len(b) < 4 {
		return Short
	}
	if [3]byte(b) != [3]byte{0x4d, 0x47, 0x43} {
		return Malformed
	}
	flags, n := b[3], 4
	if flags&0x80 != 0 {
		if len(b) < 6 {
			return Short
		}
		n = 6 + int(binary.BigEndian.Uint16(b[4:]))
	}
	if len(b) < n {
		return Short
	}
	b, orig = b[n:], orig-n
	if flags&2 == 0 {
		return q.ethernet(b, orig, p)
	}
	if len(b) < 4 {
		return Short
	}
	return q.anyIP(b[4:], orig-4, p)
}
