package main

import (
	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
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
		in := env.OpenInput(name)
		if in == nil {
			damaged = true
			continue
		}
		opened, counts, err := env.Capture(name, in, &packet.Parser{Decap: c.decap}, func(ps []packet.Packet) error {
			m.Add(ps)
			return outErr
		})
		total.Add(&counts)
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
