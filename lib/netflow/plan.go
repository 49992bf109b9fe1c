package netflow

import (
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// form is how a value on the wire becomes one of a column.
type form uint8

const (
	formSkip form = iota
	formUint
	formSigned
	formFloat
	formBool
	formAddr4
	formAddr6
	formOctets
	formMisfit  // octets, behind the number of their element
	formList    // structured data, to be given its templates
	formSeconds // times: since the epoch
	formMillis
	formMicros // NTP timestamps
	formNanos
	formUptime // milliseconds of the exporter's uptime
	formDelta  // microseconds before the message was sent
	formAfter  // the end from a start and a duration
	formBefore // the start from an end and a duration

	// What a record gets from elsewhere.
	formExporter
	formDomain
	formEngineType
	formEngineID
	formArrived
	formInterval
	formSpace
	formICMP // a type and code of NetFlow v5 that stand in both ports, or in the wrong one
)

// op fills one column.
type op struct {
	form   form
	micros bool   // formAfter, formBefore: the duration is not in milliseconds
	width  uint16 // of the value; 0 if it varies
	field  int16  // of the template
	other  int16  // formAfter, formBefore: the op whose times are there already
	off    uint16 // of the value, where records are of one length
}

// plan is what there is to look at in the records of a template. A field is -1 if there is none.
type plan struct {
	off                        []uint16 // of each field, where records are of one length
	proto, src, dst            int
	icmp, icmpCode             [2]int // type and code, or the type alone and the code; of ICMP and ICMPv6
	version                    int
	sampler, init              int
	rates                      []int    // fields that a sampling rate is made of
	pairs                      [][2]int // fields that are one column: the IPv4 and the IPv6 member
	uptimes, deltas            bool
	wide                       []int // fields that may be times out of range
	duration                   int
	startElement, endElement   bool // an absolute start or end is there
	own130, own149, own258     bool
	wantsVariants, wantsRecord bool // variant or rate differ from record to record
}

func newPlan(t *template) *plan {
	none := [2]int{-1, -1}
	p := &plan{proto: -1, src: -1, dst: -1, icmp: none, icmpCode: none, version: -1, sampler: -1, init: -1, duration: -1}
	p.off = make([]uint16, len(t.fields))
	off := uint16(0)
	for i, f := range t.fields {
		p.off[i] = off
		off += f.Len
		p.note(i, f)
	}
	p.findPairs(t)
	p.wantsVariants = p.dst >= 0 && p.proto >= 0 || len(p.pairs) > 0
	p.wantsRecord = p.sampler >= 0 || len(p.rates) > 0
	return p
}

// findPairs looks for fields that are one column.
func (p *plan) findPairs(t *template) {
	for i, f := range t.fields {
		col, fam := ie.Column(f.ID)
		if fam != ie.IPv6 || len(p.pairs) == maxPairs {
			continue
		}
		for k, g := range t.fields {
			if c, h := ie.Column(g.ID); c == col && h == ie.IPv4 {
				p.pairs = append(p.pairs, [2]int{k, i})
				break
			}
		}
	}
}

// note remembers a field that others depend on.
func (p *plan) note(i int, f flow.Elem) {
	first := func(at *int) {
		if *at < 0 {
			*at = i
		}
	}
	fits := formOf(f) != formSkip
	switch f.ID {
	case 130, 131:
		p.own130 = p.own130 || fits
	case 149:
		p.own149 = p.own149 || fits
	case 258:
		p.own258 = p.own258 || fits
	}
	if f.Len > 8 {
		return // no number
	}
	switch f.ID {
	case 4:
		first(&p.proto)
	case 7:
		first(&p.src)
	case 11:
		first(&p.dst)
	case 32, 176:
		first(&p.icmp[0])
	case 139, 178:
		first(&p.icmp[1])
	case 177:
		first(&p.icmpCode[0])
	case 179:
		first(&p.icmpCode[1])
	case 60:
		first(&p.version)
	case 48, 302:
		first(&p.sampler)
	case 34, 50, 305, 306, 309, 310:
		p.rates = append(p.rates, i)
	case 160:
		first(&p.init)
	case 161, 162:
		first(&p.duration)
	}
	p.noteTime(i, f)
}

// noteTime remembers a field that is a time, or makes one.
func (p *plan) noteTime(i int, f flow.Elem) {
	switch f.ID {
	case 21, 22:
		p.uptimes = true
	case 158, 159:
		p.deltas = true
	}
	form := formOf(f)
	if form >= formSeconds && form <= formNanos && f.Len > 4 || (f.ID == 158 || f.ID == 159) && f.Len > 4 {
		p.wide = append(p.wide, i)
	}
	switch f.ID {
	case 150, 152, 154, 156:
		p.startElement = p.startElement || form != formSkip
	case 151, 153, 155, 157:
		p.endElement = p.endElement || form != formSkip
	}
}

// firstReserved is the first element whose Raw would be a number that the stream reserves.
const firstReserved = 1<<15 - 2

// misfit is the element of values whose length does not fit the type of an element that
// [Raw] cannot name: enterprise number (u32) and element number (u16) stand before the value.
const misfit = ie.ID(ie.ProjectPEN)<<16 | 1<<15 - 1

// Raw is the element under which a value is kept, as octets, whose length does not fit the type
// of an element of IANA, or which is a time that had to be clamped.
func Raw(id ie.ID) ie.ID { return ie.New(ie.ProjectPEN, 1<<15|uint16(id)) }

// kept is how a field is kept as it was sent; formSkip if it says nothing.
func kept(f flow.Elem) (flow.Elem, form) {
	if f.ID == padding {
		return f, formSkip
	}
	if o := formOf(f); o != formSkip {
		return f, o
	}
	return raw(f)
}

// raw is how a field is kept whatever its type.
func raw(f flow.Elem) (flow.Elem, form) {
	if f.ID < firstReserved {
		return flow.Elem{ID: Raw(f.ID), Len: f.Len}, formOctets
	}
	return flow.Elem{ID: misfit, Len: flow.Variable}, formMisfit
}

// formOf is the form of an element at its length; formSkip if there is none.
func formOf(f flow.Elem) form {
	e, known := ie.Lookup(f.ID)
	n := f.Len
	number := n >= 1 && n <= 8
	class := e.Type.Class()
	switch {
	case e.Type.IsList():
		return formList
	case !known || class == ie.Bytes:
		return formOctets
	case class == ie.Addr && e.Type == ie.IPv4Address && n == 4:
		return formAddr4
	case class == ie.Addr && e.Type == ie.IPv6Address && n == 16:
		return formAddr6
	case e.Type == ie.Boolean && number:
		return formBool
	case e.Type == ie.MACAddress && n != 6:
		return formSkip
	case class == ie.Uint && number:
		return formUint
	case class == ie.Int && number:
		return formSigned
	case class == ie.Float && (n == 4 || n == 8):
		return formFloat
	case e.Type == ie.DateTimeSeconds && number:
		return formSeconds
	case e.Type == ie.DateTimeMilliseconds && number:
		return formMillis
	case e.Type == ie.DateTimeMicroseconds && n == 8:
		return formMicros
	case e.Type == ie.DateTimeNanoseconds && n == 8:
		return formNanos
	}
	return formSkip
}
