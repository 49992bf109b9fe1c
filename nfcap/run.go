package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/collect"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
	"nfpipe/lib/transport"
)

// runner is nfcap at work.
type runner struct {
	*config
	env      *cli.Env
	log      func(string)
	stdout   io.Writer // of the stream
	launcher *launcher
	slow     atomic.Uint64
	clock    atomic.Int64 // of the packets of a capture, nanoseconds; 0: the system's
	broken   chan error   // gets why stdout cannot be written to
	printed  sync.WaitGroup
	signals  chan os.Signal // SIGHUP and SIGUSR1
}

func (r *runner) logf(format string, a ...any) { r.log(fmt.Sprintf(format, a...)) }

// now is the time by which slots go.
func (r *runner) now() time.Time {
	if t := r.clock.Load(); t != 0 {
		return time.Unix(0, t)
	}
	return time.Now()
}

// collect runs nfcap; ready is told when all is open.
func (c *config) collect(env *cli.Env, ready func() error) {
	r := &runner{config: c, env: env, stdout: env.Stdout, broken: make(chan error, 1), log: func(s string) { env.Warnf("%s", s) }}
	if c.daemon {
		if log, err := env.SystemLog(); err == nil {
			r.log = log
		}
	}
	r.launcher = newLauncher(c.exec, r.logf)
	r.signals = make(chan os.Signal, 1) // before anybody can know that nfcap is there
	signal.Notify(r.signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(r.signals)
	if err := r.run(ready); err != nil {
		env.Error(err)
	}
}

func (r *runner) run(ready func() error) error {
	var in input
	var err error
	if r.read != "" {
		in, err = r.openCapture()
	} else {
		in, err = r.listen()
	}
	if err != nil {
		return err
	}
	defer in.close()
	unpid, err := cli.Pidfile(r.pidfile)
	if err != nil {
		return err
	}
	defer unpid()
	metrics, err := r.listenMetrics()
	if err != nil {
		return err
	}
	if err := cli.DropRights(r.user, r.group_); err != nil {
		return err
	}
	if end := r.show(); end != nil {
		defer end()
	}
	sources, err := r.open()
	if err != nil {
		return err
	}
	config := collect.Config{
		Sources: sources, Workers: in.workers(), Allow: r.allow, Comp: r.comp, Rate: r.rate, Force: r.force, Tunnel: r.tunnel,
		Flush: r.flush, Memory: int(r.memory), Lifetime: r.lifetime, Limits: collect.Limits{Exporters: r.exporters},
		Drops: in.drops, Log: r.log,
	}
	if r.stores() {
		config.Report = r.log
	}
	c := collect.New(config, r.now())
	if metrics != nil {
		defer r.serveMetrics(metrics, c, in)()
	}
	err = ready()
	if err == nil {
		err = in.receive(c)
	}
	if e := c.Close(); err == nil {
		err = e
	}
	return err
}

// input is where packets come from.
type input interface {
	workers() int
	drops() uint64
	targets() []transport.RelayStats
	receive(*collect.Collector) error // until it ends or is told to
	close()
}

// rotate ends slots until stop is closed, when their time comes and when a signal says so. It
// calls report with each, and reload when SIGHUP came.
func (r *runner) rotate(c *collect.Collector, stop <-chan struct{}, report, reload func()) {
	next := r.nextSlot(time.Now())
	for {
		timer := time.NewTimer(time.Until(next))
		select {
		case <-stop:
			timer.Stop()
			return
		case s := <-r.signals:
			timer.Stop()
			if s == syscall.SIGHUP {
				reload()
			}
			if r.stores() {
				c.Rotate(time.Now())
			}
			report()
			c.SaveState()
		case <-timer.C:
			if r.stores() {
				c.Rotate(next)
			}
			report()
			next = r.nextSlot(next)
		}
	}
}

// nextSlot is when the slot that a time belongs to ends.
func (r *runner) nextSlot(t time.Time) time.Time {
	if !r.align {
		return t.Add(r.interval)
	}
	n := int64(r.interval / time.Second)
	return time.Unix(t.Unix()-t.Unix()%n+n, 0)
}

// show makes lines of the stream if stdout is a terminal; what it returns waits for the last.
func (r *runner) show() func() {
	if r.stores() || !r.env.StdoutIsTerminal() {
		return nil
	}
	p, err := format.New("line", format.Options{Location: time.Local})
	if err != nil {
		r.env.Error(err)
		return nil
	}
	in, out := io.Pipe()
	r.stdout = out
	r.printed.Go(func() {
		rows := &cli.Rows{Printer: p}
		if err := p.Header(r.env.Out()); err == nil {
			err = rows.Run(r.env, stream.NewReader(in, stream.Options{Name: "stdout"}))
			in.CloseWithError(err)
		}
	})
	return func() {
		out.Close()
		r.printed.Wait()
	}
}
