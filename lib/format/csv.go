package format

import (
	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// csv compiles a token of CSV: what a record lacks is empty, numbers are plain, strings are
// quoted where they must be.
func (p *Printer) csv(f *ie.Field) item {
	it, done := p.compositeCSV(f)
	if !done {
		it = p.simpleCSV(shown(f))
	}
	it.csv = string(appendCSV(nil, []byte(f.CSV)))
	it.scale = !p.o.Raw
	return it
}

func (p *Printer) compositeCSV(f *ie.Field) (item, bool) {
	switch f.Kind {
	case ie.Duration, ie.DurationRaw:
		return durationRaw(f, 0, ""), true
	case ie.Rate:
		return rateItem(f, appendUint), true
	case ie.Network:
		it := item{sources: fieldsOf(f.From...), op: opRow, need: 1}
		it.row = func(dst []byte, _ *work, c *cell, i int) []byte { return appendNetwork(dst, c, i) }
		return it, true
	case ie.Resolved:
		if f.Name != "engine" {
			return item{}, true
		}
	}
	switch f.Name {
	case "dstport":
		return item{sources: fieldsOf("dstport", "proto", "icmptype", "icmpcode"), op: opRow, row: csvPort}, true
	case "count":
		return item{op: opCount}, true
	case "engine":
		return pairCSV(f.From, '/'), true
	case "mpls":
		return mplsCSV(f), true
	case "flows":
		it := one(f, opUint, 0, number(appendUint))
		it.absent = "1"
		return it, true
	}
	return item{}, false
}

// csvPort is the destination port or type.code of ICMP, and nothing without either.
func csvPort(dst []byte, _ *work, c *cell, i int) []byte {
	port := &c.src[0]
	if isICMP(c.src[1].at(i)) && (c.src[2].view.Has(i) || c.src[3].view.Has(i) || port.view.Has(i)) {
		return portRow(0)(dst, nil, c, i)
	}
	if port.view.Has(i) {
		return appendUint(dst, port.at(i))
	}
	return dst
}

func pairCSV(from []string, sign byte) item {
	it := item{sources: fieldsOf(from...), op: opRow, need: 1}
	it.row = func(dst []byte, _ *work, c *cell, i int) []byte {
		return appendUint(append(appendUint(dst, c.src[0].at(i)), sign), c.src[1].at(i))
	}
	return it
}

// mplsCSV writes the labels that are there, separated by blanks.
func mplsCSV(f *ie.Field) item {
	return item{sources: fieldsOf(f.Either...), op: opRow, row: func(dst []byte, _ *work, c *cell, i int) []byte {
		start := len(dst)
		for k := range c.src {
			if !c.src[k].view.Has(i) {
				continue
			}
			if len(dst) > start {
				dst = append(dst, ' ')
			}
			dst = appendLabel(dst, c.src[k].bytes(i), 0)
		}
		return dst
	}}
}

// appendNetwork writes network and prefix length of an address and its mask; no length, or
// one of 0, leaves the address as it is.
func appendNetwork(dst []byte, c *cell, i int) []byte {
	e, bits := c.vec.Entry(i), c.src[1].at(i)
	if bits == 0 {
		return append(appendAddress(dst, c.vec, e), "/0"...)
	}
	return appendUint(append(masked(c.vec, e, bits).AppendTo(dst), '/'), bits)
}

func (p *Printer) simpleCSV(f *ie.Field) item {
	switch kindOf(f) {
	case column.Addr:
		return one(f, opEntry, 0, func(dst []byte, _ *work, v *column.Vec, e int) []byte { return appendAddress(dst, v, e) })
	case column.Bytes:
		show := plainOctets(f)
		return one(f, opEntry, 0, func(dst []byte, _ *work, v *column.Vec, e int) []byte {
			s := v.BytesEntry(e)
			if show == nil {
				return appendCSV(dst, s)
			}
			return show(dst, s)
		})
	}
	switch f.Kind {
	case ie.TimeLocal:
		return one(f, opTime, 0, func(dst []byte, w *work, v *column.Vec, e int) []byte { return w.local.appendMilli(dst, v.Ints[e]) })
	case ie.TimeUTC:
		return one(f, opEntry, 0, func(dst []byte, w *work, v *column.Vec, e int) []byte { return w.utc.appendMilli(dst, v.Ints[e]) })
	case ie.TimeRaw:
		return one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return appendThousandths(dst, x/1e6, 0) }))
	case ie.TimeMillis:
		return one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return appendUint(dst, x/1e6) }))
	}
	if e := plainWords(f); e != nil {
		return one(f, opEntry, 0, number(e))
	}
	return one(f, opUint, 0, number(appendUint))
}

