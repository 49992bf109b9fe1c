package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

var (
	shape4 = flow.ShapeOf(8, 12, 7, 11, 4, 2, 1, 156, 157)
	shape6 = flow.Shape{{ID: 27, Len: 16}, {ID: 28, Len: 16}, {ID: 4, Len: 1}, {ID: 1, Len: 4}, {ID: 371, Len: flow.Variable}}
)

// noon is a slot start that all intervals of the tests divide.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// records are n records from number first on: the number is in the octets. Some are of one
// shape and some of another.
func records(first, n int) *flow.Batch {
	b := flow.NewBuilder()
	l4, _ := b.Layout(shape4)
	l6, _ := b.Layout(shape6)
	for i := first; i < first+n; i++ {
		if i%5 == 3 {
			l6.Next()
			l6.Cols[0].Put6(column.V6{Hi: 0x20010db8 << 32, Lo: uint64(i % 99)})
			l6.Cols[1].Put6(column.V6{Hi: 0x20010db8 << 32, Lo: 1})
			l6.Cols[2].PutInt(17)
			l6.Cols[3].PutInt(uint64(i))
			l6.Cols[4].PutBytes(fmt.Appendf(nil, "user-%d", i%7))
			continue
		}
		l4.Next()
		l4.Cols[0].Put4(0x0a000000 + uint32(i%100))
		l4.Cols[1].Put4(0xc0000200 + uint32(i%3))
		l4.Cols[2].PutInt(uint64(1024 + i%60000))
		l4.Cols[3].PutInt(53)
		l4.Cols[4].PutInt(6)
		l4.Cols[5].PutInt(uint64(1 + i%9))
		l4.Cols[6].PutInt(uint64(i))
		l4.Cols[7].PutInt(uint64(noon.UnixNano()) + uint64(i)*1e6)
		l4.Cols[8].PutInt(uint64(noon.UnixNano()) + uint64(i)*1e6 + 5e6)
	}
	return b.Batch()
}

func frame(t testing.TB, first, n int) *stream.Frame {
	f, err := stream.EncodeFrame(records(first, n), column.None, false)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// content is what a file holds.
type content struct {
	numbers []int // of the records
	frames  []int // records of each
	ends    []stream.End
	created []time.Time
	tables  []string
	ticks   int
	idents  []string
	rows    []string // all columns of each record
	status  stream.Status
}

func read(t testing.TB, path string) content {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var c content
	r := stream.NewReader(f, stream.Options{Name: path})
	for {
		it, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch it.Kind {
		case stream.KindHead:
			c.created = append(c.created, time.Unix(0, int64(it.Head.Created)).UTC())
		case stream.KindEnd:
			c.ends = append(c.ends, *it.End)
		case stream.KindTick:
			c.ticks++
		case stream.KindSide:
			c.tables = append(c.tables, it.Table.Name)
			if name, ok := Source(it.Table); ok {
				c.idents = append(c.idents, name)
			}
		case stream.KindRecords:
			c.frames = append(c.frames, it.Batch.N)
			c.records(t, it.Batch)
		}
	}
	c.status, _ = r.Status()
	return c
}

func (c *content) records(t testing.TB, b *flow.Batch) {
	f, _ := ie.FieldByName("octetDeltaCount")
	v, err := b.Field(f)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]string, b.N)
	for i := range b.N {
		c.numbers = append(c.numbers, int(v.Vec.Int(i)))
		rows[i] = fmt.Sprint(v.Vec.Int(i))
	}
	for _, name := range []string{"srcip", "dstip", "srcport", "proto", "packets", "first", "last", "username"} {
		f, ok := ie.FieldByName(name)
		if !ok {
			t.Fatal(name)
		}
		v, err := b.Field(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if !v.Has(i) {
				rows[i] += " -"
				continue
			}
			switch e := v.Vec.Entry(i); v.Vec.Kind {
			case column.Int:
				rows[i] += fmt.Sprint(" ", v.Vec.Ints[e])
			case column.Addr:
				rows[i] += fmt.Sprint(" ", v.Vec.AddrEntry(e))
			default:
				rows[i] += fmt.Sprintf(" %s", v.Vec.BytesEntry(e))
			}
		}
	}
	c.rows = append(c.rows, rows...)
}

// numbers from one to another.
func numbers(from, to int) []int {
	var out []int
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
	return t
}

// options of an archive of slots of five minutes in UTC; what it warns of fails the test.
func options(t testing.TB, c *clock) Options {
	return Options{Interval: 5 * time.Minute, Align: true, UTC: true, Now: c.now,
		Warn: func(err error) { t.Errorf("warning: %v", err) }}
}

