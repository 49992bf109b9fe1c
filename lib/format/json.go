package format

import (
	"strconv"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// jsonOrder lists the fields whose place in an object is nfdump's. Others follow.
var jsonOrder = []string{"ident", "exporter", "exportversion", "enginetype", "engineid", "recordflags", "first", "last", "received",
	"packets", "bytes", "proto", "flags", "srcport", "dstport", "icmptype", "icmpcode", "fwdstat", "srctos",
	"srcip", "dstip", "inif", "outif", "srcmask", "dstmask", "srcnet", "dstnet", "dir", "dsttos", "fragflags", "minttl", "maxttl",
	"opackets", "obytes", "flows", "srcvlan", "dstvlan", "srcas", "dstas", "bgpnext", "next", "router",
	"mpls1", "mpls2", "mpls3", "mpls4", "mpls5", "mpls6", "mpls7", "mpls8", "mpls9", "mpls10",
	"insrcmac", "outdstmac", "indstmac", "outsrcmac", "nextas", "prevas", "clientlatency", "serverlatency", "applatency",
	"tunproto", "tunsrcip", "tundstip", "odid", "opid", "ingressvrf", "egressvrf",
	"dot1qvlan", "postdot1qvlan", "custvlan", "postcustvlan", "physin", "physout", "ethertype", "ipversion",
	"flowid", "connid", "event", "xevent", "eventtime", "natsrcip", "natdstip", "natsrcport", "natdstport",
	"ingressacl", "egressacl", "username", "natevent", "natpool", "pbstart", "pbend", "pbstep", "pbsize",
	"insrvid", "outsrvid", "natstring"}

// member is one field of an object with the items that write it.
type member struct {
	field  *ie.Field
	items  []item
	always bool // even if other members show the same column
}

// jsonStyle is how members are set.
type jsonStyle struct{ open, close, before, colon string }

var (
	pretty  = jsonStyle{"{\n", "\n}", ",\n\t", " : "}
	compact = jsonStyle{"{", "}\n", ",", ":"}
)

func (p *Printer) compileJSON(array bool) {
	p.style, p.family = compact, familyLines
	if array {
		p.style, p.family, p.header = pretty, familyJSON, "["
	}
	used := map[string]bool{}
	add := func(f *ie.Field) {
		if f.JSON == "" || used[f.JSON] || f.Kind == ie.Resolved {
			return
		}
		if len(f.Elements) == 0 && f.Kind != ie.Network {
			return
		}
		used[f.JSON] = true
		p.members = append(p.members, p.member(f))
	}
	for _, name := range jsonOrder {
		add(named(name))
	}
	fields := ie.Fields()
	for i := range fields {
		add(&fields[i])
	}
}

// member makes the items of a field.
func (p *Printer) member(f *ie.Field) member {
	m := member{field: f}
	switch f.Name {
	case "srcnet", "dstnet":
		it := p.quoted(f.JSON, item{sources: fieldsOf(f.From...), op: opRow, need: 2})
		it.row = func(dst []byte, _ *work, c *cell, i int) []byte {
			return masked(c.vec, c.vec.Entry(i), c.src[1].at(i)).AppendTo(dst)
		}
		return member{f, []item{it}, true}
	case "connid":
		// The element that counts connections of a firewall numbers flows elsewhere.
		it := p.bare(f.JSON, item{sources: []*ie.Field{f, named("event")}, op: opRow, need: 2})
		it.row = func(dst []byte, _ *work, c *cell, i int) []byte { return appendUint(dst, c.src[0].at(i)) }
		return member{f, []item{it}, true}
	case "event", "natevent":
		word := eventWord
		if f.Name == "natevent" {
			word = natWord
		}
		key := f.JSON[:len(f.JSON)-len("_id")]
		name := p.quoted(key, one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return appendWord(dst, word(x), x, 0) })))
		m.items = []item{p.bare(f.JSON, one(f, opUint, 0, number(appendUint))), name}
		return m
	case "recordflags":
		m.items = []item{p.bare(f.JSON, one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return appendUint(dst, x>>1&1) })))}
		return m
	case "icmptype", "icmpcode", "minttl", "maxttl", "eventtime":
		m.always = true
	}
	if f.JSON6 != "" && f.JSON6 != f.JSON {
		four, six := *f, *f
		four.Family, six.Family = ie.IPv4, ie.IPv6
		m.items = []item{p.jsonItem(f.JSON, &four), p.jsonItem(f.JSON6, &six)}
		return m
	}
	m.items = []item{p.jsonItem(f.JSON, f)}
	return m
}

// bare puts a key before a value that JSON takes as it is, quoted around text that needs no
// escapes.
func (p *Printer) bare(key string, it item) item {
	it.pre = p.style.before + string(appendJSON(nil, []byte(key))) + p.style.colon
	it.scale = !p.o.Raw
	return it
}

func (p *Printer) quoted(key string, it item) item {
	it = p.bare(key, it)
	it.pre, it.post = it.pre+`"`, `"`
	return it
}

