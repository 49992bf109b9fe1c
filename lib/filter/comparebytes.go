package filter

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"strings"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

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
