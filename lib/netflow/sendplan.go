package netflow

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// sendForm is how a value of a column becomes one on the wire.
type sendForm uint8

const (
	sendUint sendForm = iota
	sendSigned
	sendFloat
	sendBool
	sendAddr4
	sendAddr6
	sendOctets   // of one length: cut or filled up with zeros
	sendVariable // with their length before them (RFC 7011 §7)
	sendList     // the same, of structured data
	sendMisfit   // the same, behind the number of their element; of one length if it has one
	sendSeconds
	sendMillis
	sendMicros
	sendNanos
	sendUptime
)

// sendField is a field of a template that is sent.
type sendField struct {
	flow.Elem // on the wire
	key       flow.Key
	form      sendForm
	off       int // where records are of one length
	start     bool
}

// sendPlan is the records of a shape as they are sent.
type sendPlan struct {
	fields    []sendField
	describes []byte // the template without its number: count of fields, fields
	size      int    // of a record; the least where it varies
	varies    bool
	lists     bool
	uptimes   bool
	elements  int // of the shape that cannot be sent: of enterprises
	project   int // that are never sent
	first     int // the field with the start of the flow, -1
	last      int
}

// maxText bounds strings in NetFlow v9, which has no variable length.
const maxText = 512

// mirrored lists what changes places between the two directions of a flow.
var mirrored = func() map[ie.ID]ie.ID {
	m := map[ie.ID]ie.ID{}
	for _, p := range [][2]ie.ID{
		{8, 12}, {27, 28}, {7, 11}, {180, 181}, {182, 183}, {10, 14}, {16, 17}, {9, 13}, {29, 30}, {44, 45}, {169, 170},
		{56, 80}, {81, 57}, {58, 59}, {243, 254}, {225, 226}, {281, 282}, {227, 228}, {128, 129}, {252, 253}, {234, 235},
	} {
		m[p[0]], m[p[1]] = p[1], p[0]
	}
	return m
}()

// plan is how records of shape s of the batch are sent.
func (e *Encoder) plan(g *group) (*sendPlan, error) {
	shape := e.b.Shapes[g.shape]
	keys := shape.Keys(nil)
	foreign := g.source.wire != g.domain
	name := make([]byte, 0, 16*len(shape)+2)
	name = append(name, flag(g.mirror), flag(foreign))
	widths := make([]uint16, len(shape))
	misfits := make([]flow.Elem, len(shape))
	for i, elem := range shape {
		at := e.b.Find(keys[i])
		if at < 0 {
			continue // projected away
		}
		widths[i] = elem.Len
		if e.Version == 9 && flow.KindOf(keys[i].ID).String() == "bytes" {
			w, err := e.textWidth(at, elem)
			if err != nil {
				return nil, err
			}
			widths[i] = w
		}
		if elem.ID == misfit {
			var err error
			if misfits[i], err = e.misfit(at, g.rows); err != nil {
				return nil, err
			}
		}
		name = binary.LittleEndian.AppendUint64(name, uint64(elem.ID))
		name = binary.LittleEndian.AppendUint64(name, uint64(misfits[i].ID))
		name = binary.LittleEndian.AppendUint16(name, misfits[i].Len)
		name = binary.LittleEndian.AppendUint16(name, widths[i])
		name = append(name, keys[i].Occ)
	}
	if p := e.plans[string(name)]; p != nil {
		return p, nil
	}
	if len(e.plans) >= 1<<14 {
		clear(e.plans)
	}
	c := planner{e: e, shape: shape, keys: keys, widths: widths, misfits: misfits, mirror: g.mirror, foreign: foreign, times: e.Times,
		p: &sendPlan{first: -1, last: -1}}
	c.compile()
	e.plans[string(name)] = c.p
	return c.p, nil
}

