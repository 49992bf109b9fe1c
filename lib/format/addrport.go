package format

import (
	"nfpipe/lib/column"
)

// The sources of an opAddrPort cell. %sap has the first two, %dap all: a record of ICMP
// has type and code where others have the destination port.
const (
	srcAddr = iota
	srcPort
	srcProto
	srcType
	srcCode
)

func isICMP(proto uint64) bool { return proto == 1 || proto == 58 }

// bindAddrPort prepares the texts of the addresses, each with the sign behind it, and drops
// the sources for ICMP where no record is.
func (w *work) bindAddrPort(c *cell) {
	if c.vec != nil {
		c.table = w.newTable(c.vec.Entries())
	}
	if len(c.src) <= srcProto {
		return
	}
	p := &c.src[srcProto]
	for _, x := range p.ints {
		if isICMP(x) {
			return
		}
	}
	c.src = c.src[:srcProto]
}

func (c *cell) addrPort(dst []byte, w *work, i int) []byte {
	a := &c.src[srcAddr]
	if a.view.Has(i) {
		dst = c.table.append(dst, w, c.vec, c.vec.Entry(i), c.it.entry)
	} else {
		dst = append(dst, c.it.absent...)
	}
	start := len(dst)
	if len(c.src) > srcProto && isICMP(c.src[srcProto].at(i)) {
		return padRight(appendICMP(dst, c.src, i), start, 5)
	}
	return padRight(appendUint(dst, c.src[srcPort].at(i)), start, 5)
}

// appendICMP writes type.code. Where an exporter put them into the destination port they
// are taken from there.
func appendICMP(dst []byte, src []source, i int) []byte {
	t, code := src[srcType].at(i), src[srcCode].at(i)
	if !src[srcType].view.Has(i) && !src[srcCode].view.Has(i) {
		port := src[srcPort].at(i)
		t, code = port>>8, port&255
	}
	return appendUint(append(appendUint(dst, t), '.'), code)
}

// addressColon writes an address and the sign that parts it from the port.
func addressColon(width int) entryFunc {
	return func(dst []byte, _ *work, v *column.Vec, e int) []byte {
		sign := byte('.')
		if e < len(v.V4) {
			sign = ':'
		}
		return append(appendColumn(dst, v, e, width), sign)
	}
}
