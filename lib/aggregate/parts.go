package aggregate

import (
	"errors"
	"runtime"
	"sync"

	"nfpipe/lib/flow"
)

// partFunc gives rows from up to to out; batches are its own until yield returns.
type partFunc func(from, to int, yield func(*flow.Batch) error) error

// inParts gives n rows out. Many are built on all processors, each a batch while others are
// in use, and given out in order; fresh makes what one goroutine builds with.
func inParts(n int, fresh func() partFunc, yield func(*flow.Batch) error) error {
	parts := (n + flow.MaxRecords - 1) / flow.MaxRecords
	if parts < 2 {
		return fresh()(0, n, yield)
	}
	workers := min(runtime.GOMAXPROCS(0), parts)
	builders := make([]builder, workers)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for w := range workers {
		b := builder{make(chan built), make(chan struct{}), stop}
		builders[w] = b
		wg.Go(func() {
			build := fresh()
			for part := w; part < parts; part += workers {
				from := part * flow.MaxRecords
				if !b.run(build, from, min(from+flow.MaxRecords, n)) {
					return
				}
			}
		})
	}
	for part := range parts {
		if err := builders[part%workers].part(yield); err != nil {
			return err
		}
	}
	return nil
}

// builder is a goroutine that builds batches; out gives each, and nil at the end of a part.
type builder struct {
	out  chan built
	used chan struct{} // the batch may be overwritten
	stop chan struct{}
}

type built struct {
	batch *flow.Batch
	err   error
}

var errStopped = errors.New("stopped")

// run builds the batches of one part; false if there is no use for more.
func (b *builder) run(build partFunc, from, to int) bool {
	err := build(from, to, func(batch *flow.Batch) error {
		select {
		case b.out <- built{batch: batch}:
		case <-b.stop:
			return errStopped
		}
		select {
		case <-b.used:
			return nil
		case <-b.stop:
			return errStopped
		}
	})
	if err == errStopped {
		return false
	}
	select {
	case b.out <- built{err: err}:
		return err == nil
	case <-b.stop:
		return false
	}
}

// part gives the batches of one part out.
func (b *builder) part(yield func(*flow.Batch) error) error {
	for x := range b.out {
		if x.err != nil || x.batch == nil {
			return x.err
		}
		if err := yield(x.batch); err != nil {
			return err
		}
		b.used <- struct{}{}
	}
	return nil
}
