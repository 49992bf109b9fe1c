package collect

import (
	"errors"
	"fmt"
	"math"
	"time"

	"nfpipe/lib/flow"
)

// Rotate ends the slot: what arrived until now is stored in it. The next one begins at a time.
// It returns when all is with the queue.
func (c *Collector) Rotate(begin time.Time) {
	c.end(begin, taskRotate)
}

// finish is Rotate for the last slot; it waits until everything is stored.
func (c *Collector) finish(at time.Time, what task) error {
	var failed error
	for _, done := range c.end(at, what) {
		failed = errors.Join(failed, <-done)
	}
	return failed
}

func (c *Collector) end(begin time.Time, what task) []chan error {
	ended, losses, refused := c.book(begin)
	var done []chan error
	for _, s := range c.config.Sources.all() {
		d := make(chan error, 1)
		done = append(done, d)
		c.queue.put(&job{source: s, what: what, begin: ended, at: begin, losses: losses[s], done: d})
	}
	c.queue.put(&job{what: taskReport, line: c.received(refused)})
	return done
}

// book flushes all workers and takes what was lost in the slot. While it does nobody counts.
func (c *Collector) book(begin time.Time) (ended time.Time, losses map[*Source]Losses, refused uint64) {
	c.slot.Lock()
	defer c.slot.Unlock()
	losses = map[*Source]Losses{}
	for _, w := range c.workers {
		w.mu.Lock()
		w.flush(math.MaxInt64)
		w.slot(losses)
		refused += w.refused
		w.mu.Unlock()
	}
	for s, l := range losses {
		s.mu.Lock()
		s.booked.add(l)
		s.mu.Unlock()
	}
	ended, c.slot.begin = c.slot.begin, begin
	return ended, losses, refused
}

// rotated closes the books of a source's slot.
func (c *Collector) rotated(j *job) {
	s := j.source
	s.mu.Lock()
	s.booked = s.booked.minus(j.losses)
	s.slot.Losses.add(j.losses)
	slot := s.slot
	s.all.add(&slot)
	s.slot = Slot{}
	s.mu.Unlock()
	c.config.Report(slot.line(s.Ident))
	if c.config.Ended != nil {
		c.config.Ended(s, j.begin, slot)
	}
}

func (s *Slot) add(o *Slot) {
	s.Frames += o.Frames
	s.Totals.Add(&o.Totals)
	s.Losses.add(o.Losses)
	s.Failed += o.Failed
	s.Dropped += o.Dropped
}

// line is the log line of a slot as nfcapd prints it, and what nfcapd does not know.
func (s *Slot) line(ident string) string {
	line := fmt.Sprintf("Ident: '%s' Flows: %d, Packets: %d, Bytes: %d, Sequence Errors: %d, Bad Packets: %d, Blocks: %d",
		ident, flow.Sum(&s.Totals.Flows), flow.Sum(&s.Totals.Packets), flow.Sum(&s.Totals.Bytes), s.Gaps, s.Bad, s.Frames)
	for _, x := range []struct {
		name string
		n    uint64
	}{{"Lost", s.Lost}, {"Unknown Templates", s.Unknown}, {"Clamped Times", s.Clamped}, {"Not Stored", s.Failed}} {
		if x.n > 0 {
			line += fmt.Sprintf(", %s: %d", x.name, x.n)
		}
	}
	return line
}

// received is the log line of what came in all, which is counted anew from here on; refused is
// since the collector began.
func (c *Collector) received(refused uint64) string {
	c.slot.Lock()
	defer c.slot.Unlock()
	now, packets, kernel := time.Now(), c.packets.Load(), uint64(0)
	if c.config.Drops != nil {
		kernel = c.config.Drops()
	}
	n := packets - c.slot.packets
	ignored := refused - c.slot.refused
	rate := float64(n) / max(now.Sub(c.slot.at).Seconds(), 1)
	line := fmt.Sprintf("Total packets received: %d avg: %.2f/s ignored packets: %d", n, rate, ignored)
	if dropped := kernel - c.slot.kernel; dropped > 0 {
		line += fmt.Sprintf(", dropped by the kernel: %d", dropped)
	}
	c.slot.packets, c.slot.refused, c.slot.kernel, c.slot.at = packets, refused, kernel, now
	return line
}
