package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// session reads a connection to its end.
func (l *Listener) session(c net.Conn, peer netip.AddrPort, h Handler) {
	say := func(err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s %s: %w", l.endpoint.Network, peer, err)
	}
	var stream net.Conn = c
	switch l.endpoint.Network {
	case "tls":
		secured, err := l.handshake(c)
		if err != nil {
			h.Refuse(peer, say(err))
			return
		}
		stream = secured
	case "sctp":
		association, err := newAssociation(c)
		if err != nil {
			h.Refuse(peer, say(err))
			return
		}
		stream = association
	}
	s := Session{ID: sessions.Add(1), Peer: peer}
	h.Open(s)
	h.Close(s, say(l.read(stream, s, h.Message)))
}

func (l *Listener) handshake(c net.Conn) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.options.HandshakeTimeout)
	defer cancel()
	t := tls.Server(c, l.tls.config())
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return t, nil
}

// read hands on all messages of a connection. It returns nil when either side
// ended it between two messages.
func (l *Listener) read(c net.Conn, s Session, use func(Message)) error {
	var f framer
	a, _ := c.(*association)
	since := time.Now() // of the last message, or of the first byte of the next
	for {
		l.setDeadline(c, &f, since)
		waited := f.waiting() > 0
		end := f.fill(c)
		m := Message{From: s.Peer, Session: s.ID}
		if a != nil {
			m.Stream = a.stream
		}
		n, err := f.deliver(m, use)
		if err != nil {
			return err
		}
		if end != nil {
			return l.ended(&f, end)
		}
		if a != nil && a.whole && f.waiting() > 0 {
			return fmt.Errorf("an SCTP message ends %d bytes into an IPFIX message", f.waiting())
		}
		if n > 0 || !waited {
			since = time.Now()
		}
	}
}

// deliver hands on the messages that are whole, each in m.
func (f *framer) deliver(m Message, use func(Message)) (n int, err error) {
	for ; ; n++ {
		if m.Data, err = f.next(); m.Data == nil {
			return n, err
		}
		use(m)
	}
}

// setDeadline is for the next read. Close sets a nearer one for all connections
// after it has set closed, so that one of the two comes last.
func (l *Listener) setDeadline(c net.Conn, f *framer, since time.Time) {
	limit := l.options.IdleTimeout
	if f.waiting() > 0 {
		limit = l.options.MessageTimeout
	}
	c.SetReadDeadline(since.Add(limit))
	if l.closed.Load() {
		c.SetReadDeadline(time.Now().Add(lastWords))
	}
}

// ended says why reading ended.
func (l *Listener) ended(f *framer, err error) error {
	switch {
	case l.closed.Load():
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded) && f.waiting() > 0:
		return fmt.Errorf("the rest of a message did not come in %v", l.options.MessageTimeout)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no message in %v", l.options.IdleTimeout)
	case f.waiting() > 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return fmt.Errorf("ended %d bytes into a message: %w", f.waiting(), io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}
