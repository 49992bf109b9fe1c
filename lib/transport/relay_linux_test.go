package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// packets are those of a sender.
func packets(from string, data ...[]byte) []Packet {
	all := make([]Packet, len(data))
	for i, d := range data {
		all[i] = Packet{d, netip.MustParseAddrPort(from)}
	}
	return all
}

func newRelay(t testing.TB, o RelayOptions, targets ...string) *Relay {
	t.Helper()
	r, err := NewRelay(targets, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// sizes are packets of a few bytes and of as many as there can be.
var sizes = [][]byte{{}, numbered(1, 1, 3)[0], numbered(2, 1, 16)[0], numbered(3, 1, 1472)[0],
	numbered(4, 1, 1473)[0], numbered(5, 1, 9000)[0], numbered(6, 1, 65507)[0]}

// unchanged compares what came with what was relayed.
func unchanged(t *testing.T, got []Packet, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d packets came of %d", len(got), len(want))
	}
	for i, p := range got {
		if string(p.Data) != string(want[i]) {
			t.Fatalf("packet %d of %d bytes came with %d or others", i, len(want[i]), len(p.Data))
		}
	}
}

func TestRelay(t *testing.T) {
	a, b := listen(t, "127.0.0.1", UDPOptions{}), listen(t, "::1", UDPOptions{})
	gotA, gotB := receive(t, a), receive(t, b)
	r := newRelay(t, RelayOptions{}, fmt.Sprintf("127.0.0.1/%d", a.Addr().Port()), b.Addr().String())
	want := append(slices.Clone(sizes), numbered(0, 1000, 1450)...)
	r.Send(packets("192.0.2.1:2055", want...))
	r.Close()
	unchanged(t, gotA.stop(t, a), want)
	unchanged(t, gotB.stop(t, b), want)
	r.Send(packets("192.0.2.1:2055", want[1]))
	for i, s := range r.Stats() {
		if to := []*UDP{a, b}[i].Addr(); s != (RelayStats{Target: to, Sent: uint64(len(want)), Dropped: 1}) {
			t.Errorf("%+v", s)
		}
	}
}

// TestRelayDead has a target where nobody listens: the others get everything.
func TestRelayDead(t *testing.T) {
	u := listen(t, "127.0.0.1", UDPOptions{})
	if u.Buffer().Granted < defaultBuffer {
		skip(t, "CAP_NET_ADMIN, for a receive buffer of 64 MiB")
	}
	closed := listen(t, "127.0.0.1", UDPOptions{})
	closed.Close()
	got := receive(t, u)
	r := newRelay(t, RelayOptions{Queue: 32 << 20}, closed.Addr().String(), u.Addr().String()) // for all: a busy machine is no matter here
	want := numbered(0, 5000, 1000)
	for batch := range slices.Chunk(want, 50) {
		r.Send(packets("192.0.2.1:2055", batch...))
		time.Sleep(100 * time.Microsecond)
	}
	r.Close()
	unchanged(t, got.stop(t, u), want)
	s := r.Stats()
	if s[0].Sent != 5000 || s[0].Refused == 0 || !errors.Is(s[0].Err, unix.ECONNREFUSED) {
		t.Errorf("nobody listens: %+v", s[0])
	}
	if s[1].Sent != 5000 || s[1].Err != nil {
		t.Errorf("%+v", s[1])
	}
}

// TestRelayFull has a target that takes nothing: its queue fills, and Send returns.
func TestRelayFull(t *testing.T) {
	stuck := &target{limit: 1 << 20}
	stuck.filled.L = &stuck.mu
	r := &Relay{targets: []*target{stuck}}
	batch := packets("192.0.2.1:2055", numbered(0, 100, 1000)...)
	start := time.Now()
	for range 100 {
		r.Send(batch)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Send took %v", took)
	}
	fit := uint64((1 << 20) / (1000 + itemSize))
	if s := r.Stats()[0]; s.Dropped != 10000-fit || uint64(len(stuck.queue.items)) != fit {
		t.Errorf("%+v with %d waiting, want %d", s, len(stuck.queue.items), fit)
	}
	for range 100 { // what has no bytes takes room too
		r.Send(slices.Repeat(packets("192.0.2.1:2055", nil), 1000))
	}
	if n := stuck.queue.size(); n > stuck.limit {
		t.Errorf("%d bytes in a queue of %d", n, stuck.limit)
	}
}

// TestRelayStuck has a way that takes some packets a second: Send and Close
// return, and nothing is uncounted.
func TestRelayStuck(t *testing.T) {
	var host *UDP
	twoNetworks(t, 1500, func() { host = listen(t, "10.9.0.2", UDPOptions{}) })
	out, err := exec.Command("tc", strings.Fields("qdisc add dev va root tbf rate 80kbit burst 3000 limit 100000000")...).CombinedOutput()
	if err != nil {
		skip(t, fmt.Sprintf("tc with tbf: %v: %s", err, out))
	}
	for _, spoof := range []bool{false, true} {
		r := newRelay(t, RelayOptions{Queue: 1 << 20, Spoof: spoof}, host.Addr().String())
		start := time.Now()
		for range 100 {
			r.Send(packets("192.0.2.1:2055", numbered(0, 50, 1400)...))
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("Send took %v", took)
		}
		r.Close()
		if took := time.Since(start); took > closeTime+2*time.Second {
			t.Errorf("Close took %v", took)
		}
		s := r.Stats()[0]
		if s.Sent+s.Dropped+s.Failed != 5000 || s.Dropped == 0 || s.Failed == 0 ||
			!errors.Is(s.Err, unix.EAGAIN) && !errors.Is(s.Err, errEnded) {
			t.Errorf("spoof %v: %+v, want 5000 in all", spoof, s)
		}
	}
}

func TestRelayErrors(t *testing.T) {
	for _, c := range []struct {
		target string
		o      RelayOptions
		want   string
	}{
		{"host:0", RelayOptions{}, "port 0"},
		{"[::1", RelayOptions{}, "no ]"},
		{"127.0.0.1", RelayOptions{Queue: 1000}, "queue of 1000 bytes"},
	} {
		if r, err := NewRelay([]string{c.target}, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %+v: %v, %v; want %q", c.target, c.o, r, err, c.want)
		}
	}
}

func TestSpoofWithoutRights(t *testing.T) {
	runtime.LockOSThread() // no unlocking: the thread ends without its rights
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"127.0.0.1:2055", "[::1]:2055"} {
		_, err := NewRelay([]string{to}, RelayOptions{Spoof: true})
		if err == nil || !strings.Contains(err.Error(), "setcap cap_net_raw+ep /") || !errors.Is(err, unix.EPERM) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// twoNetworks gives the test's goroutine a network namespace with 10.9.0.1 and
// fd09::1 on an interface of an MTU, and runs f in another one with 10.9.0.2 and
// fd09::2 behind it, which lasts as long as a socket that f opens.
func twoNetworks(t *testing.T, mtu int, f func()) {
	t.Helper()
	inNetwork(t)
	thread, linked, done := make(chan int), make(chan bool), make(chan bool)
	ip := func(line string) {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Errorf("ip %s: %v\n%s", line, err, out)
		}
	}
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		noDetection()
		thread <- unix.Gettid()
		<-linked
		ip("addr add 10.9.0.2/24 dev vb")
		ip("addr add fd09::2/64 dev vb nodad")
		ip("link set vb up")
		for range 100 { // a link is not ready at once
			if out, _ := exec.Command("ip", "-6", "addr", "show", "dev", "vb", "scope", "link").Output(); len(out) > 0 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		ip("route add default via 10.9.0.1")
		ip("route add default via fd09::1")
		f()
	}()
	ip(fmt.Sprintf("link add va mtu %d type veth peer name vb mtu %d netns %d", mtu, mtu, <-thread))
	ip("addr add 10.9.0.1/24 dev va")
	ip("addr add fd09::1/64 dev va nodad")
	ip("link set va up")
	linked <- true
	<-done
	for _, to := range []string{"10.9.0.2:9", "[fd09::2]:9"} { // until neighbours know each other
		l := newLoader(t, netip.Addr{}, netip.MustParseAddrPort(to))
		for range 500 {
			if _, err := unix.Write(l.fd, []byte{0}); err == unix.ECONNREFUSED {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// TestSpoof relays to another host: packets come unchanged, with the address and
// port of their sender, and with checksums that its kernel takes.
func TestSpoof(t *testing.T) {
	for _, mtu := range []int{1500, 9000, 1280} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) { testSpoof(t, mtu) })
	}
}

func testSpoof(t *testing.T, mtu int) {
	want := append(slices.Clone(sizes), numbered(0, 500, 1450)...)
	for n := mtu - 60; n < mtu+20; n++ {
		want = append(want, numbered(n, 1, n)[0])
	}
	var hosts [2]*UDP
	var got [2]*received
	twoNetworks(t, mtu, func() {
		for i, host := range []string{"10.9.0.2", "fd09::2"} {
			hosts[i] = listen(t, host, UDPOptions{})
			got[i] = receive(t, hosts[i])
		}
	})
	if t.Failed() {
		return
	}
	r := newRelay(t, RelayOptions{Spoof: true}, hosts[0].Addr().String(), hosts[1].Addr().String())
	r.targets[0].out.id = 0xfffe // the number for fragments passes 0
	senders := []string{"192.0.2.55:4444", "[2001:db8::55]:5555"}
	for i, from := range senders {
		for start := 0; start < len(want); start += 20 { // few at a time, for the queues of the interface are short
			end := min(start+20, len(want))
			r.Send(packets(from, want[start:end]...))
			got[i].await(end)
		}
	}
	r.Close()
	for i, from := range senders {
		all := got[i].stop(t, hosts[i])
		unchanged(t, all, want)
		for _, p := range all {
			if p.From.String() != from {
				t.Fatalf("a packet from %s came from %s", from, p.From)
			}
		}
		s := r.Stats()[i]
		if s.Sent != uint64(len(want)) || s.Failed != uint64(len(want)) || !errors.Is(s.Err, errFamilies) {
			t.Errorf("%+v, want %d sent, and as many of the other family failed", s, len(want))
		}
	}
}

// TestSpoofMTU lowers the MTU of the interface while the relay runs.
func TestSpoofMTU(t *testing.T) {
	var host *UDP
	var got *received
	twoNetworks(t, 1500, func() {
		host = listen(t, "10.9.0.2", UDPOptions{})
		got = receive(t, host)
	})
	r := newRelay(t, RelayOptions{Spoof: true}, host.Addr().String())
	send := func(n int, data []byte) RelayStats {
		t.Helper()
		r.Send(packets("192.0.2.55:4444", data))
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			if s := r.Stats()[0]; s.Sent+s.Failed == uint64(n) || time.Now().After(end) {
				return s
			}
		}
	}
	data := numbered(0, 1, 1400)[0]
	send(1, data)
	if out, err := exec.Command("ip", "link", "set", "va", "mtu", "1000").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if s := send(2, data); s.Sent != 1 || s.Failed != 1 || !errors.Is(s.Err, unix.EMSGSIZE) {
		t.Errorf("%+v, want one failed", s)
	}
	if s := send(3, data); s.Sent != 2 {
		t.Errorf("%+v, want the next one sent in fragments", s)
	}
	if s := send(4, numbered(0, 1, 65507)[0]); s.Failed != 2 || !errors.Is(s.Err, unix.EMSGSIZE) {
		t.Errorf("%+v, want what needs 67 fragments to fail", s)
	}
	r.Close()
	unchanged(t, got.stop(t, host), [][]byte{data, data})
}

func BenchmarkRelaySend(b *testing.B) {
	u := listen(b, "127.0.0.1", UDPOptions{Buffer: 4096})
	for _, spoof := range []bool{false, true} {
		if spoof && os.Getuid() != 0 {
			skip(b, "root")
		}
		b.Run(fmt.Sprintf("spoof=%v", spoof), func(b *testing.B) {
			t, err := newOutlet(u.Addr(), way{spoof: spoof})
			if err != nil {
				b.Fatal(err)
			}
			defer t.close()
			var q backlog
			for _, p := range numbered(0, 1000, 1450) {
				q.data = append(q.data, p...)
				q.items = append(q.items, item{len(q.data), netip.MustParseAddrPort("127.0.0.1:2055")})
			}
			b.ReportAllocs()
			sent := 0
			for b.Loop() {
				done := t.send(&q)
				sent += int(done.sent)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent), "ns/packet")
		})
	}
}
