package main

import (
	"sync/atomic"
	"time"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/collect"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
	"nfpipe/lib/stream"
)

// meterLive meters an interface until a signal or until it is gone.
func meterLive(env *cli.Env, c *config) {
	ctx, stop := env.Source()
	defer stop()
	l, err := capture.OpenLive(c.live)
	if err != nil {
		env.Error(err)
		return
	}
	defer l.Close()
	go func() {
		<-ctx.Done()
		l.Close()
	}()
	c.columns.Interface = uint32(l.Index())
	r, ok := newLiveMeter(env, c, l.Close)
	if !ok {
		return
	}
	counts, err := l.Feed(c.decap, r.use)
	r.finish(err, counts, l.Stats())
}

// liveSink is a queue before stdout, which drops frames when stdout is too slow.
type liveSink struct {
	*collect.Live
	dropped atomic.Uint64 // records
}

// Write does not tell what became of the frame: that it was dropped is counted, and that stdout
// is broken has ended the capture.
func (q *liveSink) Write(f *stream.Frame) error {
	q.Live.Write(f)
	return nil
}

// Tick is the same for a tick.
func (q *liveSink) Tick(t stream.Tick) error {
	q.Live.Tick(t)
	return nil
}

// warn says once that records are dropped.
func (q *liveSink) warn(env *cli.Env) func(uint64) {
	return func(records uint64) {
		if q.dropped.Swap(records) == 0 {
			env.Warnf("stdout is slower than records come: some are dropped")
		}
	}
}

// liveMeter puts out records while packets come.
type liveMeter struct {
	env   *cli.Env
	c     *config
	queue liveSink // before stdout, unless that is a terminal

	stats *cli.Stats
	meter *meter.Meter
	cols  *meter.Columns
	out   output
	err   error // of out
	flush time.Duration
	put   time.Time // the last
	tick  time.Time // the last
}

// newLiveMeter begins the output; stop is called when that is broken.
func newLiveMeter(env *cli.Env, c *config, stop func()) (*liveMeter, bool) {
	r := &liveMeter{env: env, c: c, stats: env.Stats(c.stats), cols: meter.NewColumns(c.columns), flush: c.flush}
	clocked := c.meter
	clocked.Clocked = true
	r.meter = meter.New(clocked, r.emit)
	if env.StdoutIsTerminal() {
		r.flush = 0 // lines appear as they come
	}
	var ok bool
	r.out, ok = newOutput(env, c, func(h stream.Head) sink {
		r.queue.Live = collect.NewLive(env.Stdout, h, r.queue.warn(env), func(error) { stop() })
		return &r.queue
	})
	return r, ok
}

func (r *liveMeter) emit(rec *meter.Record) {
	for r.err == nil && !r.cols.Add(rec) {
		r.cols, r.err = r.out.put(r.cols)
	}
}

// use meters packets. A record is written when the last ones were written a flush time ago, so
// that those that come alone do not wait.
func (r *liveMeter) use(packets []packet.Packet, now int64) error {
	r.meter.Add(packets)
	r.meter.Advance(now)
	t := time.Now()
	if r.err == nil && r.cols.Len() > 0 && t.Sub(r.put) >= r.flush {
		r.put = t
		r.cols, r.err = r.out.put(r.cols)
	}
	if r.err == nil && t.Sub(r.tick) >= r.flush {
		r.tick = t
		r.err = r.out.tick(now)
	}
	return r.err
}

// finish writes all flows and the end, and says what has to be said. err is what ended the feed.
func (r *liveMeter) finish(err error, counts capture.Counts, kernel capture.LiveStats) {
	end := stream.End{Losses: stream.Losses{Drops: kernel.Drops}}
	if err != nil && err != r.err {
		r.env.Error(err)
		end.Status, end.Reason = stream.Aborted, err.Error()
	}
	if r.err == nil {
		r.meter.Flush()
	}
	if r.err == nil && r.cols.Len() > 0 {
		r.cols, r.err = r.out.put(r.cols)
	}
	if err := r.out.end(&end); r.err == nil {
		r.err = err
	}
	if r.err != nil {
		r.env.Errorf("stdout: %w", cli.Cause(r.err))
	}
	if kernel.Drops > 0 {
		r.env.Warnf("%s: %d of %d packets were lost: they came faster than they were metered",
			r.c.live.Interface, kernel.Drops, kernel.Packets)
		r.env.Hintf("a larger --buffer bears longer bursts")
	}
	dropped := r.queue.dropped.Load()
	if dropped > 0 {
		r.env.Warnf("%d records were dropped: stdout was slower than they came", dropped)
	}
	report(r.stats, r.c, counts, r.meter.Stats())
	r.stats.Add("packets lost by the kernel", int64(kernel.Drops))
	r.stats.Add("records dropped, stdout too slow", int64(dropped))
	r.stats.Print()
}
