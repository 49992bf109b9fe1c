package collect

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

var alice, bob = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

// give gives a packet to worker 0.
func give(c *Collector, p []byte, from netip.Addr, at int64) {
	b := c.Begin(0)
	b.Packet(p, from, at)
	b.End()
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, s)
}

func (l *lines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

func TestLimiter(t *testing.T) {
	for _, most := range []int{0, 30} {
		l := limiter{most: most}
		want := max(most, limitMessages)
		at := int64(5e18)
		for range 3 {
			passed := 0
			for i := range int64(100) {
				if l.allow(at + i*1e6) {
					passed++
				}
			}
			if passed != want {
				t.Errorf("%d of 100 messages passed, want %d", passed, want)
			}
			at += limitWhile + 1e9
		}
		if !l.allow(1) {
			t.Error("a clock that was turned back blocks all")
		}
	}
}

// What comes late in the next slot makes no slot's loss less than nothing.
func TestLateInTheNextSlot(t *testing.T) {
	m := newMemory()
	var report lines
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: m}}, Report: report.add}, time.Unix(0, 0))
	give(c, v5(0, 10), alice, 1e18)
	give(c, v5(30, 10), alice, 1e18) // 20 are missing
	c.Rotate(time.Unix(300, 0))
	give(c, v5(10, 10), alice, 1e18) // ten of them are late
	c.Rotate(time.Unix(600, 0))
	give(c, v5(45, 10), alice, 1e18) // five more are missing
	give(c, v5(75, 10), alice, 1e18) // and twenty
	check(t, c.Close())
	var lost []uint64
	for _, l := range m.losses {
		lost = append(lost, l.SequenceGaps)
	}
	if !slices.Equal(lost, []uint64{20, 0, 15}) { // 35 in all
		t.Errorf("lost in the slots: %v", lost)
	}
	if n := c.Counts().Sources[0].Lost; n != 35 {
		t.Errorf("%d lost in all, want 35", n)
	}
}

// The lines of a slot are those of nfcapd, in its order, and end with what it does not know.
func TestReport(t *testing.T) {
	a, b := &Source{Ident: "a", Store: newMemory()}, &Source{Ident: "b", Store: newMemory()}
	drops := uint64(0)
	var report lines
	sources := &Sources{Static: []Static{
		{[]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, a}, {[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, b},
	}}
	c := New(Config{Sources: sources, Report: report.add, Drops: func() uint64 { return drops }}, time.Unix(0, 0))
	give(c, v5(0, 30), alice, 1e18)
	give(c, v5(0, 20), bob, 1e18)
	give(c, v5(50, 20), bob, 1e18)
	give(c, v5(70, 20)[:500], bob, 1e18)
	give(c, v5(0, 30), netip.MustParseAddr("198.51.100.1"), 1e18)
	drops = 7
	c.Rotate(time.Unix(300, 0))
	drops = 10
	check(t, c.Close())
	want := []string{
		"Ident: 'a' Flows: 30, Packets: 30, Bytes: 1200, Sequence Errors: 0, Bad Packets: 0, Blocks: 1",
		"Ident: 'b' Flows: 49, Packets: 49, Bytes: 1960, Sequence Errors: 1, Bad Packets: 1, Blocks: 1, Lost: 30",
		"Total packets received: 5 avg: 5.00/s ignored packets: 1, dropped by the kernel: 7",
		"Ident: 'a' Flows: 0, Packets: 0, Bytes: 0, Sequence Errors: 0, Bad Packets: 0, Blocks: 0",
		"Ident: 'b' Flows: 0, Packets: 0, Bytes: 0, Sequence Errors: 0, Bad Packets: 0, Blocks: 0",
		"Total packets received: 0 avg: 0.00/s ignored packets: 0, dropped by the kernel: 3",
	}
	if !slices.Equal(report.all, want) {
		t.Errorf("reported\n%s\nwant\n%s", strings.Join(report.all, "\n"), strings.Join(want, "\n"))
	}
}

// While a store is slow, nothing that was counted is forgotten, at the end of a slot neither.
func TestCountsNeverFall(t *testing.T) {
	s := &slow{memory: newMemory(), wait: make(chan struct{}, 100)}
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: s}}}, time.Unix(0, 0))
	give(c, v5(0, 10), alice, 1e18)
	give(c, v5(30, 10), alice, 1e18)
	give(c, []byte("nothing that is known"), bob, 1e18)
	before := c.Counts()
	c.Rotate(time.Unix(300, 0)) // the store has taken nothing yet
	c.Rotate(time.Unix(600, 0))
	after := c.Counts()
	for _, x := range []Counts{before, after} {
		if x.Packets != 3 || x.Refused != 1 || x.Sources[0].Lost != 20 || x.Sources[0].Gaps != 1 || x.Sources[0].Losses.Packets != 2 || x.Sources[0].Totals.Records != 0 {
			t.Errorf("%+v", x)
		}
	}
	for range 100 {
		s.wait <- struct{}{}
	}
	check(t, c.Close())
	end := c.Counts()
	if end.Refused != 1 || end.Sources[0].Lost != 20 || end.Sources[0].Totals.Records != 20 {
		t.Errorf("at the end: %+v", end)
	}
}

