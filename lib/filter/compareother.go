package filter

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// net reads "net PREFIX" and "net ADDRESS MASK".
func (p *parser) net(s *subject) (*node, error) { return p.addresses(s, true) }

func (p *parser) compareAddrs(s *subject) (*node, error) { return p.addresses(s, false) }

func (p *parser) addresses(s *subject, net bool) (*node, error) {
	const what = "an address or prefix"
	rel, err := p.relation()
	if err != nil {
		return nil, err
	}
	if rel.written && rel.cmp != equal && rel.cmp != unequal {
		return nil, p.errorf(rel.token, `addresses compare with "=", "!=" and "in" only`)
	}
	var set addrs
	err = p.values(&rel, what, func(t token) error {
		if net && !rel.list {
			if done, err := p.masked(t, &set); done || err != nil {
				return err
			}
		}
		return p.address(t, net, &set)
	})
	if err != nil {
		return nil, err
	}
	set.normal()
	return rel.finish(p.each(s, func(f *ie.Field) *test {
		return &test{form: onAddrs, ips: ofFamily(set, f.Family)}
	})), nil
}

// masked reads the mask behind an IPv4 address, if there is one.
func (p *parser) masked(t token, set *addrs) (bool, error) {
	a, err := netip.ParseAddr(t.text)
	if err != nil || !a.Is4() {
		return false, nil
	}
	next, err := p.peek(0)
	if err != nil || next.kind != tokWord {
		return false, nil
	}
	m, err := netip.ParseAddr(next.text)
	if err != nil || !m.Is4() {
		return false, nil
	}
	n, ok := maskBits(m)
	if !ok {
		return true, p.errorf(next, "%s is no mask: its ones are not in front", next.text)
	}
	p.drop(1)
	set.addPrefix(a, n)
	return true, nil
}

// address adds what one word means: an address, a prefix, a range, or a host by name.
func (p *parser) address(t token, net bool, set *addrs) error {
	if t.kind == tokWord {
		if from, to, ok := strings.Cut(t.text, "-"); ok {
			a, err1 := netip.ParseAddr(from)
			b, err2 := netip.ParseAddr(to)
			if err1 == nil && err2 == nil {
				if a.BitLen() != b.BitLen() || b.Less(a) {
					return p.errorf(t, "the range %s is upside down", t.text)
				}
				set.addRange(a, b)
				return nil
			}
		}
	}
	a, bits, full, err := parsePrefix(t.text)
	switch {
	case err == nil && (full || net || strings.Contains(t.text, "/")):
		set.addPrefix(a, bits)
		return nil
	case err == nil:
		e := p.errorf(t, "%s is part of an address", t.text)
		e.Hint = fmt.Sprintf("did you mean \"net %s/%d\"?", t.text, bits)
		return e
	case strings.Trim(t.text, "0123456789./") == "" || strings.ContainsAny(t.text, ":/"):
		return p.errorf(t, "%v", err)
	case t.kind == tokWord && (t.is("and") || t.is("or") || t.is("not")):
		return p.errorf(t, "%s where an address or prefix should stand", t)
	case p.o.Resolve == nil:
		return p.errorf(t, "%s is not an address, and host names cannot be looked up here", t)
	}
	hosts, err := p.o.Resolve(t.text)
	if err != nil {
		return p.errorf(t, "host %s: %v", t.text, err)
	}
	if len(hosts) == 0 {
		return p.errorf(t, "host %s has no address", t.text)
	}
	for _, a := range hosts {
		a = a.WithZone("").Unmap() // resolvers give IPv4 addresses in either form
		set.addPrefix(a, a.BitLen())
	}
	return nil
}

// flagLetters are the TCP flags from the lowest bit up.
const flagLetters = "FSRPAUEC"

// letters reads flags written as letters in any order; X means all.
func letters(s string) (uint64, bool) {
	bits := uint64(0)
	for i := range len(s) {
		c := s[i] &^ 0x20
		switch n := strings.IndexByte(flagLetters, c); {
		case c == 'X':
			bits |= 0xff
		case n >= 0:
			bits |= 1 << n
		default:
			return 0, false
		}
	}
	return bits, s != ""
}

