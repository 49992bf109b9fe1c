package cli

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	progressAfter = time.Second            // shorter work shows nothing
	progressEvery = 200 * time.Millisecond // a line that can be read
)

// Progress is a line on the terminal that says how far a long piece of work
// is: bytes, records, rate and time left. The tool that reads the file shows
// it; the work adds to Bytes and Records as it goes, from any goroutine.
type Progress struct {
	Bytes   atomic.Int64
	Records atomic.Int64

	env     *Env
	total   int64
	started time.Time
	done    chan struct{}
	mu      sync.Mutex // held while the line is written
	shown   bool
	stopped bool
}

// Progress begins the line, over total bytes (0 when that is not known). On
// anything but a terminal it counts and shows nothing. Data that goes to
// stdout through Out, and Close, end it.
func (e *Env) Progress(total int64) *Progress {
	p := &Progress{env: e, total: total, started: time.Now(), done: make(chan struct{})}
	if !e.StderrIsTerminal() {
		p.stopped = true
		return p
	}
	e.mu.Lock()
	e.progress = p
	e.mu.Unlock()
	go p.run()
	return p
}

func (e *Env) stopProgress() {
	e.mu.Lock()
	p := e.progress
	e.mu.Unlock()
	if p != nil {
		p.Stop()
	}
}

func (p *Progress) run() {
	next := time.NewTimer(progressAfter)
	defer next.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-next.C:
			p.draw(time.Since(p.started))
			next.Reset(progressEvery)
		}
	}
}

// Stop takes the line away. It may be called twice.
func (p *Progress) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	if !p.stopped {
		p.stopped = true
		close(p.done)
	}
}

// clear takes the line away for a message; the next one draws itself again.
func (p *Progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

func (p *Progress) erase() {
	if p.shown {
		fmt.Fprint(p.env.Stderr, "\r\x1b[K")
		p.shown = false
	}
}

func (p *Progress) draw(elapsed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		fmt.Fprint(p.env.Stderr, "\r"+p.line(elapsed)+"\x1b[K")
		p.shown = true
	}
}

// line is at most 79 characters, so that it never wraps on a usual terminal.
func (p *Progress) line(elapsed time.Duration) string {
	bytes, records := p.Bytes.Load(), p.Records.Load()
	seconds := elapsed.Seconds()
	var b strings.Builder
	b.WriteString(p.env.Tool + ": ")
	if p.total > 0 {
		fmt.Fprintf(&b, "%3.0f%% of %s", 100*min(1, float64(bytes)/float64(p.total)), Bytes(p.total))
	} else {
		b.WriteString(Bytes(bytes))
	}
	if records > 0 {
		fmt.Fprintf(&b, ", %s records", Count(records))
	}
	fmt.Fprintf(&b, ", %s/s", Bytes(int64(float64(bytes)/seconds)))
	if p.total > bytes && bytes > 0 {
		left := elapsed.Seconds() * float64(p.total-bytes) / float64(bytes)
		fmt.Fprintf(&b, ", %s left", time.Duration(left*float64(time.Second)).Round(time.Second))
	}
	line := b.String()
	return line[:min(len(line), 79)]
}
