package capture

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nfpipe/lib/packet"
)

const (
	pollTime = 50 * time.Millisecond
	// closeTime bounds how long a Feed goes on after Close, to deliver what came before it.
	closeTime = 250 * time.Millisecond
)

// Live captures the packets of an interface.
type Live struct {
	name    string
	index   int
	rings   []*ring
	wake    int          // an eventfd that is readable when Feed is to end
	closing atomic.Int64 // when Close was called, in nanoseconds since the epoch

	mu       sync.Mutex
	stats    LiveStats
	feeding  bool
	released bool
}

// OpenLive begins a capture: from now on packets are kept for Feed.
func OpenLive(c LiveConfig) (*Live, error) {
	c.defaults(runtime.NumCPU())
	l, err := openLive(c)
	if err != nil {
		return nil, fmt.Errorf("capture on %s: %w", c.Interface, err)
	}
	return l, nil
}

func openLive(c LiveConfig) (*Live, error) {
	l := &Live{name: c.Interface}
	promiscuous := false
	if c.Interface != "any" {
		i, err := net.InterfaceByName(c.Interface)
		if err != nil {
			return nil, unknownInterface()
		}
		l.index = i.Index
		promiscuous = !c.NoPromiscuous && i.Flags&net.FlagLoopback == 0
	}
	var err error
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, err
	}
	if err = l.open(c); err == nil && promiscuous {
		err = l.rings[0].promiscuous(l.index)
	}
	for i := 0; i < len(l.rings) && err == nil; i++ {
		err = attach(l.rings[i].fd, c.Snaplen)
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// open opens the rings. Where the kernel makes no group of them, as of an interface that is down
// on older ones, there is one.
func (l *Live) open(c LiveConfig) error {
	group := 0
	for i := range c.Workers {
		r, err := openRing(l.index, c.Buffer/c.Workers)
		if err != nil {
			return err
		}
		l.rings = append(l.rings, r)
		if c.Workers == 1 {
			return nil
		}
		if group, err = r.join(group); err != nil {
			if i > 0 {
				r.close()
				l.rings = l.rings[:i]
			}
			return nil
		}
	}
	return nil
}

func unknownInterface() error {
	all, err := net.Interfaces()
	if err != nil {
		return errors.New("no such interface")
	}
	names := []string{"any"}
	for _, i := range all {
		names = append(names, i.Name)
	}
	return fmt.Errorf("no such interface, there are %s", strings.Join(names, ", "))
}

// Index is the number of the interface, 0 for any.
func (l *Live) Index() int { return l.index }

// Stats returns the kernel's counts so far; they can be asked for after Close.
func (l *Live) Stats() LiveStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count()
	return l.stats
}

// count adds what the kernel has counted since it was last asked.
func (l *Live) count() {
	if l.released {
		return
	}
	for _, r := range l.rings {
		if s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			l.stats.Packets += uint64(s.Packets)
			l.stats.Drops += uint64(s.Drops)
			l.stats.Freezes += uint64(s.Freeze_q_cnt)
		}
	}
}

// Close ends the capture: Feed returns soon, when it has delivered what came before. Any
// goroutine may call it, more than once.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return
	}
	l.closing.CompareAndSwap(0, time.Now().UnixNano())
	l.awake()
	if !l.feeding {
		l.release()
	}
}

