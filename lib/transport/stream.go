package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Message is an IPFIX message of a session. Data is valid during the call that
// it came with; its length is the one in its header, 16 to 65,535.
type Message struct {
	Data    []byte
	From    netip.AddrPort
	Session uint64
	Stream  uint16 // of an SCTP association: each has sequence numbers of its own
}

// Session is a connection of an exporter. Templates belong to it.
type Session struct {
	ID   uint64 // of one in this process, never used again
	Peer netip.AddrPort
}

// Handler takes what a Listener receives. All functions must be there. Those of
// one session are called in order, by one goroutine: Open, then Message for
// each, then Close. Sessions run side by side.
type Handler struct {
	Open    func(Session)
	Message func(Message)
	Close   func(Session, error)        // nil: ended by either side between two messages
	Refuse  func(netip.AddrPort, error) // a connection that became no session
}

// StreamOptions are the limits of a Listener. Zero means the default.
type StreamOptions struct {
	Allow      func(netip.Addr) bool // who may connect; nil: everybody
	MaxConns   int                   // connections at a time, 1,024
	MaxPerPeer int                   // of one address, 16

	HandshakeTimeout time.Duration // of TLS, 10 s
	IdleTimeout      time.Duration // without a message, an hour
	MessageTimeout   time.Duration // for the rest of a message, 30 s

	Cert, Key string // files in PEM, for TLS
	ClientCA  string // a file in PEM: clients must have a certificate by one of these
}

// lastWords is how long a session may go on after Listener.Close.
const lastWords = 100 * time.Millisecond

// sessions counts those of all listeners.
var sessions atomic.Uint64

// Listener accepts connections that carry IPFIX.
type Listener struct {
	endpoint Endpoint
	options  StreamOptions
	inner    net.Listener
	tls      *tlsFiles // nil without TLS

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	peers  map[netip.Addr]int
	closed atomic.Bool
	wait   sync.WaitGroup
}

// Listen opens a socket for an endpoint whose network is tcp, tls or sctp.
func Listen(e Endpoint, o StreamOptions) (*Listener, error) {
	l := &Listener{
		endpoint: e, options: o.withDefaults(),
		conns: map[net.Conn]struct{}{}, peers: map[netip.Addr]int{},
	}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", e, err)
	}
	return l, nil
}

func (l *Listener) open() error {
	at, err := l.endpoint.local()
	if err != nil {
		return err
	}
	switch l.endpoint.Network {
	case "sctp":
		l.inner, err = listenSCTP(l.endpoint, at)
		return err
	case "tls":
		l.tls = &tlsFiles{cert: l.options.Cert, key: l.options.Key, ca: l.options.ClientCA}
		if err := l.tls.load(); err != nil {
			return err
		}
	case "tcp":
	default:
		return fmt.Errorf("%q carries no streams", l.endpoint.Network)
	}
	host := ""
	if at.addr.IsValid() {
		host = at.addr.String()
	}
	c := net.ListenConfig{Control: at.control}
	l.inner, err = c.Listen(context.Background(), l.endpoint.Family.suffix("tcp"),
		net.JoinHostPort(host, strconv.Itoa(int(l.endpoint.Port))))
	return err
}

func (o StreamOptions) withDefaults() StreamOptions {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.HandshakeTimeout, 10*time.Second)
	set(&o.IdleTimeout, time.Hour)
	set(&o.MessageTimeout, 30*time.Second)
	if o.MaxConns == 0 {
		o.MaxConns = 1024
	}
	if o.MaxPerPeer == 0 {
		o.MaxPerPeer = 16
	}
	return o
}

// Addr is where it listens, with the port that the system chose.
func (l *Listener) Addr() netip.AddrPort { return peerOf(l.inner.Addr()) }

// Reload reads the files of TLS again, for connections to come. After an error
// those that were read before stay in use.
func (l *Listener) Reload() error {
	if l.tls == nil {
		return nil
	}
	return l.tls.load()
}

// Close ends Serve. Sessions get what has arrived, for a tenth of a second.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	err := l.inner.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.SetDeadline(time.Now().Add(lastWords))
	}
	return err
}

// Serve accepts connections until Close and returns when all sessions have ended.
func (l *Listener) Serve(h Handler) error {
	defer l.wait.Wait()
	for {
		c, err := l.inner.Accept()
		if l.closed.Load() {
			if err == nil {
				c.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil { // no file descriptor or memory left: that may pass
			h.Refuse(netip.AddrPort{}, err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		peer := peerOf(c.RemoteAddr())
		if err := l.admit(c, peer.Addr()); err != nil {
			refuse(c)
			h.Refuse(peer, fmt.Errorf("%s %s: %w", l.endpoint.Network, peer, err))
			continue
		}
		l.wait.Go(func() {
			defer l.release(c, peer.Addr())
			l.session(c, peer, h)
		})
	}
}

// refuse closes a connection without leaving state of it in the kernel.
func refuse(c net.Conn) {
	if c, ok := c.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	c.Close()
}

// admit counts a connection, if it may be.
func (l *Listener) admit(c net.Conn, peer netip.Addr) error {
	if l.options.Allow != nil && !l.options.Allow(peer) {
		return errors.New("not allowed to connect")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return net.ErrClosed
	}
	if len(l.conns) >= l.options.MaxConns {
		return fmt.Errorf("refused: there are %d connections", len(l.conns))
	}
	if n := l.peers[peer]; n >= l.options.MaxPerPeer {
		return fmt.Errorf("refused: this address has %d connections", n)
	}
	l.conns[c] = struct{}{}
	l.peers[peer]++
	return nil
}

// release closes a connection that was admitted.
func (l *Listener) release(c net.Conn, peer netip.Addr) {
	c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	if l.peers[peer]--; l.peers[peer] == 0 {
		delete(l.peers, peer)
	}
}

// peerOf is an address of package net's as a value.
func peerOf(a net.Addr) netip.AddrPort {
	if a, ok := a.(*net.TCPAddr); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}