func open(t testing.TB, dir string, o Options) *Archive {
	t.Helper()
	a, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tree are the files below a directory, hidden ones too.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		if len(g) > 600 || len(w) > 600 {
			g, w = g[:min(len(g), 600)]+"…", w[:min(len(w), 600)]+"…"
		}
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}

func TestSlots(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon.Add(77 * time.Second)}
	o := options(t, c)
	o.Layout, o.Ident = 2, "router-1"
	var done []Slot
	o.Done = func(s Slot) { done = append(done, s) }
	o.Tables = func() []stream.Table {
		b := flow.NewBuilder()
		l, _ := b.Layout(flow.ShapeOf(10, 82))
		l.Next()
		l.Cols[0].PutInt(1)
		l.Cols[1].PutBytes([]byte("eth0"))
		return []stream.Table{{Name: stream.TableInterfaces, Keys: 1, Batch: b.Batch()}}
	}
	lost := uint64(0)
	o.End = func() stream.End { lost++; return stream.End{Losses: stream.Losses{SequenceGaps: lost}} }
	a := open(t, dir, o)
	same(t, "end of the slot", a.Until().UTC(), noon.Add(5*time.Minute))
	check(t, a.Write(frame(t, 0, 10)))
	files, err := List(dir)
	check(t, err)
	if len(files) != 1 || !files[0].Open || !files[0].Start.Equal(noon) || !IsOpen(files[0].Path) {
		t.Fatalf("files %+v", files)
	}
	check(t, a.Rotate(c.set(noon.Add(5*time.Minute))))
	check(t, a.Write(frame(t, 10, 10)))
	check(t, a.Table(o.Tables()[0]))
	check(t, a.Tick(stream.Tick{Clock: 1}))
	check(t, a.Rotate(c.set(noon.Add(10*time.Minute+time.Second))))
	check(t, a.Rotate(c.set(noon.Add(60*time.Minute)))) // an empty slot; some slots were slept through
	check(t, a.Write(frame(t, 20, 5)))
	c.set(noon.Add(61 * time.Minute))
	check(t, a.Close())
	same(t, "files", tree(t, dir), "[2026/11/24/12/nfcap.202611241200 2026/11/24/12/nfcap.202611241205 2026/11/24/12/nfcap.202611241210 2026/11/24/13/nfcap.202611241300]")
	from := []int{0, 10, 20, 20, 25}
	for i, s := range done {
		got := read(t, s.Path)
		same(t, s.Path, got.numbers, numbers(from[i], from[i+1]))
		same(t, "idents", got.idents, "[router-1]")
		same(t, "created", got.created, []time.Time{s.Start.UTC()})
		if got.status != stream.Complete || len(got.ends) != 1 || got.ends[0].Losses.SequenceGaps != uint64(i+1) || s.Losses.SequenceGaps != uint64(i+1) {
			t.Errorf("%s: %v, ends %+v, slot %+v", s.Path, got.status, got.ends, s)
		}
		if info, err := os.Stat(s.Path); err != nil || info.Size() != s.Size || s.Totals.Records != uint64(len(got.numbers)) || s.Left || s.Err != nil {
			t.Errorf("slot %+v: %v", s, err)
		}
	}
	same(t, "slots", len(done), 4)
	same(t, "end of a slot", done[1].End, noon.Add(10*time.Minute+time.Second))
	if err := a.Write(frame(t, 0, 1)); err == nil {
		t.Error("a closed archive takes records")
	}
}

// Without Align slots begin when the archive does.
func TestSlotsFromTheStart(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon.Add(130*time.Second + 999*time.Millisecond)}
	o := options(t, c)
	o.Align = false
	a := open(t, dir, o)
	same(t, "end of the slot", a.Until().UTC(), noon.Add(7*time.Minute+10*time.Second))
	check(t, a.Rotate(c.set(a.Until())))
	check(t, a.Rotate(c.set(a.Until().Add(3*time.Minute))))
	same(t, "end of a slot", a.Until().UTC(), noon.Add(20*time.Minute+10*time.Second))
	check(t, a.Close())
	same(t, "files", tree(t, dir), "[nfcap.202611241202 nfcap.202611241207 nfcap.202611241215]")
	// the next one begins in a minute that is taken
	c.set(noon.Add(15*time.Minute + 30*time.Second))
	a = open(t, dir, o)
	check(t, a.Write(frame(t, 0, 3)))
	check(t, a.Close())
	same(t, "files", tree(t, dir), "[nfcap.202611241202 nfcap.202611241207 nfcap.202611241215 nfcap.20261124121530]")
}