// awake ends the waiting of all rings.
func (l *Live) awake() { unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (l *Live) release() {
	if l.released {
		return
	}
	l.count()
	l.released = true
	for _, r := range l.rings {
		r.close()
	}
	unix.Close(l.wake)
}

// delivery is what a ring's goroutine hands over: packets, or just how far it is.
type delivery struct {
	ring    int
	packets []packet.Packet
	upto    int64
}

// Feed gives the IP packets of the capture to use, parsed, in batches that are valid until use
// returns, each with the number of its interface; decap is that of a packet.Parser. Packets of one flow are in order, others nearly so.
// It calls use from one goroutine, at least every 100 ms, with no packets when there are none.
// now is up to when packets have been delivered with this call, by the wall clock in nanoseconds
// since the epoch: about the time of the last of them, and 60 ms ago when all is quiet. It goes
// back when the clock is set back.
//
// Feed ends without an error after Close, with the error of use, or when the interface is
// removed. While the interface is down it waits. The capture is closed when it returns.
func (l *Live) Feed(decap int, use func(packets []packet.Packet, now int64) error) (Counts, error) {
	l.mu.Lock()
	if l.feeding || l.released {
		l.mu.Unlock()
		return Counts{}, nil
	}
	l.feeding = true
	l.mu.Unlock()

	full := make(chan delivery, len(l.rings)*feedBatches)
	stop := make(chan struct{})
	workers := make([]*worker, len(l.rings))
	upto := make([]int64, len(l.rings))
	var wait sync.WaitGroup
	for i, r := range l.rings {
		upto[i] = time.Now().UnixNano() - int64(ringLag)
		w := &worker{ring: r, live: l, number: i, upto: upto[i], full: full, stop: stop, free: make(chan []packet.Packet, feedBatches)}
		w.parser.Decap = decap
		for range feedBatches {
			w.free <- make([]packet.Packet, feedBatch)
		}
		workers[i] = w
		wait.Go(w.run)
	}
	go func() {
		wait.Wait()
		close(full)
	}()
	var err error
	for d := range full {
		if err != nil {
			continue // what was under way
		}
		upto[d.ring] = d.upto
		if err = use(d.packets, slices.Min(upto)); err != nil {
			close(stop)
			l.awake()
			continue
		}
		if d.packets != nil {
			workers[d.ring].free <- d.packets
		}
	}
	var counts Counts
	for _, w := range workers {
		counts.add(&w.counts)
		if err == nil && w.err != nil {
			err = fmt.Errorf("capture on %s: %w", l.name, w.err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release()
	return counts, err
}

func (c *Counts) add(d *Counts) {
	c.Frames += d.Frames
	c.NotIP += d.NotIP
	c.Short += d.Short
	c.Malformed += d.Malformed
	c.UnknownLink += d.UnknownLink
}

// worker reads one ring.
type worker struct {
	ring   *ring
	live   *Live
	number int
	parser packet.Parser
	counts Counts
	err    error // of the ring
	failed int64 // when
	upto   int64

	batch []packet.Packet // being filled
	n     int
	full  chan<- delivery
	free  chan []packet.Packet
	stop  <-chan struct{}
}

// run reads blocks until the capture ends. What came before the end is delivered, also when the
// interface has gone.
func (w *worker) run() {
	for {
		clock := time.Now().UnixNano()
		end := w.live.closing.Load()
		if w.err != nil {
			end = w.failed
		}
		if b := w.ring.ready(); b != nil {
			ok := w.block(b)
			w.ring.release()
			if !ok {
				return
			}
		} else {
			if w.upto = clock - int64(ringLag); !w.send() {
				return
			}
			if end == 0 {
				if w.err = w.ring.wait(w.live.wake, pollTime); w.err != nil {
					w.failed = time.Now().UnixNano()
				}
			} else if w.upto < end {
				w.ring.wait(-1, pollTime/10)
			}
		}
		if end != 0 && (w.upto >= end || clock > end+int64(closeTime)) {
			w.send()
			return
		}
	}
}

// block parses the packets of a block.
func (w *worker) block(b []byte) bool {
	r, err := newBlockReader(b)
	var f frame
	for err == nil {
		var ok bool
		if ok, err = r.next(&f); !ok {
			break
		}
		if f.echo {
			continue
		}
		if w.n == len(w.batch) && !w.renew() {
			return false
		}
		w.counts.Frames++
		p := &w.batch[w.n]
		p.Time, p.Interface = f.time, f.on
		switch w.parser.Parse(f.link, f.data, f.orig, p) {
		case packet.IP:
			w.n++
		case packet.NotIP:
			w.counts.NotIP++
		case packet.Short:
			w.counts.Short++
		case packet.Malformed:
			w.counts.Malformed++
		default:
			w.counts.UnknownLink++
		}
		w.upto = f.time
	}
	if err != nil { // which the kernel does not do
		w.counts.Malformed++
	}
	return true
}

// renew sends a batch that is full and begins an empty one.
func (w *worker) renew() bool {
	if w.n > 0 && !w.send() {
		return false
	}
	if w.batch != nil {
		return true
	}
	select {
	case w.batch = <-w.free:
		w.batch = w.batch[:feedBatch]
		return true
	case <-w.stop:
		return false
	}
}

// send hands over what there is, and how far the ring is.
func (w *worker) send() bool {
	d := delivery{ring: w.number, upto: w.upto}
	if w.n > 0 {
		d.packets = w.batch[:w.n]
		w.batch, w.n = nil, 0
	}
	select {
	case w.full <- d:
		return true
	case <-w.stop:
		return false
	}
}