// compareFlags reads "flags SA" (these and perhaps others), "flags = SA" (exactly these),
// "flags S/SA" (of S and A just S), and comparisons of the number. Letters imply TCP.
func (p *parser) compareFlags(s *subject) (*node, error) {
	rel, err := p.relation()
	if err != nil {
		return nil, err
	}
	r := reader{what: "flags such as SA or a number", top: allBits, read: func(s string) (value, error) { return number(s, 1<<16-1) }}
	var kids []*node
	tcp := false
	err = p.values(&rel, r.what, func(t token) error {
		if want, mask, ok := flagMask(t.text, rel.written || rel.list); ok {
			if rel.cmp != equal && rel.cmp != unequal {
				return p.errorf(rel.token, `flags in letters compare with "=", "!=" and "in" only`)
			}
			tcp = true
			kids = append(kids, p.each(s, func(*ie.Field) *test {
				return &test{form: onInts, mask: mask, set: spans{{want, want}}}
			}))
			return nil
		}
		v, isRange, err := r.word(t)
		if err != nil {
			e := p.errorf(t, "%s is neither a number nor made of the letters F S R P A U E C X", t)
			return e
		}
		x, some := v.eq, true
		if rel.cmp != equal && rel.cmp != unequal {
			if isRange {
				return p.errorf(t, "a range can be compared with = and != only")
			}
			x, some = r.side(rel.cmp, v)
		}
		var set spans
		if some {
			set = spans{x}
		}
		kids = append(kids, p.ints(s, set))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(kids) == 0 {
		return rel.finish(p.ints(s, nil)), nil
	}
	n := join(opOr, kids...)
	if tcp {
		n = join(opAnd, p.protoIs(s, 6), n)
	}
	return rel.finish(n), nil
}

// flagMask reads letters, or letters/letters; exact asks for the flags that have letters and
// are not named to be clear.
func flagMask(s string, exact bool) (want, mask uint64, ok bool) {
	high, all, cut := strings.Cut(s, "/")
	if want, ok = letters(high); !ok && !(cut && high == "") {
		return 0, 0, false
	}
	switch {
	case cut:
		mask, ok = letters(all)
		return want, mask, ok && want&^mask == 0
	case exact:
		return want, 0xff, true
	}
	return want, want, true
}

// compareBytes serves strings and octets. Values are words, quoted strings, or for octets 0x
// and hexadecimal digits.
func (p *parser) compareBytes(s *subject) (*node, error) {
	what := "a string"
	if s.fields[0].Kind != ie.Text {
		what = "a string or octets such as 0x0a0b"
	}
	first, err := p.peek(0)
	if err != nil {
		return nil, err
	}
	var rel relation
	next, err := p.peek(1)
	// A string may well be spelled "in", or "lt".
	_, word := comparators[strings.ToLower(first.text)]
	if first.kind == tokOp || err == nil && (next.kind == tokString || next.is("[") || next.is("{") || next.is("in") ||
		word && next.kind == tokWord && !next.is("and") && !next.is("or")) {
		if rel, err = p.relation(); err != nil {
			return nil, err
		}
	}
	if rel.cmp != equal && rel.cmp != unequal {
		return nil, p.errorf(rel.token, `strings compare with "=", "!=" and "in" only`)
	}
	if e, ok := elementOf(s.fields[0]); ok && e.Type.IsList() {
		return nil, p.errorf(s.at, "%q is a list, which can only be tested with \"defined\"", s.name(p))
	}
	set := map[string]struct{}{}
	err = p.values(&rel, what, func(t token) error {
		v := t.text
		if t.kind == tokWord && s.fields[0].Kind != ie.Text && len(v) > 2 && strings.EqualFold(v[:2], "0x") {
			b, err := hex.DecodeString(v[2:])
			if err != nil {
				return p.errorf(t, "%s is not made of pairs of hexadecimal digits", t)
			}
			v = string(b)
		}
		set[v] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	prefixes := []column.Bound{}
	for v := range set {
		prefixes = append(prefixes, column.PrefixBound([]byte(v), false))
	}
	return rel.finish(p.each(s, func(*ie.Field) *test {
		return &test{form: onBytes, prefixes: prefixes, match: func(b []byte) bool {
			_, ok := set[string(b)]
			return ok
		}}
	})), nil
}

// content reads "payload content STRING".
func (p *parser) content(s *subject) (*node, error) {
	t, err := p.value("a string")
	if err != nil {
		return nil, err
	}
	part := []byte(t.text)
	return p.each(s, func(*ie.Field) *test {
		return &test{form: onBytes, slow: true, match: func(b []byte) bool { return bytes.Contains(b, part) }}
	}), nil
}

// regex reads "payload regex STRING".
func (p *parser) regex(s *subject) (*node, error) {
	t, err := p.value("a regular expression")
	if err != nil {
		return nil, err
	}
	expr := t.text
	// Flags behind it, as in nfdump; i is the one that both have.
	if next, err := p.peek(0); err == nil && next.is("i") {
		p.drop(1)
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, p.errorf(t, "%v", err)
	}
	return p.each(s, func(*ie.Field) *test { return &test{form: onBytes, slow: true, match: re.Match} }), nil
}

// mpls reads "mpls labelN comp V", "mpls expN comp V", "mpls any comp V"; labels count from 1,
// the top of the stack.
func (p *parser) mpls(s *subject) (*node, error) {
	t, err := p.peek(0)
	if err != nil {
		return nil, err
	}
	if t.kind != tokWord || t.text[0] >= '0' && t.text[0] <= '9' || comparators[strings.ToLower(t.text)] != equal || t.is("in") || t.is("not") || t.is("eq") {
		return p.compare(s)
	}
	word := strings.ToLower(t.text)
	if word == "any" {
		p.drop(1)
		return p.compare(s)
	}
	digits, isLabel := strings.CutPrefix(word, "label")
	if !isLabel {
		var isExp bool
		if digits, isExp = strings.CutPrefix(word, "exp"); !isExp {
			e := p.errorf(t, "unknown word %s behind \"mpls\"", t)
			e.Hint = "known are label1 to label10, exp1 to exp10, any"
			return nil, e
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > 10 {
		e := p.errorf(t, "%s is no entry of the label stack", t)
		e.Hint = "entries count from 1, the top, to 10"
		return nil, e
	}
	p.drop(1)
	s = &subject{at: token{kind: tokWord, pos: s.at.pos, end: t.end}}
	if err := s.addField("mpls" + digits); err != nil {
		return nil, p.errorf(t, "%v", err)
	}
	if isLabel {
		return p.compare(s)
	}
	return p.mplsExp(s)
}

// mplsExp compares bits 1 to 3 of a label stack entry.
func (p *parser) mplsExp(s *subject) (*node, error) {
	r := reader{what: "a number", top: 7, read: func(s string) (value, error) { return number(s, 7) }}
	rel, err := p.relation()
	if err != nil {
		return nil, err
	}
	var set spans
	err = p.values(&rel, r.what, func(t token) error {
		v, isRange, err := r.word(t)
		if err != nil || isRange && rel.cmp != equal && rel.cmp != unequal {
			return p.valueError(s, &r, t, fmt.Errorf("%q is not between 0 and 7", t.text))
		}
		x, some := v.eq, true
		if rel.cmp != equal && rel.cmp != unequal {
			x, some = r.side(rel.cmp, v)
		}
		if some {
			set = append(set, x)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	set = normal(set)
	return rel.finish(p.each(s, func(*ie.Field) *test {
		return &test{form: onBytes, match: func(b []byte) bool {
			x, ok := bigEndian(b)
			return ok && set.has(x>>1&7)
		}}
	})), nil
}
