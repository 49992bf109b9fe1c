package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/collect"
	"nfpipe/lib/source"
	"nfpipe/lib/transport"
)

// replay reads export packets from a capture, as fast as they can be stored. Slots go by the
// times of the packets.
type replay struct {
	*runner
	in *source.Input
	r  *capture.Reader
}

// terminal is wrong usage: there is no capture at a terminal.
type terminal struct{ error }

func (terminal) ExitCode() int { return cli.Usage }

func (terminal) Hint() string { return "tcpdump -w - -i IF udp port 9995 | nfcap -f -" }

var errTerminal = terminal{errors.New("stdin is a terminal: no capture comes from it")}

// damaged is an error of an input that is there but not whole.
type damaged struct{ error }

func (damaged) ExitCode() int { return cli.Damaged }

func (r *runner) openCapture() (input, error) {
	if r.read == "-" && r.env.StdinIsTerminal() {
		return nil, errTerminal
	}
	f, err := source.Open(r.read, r.env.Stdin)
	if err != nil {
		return nil, err
	}
	c, err := capture.NewReader(f)
	switch {
	case errors.Is(err, io.EOF):
		err = damaged{fmt.Errorf("%s: no capture: the input is empty", f.Name)}
	case errors.Is(err, capture.ErrFormat):
		err = fmt.Errorf("%s is no capture: %s", f.Name, f.Kind)
	case err != nil:
		err = damaged{fmt.Errorf("%s: %w", f.Name, err)}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	var first capture.Packet
	if c.Peek(&first) == nil { // the first slot is that of the first packet
		r.clock.Store(first.Time)
	}
	return &replay{runner: r, in: f, r: c}, nil
}

func (p *replay) workers() int                    { return 1 }
func (p *replay) drops() uint64                   { return 0 }
func (p *replay) targets() []transport.RelayStats { return nil }
func (p *replay) close()                          { p.in.Close() }

// errStopped ends reading before the end of the capture.
var errStopped = errors.New("stopped by a signal before the end of the capture")

func (p *replay) receive(c *collect.Collector) error {
	signalled, stop := p.env.Source()
	defer stop()
	next := p.nextSlot(p.now())
	var stopped error
	counts, err := capture.Datagrams(p.r, func(d *capture.Datagram) error {
		select {
		case stopped = <-p.broken:
			return stopped
		case <-signalled.Done():
			stopped = errStopped
			return stopped
		default:
		}
		p.clock.Store(d.Time)
		now := time.Unix(0, d.Time)
		if p.stores() && !now.Before(next) {
			c.Rotate(now)
			next = p.nextSlot(now)
		}
		b := c.Begin(0)
		b.Packet(d.Payload, d.Src.Addr(), d.Time)
		b.End()
		return nil
	})
	switch {
	case stopped == errStopped:
		c.Partial(stopped.Error())
		return nil
	case stopped != nil:
		return stopped
	}
	if err != nil {
		p.env.Damagedf("%s: %w", p.in.Name, cli.Cause(err))
		c.Partial("the capture is damaged: " + cli.Cause(err).Error())
	}
	if counts.Short > 0 {
		p.env.Damagedf("%s: %d packets are not whole in the capture", p.in.Name, counts.Short)
		c.Partial(fmt.Sprintf("%d packets are not whole in the capture", counts.Short))
	}
	return nil
}
