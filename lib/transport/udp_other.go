//go:build !linux

package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// UDP is the socket of one endpoint.
type UDP struct {
	conn   *net.UDPConn
	addr   netip.AddrPort
	buffer Buffer
}

// ListenUDP opens the socket.
func ListenUDP(e Endpoint, o UDPOptions) (*UDP, error) {
	u, err := listenUDP(e, o)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", e, err)
	}
	return u, nil
}

func listenUDP(e Endpoint, o UDPOptions) (*UDP, error) {
	if err := o.check(e); err != nil {
		return nil, err
	}
	at, err := e.local()
	if err != nil {
		return nil, err
	}
	var conn *net.UDPConn
	if o.Group.IsValid() {
		conn, err = listenGroup(e, at, o.Group.Unmap())
	} else if at.device != "" {
		err = errNoDevice
	} else {
		conn, err = net.ListenUDP(e.Family.suffix("udp"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(at.addr, e.Port)))
	}
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(o.Buffer) // what was granted is not told
	return &UDP{
		conn:   conn,
		addr:   conn.LocalAddr().(*net.UDPAddr).AddrPort(),
		buffer: Buffer{Requested: o.Buffer, Granted: o.Buffer},
	}, nil
}

func listenGroup(e Endpoint, at local, group netip.Addr) (*net.UDPConn, error) {
	var link *net.Interface
	if e.Host != "" {
		var err error
		if link, err = net.InterfaceByName(at.device); err != nil {
			return nil, err
		}
	}
	return net.ListenMulticastUDP(e.Family.suffix("udp"), link, net.UDPAddrFromAddrPort(netip.AddrPortFrom(group, e.Port)))
}

// Addr is where the socket receives, with the port that the system chose.
func (u *UDP) Addr() netip.AddrPort { return u.addr }

// Workers is how many calls of Receive there must be: 1.
func (u *UDP) Workers() int { return 1 }

// BySource is true: there is one worker.
func (u *UDP) BySource() bool { return true }

// GRO is false: datagrams come one by one.
func (u *UDP) GRO() bool { return false }

// Buffer tells of the receive buffer. What was granted is not known.
func (u *UDP) Buffer() Buffer { return u.buffer }

// Drops is 0: they are not known.
func (u *UDP) Drops() uint64 { return 0 }

// Close ends Receive. It does not wait for that.
func (u *UDP) Close() error { return u.conn.Close() }

// Receive hands packets to f until Close. They are valid until f returns.
func (u *UDP) Receive(_ int, f func([]Packet)) error {
	data := make([]byte, 65535)
	packets := make([]Packet, 1)
	for {
		n, from, err := u.conn.ReadFromUDPAddrPort(data)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive on udp %s: %w", u.addr, err)
		}
		packets[0] = Packet{data[:n:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
		f(packets)
	}
}
