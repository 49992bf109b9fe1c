package sflow

import (
	"encoding/binary"

	"nfpipe/lib/packet"
)

// header is a sampled_header.
type header struct {
	protocol uint32
	length   uint32 // of the frame with all headers and FCS
	stripped uint32 // how much of it cannot be in bytes
	bytes    []byte
}

// ethernet is a sampled_ethernet.
type ethernet struct {
	src, dst     uint64
	length, kind uint32
}

// ip is a sampled_ipv4 or sampled_ipv6.
type ip struct {
	family           uint8
	length, proto    uint32
	src, dst         []byte
	srcPort, dstPort uint32
	flags, tos       uint32
}

// done notes that a part was read, if it was whole.
func (s *sample) done(p parts, c *cursor) {
	if !c.bad {
		s.sent |= p
	}
}

// readHeader: protocol, length of the frame, bytes stripped (version 5), header. Of several
// structures of a kind the first counts, here and below.
func (s *sample) readHeader(c *cursor, strips bool) {
	if s.has(partHeader) {
		return
	}
	h := &s.header
	h.protocol, h.length, h.stripped = c.u32(), c.u32(), 0
	if strips {
		h.stripped = c.u32()
	}
	h.bytes = c.opaque()
	s.done(partHeader, c)
}

// readEthernet: length of the frame, source, destination, type.
func (s *sample) readEthernet(c *cursor) {
	if s.has(partEthernet) {
		return
	}
	e := &s.ethernet
	e.length, e.src, e.dst, e.kind = c.u32(), c.mac(), c.mac(), c.u32()
	s.done(partEthernet, c)
}

// readIP: length of the IP packet, protocol, source, destination, source port, destination port,
// TCP flags, type of service.
func (s *sample) readIP(c *cursor, family uint8) {
	if s.has(partIP) {
		return
	}
	size := uint32(4)
	if family == 6 {
		size = 16
	}
	p := &s.ip
	p.family, p.length, p.proto = family, c.u32(), c.u32()
	p.src, p.dst = c.bytes(size), c.bytes(size)
	p.srcPort, p.dstPort, p.flags, p.tos = c.u32(), c.u32(), c.u32(), c.u32()
	if p.proto > 255 || p.srcPort > 65535 || p.dstPort > 65535 {
		c.fail()
	}
	s.done(partIP, c)
}

// finish makes a record of a sample that has a packet.
func (x *Exporter) finish() {
	s, r, p := &x.sample, &x.record, &x.packet
	switch {
	case s.has(partHeader):
		r.set(numBytes, uint64(s.header.length))
		x.parse()
	case s.has(partEthernet):
		r.set(numBytes, uint64(s.ethernet.length))
		*p = packet.Packet{}
	case s.has(partIP):
		r.set(numBytes, uint64(s.ip.length))
		*p = packet.Packet{}
	default:
		return
	}
	x.setLink()
	if p.Family != 0 {
		x.setIPHeader()
	} else if s.has(partIP) {
		s.ip.fill(p)
	}
	if p.Family != 0 {
		x.setFlow()
	}
	x.setVLANs()
	x.setLabels()
	x.emit()
}

// Header protocols of sampled headers that can be parsed.
const (
	protocolEthernet   = 1
	protocolFDDI       = 4
	protocolFrameRelay = 5
	protocolPPP        = 7
	protocolAAL5       = 9
	protocolAAL5IP     = 10
	protocolIPv4       = 11
	protocolIPv6       = 12
	protocolMPLS       = 13
	protocolPOS        = 14
	protocol80211      = 15
	protocolSubframe   = 17 // of an 802.11 A-MSDU, which is laid out as 802.3
)

// maxStack bounds a header of MPLS, of which a copy is made.
const maxStack = 1024

// parse parses the sampled header. What is no IP leaves the family 0.
func (x *Exporter) parse() {
	h, p := &x.sample.header, &x.packet
	link, b := uint16(0), h.bytes
	switch h.protocol {
	case protocolEthernet, protocolSubframe:
		link = packet.LinkEthernet
	case protocolFDDI:
		link = packet.LinkFDDI
	case protocolFrameRelay:
		link = packet.LinkFrameRelay
	case protocolPPP, protocolPOS:
		link = packet.LinkPPP
	case protocolAAL5:
		link = packet.LinkATM
	case protocolAAL5IP, protocolIPv4, protocolIPv6:
		link = packet.LinkRaw
	case protocolMPLS: // as if behind the shortest header that has an EtherType
		link = packet.LinkCHDLC
		x.frame = append(append(x.frame[:0], 0x0f, 0, 0x88, 0x47), b[:min(len(b), maxStack)]...)
		b = x.frame
	case protocol80211:
		link = packet.Link80211
	default:
		*p = packet.Packet{}
		return
	}
	if x.parser.Parse(link, b, int(h.length)-int(h.stripped), p) != packet.IP {
		p.Family = 0
	}
}

// setLink sets what an Ethernet header says.
func (x *Exporter) setLink() {
	s, r, p := &x.sample, &x.record, &x.packet
	src, dst, kind := macOf(p.SrcMAC), macOf(p.DstMAC), uint32(p.EtherType)
	if src|dst == 0 {
		if !s.has(partEthernet) {
			return
		}
		src, dst, kind = s.ethernet.src, s.ethernet.dst, s.ethernet.kind
	}
	r.set(numSrcMAC, src)
	r.set(numDstMAC, dst)
	if kind > 1500 { // else it is the length of an 802.3 frame
		r.setBelow(numEtherType, kind, 1<<16)
	}
}