// misfit is the element of octets of records that carry its number before them, and their length, if
// they are the same in all; else element 0, or variable length.
func (e *Encoder) misfit(col int, rows []int32) (flow.Elem, error) {
	c, err := e.column(col)
	if err != nil {
		return flow.Elem{}, err
	}
	var all flow.Elem
	for n, i := range rows {
		p := c.vec.BytesEntry(c.at(int(i)))
		if len(p) < misfitHead {
			return flow.Elem{}, nil
		}
		this := flow.Elem{ID: ie.New(binary.BigEndian.Uint32(p), binary.BigEndian.Uint16(p[4:])), Len: uint16(min(len(p)-misfitHead, flow.Variable))}
		switch {
		case n == 0:
			all = this
		case this.ID != all.ID:
			return flow.Elem{}, nil
		case this.Len != all.Len:
			all.Len = flow.Variable
		}
	}
	return all, nil
}

const misfitHead = 6 // enterprise and element number

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// textWidth is the length at which octets of the batch go out in NetFlow v9: that at which they
// were sent, or one of few that holds the longest of them, so that there are few templates.
func (e *Encoder) textWidth(col int, elem flow.Elem) (uint16, error) {
	if elem.Len != flow.Variable {
		return elem.Len, nil
	}
	c, err := e.column(col)
	if err != nil {
		return 0, err
	}
	longest := 0
	for n := range c.vec.Entries() {
		longest = max(longest, len(c.vec.BytesEntry(n)))
	}
	width := uint16(16)
	for int(width) < longest && width < maxText {
		width *= 2
	}
	return width, nil
}

// planner compiles a plan.
type planner struct {
	e               *Encoder
	p               *sendPlan
	shape           flow.Shape
	keys            []flow.Key
	widths          []uint16
	misfits         []flow.Elem
	mirror, foreign bool
	times           TimeUnit
	absolute        bool // start or end of the flow are there as times
	biflow          bool // the reverse direction has a counter, and in NetFlow v9 a record of its own
	kept            map[ie.ID]bool
	finest          map[ie.ID]int // of a column of times, the element that is sent when one is chosen
}

func (c *planner) compile() {
	c.look()
	for i, elem := range c.shape {
		if at, isTime := c.finest[c.keys[i].ID]; c.widths[i] == 0 || isTime && c.times != TimesDefault && at != i {
			continue
		}
		elem.Len = c.widths[i]
		if m := c.misfits[i]; m.ID != 0 && c.e.Version == 10 && m.ID.Num()&enterprise == 0 && m.ID.PEN() != ie.ProjectPEN {
			if !c.kept[m.ID] {
				m.Len = flow.Variable
			}
			c.p.fields = append(c.p.fields, sendField{Elem: m, key: c.keys[i], form: sendMisfit})
			continue
		}
		c.field(elem, c.keys[i])
	}
	p := c.p
	p.describes = binary.BigEndian.AppendUint16(nil, uint16(len(p.fields)))
	for i := range p.fields {
		f := &p.fields[i]
		p.describes = appendField(p.describes, f.Elem)
		f.off = p.size
		if f.Len == flow.Variable {
			p.varies = true
			p.size++
		} else {
			p.size += int(f.Len)
		}
		p.lists = p.lists || f.form == sendList
		p.uptimes = p.uptimes || f.form == sendUptime
		switch {
		case f.form < sendSeconds:
		case f.start && p.first < 0:
			p.first = i
		case p.last < 0 && (f.key.ID == 157 || f.key.ID == ie.New(ie.ReversePEN, 157)):
			p.last = i
		}
	}
}

// look notes what decides about several elements.
func (c *planner) look() {
	c.kept, c.finest = map[ie.ID]bool{}, map[ie.ID]int{}
	for i, elem := range c.shape {
		if c.widths[i] == 0 {
			continue
		}
		col := c.keys[i].ID
		switch forward := ie.ID(col.Num()); {
		case col.PEN() != 0 && col.PEN() != ie.ReversePEN || forward != 156 && forward != 157:
		default:
			c.absolute = c.absolute || col.PEN() == 0
			// A number of 150 to 157 is the higher the finer its unit.
			if at, there := c.finest[col]; !there || c.shape[at].ID < elem.ID {
				c.finest[col] = i
			}
		}
		// What was clamped has the length of the time beside it, which other misfits cannot have.
		asSent := flow.Elem{ID: ie.ID(elem.ID.Num() &^ (1 << 15)), Len: elem.Len}
		if elem.ID != Raw(asSent.ID) {
			asSent = c.misfits[i]
		}
		if isTime(asSent.ID) && slices.Contains(c.shape, asSent) && (c.e.Version == 10 || asSent.ID.PEN() == 0) {
			c.kept[asSent.ID] = true
		}
		c.biflow = c.biflow || slices.Contains(reverseCounters, c.keys[i])
	}
}

