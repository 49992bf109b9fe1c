package export

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/netflow"
	"nfpipe/lib/transport"
)

// collector receives and decodes.
type collector struct {
	t       *testing.T
	mu      sync.Mutex
	sources map[string]*netflow.Exporter // by session, or address of UDP
	sink    *flow.Sink
	counts  map[uint64]int // records by their packet counter
	close   func()
	at      netip.AddrPort
}

func newCollector(t *testing.T) *collector {
	c := &collector{t: t, sources: map[string]*netflow.Exporter{}, counts: map[uint64]int{}}
	c.sink = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		batch := b.Batch()
		i := batch.Find(flow.Key{ID: 2})
		v, err := batch.Vec(i)
		if err != nil {
			t.Error(err)
		}
		for k := range v.N {
			c.counts[v.Int(k)]++
		}
		b.Clear()
		return b
	})
	return c
}

func (c *collector) message(from string, p []byte, reliable bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.sources[from]
	if x == nil {
		x = netflow.NewExporter(netip.MustParseAddr("192.0.2.1"), netflow.Config{Sink: c.sink, Reliable: reliable})
		c.sources[from] = x
	}
	if err := x.Decode(p, time.Now().UnixNano()); err != nil {
		c.t.Errorf("%s: %v", from, err)
	}
}

// udp listens on a port of 127.0.0.1, 0 for any.
func udp(t *testing.T, port uint16) *collector {
	t.Helper()
	c := newCollector(t)
	u, err := transport.ListenUDP(transport.Endpoint{Network: "udp", Host: "127.0.0.1", Port: port}, transport.UDPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.Receive(0, func(ps []transport.Packet) {
			for _, p := range ps {
				c.message(p.From.String(), p.Data, false)
			}
		})
	}()
	c.at = u.Addr()
	c.close = sync.OnceFunc(func() { u.Close(); <-done })
	t.Cleanup(c.close)
	return c
}

// tcp listens on a port of 127.0.0.1, 0 for any.
func tcp(t *testing.T, port uint16) *collector {
	t.Helper()
	c := newCollector(t)
	l, err := transport.Listen(transport.Endpoint{Network: "tcp", Host: "127.0.0.1", Port: port}, transport.StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Serve(transport.Handler{
			Open:    func(transport.Session) {},
			Message: func(m transport.Message) { c.message(fmt.Sprint(m.Session), m.Data, true) },
			Close:   func(transport.Session, error) {},
			Refuse:  func(netip.AddrPort, error) {},
		})
	}()
	c.at = l.Addr()
	c.close = sync.OnceFunc(func() { l.Close(); <-done })
	t.Cleanup(c.close)
	return c
}

// records waits until so many records have come, and returns how often each.
func (c *collector) records(n int) map[uint64]int {
	c.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c.mu.Lock()
		c.sink.Flush()
		sum := 0
		for _, k := range c.counts {
			sum += k
		}
		c.mu.Unlock()
		if sum >= n {
			return c.counts
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%d records came, want %d", sum, n)
		}
	}
}

// whole checks that the records from 0 to n came once each, and that the receivers say that
// nothing was lost.
func (c *collector) whole(n int) {
	c.t.Helper()
	counts := c.records(n)
	for i := range n {
		if counts[uint64(i)] != 1 {
			c.t.Fatalf("record %d came %d times", i, counts[uint64(i)])
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.sources {
		if s := x.Stats; s.LostRecords+s.LostMessages+s.Unknown+s.Bad+s.Gaps > 0 {
			c.t.Errorf("the receiver says %+v", s)
		}
	}
}

// numbered is a batch of records with the packet counters from to to-1.
func numbered(t *testing.T, from, to int) *flow.Batch {
	t.Helper()
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.ShapeOf(8, 12, 2, 1, 152, 153))
	now := uint64(time.Now().UnixNano())
	for i := from; i < to; i++ {
		l.Next()
		for k, x := range []uint64{1, 2, uint64(i), 100, now - 1e9, now} {
			if k < 2 {
				l.Cols[k].Put4(uint32(x))
			} else {
				l.Cols[k].PutInt(x)
			}
		}
	}
	return b.Batch()
}

func to(network string, at netip.AddrPort) Destination {
	return Destination{Endpoint: transport.Endpoint{Network: network, Host: at.Addr().String(), Port: at.Port()}}
}

// lines are what an exporter logs.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, s)
}

func (l *lines) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.all, func(x string) bool { return strings.Contains(x, s) })
}