// slow is a store that takes a frame only when it is told to.
type slow struct {
	*memory
	wait chan struct{}
}

func (s *slow) Write(f *stream.Frame) error { <-s.wait; return s.memory.Write(f) }

// Records that a store refuses are counted apart; the collector is not well until one is taken.
func TestNotStored(t *testing.T) {
	m := newMemory()
	var log, report lines
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: m}}, Log: log.add, Report: report.add}, time.Unix(0, 0))
	fail := func(err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.fail = err
	}
	put := func(seq uint32, want bool) {
		t.Helper()
		give(c, v5(seq, 30), alice, 1e18)
		c.Flush(time.Unix(2e9, 0))
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			if s := c.Counts().Sources[0]; s.Totals.Records+s.Failed == uint64(seq+30) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("neither stored nor not: %+v", c.Counts())
			}
		}
		if err := c.Health(); (err == nil) != want {
			t.Errorf("health: %v", err)
		}
	}
	put(0, true)
	fail(errors.New("no room"))
	for i := range uint32(20) {
		put(30+30*i, false)
	}
	if err := c.Health(); err == nil || err.Error() != "x: no room" {
		t.Errorf("health: %v", err)
	}
	fail(nil)
	put(630, true)
	s := c.Counts().Sources[0]
	if s.Totals.Records != 60 || s.Failed != 600 {
		t.Errorf("%d stored, %d not", s.Totals.Records, s.Failed)
	}
	if err := c.Close(); err == nil || err.Error() != "x: 600 records could not be stored" {
		t.Errorf("Close: %v", err)
	}
	if n := log.count("no room"); n != limitMessages {
		t.Errorf("it was said %d times", n)
	}
	if report.count(", Not Stored: 600") != 1 {
		t.Errorf("reported %q", report.all)
	}
}

// Errors of packets are logged for each sender, but not without end for all.
func TestComplaints(t *testing.T) {
	var log lines
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: newMemory()}}, Log: log.add}, time.Unix(0, 0))
	damaged := v5(0, 10)[:100]
	for range 10 {
		give(c, damaged, alice, 1e18)
		give(c, damaged, bob, 1e18)
	}
	if n := log.count("192.0.2.1: "); n != limitMessages {
		t.Errorf("%d lines about one sender", n)
	}
	for i := range 2000 {
		give(c, damaged, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1e18)
		give(c, []byte{1}, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1e18)
	}
	if n := len(log.all); n != 2*limitErrors {
		t.Errorf("%d lines about 4,000 senders", n)
	}
	check(t, c.Close())
}

