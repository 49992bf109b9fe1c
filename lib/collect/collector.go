package collect

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/netflow"
	"nfpipe/lib/stream"
)

// Config says what is collected, and where it goes.
type Config struct {
	Sources *Sources
	Workers int
	Allow   []netip.Prefix // senders; none is all
	Comp    column.Comp
	Rate    uint32 // of samples: where none is announced...
	Force   uint32 // ...and in place of what is
	Tunnel  bool   // sFlow: the innermost IP header makes the flow

	Flush    time.Duration // how old a batch may grow; 0 is a second
	Memory   int           // bytes of batches that wait to be encoded; 0 is 256 MiB
	Lifetime time.Duration // of templates of an earlier run; 0 is 30 minutes
	Limits   Limits

	Drops  func() uint64 // packets that the kernel dropped so far
	Log    func(string)  // takes what goes wrong
	Report func(string)  // takes what each slot was
	// Ended is told of each slot that has been stored.
	Ended func(s *Source, begin time.Time, slot Slot)
}

// Limits bound what senders can make the collector keep.
type Limits struct {
	Exporters int // 0 is 10,000
	Exporter  netflow.Limits
}

// Collector decodes and stores. Its methods may be called by any goroutine, each worker number
// by one at a time.
type Collector struct {
	config   Config
	workers  []*worker
	queue    *queue
	refusals once
	failures limiter
	errors   limiter

	slot struct {
		sync.Mutex
		begin, at time.Time // of the slot; when the collector began it
		packets   uint64    // received in all, at its beginning
		refused   uint64
		kernel    uint64
	}
	partial   string // why the input is not whole
	packets   atomic.Uint64
	exporters atomic.Int64 // of all workers, without sessions
	saving    sync.Mutex
	stop      chan struct{}
	timers    sync.WaitGroup
}

// New returns a collector whose first slot began at a time.
func New(c Config, begin time.Time) *Collector {
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.Flush == 0 {
		c.Flush = time.Second
	}
	if c.Memory == 0 {
		c.Memory = 256 << 20
	}
	if c.Lifetime == 0 {
		c.Lifetime = 30 * time.Minute
	}
	if c.Limits.Exporters == 0 {
		c.Limits.Exporters = 10000
	}
	if c.Log == nil {
		c.Log = func(string) {}
	}
	if c.Report == nil {
		c.Report = func(string) {}
	}
	k := &Collector{config: c, errors: limiter{most: limitErrors}, stop: make(chan struct{})}
	k.queue = newQueue(k, runtime.GOMAXPROCS(0), c.Memory)
	for range c.Workers {
		k.workers = append(k.workers, newWorker(k))
	}
	k.slot.begin = begin
	k.slot.at = time.Now()
	return k
}

func (c *Collector) logf(format string, a ...any) { c.config.Log(fmt.Sprintf(format, a...)) }

func (c *Collector) allowed(a netip.Addr) bool {
	if len(c.config.Allow) == 0 {
		return true
	}
	for _, p := range c.config.Allow {
		if p.Contains(a.WithZone("")) { // a prefix is one of any interface
			return true
		}
	}
	return false
}

// Batch is what a worker gives to the collector while it holds it.
type Batch struct{ w *worker }

// Begin locks a worker for some packets; End must follow.
func (c *Collector) Begin(worker int) Batch {
	w := c.workers[worker]
	w.mu.Lock()
	return Batch{w}
}

// Packet decodes a packet that arrived at a time in nanoseconds since the epoch.
func (b Batch) Packet(p []byte, from netip.Addr, arrived int64) {
	b.w.c.packets.Add(1)
	b.w.packet(p, from, arrived)
}

// End unlocks the worker.
func (b Batch) End() { b.w.mu.Unlock() }

// Run flushes batches that have grown old, and keeps the state of exporters, until Close.
func (c *Collector) Run() {
	c.timers.Go(func() {
		tick := time.NewTicker(c.config.Flush)
		defer tick.Stop()
		for {
			select {
			case <-c.stop:
				return
			case now := <-tick.C:
				c.Flush(now.Add(-c.config.Flush / 2))
				for _, s := range c.config.Sources.all() {
					c.queue.put(&job{source: s, what: taskTick, at: now})
				}
			}
		}
	})
	c.timers.Go(func() {
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-c.stop:
				return
			case <-tick.C:
				c.SaveState()
			}
		}
	})
}

// Flush gives away batches whose first record arrived before a time.
func (c *Collector) Flush(before time.Time) {
	for _, w := range c.workers {
		w.mu.Lock()
		w.flush(before.UnixNano())
		w.mu.Unlock()
	}
}

// store does one job; it is called by the queue's goroutine alone.
func (c *Collector) store(j *job) error {
	if j.what == taskReport {
		c.config.Report(j.line)
		return nil
	}
	s := j.source
	err := j.err
	switch {
	case err != nil:
	case j.what == taskFrame:
		err = s.Store.Write(j.frame)
	case j.what == taskTable:
		err = s.Store.Table(j.table)
	case j.what == taskTick:
		err = s.Store.Tick(stream.Tick{Clock: uint64(j.at.UnixNano())})
	case j.what == taskRotate:
		c.rotated(j)
		err = s.Store.Rotate(j.at, j.losses.stream())
	case j.what == taskClose:
		c.rotated(j)
		err = s.Store.Close(c.last(j))
	}
	s.done(j, err)
	if err == errDropped {
		return nil
	}
	if err != nil && j.what != taskClose && c.failures.allow(time.Now().UnixNano()) {
		c.logf("%s: %v", s.Ident, err)
	}
	return err
}

// done counts what became of a job.
func (s *Source) done(j *job, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == errDropped:
		s.slot.Dropped += j.records
	case err != nil:
		s.failing = err
		if j.what == taskFrame {
			s.slot.Failed += j.records
		}
	case j.what == taskFrame:
		s.failing = nil
		s.slot.Frames++
		s.slot.Totals.Add(&j.frame.Totals)
	}
}

// Partial says why the input was not whole, before Close: the last slot tells.
func (c *Collector) Partial(reason string) { c.partial = reason }

// last is the end of a source's last slot.
func (c *Collector) last(j *job) stream.End {
	end := stream.End{Losses: j.losses.stream()}
	if c.partial != "" {
		end.Status, end.Reason = stream.Partial, c.partial
	}
	return end
}

// Close flushes what there is, ends the slot, and waits until all is stored. That records could
// not be stored, now or earlier, is an error.
func (c *Collector) Close() error {
	close(c.stop)
	c.timers.Wait()
	c.SaveState()
	err := c.finish(time.Now(), taskClose)
	c.queue.close()
	for _, s := range c.config.Sources.all() {
		if n := s.all.Failed; n > 0 {
			err = errors.Join(err, fmt.Errorf("%s: %d records could not be stored", s.Ident, n))
		}
	}
	return err
}
