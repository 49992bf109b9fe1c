package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"nfpipe/lib/archive"
	"nfpipe/lib/cli"
	"nfpipe/lib/collect"
	"nfpipe/lib/stream"
)

// files is a collect.Store that keeps slots in a directory.
type files struct {
	*archive.Archive
	mu   sync.Mutex
	last stream.End // of the slot that ends
}

func (f *files) Rotate(at time.Time, l stream.Losses) error {
	f.set(stream.End{Losses: l})
	return f.Archive.Rotate(at)
}

func (f *files) Close(e stream.End) error {
	f.set(e)
	return f.Archive.Close()
}

func (f *files) set(e stream.End) {
	f.mu.Lock()
	f.last = e
	f.mu.Unlock()
}

func (f *files) end() stream.End {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// stateName is the file, beside the slots, that keeps the templates of exporters.
const stateName = ".nfcap.state"

// store opens the source that keeps what arrives in dir.
func (r *runner) store(ident, dir string) (*collect.Source, error) {
	s := &collect.Source{Ident: ident, State: filepath.Join(dir, stateName)}
	if err := s.LoadState(); err != nil {
		r.logf("what exporters said is not known: %v", err)
	}
	f := &files{}
	a, err := archive.Open(dir, archive.Options{
		Interval: r.interval, Align: r.align, Layout: r.layout, UTC: r.utc, Ident: ident, Comp: r.comp, Sync: r.sync,
		Expire: r.expire, Head: r.head, Tables: s.Tables, End: f.end, Now: r.now,
		Done: func(slot archive.Slot) {
			if slot.Err != nil {
				r.logf("%s: %v", slot.Path, slot.Err)
			}
			if r.utc {
				slot.Start = slot.Start.UTC()
			}
			r.launcher.run(dir, ident, slot)
		},
		Warn: func(err error) { r.logf("%s: %v", ident, err) },
	})
	if err != nil {
		return nil, err
	}
	f.Archive, s.Store = a, f
	return s, nil
}

func (r *runner) head() stream.Head {
	h := stream.Head{}
	if r.env.Keeps(r.noHistory) {
		h.History.Add(r.env.History())
	}
	return h
}

// open opens what the command line names.
func (r *runner) open() (*collect.Sources, error) {
	switch {
	case r.dir != "":
		s, err := r.store(r.ident, r.dir)
		return &collect.Sources{One: s}, err
	case len(r.static) > 0:
		out := &collect.Sources{}
		for _, n := range r.static {
			s, err := r.store(n.ident, n.dir)
			if err != nil {
				for _, opened := range out.Static {
					opened.Source.Store.Close(stream.End{})
				}
				return nil, err
			}
			out.Static = append(out.Static, collect.Static{Prefixes: n.prefixes, Source: s})
		}
		return out, nil
	case r.dynamic != "":
		if info, err := os.Stat(r.dynamic); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("%s: not a directory", r.dynamic)
		}
		return &collect.Sources{Max: r.maxSources, New: r.newSource}, nil
	}
	s := &collect.Source{Ident: r.ident}
	s.Store = r.live()
	return &collect.Sources{One: s}, nil
}

// newSource is the source of a sender for -M: a directory by its address.
func (r *runner) newSource(a netip.Addr) (*collect.Source, error) {
	ident := strings.NewReplacer(".", "-", ":", "-", "%", "-").Replace(a.String())
	dir := filepath.Join(r.dynamic, ident)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return r.store(ident, dir)
}

// live is a store that writes to stdout. A capture waits for who reads it, a network does not.
func (r *runner) live() *collect.Live {
	warn := func(dropped uint64) {
		if r.slow.Add(1) == 1 {
			r.logf("stdout is slower than what arrives: %d records dropped so far, more are counted in the stream", dropped)
		}
	}
	if r.read != "" {
		warn = nil
	}
	return collect.NewLive(stdout{r.stdout}, r.liveHead(), warn, func(err error) { r.broken <- err })
}

// stdout names itself in errors.
type stdout struct{ io.Writer }

func (s stdout) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if err != nil {
		err = fmt.Errorf("stdout: %w", cli.Cause(err))
	}
	return n, err
}

func (r *runner) liveHead() stream.Head {
	h := r.head()
	h.Created = cli.Now()
	return h
}
