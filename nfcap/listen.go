package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"nfpipe/lib/collect"
	"nfpipe/lib/transport"
)

// listener receives packets from the network.
type listener struct {
	*runner
	udp     []*transport.UDP
	streams []*transport.Listener
	n       int // workers
	relays  *transport.Relay
	before  []transport.RelayStats // at the last report
}

func (r *runner) listen() (input, error) {
	relay, err := r.openRelay()
	if err != nil {
		return nil, err
	}
	l := &listener{runner: r, relays: relay, before: make([]transport.RelayStats, len(r.relay))}
	for _, e := range r.endpoints {
		if err := l.open(e); err != nil {
			l.close()
			return nil, unopened(err, e)
		}
	}
	if err := l.loops(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Hint() string { return h.hint }

// unopened adds to the error of an endpoint what users ask about it.
func unopened(err error, e transport.Endpoint) error {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return hinted{err, "no interface of this machine has that address: ip addr shows them all; without -b nfcap listens on all"}
	case errors.Is(err, syscall.EADDRINUSE):
		return hinted{err, fmt.Sprintf("ss -anp | grep :%d shows who has the port", e.Port)}
	case errors.Is(err, syscall.EACCES):
		return hinted{err, "setcap cap_net_bind_service,cap_net_admin,cap_net_raw+ep $(command -v nfcap) lets others than root open it"}
	}
	return err
}

func (l *listener) open(e transport.Endpoint) error {
	if e.Network != "udp" {
		s, err := transport.Listen(e, transport.StreamOptions{Allow: l.allows, Cert: l.tls.cert, Key: l.tls.key, ClientCA: l.tls.ca})
		if err == nil {
			l.streams = append(l.streams, s)
		}
		return err
	}
	n := l.config.workers
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	u, err := transport.ListenUDP(e, transport.UDPOptions{Workers: n, Buffer: int(l.buffer), Group: l.group})
	if err != nil {
		return err
	}
	l.udp = append(l.udp, u)
	l.n += u.Workers()
	if b := u.Buffer(); b.Short() {
		l.logf("%s: the kernel gives a receive buffer of %d bytes, %d were asked for: packets will be lost in bursts", e, b.Granted, b.Requested)
		for _, s := range b.Sysctl {
			l.env.Hintf("%s", s)
		}
	}
	return nil
}

// allows is asked before anything is kept for a connection.
func (l *listener) allows(a netip.Addr) bool {
	for _, p := range l.allow {
		if p.Contains(a.WithZone("")) {
			return true
		}
	}
	return len(l.allow) == 0
}

func (l *listener) workers() int { return max(l.n, 1) }

func (l *listener) drops() uint64 {
	n := uint64(0)
	for _, u := range l.udp {
		n += u.Drops()
	}
	return n
}

// hush ends receiving: what the kernel holds comes yet.
func (l *listener) hush() {
	for _, u := range l.udp {
		u.Close()
	}
	for _, s := range l.streams {
		s.Close()
	}
}

func (l *listener) close() {
	l.hush()
	if l.relays != nil {
		l.relays.Close()
	}
}

func (l *listener) receive(c *collect.Collector) error {
	signalled, stop := l.env.Source()
	defer stop()
	ctx, cancel := context.WithCancelCause(signalled)
	defer cancel(nil)
	var running sync.WaitGroup
	run := func(receive func() error) {
		running.Go(func() {
			if err := receive(); err != nil {
				cancel(err)
			}
		})
	}
	worker := 0
	for _, u := range l.udp {
		for i := range u.Workers() {
			w := worker
			run(func() error {
				return u.Receive(i, func(packets []transport.Packet) { l.packets(c, w, packets) })
			})
			worker++
		}
	}
	for _, s := range l.streams {
		run(func() error { return s.Serve(l.handler(c)) })
	}
	c.Run()
	running.Go(func() {
		select {
		case err := <-l.broken:
			cancel(err)
		case <-ctx.Done():
		}
	})
	running.Go(func() { l.rotate(c, ctx.Done(), l.relayed, l.reload) })
	<-ctx.Done()
	l.hush()
	running.Wait()
	l.close()
	l.relayed()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// packets decodes what arrived together.
func (l *listener) packets(c *collect.Collector, worker int, packets []transport.Packet) {
	now := time.Now().UnixNano()
	if l.relays != nil {
		l.relays.Send(packets)
	}
	b := c.Begin(worker)
	for i := range packets {
		b.Packet(packets[i].Data, packets[i].From.Addr().WithZone(""), now)
	}
	b.End()
}

// handler decodes what sessions send.
func (l *listener) handler(c *collect.Collector) transport.Handler {
	return transport.Handler{
		Open: func(transport.Session) {},
		Message: func(m transport.Message) {
			c.Message(m.Session, m.Data, m.From.Addr().WithZone(""), time.Now().UnixNano())
		},
		Close: func(s transport.Session, err error) {
			c.EndSession(s.ID)
			if err != nil {
				c.Complain("%s: %v", s.Peer, err)
			}
		},
		Refuse: func(peer netip.AddrPort, err error) { c.Complain("%s: refused: %v", peer, err) },
	}
}

// reload reads certificates again.
func (l *listener) reload() {
	for _, s := range l.streams {
		if err := s.Reload(); err != nil {
			l.logf("%v", err)
		}
	}
}
