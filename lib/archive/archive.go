package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

// Options of an Archive. The functions may be nil; they must not call the Archive.
type Options struct {
	Interval time.Duration // of a slot; whole seconds
	// Align starts slots at multiples of Interval since the epoch, as nfcapd does; otherwise
	// one starts with Open, and the others when Rotate is called.
	Align  bool
	Layout int    // of directories, 0 to MaxLayout
	UTC    bool   // names are in UTC rather than local time
	Ident  string // name of the source, kept in each file
	Comp   column.Comp
	// Sync is how often what was written is brought to the disk; 0: every 5 s, negative: never.
	Sync   time.Duration
	Expire Limits

	Head   func() stream.Head    // of each segment; Created is set to the start of the slot
	Tables func() []stream.Table // in force when a segment begins
	End    func() stream.End     // of a slot: Status, Reason, Losses and Counts
	Done   func(Slot)            // a slot was closed; in their order, on another goroutine, some before Open returns
	Warn   func(error)           // what went wrong outside of any call; from any goroutine
	Now    func() time.Time      // nil: time.Now
}

// Slot is what became of a slot.
type Slot struct {
	Path       string
	Start, End time.Time
	Totals     flow.Totals // of what this Archive wrote, or of all that a crash had left
	Losses     stream.Losses
	Size       int64 // of the file
	Left       bool  // by a crash, and now repaired
	// Err is set when the slot could not be closed before the Archive was. Path is where it
	// lies then; the next Open closes it.
	Err error
}

// TableSource is the side table that has the Ident: one row, no key.
const TableSource = "source"

const (
	defaultSync = 5 * time.Second
	// retryAfter is how long after a failed write the next is tried: a full disk does not get
	// empty at once.
	retryAfter = time.Second
	// tooFarBehind is how many slots wait to be closed when short frames are no longer joined.
	tooFarBehind = 4
)

var errClosed = errors.New("archive is closed")

// Archive writes slots under a directory.
type Archive struct {
	dir    string
	opt    Options
	naming naming
	lock   *os.File // the directory

	mu           sync.Mutex
	cur          *slot     // nil when it could not be opened
	start, until time.Time // of the open slot
	dirtyDir     bool      // a file came into being since the last flush
	err          error     // of the last write, until retry
	retry        time.Time
	closed       bool

	last    chan struct{} // closed when the slot before is
	waiting atomic.Int32  // slots to be closed
	stuck   []*slot       // that could not be closed yet; of the goroutine whose turn it is
	stop    chan struct{}
	syncing sync.WaitGroup
}

// Open locks dir, repairs what a crash left there, and begins the slot that is current. It
// fails when another process writes to dir.
func Open(dir string, o Options) (*Archive, error) {
	switch {
	case o.Interval < time.Second || o.Interval%time.Second != 0:
		return nil, fmt.Errorf("slots of %v: must be whole seconds", o.Interval)
	case o.Layout < 0 || o.Layout > MaxLayout:
		return nil, fmt.Errorf("layout %d: 0 to %d are known", o.Layout, MaxLayout)
	}
	o.complete()
	a := &Archive{dir: dir, opt: o, naming: naming{o.Interval, o.Layout, time.Local}, stop: make(chan struct{}), last: make(chan struct{})}
	if o.UTC {
		a.naming.zone = time.UTC
	}
	close(a.last)
	var err error
	if a.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	a.start, a.until = a.slotAt(o.Now())
	if err := a.first(); err != nil {
		a.wait()
		a.lock.Close()
		return nil, err
	}
	if o.Sync > 0 {
		a.syncing.Add(1)
		go a.sync()
	}
	return a, nil
}

