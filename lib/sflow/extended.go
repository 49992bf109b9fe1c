package sflow

import "encoding/binary"

// port is an interface as a sample names it.
type port struct{ format, value uint32 }

// Formats of a port.
const (
	portsOne     = 0 // value: ifIndex; 0 unknown, 0x3fffffff the device itself
	portsDropped = 1 // value: reason
	portsMany    = 2 // value: how many; 0 unknown
)

// portOf takes the compact form of version 5 apart.
func portOf(v uint32) port { return port{v >> 30, v & (1<<30 - 1)} }

func (x *Exporter) setPorts(in, out port) {
	r := &x.record
	if in.format == portsOne {
		r.set(numInput, uint64(in.value))
	}
	switch out.format {
	case portsOne:
		r.set(numOutput, uint64(out.value))
	case portsDropped:
		r.set(numStatus, statusOf(out.value))
	case portsMany:
		r.set(numCopies, uint64(out.value))
	}
}

// statusOf turns the reason for a drop, which is the code of an ICMP Destination Unreachable
// message or a number from 256, into IANA's forwarding status.
func statusOf(reason uint32) uint64 {
	const unknown, denied, filtered, unroutable, tooBig, badTTL, policed, red = 0x80, 0x81, 0x82, 0x83, 0x85, 0x89, 0x8a, 0x8b
	switch reason {
	case 0, 1, 6, 7: // net or host unreachable or unknown
		return unroutable
	case 4, 262:
		return tooBig
	case 9, 10, 13: // prohibited by an administrator
		return denied
	case 257:
		return badTTL
	case 258:
		return filtered
	case 260:
		return red
	case 261:
		return policed
	}
	return unknown
}

// readSwitch: VLAN and priority of the frame as it came, and as it left.
func (s *sample) readSwitch(c *cursor) {
	in, _, out, _ := c.u32(), c.u32(), c.u32(), c.u32()
	if !c.bad {
		s.sent |= partSwitch
		s.inVLAN, s.outVLAN = in, out
	}
}

// readVLANTunnel: tags that were stripped from the frame.
func (s *sample) readVLANTunnel(c *cursor) {
	if tags := c.array(); !c.bad {
		s.sent |= partStripped
		s.stripped = tags
	}
}

// readRouter: next hop, prefix lengths of source and destination.
func (x *Exporter) readRouter(c *cursor) {
	hop, src, dst := c.address(), c.u32(), c.u32()
	if !c.bad {
		x.record.setAddr(addrNextHop, hop)
		x.sample.sent |= partRouter
		x.sample.srcLen, x.sample.dstLen = src, dst
	}
}

// readMPLS: next hop, label stack as received, label stack as sent.
func (x *Exporter) readMPLS(c *cursor) {
	hop, in := c.address(), c.array()
	c.array()
	if c.bad {
		return
	}
	x.sample.sent |= partLabels
	x.sample.inLabels = in
	if !x.record.isAddr(addrNextHop) {
		x.record.setAddr(addrNextHop, hop)
	}
}

// readNAT: source and destination after translation.
func (x *Exporter) readNAT(c *cursor) {
	src, dst := c.address(), c.address()
	if !c.bad {
		x.record.setAddr(addrNATSrc, src)
		x.record.setAddr(addrNATDst, dst)
	}
}

// readNATPorts: ports after translation.
func (x *Exporter) readNATPorts(c *cursor) {
	src, dst := c.u32(), c.u32()
	if !c.bad {
		x.record.setBelow(numNATSrcPort, src, 1<<16)
		x.record.setBelow(numNATDstPort, dst, 1<<16)
	}
}

// readGateway: BGP next hop (version 5), AS of the device, of the source, and of the peer
// towards it; the path to the destination in segments (version 2: one without a type), each a
// type and AS numbers; communities and local preference (not in version 2).
func (x *Exporter) readGateway(c *cursor) {
	r := &x.record
	r.has.lists = 0 // their memory is written to
	var hop address
	if x.version == 5 {
		hop = c.address()
	}
	_, src, peer := c.u32(), c.u32(), c.u32()
	path := x.readPath(c, startList(r.lists[listPath], listOrdered, 17))
	tags := startList(r.lists[listCommunities], listAllOf, 483)
	if x.version != 2 {
		tags = appendNumbers(tags, c)
		c.u32()
	}
	if c.bad {
		return
	}
	r.lists[listPath], r.lists[listCommunities] = path, tags
	r.setAddr(addrBGPNextHop, hop)
	r.set(numSrcAS, uint64(src))
	r.set(numPrevAS, uint64(peer))
	var next, dst uint32
	if len(path) > listHead {
		next = binary.BigEndian.Uint32(path[listHead:])
		dst = binary.BigEndian.Uint32(path[len(path)-4:])
	}
	r.set(numNextAS, uint64(next))
	r.set(numDstAS, uint64(dst))
	r.has.lists |= 1 << listPath
	if x.version != 2 {
		r.has.lists |= 1 << listCommunities
	}
}

// readPath appends the numbers of an AS path to a list.
func (x *Exporter) readPath(c *cursor, list []byte) []byte {
	if x.version == 2 {
		return appendNumbers(list, c)
	}
	for range c.u32() {
		kind := c.u32()
		if list = appendNumbers(list, c); c.bad {
			break
		}
		if kind != 2 && kind != 3 { // no sequence (RFC 4271, 5065)
			list[1] = listUndefined
		}
	}
	return list
}

// appendNumbers appends an array to a list, if that has room.
func appendNumbers(list []byte, c *cursor) []byte {
	p := c.array()
	if len(list)+len(p) > maxList {
		c.fail()
	}
	if c.bad {
		return list
	}
	return append(list, p...)
}

// maxList bounds a list, in bytes: a path or communities of 1000 numbers.
const maxList = listHead + 4000

// Semantics of a basicList (RFC 6313 §4.4), and the bytes before its values.
const (
	listAllOf     = 3
	listOrdered   = 4
	listUndefined = 255
	listHead      = 6
)

// startList begins a basicList of four-byte elements in the memory of another: no templates,
// semantic, element, length.
func startList(list []byte, semantic byte, element uint16) []byte {
	return append(list[:0], 0, semantic, byte(element>>8), byte(element), 0, 4)
}
