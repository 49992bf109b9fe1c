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
)

// output takes records in columns. put returns empty columns for the next; end finishes.
// Of captures none of which could be read, nothing is written.
type output interface {
	put(*meter.Columns) (*meter.Columns, error)
	end(read, damaged bool) error
}

// meterAll meters all captures through one cache, as if they were one.
func meterAll(env *cli.Env, c *config, names []string, out output) {
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
	if err := out.end(read, damaged); outErr == nil {
		outErr = err
	}
	if outErr != nil {
		env.Errorf("stdout: %w", cli.Cause(outErr))
	}
	report(env, c, total, m.Stats())
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

func report(env *cli.Env, c *config, t capture.Counts, m meter.Stats) {
	s := env.Stats(c.stats)
	s.Add("packets read", int64(t.Frames))
	s.Add("packets metered", int64(m.Packets))
	s.AddBytes("IP bytes metered", int64(m.Bytes))
	s.Add("packets without IP", int64(t.NotIP+t.UnknownLink))
	s.Add("packets cut short", int64(t.Short))
	s.Add("packets malformed", int64(t.Malformed))
	s.Add("packets refused by the filter", int64(m.Filtered))
	s.Add("fragments without their first", int64(m.Unresolved))
	s.Add("records written", int64(m.Records))
	s.Add("flows evicted for lack of room", int64(m.Evicted))
	s.Print()
}
