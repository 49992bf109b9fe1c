package stream

import (
	"errors"
	"fmt"
	"io"

	"nfpipe/lib/flow"
)

// Writer writes segments to w, which should be unbuffered: frames are large.
type Writer struct {
	w       io.Writer
	err     error
	length  uint64
	records uint64
	totals  flow.Totals
	exact   bool // totals are known
	open    bool
}

// NewWriter returns a writer that has written nothing yet.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Records is the number of records of the segment so far.
func (w *Writer) Records() uint64 { return w.records }

func (w *Writer) put(p []byte) {
	if w.err != nil || len(p) == 0 {
		return
	}
	n, err := w.w.Write(p)
	w.length += uint64(n)
	w.err = err
}

// Head starts a segment.
func (w *Writer) Head(h Head) error {
	w.length, w.records, w.totals, w.exact, w.open = 0, 0, flow.Totals{}, true, true
	w.put(appendFrame(nil, KindHead, h.append(nil), 0))
	return w.err
}

// Write writes an encoded frame of records.
func (w *Writer) Write(f *Frame) error {
	if !w.inside() {
		return w.err
	}
	w.put(f.Head)
	for _, p := range f.Body {
		w.put(p)
	}
	w.add(f.Records, &f.Totals)
	return w.err
}

// inside tells whether a frame may be written now.
func (w *Writer) inside() bool {
	if w.err == nil && !w.open {
		w.err = errors.New("stream: frame outside of a segment")
	}
	return w.err == nil
}

func (w *Writer) add(records int, t *flow.Totals) {
	w.records += uint64(records)
	if uint64(records) != t.Records {
		w.exact = false
		return
	}
	w.totals.Add(t)
}

// Pass writes a frame of records, side or tick frame of a Reader as it was read; of records,
// fewer may be selected since. The item's body must be in memory.
func (w *Writer) Pass(it *Item) error {
	if !w.inside() {
		return w.err
	}
	w.put(w.begin(it))
	if it.Kind == KindRecords {
		w.add(it.Batch.Selected(), &it.Batch.Totals)
	}
	return w.err
}

// begin writes the start of a frame, with the selection that its batch has now, and returns
// what of its body is in memory and comes next.
func (w *Writer) begin(it *Item) []byte {
	if it.Kind != KindRecords || uint64(it.Batch.Selected()) == it.Count {
		w.put(it.prefix)
		return it.body
	}
	head, block, body := reselect(it.prefix, it.body, it.Batch)
	w.put(head)
	w.put(block.Data)
	return body
}

// passFile is Pass for a frame whose body lies in its file. A file that shrinks meanwhile
// leaves a frame half written, so no more can be.
func (w *Writer) passFile(it *Item, copyRange func(f io.ReaderAt, off, n int64) error) error {
	if !w.inside() {
		return w.err
	}
	w.put(w.begin(it))
	if w.err != nil {
		return w.err
	}
	off := it.Offset + int64(len(it.prefix))
	n := it.size
	if copyRange != nil {
		w.err = copyRange(it.file, off, n)
	} else {
		n, w.err = io.Copy(w.w, io.NewSectionReader(it.file, off, n))
	}
	w.length += uint64(n)
	if w.err == nil && (n != it.size || !it.there()) {
		w.err = fmt.Errorf("frame at offset %d: the file shrank while it was copied", it.Offset)
	}
	w.add(it.Batch.Selected(), &it.Batch.Totals)
	return w.err
}

// there tells whether a frame that was left in its file is still there.
func (it *Item) there() bool {
	return it.file == nil || it.size == 0 || reaches(it.file, it.Offset+int64(len(it.prefix))+it.size)
}

// InMemory tells whether Pass can write the item: a lazy reader's frames are still in the file.
func (it *Item) InMemory() bool { return it.Kind != KindRecords || it.body != nil || it.Batch.N == 0 }

// Side writes a frame of a kind that readers may skip.
func (w *Writer) Side(k Kind, header, body []byte) error {
	if !w.inside() {
		return w.err
	}
	w.put(appendFrame(nil, k, header, len(body)))
	w.put(body)
	return w.err
}

// End ends the segment. Status, Reason, Losses and Counts are the caller's; the rest is known.
func (w *Writer) End(e End) error {
	if !w.open {
		return w.err
	}
	w.open = false
	e.Records, e.Totals, e.HasTotals = w.records, w.totals, w.exact
	e.Totals.Records = w.records
	w.put(e.appendFrame(w.length))
	return w.err
}
