package main

import (
	"sync"
	"time"

	"nfpipe/lib/aggregate"
	"nfpipe/lib/cli"
	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
)

// usageMeter keeps the numbers of the summary.
type usageMeter struct {
	began     time.Time
	processed uint64 // records that the first tool of the pipeline read
	passed    uint64
	segment0  uint64 // records of the segment so far
	frames    uint64
	bytes     uint64 // of the streams, as they are after decompression

	mu     sync.Mutex
	totals flow.Totals
}

func (m *usageMeter) start() { m.began = time.Now() }

// item counts an item of a stream, in the order of the stream.
func (m *usageMeter) item(it *stream.Item) {
	m.bytes += uint64(it.Length)
	switch it.Kind {
	case stream.KindEnd:
		m.segment(it.End)
	case stream.KindRecords:
		m.batch(it.Batch)
	}
}

func (m *usageMeter) batch(b *flow.Batch) {
	n := uint64(b.Selected())
	m.passed += n
	m.segment0 += n
	m.frames++
}

// segment takes what the tools upstream say that they read from the history's counts.
func (m *usageMeter) segment(e *stream.End) {
	read := m.segment0
	for _, c := range e.Counts {
		read = max(read, c.Read)
	}
	m.processed += read
	m.segment0 = 0
}

// sum adds a batch to the totals; it may run on several goroutines.
func (m *usageMeter) sum(b *flow.Batch) error {
	t := b.Totals
	if t.Records != uint64(b.Selected()) || b.Sel != nil {
		var err error
		if t, err = b.Sum(); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.totals.Add(&t)
	return nil
}

// table takes the totals of everything that was added to a table.
func (m *usageMeter) table(t *aggregate.Table) {
	sums := t.Totals()
	m.totals = flow.Totals{Records: sums.Records, First: sums.First, Last: sums.Last}
	m.totals.Flows[flow.Other], m.totals.Packets[flow.Other], m.totals.Bytes[flow.Other] = sums.Flows, sums.Packets, sums.Bytes
}

// summary prints the summary where the mode has one.
func (j *job) summary(p *format.Printer) {
	m := &j.meter
	j.stats.Add("records read", int64(m.passed))
	j.stats.Add("frames read", int64(m.frames))
	if p == nil || !p.Summarised() || j.env.Code() == cli.Failed {
		return
	}
	user, system := cli.CPU()
	s := format.Summary{Totals: m.totals, Processed: max(m.processed, m.passed), Passed: m.passed,
		BytesRead: m.bytes, User: user, System: system, Wall: time.Since(m.began)}
	if err := s.Write(j.env.Out(), j.format); err != nil {
		j.env.Errorf("stdout: %w", cli.Cause(err))
	}
}
