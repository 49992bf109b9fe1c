package filter

import (
	"fmt"
	"net/netip"
	"strings"

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
