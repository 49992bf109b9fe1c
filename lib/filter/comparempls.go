package filter

import (
	"fmt"
	"strconv"
	"strings"

	"nfpipe/lib/ie"
)

// mpls reads "mpls labelN comp V", "mpls expN comp V", "mpls any comp V", "mpls eos comp V";
// labels count from 1, the top of the stack.
func (p *parser) mpls(s *subject) (*node, error) {
	t, err := p.peek(0)
	if err != nil {
		return nil, err
	}
	if t.kind != tokWord || t.text[0] >= '0' && t.text[0] <= '9' || comparators[strings.ToLower(t.text)] != equal || t.is("in") || t.is("not") || t.is("eq") {
		return p.compare(s)
	}
	word := strings.ToLower(t.text)
	switch word {
	case "any":
		p.drop(1)
		return p.compare(s)
	case "eos":
		p.drop(1)
		s.at.end = t.end
		return p.mplsBottom(s)
	}
	digits, isLabel := strings.CutPrefix(word, "label")
	if !isLabel {
		var isExp bool
		if digits, isExp = strings.CutPrefix(word, "exp"); !isExp {
			e := p.errorf(t, "unknown word %s behind \"mpls\"", t)
			e.Hint = "known are label1 to label10, exp1 to exp10, eos, any"
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
	r := reader{what: "a number", top: 7, read: func(s string) (value, error) {
		v, err := number(s, 7)
		if err != nil {
			err = fmt.Errorf("%q is not between 0 and 7", s)
		}
		return v, err
	}}
	return p.entries(s, &r, func(x uint64, set spans) bool { return set.has(x >> 1 & 7) })
}

// mplsBottom compares the label of the entry that says that it is the last: its bit 0 is set.
func (p *parser) mplsBottom(s *subject) (*node, error) {
	r := p.readerOf(s.fields[0])
	return p.entries(s, &r, func(x uint64, set spans) bool { return x&1 != 0 && set.has(x) })
}

// entries reads a comparison of label stack entries, which match says how to make.
func (p *parser) entries(s *subject, r *reader, match func(x uint64, set spans) bool) (*node, error) {
	rel, set, err := p.numbers(s, r)
	if err != nil {
		return nil, err
	}
	set = normal(set)
	return rel.finish(p.each(s, func(*ie.Field) *test {
		return &test{form: onBytes, match: func(b []byte) bool {
			x, ok := bigEndian(b)
			return ok && match(x, set)
		}}
	})), nil
}
