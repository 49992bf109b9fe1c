package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// ofGroup is where a socket for a multicast group is bound, and the number of the
// interface to join it on: the one that l names or has the address of, else that
// of the group's zone, else 0, which leaves it to the routes.
func (l local) ofGroup(group netip.Addr) (local, int, error) {
	link, err := l.link()
	if err != nil {
		return local{}, 0, err
	}
	if link == 0 && group.Zone() != "" {
		link = int(zoneNumber(group.Zone()))
	}
	if group.Is6() && (group.IsLinkLocalMulticast() || group.IsInterfaceLocalMulticast()) {
		if link == 0 {
			return local{}, 0, fmt.Errorf("%s is a group of each interface: name one", group)
		}
		group = group.WithZone(strconv.Itoa(link))
	}
	return local{addr: group}, link, nil
}

// link is the number of the interface that is meant, 0 for none.
func (l local) link() (int, error) {
	if l.device != "" {
		i, err := net.InterfaceByName(l.device)
		if err != nil {
			return 0, err
		}
		return i.Index, nil
	}
	if !l.addr.IsValid() {
		return 0, nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return 0, err
	}
	for _, i := range all {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == l.addr.WithZone("") {
				return i.Index, nil
			}
		}
	}
	return 0, errors.New("no interface has this address")
}

// join makes the socket a member of a group on an interface.
func join(fd int, group netip.Addr, link int) error {
	if group.Is4() {
		return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
			&unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(link)})
	}
	return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
		&unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(link)})
}
