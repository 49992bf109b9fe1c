package filter

import (
	"strings"

	"nfpipe/lib/ie"
)

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
