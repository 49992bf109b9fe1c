package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

// A live source emits frames that are not full. When a slot is closed, neighbours that are
// short become one.
const (
	shortRecords = flow.MaxRecords / 2 // fewer are short
	shortBytes   = 8 << 20
	maxJoined    = 4096 // frames made one
)

// joining bounds how many slots are joined at a time: when those of a thousand archives end
// together, what receives meanwhile wants a processor as well.
var joining = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// errUnsure gives up a new file that does not hold what the old one does.
var errUnsure = errors.New("not all of the slot can be read")

// join writes the file of a slot anew, with its short frames joined, and puts the new one in
// its place. After an error the old one is there as it was.
func (a *Archive) join(s *slot) error {
	if ok, err := hasShort(io.NewSectionReader(s.file, 0, s.good)); !ok {
		return err
	}
	f, err := a.newFile(s.start)
	if err != nil {
		return err
	}
	out := &tail{file: f}
	j := joiner{w: stream.NewWriter(out), comp: a.opt.Comp}
	joining <- struct{}{}
	err = j.run(stream.NewReader(io.NewSectionReader(s.file, 0, s.good), stream.Options{Name: s.path}))
	<-joining
	if err == nil && a.opt.Sync > 0 {
		err = flush(f)
	}
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file.Close()
	s.file, s.out, s.good = f, out, out.at
	return nil
}

// isShort tells frames that are joined from those that are left as they are: full ones, and
// those that are not simple.
func isShort(it *stream.Item) bool {
	b := it.Batch
	return it.Kind == stream.KindRecords && b.Sel == nil && b.N < shortRecords && it.Length < shortBytes
}

// hasShort looks at the headers of the frames for neighbours that are short.
func hasShort(f *io.SectionReader) (bool, error) {
	r := stream.NewReader(f, stream.Options{Lazy: true})
	before := false
	for {
		it, err := r.Next()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		switch it.Kind {
		case stream.KindRecords:
			short := isShort(it)
			if short && before {
				return true, nil
			}
			before = short
		case stream.KindHead, stream.KindEnd:
			before = false
		}
	}
}

// joiner writes a stream with its short frames joined.
type joiner struct {
	w       *stream.Writer
	comp    column.Comp
	held    []*stream.Item // short frames, to be one
	records int            // in them
	bytes   int64
}

func (j *joiner) run(r *stream.Reader) error {
	for {
		it, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = j.item(it)
		}
		if err != nil {
			return err
		}
	}
}

func (j *joiner) item(it *stream.Item) error {
	switch {
	case it.Kind == stream.KindTick:
		return nil
	case it.Kind == stream.KindSide: // may stand before records that it came after
		return j.w.Pass(it)
	case it.Kind == stream.KindHead:
		return j.w.Head(*it.Head)
	case isShort(it):
		return j.hold(it)
	}
	if err := j.flush(); err != nil {
		return err
	}
	if it.Kind != stream.KindEnd {
		defer release(it)
		return j.w.Pass(it)
	}
	if it.End.Records != j.w.Records() {
		return errUnsure
	}
	return j.w.End(*it.End)
}

func release(it *stream.Item) {
	if it.Batch != nil {
		it.Batch.Release()
	}
}

// hold keeps a short frame, after it wrote those that it does not go with.
func (j *joiner) hold(it *stream.Item) error {
	if j.records+it.Batch.N > flow.MaxRecords || j.bytes+it.Length > 2*shortBytes || len(j.held) == maxJoined {
		if err := j.flush(); err != nil {
			return err
		}
	}
	j.held = append(j.held, it)
	j.records += it.Batch.N
	j.bytes += it.Length
	return nil
}

// flush writes the frames that are held.
func (j *joiner) flush() error {
	defer func() {
		for _, it := range j.held {
			it.Batch.Release()
		}
		j.held, j.records, j.bytes = nil, 0, 0
	}()
	for rest := j.held; len(rest) > 0; {
		b := flow.NewBuilder()
		n := 0
		for n < len(rest) && appendBatch(b, rest[n].Batch) {
			n++
		}
		if n < 2 { // alone, or not to be taken apart
			if err := j.w.Pass(rest[0]); err != nil {
				return err
			}
			rest = rest[1:]
			continue
		}
		f, err := stream.EncodeFrame(b.Batch(), j.comp, false)
		if err != nil {
			return err
		}
		if err := j.w.Write(f); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// appendBatch appends all records of a batch to a builder; false when the builder has no room
// for its shapes, or the batch is not as we write them, and then nothing was appended.
func appendBatch(b *flow.Builder, x *flow.Batch) bool {
	codes, err := x.ShapeCodes()
	if err != nil {
		return false
	}
	layouts := make([]*flow.Layout, len(x.Shapes))
	for i, s := range x.Shapes {
		l, ok := b.Layout(s)
		if !ok {
			return false
		}
		layouts[i] = l
	}
	vecs, cols, err := columnsOf(x, layouts)
	if err != nil {
		return false
	}
	for i := 0; i < x.N; {
		code := codes.Int(i)
		n := 1
		for i+n < x.N && codes.Int(i+n) == code {
			n++
		}
		layouts[code].NextN(n)
		i += n
	}
	for i, v := range vecs {
		appendVec(cols[i], v)
	}
	return true
}

// columnsOf decodes the columns of a batch and finds those of the builder that they go to. Each
// must have a value for each record of the shapes that have its element.
func columnsOf(x *flow.Batch, layouts []*flow.Layout) ([]*column.Vec, []*column.Builder, error) {
	var vecs []*column.Vec
	var cols []*column.Builder
	seen := map[*column.Builder]bool{}
	for i := range x.Cols {
		v, err := x.Vec(i)
		if err != nil {
			return nil, nil, err
		}
		present, err := x.Presence(x.Cols[i].Shapes)
		if err != nil {
			return nil, nil, err
		}
		want := x.N
		if present != nil {
			want = present.Count()
		}
		col := target(x, i, layouts)
		if v.N != want || col == nil && v.N > 0 || col != nil && col.Kind() != v.Kind {
			return nil, nil, fmt.Errorf("column %s of %d values for %d records", x.Cols[i].Key.ID, v.N, want)
		}
		if v.N > 0 {
			vecs, cols, seen[col] = append(vecs, v), append(cols, col), true
		}
	}
	for _, l := range layouts {
		for _, c := range l.Cols {
			if !seen[c] {
				return nil, nil, errors.New("an element without its column")
			}
		}
	}
	return vecs, cols, nil
}

// target is the column of a builder for column i.
func target(x *flow.Batch, i int, layouts []*flow.Layout) *column.Builder {
	for s, l := range layouts {
		for j, k := range l.Shape.Keys(nil) {
			if x.Cols[i].Shapes>>s&1 != 0 && k == x.Cols[i].Key {
				return l.Cols[j]
			}
		}
	}
	return nil
}

// appendVec appends all values of a vector.
func appendVec(c *column.Builder, v *column.Vec) {
	if v.Kind == column.Int && v.Form == column.Plain {
		copy(c.Extend(v.N), v.Ints)
		return
	}
	if v.Kind != column.Int {
		for i := range v.N {
			c.PutEntry(v, v.Entry(i))
		}
		return
	}
	out := c.Extend(v.N)
	for i := range out {
		out[i] = v.Ints[v.Entry(i)]
	}
}
