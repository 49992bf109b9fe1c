package transport

import (
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// RelayOptions says how to relay.
type RelayOptions struct {
	Spoof bool // send from the address and port that a packet came from; needs root
	Queue int  // bytes that may wait for each target; 0: 32 MiB
}

// Relay sends packets on to its targets. A target that does not take them in time
// loses packets; neither the caller of Send nor another target waits for it.
//
// A packet longer than the MTU on the way is sent in IP fragments, by the kernel
// or, with Spoof, by the relay itself: then by the MTU that the kernel knows for
// the route, since an answer of a router would go to the spoofed address; in IPv4
// routers may fragment further. A packet that would need more than 64 fragments
// has failed.
type Relay struct {
	targets []*target
}

// RelayStats counts the packets for one target: each was sent, was dropped, has
// failed, or waits.
type RelayStats struct {
	Target  netip.AddrPort
	Sent    uint64 // taken by the network
	Dropped uint64 // the queue was full
	Failed  uint64 // not taken by the network, for Err
	Refused uint64 // answers that nobody receives there, which come for some of Sent
	Err     error  // of the latest that failed or was refused
}

const (
	defaultQueue = 32 << 20
	closeTime    = 2 * time.Second // for what waits when a relay is closed
)

// target is one receiver and what waits for it. Send fills one backlog while the
// other is sent.
type target struct {
	out *outlet

	mu     sync.Mutex
	filled sync.Cond // there is a packet, or closed is set
	queue  backlog
	limit  int // of queue
	closed bool
	stats  RelayStats
	done   chan struct{} // closed when nothing is sent any more
}

// backlog is packets one after the other.
type backlog struct {
	data  []byte
	items []item
}

type item struct {
	end  int // in data, where the next one begins
	from netip.AddrPort
}

// itemSize is what a packet costs beside its bytes.
const itemSize = 40

func (b *backlog) size() int { return len(b.data) + itemSize*len(b.items) }

func (b *backlog) reset() { b.data, b.items = b.data[:0], b.items[:0] }

// at is packet i.
func (b *backlog) at(i int) ([]byte, netip.AddrPort) {
	start := 0
	if i > 0 {
		start = b.items[i-1].end
	}
	return b.data[start:b.items[i].end], b.items[i].from
}

// outcome is what became of a backlog.
type outcome struct {
	sent, failed, refused uint64
	err                   error
}

func (o *outcome) fail(err error) {
	o.failed++
	o.err = err
}

// NewRelay resolves the targets, see ParseTarget, and opens a socket for each.
func NewRelay(targets []string, o RelayOptions) (*Relay, error) {
	if o.Queue == 0 {
		o.Queue = defaultQueue
	}
	if o.Queue < 2*(maxDatagram+itemSize) {
		return nil, fmt.Errorf("relay: a queue of %d bytes cannot hold a packet of any size", o.Queue)
	}
	r := &Relay{}
	for _, s := range targets {
		t, err := newTarget(s, o)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("relay to %s: %w", s, err)
		}
		r.targets = append(r.targets, t)
	}
	return r, nil
}

func newTarget(s string, o RelayOptions) (*target, error) {
	host, port, err := ParseTarget(s)
	if err != nil {
		return nil, err
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		if a, err = lookup(host, AnyFamily); err != nil {
			return nil, err
		}
	}
	to := netip.AddrPortFrom(a.Unmap(), port)
	out, err := newOutlet(to, way{spoof: o.Spoof})
	if err != nil {
		return nil, err
	}
	t := &target{out: out, limit: o.Queue / 2, stats: RelayStats{Target: to}, done: make(chan struct{})}
	t.filled.L = &t.mu
	go t.run()
	return t, nil
}

// Send copies the packets into the queues.
func (r *Relay) Send(packets []Packet) {
	for _, t := range r.targets {
		t.add(packets)
	}
}

func (t *target) add(packets []Packet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		t.stats.Dropped += uint64(len(packets))
		return
	}
	q := &t.queue
	idle := len(q.items) == 0
	for _, p := range packets {
		if q.size()+itemSize+len(p.Data) > t.limit {
			t.stats.Dropped++
			continue
		}
		q.data = append(q.data, p.Data...)
		q.items = append(q.items, item{len(q.data), p.From})
	}
	if idle {
		t.filled.Broadcast()
	}
}

// run sends until the target is closed and its queue is empty.
func (t *target) run() {
	defer close(t.done)
	defer t.out.close()
	var sending backlog
	for {
		t.mu.Lock()
		for len(t.queue.items) == 0 && !t.closed {
			t.filled.Wait()
		}
		sending, t.queue = t.queue, sending
		t.mu.Unlock()
		if len(sending.items) == 0 {
			return
		}
		done := t.out.send(&sending)
		sending.reset()
		t.count(done)
	}
}

func (t *target) count(done outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Sent += done.sent
	t.stats.Failed += done.failed
	t.stats.Refused += done.refused
	if done.err != nil {
		t.stats.Err = done.err
	}
}

// Stats tells of all targets, in the order in which they were given. They can be asked after Close.
func (r *Relay) Stats() []RelayStats {
	var all []RelayStats
	for _, t := range r.targets {
		t.mu.Lock()
		all = append(all, t.stats)
		t.mu.Unlock()
	}
	return all
}

// Close sends what waits, for at most two seconds; what is left then has failed.
// Packets of a later Send are dropped.
func (r *Relay) Close() {
	for _, t := range r.targets {
		t.mu.Lock()
		t.closed = true
		t.out.hurry(closeTime)
		t.filled.Broadcast()
		t.mu.Unlock()
	}
	for _, t := range r.targets {
		<-t.done
	}
}
