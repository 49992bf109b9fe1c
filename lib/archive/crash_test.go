package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// TestMain is the writer that TestKill kills, when asked to be.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ARCHIVE_WRITER"); dir != "" {
		first, _ := strconv.Atoi(os.Getenv("ARCHIVE_FIRST"))
		if err := writeUntilKilled(dir, first); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes frames of some records and says of each, when it is stored, up to
// which number they went.
func writeUntilKilled(dir string, first int) error {
	r := rand.New(rand.NewPCG(uint64(first), 1))
	o := Options{Interval: time.Second, Align: true, UTC: true, Layout: 5, Sync: 3 * time.Millisecond,
		Warn: func(err error) { fmt.Println("error", err) }}
	a, err := Open(dir, o)
	if err != nil {
		return err
	}
	for {
		n := 1 + r.IntN(300)
		f, err := stream.EncodeFrame(records(first, n), 0, false)
		if err != nil {
			return err
		}
		if err := a.Write(f); err != nil {
			return err
		}
		first += n
		fmt.Println("stored", first)
		now := time.Now()
		if !now.Before(a.Until()) || r.IntN(40) == 0 {
			if err := a.Rotate(now); err != nil {
				return err
			}
		}
		if r.IntN(400) == 0 { // a restart that is none
			if err := a.Close(); err != nil {
				return err
			}
			if a, err = Open(dir, o); err != nil {
				return err
			}
		}
	}
}

// stored reads all numbers in the files of an archive. It fails if one is there twice.
func stored(t *testing.T, dir string) map[int]bool {
	t.Helper()
	files, err := List(dir)
	check(t, err)
	all := map[int]bool{}
	octets, _ := ie.FieldByName("octetDeltaCount")
	for _, f := range files {
		in, err := os.Open(f.Path)
		check(t, err)
		err = stream.NewReader(in, stream.Options{Name: f.Path, Lazy: true}).Each(func(b *flow.Batch) error {
			v, err := b.Field(octets)
			for i := range b.N {
				n := int(v.Vec.Int(i))
				if all[n] {
					t.Fatalf("record %d is stored twice, the second time in %s", n, f.Path)
				}
				all[n] = true
			}
			return err
		})
		check(t, err)
		in.Close()
	}
	return all
}

// A writer that is killed at any time has in its files what it called stored, and once.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(7, uint64(time.Now().UnixNano())))
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	var acked []int // pairs: from, to
	next := 0
	for round := range rounds {
		first, last := next, next
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "ARCHIVE_WRITER="+dir, "ARCHIVE_FIRST="+strconv.Itoa(first))
		out, err := c.StdoutPipe()
		check(t, err)
		check(t, c.Start())
		time.AfterFunc(time.Duration(20+r.IntN(150))*time.Millisecond, func() { c.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, value, _ := strings.Cut(lines.Text(), " ")
			if n, err := strconv.Atoi(value); err != nil || what != "stored" {
				t.Errorf("round %d: the writer says %q", round, lines.Text())
			} else {
				last = n
			}
		}
		c.Wait()
		acked = append(acked, first, last)
		next = last + 1_000_000 // one more frame may have been written
		if round%10 != 9 && round != rounds-1 {
			continue
		}
		all := stored(t, dir)
		for i := 0; i < len(acked); i += 2 {
			for n := acked[i]; n < acked[i+1]; n++ {
				if !all[n] {
					t.Fatalf("round %d: record %d of %d to %d was called stored and is not", round, n, acked[i], acked[i+1])
				}
			}
		}
	}
	before := stored(t, dir)
	a := open(t, dir, Options{Interval: time.Second, Align: true, UTC: true, Layout: 5})
	check(t, a.Close())
	if after := stored(t, dir); len(after) != len(before) {
		t.Errorf("%d records after the last repair, %d before", len(after), len(before))
	}
	for _, path := range tree(t, dir) {
		if strings.HasPrefix(filepath.Base(path), ".") || IsOpen(path) {
			t.Errorf("%s is left", path)
		}
		f, err := os.Open(filepath.Join(dir, path))
		check(t, err)
		if !whole(f) {
			t.Errorf("%s is not whole", path)
		}
		f.Close()
	}
	t.Logf("%d records of %d runs in %d files", len(before), rounds, len(tree(t, dir)))
}

// crashed makes a slot as a crash leaves it, and returns its bytes and where its frames end.
func crashed(t *testing.T) (data []byte, ends []int64) {
	t.Helper()
	dir := t.TempDir()
	o := options(t, &clock{t: noon})
	o.Ident = "x"
	a := open(t, dir, o)
	ends = append(ends, a.cur.good)
	for i := range 4 {
		check(t, a.Write(frame(t, i*10, 10)))
		ends = append(ends, a.cur.good)
	}
	data, err := os.ReadFile(a.cur.path)
	check(t, err)
	check(t, a.Close())
	return data, ends
}