// A slot may be ended early, and more than once.
func TestRotateNow(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon}
	a := open(t, dir, options(t, c))
	for i, after := range []time.Duration{30 * time.Second, 30 * time.Second, 45 * time.Second, 3 * time.Minute, 5 * time.Minute, 6 * time.Minute} {
		check(t, a.Write(frame(t, i*10, 10)))
		check(t, a.Rotate(c.set(noon.Add(after))))
		same(t, "end", a.Until().UTC(), noon.Add((after/(5*time.Minute)+1)*5*time.Minute))
	}
	check(t, a.Close())
	same(t, "files", tree(t, dir), "[nfcap.202611241200 nfcap.20261124120030 nfcap.20261124120030.2 nfcap.20261124120045 nfcap.202611241203 nfcap.202611241205 nfcap.202611241206]")
	files, err := List(dir)
	check(t, err)
	var all []int
	for _, f := range files {
		all = append(all, read(t, f.Path).numbers...)
	}
	same(t, "records", all, numbers(0, 60))
}

// A clock that is set back does not overwrite what was there.
func TestClockGoesBack(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon.Add(time.Hour)}
	a := open(t, dir, options(t, c))
	check(t, a.Write(frame(t, 0, 10)))
	for i := range 3 {
		check(t, a.Rotate(c.set(noon.Add(time.Duration(1-i%2)*time.Hour+5*time.Minute))))
		check(t, a.Write(frame(t, 10*i+10, 10)))
	}
	check(t, a.Close())
	var all []int
	files, err := List(dir)
	check(t, err)
	for _, f := range files {
		all = append(all, read(t, f.Path).numbers...)
	}
	slices.Sort(all)
	same(t, "records", all, numbers(0, 40))
}

func TestRestartInsideASlot(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon}
	o := options(t, c)
	o.Layout = 1
	for i := range 4 {
		c.set(noon.Add(time.Duration(i) * time.Minute))
		a := open(t, dir, o)
		if i > 0 {
			if files := tree(t, dir); len(files) != 1 || !IsOpen(files[0]) {
				t.Errorf("while the slot goes on: %q", files)
			}
		}
		for j := range 3 {
			check(t, a.Write(frame(t, 30*i+10*j, 10)))
		}
		check(t, a.Close())
	}
	same(t, "files", tree(t, dir), "[2026/11/24/nfcap.202611241200]")
	got := read(t, filepath.Join(dir, "2026/11/24/nfcap.202611241200"))
	same(t, "records", got.numbers, numbers(0, 120))
	same(t, "frames", got.frames, "[30 30 30 30]")
	same(t, "created", got.created, slices.Repeat([]time.Time{noon}, 4))
	same(t, "segments", len(got.ends), 4)
	// a slot whose file is no longer what we wrote is left alone
	path := filepath.Join(dir, "2026/11/24/nfcap.202611241200")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	_, err = f.WriteString("junk")
	check(t, errors.Join(err, f.Close()))
	a := open(t, dir, o)
	check(t, a.Write(frame(t, 120, 10)))
	check(t, a.Close())
	same(t, "files", tree(t, dir), "[2026/11/24/nfcap.202611241200 2026/11/24/nfcap.202611241200.2]")
	same(t, "records", read(t, path+".2").numbers, numbers(120, 130))
}

// A name that belongs to the hour before, as when summer time ends, is not taken again.
func TestSummerTimeEnds(t *testing.T) {
	in(t, "Europe/Zurich")
	dir := t.TempDir()
	start := time.Date(2026, 10, 24, 23, 30, 0, 0, time.UTC) // 01:30 there
	c := &clock{t: start}
	o := options(t, c)
	o.UTC, o.Interval, o.Layout = false, 30*time.Minute, 2
	n := 0
	for range 2 {
		a := open(t, dir, o)
		for range 3 {
			check(t, a.Write(frame(t, n, 10)))
			n += 10
			check(t, a.Rotate(c.set(a.Until())))
		}
		check(t, a.Write(frame(t, n, 10)))
		n += 10
		check(t, a.Close())
	}
	same(t, "files", tree(t, dir), "[2026/10/25/01/nfcap.202610250130 2026/10/25/02/nfcap.202610250200 2026/10/25/02/nfcap.202610250200+0100 "+
		"2026/10/25/02/nfcap.202610250230 2026/10/25/02/nfcap.202610250230+0100 2026/10/25/03/nfcap.202610250300 2026/10/25/03/nfcap.202610250330]")
	files, err := List(dir)
	check(t, err)
	var all []int
	for i, f := range files {
		if !f.Start.Equal(start.Add(time.Duration(i) * 30 * time.Minute)) {
			t.Errorf("file %d: %s starts at %v", i, f.Path, f.Start)
		}
		all = append(all, read(t, f.Path).numbers...)
	}
	same(t, "records", all, numbers(0, n))
}

