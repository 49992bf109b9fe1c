package main

import (
	"errors"
	"fmt"
	"io"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
	"nfpipe/lib/source"
	"nfpipe/lib/stream"
)

// meterAll meters all captures through one cache, as if they were one. Of captures none of which
// could be read, nothing is written.
func meterAll(env *cli.Env, c *config, names []string, out output) {
	s := env.Stats(c.stats)
	cols := meter.NewColumns(c.columns)
	var outErr error
	emit := func(r *meter.Record) {
		for outErr == nil && !cols.Add(r) {
			cols, outErr = out.put(cols)
		}
	}
	m := meter.New(c.meter, emit)
	var total capture.Counts
	read, damaged := false, false
	for _, name := range names {
		opened, counts, err := feed(env, c, name, func(ps []packet.Packet) error {
			m.Add(ps)
			return outErr
		})
		add(&total, counts)
		if outErr != nil {
			break
		}
		read, damaged = read || opened, damaged || err != nil
	}
	if outErr == nil {
		m.Flush()
	}
	if outErr == nil && cols.Len() > 0 {
		_, outErr = out.put(cols)
	}
	var end *stream.End
	switch {
	case damaged && read:
		end = &stream.End{Status: stream.Partial, Reason: "a capture was cut off, damaged or missing"}
	case read:
		end = &stream.End{}
	}
	if err := out.end(end); outErr == nil {
		outErr = err
	}
	if outErr != nil {
		env.Errorf("stdout: %w", cli.Cause(outErr))
	}
	report(s, c, total, m.Stats())
	s.Print()
}

// feed meters one capture; opened tells that it is one. What it could not read it has said; the
// error tells that there was something.
func feed(env *cli.Env, c *config, name string, use func([]packet.Packet) error) (opened bool, _ capture.Counts, _ error) {
	in, err := source.Open(name, env.Stdin)
	if err != nil {
		env.Error(err)
		return false, capture.Counts{}, err
	}
	defer in.Close()
	r, err := capture.NewReader(in)
	switch {
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("%s: no capture: the input is empty", in.Name)
		env.Damagedf("%w", err)
		return false, capture.Counts{}, err
	case errors.Is(err, capture.ErrFormat):
		env.Errorf("%s is no capture: %s", in.Name, in.Kind)
		if in.Kind == source.Stream {
			env.Hintf("it holds flow records already: nfcat -r %s", cli.Quote(name))
		}
		return false, capture.Counts{}, err
	case err != nil:
		env.Damagedf("%s: %w", in.Name, err)
		return false, capture.Counts{}, err
	}
	var useErr error
	counts, err := capture.Feed(r, &packet.Parser{Decap: c.decap}, func(ps []packet.Packet) error {
		useErr = use(ps)
		return useErr
	})
	if err != nil && useErr == nil {
		env.Damagedf("%s: after %d packets: %w", in.Name, counts.Frames, err)
	}
	if counts.UnknownLink > 0 {
		env.Warnf("%s: %d packets of a link type that is not known", in.Name, counts.UnknownLink)
	}
	return true, counts, err
}

func add(t *capture.Counts, c capture.Counts) {
	t.Frames += c.Frames
	t.NotIP += c.NotIP
	t.Short += c.Short
	t.Malformed += c.Malformed
	t.UnknownLink += c.UnknownLink
}

func report(s *cli.Stats, c *config, t capture.Counts, m meter.Stats) {
	s.Add("packets read", int64(t.Frames))
	s.Add("packets metered", int64(m.Packets))
	s.AddBytes("IP bytes metered", int64(m.Bytes))
	s.Add("packets without IP", int64(t.NotIP+t.UnknownLink))
	s.Add("packets cut short", int64(t.Short))
	s.Add("packets malformed", int64(t.Malformed))
	s.Add("packets refused by the filter", int64(m.Filtered))
	if c.meter.Sample > 1 {
		s.Add("packets not sampled", int64(m.Unsampled))
	}
	s.Add("fragments without their first", int64(m.Unresolved))
	s.Add("records written", int64(m.Records))
	s.Add("flows evicted for lack of room", int64(m.Evicted))
}
