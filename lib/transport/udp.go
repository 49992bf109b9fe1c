package transport

import (
	"fmt"
	"net/netip"
)

// Packet is a datagram. Data is valid during the call that it came with.
type Packet struct {
	Data []byte
	From netip.AddrPort
}

// UDPOptions says how to receive.
type UDPOptions struct {
	Workers int        // sockets, 1 to 256; 0: 1
	Buffer  int        // receive buffer to ask for, of each socket, in bytes; 0: 64 MiB
	Group   netip.Addr // multicast group to join; the endpoint's host names the interface
	NoGRO   bool       // take datagrams from the kernel one by one only
}

const (
	maxWorkers    = 256
	defaultBuffer = 64 << 20
	maxBuffer     = 1 << 30 // the kernel doubles it in an int
)

// check fills in what is zero and says what cannot be.
func (o *UDPOptions) check(e Endpoint) error {
	if o.Workers == 0 {
		o.Workers = 1
	}
	if o.Buffer == 0 {
		o.Buffer = defaultBuffer
	}
	switch {
	case e.Network != "udp":
		return fmt.Errorf("%q carries no datagrams", e.Network)
	case o.Workers < 0 || o.Workers > maxWorkers:
		return fmt.Errorf("%d workers: want 1 to %d", o.Workers, maxWorkers)
	case o.Buffer < 0 || o.Buffer > maxBuffer:
		return fmt.Errorf("receive buffer of %d bytes: want at most %d", o.Buffer, maxBuffer)
	case !o.Group.IsValid():
		return nil
	case !o.Group.IsMulticast():
		return fmt.Errorf("%s is no multicast group", o.Group)
	case !e.Family.has(o.Group):
		return fmt.Errorf("%s is no %s group", o.Group, e.Family)
	}
	o.Workers = 1 // the kernel gives every socket of a group each packet
	return nil
}

// Buffer is the receive buffer of each socket of a UDP: what was asked for and
// what the kernel granted. It counts a packet with its overhead, so that about
// half of it is payload.
type Buffer struct {
	Requested, Granted int
	Sysctl             []string // commands that let the kernel grant what was requested
}

// Short is true when packets will be dropped earlier than was asked for.
func (b Buffer) Short() bool { return len(b.Sysctl) > 0 }
