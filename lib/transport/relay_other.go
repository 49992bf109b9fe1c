//go:build !linux

package transport

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

const maxDatagram = 65535

// outlet is the socket to a target.
type outlet struct {
	conn *net.UDPConn
}

func newOutlet(to netip.AddrPort, w way) (*outlet, error) {
	switch {
	case w.spoof:
		return nil, errors.New("to send with the addresses of others is for Linux")
	case w.device != "" || w.hops != 0:
		return nil, errors.New("to choose the interface or the hops of what is sent is for Linux")
	}
	var from *net.UDPAddr
	if w.from.IsValid() {
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(w.from, 0))
	}
	conn, err := net.DialUDP("udp", from, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil, err
	}
	return &outlet{conn}, nil
}

// hurry lets the sending go on for a while only.
func (o *outlet) hurry(d time.Duration) { o.conn.SetWriteDeadline(time.Now().Add(d)) }

func (o *outlet) close() { o.conn.Close() }

// send sends all packets of a backlog.
func (o *outlet) send(q *backlog) (done outcome) {
	for i := range q.items {
		data, _ := q.at(i)
		if _, err := o.conn.Write(data); err != nil {
			done.fail(err)
			continue
		}
		done.sent++
	}
	return done
}

// longest is what a packet may have that any way carries whole.
func (o *outlet) longest() int { return minMTU - 48 }
