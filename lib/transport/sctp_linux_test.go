package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sctp is an endpoint on a kernel that has SCTP. Few test machines have one:
// nfcap/sctp-qemu.sh runs these tests where it is.
func sctp(t *testing.T, host netip.Addr) Endpoint {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
	if err != nil {
		t.Skip("missing: SCTP in the kernel; nfcap/sctp-qemu.sh boots one")
	}
	unix.Close(fd)
	return Endpoint{Network: "sctp", Host: host.String()}
}

func TestSCTPMissing(t *testing.T) {
	l, err := Listen(Endpoint{Network: "sctp", Host: "127.0.0.1"}, StreamOptions{})
	if err == nil {
		l.Close()
		t.Skip("missing: a kernel without SCTP")
	}
	if !strings.Contains(err.Error(), "modprobe sctp") || !errors.Is(err, unix.EPROTONOSUPPORT) {
		t.Error(err)
	}
}

// peer is the exporter's side.
type peer struct {
	t  *testing.T
	fd int
}

func connectSCTP(t *testing.T, to netip.AddrPort) *peer {
	t.Helper()
	family := unix.AF_INET6
	if to.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t, fd}
	t.Cleanup(func() { p.close() })
	if err := unix.Connect(fd, sockaddr(family, to)); err != nil {
		t.Fatal(err)
	}
	return p
}

// send sends a user message on a stream.
func (p *peer) send(stream uint16, data []byte) {
	p.t.Helper()
	const sndInfo = 2 // control message with a struct sctp_sndinfo of 16 bytes
	control := make([]byte, unix.CmsgSpace(16))
	h := control[:unix.SizeofCmsghdr]
	binary.NativeEndian.PutUint64(h, uint64(unix.CmsgLen(16)))
	binary.NativeEndian.PutUint32(h[8:], solSCTP)
	binary.NativeEndian.PutUint32(h[12:], sndInfo)
	binary.NativeEndian.PutUint16(control[unix.SizeofCmsghdr:], stream)
	if _, err := unix.SendmsgN(p.fd, data, control, nil, unix.MSG_NOSIGNAL); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) close() {
	if p.fd >= 0 {
		unix.Close(p.fd)
		p.fd = -1
	}
}

func TestSCTP(t *testing.T) {
	for _, host := range loopbacks {
		l, g := serve(t, sctp(t, host), StreamOptions{})
		if l.Addr().Addr() != host || l.Addr().Port() == 0 {
			t.Errorf("listens at %s", l.Addr())
		}
		p := connectSCTP(t, l.Addr())
		var want [][]byte
		for i := range 300 {
			want = append(want, message(16+i*219%65520, byte(i)))
			p.send(uint16(i%4), want[i])
		}
		want = append(want, message(65535, 1), message(20, 2), message(30, 3))
		p.send(0, want[300])
		p.send(0, bytes.Join(want[301:], nil)) // two in one
		p.close()
		g.want(t, "open", "close <nil>")
		if got := g.all(t); len(got) != len(want) {
			t.Fatalf("%s: %d messages, want %d", host, len(got), len(want))
		}
		left := map[string]int{} // streams overtake each other
		for i, m := range g.all(t) {
			left[string(m)]++
			if i < 300 && string(m) == string(want[i]) && g.streams[i] != uint16(i%4) {
				t.Fatalf("message %d is of stream %d", i, g.streams[i])
			}
		}
		for _, m := range want {
			left[string(m)]--
		}
		for m, n := range left {
			if n != 0 {
				t.Errorf("%s: a message of %d bytes came %d times too often", host, len(m), n)
			}
		}
	}
}

// What a Sender sends comes as it was, on stream 0.
func TestSCTPSender(t *testing.T) {
	for _, host := range loopbacks {
		l, g := serve(t, sctp(t, host), StreamOptions{})
		s := newSender(t, "sctp", l.Addr(), SendOptions{})
		want := ipfixMessages(200, 16, 1400, 65535)
		sendAll(t, s, want)
		s.Close()
		g.want(t, "open", "close <nil>")
		got := g.all(t)
		if len(got) != len(want) {
			t.Fatalf("%s: %d messages, want %d", host, len(got), len(want))
		}
		for i := range want {
			if string(got[i]) != string(want[i]) || g.streams[i] != 0 {
				t.Fatalf("%s: message %d is another, or of stream %d", host, i, g.streams[i])
			}
		}
	}
}

func TestSCTPEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		send []byte
		want string
	}{
		{"nothing", nil, "close <nil>"},
		{"no IPFIX", []byte("\x00\x09\x00\x10xxxxxxxxxxxx"), "close sctp 127.0.0.1:"},
		{"half a message", message(100, 1)[:60], "close sctp 127.0.0.1:"},
		{"one and a half", append(message(100, 1), message(100, 2)[:99]...), "close sctp 127.0.0.1:"},
		{"longer than its length", append(message(100, 1), 0), "close sctp 127.0.0.1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, g := serve(t, sctp(t, loopbacks[0]), StreamOptions{})
			p := connectSCTP(t, l.Addr())
			g.want(t, "open")
			if c.send == nil {
				p.close()
			} else {
				p.send(1, c.send)
			}
			g.want(t, c.want)
		})
	}
}

func TestSCTPTimeout(t *testing.T) {
	l, g := serve(t, sctp(t, loopbacks[0]), StreamOptions{IdleTimeout: 200 * time.Millisecond})
	connectSCTP(t, l.Addr()).send(0, message(20, 0))
	g.want(t, "open", "close sctp 127.0.0.1:")
}

func TestSCTPCaps(t *testing.T) {
	l, g := serve(t, sctp(t, loopbacks[0]), StreamOptions{MaxPerPeer: 1})
	connectSCTP(t, l.Addr())
	g.want(t, "open")
	connectSCTP(t, l.Addr())
	g.want(t, "refuse sctp 127.0.0.1:")
}

func TestSCTPClose(t *testing.T) {
	l, g := serve(t, sctp(t, loopbacks[0]), StreamOptions{})
	p := connectSCTP(t, l.Addr())
	g.want(t, "open")
	p.send(0, message(1000, 1))
	start := time.Now()
	l.Close()
	g.want(t, "close <nil>")
	if took := time.Since(start); took > 3*time.Second || len(g.all(t)) != 1 {
		t.Errorf("%d messages, and it took %v", len(g.all(t)), took)
	}
}