// A store that hangs does not hold up receiving, however many small batches wait for it, nor the
// end of a slot.
func TestStoreHangs(t *testing.T) {
	s := &slow{memory: newMemory(), wait: make(chan struct{})}
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: s}}}, time.Unix(0, 0))
	const slots, batches = 10, 200
	received := make(chan struct{})
	go func() {
		defer close(received)
		for slot := range slots {
			for i := range batches {
				give(c, v5(uint32(slot*batches+i), 1), alice, 1e18)
				c.Flush(time.Unix(0, 2e18))
			}
			c.Rotate(time.Unix(int64(slot), 0))
		}
	}()
	select {
	case <-received:
	case <-time.After(20 * time.Second):
		close(s.wait)
		t.Fatal("receiving waits for the store")
	}
	if n := c.Counts().Sources[0].Totals.Records; n != 0 {
		t.Errorf("%d records are called stored", n)
	}
	close(s.wait)
	<-received
	check(t, c.Close())
	for slot, n := range s.records[:slots] {
		if n != batches {
			t.Errorf("slot %d: %d records, want %d", slot, n, batches)
		}
	}
	if c.queue.waiting != 0 {
		t.Errorf("%d bytes wait at the end", c.queue.waiting)
	}
}

// A template that changes is told of with both layouts, and counted even when its exporter is
// forgotten, as a refused one is.
func TestRedefined(t *testing.T) {
	var log lines
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: newMemory()}}, Log: log.add, Limits: Limits{Exporters: 1}}, time.Unix(0, 0))
	give(c, v9(1000, 1, true), alice, 1e18)
	give(c, v9(1000, 2, true), alice, 1e18)
	give(c, message9(1000, 3, words(0, 16, 300, 2, 8, 4, 599, 2)), alice, 1e18)
	give(c, message9(1000, 4, words(0, 12, 100, 1, 8, 4)), alice, 1e18)
	for range 2 {
		if n := c.Counts(); n.Redefined != 1 || n.BadTemplates != 1 || n.Exporters != 1 {
			t.Errorf("%+v", n)
		}
		give(c, v5(0, 1), bob, 1e18+2*second)
	}
	if log.count("192.0.2.1: template 300 of domain 0 was redefined: sourceIPv4Address(4) 0/599(2), before sourceIPv4Address(4) destinationIPv4Address(4)") != 1 {
		t.Errorf("%q", log.all)
	}
	many := make([]flow.Elem, 70)
	if got := layout(many); !strings.HasSuffix(got, " and 6 more") {
		t.Errorf("%q", got)
	}
	check(t, c.Close())
}

// Batches are given away when they are old, not before.
func TestFlush(t *testing.T) {
	m := newMemory()
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: m}}}, time.Unix(0, 0))
	stored := func() uint64 { return c.Counts().Sources[0].Totals.Records }
	give(c, v5(0, 10), alice, 5e9)
	c.Flush(time.Unix(5, 0))
	time.Sleep(20 * time.Millisecond)
	if n := stored(); n != 0 {
		t.Errorf("%d records of this moment are stored", n)
	}
	give(c, v5(10, 10), alice, 6e9)
	c.Flush(time.Unix(5, 1))
	for end := time.Now().Add(5 * time.Second); stored() < 20 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if n := stored(); n != 20 {
		t.Errorf("%d records are stored, want 20", n)
	}
	check(t, c.Close())
}

// When the memory for what waits is spent, receiving waits, and nothing is lost.
func TestMemory(t *testing.T) {
	s := &slow{memory: newMemory(), wait: make(chan struct{})}
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: s}}, Memory: 1 << 20}, time.Unix(0, 0))
	const packets = 60_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range packets {
			give(c, v5(uint32(30*i), 30), alice, 1e18)
		}
	}()
	// the store takes a frame a millisecond
	most, slowly := 0, make(chan struct{})
	go func() {
		defer close(slowly)
		defer close(s.wait)
		for {
			select {
			case s.wait <- struct{}{}:
			case <-done:
				return
			case <-time.After(30 * time.Second):
				return
			}
			c.queue.mu.Lock()
			most = max(most, c.queue.waiting)
			c.queue.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("receiving hangs")
	}
	<-slowly
	if most > 32<<20 { // a batch is larger than the limit
		t.Errorf("%d bytes waited", most)
	}
	check(t, c.Close())
	if n := s.records[0]; n != 30*packets {
		t.Errorf("%d records, want %d", n, 30*packets)
	}
}
