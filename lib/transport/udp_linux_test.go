package transport

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func listen(t testing.TB, host string, o UDPOptions) *UDP {
	t.Helper()
	u, err := ListenUDP(Endpoint{Network: "udp", Host: host}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// received is what the workers of a socket got.
type received struct {
	wait    sync.WaitGroup
	mu      sync.Mutex
	packets []Packet // copies
	workers []int    // of each packet
}

// receive starts all workers.
func receive(t *testing.T, u *UDP) *received {
	r := &received{}
	for worker := range u.Workers() {
		r.wait.Go(func() {
			err := u.Receive(worker, func(batch []Packet) {
				r.mu.Lock()
				defer r.mu.Unlock()
				for _, p := range batch {
					r.packets = append(r.packets, Packet{slices.Clone(p.Data), p.From})
					r.workers = append(r.workers, worker)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
		for s := u.workers[worker]; ; time.Sleep(time.Millisecond) {
			s.mu.Lock()
			users := s.users
			s.mu.Unlock()
			if users == 2 {
				break
			}
		}
	}
	return r
}

// await waits until n packets have come, for at most two seconds.
func (r *received) await(n int) {
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		r.mu.Lock()
		have := len(r.packets)
		r.mu.Unlock()
		if have >= n {
			return
		}
	}
}

// stop closes the socket and gives what came.
func (r *received) stop(t *testing.T, u *UDP) []Packet {
	t.Helper()
	start := time.Now()
	u.Close()
	r.wait.Wait()
	if took := time.Since(start); took > drainTime+time.Second {
		t.Errorf("Receive went on for %v after Close", took)
	}
	return r.packets
}

// loss compares what came with what one sender sent.
func loss(t *testing.T, got []Packet, from netip.AddrPort, sent [][]byte) {
	t.Helper()
	if len(got) != len(sent) {
		t.Fatalf("%d packets came of %d", len(got), len(sent))
	}
	for i, p := range got {
		if p.From != from || string(p.Data) != string(sent[i]) {
			t.Fatalf("packet %d: %d bytes from %s, want %d from %s", i, len(p.Data), p.From, len(sent[i]), from)
		}
	}
}

// TestUDPLosesNothing sends more than the buffer holds, 100,000 packets a second.
func TestUDPLosesNothing(t *testing.T) {
	for _, host := range loopbacks {
		u := listen(t, host.String(), UDPOptions{})
		if u.Buffer().Granted < defaultBuffer {
			skip(t, "CAP_NET_ADMIN, for a receive buffer of 64 MiB")
		}
		l := newLoader(t, netip.Addr{}, u.Addr())
		got, done := 0, make(chan error)
		go func() {
			done <- u.Receive(0, func(batch []Packet) {
				for _, p := range batch {
					if p.From != l.from || len(p.Data) != 1200 || number(p.Data) != got || p.Data[1199] != byte(got+1199) {
						t.Errorf("packet %d: %d bytes from %s, number %d", got, len(p.Data), p.From, number(p.Data))
					}
					got++
				}
			})
		}()
		const n = 100000
		start := time.Now()
		for i := 0; i < n; i += 100 {
			l.send(t, numbered(i, 100, 1200))
			time.Sleep(time.Until(start.Add(time.Duration(i/100+1) * time.Millisecond)))
		}
		u.Close()
		if err := <-done; err != nil || got != n || u.Drops() != 0 {
			t.Errorf("%s: %d packets of %d, %d drops, %v", host, got, n, u.Drops(), err)
		}
	}
}

// TestUDPDrops overflows small buffers: what is missing is what the kernel counted,
// also when the sender joins datagrams.
func TestUDPDrops(t *testing.T) {
	for _, host := range loopbacks {
		for _, joined := range []int{1, 40} {
			u := listen(t, host.String(), UDPOptions{Workers: 2, Buffer: 4096})
			l := newLoader(t, netip.Addr{}, u.Addr())
			if joined > 1 {
				l.segments(t, 1200)
			}
			l.send(t, numbered(0, 4000/joined, 1200*joined))
			before := u.Drops()
			if before == 0 {
				t.Fatalf("%s: no packet was dropped", host)
			}
			r := receive(t, u)
			time.Sleep(50 * time.Millisecond)
			l.send(t, numbered(0, 4000/joined, 1200*joined)) // some of them while the worker reads
			got := r.stop(t, u)
			if n := u.Drops(); int(n)+len(got) != 8000 || n < before {
				t.Errorf("%s: %d received and %d dropped (%d before) of 8000", host, len(got), n, before)
			}
		}
	}
}

func TestUDPDropsWrap(t *testing.T) {
	u := listen(t, "127.0.0.1", UDPOptions{Buffer: 4096})
	l := newLoader(t, netip.Addr{}, u.Addr())
	u.workers[0].last = 1<<32 - 5 // as if the counter had been there
	l.send(t, numbered(0, 1000, 1200))
	n := 0
	for range 1000 {
		batch, _ := newBatch(false).receive(u.workers[0].fd, unix.MSG_DONTWAIT)
		if n += len(batch); len(batch) == 0 {
			break
		}
	}
	if got := u.Drops(); got != uint64(1000-n+5) {
		t.Errorf("%d drops, want %d behind the wrap", got, 1000-n+5)
	}
}

// TestUDPGRO sends joined datagrams of one length; what arrives are the single ones.
func TestUDPGRO(t *testing.T) {
	for _, host := range loopbacks {
		for _, c := range []struct{ size, last, n int }{{1200, 1200, 40}, {1200, 1, 40}, {500, 100, 100}, {32000, 777, 3}, {1, 1, 64}} {
			u := listen(t, host.String(), UDPOptions{})
			if !u.GRO() {
				skip(t, "UDP_GRO in the kernel")
			}
			r := receive(t, u)
			l := newLoader(t, netip.Addr{}, u.Addr())
			var sent, joined [][]byte
			for i := range 50 {
				whole := numbered(i, 1, c.size*(c.n-1)+c.last)[0]
				joined = append(joined, whole)
				sent = slices.AppendSeq(sent, slices.Chunk(whole, c.size))
			}
			l.segments(t, c.size)
			l.send(t, joined)
			loss(t, r.stop(t, u), l.from, sent)
		}
	}
}

// TestUDPAffinity sends from several ports of several addresses: all packets of
// an address reach one worker, and the addresses are spread.
func TestUDPAffinity(t *testing.T) {
	var lines []string
	for x := range 9 {
		lines = append(lines, fmt.Sprintf("addr add fd00::%d/128 dev lo nodad", x+1))
	}
	inNetwork(t, lines...)
	for _, c := range []struct {
		host    string
		sources string
	}{{"127.0.0.1", "127.0.0.x"}, {"::1", "fd00::x"}, {"", "127.0.1.x"}} {
		u := listen(t, c.host, UDPOptions{Workers: 4})
		if !u.BySource() {
			skip(t, "SO_ATTACH_REUSEPORT_CBPF in the kernel")
		}
		r := receive(t, u)
		for x := range 9 {
			from := netip.MustParseAddr(strings.Replace(c.sources, "x", string(rune('1'+x)), 1))
			to := netip.AddrPortFrom(from, u.Addr().Port())
			if c.host != "" {
				to = u.Addr()
			}
			for range 20 {
				newLoader(t, from, to).send(t, numbered(0, 3, 100))
			}
		}
		got := r.stop(t, u)
		if len(got) != 9*20*3 {
			t.Fatalf("%q: %d packets came of %d", c.host, len(got), 9*20*3)
		}
		worker := map[netip.Addr]int{}
		used := map[int]bool{}
		for i, p := range got {
			if w, ok := worker[p.From.Addr()]; ok && w != r.workers[i] {
				t.Fatalf("%q: %s reached workers %d and %d", c.host, p.From.Addr(), w, r.workers[i])
			}
			worker[p.From.Addr()] = r.workers[i]
			used[r.workers[i]] = true
		}
		if len(worker) != 9 || len(used) < 3 {
			t.Errorf("%q: %d addresses at %d of 4 workers", c.host, len(worker), len(used))
		}
	}
}

func TestUDPHasItsPortAlone(t *testing.T) {
	for _, workers := range []int{1, 3} {
		u := listen(t, "127.0.0.1", UDPOptions{Workers: workers})
		e := Endpoint{Network: "udp", Host: "127.0.0.1", Port: u.Addr().Port()}
		if other, err := ListenUDP(e, UDPOptions{Workers: workers}); err == nil {
			other.Close()
			t.Errorf("%d workers: a second collector receives at %s", workers, e)
		} else if !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), e.String()) {
			t.Errorf("%d workers: %v", workers, err)
		}
	}
}

func TestUDPAllAddresses(t *testing.T) {
	inNetwork(t)
	for _, c := range []struct {
		family Family
		host   string
		want   []netip.Addr
	}{
		{AnyFamily, "", loopbacks},
		{AnyFamily, "lo", loopbacks},
		{IPv4, "", loopbacks[:1]},
		{IPv6, "", loopbacks[1:]},
		{IPv6, "lo", loopbacks[1:]},
	} {
		u, err := ListenUDP(Endpoint{Network: "udp", Host: c.host, Family: c.family}, UDPOptions{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		r := receive(t, u)
		for _, to := range loopbacks {
			l := newLoader(t, netip.Addr{}, netip.AddrPortFrom(to, u.Addr().Port()))
			unix.Write(l.fd, []byte{1}) // refused where nobody listens
		}
		var got []netip.Addr
		for _, p := range r.stop(t, u) {
			got = append(got, p.From.Addr())
		}
		slices.SortFunc(got, netip.Addr.Compare)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s on %q: packets from %v, want %v", c.family, c.host, got, c.want)
		}
	}
}

// TestUDPDevice receives what comes by one interface, and not by the other.
func TestUDPDevice(t *testing.T) {
	inNetwork(t, "link add va type veth peer name vb", "link set va up", "link set vb up", "addr add 10.9.0.1/24 dev va")
	u := listen(t, "va", UDPOptions{Workers: 2})
	r := receive(t, u)
	for _, to := range []string{"127.0.0.1", "10.9.0.1", "::1"} {
		l := newLoader(t, netip.Addr{}, netip.AddrPortFrom(netip.MustParseAddr(to), u.Addr().Port()))
		unix.Write(l.fd, []byte{1})
	}
	if got := r.stop(t, u); len(got) != 1 || got[0].From.Addr().String() != "10.9.0.1" {
		t.Errorf("%v came, want one packet to the interface's address", got)
	}
}

func TestUDPMulticast(t *testing.T) {
	inNetwork(t, "link add va type veth peer name vb", "link set va up", "link set vb up",
		"addr add 10.9.0.1/24 dev va", "addr add fd09::1/64 dev va nodad", "route add 239.0.0.0/8 dev va")
	for _, c := range []struct{ group, host string }{
		{"239.1.2.3", "va"}, {"239.1.2.3", "10.9.0.1"}, {"239.1.2.3", ""},
		{"ff15::7", "va"}, {"ff15::7", "fd09::1"}, {"ff12::7", "va"}, {"ff12::7%va", ""},
	} {
		group := netip.MustParseAddr(c.group)
		u, err := ListenUDP(Endpoint{Network: "udp", Host: c.host}, UDPOptions{Workers: 4, Group: group})
		if err != nil {
			t.Errorf("%s on %q: %v", c.group, c.host, err)
			continue
		}
		wild := listen(t, "", UDPOptions{Workers: 2}) // of another program: the group is not for it
		r, other := receive(t, u), receive(t, wild)
		for _, port := range []uint16{u.Addr().Port(), wild.Addr().Port()} {
			l := newLoader(t, netip.Addr{}, netip.AddrPortFrom(group.WithZone("va"), port))
			l.send(t, numbered(0, 10, 100))
		}
		if got := r.stop(t, u); len(got) != 10 || u.Workers() != 1 {
			t.Errorf("%s on %q: %d packets by %d workers, want 10 by 1", c.group, c.host, len(got), u.Workers())
		}
		if got := other.stop(t, wild); len(got) != 0 {
			t.Errorf("%s: %d packets at a socket that is no member", c.group, len(got))
		}
	}
}

func TestUDPSizes(t *testing.T) {
	for _, host := range loopbacks {
		u := listen(t, host.String(), UDPOptions{})
		r := receive(t, u)
		l := newLoader(t, netip.Addr{}, u.Addr())
		sent := [][]byte{{}, make([]byte, 1), make([]byte, 16), make([]byte, 9000), make([]byte, 65507)}
		l.send(t, sent)
		loss(t, r.stop(t, u), l.from, sent)
	}
}

func TestUDPClose(t *testing.T) {
	u := listen(t, "127.0.0.1", UDPOptions{Workers: 3})
	r := receive(t, u)
	time.Sleep(20 * time.Millisecond) // all of them wait
	start := time.Now()
	r.stop(t, u)
	if took := time.Since(start); took > 200*time.Millisecond {
		t.Errorf("idle workers took %v to end", took)
	}
	if err := u.Receive(1, func([]Packet) { t.Error("a packet after Close") }); err != nil {
		t.Error(err)
	}
	if u.Close() != nil || u.Drops() != 0 {
		t.Errorf("a second Close: %v, %d drops", u.Close(), u.Drops())
	}
}

// TestUDPCloseDrains closes a socket that holds packets.
func TestUDPCloseDrains(t *testing.T) {
	u := listen(t, "127.0.0.1", UDPOptions{})
	l := newLoader(t, netip.Addr{}, u.Addr())
	sent := numbered(0, 1000, 200)
	l.send(t, sent[:80])
	r := &received{}
	err := u.Receive(0, func(batch []Packet) {
		if len(r.packets) == 0 {
			l.send(t, sent[80:])
			u.Close()
		}
		for _, p := range batch {
			r.packets = append(r.packets, Packet{slices.Clone(p.Data), p.From})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if u.Buffer().Short() && u.Drops() > 0 {
		skip(t, "a receive buffer that holds the packets")
	}
	loss(t, r.packets, l.from, sent)
}

// TestBufferWithoutRights asks for more than an unprivileged process gets.
func TestBufferWithoutRights(t *testing.T) {
	limit, _ := kernelLimits()
	if limit == 0 || limit >= 512<<20 {
		skip(t, "a small net.core.rmem_max")
	}
	runtime.LockOSThread() // no unlocking: the thread ends without its rights
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	u := listen(t, "127.0.0.1", UDPOptions{Buffer: 512 << 20})
	b := u.Buffer()
	if b.Requested != 512<<20 || b.Granted > limit || b.Granted == 0 || !b.Short() ||
		b.Sysctl[0] != "sysctl -w net.core.rmem_max=536870912" {
		t.Errorf("%+v with rmem_max=%d", b, limit)
	}
}

func TestBufferAdvice(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		b       Buffer
		sockets int
		rmemMax int
		udpMem  [3]int
		want    string
	}{
		{Buffer{64 * mib, 64 * mib, nil}, 2, 4 * mib, [3]int{1 << 20, 1 << 21, 1 << 22}, ""},
		{Buffer{64 * mib, 4 * mib, nil}, 2, 4 * mib, [3]int{1 << 20, 1 << 21, 1 << 22}, "sysctl -w net.core.rmem_max=67108864"},
		{Buffer{64 * mib, 64 * mib, nil}, 2, 4 * mib, [3]int{20000, 30000, 40000}, "sysctl -w net.ipv4.udp_mem='65536 65536 131072'"},
		{Buffer{64 * mib, 4 * mib, nil}, 1, 4 * mib, [3]int{}, "sysctl -w net.core.rmem_max=67108864"},
	} {
		c.b.advise(c.sockets, c.rmemMax, c.udpMem)
		if got := strings.Join(c.b.Sysctl, "; "); got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
}

func TestUDPOptionErrors(t *testing.T) {
	for _, c := range []struct {
		e    Endpoint
		o    UDPOptions
		want string
	}{
		{Endpoint{Network: "udp", Host: "127.0.0.1"}, UDPOptions{Workers: 257}, "workers"},
		{Endpoint{Network: "udp", Host: "127.0.0.1"}, UDPOptions{Workers: -1}, "workers"},
		{Endpoint{Network: "udp", Host: "127.0.0.1"}, UDPOptions{Buffer: 1<<30 + 1}, "receive buffer"},
		{Endpoint{Network: "udp", Host: "127.0.0.1", Family: IPv6}, UDPOptions{}, "no IPv6 address"},
		{Endpoint{Network: "udp"}, UDPOptions{Group: netip.MustParseAddr("10.0.0.1")}, "no multicast group"},
		{Endpoint{Network: "udp", Family: IPv6}, UDPOptions{Group: netip.MustParseAddr("239.0.0.1")}, "no IPv6 group"},
		{Endpoint{Network: "udp"}, UDPOptions{Group: netip.MustParseAddr("ff02::1")}, "name one"},
		{Endpoint{Network: "udp", Host: "127.0.0.99"}, UDPOptions{Group: netip.MustParseAddr("239.0.0.1")}, "no interface has"},
		{Endpoint{Network: "tcp", Host: "127.0.0.1"}, UDPOptions{}, "no datagrams"},
	} {
		if u, err := ListenUDP(c.e, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v, %+v: %v, %v; want %q", c.e, c.o, u, err, c.want)
		}
	}
}

func TestReceiveAllocatesNothing(t *testing.T) {
	u := listen(t, "127.0.0.1", UDPOptions{})
	l := newLoader(t, netip.Addr{}, u.Addr())
	b := newBatch(true)
	packets := numbered(0, batchSize, 100)
	n := testing.AllocsPerRun(20, func() {
		l.send(t, packets)
		for got := 0; got < batchSize; {
			batch, _ := b.receive(u.workers[0].fd, 0)
			got += len(batch)
		}
	})
	if sending := testing.AllocsPerRun(20, func() { l.send(t, packets) }); n > sending {
		t.Errorf("%v allocations for a batch", n-sending)
	}
}
