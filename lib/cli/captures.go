package cli

import (
	"errors"
	"fmt"
	"io"

	"nfpipe/lib/capture"
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