// complete sets what was left to us.
func (o *Options) complete() {
	if o.Sync == 0 {
		o.Sync = defaultSync
	}
	if o.Head == nil {
		o.Head = func() stream.Head { return stream.Head{} }
	}
	if o.Tables == nil {
		o.Tables = func() []stream.Table { return nil }
	}
	if o.End == nil {
		o.End = func() stream.End { return stream.End{} }
	}
	if o.Done == nil {
		o.Done = func(Slot) {}
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, plain(err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.IsDir():
		err = errors.New("not a directory")
	default:
		if err = lock(f); err == errLocked {
			err = errors.New("another process writes to this directory")
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return f, nil
}

// first repairs what a crash left, and opens the first slot: the one that was left, if it is
// current.
func (a *Archive) first() error {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return plain(err)
	}
	for _, e := range entries {
		path := filepath.Join(a.dir, e.Name())
		if strings.HasPrefix(e.Name(), hidden) {
			os.Remove(path)
			continue
		}
		start, ok := openStart(e.Name())
		if !ok {
			continue
		}
		s, err := a.left(path, start)
		if err != nil {
			a.opt.Warn(fmt.Errorf("left as it is: %w", err))
			continue
		}
		if a.cur == nil && start.Equal(a.start) && a.goOn(s) {
			a.cur = s
		} else {
			a.close(s)
		}
	}
	if a.cur == nil {
		a.cur, err = a.open(a.start)
	}
	return err
}

// goOn appends a segment to the slot that a crash left; false when that cannot be done.
func (a *Archive) goOn(s *slot) bool {
	if err := s.repair(); err != nil || s.good == 0 {
		return false
	}
	path := a.freePath(current, s.start)
	if err := os.Rename(s.path, path); err != nil {
		return false
	}
	s.path, s.left, a.dirtyDir = path, false, true
	if a.begin(s) != nil {
		return false
	}
	s.closed = false
	return true
}

// slotAt is the slot that begins at a time, or that the time belongs to.
func (a *Archive) slotAt(t time.Time) (start, end time.Time) {
	start = t.Truncate(time.Second)
	if a.opt.Align {
		n := int64(a.opt.Interval / time.Second)
		start = time.Unix(t.Unix()-(t.Unix()%n+n)%n, 0)
	}
	return start, start.Add(a.opt.Interval)
}

// Write writes a frame of records into the open slot. An error says that its records are not
// stored; nothing of the frame is left then. After an error of the disk, writes fail for a
// second without being tried.
func (a *Archive) Write(f *stream.Frame) error {
	return a.put(func(s *slot) error {
		if err := s.w.Write(f); err != nil {
			return err
		}
		if t := f.Totals; t.Records == uint64(f.Records) {
			s.totals.Add(&t)
		} else {
			s.totals.Records += uint64(f.Records)
		}
		return nil
	})
}

// Table writes rows of a side table that have become known.
func (a *Archive) Table(t stream.Table) error {
	return a.put(func(s *slot) error { return s.w.Table(t) })
}

// Tick writes the clock of the source, for those who read the open slot; it is left out when
// the short frames of the slot are joined.
func (a *Archive) Tick(t stream.Tick) error {
	return a.put(func(s *slot) error { return s.w.Tick(t) })
}

func (a *Archive) put(write func(*slot) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errClosed
	}
	if a.err != nil && time.Now().Before(a.retry) {
		return a.err
	}
	a.err = nil
	var err error
	if a.cur == nil {
		a.cur, err = a.open(a.start)
	}
	if err == nil {
		err = a.cur.put(write)
	}
	var disk *fs.PathError
	var name *os.LinkError
	if errors.As(err, &disk) || errors.As(err, &name) {
		a.err, a.retry = err, time.Now().Add(retryAfter)
	}
	return err
}

// Until is when the open slot ends: then Rotate is to be called.
func (a *Archive) Until() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.until
}

// Rotate closes the open slot, whether it is at its end or not, and opens the next. The error
// is about the next slot: Write tries again to open it.
func (a *Archive) Rotate(now time.Time) error {
	end := a.opt.End()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errClosed
	}
	old := a.cur
	start, until := a.slotAt(now)
	if start.Equal(a.start) || start.Before(a.start) && !now.Before(a.start) { // not at its end
		start = now.Truncate(time.Second)
	}
	a.start, a.until, a.err = start, until, nil
	var err error
	a.cur, err = a.open(start)
	if old != nil {
		old.end, old.final = now, end
		a.close(old)
	}
	return err
}

// Close closes the open slot and waits until all are closed. The error is the first about a
// slot that could not be.
func (a *Archive) Close() error {
	end := a.opt.End()
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return errClosed
	}
	a.closed = true
	if a.cur != nil {
		a.cur.end, a.cur.final = a.opt.Now(), end
		a.close(a.cur)
		a.cur = nil
	}
	a.mu.Unlock()
	close(a.stop)
	a.syncing.Wait()
	err := a.wait()
	a.lock.Close()
	return err
}

// wait is for the slots that are being closed, and gives up those that cannot be.
func (a *Archive) wait() error {
	<-a.last
	var first error
	for _, s := range a.stuck {
		s.file.Close()
		a.opt.Done(s.report(s.err))
		if first == nil {
			first = s.err
		}
	}
	a.stuck = nil
	return first
}

// sync brings the open slot to the disk from time to time.
func (a *Archive) sync() {
	defer a.syncing.Done()
	t := time.NewTicker(a.opt.Sync)
	defer t.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-t.C:
		}
		a.mu.Lock()
		s, dir := a.cur, a.dirtyDir
		dirty := s != nil && s.dirty
		if dirty {
			s.dirty = false
		}
		a.dirtyDir = false
		a.mu.Unlock()
		var err error
		if dirty {
			err = s.flush()
		}
		if dir {
			err = errors.Join(err, a.lock.Sync())
		}
		if err != nil {
			a.opt.Warn(err)
		}
	}
}

// plain takes "open x:" off an error and leaves "x:".
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}
