package main

import (
	"fmt"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
)

// What nfcat prints in place of a stream.

// count adds up what the headers of the frames say.
func count(env *cli.Env, names []string, c *config) {
	var n uint64
	env.Streams(names, stream.Options{Recover: *c.recover, Lazy: true}, func(r *stream.Reader) error {
		return r.Each(func(b *flow.Batch) error {
			if c.window != nil {
				if some, err := c.window.match(b); !some || err != nil {
					return err
				}
			}
			n += uint64(b.Selected())
			if *c.limit > 0 && n >= *c.limit {
				n = *c.limit
				return stream.ErrLimit
			}
			return nil
		})
	})
	fmt.Fprintln(env.Out(), n)
}

// show prints lines, for a stream never goes to a terminal: those of the mode line, or the
// fields that --columns lists.
func show(env *cli.Env, names []string, c *config) {
	if *c.compress != "" {
		env.Usagef("-z compresses a stream, and a terminal gets lines of text")
		env.Hintf("send it to a file: nfcat -z ... > FILE")
		return
	}
	_, mode, ok := columns(env, *c.columns)
	if !ok {
		return
	}
	p, err := format.New(mode, format.Options{Location: time.Local})
	if err != nil {
		env.Error(err)
		return
	}
	rows := &cli.Rows{Printer: p, Limit: *c.limit}
	if c.window != nil {
		rows.Select = c.window.match
	}
	env.Print(names, stream.Options{Recover: *c.recover, Lazy: true}, rows)
}
