package aggregate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// maxColumns bounds the columns of a key: two bits each tell a class of groups.
const maxColumns = 31

// Key is one field of a group's key. Addresses are cut to Prefix4 or Prefix6 bits, by their
// family; -1 keeps them whole.
type Key struct {
	Field            *ie.Field
	Prefix4, Prefix6 int
}

// String is the key as ParseKeys reads it.
func (k Key) String() string {
	n := k.Prefix4
	if k.Field.Family == ie.IPv6 || k.Prefix6 > n {
		n = k.Prefix6
	}
	if n < 0 {
		return k.Field.Name
	}
	return k.Field.Name + "/" + strconv.Itoa(n)
}

// Tuple is the key of nfdump's -a: addresses, ports, protocol. ICMP type and code are part of
// it, as nfdump has them in the destination port.
func Tuple() []Key {
	keys := make([]Key, 0, 7)
	for _, name := range []string{"srcip", "dstip", "srcport", "dstport", "proto", "icmptype", "icmpcode"} {
		keys = append(keys, whole(named(name)))
	}
	return keys
}

func whole(f *ie.Field) Key { return Key{Field: f, Prefix4: -1, Prefix6: -1} }

// named is a look-up of a name that the table of fields surely has.
func named(name string) *ie.Field {
	f, ok := ie.FieldByName(name)
	if !ok {
		panic("aggregate: no field " + name)
	}
	return f
}

// ParseKeys reads a list of fields, "srcip4/24,dstport": the key of nfdump's -A. An address
// may have a prefix length; srcip/24 applies it to both families.
func ParseKeys(list string) ([]Key, error) {
	if strings.TrimSpace(list) == "" {
		return nil, fmt.Errorf("no fields to aggregate by: write a list like srcip,dstport")
	}
	var keys []Key
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			return nil, fmt.Errorf("a field is missing in %q", list)
		}
		k, err := parseKey(word)
		if err != nil {
			return nil, err
		}
		if len(k.Field.Either) > 0 {
			if k.Field.Name != "tos" { // nfdump's -A tos is the source's
				return nil, fmt.Errorf("%s stands for %s, any of which may match: write those that you mean, or rank by -s %s",
					k.Field.Name, strings.Join(k.Field.Either, " and "), k.Field.Name)
			}
			k.Field = named(k.Field.Either[0])
		}
		if slices.ContainsFunc(keys, func(o Key) bool { return o.Field == k.Field || o.Field.Name == k.Field.Name }) {
			return nil, fmt.Errorf("%s stands twice in %q", k.Field.Name, list)
		}
		keys = append(keys, k)
	}
	_, err := compile(keys)
	return keys, err
}

// parseKey reads "field" or "field/prefix". Elements without a name are "enterprise/number",
// so that a word that begins with a digit has one slash more.
func parseKey(word string) (Key, error) {
	name, prefix, has := word, "", false
	slash := 0
	if word[0] >= '0' && word[0] <= '9' {
		slash = strings.IndexByte(word, '/') + 1
	}
	if i := strings.IndexByte(word[slash:], '/'); i >= 0 {
		name, prefix, has = word[:slash+i], word[slash+i+1:], true
	}
	f, ok := ie.FieldByName(name)
	if !ok {
		return Key{}, fmt.Errorf("unknown field %q%s", name, suggest(name))
	}
	k := whole(f)
	if !has {
		return k, nil
	}
	if f.Kind != ie.Address {
		hint := ""
		if f.Kind == ie.Network {
			hint = ": it uses the prefix length of the record"
		}
		return k, fmt.Errorf("%s takes no prefix length%s", f.Name, hint)
	}
	limit := 128
	if f.Family == ie.IPv4 {
		limit = 32
	}
	n, err := strconv.Atoi(prefix)
	if err != nil || n < 0 || n > limit {
		return k, fmt.Errorf("%q: the prefix length of %s is a number from 0 to %d", word, f.Name, limit)
	}
	if f.Family != ie.IPv6 && n < 32 {
		k.Prefix4 = n
	}
	if f.Family != ie.IPv4 && n < 128 {
		k.Prefix6 = n
	}
	return k, nil
}

// source is one column of a table's key: where its values come from, and the element that
// they are given out as.
type source struct {
	fields  []*ie.Field // several: a record counts under each
	mask    *ie.Field   // srcnet: the address is cut to this field's length
	prefix4 int
	prefix6 int
	kind    column.Kind
	bits    uint   // width of an ordinary number
	v4, v6  ie.ID  // elements of the output; equal if there is no pair
	name    string // for messages
}

