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

	builder *flow.Builder // taskFrame: what to encode; nil when that is done
	free    chan *flow.Builder
	records uint64
	frame   *stream.Frame
	err     error
	size    int // bytes of the batch, then of the frame
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

// jobSize is what a job takes beside its batch or frame.
const jobSize = 1 << 10

// queue takes jobs, encodes frames on several goroutines, and gives all to the stores in order.
// Only memory bounds it: who puts a job waits neither for an encoder nor for a store.
type queue struct {
	c *Collector

	mu      sync.Mutex
	jobs    []*job // to be stored
	batches []*job // those of them that are to be encoded
	waiting int    // bytes of all jobs, also of the one at the store
	limit   int
	closed  bool

	room   *sync.Cond // there is more room
	coming *sync.Cond // there is a batch, or closed is set
	ready  *sync.Cond // the first job can perhaps be stored, or closed is set

	running sync.WaitGroup
}

func newQueue(c *Collector, encoders, limit int) *queue {
	q := &queue{c: c, limit: limit}
	q.room, q.coming, q.ready = sync.NewCond(&q.mu), sync.NewCond(&q.mu), sync.NewCond(&q.mu)
	for range encoders {
		q.running.Go(q.runEncoder)
	}
	q.running.Go(q.runWriter)
	return q
}

// put appends a job. While the memory for what waits is spent it waits.
func (q *queue) put(j *job) {
	if j.what == taskFrame {
		j.size, j.records = j.builder.Size(), uint64(j.builder.Len())
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.waiting > 0 && q.waiting+j.size+jobSize > q.limit {
		q.room.Wait()
	}
	q.waiting += j.size + jobSize
	q.jobs = append(q.jobs, j)
	if j.what == taskFrame {
		q.batches = append(q.batches, j)
		q.coming.Signal()
	} else if len(q.jobs) == 1 {
		q.ready.Signal()
	}
}

// first waits for the first of some jobs that fits, and takes it; nil when no more come.
func (q *queue) first(jobs *[]*job, fits func(*job) bool, wait *sync.Cond) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(*jobs) == 0 || !fits((*jobs)[0]) {
		if len(*jobs) == 0 && q.closed {
			return nil
		}
		wait.Wait()
	}
	j := (*jobs)[0]
	(*jobs)[0] = nil
	*jobs = (*jobs)[1:]
	return j
}

func (q *queue) runEncoder() {
	for {
		j := q.first(&q.batches, func(*job) bool { return true }, q.coming)
		if j == nil {
			return
		}
		b := j.builder.Batch()
		j.frame, j.err = stream.EncodeFrame(b, q.c.config.Comp, false)
		b.Release()
		j.builder.Reset()
		select {
		case j.free <- j.builder:
		default: // there are enough
		}
		size := 0
		if j.err == nil {
			size = j.frame.Len()
		}
		q.mu.Lock()
		q.waiting += size - j.size
		j.size, j.builder = size, nil
		q.room.Broadcast()
		q.ready.Signal()
		q.mu.Unlock()
	}
}

func (q *queue) runWriter() {
	for {
		j := q.first(&q.jobs, func(j *job) bool { return j.builder == nil }, q.ready)
		if j == nil {
			return
		}
		err := q.c.store(j)
		if j.done != nil {
			j.done <- err
		}
		q.mu.Lock()
		q.waiting -= j.size + jobSize
		q.room.Broadcast()
		q.mu.Unlock()
	}
}

// close waits until all jobs are done.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.coming.Broadcast()
	q.ready.Broadcast()
	q.mu.Unlock()
	q.running.Wait()
}
