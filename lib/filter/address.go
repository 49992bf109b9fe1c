package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"nfpipe/lib/column"
)

// span6 is the IPv6 addresses from lo to hi, both included.
type span6 struct{ lo, hi column.V6 }

// addrs is a set of addresses. Both lists are ascending and apart.
type addrs struct {
	v4 spans
	v6 []span6
}

var every4 = spans{{0, 1<<32 - 1}}
var every6 = []span6{{hi: column.V6{Hi: ^uint64(0), Lo: ^uint64(0)}}}

func v6Of(a netip.Addr) column.V6 {
	b := a.As16()
	return column.V6{Hi: binary.BigEndian.Uint64(b[:]), Lo: binary.BigEndian.Uint64(b[8:])}
}

func v4Of(a netip.Addr) uint64 {
	b := a.As4()
	return uint64(binary.BigEndian.Uint32(b[:]))
}

// addPrefix adds the addresses that share the first n bits of a.
func (s *addrs) addPrefix(a netip.Addr, n int) {
	if a.Is4() {
		x, host := v4Of(a), uint64(1)<<(32-n)-1
		s.v4 = append(s.v4, span{x &^ host, x | host})
		return
	}
	x := v6Of(a)
	var host column.V6
	if n < 64 {
		host = column.V6{Hi: ^uint64(0) >> n, Lo: ^uint64(0)}
	} else {
		host.Lo = ^uint64(0) >> (n - 64)
	}
	s.v6 = append(s.v6, span6{column.V6{Hi: x.Hi &^ host.Hi, Lo: x.Lo &^ host.Lo}, column.V6{Hi: x.Hi | host.Hi, Lo: x.Lo | host.Lo}})
}

// addRange adds the addresses from a to b, of one family.
func (s *addrs) addRange(a, b netip.Addr) {
	if a.Is4() {
		s.v4 = append(s.v4, span{v4Of(a), v4Of(b)})
	} else {
		s.v6 = append(s.v6, span6{v6Of(a), v6Of(b)})
	}
}

// normal sorts and joins.
func (s *addrs) normal() {
	s.v4 = normal(s.v4)
	slices.SortFunc(s.v6, func(a, b span6) int { return a.lo.Compare(b.lo) })
	out := s.v6[:0]
	for _, x := range s.v6 {
		if n := len(out); n > 0 && x.lo.Compare(after(out[n-1].hi)) <= 0 {
			if x.hi.Compare(out[n-1].hi) > 0 {
				out[n-1].hi = x.hi
			}
			continue
		}
		out = append(out, x)
	}
	s.v6 = out
}

// after is the next address, or the last one again.
func after(a column.V6) column.V6 {
	if a.Lo++; a.Lo == 0 {
		if a.Hi++; a.Hi == 0 {
			return column.V6{Hi: ^uint64(0), Lo: ^uint64(0)}
		}
	}
	return a
}

func (s *addrs) find6(x column.V6) int {
	lo, hi := 0, len(s.v6)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if s.v6[m].hi.Compare(x) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

func (s *addrs) has6(x column.V6) bool {
	i := s.find6(x)
	return i < len(s.v6) && s.v6[i].lo.Compare(x) <= 0
}

// within says what is known about addresses between two bounds; IPv4 sorts before IPv6.
func (s *addrs) within(lo, hi column.Bound) Match {
	m4, m6 := None, None
	if !lo.Is6 {
		top := hi.Lo
		if hi.Is6 {
			top = 1<<32 - 1
		}
		m4 = s.v4.within(lo.Lo, top)
	}
	if hi.Is6 {
		var a column.V6
		if lo.Is6 {
			a = column.V6{Hi: lo.Hi, Lo: lo.Lo}
		}
		b := column.V6{Hi: hi.Hi, Lo: hi.Lo}
		if i := s.find6(a); i < len(s.v6) && s.v6[i].lo.Compare(b) <= 0 {
			m6 = Some
			if s.v6[i].lo.Compare(a) <= 0 && s.v6[i].hi.Compare(b) >= 0 {
				m6 = All
			}
		}
	}
	switch {
	case !hi.Is6:
		return m4
	case lo.Is6:
		return m6
	case m4 == m6:
		return m4
	}
	return Some
}

// parsePrefix reads an address, a prefix, or the leading octets of an IPv4 address: "10/8",
// "172.16/12". Without a length bits is that of the octets written. full tells that the
// address was written in full.
func parsePrefix(s string) (a netip.Addr, bits int, full bool, err error) {
	addr, length, cut := strings.Cut(s, "/")
	full = true
	if a, err = netip.ParseAddr(addr); err != nil {
		if a, bits, err = partial4(addr); err != nil {
			return
		}
		full = false
	} else {
		bits = a.BitLen()
	}
	if a.Zone() != "" {
		return a, 0, full, fmt.Errorf("an address with a zone cannot be in a flow record")
	}
	if !cut {
		return
	}
	n, err := strconv.ParseUint(length, 10, 8)
	if err != nil || int(n) > a.BitLen() {
		return a, 0, full, fmt.Errorf("prefix length %q is not between 0 and %d", length, a.BitLen())
	}
	return a, int(n), full, nil
}

// partial4 reads one to three octets.
func partial4(s string) (netip.Addr, int, error) {
	octets := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(octets) > 3 {
		return netip.Addr{}, 0, fmt.Errorf("%q is not an address", s)
	}
	var b [4]byte
	for i, o := range octets {
		n, err := strconv.ParseUint(o, 10, 8)
		if err != nil {
			return netip.Addr{}, 0, fmt.Errorf("%q is not an address", s)
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b), 8 * len(octets), nil
}

// maskBits is the prefix length of a net mask.
func maskBits(m netip.Addr) (int, bool) {
	x := ^uint32(v4Of(m))
	if x&(x+1) != 0 {
		return 0, false
	}
	n := 32
	for ; x != 0; x >>= 1 {
		n--
	}
	return n, true
}
