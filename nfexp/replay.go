package main

import (
	"slices"
	"sync/atomic"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// replay sends records at the pace at which they once arrived, or, where that is not known, at
// which their flows ended.
type replay struct {
	speed  float64 // 0: no pace
	begun  time.Time
	origin int64 // nanoseconds since the epoch, of the first record
}

const replayStep = 10 * time.Millisecond // what falls into one goes out together

func newReplay(speed float64) *replay { return &replay{speed: speed} }

var paceFields = [...]*ie.Field{mustField("received"), mustField("last"), mustField("first")}

func mustField(name string) *ie.Field {
	f, ok := ie.FieldByName(name)
	if !ok {
		panic("nfexp: no field " + name)
	}
	return f
}

// batch writes the records of b when their time has come, until stopped is set.
func (p *replay) batch(b *flow.Batch, stopped *atomic.Bool, write func(*flow.Batch) error) error {
	if p.speed == 0 {
		return write(b)
	}
	times, err := p.times(b)
	if err != nil {
		return err
	}
	rows := make([]int32, 0, b.Selected())
	if b.Sel != nil {
		rows = b.Sel.Rows(rows)
	} else {
		for i := range b.N {
			rows = append(rows, int32(i))
		}
	}
	slices.SortStableFunc(rows, func(x, y int32) int { return int(min(max(times[x]-times[y], -1), 1)) })
	for len(rows) > 0 && !stopped.Load() {
		due := p.due(times[rows[0]])
		sleep(time.Until(due), stopped)
		n := 1
		for n < len(rows) && p.due(times[rows[n]]).Sub(due) < replayStep {
			n++
		}
		b.Sel = flow.NewBitmap(b.N)
		for _, i := range rows[:n] {
			b.Sel.Set(int(i))
		}
		if err := write(b); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// times is when each record of b counts as having come; one without a time comes with those
// before it.
func (p *replay) times(b *flow.Batch) ([]int64, error) {
	times := make([]int64, b.N)
	known := flow.NewBitmap(b.N)
	for _, f := range paceFields {
		v, err := b.Field(f)
		if err != nil {
			return nil, err
		}
		for i := range times {
			if !known.Get(i) && v.Has(i) {
				times[i] = int64(v.Vec.Int(i))
				known.Set(i)
			}
		}
	}
	last := p.origin
	for i := range times {
		if known.Get(i) {
			last = times[i]
		} else {
			times[i] = last
		}
	}
	return times, nil
}

// due is when a record of a time goes out.
func (p *replay) due(t int64) time.Time {
	if p.begun.IsZero() {
		p.begun, p.origin = time.Now(), t
	}
	return p.begun.Add(time.Duration(float64(t-p.origin) / p.speed))
}

// sleep waits, but not on when stopped is set.
func sleep(d time.Duration, stopped *atomic.Bool) {
	for end := time.Now().Add(d); !stopped.Load(); {
		left := time.Until(end)
		if left <= 0 {
			return
		}
		time.Sleep(min(left, 100*time.Millisecond))
	}
}