// jsonItem writes one stored field.
func (p *Printer) jsonItem(key string, f *ie.Field) item {
	switch kindOf(f) {
	case column.Addr:
		return p.quoted(key, one(f, opEntry, 0, func(dst []byte, _ *work, v *column.Vec, e int) []byte { return appendAddress(dst, v, e) }))
	case column.Bytes:
		show := plainOctets(f)
		if show == nil {
			return p.bare(key, one(f, opEntry, 0, func(dst []byte, _ *work, v *column.Vec, e int) []byte { return appendJSON(dst, v.BytesEntry(e)) }))
		}
		return p.quoted(key, one(f, opEntry, 0, func(dst []byte, _ *work, v *column.Vec, e int) []byte { return show(dst, v.BytesEntry(e)) }))
	}
	switch f.Kind {
	case ie.TimeLocal, ie.TimeUTC, ie.TimeRaw, ie.TimeMillis:
		return p.quoted(key, one(f, opEntry, 0, func(dst []byte, w *work, v *column.Vec, e int) []byte { return w.local.appendISO(dst, v.Ints[e]) }))
	case ie.TCPFlags, ie.MAC, ie.FragmentFlags:
		return p.quoted(key, one(f, opEntry, 0, number(plainWords(f))))
	case ie.Latency:
		return p.bare(key, one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return appendThousandths(dst, x, 0) })))
	case ie.Real:
		return p.bare(key, one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return appendJSONReal(dst, column.Float(x)) })))
	}
	switch {
	case f.Name == "ethertype":
		return p.quoted(key, one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return appendHex(append(dst, "0x"...), x, 4) })))
	case signed(f):
		return p.bare(key, one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return appendSigned(dst, column.Signed(x)) })))
	case isBoolean(f):
		return p.bare(key, one(f, opEntry, 0, number(func(dst []byte, x uint64) []byte { return strconv.AppendBool(dst, x != 0) })))
	}
	return p.bare(key, one(f, opUint, 0, number(appendUint)))
}

func isBoolean(f *ie.Field) bool {
	e, ok := ie.Lookup(f.Elements[0])
	return ok && e.Type == ie.Boolean
}

// appendJSONReal writes null for what JSON has no number for.
func appendJSONReal(dst []byte, f float64) []byte {
	if f-f != 0 {
		return append(dst, "null"...)
	}
	return appendReal(dst, f)
}

// objects chooses the items for the columns of b. Each column is shown: by the fields that
// take their value from it, and else under its element's name.
func (p *Printer) objects(w *work, b *flow.Batch) ([]item, error) {
	if cap(w.shown) < len(b.Cols) {
		w.shown = make([]uint64, len(b.Cols))
	}
	w.shown = w.shown[:len(b.Cols)]
	clear(w.shown)
	items := append(w.items[:0], p.opening()...)
	for k := range p.members {
		if m := &p.members[k]; w.covers(b, m.field) || m.always {
			items = append(items, m.items...)
		}
	}
	for i := range b.Cols {
		c := &b.Cols[i]
		if c.Shapes&^w.shown[i] == 0 {
			continue
		}
		it, err := p.loose(w, b, i)
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	items = append(items, item{lit: p.style.close})
	w.items = items
	return items, nil
}

// opening begins an object: number and type of the record.
func (p *Printer) opening() []item {
	open, colon := p.style.open, p.style.colon
	var items []item
	if p.family == familyJSON {
		items = append(items, item{op: opNext})
		open += "\t"
	}
	items = append(items, item{lit: open + `"cnt"` + colon, op: opCount})
	kind := p.quoted("type", one(named("recordflags"), opEntry, 0, number(func(dst []byte, x uint64) []byte {
		if x&1 != 0 {
			return append(dst, "EVENT"...)
		}
		return append(dst, "FLOW"...)
	})))
	kind.absent = kind.pre + "FLOW" + kind.post
	return append(items, kind)
}

// covers notes the columns that f takes its values from and tells whether any is new.
func (w *work) covers(b *flow.Batch, f *ie.Field) bool {
	left, fresh := ^uint64(0), false
	for _, id := range f.Elements {
		col, _ := ie.Column(id)
		for i := range b.Cols {
			c := &b.Cols[i]
			if c.Key.ID != col || c.Key.Occ != 0 {
				continue
			}
			m := c.Shapes & left
			fresh = fresh || m&^w.shown[i] != 0
			w.shown[i] |= m
			left &^= m
		}
	}
	return fresh
}

// loose makes the item of a column that no field shows.
func (p *Printer) loose(w *work, b *flow.Batch, i int) (item, error) {
	c := &b.Cols[i]
	key := c.Key.ID.String()
	f, ok := ie.FieldByName(key)
	if !ok {
		f = &ie.Field{Kind: ie.Octets}
	}
	g := *f
	g.Name, g.Elements, g.Family = key, []ie.ID{c.Key.ID}, ie.AnyFamily
	if c.Key.Occ > 0 {
		key += "_" + strconv.Itoa(int(c.Key.Occ)+1)
	}
	it := p.jsonItem(key, &g)
	if c.Key.Occ > 0 {
		v, err := columnView(b, i)
		if err != nil {
			return it, err
		}
		w.views[viewKey{&g, it.scale}] = v
	}
	return it, nil
}

// columnView lays out a column that is not the first of its element.
func columnView(b *flow.Batch, i int) (flow.View, error) {
	vec, err := b.Vec(i)
	if err != nil {
		return flow.View{}, err
	}
	present, err := b.Presence(b.Cols[i].Shapes)
	if err != nil || present == nil {
		return flow.View{Vec: vec}, err
	}
	var col column.Builder
	col.Reset(vec.Kind)
	n := 0
	for r := range b.N {
		if present.Get(r) && n < vec.N {
			col.PutEntry(vec, vec.Entry(n))
			n++
			continue
		}
		switch vec.Kind {
		case column.Int:
			col.PutInt(0)
		case column.Addr:
			col.Put4(0)
		default:
			col.PutBytes(nil)
		}
	}
	return flow.View{Vec: col.Vec(), Present: present}, nil
}
