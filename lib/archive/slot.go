package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// slot is an open slot, or one that is being closed. Until it is given to close it belongs to
// who holds the Archive's mutex.
type slot struct {
	start, end time.Time
	path       string
	out        *tail
	w          *stream.Writer
	good       int64 // bytes of whole frames
	totals     flow.Totals
	dirty      bool // written since the last flush

	final  stream.End // what it is to end with
	left   bool       // by a crash
	closed bool       // its End is written
	joined bool       // its short frames were, or need not be
	err    error      // why it could not be closed when that was tried last

	mu   sync.Mutex // held while file is flushed or changed
	file *os.File   // locked
}

// tail appends to a file at a place of its own.
type tail struct {
	file *os.File
	at   int64
}

func (t *tail) Write(p []byte) (int, error) {
	n, err := t.file.WriteAt(p, t.at)
	t.at += int64(n)
	return n, err
}

// slotOf is a slot that goes on behind size bytes of a file.
func slotOf(f *os.File, path string, start time.Time, size int64) *slot {
	out := &tail{f, size}
	return &slot{start: start, path: path, file: f, out: out, w: stream.NewWriter(out), good: size}
}

// put writes a frame, or leaves no trace of it.
func (s *slot) put(write func(*slot) error) error {
	before := *s.w // a writer after an error is of no use any more
	err := write(s)
	if err == nil {
		s.good, s.dirty = s.out.at, true
		return nil
	}
	*s.w = before
	s.out.at = s.good
	s.file.Truncate(s.good) // if that fails, the next frame overwrites the rest
	return err
}

// open opens the slot that starts then: its file, if there is one already, or a new one.
func (a *Archive) open(start time.Time) (*slot, error) {
	for path := range a.naming.names(a.dir, start, startOf) {
		if _, err := os.Lstat(path); err != nil {
			break
		}
		if other, ok := startOf(path); ok && other.Equal(start) {
			if s, err := a.reopen(path, start); s != nil || err != nil {
				return s, err
			}
		}
	}
	return a.create(start)
}

// reopen makes a finished file the open slot again. It leaves one that is not whole as it is.
func (a *Archive) reopen(path string, start time.Time) (*slot, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, plain(err)
	}
	if !whole(f) || lock(f) != nil {
		return nil, f.Close()
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		s := slotOf(f, a.freePath(current, start), start, size)
		if err = os.Rename(path, s.path); err == nil {
			if err = a.begin(s); err == nil {
				return s, nil
			}
			err = errors.Join(err, os.Rename(s.path, path))
		}
	}
	f.Close()
	return nil, err
}

// create makes a new file: whole and locked before it has a name that is looked for.
func (a *Archive) create(start time.Time) (*slot, error) {
	f, err := a.newFile(start)
	if err != nil {
		return nil, err
	}
	s := slotOf(f, a.freePath(current, start), start, 0)
	if err = a.begin(s); err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return s, nil
}

// newFile makes a hidden file and locks it.
func (a *Archive) newFile(start time.Time) (*os.File, error) {
	var f *os.File
	err := fs.ErrExist
	for errors.Is(err, fs.ErrExist) { // one for a new slot and one to join frames may meet
		f, err = os.OpenFile(a.freePath(hidden, start), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return f, nil
}

// freePath is a name in the base directory that no file has: prefix, start, process.
func (a *Archive) freePath(prefix string, start time.Time) string {
	path := filepath.Join(a.dir, fmt.Sprintf("%s%d.%d", prefix, start.Unix(), os.Getpid()))
	for name, i := path, 2; ; i++ {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
		name = path + "-" + strconv.Itoa(i)
	}
}

// begin begins a segment of a slot: Head, ident, and the tables in force.
func (a *Archive) begin(s *slot) error {
	s.end = a.until
	a.dirtyDir = true
	return s.put(func(s *slot) error {
		h := a.opt.Head()
		h.Created = uint64(s.start.UnixNano())
		if err := s.w.Head(h); err != nil {
			return err
		}
		tables := a.opt.Tables()
		if a.opt.Ident != "" {
			tables = append([]stream.Table{source(a.opt.Ident)}, tables...)
		}
		for _, t := range tables {
			if err := s.w.Table(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// source is the table that names the source.
func source(ident string) stream.Table {
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.Shape{{ID: ie.Ident, Len: flow.Variable}})
	l.Next()
	l.Cols[0].PutBytes([]byte(ident))
	return stream.Table{Name: TableSource, Batch: b.Batch()}
}

// Source reads the ident of a table of that kind; false for other tables.
func Source(t *stream.Table) (string, bool) {
	i := t.Batch.Find(flow.Key{ID: ie.Ident})
	if t.Name != TableSource || i < 0 || t.Batch.N == 0 {
		return "", false
	}
	v, err := t.Batch.Vec(i)
	if err != nil || v.Kind != column.Bytes || v.N == 0 {
		return "", false
	}
	return string(v.BytesEntry(v.Entry(v.N - 1))), true
}

// left is a slot that a crash left.
func (a *Archive) left(path string, start time.Time) (*slot, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, plain(err)
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := slotOf(f, path, start, 0)
	s.left, s.end = true, start.Add(a.opt.Interval)
	return s, nil
}

// repair cuts a slot that a crash left behind its last whole frame, and ends its segment. If
// nothing is whole, good is 0.
func (s *slot) repair() error {
	size, err := s.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	w, good, inside, err := stream.Resume(io.NewSectionReader(s.file, 0, size), s.out)
	if err != nil {
		return err
	}
	if good < size {
		if err := s.file.Truncate(good); err != nil {
			return err
		}
	}
	s.w, s.good, s.out.at = w, good, good
	if inside {
		end := stream.End{Status: stream.Aborted, Reason: fmt.Sprintf("the writer of this slot was killed; %d bytes of an unfinished frame were cut off", size-good)}
		if err := s.put(func(s *slot) error { return s.w.End(end) }); err != nil {
			return err
		}
	}
	s.closed = true
	return nil
}

// flush brings the slot's file to the disk.
func (s *slot) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	if err := flush(s.file); err != nil {
		return fmt.Errorf("%s: %w", s.file.Name(), err)
	}
	return nil
}

// report is what is said of a slot that is closed, or could not be.
func (s *slot) report(err error) Slot {
	return Slot{Path: s.path, Start: s.start, End: s.end, Totals: s.totals, Losses: s.final.Losses, Size: s.good, Left: s.left, Err: err}
}
