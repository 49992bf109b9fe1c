package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/export"
	"nfpipe/lib/flow"
	"nfpipe/lib/packet"
	"nfpipe/lib/source"
	"nfpipe/lib/stream"
)

// runner is nfexp at work.
type runner struct {
	*config
	env *cli.Env
	log func(string)
	x   *export.Exporter
	// stopped is set when a signal ends the input.
	stopped atomic.Bool
	counts  capture.Counts
}

// run opens the ways to the collectors, tells ready, and sends.
func (r *runner) run(ready func() error) {
	r.log = func(s string) { r.env.Warnf("%s", s) }
	if r.device != "" && !r.foreground {
		if log, err := r.env.SystemLog(); err == nil {
			r.log = log
		}
	}
	if err := r.open(); err != nil {
		r.env.Error(err)
		return
	}
	stats := r.env.Stats(r.stats)
	if r.device != "" {
		if err := r.live(ready); err != nil {
			r.env.Error(err)
		}
	} else {
		r.files()
	}
	if err := r.x.Close(); err != nil {
		r.env.Error(err)
	}
	r.leftOut()
	r.report(stats)
}

func (r *runner) open() (err error) {
	if r.device != "" {
		r.encoding.Started = time.Now().UnixNano()
	}
	r.x, err = export.New(export.Config{
		Encoding: r.encoding, Destinations: r.to, InTurn: r.inTurn, Live: r.device != "", Pace: r.pace, Unpaced: r.unpaced,
		Log: func(s string) { r.log(s) },
	})
	return err
}

// errStopped ends reading after a signal.
var errStopped = errors.New("stopped by a signal")

// files sends what the inputs hold: records of streams, or those that packets make.
func (r *runner) files() {
	unpid, err := cli.Pidfile(r.pidfile)
	if err != nil {
		r.env.Error(err)
		return
	}
	defer unpid()
	if err := cli.DropRights(r.user, r.group); err != nil {
		r.env.Error(err)
		return
	}
	defer r.env.Drain()()
	defer r.terminated()()
	g := newMetering(r.config, max(r.index, 0), r.write)
	for _, name := range r.names {
		in := r.env.OpenInput(name)
		if in == nil {
			continue
		}
		if in.Kind == source.Pcap || in.Kind == source.Pcapng {
			if err := r.capture(g, name, in); err != nil {
				break
			}
		} else if more, _ := r.env.Stream(name, in, stream.Options{}, r.stream); !more {
			break
		}
	}
	if err := g.finish(); err != nil {
		r.env.Error(err)
	}
}

// terminated notes SIGTERM, and SIGINT when the input is no pipe: what was read is sent before
// nfexp ends.
func (r *runner) terminated() (stop func()) {
	signals := make(chan os.Signal, 1)
	which := []os.Signal{syscall.SIGTERM}
	if !r.env.StdinIsPipe() {
		which = append(which, os.Interrupt)
	}
	signal.Notify(signals, which...)
	go func() {
		if _, ok := <-signals; ok {
			signal.Stop(signals) // the second one ends it
			r.stopped.Store(true)
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// capture meters the packets of a capture; an error ends the run.
func (r *runner) capture(g *metering, name string, in *source.Input) error {
	_, counts, _ := r.env.Capture(name, in, &packet.Parser{Decap: r.decap}, func(ps []packet.Packet) error {
		if r.stopped.Load() {
			g.err = errStopped
		}
		return g.add(ps)
	})
	r.counts.Add(&counts)
	if g.err == errStopped {
		g.err = nil
		return errStopped
	}
	return g.err
}

// stream sends the records of a stream.
func (r *runner) stream(in *stream.Reader) error {
	pace := newReplay(r.speed)
	for {
		it, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if r.stopped.Load() {
			return stream.ErrLimit
		}
		switch it.Kind {
		case stream.KindSide:
			if it.Table != nil {
				err = r.x.Table(it.Table.Name, it.Table.Keys, it.Table.Batch)
			}
		case stream.KindRecords:
			err = pace.batch(it.Batch, &r.stopped, r.write)
			it.Batch.Release()
		}
		if err != nil {
			if err = in.Lost(it, err); err != nil {
				return err
			}
		}
	}
}

func (r *runner) write(b *flow.Batch) error { return r.x.Write(b) }

// leftOut tells what a version cannot carry.
func (r *runner) leftOut() {
	for _, s := range r.x.Encoded().LeftOut() {
		r.log(s)
	}
}