// Wherever a crash cut a slot off, what is whole gets a name and an end, and the next run goes
// on behind it, in the same slot or in another.
func TestRepairAtEveryByte(t *testing.T) {
	data, ends := crashed(t)
	for n := 0; n <= len(data); n++ {
		frames := len(ends) - 1
		for frames >= 0 && ends[frames] > int64(n) {
			frames--
		}
		// every byte around the ends of frames, some of the others
		if near := slices.ContainsFunc(ends, func(e int64) bool { return int64(n)-e < 30 && e-int64(n) < 5 }); !near && n%31 != 0 {
			continue
		}
		for _, later := range []bool{false, true} {
			dir := t.TempDir()
			check(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("nfcap.current.%d.1", noon.Unix())), data[:n], 0o666))
			check(t, os.WriteFile(filepath.Join(dir, ".nfcap.new.1.1"), data, 0o666))
			c := &clock{t: noon}
			if later {
				c.set(noon.Add(time.Hour))
			}
			var done []Slot
			o := options(t, c)
			o.Sync = -1
			o.Done = func(s Slot) { done = append(done, s) }
			a := open(t, dir, o)
			check(t, a.Write(frame(t, 1000, 10)))
			check(t, a.Close())
			repaired(t, dir, n, frames, later, done)
			os.RemoveAll(dir)
			if t.Failed() {
				return
			}
		}
	}
}

// repaired checks what became of the first n bytes of a slot, in which so many frames are
// whole; -1: not even its head.
func repaired(t *testing.T, dir string, n, frames int, later bool, done []Slot) {
	t.Helper()
	path := filepath.Join(dir, "nfcap.202611241200")
	want := []string{"nfcap.202611241200"}
	if later {
		want = append(want, "nfcap.202611241300")
		if n == 0 || frames < 0 && absent(path) {
			want = want[1:]
		}
	}
	what := fmt.Sprintf("cut after %d bytes, %d frames, later %v", n, frames, later)
	same(t, what+": files", tree(t, dir), want)
	records := append(numbers(0, max(0, frames)*10), numbers(1000, 1010)...)
	same(t, what+": records", slices.Sorted(maps.Keys(stored(t, dir))), records)
	if len(done) != len(want) {
		t.Errorf("%s: %d slots were closed", what, len(done))
		return
	}
	if frames >= 0 {
		c := read(t, path)
		if c.status != stream.Aborted || c.ends[0].Status != stream.Aborted || !c.created[0].Equal(noon) {
			t.Errorf("%s: %v, ends %+v", what, c.status, c.ends)
		}
		if later && (!done[0].Left || done[0].Totals.Records != uint64(frames*10)) {
			t.Errorf("%s: slot %+v", what, done[0])
		}
	}
}

// absent tells that there is no such file.
func absent(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// A crash between the end of a slot and its new name loses and doubles nothing.
func TestCrashBeforeTheName(t *testing.T) {
	data, _ := crashed(t)
	dir := t.TempDir()
	path := filepath.Join(dir, fmt.Sprintf("nfcap.current.%d.1", noon.Unix()))
	check(t, os.WriteFile(path, data, 0o666))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	s := slotOf(f, path, noon, 0)
	check(t, s.repair())
	f.Close()
	a := open(t, dir, options(t, &clock{t: noon.Add(time.Hour)}))
	check(t, a.Close())
	c := read(t, filepath.Join(dir, "nfcap.202611241200"))
	same(t, "records", c.numbers, numbers(0, 40))
	same(t, "segments", len(c.ends), 1)
	same(t, "frames", c.frames, "[40]")
}

// Two slots of one start that crashes left both keep their records.
func TestTwoLeftOfOneSlot(t *testing.T) {
	data, _ := crashed(t)
	for _, at := range []time.Duration{0, time.Hour} {
		dir := t.TempDir()
		for i := range 3 {
			check(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("nfcap.current.%d.%d", noon.Unix(), i)), data, 0o666))
		}
		a := open(t, dir, options(t, &clock{t: noon.Add(at)}))
		check(t, a.Close())
		files, err := List(dir)
		check(t, err)
		n := 0
		for _, f := range files {
			n += len(read(t, f.Path).numbers)
		}
		same(t, fmt.Sprintf("records after %v in %q", at, tree(t, dir)), n, 120)
	}
}
