package format

import (
	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// number makes an entryFunc of a function of the value.
func number(f func(dst []byte, x uint64) []byte) entryFunc {
	return func(dst []byte, _ *work, v *column.Vec, e int) []byte { return f(dst, v.Ints[e]) }
}

// one makes an item of a single source.
func one(f *ie.Field, o op, width int, e entryFunc) item {
	return item{sources: []*ie.Field{f}, op: o, width: width, entry: e}
}

// shown is the field that stands for one that means any of several.
func shown(f *ie.Field) *ie.Field {
	for range 4 {
		if len(f.Either) == 0 {
			break
		}
		g, ok := ie.FieldByName(f.Either[0])
		if !ok {
			break
		}
		f = g
	}
	return f
}

// named is a field of the table.
func named(name string) *ie.Field {
	f, ok := ie.FieldByName(name)
	if !ok {
		panic("format: no field " + name)
	}
	return f
}

func fieldsOf(names ...string) []*ie.Field {
	fs := make([]*ie.Field, len(names))
	for i, n := range names {
		fs[i] = named(n)
	}
	return fs
}

// text compiles a token of a text format. Where a record lacks the value, nfdump prints what
// a zero looks like, or a word of its own.
func (p *Printer) text(f *ie.Field) item {
	it, done := p.composite(f)
	if !done {
		it = p.simple(shown(f))
	}
	it.header = f.Header
	if wide := p.addressWidth() - narrowAddress; wide > 0 && hasAddress(f) {
		it.header = string(appendBlanks(nil, wide)) + it.header
	}
	it.scale = !p.o.Raw
	return it
}

func hasAddress(f *ie.Field) bool {
	switch f.Name {
	case "srcgeoip", "dstgeoip", "srcgeoaddrport", "dstgeoaddrport", "routergeoip":
		return true
	}
	return f.Kind == ie.Address || f.Kind == ie.AddressPort || f.Kind == ie.Network
}

func (p *Printer) addressWidth() int {
	if p.o.Full {
		return wideAddress
	}
	return narrowAddress
}

// simple compiles a field of one source.
func (p *Printer) simple(f *ie.Field) item {
	width := len(f.Header)
	it := p.simpleOf(f, width)
	if f.Derived && f.Kind == ie.Resolved {
		return item{absent: unresolved(f, width)}
	}
	if f.Kind == ie.FirewallEvent {
		it.absent = string(appendWord(nil, "INVALID", 0, width))
	}
	if it.absent == "" && it.entry != nil {
		zero := &column.Vec{Kind: kindOf(f), Form: column.Const, N: 1, Ints: []uint64{zeroOf(f)}, Off: []uint32{0, 0}, V4: []uint32{0}}
		w := &work{local: newClock(p.o.Location), utc: newClock(nil)}
		it.absent = string(it.entry(nil, w, zero, 0))
	}
	return it
}

// zeroOf is the value that stands for an absent one.
func zeroOf(f *ie.Field) uint64 {
	switch {
	case f.Kind == ie.FlowCount:
		return 1
	case f.Kind == ie.Real:
		return column.FromFloat(0)
	case signed(f):
		return column.FromSigned(0)
	}
	return 0
}

func signed(f *ie.Field) bool {
	if len(f.Elements) == 0 {
		return false
	}
	e, ok := ie.Lookup(f.Elements[0])
	return ok && e.Type.Class() == ie.Int
}

// kindOf is how the values of a field are stored.
func kindOf(f *ie.Field) column.Kind {
	if len(f.Elements) == 0 {
		return column.Int
	}
	e, ok := ie.Lookup(f.Elements[0])
	if !ok {
		return column.Bytes
	}
	switch e.Type.Class() {
	case ie.Addr:
		return column.Addr
	case ie.Bytes:
		return column.Bytes
	}
	return column.Int
}

func (p *Printer) simpleOf(f *ie.Field, width int) item {
	right := func(dst []byte, x uint64) []byte { return appendRight(dst, x, width) }
	switch kindOf(f) {
	case column.Addr:
		w := p.addressWidth()
		return one(f, opEntry, w, func(dst []byte, _ *work, v *column.Vec, e int) []byte { return appendColumn(dst, v, e, w) })
	case column.Bytes:
		return p.octetsText(f, width)
	}
	switch f.Kind {
	case ie.Counter:
		if p.o.Plain {
			return one(f, opRight, width, number(right))
		}
		return one(f, opScaled, width, number(func(dst []byte, x uint64) []byte { return appendScaled(dst, x, width) }))
	case ie.TimeLocal:
		return one(f, opTime, width, func(dst []byte, w *work, v *column.Vec, e int) []byte { return w.local.appendMilli(dst, v.Ints[e]) })
	case ie.TimeUTC:
		return one(f, opEntry, width, func(dst []byte, w *work, v *column.Vec, e int) []byte { return w.utc.appendMilli(dst, v.Ints[e]) })
	case ie.TimeRaw:
		return one(f, opEntry, width, number(func(dst []byte, x uint64) []byte { return appendThousandths(dst, x/1e6, 0) }))
	case ie.TimeMillis:
		return one(f, opEntry, width, number(func(dst []byte, x uint64) []byte { return appendRight(dst, x/1e6, 13) }))
	}
	if signed(f) {
		return one(f, opEntry, width, number(func(dst []byte, x uint64) []byte {
			start := len(dst)
			return padLeft(appendSigned(dst, column.Signed(x)), start, width)
		}))
	}
	if e := p.wordsText(f, width); e != nil {
		return one(f, opEntry, width, number(e))
	}
	switch f.Name { // narrower than their titles
	case "pbstart", "pbend", "pbstep", "pbsize":
		width = 7
	case "pfrule":
		width = 5
	}
	return one(f, opRight, width, number(right))
}

// wordsText is how numbers are spelled that are more than numbers, nil for the others.
func (p *Printer) wordsText(f *ie.Field, width int) func(dst []byte, x uint64) []byte {
	switch f.Kind {
	case ie.Protocol:
		return func(dst []byte, x uint64) []byte {
			if p.o.Plain || x > 255 {
				return appendLeft(dst, x, 5)
			}
			start := len(dst)
			return padRight(append(dst, ie.ProtoName(uint8(x))...), start, 5)
		}
	case ie.TCPFlags:
		return appendFlags
	case ie.MAC:
		return appendMAC
	case ie.Direction:
		return func(dst []byte, x uint64) []byte { return appendWord(dst, directionWord(x), x, width) }
	case ie.Latency:
		return func(dst []byte, x uint64) []byte { return appendThousandths(dst, x, 9) }
	case ie.FragmentFlags:
		return appendFragment
	case ie.FirewallEvent:
		return func(dst []byte, x uint64) []byte { return appendWord(dst, eventWord(x), x, width) }
	case ie.NATEvent:
		return func(dst []byte, x uint64) []byte { return appendWord(dst, natWord(x), x, 7) }
	case ie.Hex:
		return func(dst []byte, x uint64) []byte { return appendHex(append(dst, "0x"...), x, hexWidth(f)) }
	case ie.Real:
		return func(dst []byte, x uint64) []byte {
			start := len(dst)
			return padLeft(appendReal(dst, column.Float(x)), start, width)
		}
	}
	if words := wordsOf(f); words != nil {
		if f.Name == "pfdir" {
			width = 3
		}
		return func(dst []byte, x uint64) []byte { return appendWord(dst, words(x), x, width) }
	}
	switch f.Name {
	case "xevent":
		return func(dst []byte, x uint64) []byte { return appendWord(dst, xeventWord(x), x, width) }
	case "exportversion":
		return appendVersion
	case "nextas", "prevas":
		return func(dst []byte, x uint64) []byte { return appendRight(append(dst, ' '), x, 6) }
	}
	return nil
}

// hexWidth is the number of digits that nfdump gives the field.
func hexWidth(f *ie.Field) int {
	switch f.Name {
	case "odid":
		return 9
	case "opid":
		return 10
	case "flowid":
		return 14
	}
	return 4
}

// octetsText compiles strings and octets.
func (p *Printer) octetsText(f *ie.Field, width int) item {
	bytes := func(g func(dst, s []byte) []byte) entryFunc {
		return func(dst []byte, _ *work, v *column.Vec, e int) []byte { return g(dst, v.BytesEntry(e)) }
	}
	switch {
	case f.Kind == ie.ACL:
		it := one(f, opEntry, width, bytes(func(dst, s []byte) []byte { return appendACL(dst, s, f.Token == "eacl") }))
		return it
	case f.Kind == ie.MPLS:
		return one(f, opEntry, width, bytes(func(dst, s []byte) []byte { return appendLabel(dst, s, 8) }))
	case f.Name == "nbar":
		return one(f, opEntry, width, bytes(func(dst, s []byte) []byte { return appendNBAR(dst, s, 2) }))
	case f.Name == "username":
		it := one(f, opEntry, width, bytes(appendPrintable))
		it.absent = "<empty>"
		return it
	case f.Name == "label":
		it := one(f, opEntry, width, bytes(func(dst, s []byte) []byte {
			start := len(dst)
			return padLeft(appendPrintable(dst, s), start, 16)
		}))
		it.absent = "          <none>"
		return it
	case f.Name == "pfinterface":
		return one(f, opEntry, width, bytes(func(dst, s []byte) []byte {
			start := len(dst)
			return padLeft(appendPrintable(dst, s), start, width)
		}))
	case f.Name == "ipayload" || f.Name == "opayload":
		return one(f, opEntry, width, bytes(appendPrintable))
	case isText(f):
		return one(f, opEntry, width, bytes(func(dst, s []byte) []byte {
			start := len(dst)
			return padRight(appendPrintable(dst, s), start, width)
		}))
	}
	return one(f, opEntry, width, bytes(appendOctets))
}

// isText tells octets that people read from those that they do not.
func isText(f *ie.Field) bool {
	return f.Kind == ie.Text || f.Name == "ipayload" || f.Name == "opayload"
}

// unresolved is what nfdump prints for a name that it cannot look up.
func unresolved(f *ie.Field, width int) string {
	switch f.Name {
	case "nbarname":
		return "<no info>"
	case "srcgeo", "dstgeo", "srctor", "dsttor":
		return ".."
	case "srclocation", "dstlocation":
		return "<no location info>"
	case "srcasn", "dstasn":
		return "            none"
	case "ja3", "ja4", "ja4s":
		s := "no " + f.Name
		return string(padLeft([]byte(s), 0, width))
	case "sni", "tls":
		return "      "
	}
	return ""
}
