package format

import (
	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// composite compiles the text tokens that are made of several fields.
func (p *Printer) composite(f *ie.Field) (item, bool) {
	width := p.addressWidth()
	switch f.Kind {
	case ie.AddressPort:
		return addrPortItem(width, false, f.From), true
	case ie.Network:
		return item{sources: fieldsOf(f.From...), op: opRow, row: networkRow(width)}, true
	case ie.Duration:
		if p.o.Plain {
			return durationRaw(f, len(f.Header), "           0.000"), true
		}
		return item{sources: fieldsOf(f.From...), op: opDuration, need: 2, absent: "    00:00:00.000"}, true
	case ie.DurationRaw:
		return durationRaw(f, len(f.Header), "           0.000"), true
	case ie.Rate:
		return p.rate(f), true
	}
	switch f.Name {
	case "dstport":
		return item{sources: fieldsOf("dstport", "proto", "icmptype", "icmpcode"), op: opRow, row: portRow(len(f.Header)), absent: "     0"}, true
	case "flags":
		return item{sources: fieldsOf("flags", "proto"), op: opRow, row: flagsRow, need: 1, absent: "........"}, true
	case "count":
		return item{op: opCount, width: len(f.Header)}, true
	case "ttl":
		return pair(f.Either, func(dst []byte, a, b uint64) []byte { return appendRight(append(appendRight(dst, a, 5), ' '), b, 5) }), true
	case "engine":
		return pair(f.From, func(dst []byte, a, b uint64) []byte { return appendLeft(append(appendRight(dst, a, 3), '/'), b, 3) }), true
	case "mpls":
		return mplsItem(f, 8), true
	case "srcgeoip", "dstgeoip", "routergeoip":
		return geoItem(width, f.From[0]), true
	case "srcgeoaddrport":
		return addrPortItem(width, true, []string{f.From[0], f.From[2]}), true
	case "dstgeoaddrport":
		return addrPortItem(width, true, append([]string{f.From[0]}, f.From[2:]...)), true
	}
	return item{}, false
}

// addrPortItem has the address, the country if asked for, which nothing here knows, and the
// port or, where the fields include them, ICMP type and code.
func addrPortItem(width int, country bool, from []string) item {
	e := addressColon(width)
	if country {
		plain := e
		e = func(dst []byte, w *work, v *column.Vec, n int) []byte {
			dst = plain(dst, w, v, n)
			sign := dst[len(dst)-1]
			return append(append(dst[:len(dst)-1], "(..)"...), sign)
		}
	}
	zero := string(e(nil, nil, &column.Vec{Kind: column.Addr, Form: column.Const, N: 1, V4: []uint32{0}}, 0))
	return item{sources: fieldsOf(from...), op: opAddrPort, entry: e, absent: zero}
}

func geoItem(width int, addr string) item {
	e := func(dst []byte, _ *work, v *column.Vec, n int) []byte {
		return append(appendColumn(dst, v, n, width), "(..)"...)
	}
	it := one(named(addr), opEntry, width, e)
	it.absent = string(e(nil, nil, &column.Vec{Kind: column.Addr, Form: column.Const, N: 1, V4: []uint32{0}}, 0))
	return it
}

// pair compiles two numbers in one column.
func pair(from []string, f func(dst []byte, a, b uint64) []byte) item {
	return item{sources: fieldsOf(from...), op: opRow, absent: string(f(nil, 0, 0)),
		row: func(dst []byte, _ *work, c *cell, i int) []byte { return f(dst, c.src[0].at(i), c.src[1].at(i)) }}
}

func mplsItem(f *ie.Field, width int) item {
	row := func(dst []byte, _ *work, c *cell, i int) []byte {
		for k := range c.src {
			dst = append(appendLabel(dst, c.src[k].bytes(i), width), ' ')
		}
		return dst
	}
	it := item{sources: fieldsOf(f.Either...), op: opRow, row: row}
	it.absent = string(row(nil, nil, &cell{src: make([]source, len(it.sources))}, 0))
	return it
}

// flagsRow shows flags of TCP, and of records that do not say their protocol.
func flagsRow(dst []byte, _ *work, c *cell, i int) []byte {
	if p := &c.src[1]; p.at(i) != 6 && p.view.Has(i) {
		return append(dst, "........"...)
	}
	return appendFlags(dst, c.src[0].at(i))
}

// portRow writes the destination port, or type and code of ICMP.
func portRow(width int) rowFunc {
	return func(dst []byte, _ *work, c *cell, i int) []byte {
		if !isICMP(c.src[1].at(i)) {
			return appendRight(dst, c.src[0].at(i), width)
		}
		start := len(dst)
		src := [...]source{srcPort: c.src[0], srcProto: c.src[1], srcType: c.src[2], srcCode: c.src[3]}
		return padLeft(appendICMP(dst, src[:], i), start, width)
	}
}

// networkRow writes the address cut to its prefix, and its length. As in nfdump a length of
// 0 is none: the address stays.
func networkRow(width int) rowFunc {
	return func(dst []byte, _ *work, c *cell, i int) []byte {
		start := len(dst)
		bits := c.src[1].at(i)
		if v := c.vec; c.src[0].view.Has(i) {
			e := v.Entry(i)
			if bits == 0 {
				dst = appendAddress(dst, v, e)
			} else {
				dst = masked(v, e, bits).AppendTo(dst)
			}
		} else {
			dst = append(dst, "0.0.0.0"...)
		}
		dst = append(fitAddress(dst, start, width), '/')
		return appendLeft(dst, bits, 2)
	}
}

// durationRaw writes seconds.
func durationRaw(f *ie.Field, width int, absent string) item {
	return item{sources: fieldsOf(f.From...), op: opRow, need: 2, absent: absent,
		row: func(dst []byte, _ *work, c *cell, i int) []byte {
			return appendThousandths(dst, elapsed(c.src[0].at(i), c.src[1].at(i))/1e6, width)
		}}
}

// rate compiles a number per second or per packet.
func (p *Printer) rate(f *ie.Field) item {
	width, show := len(f.Header), appendScaled
	if p.o.Plain || len(f.From) == 2 {
		show = appendRight
	}
	it := rateItem(f, func(dst []byte, x uint64) []byte { return show(dst, x, width) })
	it.absent = string(show(nil, 0, width))
	return it
}

// rateItem computes bytes a packet from two sources, and a rate from a counter and two times.
func rateItem(f *ie.Field, show func(dst []byte, x uint64) []byte) item {
	it := item{sources: fieldsOf(f.From...), op: opRow, need: len(f.From)}
	if len(f.From) == 2 {
		it.row = func(dst []byte, _ *work, c *cell, i int) []byte {
			x := c.src[0].at(i)
			if n := c.src[1].at(i); n > 0 {
				x /= n
			} else {
				x = 0
			}
			return show(dst, x)
		}
		return it
	}
	unit := uint64(1)
	if e, ok := ie.Lookup(it.sources[0].Elements[0]); ok && e.Unit == "octets" {
		unit = 8
	}
	it.row = func(dst []byte, _ *work, c *cell, i int) []byte {
		return show(dst, flow.PerSecond(c.src[0].at(i), unit, elapsed(c.src[1].at(i), c.src[2].at(i))))
	}
	return it
}
