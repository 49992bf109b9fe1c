package main

import (
	"fmt"
	"io"
	"os"

	"nfpipe/lib/archive"
	"nfpipe/lib/cli"
	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

// statistics are what -I prints.
type statistics struct {
	ident  string
	totals flow.Totals
	gaps   uint64
}

// info prints what all files add up to, in the words of nfdump -I. It is taken from their ends,
// or from the headers of their frames.
func info(env *cli.Env, names []string, c *config) {
	var s statistics
	for _, name := range names {
		if ends, ok := endsOf(name); ok {
			for i := range ends {
				s.totals.Add(&ends[i].Totals)
				s.gaps += ends[i].Losses.SequenceGaps
			}
			s.identOf(name)
			continue
		}
		env.Streams([]string{name}, stream.Options{Recover: *c.recover, Lazy: true}, s.read)
	}
	if s.ident == "" {
		s.ident = "none"
	}
	if _, err := io.WriteString(env.Out(), s.text()); err != nil {
		env.Errorf("stdout: %w", cli.Cause(err))
	}
}

// identOf reads the name of the source of a file, which stands before its records.
func (s *statistics) identOf(name string) {
	if s.ident != "" {
		return
	}
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	r := stream.NewReader(f, stream.Options{Name: name, Lazy: true})
	for {
		it, err := r.Next()
		if err != nil || it.Kind == stream.KindRecords || it.Kind == stream.KindEnd || s.source(it) {
			return
		}
	}
}

// source takes the ident of a side table, if it is the table that has it.
func (s *statistics) source(it *stream.Item) bool {
	if it.Kind != stream.KindSide {
		return false
	}
	name, ok := archive.Source(it.Table)
	if ok && s.ident == "" {
		s.ident = name
	}
	return ok
}

// read adds up a stream frame by frame. Totals of frames with dropped records are bounds.
func (s *statistics) read(r *stream.Reader) error {
	for {
		it, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch it.Kind {
		case stream.KindSide:
			s.source(it)
		case stream.KindEnd:
			s.gaps += it.End.Losses.SequenceGaps
		case stream.KindRecords:
			t := it.Batch.Totals
			if it.Batch.Sel != nil {
				t, err = it.Batch.Sum()
			}
			it.Batch.Release()
			if err != nil {
				if err = r.Lost(it, err); err != nil {
					return err
				}
				continue
			}
			s.totals.Add(&t)
		}
	}
}

func (s *statistics) text() string {
	out := fmt.Sprintf("Ident: %s\n", s.ident)
	for _, c := range []struct {
		name    string
		classes *[flow.Classes]uint64
	}{{"Flows", &s.totals.Flows}, {"Packets", &s.totals.Packets}, {"Bytes", &s.totals.Bytes}} {
		out += fmt.Sprintf("%s: %d\n", c.name, flow.Sum(c.classes))
		for i, class := range []string{"tcp", "udp", "icmp", "other"} {
			out += fmt.Sprintf("%s_%s: %d\n", c.name, class, c.classes[i])
		}
	}
	const second, milli = 1e9, 1e6
	first, last := s.totals.First, s.totals.Last
	return out + fmt.Sprintf("First: %d\nLast: %d\nmsec_first: %d\nmsec_last: %d\nSequence failures: %d\n",
		first/second, last/second, first%second/milli, last%second/milli, s.gaps)
}