// compile turns keys into columns.
func compile(keys []Key) ([]source, error) {
	var out []source
	for _, k := range keys {
		var parts []source
		var err error
		switch {
		case k.Field.Kind == ie.Network:
			addr, length := named(k.Field.From[0]), named(k.Field.From[1])
			var a, l source
			if a, err = newSource(whole(addr), []*ie.Field{addr}); err == nil {
				l, err = newSource(whole(length), []*ie.Field{length})
			}
			a.mask = length
			parts = []source{a, l}
		case len(k.Field.Either) > 0:
			var either []*ie.Field
			for _, name := range k.Field.Either {
				either = append(either, named(name))
			}
			parts = make([]source, 1)
			parts[0], err = newSource(Key{either[0], k.Prefix4, k.Prefix6}, either)
		default:
			parts = make([]source, 1)
			parts[0], err = newSource(k, []*ie.Field{k.Field})
		}
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			if out, err = addSource(out, p); err != nil {
				return nil, err
			}
		}
	}
	if len(out) > maxColumns {
		return nil, fmt.Errorf("a key of %d columns: %d is the most", len(out), maxColumns)
	}
	return out, nil
}

// addSource appends s. The two families of one address, each with a prefix length, are one
// column; other fields that would be given out as the same element are refused.
func addSource(out []source, s source) ([]source, error) {
	for i := range out {
		o := &out[i]
		if o.v4 != s.v4 || o.v6 != s.v6 {
			continue
		}
		f, g := o.fields[0], s.fields[0]
		if f.Kind == ie.Address && f.Family != g.Family && f.Family != ie.AnyFamily && g.Family != ie.AnyFamily {
			if f.Family == ie.IPv4 {
				o.prefix6 = s.prefix6
			} else {
				o.prefix4 = s.prefix4
			}
			o.fields = []*ie.Field{anyFamily(f)}
			return out, nil
		}
		return nil, fmt.Errorf("%s and %s are the same value of a record: keep one", o.name, s.name)
	}
	return append(out, s), nil
}

// anyFamily is the field of both families that f is one family of.
func anyFamily(f *ie.Field) *ie.Field {
	fields := ie.Fields()
	for i := range fields {
		g := &fields[i]
		if g.Kind == ie.Address && g.Family == ie.AnyFamily && len(g.Elements) > 0 && g.Elements[0] == f.Elements[0] {
			return g
		}
	}
	both := *f
	both.Family = ie.AnyFamily
	return &both
}

func newSource(k Key, fields []*ie.Field) (source, error) {
	f := k.Field
	s := source{fields: fields, prefix4: k.Prefix4, prefix6: k.Prefix6, name: f.Name, bits: 64}
	for _, g := range fields {
		if g.Derived || len(g.Elements) == 0 {
			return s, fmt.Errorf("%s cannot be a key: %s", g.Name, whyNot(g))
		}
		switch g.Kind {
		case ie.Counter, ie.FlowCount:
			return s, fmt.Errorf("%s cannot be a key: it is what a group sums up; order by it with -O %s", g.Name, g.Name)
		}
	}
	s.v4 = f.Elements[0]
	s.v6 = s.v4
	if s.v4 == 156 || s.v4 == 157 {
		return s, fmt.Errorf("%s cannot be a key: a group has its own start and end", f.Name)
	}
	if m := ie.Members(s.v4); len(m) == 2 && ie.IsPair(s.v4) {
		s.v6 = m[1]
	}
	if s.kind = flow.KindOf(s.v4); s.kind == column.Bytes {
		s.bits = 32 // numbers given out by the table
		return s, nil
	}
	s.bits = 0
	for _, g := range fields {
		for _, id := range g.Elements {
			if e, ok := ie.Lookup(id); ok {
				switch e.Type.Class() {
				case ie.Uint:
					s.bits = max(s.bits, 8*uint(e.Type.Size()))
				case ie.Int, ie.Float, ie.Time:
					s.bits = 64
				}
			}
		}
		if _, n := g.Part(32); n > 0 {
			s.bits = uint(n)
		}
	}
	if s.bits == 0 {
		s.bits = 64
	}
	return s, nil
}

func whyNot(f *ie.Field) string {
	switch {
	case len(f.From) == 0:
		return "it is no value of a record"
	case f.Kind == ie.Resolved:
		return "it is looked up when records are shown; aggregate by " + strings.Join(f.From, ",")
	case f.Kind == ie.AddressPort:
		return "write its parts, " + strings.Join(f.From, ",")
	}
	return "it is computed from " + strings.Join(f.From, ", ")
}