// plainOctets is how octets are spelled without padding; nil for text.
func plainOctets(f *ie.Field) func(dst, s []byte) []byte {
	switch {
	case f.Kind == ie.ACL:
		return appendSlashedACL
	case f.Kind == ie.MPLS:
		return func(dst, s []byte) []byte { return appendLabel(dst, s, 0) }
	case f.Name == "nbar":
		return func(dst, s []byte) []byte { return appendNBAR(dst, s, 0) }
	case isText(f):
		return nil
	}
	return appendOctets
}

// plainWords is how numbers that are more than numbers are spelled without padding, nil for
// plain numbers.
func plainWords(f *ie.Field) func(dst []byte, x uint64) []byte {
	if signed(f) {
		return func(dst []byte, x uint64) []byte { return appendSigned(dst, column.Signed(x)) }
	}
	if words := wordsOf(f); words != nil {
		return func(dst []byte, x uint64) []byte { return appendWord(dst, words(x), x, 0) }
	}
	switch f.Kind {
	case ie.TCPFlags:
		return appendFlags
	case ie.MAC:
		return appendMAC
	case ie.Direction:
		return func(dst []byte, x uint64) []byte { return appendWord(dst, directionWord(x), x, 0) }
	case ie.Latency:
		return func(dst []byte, x uint64) []byte { return appendThousandths(dst, x, 0) }
	case ie.FragmentFlags:
		return appendFragment
	case ie.FirewallEvent:
		return func(dst []byte, x uint64) []byte { return appendWord(dst, eventWord(x), x, 0) }
	case ie.NATEvent:
		return func(dst []byte, x uint64) []byte { return appendWord(dst, natWord(x), x, 0) }
	case ie.Hex:
		return func(dst []byte, x uint64) []byte { return appendHex(append(dst, "0x"...), x, 1) }
	case ie.Real:
		return func(dst []byte, x uint64) []byte { return appendReal(dst, column.Float(x)) }
	}
	return nil
}

// compileFast makes nfdump's fixed CSV: times in milliseconds, the address family as the
// number that C has for it.
func (p *Printer) compileFast() {
	p.family = familyCSV
	millis := number(func(dst []byte, x uint64) []byte { return appendUint(dst, x/1e6) })
	family := func(dst []byte, _ *work, v *column.Vec, e int) []byte {
		if e < len(v.V4) {
			return append(dst, '2')
		}
		return append(dst, "10"...)
	}
	p.items = []item{{op: opCount}, one(named("srcip"), opEntry, 0, family),
		one(named("first"), opEntry, 0, millis), one(named("last"), opEntry, 0, millis)}
	for _, name := range []string{"proto", "srcip", "srcport", "dstip", "dstport", "srcas", "dstas", "inif", "outif", "flags", "srctos", "packets", "bytes"} {
		p.items = append(p.items, p.csv(named(name)))
	}
	for k := 1; k < len(p.items); k++ {
		p.items[k].lit = ","
	}
	p.items = append(p.items, item{lit: "\n"})
	if !p.o.Quiet {
		p.header = "cnt,af,firstSeen,lastSeen,proto,srcAddr,srcPort,dstAddr,dstPort,srcAS,dstAS,input,output,flags,srcTos,packets,bytes\n"
	}
}
