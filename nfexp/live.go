package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/flow"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
)

// flushAge is how old a record gets before it is sent in a message that is not full.
const flushAge = 250 * time.Millisecond

// live meters an interface until a signal, or a command, ends it.
func (r *runner) live(ready func() error) error {
	in, err := capture.OpenLive(capture.LiveConfig{
		Interface: r.device, NoPromiscuous: r.noPromisc, Snaplen: r.snaplen, Buffer: int(r.buffer),
	})
	if err != nil {
		return err
	}
	defer in.Close()
	ctl, err := listenControl(r.control)
	if err != nil {
		return err
	}
	defer ctl.close()
	unpid, err := cli.Pidfile(r.pidfile)
	if err != nil {
		return err
	}
	defer unpid()
	if err := cli.DropRights(r.user, r.group); err != nil {
		return err
	}
	number := r.index
	if number < 0 {
		number = in.Index()
	}
	if err := r.announce(number); err != nil {
		return err
	}
	signalled, stop := r.env.Source()
	defer stop()
	if err := ready(); err != nil {
		return err
	}
	go func() {
		<-signalled.Done()
		in.Close()
	}()
	m := &monitor{runner: r, in: in, metering: newMetering(r.config, number, r.write), started: time.Now()}
	if r.debug {
		m.tell = func(rec *meter.Record) { r.log("expired: " + lineOf(rec)) }
	}
	counts, err := in.Feed(r.decap, func(ps []packet.Packet, now int64) error { return m.step(ps, now, ctl.requests) })
	r.counts.Add(&counts)
	switch {
	case errors.Is(err, errExit): // without a flush
		return nil
	case errors.Is(err, errShutdown):
		err = nil
	}
	if ferr := m.finish(); err == nil {
		err = ferr
	}
	if s := in.Stats(); s.Drops > 0 {
		r.log(fmt.Sprintf("%s: %d of %d packets were dropped by the kernel; -B gives them more room", r.device, s.Drops, s.Packets))
	}
	return err
}

// announce tells the collectors the name of the interface, or, when records have those of their
// packets, the names of all that there are now.
func (r *runner) announce(number int) error {
	names := []net.Interface{{Index: number, Name: r.device}}
	if number == 0 && r.index < 0 {
		all, err := net.Interfaces()
		if err != nil {
			return err
		}
		names = append(names, all...)
	}
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.Shape{{ID: 10, Len: 4}, {ID: 82, Len: flow.Variable}})
	for _, i := range names {
		l.Next()
		l.Cols[0].PutInt(uint64(i.Index))
		l.Cols[1].PutBytes([]byte(i.Name))
	}
	return r.x.Table("interfaces", 1, b.Batch())
}

// Commands that end the capture.
var (
	errShutdown = errors.New("told to shut down")
	errExit     = errors.New("told to exit")
)

// monitor is a capture that is metered. All is done by the one goroutine that feeds it.
type monitor struct {
	*runner
	*metering
	in      *capture.Live
	started time.Time
	stopped bool // gathers no packets
}

// step takes packets, lets time go on, and does what the control socket says.
func (m *monitor) step(ps []packet.Packet, now int64, requests chan request) error {
	if !m.stopped {
		if err := m.add(ps); err != nil {
			return err
		}
	}
	m.m.Advance(now)
	if m.cols.Len() > 0 && time.Since(m.since) >= flushAge {
		m.flush()
	}
	if m.err != nil {
		return m.err
	}
	select {
	case q := <-requests:
		text, err := m.command(q.command)
		q.answer <- text
		return err
	default:
		return nil
	}
}

// command does what softflowctl's commands mean.
func (m *monitor) command(word string) (answer string, end error) {
	say := func(format string, a ...any) string {
		return fmt.Sprintf("nfexp[%d]: "+format+"\n", append([]any{os.Getpid()}, a...)...)
	}
	switch word {
	case "help":
		return commands, nil
	case "shutdown":
		return say("shutting down"), errShutdown
	case "exit":
		return say("exiting"), errExit
	case "expire-all":
		n := m.m.Stats().Active
		m.m.Flush()
		m.flush()
		m.x.Repeat()
		return say("expired %d flows", n), m.err
	case "delete-all":
		n := m.m.Stats().Active
		m.m.Clear()
		return say("deleted %d flows", n), nil
	case "send-template":
		m.x.Repeat()
		return say("templates are sent with the next flows"), nil
	case "start-gather", "stop-gather":
		m.stopped = word == "stop-gather"
		return say("gathering is %s", map[bool]string{false: "on", true: "off"}[m.stopped]), nil
	case "debug+", "debug-":
		m.tell = nil
		if word == "debug+" {
			m.tell = func(rec *meter.Record) { m.log("expired: " + lineOf(rec)) }
		}
		return say("telling of flows is %s", map[bool]string{false: "off", true: "on"}[m.tell != nil]), nil
	case "dump-flows":
		return m.dump(), nil
	case "timeouts":
		return m.timeouts(), nil
	case "statistics":
		return m.statistics(), nil
	}
	return say("%q is no command\n%s", word, commands), nil
}

const commands = `commands:
  statistics     packets, flows, what was sent
  dump-flows     the flows in the cache
  timeouts       the timeouts in force
  expire-all     send all flows in the cache
  delete-all     forget them
  send-template  send templates with the next flows
  stop-gather    look at no more packets, until
  start-gather   look at packets again
  debug+, debug- tell of each flow that is sent, or no more
  shutdown       send all flows and end
  exit           end without sending them
  help           this
`
