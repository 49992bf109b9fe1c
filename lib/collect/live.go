package collect

import (
	"errors"
	"io"
	"sync"
	"time"

	"nfpipe/lib/stream"
)

// Live is a Store that writes to a reader that may be slow: what it has not taken waits in
// bounded memory, and frames beyond that are dropped and counted.
type Live struct {
	mu      sync.Mutex
	wake    *sync.Cond
	queue   []liveItem
	size    int
	dropped uint64 // records
	closed  bool
	err     error // of writing
	done    chan struct{}
	warn    func(records uint64)
	broken  func(error)
}

// liveItem is a frame, a table, a tick or the end.
type liveItem struct {
	frame *stream.Frame
	table *stream.Table
	tick  *stream.Tick
	end   *stream.End
}

// maxLive is how much waits for a slow reader.
const maxLive = 64 << 20

// errDropped says that a frame is not kept, and that this is known.
var errDropped = errors.New("dropped")

// NewLive begins a stream on w. It calls warn with how many records were dropped so far, when
// more are; with no warn none are dropped, and Write waits for the reader. It calls broken once,
// when w cannot be written to; Close returns that error as well.
func NewLive(w io.Writer, head stream.Head, warn func(records uint64), broken func(error)) *Live {
	l := &Live{done: make(chan struct{}), warn: warn, broken: broken}
	l.wake = sync.NewCond(&l.mu)
	go l.run(stream.NewWriter(w), head)
	return l
}

func (l *Live) put(it liveItem, size int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := func() bool { return it.frame != nil && l.size > 0 && l.size+size > maxLive && l.err == nil }
	for l.warn == nil && full() {
		l.wake.Wait()
	}
	if l.err != nil {
		return errDropped
	}
	if full() {
		l.dropped += uint64(it.frame.Records)
		l.warn(l.dropped)
		return errDropped
	}
	l.queue = append(l.queue, it)
	l.size += size
	l.wake.Broadcast()
	return nil
}

// Write implements Store.
func (l *Live) Write(f *stream.Frame) error { return l.put(liveItem{frame: f}, f.Len()) }

// Table implements Store.
func (l *Live) Table(t stream.Table) error { return l.put(liveItem{table: &t}, 0) }

// Tick implements Store. A reader that is behind gets one tick for many.
func (l *Live) Tick(t stream.Tick) error {
	l.mu.Lock()
	t.Dropped = l.dropped
	if n := len(l.queue); n > 0 && l.queue[n-1].tick != nil {
		l.queue[n-1].tick = &t
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	return l.put(liveItem{tick: &t}, 0)
}

// Rotate implements Store: a live stream has no slots.
func (l *Live) Rotate(time.Time, stream.Losses) error { return nil }

// Close implements Store: it ends the stream and waits until all is written.
func (l *Live) Close(end stream.End) error {
	l.mu.Lock()
	end.Losses.Drops += l.dropped
	l.mu.Unlock()
	l.put(liveItem{end: &end}, 0)
	l.mu.Lock()
	l.closed = true
	l.wake.Broadcast()
	l.mu.Unlock()
	<-l.done
	return l.err
}

func (l *Live) run(w *stream.Writer, head stream.Head) {
	defer close(l.done)
	err := w.Head(head)
	for {
		l.mu.Lock()
		l.err = err
		l.wake.Broadcast() // for who waits for room
		for len(l.queue) == 0 && !l.closed && err == nil {
			l.wake.Wait()
		}
		if len(l.queue) == 0 || err != nil {
			l.mu.Unlock()
			if err != nil {
				l.broken(err)
			}
			return
		}
		it := l.queue[0]
		l.queue = l.queue[1:]
		if it.frame != nil {
			l.size -= it.frame.Len()
		}
		l.mu.Unlock()
		switch {
		case it.frame != nil:
			err = w.Write(it.frame)
		case it.table != nil:
			err = w.Table(*it.table)
		case it.tick != nil:
			err = w.Tick(*it.tick)
		default:
			err = w.End(*it.end)
		}
	}
}
