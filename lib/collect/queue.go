package collect

import (
	"sync"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

// job is one thing for a source's store, or for the log, in its turn.
type job struct {
	source *Source
	what   task
	begin  time.Time // taskRotate, taskClose: of the slot that ends
	at     time.Time // taskTick; taskRotate: the next slot begins
	losses Losses    // taskRotate, taskClose: since the slot began
	table  stream.Table
	line   string     // taskReport
	done   chan error // when not nil, gets what became of the job

	builder *flow.Builder // taskFrame: what to encode
	free    chan *flow.Builder
	records uint64
	size    int
	frame   *stream.Frame
	err     error
	encoded chan struct{}
}

type task uint8

const (
	taskFrame task = iota
	taskTable
	taskTick
	taskRotate
	taskClose
	taskReport
)

// queue takes jobs, encodes frames on several goroutines, and gives all to the stores in order.
type queue struct {
	c      *Collector
	jobs   chan *job
	encode chan *job

	mu      sync.Mutex
	room    *sync.Cond
	waiting int // bytes of batches
	limit   int

	encoders, writer sync.WaitGroup
}

func newQueue(c *Collector, encoders, limit int) *queue {
	q := &queue{c: c, jobs: make(chan *job, 256), encode: make(chan *job, 256), limit: limit}
	q.room = sync.NewCond(&q.mu)
	for range encoders {
		q.encoders.Go(q.runEncoder)
	}
	q.writer.Go(q.runWriter)
	return q
}

// put appends a job. While the memory for waiting batches is spent it waits.
func (q *queue) put(j *job) {
	if j.what != taskFrame {
		q.jobs <- j
		return
	}
	j.size, j.records = j.builder.Size(), uint64(j.builder.Len())
	q.mu.Lock()
	for q.waiting > 0 && q.waiting+j.size > q.limit {
		q.room.Wait()
	}
	q.waiting += j.size
	q.mu.Unlock()
	j.encoded = make(chan struct{})
	q.jobs <- j
	q.encode <- j
}

func (q *queue) runEncoder() {
	for j := range q.encode {
		b := j.builder.Batch()
		j.frame, j.err = stream.EncodeFrame(b, q.c.config.Comp, false)
		b.Release()
		j.builder.Reset()
		select {
		case j.free <- j.builder:
		default: // there are enough
		}
		j.builder = nil
		q.mu.Lock()
		q.waiting -= j.size
		q.room.Broadcast()
		q.mu.Unlock()
		close(j.encoded)
	}
}

func (q *queue) runWriter() {
	for j := range q.jobs {
		if j.what == taskFrame {
			<-j.encoded
		}
		err := q.c.store(j)
		if j.done != nil {
			j.done <- err
		}
	}
}

// close waits until all jobs are done.
func (q *queue) close() {
	close(q.jobs)
	q.writer.Wait()
	close(q.encode)
	q.encoders.Wait()
}
