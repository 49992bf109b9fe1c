package packet

import "encoding/binary"

// wifi is an IEEE 802.11 frame:
//
//	0 frame control  2 duration  4 address 1  10 address 2  16 address 3
//	22 sequence  24 address 4 (both DS bits)  QoS control u16, HT control u32
//
// Only data frames that are neither encrypted nor a later fragment hold LLC.
// Some drivers pad the header to a multiple of four bytes.
func (q *Parser) wifi(b []byte, orig int, padded bool, p *Packet) Status {
	if len(b) < 2 {
		return Short
	}
	control, flags := b[0], b[1]
	const data, noData, qos = 2, 0x40, 0x80
	const toDS, fromDS, protected, order = 1, 2, 0x40, 0x80
	if control>>2&3 != data || control&noData != 0 || flags&protected != 0 {
		return NotIP
	}
	n := 24
	if flags&(toDS|fromDS) == toDS|fromDS {
		n += 6
	}
	mesh := false
	if control&qos != 0 {
		if len(b) < n+2 {
			return Short
		}
		if b[n]&0x80 != 0 { // several MSDUs in one frame
			return q.amsdu(b, orig, n+2, p)
		}
		mesh = flags&(toDS|fromDS) == toDS|fromDS && b[n+1]&1 != 0
		n += 2
		if flags&order != 0 {
			n += 4
		}
	}
	if padded {
		n = (n + 3) &^ 3
	}
	if len(b) < n {
		return Short
	}
	if binary.LittleEndian.Uint16(b[22:])&15 != 0 {
		return NotIP
	}
	first, second, third := [6]byte(b[4:]), [6]byte(b[10:]), [6]byte(b[16:])
	switch flags & (toDS | fromDS) {
	case 0:
		p.DstMAC, p.SrcMAC = first, second
	case toDS:
		p.DstMAC, p.SrcMAC = third, second
	case fromDS:
		p.DstMAC, p.SrcMAC = first, third
	default:
		p.DstMAC, p.SrcMAC = third, [6]byte(b[24:])
	}
	if mesh { // flags, TTL, sequence u32, addresses by the low bits of flags
		if len(b) < n+6 {
			return Short
		}
		n += 6 + int(b[n]&3)*6
		if len(b) < n {
			return Short
		}
	}
	return q.llc(b[n:], orig-n, p)
}

// amsdu takes the first of several packets: destination, source, length, LLC.
func (q *Parser) amsdu(b []byte, orig, n int, p *Packet) Status {
	if len(b) < n+14 {
		return Short
	}
	p.DstMAC, p.SrcMAC = [6]byte(b[n:]), [6]byte(b[n+6:])
	return q.llc(b[n+14:], orig-n-14, p)
}

// radiotap: version, pad, length u16 (little-endian), present bits, fields. The
// flags field, second in order, says that the driver padded the 802.11 header.
func (q *Parser) radiotap(b []byte, orig int, p *Packet) Status {
	if len(b) < 8 {
		return Short
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	if n < 8 {
		return Malformed
	}
	if len(b) < n {
		return Short
	}
	return q.wifi(b[n:], orig-n, radiotapPadded(b[:n]), p)
}

func radiotapPadded(h []byte) bool {
	present := binary.LittleEndian.Uint32(h[4:])
	at := 8
	for more := present; more&(1<<31) != 0; at += 4 {
		if len(h) < at+4 {
			return false
		}
		more = binary.LittleEndian.Uint32(h[at:])
	}
	if present&1 != 0 { // TSFT, eight bytes aligned to eight
		at = (at+7)&^7 + 8
	}
	return present&2 != 0 && at < len(h) && h[at]&0x20 != 0
}

// ppi: version, flags, length u16 (little-endian), link type u32, fields.
func (q *Parser) ppi(b []byte, orig int, p *Packet) Status {
	if len(b) < 8 {
		return Short
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	link := binary.LittleEndian.Uint32(b[4:])
	if n < 8 || link > 0xffff {
		return Malformed
	}
	if len(b) < n {
		return Short
	}
	return q.link(uint16(link), b[n:], orig-n, p)
}

// prism: message code u32 and length u32 in the host's order, 144 bytes in all;
// AVS headers begin with a big-endian magic and have their length next.
func (q *Parser) prism(b []byte, orig int, p *Packet) Status {
	if len(b) < 8 {
		return Short
	}
	n := int(binary.LittleEndian.Uint32(b[4:]))
	if binary.BigEndian.Uint32(b)&0xfffff000 == 0x80211000 {
		n = int(binary.BigEndian.Uint32(b[4:]))
	}
	if n < 8 || n > 1<<16 {
		return Malformed
	}
	if len(b) < n {
		return Short
	}
	return q.wifi(b[n:], orig-n, false, p)
}
