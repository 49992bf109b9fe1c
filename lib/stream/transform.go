package stream

import (
	"errors"
	"fmt"
	"io"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// Transform is a tool that reads segments and writes each of them again, with other records.
type Transform struct {
	W     *Writer
	Entry Entry // of this run in the history; without a tool name none is added
	// Work says what becomes of a frame of records; it runs on several goroutines. Nil passes
	// all. An error that Reader.Lost knows as damage costs the frame. Of a reader with Leave it
	// may only narrow the selection or drop the frame, and runs in turn.
	Work func(*flow.Batch) (Verdict, error)
	// Copy writes n bytes at off of the input file; nil reads and writes them.
	Copy func(f io.ReaderAt, off, n int64) error
	Comp column.Comp // of frames that are encoded again
	// Limited ends the output after Limit records.
	Limited bool
	Limit   uint64
	// Plain withholds the time of creation and the history.
	Plain bool
	Now   func() uint64

	Stats Stats
}

// Stats counts frames and records over all segments.
type Stats struct {
	Frames, Passed, Dropped, Encoded uint64 // frames: read, passed untouched, dropped, encoded again
	Read, Written                    uint64 // records
}

// Verdict is what becomes of a frame: nothing, the frame as it came but for its selection, or
// another in its place.
type Verdict struct {
	Drop  bool
	Frame *Frame
}

// ErrLimit is returned by Run when the limit is reached: there is no need to read on.
var ErrLimit = errors.New("record limit reached")

// Run reads r to its end and writes its segments.
func (t *Transform) Run(r *Reader) error {
	if r.opt.Leave && r.skips != nil {
		return t.inTurn(r)
	}
	entry := -1
	var read uint64
	return Parallel(r, func(it *Item) (Verdict, error) {
		if it.Kind != KindRecords || t.Work == nil {
			return Verdict{}, nil
		}
		v, err := t.Work(it.Batch)
		if err != nil {
			v, err = Verdict{Drop: true}, r.Lost(it, err)
		}
		return v, err
	}, func(it *Item, v Verdict) error {
		switch it.Kind {
		case KindHead:
			entry, read = -1, 0
			return t.head(it.Head, &entry)
		case KindEnd:
			return t.end(it, it.End, entry, read)
		case KindRecords:
			read += it.Count
			defer it.Batch.Release()
			return t.records(r, it, v, func() error { return t.end(it, &End{}, entry, read) })
		}
		return t.W.Pass(it)
	})
}

// inTurn is Run for a reader that leaves part of each frame in its input: one frame is finished
// before the next is read.
func (t *Transform) inTurn(r *Reader) error {
	entry := -1
	var read uint64
	for {
		it, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch it.Kind {
		case KindHead:
			entry, read = -1, 0
			err = t.head(it.Head, &entry)
		case KindEnd:
			err = t.end(it, it.End, entry, read)
		case KindRecords:
			read += it.Count
			err = t.selected(r, it)
			it.Batch.Release()
			if err == errCutOff {
				return nil
			}
		default:
			err = t.W.Pass(it)
		}
		if err != nil {
			return err
		}
	}
}

// selected writes what Work leaves of a frame.
func (t *Transform) selected(r *Reader, it *Item) error {
	t.Stats.Frames++
	t.Stats.Read += it.Count
	v, err := t.Work(it.Batch)
	if err != nil {
		return r.Lost(it, err)
	}
	if v.Drop {
		t.Stats.Dropped++
		return nil
	}
	t.Stats.Passed++
	t.Stats.Written += uint64(it.Batch.Selected())
	err = t.W.passOn(r, it)
	if errors.Is(err, io.ErrUnexpectedEOF) { // and what was written ends there too
		r.problem(Truncated, "truncated after %d records, in the middle of a frame", it.Before)
		return errCutOff
	}
	return err
}

// errCutOff ends a run whose input ended in the middle of a frame that was half written.
var errCutOff = errors.New("input ends in the middle of a frame")

func (t *Transform) head(h *Head, entry *int) error {
	if t.Plain {
		return t.W.Head(Head{Features: h.Features | FeatureSelection})
	}
	if t.Entry.Tool != "" {
		*entry = h.History.Add(t.Entry)
	}
	if t.Now != nil {
		h.Created = t.Now()
	}
	h.Features |= FeatureSelection
	return t.W.Head(*h)
}

func (t *Transform) end(it *Item, e *End, entry int, read uint64) error {
	if n := it.seg.later.Load(); n > 0 && e.Status < Partial {
		e.Status, e.Reason = Partial, fmt.Sprintf("%d records lost", n)
	}
	if entry >= 0 && !t.Plain {
		e.Counts = append(e.Counts, Count{Entry: entry, Read: read, Matched: t.W.Records(), Written: t.W.Records()})
	}
	if t.Plain {
		e.Counts = nil
	}
	return t.W.End(*e)
}

// records writes what v says of a frame; end ends the segment when the limit is reached.
func (t *Transform) records(r *Reader, it *Item, v Verdict, end func() error) error {
	b := it.Batch
	n := uint64(b.Selected())
	t.Stats.Frames++
	t.Stats.Read += it.Count
	if v.Frame != nil {
		n = uint64(v.Frame.Records)
	}
	if v.Drop || n == 0 {
		t.Stats.Dropped++
		return nil
	}
	if t.Limited && n > t.Limit {
		return t.cut(b, v, end)
	}
	if v.Frame == nil && !it.there() {
		t.Stats.Dropped++
		return r.Lost(it, io.ErrUnexpectedEOF)
	}
	t.Stats.Written += n
	if t.Limited {
		t.Limit -= n
	}
	if v.Frame != nil {
		t.Stats.Encoded++
		return t.W.Write(v.Frame)
	}
	t.Stats.Passed++
	return t.pass(it)
}

func (t *Transform) pass(it *Item) error {
	if it.InMemory() {
		return t.W.Pass(it)
	}
	return t.W.passFile(it, t.Copy)
}

// cut writes the first records of a frame up to the limit.
func (t *Transform) cut(b *flow.Batch, v Verdict, end func() error) error {
	if t.Limit > 0 {
		if v.Frame != nil && v.Frame.batch != nil {
			b = v.Frame.batch
		}
		b.First(t.Limit)
		f, err := EncodeFrame(b, t.Comp, false)
		if err != nil {
			return err
		}
		t.Stats.Encoded++
		t.Stats.Written += t.Limit
		if err := t.W.Write(f); err != nil {
			return err
		}
		t.Limit = 0
	}
	if err := end(); err != nil {
		return err
	}
	return ErrLimit
}
