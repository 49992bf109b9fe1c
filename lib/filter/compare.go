package filter

import (
	"fmt"
	"math"
	"strings"

	"nfpipe/lib/ie"
)

type comparator uint8

const (
	equal comparator = iota
	unequal
	less
	atMost
	more
	atLeast
)

var comparators = map[string]comparator{"=": equal, "==": equal, "eq": equal, "!=": unequal, "ne": unequal, "<": less, "lt": less,
	"<=": atMost, "le": atMost, ">": more, "gt": more, ">=": atLeast, "ge": atLeast}

// relation is what stands between a field and its value.
type relation struct {
	token
	cmp     comparator
	list    bool // "in": values in brackets, or one without
	written bool // there was a comparator
	negated bool
}

// relation reads [ comparator | [ "not" ] "in" ].
func (p *parser) relation() (relation, error) {
	t, err := p.peek(0)
	if err != nil {
		return relation{}, err
	}
	r := relation{token: t}
	if t.is("not") {
		if next, err := p.peek(1); err == nil && next.is("in") {
			p.drop(2)
			r.list, r.negated = true, true
			return r, nil
		}
	}
	if t.is("in") {
		// "flowdir in" ends there, and means a value.
		if next, err := p.peek(1); err != nil || next.kind != tokEnd && !next.is(")") && !next.is("and") && !next.is("or") {
			p.drop(1)
			r.list = true
		}
		return r, nil
	}
	if t.kind == tokString {
		return r, nil
	}
	c, ok := comparators[strings.ToLower(t.text)]
	switch {
	case ok && (t.kind == tokOp || t.kind == tokWord):
		p.drop(1)
		r.cmp, r.written, r.negated = c, true, c == unequal
	case t.is("=>") || t.is("=<"):
		e := p.errorf(t, "unknown comparator %s", t)
		e.Hint = fmt.Sprintf("did you mean %q?", string([]byte{t.text[1], t.text[0]}))
		return r, e
	case t.is("<>"):
		e := p.errorf(t, "unknown comparator %s", t)
		e.Hint = `did you mean "!="?`
		return r, e
	}
	return r, nil
}

// finish applies the negation that a relation has.
func (r *relation) finish(n *node) *node {
	if r.negated {
		return not(n)
	}
	return n
}

// compare reads a relation and its value, by the kind of the fields of s.
func (p *parser) compare(s *subject) (*node, error) {
	for _, f := range s.fields {
		if err := p.usable(s, f); err != nil {
			return nil, err
		}
	}
	f := s.fields[0]
	switch f.Kind {
	case ie.Address:
		return p.compareAddrs(s)
	case ie.TCPFlags:
		return p.compareFlags(s)
	case ie.Text, ie.Octets:
		return p.compareBytes(s)
	}
	if e, ok := elementOf(f); ok && f.Kind != ie.MPLS && f.Kind != ie.ACL && e.Type.Class() == ie.Bytes {
		return p.compareBytes(s)
	}
	return p.compareInts(s)
}

func elementOf(f *ie.Field) (ie.Element, bool) {
	if len(f.Elements) == 0 {
		return ie.Element{}, false
	}
	return ie.Lookup(f.Elements[0])
}

// value reads one value, with what belongs to it but stands apart: "10.0.0.0 / 8", "80 - 90".
func (p *parser) value(what string) (token, error) {
	t, err := p.peek(0)
	if err != nil {
		return t, err
	}
	if t.kind != tokWord && t.kind != tokString {
		return t, p.errorf(t, "%s where %s should stand", t, what)
	}
	p.drop(1)
	if t.kind == tokString {
		return t, nil
	}
	for {
		next, err := p.peek(0)
		if err != nil || next.kind != tokWord {
			return t, nil // an error is found again by whoever needs the token
		}
		sign := next.text[0]
		open := strings.HasSuffix(t.text, "/") || strings.HasSuffix(t.text, "-")
		joins := sign == '/' || sign == '-' && len(next.text) == 1
		if !open && !joins {
			return t, nil
		}
		t.text += next.text
		t.end = next.end
		p.drop(1)
	}
}

// values calls f for the value, or for each of a list. Lists may be split over files.
func (p *parser) values(r *relation, what string, f func(token) error) error {
	open, err := p.peek(0)
	if err != nil {
		return err
	}
	if !r.list || !open.is("[") && !open.is("{") {
		t, err := p.value(what)
		if err != nil {
			return err
		}
		return f(t)
	}
	p.drop(1)
	end := "]"
	if open.text == "{" {
		end = "}"
	}
	return p.items(open, end, what, f)
}

// items reads values up to end, or up to the end of an included file.
func (p *parser) items(open token, end, what string, f func(token) error) error {
	for {
		t, err := p.peek(0)
		switch {
		case err != nil:
			return err
		case t.is(","):
			p.drop(1)
		case t.is("@include"):
			if err := p.include(t, func() error { return p.items(t, "", what, f) }); err != nil {
				return err
			}
		case t.kind == tokEnd && end == "":
			return nil
		case t.kind == tokEnd:
			return p.errorf(open, "the closing %s is missing", end)
		case end != "" && t.is(end):
			p.drop(1)
			return nil
		default:
			if t, err = p.value(what); err != nil {
				return err
			}
			if err := f(t); err != nil {
				return err
			}
		}
	}
}

