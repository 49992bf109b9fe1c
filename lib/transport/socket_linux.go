package transport

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// newSocket makes a socket of the family of at. For all addresses that is an
// IPv6 socket that takes IPv4 too, unless e's family or the kernel forbids it.
func newSocket(at local, f Family, kind, protocol int) (fd, family int, err error) {
	family = unix.AF_INET6
	if at.addr.Is4() || f == IPv4 {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if errors.Is(err, unix.EAFNOSUPPORT) && !at.addr.IsValid() && f == AnyFamily {
		family = unix.AF_INET
		fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	}
	if err != nil {
		return -1, 0, err
	}
	if family == unix.AF_INET6 {
		only := 1
		if !at.addr.IsValid() && f == AnyFamily {
			only = 0
		}
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if err == nil && at.device != "" {
		err = bindToDevice(fd, at.device)
	}
	if err != nil {
		unix.Close(fd)
		return -1, 0, err
	}
	return fd, family, nil
}

// bindToDevice lets only packets in that come by an interface. Since Linux 5.7
// that needs no rights.
func bindToDevice(fd int, device string) error {
	return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, device)
}

// control binds sockets of package net to the interface of at, if there is one.
func (l local) control(_, _ string, c syscall.RawConn) error {
	if l.device == "" {
		return nil
	}
	var bound error
	err := c.Control(func(fd uintptr) { bound = bindToDevice(int(fd), l.device) })
	return errors.Join(err, bound)
}

// bindSocket binds a socket of newSocket.
func bindSocket(fd, family int, at local, port uint16) error {
	return unix.Bind(fd, sockaddr(family, netip.AddrPortFrom(at.addr, port)))
}

// sockaddr is an address for a socket of a family; no address means all.
func sockaddr(family int, a netip.AddrPort) unix.Sockaddr {
	if family == unix.AF_INET {
		s := &unix.SockaddrInet4{Port: int(a.Port())}
		if a.Addr().Is4() {
			s.Addr = a.Addr().As4()
		}
		return s
	}
	s := &unix.SockaddrInet6{Port: int(a.Port())}
	if a.Addr().IsValid() {
		s.Addr = a.Addr().As16()
		s.ZoneId = zoneNumber(a.Addr().Zone())
	}
	return s
}

// addrPort is what a socket address says; it is not valid for other families.
func addrPort(s unix.Sockaddr) netip.AddrPort {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(withZone(netip.AddrFrom16(s.Addr).Unmap(), s.ZoneId), uint16(s.Port))
	}
	return netip.AddrPort{}
}

// zones are the names of interfaces by their number.
var zones sync.Map

// withZone adds the interface to a link-local address.
func withZone(a netip.Addr, zone uint32) netip.Addr {
	if zone == 0 || !a.Is6() {
		return a
	}
	name, ok := zones.Load(zone)
	if !ok {
		name = strconv.FormatUint(uint64(zone), 10)
		if i, err := net.InterfaceByIndex(int(zone)); err == nil {
			name = i.Name
		}
		zones.Store(zone, name)
	}
	return a.WithZone(name.(string))
}

// zoneNumber is for zones written as a number or as the name of an interface.
func zoneNumber(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}
