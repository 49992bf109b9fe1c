package capture_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nfpipe/lib/capture"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
)

// live is a capture under way and what it has delivered.
type live struct {
	*capture.Live
	mu      sync.Mutex
	packets []packet.Packet
	calls   int
	gaps    int // of more than 100 ms between two calls
	now     int64
	counts  capture.Counts
	done    chan error
}

// begin starts a capture in the namespace of the test.
func begin(t testing.TB, c capture.LiveConfig) *live {
	t.Helper()
	l := &live{done: make(chan error, 1)}
	var err error
	if l.Live, err = capture.OpenLive(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	go func() {
		last := time.Now()
		counts, err := l.Feed(0, func(ps []packet.Packet, now int64) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.packets = append(l.packets, ps...)
			if time.Since(last) > 100*time.Millisecond {
				l.gaps++
			}
			last = time.Now()
			l.calls++
			l.now = now
			return nil
		})
		l.counts = counts
		l.done <- err
	}()
	for end := time.Now().Add(5 * time.Second); !l.begun(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the feed does not begin")
		}
	}
	return l
}

func (l *live) begun() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls > 0
}

func (l *live) got() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.packets)
}

// await waits until n packets were delivered, and returns how long that took.
func (l *live) await(t testing.TB, n int) time.Duration {
	t.Helper()
	start := time.Now()
	for l.got() < n {
		if time.Since(start) > 5*time.Second {
			t.Fatalf("%d packets of %d were delivered", l.got(), n)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(start)
}

// end closes the capture and returns all packets.
func (l *live) end(t testing.TB) []packet.Packet {
	t.Helper()
	l.Close()
	l.ends(t, "")
	return l.packets
}

// ends waits for the end of Feed, whose error has to say something, or be none.
func (l *live) ends(t testing.TB, says string) {
	t.Helper()
	select {
	case err := <-l.done:
		if err == nil && says != "" || err != nil && (says == "" || !strings.Contains(err.Error(), says)) {
			t.Fatalf("the feed ended with %v, want %q", err, says)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the feed does not end")
	}
}

// frames are those of a crafted capture.
func frames(t testing.TB, name string) (list [][]byte, ethernet bool) {
	t.Helper()
	f, err := os.Open(filepath.Join(crafted, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	packets, err := all(in)
	if err != nil || len(packets) == 0 {
		t.Fatalf("%s: %d packets, error %v", name, len(packets), err)
	}
	for _, p := range packets {
		list = append(list, p.Data)
	}
	return list, packets[0].LinkType == packet.LinkEthernet
}

var times = regexp.MustCompile(` -?\d+--?\d+`)

// flows meters packets as if they came one by one in a moment, and shows the records without times.
func flows(packets []packet.Packet) (list []string) {
	m := meter.New(meter.Config{}, func(r *meter.Record) { list = append(list, show(r)...) })
	for i := range packets {
		packets[i].Time = epoch + int64(i)*1000
	}
	m.Add(packets)
	m.Flush()
	for i := range list {
		list[i] = times.ReplaceAllString(list[i], "")
	}
	slices.Sort(list)
	return list
}

// parse is what a reader of frames sees.
func parse(frames [][]byte) (packets []packet.Packet) {
	var q packet.Parser
	for _, f := range frames {
		var p packet.Packet
		if q.Parse(packet.LinkEthernet, f, len(f), &p) == packet.IP {
			packets = append(packets, p)
		}
	}
	return packets
}

// What is sent into an interface makes the records that the capture file makes, whether one ring
// takes it or several.
func TestLiveCrafted(t *testing.T) {
	pair(t)
	out := inject(t, "v0")
	files := 0
	for _, c := range truth {
		sent, ethernet := frames(t, c.name)
		if !ethernet {
			continue
		}
		files++
		on := []capture.LiveConfig{{Interface: "v1", Workers: 1}, {Interface: "v0", Workers: 1}, {Interface: "v1", Workers: 3}}
		var lives []*live
		for _, config := range on {
			config.Buffer = 4 << 20
			lives = append(lives, begin(t, config))
		}
		for _, f := range sent {
			out.send(f)
		}
		want := flows(parse(sent))
		for _, l := range lives {
			l.Close()
		}
		for i, l := range lives {
			name := fmt.Sprintf("%s on %s with %d rings", c.name, on[i].Interface, on[i].Workers)
			compare(t, name, flows(l.end(t)), want)
			if s := l.Stats(); int(s.Packets) != len(sent) || s.Drops != 0 || int(l.counts.Frames) != len(sent) {
				t.Errorf("%s: %d frames sent, the kernel says %+v, Feed %+v", name, len(sent), s, l.counts)
			}
		}
	}
	if files < 30 {
		t.Errorf("%d captures of Ethernet", files)
	}
}

// One packet on a quiet link comes soon; calls go on without packets, and their clock moves.
func TestLiveQuiet(t *testing.T) {
	pair(t)
	out := inject(t, "v0")
	l := begin(t, capture.LiveConfig{Interface: "v1", Buffer: 4 << 20})
	f, _ := frames(t, "20_dns.pcap")
	for n := range 3 {
		time.Sleep(150 * time.Millisecond)
		sent := time.Now()
		out.send(f[0])
		if d := l.await(t, n+1); d > 200*time.Millisecond {
			t.Errorf("packet %d came after %v", n, d)
		}
		l.mu.Lock()
		came := l.packets[n].Time
		l.mu.Unlock()
		if late := sent.UnixNano() - came; late > 1e8 || late < -1e8 {
			t.Errorf("packet %d has a time %d ns before it was sent", n, late)
		}
	}
	time.Sleep(300 * time.Millisecond)
	closed := time.Now()
	l.end(t)
	if d := time.Since(closed); d > 200*time.Millisecond {
		t.Errorf("the feed ended %v after Close", d)
	}
	if l.gaps > 1 || l.calls < 8 { // one for a machine that does something else
		t.Errorf("%d calls, %d times more than 100 ms apart", l.calls, l.gaps)
	}
	if behind := time.Now().UnixNano() - l.now; behind < 0 || behind > 2e8 {
		t.Errorf("the clock of the last call was %d ns behind", behind)
	}
	l.Close()
	if _, err := l.Feed(0, nil); err != nil {
		t.Errorf("a feed after Close: %v", err)
	}
}

// Packets of the loopback device show once, also when all devices are captured.
func TestLiveLoopback(t *testing.T) {
	pair(t)
	for _, on := range []string{"lo", "any"} {
		l := begin(t, capture.LiveConfig{Interface: on, Buffer: 4 << 20, Workers: 1})
		out := inject(t, "lo")
		f, _ := frames(t, "24_selfaddr.pcap")
		for range 10 {
			out.send(f[0])
		}
		if got := l.end(t); len(got) != 10 || got[0].SrcPort != 1111 {
			t.Errorf("%s: 10 packets sent, %d captured", on, len(got))
		}
		if l.Index() != map[string]int{"lo": 1, "any": 0}[on] {
			t.Errorf("%s has the number %d", on, l.Index())
		}
	}
}

// All devices: both ends of a pair see a packet, with its VLAN tags and addresses.
func TestLiveAny(t *testing.T) {
	pair(t)
	out := inject(t, "v0")
	for _, name := range []string{"14_qinq.pcap", "15_mpls.pcap", "27_icmp6.pcap"} {
		sent, _ := frames(t, name)
		l := begin(t, capture.LiveConfig{Interface: "any", Buffer: 4 << 20, Workers: 2})
		var want []packet.Packet
		for _, f := range sent {
			out.send(f)
			want = append(want, parse([][]byte{f, f})...)
		}
		got := l.end(t)
		compare(t, name, flows(got), flows(want))
		if len(got) == 0 || got[0].DstMAC == [6]byte{} {
			t.Errorf("%s: %d packets, of which the first has no MAC address", name, len(got))
		}
		seen := map[uint32]int{}
		for _, p := range got {
			seen[p.Interface]++
		}
		for _, name := range []string{"v0", "v1"} {
			if i, err := net.InterfaceByName(name); err != nil || seen[uint32(i.Index)] != len(got)/2 {
				t.Errorf("packets by interface %v, of which %+v is %s, %v", seen, i, name, err)
			}
		}
	}
}

// A tunnel device has no link header.
func TestLiveRawIP(t *testing.T) {
	inNetwork(t)
	out := tunnel(t, "t0")
	ip(t, "link set t0 up")
	l := begin(t, capture.LiveConfig{Interface: "t0", Buffer: 4 << 20})
	f, _ := frames(t, "20_dns.pcap")
	out.send(f[0][14:])
	l.await(t, 1)
	if got := l.end(t); got[0].DstPort != 53 || got[0].Family != 4 {
		t.Errorf("%+v", got[0])
	}
}

// While an interface is down the feed waits for it; when it is removed the feed says so.
func TestLiveInterfaceGoes(t *testing.T) {
	for _, workers := range []int{1, 2} {
		pair(t)
		f, _ := frames(t, "20_dns.pcap")
		l := begin(t, capture.LiveConfig{Interface: "v1", Buffer: 4 << 20, Workers: workers})
		out := inject(t, "v0")
		out.send(f[0])
		l.await(t, 1)
		ip(t, "link set v1 down")
		time.Sleep(200 * time.Millisecond)
		ip(t, "link set v1 up")
		passes(t, l, out, f[0])
		n := l.got()
		out.send(f[0])
		ip(t, "link del v0")
		l.ends(t, "capture on v1: the interface was removed")
		if l.got() != n+1 {
			t.Errorf("%d rings: the last packet before the end was not delivered", workers)
		}
	}
}

// passes sends packets until one is delivered: a link that has come up takes a while to pass them.
// Then all that passed have been delivered.
func passes(t *testing.T, l *live, out *injector, f []byte) {
	t.Helper()
	before := l.got()
	for range 50 {
		out.send(f)
		time.Sleep(100 * time.Millisecond)
		if l.got() > before {
			return
		}
	}
	t.Fatal("no packet passes")
}

// A capture may begin while the interface is down.
func TestLiveDown(t *testing.T) {
	pair(t)
	ip(t, "link set v1 down")
	l := begin(t, capture.LiveConfig{Interface: "v1", Buffer: 4 << 20, Workers: 2})
	ip(t, "link set v1 up")
	f, _ := frames(t, "20_dns.pcap")
	passes(t, l, inject(t, "v0"), f[0])
	l.end(t)
}

// The error of use ends the feed.
func TestLiveStopped(t *testing.T) {
	pair(t)
	l, err := capture.OpenLive(capture.LiveConfig{Interface: "v1", Buffer: 4 << 20, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(5*time.Second, l.Close).Stop()
	full := errors.New("full")
	f, _ := frames(t, "33_100flows.pcap")
	out := inject(t, "v0")
	sent := make(chan int, 1)
	go func() { // until the capture is closed: a link that has come up takes a while to pass packets
		n := 0
		for ; l.Stats().Packets == 0 && n < 50*len(f); time.Sleep(10 * time.Millisecond) {
			for _, f := range f {
				out.send(f)
				n++
			}
		}
		sent <- n
	}()
	n := 0
	_, err = l.Feed(0, func(ps []packet.Packet, _ int64) error {
		if n += len(ps); n > 0 {
			return full
		}
		return nil
	})
	if err != full || n == 0 {
		t.Errorf("%v after %d packets", err, n)
	}
	if s, most := l.Stats(), <-sent; s.Packets == 0 || s.Packets > uint64(most) {
		t.Errorf("after the feed: %+v of %d packets", s, most)
	}
}

// A ring that nobody empties drops packets, which are counted.
func TestLiveDrops(t *testing.T) {
	pair(t)
	l, err := capture.OpenLive(capture.LiveConfig{Interface: "v1", Buffer: 1, Workers: 1, Snaplen: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	out := inject(t, "v0")
	f := make([]byte, 8000)
	copy(f[12:], "\x08\x00")
	const sent = 200
	for range sent {
		out.send(f)
	}
	first := l.Stats()
	if first.Packets != sent || first.Drops == 0 || first.Freezes == 0 || l.Stats() != first {
		t.Errorf("%+v, then %+v", first, l.Stats())
	}
	l.Close()
	if l.Stats() != first {
		t.Errorf("%+v, after Close %+v", first, l.Stats())
	}
}

func TestLiveUnknown(t *testing.T) {
	pair(t)
	_, err := capture.OpenLive(capture.LiveConfig{Interface: "eth7"})
	if err == nil || !strings.HasPrefix(err.Error(), "capture on eth7: no such interface, there are any, lo, ") ||
		!strings.Contains(err.Error(), ", v1") {
		t.Errorf("%v", err)
	}
}

// Without rights the error says how to give them. The thread ends with the test.
func TestLiveWithoutRights(t *testing.T) {
	pair(t)
	none := [2]unix.CapUserData{}
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = capture.OpenLive(capture.LiveConfig{Interface: "v1"})
	want := "capture on v1: needs root, or: setcap cap_net_raw,cap_net_admin+ep " + program + " (operation not permitted)"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// Of a packet that is longer than the snap length, the headers are read, and its length is known.
func TestLiveSnaplen(t *testing.T) {
	pair(t)
	l := begin(t, capture.LiveConfig{Interface: "v1", Buffer: 4 << 20, Workers: 1, Snaplen: 40})
	f, _ := frames(t, "20_dns.pcap")
	out := inject(t, "v0")
	out.send(f[0][:])
	if got := l.end(t); len(got) != 1 || got[0].DstPort != 53 || got[0].Bytes != uint32(len(f[0])-14) {
		t.Errorf("%+v", got)
	}
}
