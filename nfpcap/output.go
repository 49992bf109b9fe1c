package main

import (
	"io"

	"nfpipe/lib/cli"
	"nfpipe/lib/column"
	"nfpipe/lib/format"
	"nfpipe/lib/meter"
	"nfpipe/lib/stream"
)

// output takes records in columns. put returns empty columns for the next; tick tells a reader
// the clock; end finishes, with nil when there was no input of which anything could be written.
type output interface {
	put(*meter.Columns) (*meter.Columns, error)
	tick(now int64) error
	end(*stream.End) error
}

// sink takes a stream's frames.
type sink interface {
	Write(*stream.Frame) error
	Tick(stream.Tick) error
	Close(stream.End) error
}

// file is a sink that begins its stream with the first frame, or the end.
type file struct {
	w     *stream.Writer
	head  stream.Head
	begun bool
}

func newFile(w io.Writer, h stream.Head) *file { return &file{w: stream.NewWriter(w), head: h} }

func (f *file) begin() error {
	if f.begun {
		return nil
	}
	f.begun = true
	return f.w.Head(f.head)
}

func (f *file) Write(frame *stream.Frame) error {
	if err := f.begin(); err != nil {
		return err
	}
	return f.w.Write(frame)
}

func (f *file) Tick(t stream.Tick) error {
	if err := f.begin(); err != nil {
		return err
	}
	return f.w.Tick(t)
}

func (f *file) Close(e stream.End) error {
	if err := f.begin(); err != nil {
		return err
	}
	return f.w.End(e)
}

// frames writes a stream. Encoding runs beside metering, on two sets of columns in turn.
type frames struct {
	to    sink
	comp  column.Comp
	full  chan job
	empty chan *meter.Columns
	done  chan struct{}
	err   error // of the encoding goroutine; read when done is closed
}

// job is columns to encode, or the time.
type job struct {
	cols *meter.Columns
	now  int64
}

func newFrames(to sink, comp column.Comp, o meter.ColumnOptions) *frames {
	f := &frames{to: to, comp: comp, full: make(chan job), empty: make(chan *meter.Columns, 1), done: make(chan struct{})}
	f.empty <- meter.NewColumns(o)
	go f.run()
	return f
}

func (f *frames) run() {
	defer close(f.done)
	for j := range f.full {
		switch {
		case f.err != nil:
		case j.cols == nil:
			f.err = f.to.Tick(stream.Tick{Clock: uint64(j.now)})
		default:
			f.err = f.write(j.cols)
		}
		if f.err != nil {
			close(f.empty)
			return
		}
		if j.cols != nil {
			j.cols.Reset()
			f.empty <- j.cols
		}
	}
}

func (f *frames) write(cols *meter.Columns) error {
	b := cols.Batch()
	defer b.Release()
	frame, err := stream.EncodeFrame(b, f.comp, false)
	if err != nil {
		return err
	}
	return f.to.Write(frame)
}

func (f *frames) put(cols *meter.Columns) (*meter.Columns, error) {
	select {
	case f.full <- job{cols: cols}:
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

func (f *frames) tick(now int64) error {
	select {
	case f.full <- job{now: now}:
		return nil
	case <-f.done:
		return f.err
	}
}

func (f *frames) end(e *stream.End) error {
	close(f.full)
	<-f.done
	if f.err != nil || e == nil {
		return f.err
	}
	return f.to.Close(*e)
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

// tick shows what has been put so far.
func (l *lines) tick(int64) error { return l.env.Out().Flush() }

func (l *lines) end(*stream.End) error { return nil }
