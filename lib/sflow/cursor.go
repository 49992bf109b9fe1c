package sflow

import "encoding/binary"

// cursor reads XDR (RFC 4506). At the first value that does not fit it turns bad and stays
// there; what it returns from then on means nothing.
type cursor struct {
	b   []byte // the datagram as far as it may be read
	at  int    // offset in the datagram
	bad bool
}

// fail turns c bad: there is less than nothing left.
func (c *cursor) fail() { c.b, c.bad = nil, true }

func (c *cursor) u32() uint32 {
	if len(c.b)-c.at < 4 {
		c.fail()
		return 0
	}
	v := binary.BigEndian.Uint32(c.b[c.at:])
	c.at += 4
	return v
}

// bytes takes the next n bytes and what pads them to a multiple of four; at the very end the
// padding may be missing.
func (c *cursor) bytes(n uint32) []byte {
	left := len(c.b) - c.at
	if int64(n) > int64(left) {
		c.fail()
		return nil
	}
	p := c.b[c.at : c.at+int(n)]
	c.at += min((int(n)+3)&^3, left)
	return p
}

// opaque is a length and as many bytes.
func (c *cursor) opaque() []byte { return c.bytes(c.u32()) }

// array is a count and as many numbers, returned as they are on the wire.
func (c *cursor) array() []byte {
	n := c.u32()
	if int64(n)*4 > int64(len(c.b)-c.at) {
		c.fail()
		return nil
	}
	return c.bytes(n * 4)
}

// body is a length and as many bytes; body becomes a cursor over them. (To return it would copy
// it right after it was written in parts, which stalls the processor for longer than the rest of
// a sample takes.)
func (c *cursor) body(body *cursor) {
	n := c.u32()
	at := c.at
	if p := c.bytes(n); !c.bad {
		body.b, body.at, body.bad = c.b[:at+len(p)], at, false
	}
}

// address of a family: 4, 6, or 0 if the agent does not know it.
type address struct {
	family uint8
	b      []byte
}

// address is a type (0 unknown, 1 IPv4, 2 IPv6) and the address.
func (c *cursor) address() address {
	switch c.u32() {
	case 0:
		return address{}
	case 1:
		return address{4, c.bytes(4)}
	case 2:
		return address{6, c.bytes(16)}
	}
	c.fail()
	return address{}
}

// mac is an address of six bytes in eight.
func (c *cursor) mac() uint64 {
	hi, lo := c.u32(), c.u32()
	return uint64(hi)<<16 | uint64(lo>>16)
}
