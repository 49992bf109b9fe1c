package archive

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nfpipe/lib/stream"
)

// smallDisk is a file system of so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("NFPIPE_REQUIRE") == "all" {
			t.Fatalf("mounting a tmpfs: %v", err)
		}
		t.Skipf("mounting a tmpfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until there is no room, and returns its name.
func fill(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	check(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return name
}

// warnings are collected; a full disk is no failure of the test.
type warnings struct {
	mu   sync.Mutex
	said []string
}

func (w *warnings) add(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, err.Error())
}

// On a full disk Write says so and stores nothing of the frame; when there is room again, it
// goes on, also over the end of a slot.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, "600k")
	c := &clock{t: noon}
	o := options(t, c)
	var w warnings
	o.Warn = w.add
	a := open(t, dir, o)
	var want []int
	next, failed := 0, 0
	write := func() error {
		err := a.Write(frame(t, next, 500))
		if err == nil {
			want = append(want, numbers(next, next+500)...)
		} else if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		} else {
			failed++
		}
		next += 500
		return err
	}
	check(t, write())
	filler := fill(t, dir)
	for write() == nil {
	}
	if err := write(); err == nil || failed != 2 {
		t.Errorf("right after a failure: %v", err)
	}
	// what was stored can be read while the disk is full, and nothing is behind it
	files, err := List(dir)
	check(t, err)
	before := read(t, files[0].Path)
	same(t, "records while the disk is full", before.numbers, want)
	if info, err := os.Stat(files[0].Path); err != nil || info.Size() != a.cur.good {
		t.Errorf("the slot has %d bytes, %d of them whole: %v", info.Size(), a.cur.good, err)
	}
	// the slot ends, and neither the next can begin nor, perhaps, this one end
	if err := a.Rotate(c.set(a.Until())); err == nil {
		t.Log("there was room for another file")
	}
	for range 2 {
		if err := write(); err == nil {
			t.Error("a frame was stored on a full disk")
		}
	}
	check(t, os.Remove(filler))
	time.Sleep(retryAfter + 50*time.Millisecond)
	check(t, write())
	check(t, a.Rotate(c.set(a.Until())))
	check(t, write())
	check(t, a.Close())
	var all []int
	files, err = List(dir)
	check(t, err)
	for _, f := range files {
		got := read(t, f.Path)
		if f.Open || got.status != stream.Complete {
			t.Errorf("%+v: %v", f, got.status)
		}
		all = append(all, got.numbers...)
	}
	same(t, "records", all, want)
	same(t, "slots", len(files), 3)
	for _, path := range tree(t, dir) {
		if strings.HasPrefix(path, ".") {
			t.Errorf("%s is left", path)
		}
	}
}

// A slot that cannot be ended for want of room is ended by the next run.
func TestDiskFullAtTheEnd(t *testing.T) {
	dir := smallDisk(t, "600k")
	c := &clock{t: noon}
	o := options(t, c)
	var w warnings
	var done []Slot
	o.Warn, o.Done = w.add, func(s Slot) { done = append(done, s) }
	a := open(t, dir, o)
	n := 0
	for a.cur.good < 3*4096 || 4096-a.cur.good%4096 > 40 { // the last page has no room for an End
		check(t, a.put(func(s *slot) error { return s.w.Tick(stream.Tick{}) }))
		if n < 20 {
			check(t, a.Write(frame(t, n, 1)))
			n++
		}
	}
	filler := fill(t, dir)
	if err := a.Close(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("closing: %v", err)
	}
	if len(done) != 1 || done[0].Err == nil || !IsOpen(done[0].Path) || len(w.said) == 0 {
		t.Errorf("slots %+v, warnings %q", done, w.said)
	}
	check(t, os.Remove(filler))
	c.set(noon.Add(time.Hour))
	a = open(t, dir, o)
	check(t, a.Close())
	same(t, "records", read(t, filepath.Join(dir, "nfcap.202611241200")).numbers, numbers(0, n))
}

// When there is no room for the new file, the short frames stay.
func TestNoRoomToJoin(t *testing.T) {
	dir := smallDisk(t, "600k")
	o := options(t, &clock{t: noon})
	var w warnings
	o.Warn = w.add
	a := open(t, dir, o)
	for i := range 30 {
		check(t, a.Write(frame(t, i*500, 500)))
	}
	fill(t, dir)
	check(t, os.Truncate(filepath.Join(dir, "filler"), 4096*100))
	fillAll := 0
	for i := 30; ; i++ { // the slot takes the rest but for its End
		if err := a.Write(frame(t, i*500, 500)); err != nil {
			break
		}
		fillAll = i + 1
	}
	f, err := os.OpenFile(filepath.Join(dir, "filler"), os.O_WRONLY, 0)
	check(t, err)
	info, err := f.Stat()
	check(t, err)
	check(t, f.Truncate(info.Size()/4096*4096-2*4096))
	check(t, f.Close())
	check(t, a.Close())
	got := read(t, filepath.Join(dir, "nfcap.202611241200"))
	same(t, "records", got.numbers, numbers(0, fillAll*500))
	if len(got.frames) != fillAll || got.status != stream.Complete || len(w.said) != 1 || !strings.Contains(w.said[0], "short frames stay") {
		t.Errorf("%d frames, %v, warnings %q", len(got.frames), got.status, w.said)
	}
	same(t, "files", tree(t, dir), "[filler nfcap.202611241200]")
}
