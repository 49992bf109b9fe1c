package main

import (
	"nfpipe/lib/cli"
	"nfpipe/lib/column"
	"nfpipe/lib/format"
	"nfpipe/lib/meter"
	"nfpipe/lib/stream"
)

// frames writes a stream. Encoding runs beside metering, on two sets of columns in turn.
type frames struct {
	w     *stream.Writer
	head  stream.Head // written before the first frame
	begun bool
	comp  column.Comp
	full  chan *meter.Columns
	empty chan *meter.Columns
	done  chan struct{}
	err   error // of the encoding goroutine; read when done is closed
}

func newFrames(env *cli.Env, c *config) (*frames, bool) {
	comp, ok := env.Compression(c.compress)
	if !ok {
		return nil, false
	}
	f := &frames{w: stream.NewWriter(env.Stdout), comp: comp, full: make(chan *meter.Columns), empty: make(chan *meter.Columns, 1), done: make(chan struct{})}
	f.empty <- meter.NewColumns(c.columns)
	if !c.plain {
		f.head.Created = cli.Now()
		if env.Keeps(c.noHistory) {
			f.head.History.Add(env.History())
		}
	}
	go f.run()
	return f, true
}

func (f *frames) run() {
	defer close(f.done)
	for cols := range f.full {
		if f.err == nil {
			f.err = f.write(cols)
		}
		if f.err != nil {
			close(f.empty)
			return
		}
		cols.Reset()
		f.empty <- cols
	}
}

func (f *frames) write(cols *meter.Columns) error {
	if err := f.begin(); err != nil {
		return err
	}
	b := cols.Batch()
	defer b.Release()
	frame, err := stream.EncodeFrame(b, f.comp, false)
	if err != nil {
		return err
	}
	return f.w.Write(frame)
}

// begin writes the head, once.
func (f *frames) begin() error {
	if f.begun {
		return nil
	}
	f.begun = true
	return f.w.Head(f.head)
}

func (f *frames) put(cols *meter.Columns) (*meter.Columns, error) {
	select {
	case f.full <- cols:
	case <-f.done:
		return cols, f.err
	}
	next, ok := <-f.empty
	if !ok {
		<-f.done
		return cols, f.err
	}
	return next, nil
}

func (f *frames) end(read, damaged bool) error {
	close(f.full)
	<-f.done
	if f.err != nil || !read {
		return f.err
	}
	if err := f.begin(); err != nil {
		return err
	}
	e := stream.End{}
	if damaged {
		e.Status, e.Reason = stream.Partial, "a capture was cut off, damaged or missing"
	}
	return f.w.End(e)
}

// lines shows records as text.
type lines struct {
	env     *cli.Env
	p       *format.Printer
	started bool
	printed uint64
}

func newLines(env *cli.Env, p *format.Printer) *lines { return &lines{env: env, p: p} }

func (l *lines) put(cols *meter.Columns) (*meter.Columns, error) {
	out := l.env.Out()
	if !l.started {
		l.started = true
		if err := l.p.Header(out); err != nil {
			return cols, err
		}
	}
	b := cols.Batch()
	text, err := l.p.Batch(nil, b, l.printed)
	b.Release()
	if err != nil {
		return cols, err
	}
	l.printed += uint64(cols.Len())
	cols.Reset()
	_, err = out.Write(text)
	return cols, err
}

func (l *lines) end(bool, bool) error { return nil }