func macOf(m [6]byte) uint64 {
	return uint64(binary.BigEndian.Uint16(m[:]))<<32 | uint64(binary.BigEndian.Uint32(m[2:]))
}

// setIPHeader sets what only an IP header says.
func (x *Exporter) setIPHeader() {
	r, p := &x.record, &x.packet
	r.set(numTTL, uint64(p.TTL))
	if p.Family == 6 {
		r.set(numFlowLabel, uint64(p.FlowLabel))
	}
	if p.Family == 4 || p.Fragment() {
		r.set(numFragFlags, fragmentBits(p.Flags))
	}
	if p.Fragment() {
		r.set(numFragID, uint64(p.ID))
		r.set(numFragOffset, uint64(p.FragOffset/8))
	}
	if p.Flags&packet.HasPorts != 0 {
		code := uint64(p.ICMPType)<<8 | uint64(p.ICMPCode)
		switch p.Proto {
		case packet.ProtoICMP:
			r.set(numICMP4, code)
		case packet.ProtoICMPv6:
			r.set(numICMP6, code)
		}
	}
}

// fragmentBits writes the flags as element 197 has them: bit 1 DF, bit 2 MF, the first bit being
// the highest.
func fragmentBits(f packet.Flags) uint64 {
	b := uint64(0)
	if f&packet.DontFragment != 0 {
		b |= 0x40
	}
	if f&packet.MoreFragments != 0 {
		b |= 0x20
	}
	return b
}

// fill writes the sampled fields of an IP packet into p.
func (i *ip) fill(p *packet.Packet) {
	p.Family, p.Bytes, p.Proto, p.TOS = i.family, i.length, uint8(i.proto), uint8(i.tos)
	copy(p.Src[:], i.src)
	copy(p.Dst[:], i.dst)
	if hasPorts(p.Proto) {
		p.SrcPort, p.DstPort, p.TCPFlags = uint16(i.srcPort), uint16(i.dstPort), uint16(i.flags&0xfff)
		p.Flags |= packet.HasPorts | packet.HasTCP
	}
}

func hasPorts(proto uint8) bool {
	switch proto {
	case packet.ProtoTCP, packet.ProtoUDP, packet.ProtoUDPLite, packet.ProtoSCTP, packet.ProtoDCCP:
		return true
	}
	return false
}

// setFlow sets what a header and the sampled fields both say of an IP packet, and the lengths of
// its prefixes.
func (x *Exporter) setFlow() {
	s, r, p := &x.sample, &x.record, &x.packet
	r.setAddr(addrSrc, address{p.Family, p.Src[:]})
	r.setAddr(addrDst, address{p.Family, p.Dst[:]})
	r.set(numProto, uint64(p.Proto))
	r.set(numIPLength, uint64(p.Bytes))
	r.set(numTOS, uint64(p.TOS))
	if p.Flags&packet.HasPorts != 0 && hasPorts(p.Proto) {
		r.set(numSrcPort, uint64(p.SrcPort))
		r.set(numDstPort, uint64(p.DstPort))
		if p.Proto == packet.ProtoTCP && (p.Flags&packet.HasTCP != 0 || p.TCPFlags != 0) {
			r.set(numTCPFlags, uint64(p.TCPFlags))
		}
	}
	if !s.has(partRouter) {
		return
	}
	if p.Family == 4 {
		r.setBelow(numSrcMask4, s.srcLen, 33)
		r.setBelow(numDstMask4, s.dstLen, 33)
	} else {
		r.setBelow(numSrcMask6, s.srcLen, 129)
		r.setBelow(numDstMask6, s.dstLen, 129)
	}
}

// setVLANs sets VLANs: before all tags in the frame stand those that were stripped from it.
func (x *Exporter) setVLANs() {
	s, r, p := &x.sample, &x.record, &x.packet
	if s.has(partSwitch) {
		r.setBelow(numVLAN, s.inVLAN, 1<<12)
		r.setBelow(numPostVLAN, s.outVLAN, 1<<12)
	}
	var stripped []byte
	if s.has(partStripped) {
		stripped = s.stripped
	}
	tags := len(stripped)/4 + int(p.VLANs)
	if tags == 0 {
		return
	}
	outer, inner := uint64(p.VLAN[0]), uint64(p.VLAN[1])
	if p.VLANs == 1 {
		inner = outer
	}
	if n := len(stripped); n > 0 {
		outer = uint64(binary.BigEndian.Uint16(stripped[2:]) & 0xfff)
		if p.VLANs == 0 {
			inner = uint64(binary.BigEndian.Uint16(stripped[n-2:]) & 0xfff)
		}
	}
	if !r.is(numVLAN) {
		r.set(numVLAN, outer)
	} else if r.numbers[numVLAN] != outer {
		r.set(numTag, outer)
	}
	if tags > 1 {
		r.set(numInnerTag, inner)
	}
}

// setLabels sets the label stack of the frame, or else as the device received it.
func (x *Exporter) setLabels() {
	s, r, p := &x.sample, &x.record, &x.packet
	if p.MPLSDepth > 0 {
		r.labels, r.has.labels = p.Labels, p.MPLSDepth
		return
	}
	if !s.has(partLabels) {
		return
	}
	n := min(len(s.inLabels)/4, len(r.labels))
	for i := range n {
		r.labels[i] = binary.BigEndian.Uint32(s.inLabels[4*i:]) >> 8
	}
	r.has.labels = uint8(n)
}
