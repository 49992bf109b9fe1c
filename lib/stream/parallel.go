package stream

import (
	"io"
	"runtime"
	"sync"
)

// Parallel reads all items of r, lets work turn each into a result on several goroutines, and
// gives items and results to sink in the order of the stream, on the calling goroutine. The
// first error stops everything and is returned. It reads a few items ahead.
func Parallel[T any](r *Reader, work func(*Item) (T, error), sink func(*Item, T) error) error {
	type job struct {
		it  *Item
		res T
		err error
		ok  chan struct{}
	}
	workers := runtime.GOMAXPROCS(0)
	todo := make(chan *job, workers)
	order := make(chan *job, 2*workers)
	stop := make(chan struct{})
	var once sync.Once
	halt := func() { once.Do(func() { close(stop) }) }
	defer halt()
	for range workers {
		go func() {
			for j := range todo {
				j.res, j.err = work(j.it)
				close(j.ok)
			}
		}()
	}
	var readErr error
	go func() {
		defer close(order)
		defer close(todo)
		for {
			it, err := r.Next()
			if err != nil {
				if err != io.EOF {
					readErr = err
				}
				return
			}
			j := &job{it: it, ok: make(chan struct{})}
			select {
			case order <- j:
				todo <- j
			case <-stop:
				return
			}
		}
	}()
	for j := range order {
		<-j.ok
		err := j.err
		if err == nil {
			err = sink(j.it, j.res)
		}
		if err != nil {
			halt()
			return err
		}
	}
	return readErr
}
