package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"nfpipe/lib/transport"
)

// openRelay opens the targets of -R.
func (r *runner) openRelay() (*transport.Relay, error) {
	if len(r.relay) == 0 {
		return nil, nil
	}
	relay, err := transport.NewRelay(r.relay, transport.RelayOptions{Spoof: r.spoof})
	if err != nil {
		return nil, fmt.Errorf("-R %w", err)
	}
	return relay, nil
}

// loops tells whether what is relayed would come back to a port of ours.
func (l *listener) loops() error {
	if l.relays == nil {
		return nil
	}
	ours, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, s := range l.relays.Stats() {
		for _, u := range l.udp {
			at := u.Addr()
			if at.Port() == s.Target.Port() && (at.Addr() == s.Target.Addr() || at.Addr().IsUnspecified() && isOurs(s.Target.Addr(), ours)) {
				return fmt.Errorf("-R %s: nfcap itself listens there", s.Target)
			}
		}
	}
	return nil
}

func isOurs(a netip.Addr, ours []net.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(ours, func(o net.Addr) bool {
		p, err := netip.ParsePrefix(o.String())
		return err == nil && p.Addr() == a
	})
}

func (l *listener) targets() []transport.RelayStats {
	if l.relays == nil {
		return nil
	}
	return l.relays.Stats()
}

// relayed reports what each target did not get since the report before.
func (l *listener) relayed() {
	if l.relays == nil {
		return
	}
	for i, s := range l.relays.Stats() {
		was := &l.before[i]
		if dropped, failed := s.Dropped-was.Dropped, s.Failed-was.Failed; dropped+failed > 0 {
			line := fmt.Sprintf("relay to %s: %d packets sent, %d dropped because it is too slow, %d failed", s.Target, s.Sent-was.Sent, dropped, failed)
			if s.Err != nil {
				line += ": " + s.Err.Error()
			}
			l.log(line)
		}
		*was = s
	}
}
