//go:build !linux

package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

var errNoSCTP = errors.New("SCTP is for Linux")

func listenSCTP(Endpoint, local) (net.Listener, error) { return nil, errNoSCTP }

func dialSCTP(context.Context, netip.AddrPort, SendOptions) (net.Conn, error) { return nil, errNoSCTP }

// association is never made.
type association struct {
	net.Conn
	stream uint16
	whole  bool
}

func newAssociation(net.Conn) (*association, error) { return nil, errNoSCTP }
