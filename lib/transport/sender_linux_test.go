package transport

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ipfixMessages are messages of some lengths with an IPFIX header and a number.
func ipfixMessages(n int, sizes ...int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		p := make([]byte, sizes[i%len(sizes)])
		binary.BigEndian.PutUint16(p, 10)
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
		binary.BigEndian.PutUint32(p[8:], uint32(i))
		all[i] = p
	}
	return all
}

func newSender(t *testing.T, network string, at netip.AddrPort, o SendOptions) *Sender {
	t.Helper()
	s, err := Dial(context.Background(), Endpoint{Network: network, Host: at.Addr().String(), Port: at.Port()}, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sendAll sends messages in batches.
func sendAll(t *testing.T, s *Sender, messages [][]byte) {
	t.Helper()
	for batch := range slices.Chunk(messages, 50) {
		taken, err := s.Send(packets("192.0.2.1:2055", batch...))
		if err != nil || taken.Sent != len(batch) {
			t.Fatalf("%+v of %d messages, %v", taken, len(batch), err)
		}
		if s.out != nil {
			time.Sleep(time.Millisecond)
		}
	}
}

func TestSenderUDP(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		u := listen(t, host, UDPOptions{})
		got := receive(t, u)
		s := newSender(t, "udp", u.Addr(), SendOptions{})
		if n := s.Longest(); n < minMTU || n > maxDatagram {
			t.Errorf("%s: longest message %d", host, n)
		}
		want := append(slices.Clone(sizes), numbered(0, 1000, 1450)...)
		sendAll(t, s, want)
		s.Close()
		unchanged(t, got.stop(t, u), want)
	}
}

// From chooses the address that packets come from.
func TestSenderFrom(t *testing.T) {
	u := listen(t, "127.0.0.1", UDPOptions{})
	got := receive(t, u)
	s := newSender(t, "udp", u.Addr(), SendOptions{From: netip.MustParseAddr("127.0.0.9")})
	sendAll(t, s, numbered(0, 1, 100))
	s.Close()
	all := got.stop(t, u)
	if len(all) != 1 || all[0].From.Addr() != netip.MustParseAddr("127.0.0.9") {
		t.Errorf("%v", all)
	}
}

// Nobody listens: that is told, and what follows is sent all the same.
func TestSenderRefused(t *testing.T) {
	u := listen(t, "127.0.0.1", UDPOptions{})
	u.Close()
	s := newSender(t, "udp", u.Addr(), SendOptions{})
	defer s.Close()
	refused := 0
	for range 20 {
		taken, _ := s.Send(packets("192.0.2.1:1", []byte("x")))
		refused += taken.Refused
		time.Sleep(5 * time.Millisecond)
	}
	if refused == 0 {
		t.Error("no answer that nobody listens")
	}
}

func TestSenderStreams(t *testing.T) {
	a := newAuthority(t, "ours")
	cert, key := a.issue(t, 2)
	clientCert, clientKey := a.issue(t, 3)
	for _, c := range []struct {
		network string
		listen  StreamOptions
		send    SendOptions
	}{
		{"tcp", StreamOptions{}, SendOptions{}},
		{"tls", StreamOptions{Cert: cert, Key: key}, SendOptions{CA: a.file}},
		{"tls", StreamOptions{Cert: cert, Key: key, ClientCA: a.file}, SendOptions{CA: a.file, Cert: clientCert, Key: clientKey}},
		{"tls", StreamOptions{Cert: cert, Key: key}, SendOptions{Insecure: true}},
	} {
		l, g := serve(t, Endpoint{Network: c.network, Host: "127.0.0.1"}, c.listen)
		s := newSender(t, c.network, l.Addr(), c.send)
		want := ipfixMessages(500, 16, 1400, 65535)
		sendAll(t, s, want)
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", c.network, err)
		}
		g.want(t, "open", "close <nil>")
		got := g.all(t)
		if len(got) != len(want) {
			t.Fatalf("%s: %d messages, want %d", c.network, len(got), len(want))
		}
		for i := range want {
			if string(got[i]) != string(want[i]) {
				t.Fatalf("%s: message %d is another", c.network, i)
			}
		}
	}
}

// A receiver that ends the connection is noticed without sending, and sending then fails.
func TestSenderGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
	}()
	s := newSender(t, "tcp", peerOf(l.Addr()), SendOptions{})
	select {
	case <-s.gone:
	case <-time.After(5 * time.Second):
		t.Fatal("not noticed")
	}
	taken, err := s.Send(packets("192.0.2.1:1", ipfixMessages(1, 16)...))
	if taken.Sent != 0 || err == nil || !strings.Contains(err.Error(), "closed the connection") {
		t.Errorf("%+v, %v", taken, err)
	}
	s.Close()
}

