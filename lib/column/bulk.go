package column

import (
	"encoding/binary"
	"slices"
)

// Extend appends n numbers and returns them for the caller to set.
func (b *Builder) Extend(n int) []uint64 {
	have := len(b.v.Ints)
	if cap(b.v.Ints)-have < n {
		grown := make([]uint64, have, max(2*have, have+n, 64))
		copy(grown, b.v.Ints)
		b.v.Ints = grown
	}
	b.v.Ints = b.v.Ints[:have+n]
	return b.v.Ints[have:]
}

// RepeatInt appends x n times.
func (b *Builder) RepeatInt(x uint64, n int) {
	out := b.Extend(n)
	for i := range out {
		out[i] = x
	}
}

// Repeat4 appends an IPv4 address n times.
func (b *Builder) Repeat4(a uint32, n int) {
	if n > 0 {
		b.Put4(a)
		b.repeatLast(n - 1)
	}
}

// Repeat6 appends an IPv6 address n times.
func (b *Builder) Repeat6(a V6, n int) {
	if n > 0 {
		b.Put6(a)
		b.repeatLast(n - 1)
	}
}

func (b *Builder) repeatLast(n int) {
	c := b.temp[len(b.temp)-1]
	for range n {
		b.temp = append(b.temp, c)
	}
}

// Put4Every appends n IPv4 addresses, each four bytes in network order, that lie stride bytes
// apart in data.
func (b *Builder) Put4Every(data []byte, stride, n int) {
	t := &b.t4
	have := len(b.temp)
	b.temp = slices.Grow(b.temp, n)[:have+n]
	out := b.temp[have:]
	at := 0
	last, code := uint32(0), uint16(0)
	for i := range out {
		a := binary.BigEndian.Uint32(data[at:])
		at += stride
		if i == 0 || a != last {
			if 2*t.n >= len(t.keys) {
				t.grow()
			}
			code, last = b.code4(a), a
		}
		out[i] = code
	}
}

// code4 is the code of an address, in a table that has room for it.
func (b *Builder) code4(a uint32) uint16 {
	t := &b.t4
	keys := t.keys
	codes := t.codes[:len(keys)]
	mask := uint(len(keys) - 1)
	for i := uint(hash4(a)>>t.shift) & mask; i < uint(len(keys)); i = (i + 1) & mask {
		if c := codes[i]; c == 0 {
			break
		} else if keys[i] == a {
			return uint16(c - 1)
		}
	}
	c, _ := t.code(a, hash4(a), b.next)
	b.next++
	return c
}
