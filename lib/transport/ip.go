package transport

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

const (
	udpHeader  = 8
	ip4Header  = 20
	ip6Header  = 40
	ip6Segment = 8 // the fragment header
	hopLimit   = 64
	protocol   = 17
	fragmented = 44 // next header of IPv6
)

// appendUDP adds a UDP header for data, with its checksum (RFC 768; RFC 8200
// section 8.1 for IPv6). The addresses are of one family.
func appendUDP(b []byte, from, to netip.AddrPort, data []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeader+len(data)))
	b = append(b, 0, 0)
	sum := uint64(protocol) + uint64(udpHeader+len(data))
	sum = addAddress(sum, from.Addr())
	sum = addAddress(sum, to.Addr())
	sum = addBytes(sum, b[start:])
	sum = addBytes(sum, data)
	check := ^fold(sum)
	if check == 0 {
		check = 0xffff // 0 means that there is none
	}
	binary.BigEndian.PutUint16(b[start+6:], check)
	return b
}

func addAddress(sum uint64, a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return addBytes(sum, b[:])
	}
	b := a.As16()
	return addBytes(sum, b[:])
}

// addBytes adds 16-bit words in ones' complement, eight bytes at a time. An odd
// last byte counts as if a zero followed.
func addBytes(sum uint64, b []byte) uint64 {
	var carry uint64
	for ; len(b) >= 32; b = b[32:] {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b), 0)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b[8:]), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b[16:]), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b[24:]), carry)
		sum, carry = bits.Add64(sum, 0, carry)
		sum += carry
	}
	carry = 0
	for ; len(b) >= 8; b = b[8:] {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b), carry)
	}
	var last [8]byte
	copy(last[:], b)
	sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(last[:]), carry)
	sum, carry = bits.Add64(sum, 0, carry)
	return sum + carry
}

// fold brings a sum to 16 bits.
func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

// appendIP4 adds an IPv4 header for n bytes of UDP at an offset of their datagram.
// The kernel fills in the checksum.
func appendIP4(b []byte, from, to netip.Addr, id uint16, n, offset int, more bool) []byte {
	fragment := uint16(offset / 8)
	if more {
		fragment |= 1 << 13
	}
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(ip4Header+n))
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, fragment)
	b = append(b, hopLimit, protocol, 0, 0)
	source, target := from.As4(), to.As4()
	b = append(b, source[:]...)
	return append(b, target[:]...)
}

// appendIP6 adds an IPv6 header for n bytes of UDP, with a fragment header when
// they are a part of their datagram.
func appendIP6(b []byte, from, to netip.Addr, id uint32, n, offset int, more bool) []byte {
	next, length := byte(protocol), n
	part := offset > 0 || more
	if part {
		next, length = fragmented, n+ip6Segment
	}
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, next, hopLimit)
	source, target := from.As16(), to.As16()
	b = append(b, source[:]...)
	b = append(b, target[:]...)
	if !part {
		return b
	}
	fragment := uint16(offset)
	if more {
		fragment |= 1
	}
	b = append(b, protocol, 0)
	b = binary.BigEndian.AppendUint16(b, fragment)
	return binary.BigEndian.AppendUint32(b, id)
}
