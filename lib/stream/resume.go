package stream

import "io"

// Resume finds where a stream can be gone on with whose writer did not end it: it reads in to
// its end and returns the offset behind the last whole frame, and a Writer to out for what is
// to stand there. If a segment is open at that place, inside is true and End ends it, with the
// count and totals of the records that can be read; otherwise Head begins the next one.
// Damage before that place stays where it is.
func Resume(in io.Reader, out io.Writer) (w *Writer, size int64, inside bool, err error) {
	r := NewReader(in, Options{Name: "stream", Recover: true})
	w = NewWriter(out)
	var start, next int64
	begins := false // a segment does, with the next frame that is there
	for {
		it, err := r.Next()
		if err == io.EOF {
			w.length = uint64(size - start)
			return w, size, w.open, nil
		}
		if err != nil {
			return nil, 0, false, err
		}
		if it.Kind == KindHead {
			next, begins = it.Offset, true
		}
		if it.prefix == nil { // made up by the reader, for what is not there
			continue
		}
		if begins {
			*w = Writer{w: out, exact: true, open: true}
			start, begins = next, false
		}
		size = it.Offset + int64(len(it.prefix)+len(it.body))
		switch it.Kind {
		case KindRecords:
			w.add(it.Batch.Selected(), &it.Batch.Totals)
			it.Batch.Release()
		case KindEnd:
			w.open = false
		}
	}
}