// compareInts serves all that is stored as numbers.
func (p *parser) compareInts(s *subject) (*node, error) {
	r := p.readerOf(s.fields[0])
	rel, set, err := p.numbers(s, &r)
	if err != nil {
		return nil, err
	}
	return rel.finish(p.ints(s, set)), nil
}

// numbers reads a relation and the numbers as stored that it holds for.
func (p *parser) numbers(s *subject, r *reader) (relation, spans, error) {
	var set spans
	rel, err := p.relation()
	if err != nil {
		return rel, nil, err
	}
	if t, err := p.peek(0); err == nil && rel.list && t.is("nat") {
		return rel, nil, p.errorf(t, "\"%s in nat pblock\" is not supported yet", s.name(p))
	}
	err = p.values(&rel, r.what, func(t token) error {
		v, isRange, err := r.word(t)
		if err != nil {
			return p.valueError(s, r, t, err)
		}
		x := v.eq
		if rel.cmp != equal && rel.cmp != unequal {
			if isRange {
				return p.errorf(t, "a range can be compared with = and != only")
			}
			var some bool
			if x, some = r.side(rel.cmp, v); !some {
				return nil
			}
		}
		set = append(set, span{x.lo << r.shift, x.hi<<r.shift | (1<<r.shift - 1)})
		return nil
	})
	return rel, set, err
}

// valueError says which value is wrong; a missing one is told by the word that is there.
func (p *parser) valueError(s *subject, r *reader, t token, err error) error {
	e := p.errorf(t, "%v", err)
	if i := strings.Index(e.Msg, "; "); i >= 0 {
		e.Msg, e.Hint = e.Msg[:i], e.Msg[i+2:]
	}
	if t.kind == tokWord && (t.is("and") || t.is("or") || t.is("not")) {
		e.Msg = fmt.Sprintf("%s where %s should stand", t, r.what)
	} else if e.Hint == "" && !strings.Contains(e.Msg, "too ") {
		e.Hint = fmt.Sprintf("%q takes %s", s.name(p), r.what)
	}
	return e
}

// side is the numbers on one side of a value.
func (r *reader) side(c comparator, v value) (span, bool) {
	x := span{r.bottom, r.top}
	switch c {
	case less:
		if v.lo <= r.bottom {
			return x, false
		}
		x.hi = v.lo - 1
	case atMost:
		x.hi = v.hi
	case more:
		if v.hi >= r.top {
			return x, false
		}
		x.lo = v.hi + 1
	case atLeast:
		x.lo = v.lo
	}
	if r.shift > 0 {
		x.hi = min(x.hi, math.MaxUint64>>r.shift)
	}
	return x, x.lo <= x.hi
}

// word reads a value or a range of two, "80-90" or "80..90".
func (r *reader) word(t token) (v value, isRange bool, err error) {
	v, err = r.read(t.text)
	if err == nil {
		return v, false, err
	}
	var from, to string
	found := false
	if from, to, found = strings.Cut(t.text, ".."); !found && len(t.text) > 1 && !r.noRanges {
		if i := strings.IndexByte(t.text[1:], '-'); i >= 0 {
			from, to, found = t.text[:i+1], t.text[i+2:], true
		}
	}
	if !found {
		return v, false, err
	}
	a, err1 := r.read(from)
	b, err2 := r.read(to)
	switch {
	case err1 != nil && err2 != nil:
		return v, false, err
	case err1 != nil:
		return v, false, err1
	case err2 != nil:
		return v, false, err2
	case a.eq.lo > b.eq.hi:
		return v, false, fmt.Errorf("the range %s is upside down", t.text)
	}
	return value{eq: span{a.eq.lo, b.eq.hi}}, true, nil
}

// ints makes the tests of fields that are in set. ICMP types and codes imply the protocol,
// since exporters send element 32 as 0 with everything else.
func (p *parser) ints(s *subject, set spans) *node {
	set = normal(set)
	n := p.each(s, func(f *ie.Field) *test {
		switch f.Kind {
		case ie.MPLS:
			return &test{form: onBytes, match: func(b []byte) bool {
				x, ok := bigEndian(b)
				return ok && set.has(x)
			}}
		case ie.ACL:
			return &test{form: onBytes, match: func(b []byte) bool { return anyWord(b, set) }}
		}
		return &test{form: onInts, mask: allBits, set: set, absent: f.Kind == ie.FlowCount && set.has(1)}
	})
	if f := s.fields[0]; f.Name == "icmptype" || f.Name == "icmpcode" {
		return join(opAnd, p.protoIs(s, 1, 58), n)
	}
	return n
}

// protoIs is the test for protocols that other words imply.
func (p *parser) protoIs(s *subject, numbers ...uint64) *node {
	implied := &subject{at: s.at}
	if err := implied.addField("proto"); err != nil {
		panic("filter: " + err.Error()) // the table of fields always has it
	}
	var set spans
	for _, n := range numbers {
		set = append(set, span{n, n})
	}
	return p.ints(implied, set)
}

// bigEndian reads a number of up to eight octets.
func bigEndian(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	x := uint64(0)
	for _, c := range b {
		x = x<<8 | uint64(c)
	}
	return x, true
}

// anyWord tells whether one of the 32-bit words is in set.
func anyWord(b []byte, set spans) bool {
	for ; len(b) >= 4; b = b[4:] {
		if x, _ := bigEndian(b[:4]); set.has(x) {
			return true
		}
	}
	return false
}
