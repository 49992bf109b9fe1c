package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

var loopbacks = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}

// log is what a Listener told its handler.
type log struct {
	mu       sync.Mutex
	events   chan string         // open, close and refuse, as they come
	messages map[uint64][][]byte // by session
	streams  []uint16            // of the messages
}

// serve runs a Listener for the test. What the handler is told, is checked for order.
func serve(t testing.TB, e Endpoint, o StreamOptions) (*Listener, *log) {
	t.Helper()
	l, err := Listen(e, o)
	if err != nil {
		t.Fatal(err)
	}
	g := &log{events: make(chan string, 1000), messages: map[uint64][][]byte{}}
	open := map[uint64]netip.AddrPort{}
	h := Handler{
		Open: func(s Session) {
			g.mu.Lock()
			defer g.mu.Unlock()
			if _, there := g.messages[s.ID]; there || s.ID == 0 {
				t.Errorf("session %d opened twice", s.ID)
			}
			open[s.ID] = s.Peer
			g.messages[s.ID] = nil
			g.events <- "open"
		},
		Message: func(m Message) {
			g.mu.Lock()
			defer g.mu.Unlock()
			if open[m.Session] != m.From || !m.From.IsValid() {
				t.Errorf("message from %s in session %d of %s", m.From, m.Session, open[m.Session])
			}
			g.messages[m.Session] = append(g.messages[m.Session], bytes.Clone(m.Data))
			g.streams = append(g.streams, m.Stream)
		},
		Close: func(s Session, err error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			if open[s.ID] != s.Peer {
				t.Errorf("session %d closed with peer %s", s.ID, s.Peer)
			}
			delete(open, s.ID)
			g.events <- fmt.Sprint("close ", err)
		},
		Refuse: func(peer netip.AddrPort, err error) { g.events <- fmt.Sprint("refuse ", err) },
	}
	done := make(chan error, 1)
	go func() { done <- l.Serve(h) }()
	t.Cleanup(func() {
		l.Close()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Serve goes on after Close")
		}
		if len(open) != 0 {
			t.Errorf("%d sessions were not closed", len(open))
		}
	})
	return l, g
}