// field adds an element of the shape, if it is sent.
func (c *planner) field(elem flow.Elem, key flow.Key) {
	if c.mirror {
		if elem, key = c.reflect(elem, key); elem.ID == 0 {
			return
		}
	}
	id := elem.ID
	switch {
	case id == ie.SamplingInterval || id == ie.SamplingSpace:
		return // announced
	case id == 258:
		return // the next collector has a time of arrival of its own
	case (id == 130 || id == 131) && c.e.NoExporter:
		return
	case id == 149 && !c.foreign:
		return // the header says it
	case id.PEN() == ie.ProjectPEN:
		c.original(elem, key)
		return
	case c.kept[id]: // clamped; it goes out as it came
		return
	case c.e.Version == 9 && id.PEN() == ie.ReversePEN && c.biflow:
		return // a record of its own
	case c.e.Version == 9 && (id.PEN() != 0 || isList(id)), c.e.Version == 10 && id.Num()&enterprise != 0:
		c.p.elements++
		return
	case c.e.Version == 9 && (id == 21 || id == 22):
		if !c.absolute { // since a start that is not the header's
			c.p.elements++
		}
		return
	}
	elem, form := c.wire(elem, key)
	start := key.ID == 156 || key.ID == ie.New(ie.ReversePEN, 156)
	c.p.fields = append(c.p.fields, sendField{Elem: elem, key: key, form: form, start: start})
}

func isTime(id ie.ID) bool {
	e, ok := ie.Lookup(id)
	return ok && e.Type.Class() == ie.Time
}

func isList(id ie.ID) bool {
	e, ok := ie.Lookup(id)
	return ok && e.Type.IsList()
}

// reflect is the element and the column of the reverse direction's record; of element 0 if it has
// none. What is of one direction alone the other one has only as a reverse element (RFC 5103 §6.1).
func (c *planner) reflect(elem flow.Elem, key flow.Key) (flow.Elem, flow.Key) {
	if elem.ID.PEN() == ie.ReversePEN {
		return flow.Elem{}, key // stands where the forward one stood
	}
	if back, ok := elem.ID.Reverse(); ok {
		if i := c.position(back, key.Occ); i >= 0 {
			if elem.Len = c.widths[i]; isTime(elem.ID) {
				elem.ID = ie.ID(c.shape[i].ID.Num())
			}
			return elem, c.keys[i]
		}
	}
	if oneWay(elem.ID) {
		return flow.Elem{}, key
	}
	if other, ok := mirrored[elem.ID]; ok {
		if i := c.position(other, key.Occ); i >= 0 {
			return flow.Elem{ID: elem.ID, Len: c.widths[i]}, c.keys[i]
		}
		elem.ID = other
	}
	return elem, key
}

// position is where the shape has an element, or a time of its column; -1 if it has none.
func (c *planner) position(id ie.ID, occ uint8) int {
	col, _ := ie.Column(id)
	if i, ok := c.finest[col]; ok {
		return i
	}
	for i, elem := range c.shape {
		if elem.ID == id && c.keys[i].Occ == occ && c.widths[i] > 0 {
			return i
		}
	}
	return -1
}

// oneWay tells that an element is of the packets of one direction.
func oneWay(id ie.ID) bool {
	switch id {
	case 5, 6, 25, 26, 52, 53, 55, 192: // class of service, TCP flags, lengths, TTL
		return true
	}
	e, _ := ie.Lookup(id)
	return e.Semantics == ie.DeltaCounter || e.Semantics == ie.TotalCounter
}