func TestOneWriterADirectory(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon}
	a := open(t, dir, options(t, c))
	if _, err := Open(dir, options(t, c)); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second writer: %v", err)
	}
	check(t, a.Close())
	check(t, open(t, dir, options(t, c)).Close())
}

func TestOpenRefuses(t *testing.T) {
	c := &clock{t: noon}
	for _, change := range []func(*Options, *string){
		func(o *Options, _ *string) { o.Interval = 0 },
		func(o *Options, _ *string) { o.Interval = 1500 * time.Millisecond },
		func(o *Options, _ *string) { o.Layout = 9 },
		func(_ *Options, dir *string) { *dir += "/none" },
		func(_ *Options, dir *string) { *dir, _ = os.Executable() },
	} {
		o, dir := options(t, c), t.TempDir()
		change(&o, &dir)
		if a, err := Open(dir, o); err == nil {
			a.Close()
			t.Errorf("opened %s with %+v", dir, o)
		}
	}
}

// The open slot is locked while its writer lives.
func TestWriting(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon}
	a := open(t, dir, options(t, c))
	files, err := List(dir)
	check(t, err)
	f, err := os.Open(files[0].Path)
	check(t, err)
	defer f.Close()
	if !Writing(f) {
		t.Error("the open slot is not locked")
	}
	check(t, a.Close())
	if Writing(f) {
		t.Error("a closed slot is locked")
	}
	path, ok := Moved(files[0].Path)
	same(t, "moved to", path, filepath.Join(dir, "nfcap.202611241200"))
	if !ok {
		t.Error("a closed slot is not found")
	}
}

// readWhileWritten reads an archive as a tool does, while it is being written.
func readWhileWritten(t *testing.T, dir string) {
	files, err := List(dir)
	if err != nil {
		t.Error(err)
	}
	octets, _ := ie.FieldByName("octetDeltaCount")
	seen := map[uint64]string{}
	for _, file := range files {
		f, err := os.Open(file.Path)
		if errors.Is(err, os.ErrNotExist) {
			if path, ok := Moved(file.Path); ok {
				f, err = os.Open(path)
			}
		}
		if err != nil {
			t.Error(err)
			continue
		}
		r := stream.NewReader(f, stream.Options{Name: file.Path, Lazy: true, Open: file.Open && Writing(f)})
		err = r.Each(func(b *flow.Batch) error {
			v, err := b.Field(octets)
			for i := range b.N {
				if n := v.Vec.Int(i); seen[n] != "" {
					t.Errorf("record %d is in %s and in %s", n, seen[n], file.Path)
				} else {
					seen[n] = file.Path
				}
			}
			return err
		})
		if s, p := r.Status(); err != nil || s > stream.Open {
			t.Errorf("%s: %v %v %q", file.Path, err, s, p)
		}
		f.Close()
	}
}

// Many goroutines write while slots are rotated: every record is stored once.
func TestRotationUnderLoad(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon}
	o := options(t, c)
	o.Sync = 5 * time.Millisecond
	a := open(t, dir, o)
	const workers, each, size = 4, 400, 20
	var writers sync.WaitGroup
	for w := range workers {
		writers.Go(func() {
			for i := range each {
				if err := a.Write(frame(t, (w*each+i)*size, size)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	stop := make(chan struct{})
	var rotating sync.WaitGroup
	rotating.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := a.Rotate(c.set(a.Until())); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
			}
		}
	})
	rotating.Go(func() { // whoever reads meanwhile finds each record at most once, and no damage
		for {
			select {
			case <-stop:
				return
			default:
				readWhileWritten(t, dir)
			}
		}
	})
	writers.Wait()
	close(stop)
	rotating.Wait()
	check(t, a.Close())
	files, err := List(dir)
	check(t, err)
	var all []int
	for _, f := range files {
		got := read(t, f.Path)
		if got.status != stream.Complete || f.Open {
			t.Errorf("%s: %v", f.Path, got.status)
		}
		all = append(all, got.numbers...)
	}
	slices.Sort(all)
	same(t, "records", all, numbers(0, workers*each*size))
	if len(files) < 10 {
		t.Errorf("only %d slots", len(files))
	}
}