func start(t *testing.T, c Config) *Exporter {
	t.Helper()
	if c.Encoding.Version == 0 {
		c.Encoding.Version = 10
	}
	x, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func write(t *testing.T, x *Exporter, b *flow.Batch) {
	t.Helper()
	if err := x.Write(b); err != nil {
		t.Fatal(err)
	}
}

// All collectors get everything, in every version, and think that nothing is missing.
func TestAll(t *testing.T) {
	for _, version := range []uint16{5, 9, 10} {
		a, b, c := udp(t, 0), udp(t, 0), tcp(t, 0)
		x := start(t, Config{Encoding: netflow.Encoding{Version: version}, Pace: Pace{Messages: 20000},
			Destinations: []Destination{to("udp", a.at), to("udp", b.at), to("tcp", c.at)}[:map[uint16]int{5: 2, 9: 2, 10: 3}[version]]})
		for i := range 10 {
			write(t, x, numbered(t, i*3000, (i+1)*3000))
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		a.whole(30000)
		b.whole(30000)
		if version == 10 {
			c.whole(30000)
		}
		for _, s := range x.Stats() {
			if s.Records != 30000 || s.Dropped+s.Failed != 0 {
				t.Errorf("version %d: %+v", version, s)
			}
		}
	}
}

// In turn each collector gets a part, and misses nothing by its own sequence numbers.
func TestInTurn(t *testing.T) {
	a, b := udp(t, 0), udp(t, 0)
	x := start(t, Config{InTurn: true, Pace: Pace{Messages: 20000}, Destinations: []Destination{to("udp", a.at), to("udp", b.at)}})
	write(t, x, numbered(t, 0, 10000))
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	s := x.Stats()
	counts := a.records(int(s[0].Records))
	for i, n := range b.records(int(s[1].Records)) {
		counts[i] += n
	}
	for i := range 10000 {
		if counts[uint64(i)] != 1 {
			t.Fatalf("record %d came %d times", i, counts[uint64(i)])
		}
	}
	for _, c := range []*collector{a, b} {
		for _, src := range c.sources {
			if src.Stats.Gaps > 0 {
				t.Errorf("%+v", src.Stats)
			}
		}
	}
	if s[0].Records < 4000 || s[1].Records < 4000 {
		t.Errorf("%+v", s)
	}
}

// A collector that ends and comes back gets the templates again, and what was written meanwhile.
func TestReconnect(t *testing.T) {
	a := tcp(t, 0)
	var log lines
	x := start(t, Config{Destinations: []Destination{to("tcp", a.at)}, Log: log.add})
	write(t, x, numbered(t, 0, 1000))
	a.whole(1000)
	a.close()
	time.Sleep(100 * time.Millisecond) // the exporter notices
	write(t, x, numbered(t, 0, 1000))
	write(t, x, numbered(t, 1000, 2000))
	b := tcp(t, a.at.Port())
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	b.whole(2000)
	if s := x.Stats()[0]; s.Connects != 2 || s.Records != 3000 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	if !log.has("trying again") || !log.has("connected again") {
		t.Errorf("%q", log.all)
	}
}

// A collector that is not there from the beginning costs the others nothing; what it misses is
// counted, and the end is an error.
func TestDead(t *testing.T) {
	defer func(d time.Duration) { stall = d }(stall)
	stall = 500 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	a := tcp(t, 0)
	x := start(t, Config{Queue: 64 << 10, Destinations: []Destination{to("tcp", dead), to("tcp", a.at)}})
	for i := range 20 {
		write(t, x, numbered(t, i*1000, (i+1)*1000))
	}
	err = x.Close()
	a.whole(20000)
	s := x.Stats()
	if s[0].Records != 0 || s[0].DroppedRecords != 20000 || s[1].Records != 20000 {
		t.Errorf("%+v", s)
	}
	if err == nil || !strings.Contains(err.Error(), "20000 records") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

// A collector that does not read is waited for a while, and then loses; of a live source at once.
func TestSlow(t *testing.T) {
	defer func(d time.Duration) { stall = d }(stall)
	stall = 500 * time.Millisecond
	for _, live := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		a := tcp(t, 0)
		x := start(t, Config{Live: live, Queue: 1 << 20, Destinations: []Destination{to("tcp", l.Addr().(*net.TCPAddr).AddrPort()), to("tcp", a.at)}})
		const batches = 150
		for i := range batches {
			write(t, x, numbered(t, i*5000, (i+1)*5000))
			if live {
				a.records((i + 1) * 5000)
			}
		}
		if err := x.Close(); err == nil {
			t.Error("no error")
		}
		l.Close()
		a.whole(batches * 5000)
		s := x.Stats()[0]
		if s.Dropped == 0 || s.Records+s.DroppedRecords+s.FailedRecords != batches*5000 {
			t.Errorf("live %v: %+v", live, s)
		}
	}
}

// Over UDP templates are sent again, so that one who comes late reads what follows.
func TestLate(t *testing.T) {
	a := udp(t, 0)
	a.close()
	x := start(t, Config{Pace: Pace{Messages: 20000}, Destinations: []Destination{to("udp", a.at)}})
	write(t, x, numbered(t, 0, 3000))
	time.Sleep(200 * time.Millisecond)
	b := udp(t, a.at.Port())
	const n = 60000
	write(t, x, numbered(t, 0, n))
	x.Close()
	last := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.sink.Flush()
		return b.counts[n-1]
	}
	for deadline := time.Now().Add(10 * time.Second); last() == 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if s := x.Stats()[0]; s.Announced < 3 || last() != 1 {
		t.Errorf("%+v, the last record came %d times", s, last())
	}
}

// The pace holds over a while, and is not slower either.
func TestPace(t *testing.T) {
	a := udp(t, 0)
	x := start(t, Config{Pace: Pace{Messages: 200}, Destinations: []Destination{to("udp", a.at)}})
	begin := time.Now()
	write(t, x, numbered(t, 0, 34*100))
	x.Close()
	if took := time.Since(begin); took < 450*time.Millisecond || took > 2*time.Second {
		t.Errorf("%d messages at 200 a second took %v", x.Stats()[0].Messages, took)
	}
	a.whole(34 * 100)
}

// What cannot be reached at all is told at once.
func TestNewErrors(t *testing.T) {
	for _, c := range []struct {
		c    Config
		want string
	}{
		{Config{}, "no destination"},
		{Config{Encoding: netflow.Encoding{Version: 7}, Destinations: []Destination{to("udp", netip.MustParseAddrPort("127.0.0.1:9"))}}, "version 7"},
		{Config{Encoding: netflow.Encoding{Version: 10}, Destinations: []Destination{{Endpoint: transport.Endpoint{Network: "udp", Host: "no.such.host.invalid", Port: 9}}}}, "no.such.host"},
	} {
		x, err := New(c.c)
		if err == nil {
			x.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
