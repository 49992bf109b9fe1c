package main

import (
	"encoding/binary"
	"net/netip"
)

// prefix is a route of the modelled provider edge, with what the router derives from it.
type prefix struct {
	net     netip.Prefix
	as      uint32
	iface   uint32
	nextHop netip.Addr
}

type host struct {
	addr   netip.Addr
	prefix int32
}

// population is a set of hosts and how busy each is.
type population struct {
	hosts []host
	pick  sampler
}

func (p *population) draw(r *random) host { return p.hosts[p.pick.draw(r)] }

// network is the edge of a provider: customers in private space (IPv4) and documentation space (IPv6) on one
// side, the rest of the internet behind transit and peering interfaces on the other.
type network struct {
	prefixes []prefix
	customer [2][2]int // family → first and last+1 of the customers' prefixes
	outside  [2][2]int

	clients, servers   [2]population // of customers, by family
	internet, visitors [2]population // servers outside; clients outside
	resolvers          [2]population // DNS servers of customers and well-known ones
	scanners           population
}

const (
	customers     = 64
	firstCustomer = 101 // interface of the first customer
	uplinks       = 8
)

func newNetwork(r *random) *network {
	n := &network{}
	n.addCustomerPrefixes(r)
	n.addOutsidePrefixes(r)
	for v6 := range 2 {
		inner, outer := n.customer[v6], n.outside[v6]
		scale := 4 - 3*v6 // there are fewer IPv6 hosts
		n.clients[v6] = n.populate(r, 25_000*scale, 0.95, 30, inner)
		n.servers[v6] = n.populate(r, 800*scale, 1.0, 3, inner)
		n.internet[v6] = n.populate(r, 90_000*scale, 1.05, 4, outer)
		n.visitors[v6] = n.populate(r, 100_000*scale, 0.8, 100, outer)
		n.resolvers[v6] = n.populate(r, 6_000, 1.0, 1, outer)
		for i := range 40 {
			n.resolvers[v6].hosts[i] = n.servers[v6].hosts[i*9]
		}
	}
	n.scanners = n.populate(r, 500, 1.0, 2, n.outside[0])
	// 10.0.0.0/24 is a server farm: a hundred of the customers' servers are in it.
	farm := n.servers[0].hosts
	for i := range 100 {
		farm[2+i*5] = host{netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i*2)}), int32(n.customer[0][0])}
	}
	return n
}

func (n *network) addCustomerPrefixes(r *random) {
	add := func(v6, count int) {
		n.customer[v6][0] = len(n.prefixes)
		for i := range count {
			c := i % customers
			p := prefix{as: uint32(64512 + c), iface: uint32(firstCustomer + c)}
			if v6 == 0 {
				p.net = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(c), byte(i / customers), 0}), 24)
				p.nextHop = netip.AddrFrom4([4]byte{172, 16, byte(c), 2})
			} else {
				a := [16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(c), byte(r.below(4)), byte(i / customers)}
				p.net = netip.PrefixFrom(netip.AddrFrom16(a), 64)
				p.nextHop = netip.AddrFrom16([16]byte{0xfe, 0x80, 8: 2, 15: byte(c)})
			}
			n.prefixes = append(n.prefixes, p)
		}
		n.customer[v6][1] = len(n.prefixes)
	}
	add(0, 400)
	add(1, 250)
}

func (n *network) addOutsidePrefixes(r *random) {
	type system struct{ number, iface, peer uint32 }
	systems := make([]system, 12_000)
	for i := range systems {
		up := r.below(uplinks)
		systems[i] = system{uint32(r.between(2, 64_000)), uint32(1 + up), uint32(up*6 + r.below(6))}
		if r.chance(300) {
			systems[i].number = uint32(r.between(131_072, 400_000))
		}
	}
	owner := zipf(len(systems), 0.8, 5)
	add := func(v6, count int, lengths []int) {
		n.outside[v6][0] = len(n.prefixes)
		for range count {
			s := systems[owner.draw(r)]
			p := prefix{as: s.number, iface: s.iface}
			var a netip.Addr
			if v6 == 0 {
				a = publicIPv4(r)
				p.nextHop = netip.AddrFrom4([4]byte{172, 31, byte(s.iface), byte(1 + s.peer)})
			} else {
				var b [16]byte
				binary.BigEndian.PutUint64(b[:], 0x2400_0000_0000_0000+r.next()>>6)
				a = netip.AddrFrom16(b)
				p.nextHop = netip.AddrFrom16([16]byte{0xfe, 0x80, 8: 1, 14: byte(s.iface), 15: byte(s.peer)})
			}
			p.net = netip.PrefixFrom(a, lengths[r.below(len(lengths))]).Masked()
			n.prefixes = append(n.prefixes, p)
		}
		n.outside[v6][1] = len(n.prefixes)
	}
	add(0, 40_000, []int{24, 24, 24, 24, 24, 24, 24, 24, 24, 23, 22, 22, 22, 21, 20, 20, 19, 18, 16, 15})
	add(1, 9_000, []int{48, 48, 48, 48, 44, 40, 36, 32, 32, 29})
}

func publicIPv4(r *random) netip.Addr {
	for {
		v := uint32(r.next())
		a := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		if first := v >> 24; first == 0 || first >= 224 || a.IsPrivate() || a.IsLoopback() {
			continue
		}
		return a
	}
}

// populate puts hosts into random prefixes of the range and gives host i the weight of a Zipf distribution.
func (n *network) populate(r *random, count int, exponent, shift float64, within [2]int) population {
	p := population{make([]host, count), zipf(count, exponent, shift)}
	// Prefixes are not equally full.
	choose := zipf(within[1]-within[0], 0.6, 20)
	for i := range p.hosts {
		at := within[0] + choose.draw(r)
		p.hosts[i] = host{n.randomHost(r, at), int32(at)}
	}
	return p
}

func (n *network) randomHost(r *random, at int) netip.Addr {
	net := n.prefixes[at].net
	if net.Addr().Is4() {
		b := net.Addr().As4()
		v := binary.BigEndian.Uint32(b[:]) | uint32(r.next())>>net.Bits()
		binary.BigEndian.PutUint32(b[:], v)
		return netip.AddrFrom4(b)
	}
	b := net.Addr().As16()
	hi := binary.BigEndian.Uint64(b[:8]) | uint64(r.below(64))<<max(0, 58-net.Bits())
	if net.Bits() == 64 {
		hi = binary.BigEndian.Uint64(b[:8])
	}
	lo := r.next() // a privacy address
	if r.chance(400) {
		lo = uint64(r.between(1, 0x2000)) // a number given by hand
	}
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return netip.AddrFrom16(b)
}