// A receiver that does not read: Hurry ends the waiting, and what was taken whole is told.
func TestSenderSlow(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSender(t, "tcp", peerOf(l.Addr()), SendOptions{})
	defer s.Close()
	time.AfterFunc(time.Second, func() { s.Hurry(0) })
	start := time.Now()
	taken, err := s.Send(packets("192.0.2.1:1", ipfixMessages(400, 65535)...))
	if err == nil || taken.Sent == 0 || taken.Sent == 400 || time.Since(start) > 5*time.Second {
		t.Errorf("%+v, %v after %v", taken, err, time.Since(start))
	}
}

func TestSenderErrors(t *testing.T) {
	a := newAuthority(t, "ours")
	cert, key := a.issue(t, 2)
	secure, _ := serve(t, tlsEndpoint, StreamOptions{Cert: cert, Key: key})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	refusing := peerOf(closed.Addr()).Port()
	for _, c := range []struct {
		e    Endpoint
		o    SendOptions
		want string
	}{
		{Endpoint{Network: "tcp", Host: "127.0.0.1", Port: refusing}, SendOptions{}, "connection refused"},
		{Endpoint{Network: "tcp", Host: "", Port: 1}, SendOptions{}, "no host"},
		{Endpoint{Network: "udp", Host: "127.0.0.1"}, SendOptions{}, "no port"},
		{Endpoint{Network: "tcp", Host: "127.0.0.1", Port: 1}, SendOptions{Spoof: true}, "address of another"},
		{Endpoint{Network: "tls", Host: "127.0.0.1", Port: secure.Addr().Port()}, SendOptions{}, "TLS handshake"},
		{Endpoint{Network: "tls", Host: "127.0.0.1", Port: secure.Addr().Port()}, SendOptions{CA: filepath.Join(t.TempDir(), "no")}, "no such file"},
		{Endpoint{Network: "tls", Host: "127.0.0.1", Port: secure.Addr().Port()}, SendOptions{CA: a.file, ServerName: "other"}, "TLS handshake"},
		{Endpoint{Network: "udp", Host: "127.0.0.1", Port: 1}, SendOptions{Device: "no-such-if"}, "no-such-if"},
	} {
		s, err := Dial(context.Background(), c.e, c.o)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.e.String()) {
			t.Errorf("%s %+v: %v, want %q", c.e, c.o, err, c.want)
		}
	}
	if s, err := Dial(context.Background(), Endpoint{Network: "sctp", Host: "127.0.0.1", Port: 4739}, SendOptions{}); err == nil {
		s.Close()
	} else if !strings.Contains(err.Error(), "modprobe sctp") && !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

// Packets of all lengths in all orders come as they were, whether the kernel cuts them or not.
func TestSenderJoins(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		u := listen(t, host, UDPOptions{})
		got := receive(t, u)
		s := newSender(t, "udp", u.Addr(), SendOptions{})
		var want [][]byte
		for i, n := range []int{40, 1, 2, 33, 64, 100, 5, 70} { // so many of a length
			want = append(want, numbered(i, n, 1400-i*100)...)
			want = append(want, numbered(i, 1, i+3)...)
			want = append(want, numbered(i, i%3, 2000)...)
		}
		sendAll(t, s, want)
		s.Close()
		unchanged(t, got.stop(t, u), want)
	}
}

// A message that the kernel refuses to cut goes out in packets.
func TestSenderApart(t *testing.T) {
	u := listen(t, "127.0.0.1", UDPOptions{})
	got := receive(t, u)
	s := newSender(t, "udp", u.Addr(), SendOptions{})
	if s.out.segments == nil {
		t.Fatal("nothing is joined")
	}
	want := numbered(1, 10, 1000)
	var q backlog
	for _, p := range want {
		q.data = append(q.data, p...)
		q.items = append(q.items, item{end: len(q.data)})
	}
	data, size, n := s.out.run(&q, 0)
	s.out.set(0, nil, data)
	s.out.segment(0, size, n)
	var done outcome
	s.out.apart(0, &done)
	s.Close()
	if n != 10 || done.sent != 10 || done.failed != 0 {
		t.Errorf("%d packets, %+v", n, done)
	}
	unchanged(t, got.stop(t, u), want)
}
