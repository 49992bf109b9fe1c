package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// SendOptions says how a Sender reaches its receiver.
type SendOptions struct {
	From    netip.Addr // local address; zero: the system chooses
	Device  string     // the interface to send by; empty: that of the route
	Hops    int        // routers that a multicast packet may pass; 0: none beyond the first link
	Spoof   bool       // UDP: each packet goes out from the address that it came from; needs root
	Timeout time.Duration

	// For TLS. The receiver's certificate is checked by the authorities of CA, or by those of
	// the system, for the host of the endpoint or ServerName.
	Cert, Key, CA string
	ServerName    string
	Insecure      bool // take any certificate
}

// way is what of SendOptions concerns packets.
type way struct {
	spoof  bool
	from   netip.Addr
	device string
	hops   int
	join   bool // let the kernel cut what is joined
}

const (
	defaultDial = 10 * time.Second
	minMTU      = 1280 // every IPv6 link carries so much (RFC 8200 §5)
	maxMessage  = 65535
)

// Sender sends messages to one receiver: packets of UDP, or whole messages one after the other
// over TCP, TLS or SCTP. It is for one goroutine, but for Hurry and Close.
type Sender struct {
	endpoint Endpoint

	out   *outlet // UDP
	queue backlog

	conn  net.Conn      // the others
	raw   net.Conn      // under TLS
	whole bool          // each Write is a message of its own
	gone  chan struct{} // closed when the receiver has ended the connection
	why   error         // read when gone is closed
	join  []byte
}

// Taken counts the messages of a Send: what the network took, what it did not, and answers that
// nobody receives packets there, which come for some that it took before.
type Taken struct{ Sent, Failed, Refused int }

// Dial opens the way to an endpoint.
func Dial(ctx context.Context, e Endpoint, o SendOptions) (*Sender, error) {
	if o.Timeout == 0 {
		o.Timeout = defaultDial
	}
	s := &Sender{endpoint: e}
	var err error
	switch {
	case e.Host == "":
		err = errors.New("no host")
	case e.Port == 0:
		err = errors.New("no port")
	case e.Network == "udp":
		err = s.dialUDP(o)
	case o.Spoof:
		err = fmt.Errorf("%s has no packets that could be sent with the address of another", e.Network)
	default:
		ctx, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		err = s.dialStream(ctx, o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e, err)
	}
	return s, nil
}

// resolve is the address of an endpoint.
func (e Endpoint) resolve() (netip.AddrPort, error) {
	a, err := netip.ParseAddr(e.Host)
	if err != nil {
		if a, err = lookup(e.Host, e.Family); err != nil {
			return netip.AddrPort{}, err
		}
	}
	return netip.AddrPortFrom(a.Unmap(), e.Port), nil
}

func (s *Sender) dialUDP(o SendOptions) error {
	peer, err := s.endpoint.resolve()
	if err != nil {
		return err
	}
	s.out, err = newOutlet(peer, way{o.Spoof, o.From, o.Device, o.Hops, true})
	return err
}

func (s *Sender) dialStream(ctx context.Context, o SendOptions) error {
	var secured *tls.Config
	var err error
	if s.endpoint.Network == "tls" {
		if secured, err = o.tlsConfig(s.endpoint.Host); err != nil {
			return err
		}
	}
	if s.endpoint.Network == "sctp" {
		peer, err := s.endpoint.resolve()
		if err != nil {
			return err
		}
		if s.raw, err = dialSCTP(ctx, peer, o); err != nil {
			return err
		}
		s.whole = true
	} else {
		d := net.Dialer{Control: local{device: o.Device}.control}
		if o.From.IsValid() {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(o.From, 0))
		}
		s.raw, err = d.DialContext(ctx, s.endpoint.Family.suffix("tcp"),
			net.JoinHostPort(s.endpoint.Host, strconv.Itoa(int(s.endpoint.Port))))
	}
	if err != nil {
		return plain(err)
	}
	s.conn = s.raw
	if secured != nil {
		t := tls.Client(s.raw, secured)
		if err := t.HandshakeContext(ctx); err != nil {
			s.raw.Close()
			return fmt.Errorf("TLS handshake: %w", err)
		}
		s.conn = t
	}
	s.gone = make(chan struct{})
	go s.watch()
	return nil
}

// plain takes off an error of package net what the message before it says already.
func plain(err error) error {
	var o *net.OpError
	if errors.As(err, &o) {
		return o.Err
	}
	return err
}

// watch waits for the receiver to end the connection: it has nothing to say. Else what is sent
// after that would be lost without a sign.
func (s *Sender) watch() {
	_, err := io.Copy(io.Discard, s.conn)
	if s.why = plain(err); err == nil {
		s.why = errors.New("the receiver has closed the connection")
	}
	s.raw.Close()
	close(s.gone)
}

// Longest is how many bytes a message may have that the way carries whole, as far as the system
// knows.
func (s *Sender) Longest() int {
	if s.out != nil {
		return min(s.out.longest(), maxMessage-ip4Header-udpHeader)
	}
	return maxMessage
}

// Send sends messages in their order. Over UDP each stands alone, and an error tells of the last
// that failed. A connection ends with the first that fails: so many were taken whole before it,
// and none behind it counts as failed.
func (s *Sender) Send(messages []Packet) (Taken, error) {
	if s.out == nil {
		n, err := s.write(messages)
		return Taken{Sent: n}, err
	}
	s.queue.reset()
	for _, m := range messages {
		s.queue.data = append(s.queue.data, m.Data...)
		s.queue.items = append(s.queue.items, item{len(s.queue.data), m.From})
	}
	done := s.out.send(&s.queue)
	return Taken{int(done.sent), int(done.failed), int(done.refused)}, done.err
}

// write writes messages to a connection, and says how many are whole in it.
func (s *Sender) write(messages []Packet) (n int, err error) {
	select {
	case <-s.gone:
		return 0, s.why
	default:
	}
	if s.whole {
		for _, m := range messages {
			if _, err := s.conn.Write(m.Data); err != nil {
				return n, s.ended(err)
			}
			n++
		}
		return n, nil
	}
	s.join = s.join[:0]
	for _, m := range messages {
		s.join = append(s.join, m.Data...)
	}
	done, err := s.conn.Write(s.join)
	if err == nil {
		return len(messages), nil
	}
	for n < len(messages) && done >= len(messages[n].Data) {
		done -= len(messages[n].Data)
		n++
	}
	return n, s.ended(err)
}

// ended is why a connection ended: what the receiver did, rather than that it cannot be written
// to for that reason.
func (s *Sender) ended(err error) error {
	if errors.Is(err, net.ErrClosed) {
		<-s.gone
		return s.why
	}
	return plain(err)
}

// Hurry lets sending go on for a while only. Any goroutine may call it.
func (s *Sender) Hurry(d time.Duration) {
	if s.out != nil {
		s.out.hurry(d)
		return
	}
	s.conn.SetWriteDeadline(time.Now().Add(d))
}

// Close ends the connection; what was taken is still sent by the system.
func (s *Sender) Close() error {
	if s.out != nil {
		s.out.close()
		return nil
	}
	err := s.conn.Close()
	<-s.gone
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
