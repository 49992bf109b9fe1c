package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The ports that are meant when none is written.
const (
	DefaultUDP  = 9995 // nfcapd's
	DefaultTCP  = 4739 // RFC 7011, for TCP and SCTP
	DefaultTLS  = 4740
	DefaultSCTP = DefaultTCP
)

// Family restricts an endpoint to one version of IP.
type Family uint8

const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

// Endpoint is where to listen.
type Endpoint struct {
	Network string // "udp", "tcp", "tls" or "sctp"
	Host    string // an address, an interface, or a host name; empty: all addresses
	Port    uint16 // 0: the system chooses one
	Family  Family
}

// ParseEndpoint reads [NETWORK://][HOST][:PORT], where a number alone is a port
// and an IPv6 address that a port follows is in brackets. The network is udp
// when none is written, the port that of the network.
func ParseEndpoint(s string) (Endpoint, error) {
	network, rest, ok := strings.Cut(s, "://")
	if !ok {
		network, rest = "udp", s
	}
	port, ok := map[string]uint16{"udp": DefaultUDP, "tcp": DefaultTCP, "tls": DefaultTLS, "sctp": DefaultSCTP}[network]
	if !ok {
		return Endpoint{}, fmt.Errorf("%q: unknown transport %q: want udp, tcp, tls or sctp", s, network)
	}
	if strings.Contains(rest, "/") {
		return Endpoint{}, fmt.Errorf("%q: nothing may follow the port", s)
	}
	if rest != "" && strings.Trim(rest, "0123456789") == "" {
		rest = ":" + rest
	}
	host, port, err := splitHostPort(rest, port)
	if err != nil {
		return Endpoint{}, fmt.Errorf("%q: %w", s, err)
	}
	return Endpoint{Network: network, Host: host, Port: port}, nil
}

// String is the endpoint as ParseEndpoint reads it.
func (e Endpoint) String() string {
	return e.Network + "://" + net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// ParseTarget reads where a relay sends to: host, host:port, [v6]:port,
// or host/port as nfcapd writes it. The port is DefaultUDP when none is written.
func ParseTarget(s string) (host string, port uint16, err error) {
	if h, p, ok := strings.Cut(s, "/"); ok {
		if host, err = unbracket(h); err == nil {
			port, err = parsePort(p)
		}
	} else {
		host, port, err = splitHostPort(s, DefaultUDP)
	}
	if err == nil && host == "" {
		err = fmt.Errorf("no host")
	}
	if err == nil && port == 0 {
		err = fmt.Errorf("port 0")
	}
	if err != nil {
		return "", 0, fmt.Errorf("%q: %w", s, err)
	}
	return host, port, nil
}

// splitHostPort is for host, host:port, [v6], [v6]:port and v6 alone.
func splitHostPort(s string, port uint16) (string, uint16, error) {
	at := strings.LastIndexByte(s, ':')
	if at <= strings.LastIndexByte(s, ']') || strings.Count(s, ":") > 1 && s[0] != '[' {
		host, err := unbracket(s)
		return host, port, err
	}
	host, err := unbracket(s[:at])
	if err != nil {
		return "", 0, err
	}
	port, err = parsePort(s[at+1:])
	return host, port, err
}

// unbracket takes the brackets off an IPv6 address and checks what has colons. A
// zone may be written as in a URL, with %25.
func unbracket(host string) (string, error) {
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "]"); !closed {
			return "", fmt.Errorf("no ] behind %q", host)
		}
	}
	inner = strings.Replace(inner, "%25", "%", 1)
	if bracketed || strings.Contains(inner, ":") {
		if a, err := netip.ParseAddr(inner); err != nil || !a.Is6() {
			return "", fmt.Errorf("%q is no IPv6 address", inner)
		}
	}
	if strings.ContainsAny(inner, "[]") {
		return "", fmt.Errorf("%q is no host", inner)
	}
	return inner, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no port", s)
	}
	return uint16(n), nil
}

// local is what a host of an endpoint stands for: an address, or the interface
// that packets must come in by, or neither.
type local struct {
	addr   netip.Addr
	device string
}

func (e Endpoint) local() (local, error) {
	if e.Host == "" {
		return local{}, nil
	}
	if a, err := netip.ParseAddr(e.Host); err == nil {
		if !e.Family.has(a) {
			return local{}, fmt.Errorf("%s is no %s address", a, e.Family)
		}
		return local{addr: a.Unmap()}, nil
	}
	if i, err := net.InterfaceByName(e.Host); err == nil {
		return local{device: i.Name}, nil
	}
	a, err := lookup(e.Host, e.Family)
	if err != nil {
		return local{}, fmt.Errorf("neither an address nor an interface, and %w", err)
	}
	return local{addr: a}, nil
}

// lookup is the first address of a host.
func lookup(host string, f Family) (netip.Addr, error) {
	list, err := net.DefaultResolver.LookupNetIP(context.Background(), f.suffix("ip"), host)
	if err != nil {
		return netip.Addr{}, err
	}
	return list[0].Unmap(), nil
}

func (f Family) has(a netip.Addr) bool {
	return f == AnyFamily || (f == IPv4) == a.Unmap().Is4()
}

func (f Family) String() string { return [...]string{"IP", "IPv4", "IPv6"}[f] }

// suffix makes a name of package net's: tcp, tcp4, tcp6.
func (f Family) suffix(network string) string { return network + [...]string{"", "4", "6"}[f] }
