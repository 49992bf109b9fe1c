package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"nfpipe/lib/capture"
	"nfpipe/lib/filter"
	"nfpipe/lib/packet"
	"nfpipe/lib/source"
)

// Capture gives the packets of a capture that was opened under a name to use, as capture.Feed
// does, and closes it. What is wrong with it is reported: damage makes the exit code 3, what is
// no capture 1. opened tells that it is one, err that something was wrong, or what use said.
func (e *Env) Capture(name string, in *source.Input, q *packet.Parser, use func([]packet.Packet) error) (opened bool, _ capture.Counts, err error) {
	defer in.Close()
	r, err := capture.NewReader(in)
	switch {
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("%s: no capture: the input is empty", in.Name)
		e.Damagedf("%w", err)
		return false, capture.Counts{}, err
	case errors.Is(err, capture.ErrFormat):
		e.Errorf("%s is no capture: %s", in.Name, in.Kind)
		if in.Kind == source.Stream {
			e.Hintf("it holds flow records already: nfcat -r %s", Quote(name))
		}
		return false, capture.Counts{}, err
	case err != nil:
		e.Damagedf("%s: %w", in.Name, err)
		return false, capture.Counts{}, err
	}
	var useErr error
	counts, err := capture.Feed(r, q, func(ps []packet.Packet) error {
		useErr = use(ps)
		return useErr
	})
	if err != nil && useErr == nil {
		e.Damagedf("%s: after %d packets: %w", in.Name, counts.Frames, err)
	}
	if counts.UnknownLink > 0 {
		e.Warnf("%s: %d packets of a link type that is not known", in.Name, counts.UnknownLink)
	}
	return true, counts, err
}

// PacketFilter reads the words behind the options as a filter of packets; nil keeps all. What is
// wrong with it is reported as wrong usage.
func (e *Env) PacketFilter(words []string) (keep func(*packet.Packet) bool, ok bool) {
	if len(words) == 0 {
		return nil, true
	}
	f, err := filter.Parse(strings.Join(words, " "), filter.Options{Location: time.Local})
	if err == nil {
		keep, err = f.Packet()
	}
	var wrong *filter.Error
	switch {
	case errors.As(err, &wrong):
		e.Usagef("%s", strings.TrimRight("filter:\n"+wrong.Show(), "\n"))
	case err != nil:
		e.Usagef("%v", err)
		e.Hintf("a packet filter knows ip, net, port, proto, vlan, flags, and or not; nffilter knows the rest")
	}
	return keep, err == nil
}