// original adds an element that was kept under another name because its length did not fit its
// type, or its time did not fit ours.
func (c *planner) original(elem flow.Elem, key flow.Key) {
	num := elem.ID.Num()
	if elem.ID == misfit {
		c.p.elements++
		return
	}
	if num&(1<<15) == 0 || ie.ID(num&^(1<<15)) >= firstReserved {
		c.p.project++
		return
	}
	elem.ID = ie.ID(num &^ (1 << 15))
	form := sendOctets
	if elem.Len == flow.Variable {
		form = sendVariable
	}
	c.p.fields = append(c.p.fields, sendField{Elem: elem, key: key, form: form})
}

// wire is an element and its form as it is sent.
func (c *planner) wire(elem flow.Elem, key flow.Key) (flow.Elem, sendForm) {
	e, known := ie.Lookup(elem.ID)
	switch {
	case !known, e.Type.Class() == ie.Bytes:
		switch {
		case known && e.Type.IsList():
			elem.Len = flow.Variable
			return elem, sendList
		case elem.Len != flow.Variable:
			return elem, sendOctets
		}
		return elem, sendVariable
	case e.Type == ie.IPv4Address:
		elem.Len = 4
		return elem, sendAddr4
	case e.Type == ie.IPv6Address:
		elem.Len = 16
		return elem, sendAddr6
	case e.Type.Class() == ie.Time:
		return c.time(elem, key, e.Type)
	}
	if n := uint16(e.Type.Size()); elem.Len == flow.Variable || elem.Len == 0 || elem.Len > 8 {
		elem.Len = n
	}
	switch {
	case e.Type == ie.Boolean:
		return elem, sendBool
	case e.Type.Class() == ie.Int:
		return elem, sendSigned
	case e.Type.Class() == ie.Float:
		if elem.Len != 4 {
			elem.Len = 8
		}
		return elem, sendFloat
	}
	return elem, sendUint
}

// time is a time in the unit of its element, or in that which the encoding wants.
func (c *planner) time(elem flow.Elem, key flow.Key, t ie.Type) (flow.Elem, sendForm) {
	reverse := elem.ID.PEN() == ie.ReversePEN
	forward := key.ID
	if key.ID.PEN() == ie.ReversePEN {
		forward = ie.ID(key.ID.Num())
	}
	if (forward == 156 || forward == 157) && c.times != TimesDefault {
		id := [...]ie.ID{TimesSeconds: 150, TimesMilliseconds: 152, TimesMicroseconds: 154, TimesNanoseconds: 156, TimesUptime: 22}[c.times]
		if forward == 157 {
			id = [...]ie.ID{TimesSeconds: 151, TimesMilliseconds: 153, TimesMicroseconds: 155, TimesNanoseconds: 157, TimesUptime: 21}[c.times]
		}
		if c.times == TimesUptime {
			return flow.Elem{ID: id, Len: 4}, sendUptime
		}
		if reverse {
			id, _ = id.Reverse()
		}
		elem = flow.ShapeOf(id)[0]
		e, _ := ie.Lookup(id)
		t = e.Type
	}
	switch t {
	case ie.DateTimeSeconds:
		if elem.Len > 8 || elem.Len == 0 {
			elem.Len = 4
		}
		return elem, sendSeconds
	case ie.DateTimeMilliseconds:
		if elem.Len > 8 || elem.Len == 0 {
			elem.Len = 8
		}
		return elem, sendMillis
	case ie.DateTimeMicroseconds:
		elem.Len = 8
		return elem, sendMicros
	}
	elem.Len = 8
	return elem, sendNanos
}

// toNTP is a time as RFC 7011 §6.1.9 and §6.1.10 have it: seconds since 1900, and their fraction
// in 32 bits. Rounding up makes a receiver that cuts off find the same nanosecond again.
func toNTP(ns uint64) uint64 {
	sec, rest := ns/1e9, ns%1e9
	hi, lo := bits.Mul64(rest, 1<<32)
	q, r := bits.Div64(hi, lo, 1e9)
	if r > 0 {
		q++
	}
	// Where an era begins the number is 0, which receivers take for no time.
	return max((sec+ntpEpoch)<<32+q, 1)
}