// want waits for events and compares how they begin.
func (g *log) want(t testing.TB, events ...string) {
	t.Helper()
	for _, want := range events {
		select {
		case got := <-g.events:
			if !strings.HasPrefix(got, want) {
				t.Fatalf("event %q, want %q", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no event, want %q", want)
		}
	}
}

// all are the messages of the only session.
func (g *log) all(t testing.TB) [][]byte {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.messages) != 1 {
		t.Fatalf("%d sessions, want 1", len(g.messages))
	}
	for _, m := range g.messages {
		return m
	}
	return nil
}

func dial(t testing.TB, l *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ended is true when the other side has closed the connection.
func ended(c net.Conn) bool {
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}

func tcp(host string) Endpoint { return Endpoint{Network: "tcp", Host: host} }

func TestTCP(t *testing.T) {
	for _, host := range loopbacks {
		l, g := serve(t, tcp(host.String()), StreamOptions{})
		if l.Addr().Addr() != host || l.Addr().Port() == 0 {
			t.Errorf("listens at %s", l.Addr())
		}
		var want [][]byte
		for i := range 3000 {
			want = append(want, message(16+i*22%65520, byte(i)))
		}
		c := dial(t, l)
		if _, err := c.Write(bytes.Join(want, nil)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		g.want(t, "open", "close <nil>")
		if got := g.all(t); !equal(got, want) {
			t.Errorf("%s: %d messages, want %d", host, len(got), len(want))
		}
	}
}

func TestTCPSplit(t *testing.T) {
	stream := bytes.Join([][]byte{message(16, 1), message(30, 2), message(20, 3)}, nil)
	for at := range len(stream) {
		l, g := serve(t, tcp("127.0.0.1"), StreamOptions{})
		c := dial(t, l)
		c.Write(stream[:at])
		time.Sleep(time.Millisecond)
		c.Write(stream[at:])
		c.Close()
		g.want(t, "open", "close <nil>")
		if got := g.all(t); !bytes.Equal(bytes.Join(got, nil), stream) || len(got) != 3 {
			t.Fatalf("split at %d: %d messages", at, len(got))
		}
		l.Close()
	}
}

func TestTCPEnds(t *testing.T) {
	whole := string(message(20, 1))
	for _, c := range []struct{ name, send, want string }{
		{"nothing", "", "<nil>"},
		{"whole", whole, "<nil>"},
		{"half a message", whole + whole[:7], "tcp PEER: ended 7 bytes into a message: unexpected EOF"},
		{"half a header", whole[:3], "tcp PEER: ended 3 bytes into a message"},
		{"no IPFIX", "GET / HTTP/1.1\r\n\r\n", `tcp PEER: no IPFIX message at byte 0: version 18245 instead of 10 ("GET ")`},
		{"then no IPFIX", whole + "\x00\x09\x00\x20", "tcp PEER: no IPFIX message at byte 20: version 9 instead of 10 (NetFlow 9"},
		{"short length", "\x00\x0a\x00\x0f", "tcp PEER: no IPFIX message at byte 0: a length of 15 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, g := serve(t, tcp("127.0.0.1"), StreamOptions{})
			conn := dial(t, l)
			io.WriteString(conn, c.send)
			conn.(*net.TCPConn).CloseWrite()
			if !ended(conn) {
				t.Error("the connection stays open")
			}
			g.want(t, "open", "close "+strings.Replace(c.want, "PEER", conn.LocalAddr().String(), 1))
			if n := len(g.all(t)); n != strings.Count(c.send, whole) {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// TestTCPTimeouts has a peer that says nothing, one that sends a byte now and
// then, and one whose messages come in time.
func TestTCPTimeouts(t *testing.T) {
	o := StreamOptions{IdleTimeout: 300 * time.Millisecond, MessageTimeout: 150 * time.Millisecond}
	t.Run("idle", func(t *testing.T) {
		l, g := serve(t, tcp("127.0.0.1"), o)
		c := dial(t, l)
		c.Write(message(16, 0))
		if !ended(c) {
			t.Error("the connection stays open")
		}
		g.want(t, "open", fmt.Sprintf("close tcp %s: no message in 300ms", c.LocalAddr()))
	})
	t.Run("slow", func(t *testing.T) {
		l, g := serve(t, tcp("127.0.0.1"), o)
		c := dial(t, l)
		start := time.Now()
		for _, b := range message(1000, 0) { // a second in all
			if _, err := c.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		g.want(t, "open", fmt.Sprintf("close tcp %s: the rest of a message did not come in 150ms", c.LocalAddr()))
		if took := time.Since(start); took > 900*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("steady", func(t *testing.T) {
		l, g := serve(t, tcp("127.0.0.1"), o)
		c := dial(t, l)
		m := message(100, 0)
		c.Write(m[:50])
		for range 10 { // there is always half a message, never for long
			time.Sleep(50 * time.Millisecond)
			if _, err := c.Write(append(bytes.Clone(m[50:]), m[:50]...)); err != nil {
				t.Fatal(err)
			}
		}
		c.Write(m[50:])
		c.Close()
		g.want(t, "open", "close <nil>")
		if n := len(g.all(t)); n != 11 {
			t.Errorf("%d messages, want 11", n)
		}
	})
}

func TestTCPCaps(t *testing.T) {
	l, g := serve(t, tcp("127.0.0.1"), StreamOptions{MaxConns: 3, MaxPerPeer: 2})
	from := func(a string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(a)}}
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil { // it may be refused before it is there
			return nil
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	first := from("127.0.0.1")
	from("127.0.0.1")
	g.want(t, "open", "open")
	third := from("127.0.0.1")
	if e := <-g.events; !strings.HasPrefix(e, "refuse tcp 127.0.0.1:") || !strings.HasSuffix(e, "refused: this address has 2 connections") {
		t.Error(e)
	}
	if third != nil && !ended(third) {
		t.Error("a refused connection stays open")
	}
	from("127.0.0.2")
	g.want(t, "open")
	from("127.0.0.3")
	g.want(t, "refuse tcp 127.0.0.3:")
	first.Close()
	g.want(t, "close <nil>")
	for range 50 { // the place is free a moment after the event
		from("127.0.0.1")
		if e := <-g.events; e == "open" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no place after a connection has ended")
}

func TestTCPAllow(t *testing.T) {
	l, g := serve(t, tcp("127.0.0.1"), StreamOptions{Allow: func(a netip.Addr) bool { return a != netip.MustParseAddr("127.0.0.1") }})
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		if !ended(c) {
			t.Error("the connection stays open")
		}
		c.Close()
	}
	if e := <-g.events; !strings.HasPrefix(e, "refuse tcp 127.0.0.1:") || !strings.HasSuffix(e, "not allowed to connect") {
		t.Error(e)
	}
}

// TestTCPClose closes a listener with sessions: what has arrived is delivered.
func TestTCPClose(t *testing.T) {
	l, g := serve(t, tcp("127.0.0.1"), StreamOptions{})
	idle, busy := dial(t, l), dial(t, l)
	g.want(t, "open", "open")
	sent := bytes.Repeat(message(1400, 7), 100)
	if _, err := busy.Write(sent); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	l.Close()
	g.want(t, "close <nil>", "close <nil>")
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if !ended(idle) || !ended(busy) {
		t.Error("a connection stays open")
	}
	got := 0
	for _, m := range g.messages {
		got += len(bytes.Join(m, nil))
	}
	if got != len(sent) {
		t.Errorf("%d bytes of messages, %d were sent before", got, len(sent))
	}
}

func TestListenErrors(t *testing.T) {
	l, _ := serve(t, tcp("127.0.0.1"), StreamOptions{})
	for _, c := range []struct {
		e    Endpoint
		o    StreamOptions
		want string
	}{
		{Endpoint{Network: "tcp", Host: "127.0.0.1", Port: l.Addr().Port()}, StreamOptions{}, "in use"},
		{Endpoint{Network: "udp", Host: "127.0.0.1"}, StreamOptions{}, "carries no streams"},
		{Endpoint{Network: "tcp", Host: "127.0.0.1", Family: IPv6}, StreamOptions{}, "no IPv6 address"},
		{Endpoint{Network: "tls", Host: "127.0.0.1"}, StreamOptions{}, "needs a certificate"},
		{Endpoint{Network: "tls", Host: "127.0.0.1"}, StreamOptions{Cert: "absent.pem", Key: "absent.pem"}, "absent.pem"},
	} {
		if l, err := Listen(c.e, c.o); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.e.String()) {
			t.Errorf("%s: %v, %v; want %q", c.e, l, err, c.want)
		}
	}
}

// BenchmarkTCP is one exporter that sends as fast as it can.
func BenchmarkTCP(b *testing.B) {
	l, err := Listen(tcp("127.0.0.1"), StreamOptions{})
	if err != nil {
		b.Fatal(err)
	}
	n, done := 0, make(chan bool)
	go l.Serve(Handler{
		Open:    func(Session) {},
		Message: func(Message) { n++ },
		Close:   func(Session, error) { close(done) },
		Refuse:  func(_ netip.AddrPort, err error) { b.Error(err) },
	})
	defer l.Close()
	c := dial(b, l)
	chunk := bytes.Repeat(message(1450, 1), 45)
	b.SetBytes(int64(len(chunk)))
	b.ResetTimer()
	for range b.N {
		if _, err := c.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	<-done
	if n != 45*b.N {
		b.Errorf("%d messages, want %d", n, 45*b.N)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/message")
}
