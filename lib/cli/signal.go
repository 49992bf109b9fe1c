package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// drainTime is how long a tool goes on reading after Ctrl-C before it takes
// its input as ended.
const drainTime = 5 * time.Second

// Source is for a tool that makes a stream from a device, a socket or files:
// SIGINT or SIGTERM ends the context, upon which the tool flushes, writes its
// End and exits 0. A second signal kills it. stop gives the signals back.
func (e *Env) Source() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals) // the second one finds the default again
			cancel()
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, cancel
}

// Drain is for a tool whose input is a pipe. Ctrl-C reaches every process of a
// pipeline at once; the source ends then, so this tool takes the first SIGINT
// as "the source is ending", reads on to the end of its input and prints its
// result. If the input has not ended after 5 s, Stdin reads as ended. A second
// SIGINT, or SIGTERM, kills the tool at once. stop gives the signal back.
//
// Call it before Stdin is given to a reader. When Stdin is no pipe it does
// nothing: a tool that reads a file dies of Ctrl-C.
func (e *Env) Drain() (stop func()) {
	f, ok := e.Stdin.(*os.File)
	if !ok || !(isPipe(f) || isSocket(f)) {
		return func() {}
	}
	r, err := newInterruptible(f)
	if err != nil {
		return func() {}
	}
	e.Stdin = r
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
		case <-done:
			signal.Stop(signals)
			return
		}
		select {
		case <-time.After(drainTime):
			r.interrupt()
		case <-done:
		}
	}()
	return func() { close(done) }
}

func isSocket(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeSocket != 0
}
