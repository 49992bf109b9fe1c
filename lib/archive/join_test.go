package archive

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// oneSlot writes frames into one slot, closes it, and reads it before and after.
func oneSlot(t *testing.T, o Options, write func(a *Archive)) (before, after content, size [2]int64) {
	t.Helper()
	dir := t.TempDir()
	a := open(t, dir, o)
	write(a)
	files, err := List(dir)
	check(t, err)
	before = read(t, files[0].Path)
	info, err := os.Stat(files[0].Path)
	check(t, err)
	size[0] = info.Size()
	check(t, a.Close())
	same(t, "files", tree(t, dir), "[nfcap.202611241200]")
	path := filepath.Join(dir, "nfcap.202611241200")
	if info, err = os.Stat(path); err != nil {
		t.Fatal(err)
	}
	size[1] = info.Size()
	after = read(t, path)
	if after.status != stream.Complete {
		t.Errorf("the closed slot is %v", after.status)
	}
	return before, after, size
}

func table(name string, key uint64, value string) stream.Table {
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.ShapeOf(10, 82))
	l.Next()
	l.Cols[0].PutInt(key)
	l.Cols[1].PutBytes([]byte(value))
	return stream.Table{Name: name, Keys: 1, Batch: b.Batch()}
}

// Short frames become full ones; every column of every record, its place, the tables and the
// totals stay.
func TestJoin(t *testing.T) {
	for _, comp := range []column.Comp{column.None, column.S2, column.Zstd} {
		o := options(t, &clock{t: noon})
		o.Comp = comp
		n := 0
		before, after, size := oneSlot(t, o, func(a *Archive) {
			for i := range 200 {
				check(t, a.Write(frame(t, n, 1+i*7%100)))
				n += 1 + i*7%100
				check(t, a.Tick(stream.Tick{Clock: uint64(i)}))
				if i%50 == 0 {
					check(t, a.Table(table(fmt.Sprint("t", i), 7, "x")))
				}
			}
		})
		same(t, "frames", after.frames, []int{n})
		same(t, "tables", after.tables, before.tables)
		same(t, "ticks", []int{before.ticks, after.ticks}, "[200 0]")
		same(t, "rows", after.rows, before.rows)
		same(t, "records of the end", after.ends[0].Records, n)
		if !after.ends[0].HasTotals {
			t.Error("the end has no totals")
		}
		if size[1]*3 > size[0] {
			t.Errorf("%v: %d bytes became %d", comp, size[0], size[1])
		}
	}
}

// Frames that are full, or alone, are left as they are; a frame is never larger than allowed.
func TestJoinLeavesFullFrames(t *testing.T) {
	for _, c := range []struct{ frames, want []int }{
		{[]int{40000, 40000}, []int{40000, 40000}},
		{[]int{100, 40000, 100, 65536, 100}, []int{100, 40000, 100, 65536, 100}},
		{[]int{100, 100, 40000, 100, 200}, []int{200, 40000, 300}},
		{[]int{30000, 30000, 30000, 5535, 1, 1}, []int{60000, 35537}},
		{[]int{32767, 32767, 2, 1}, []int{65536, 1}},
		{[]int{32768, 1, 1}, []int{32768, 2}},
		{nil, nil},
		{[]int{5}, []int{5}},
	} {
		n := 0
		before, after, _ := oneSlot(t, options(t, &clock{t: noon}), func(a *Archive) {
			for _, k := range c.frames {
				check(t, a.Write(frame(t, n, k)))
				n += k
			}
		})
		same(t, fmt.Sprint("frames of ", c.frames), after.frames, c.want)
		if strings.Join(after.rows, "\n") != strings.Join(before.rows, "\n") {
			t.Errorf("frames of %v: other records than before", c.frames)
		}
	}
}

// Frames of many shapes are joined as far as a frame can hold them.
func TestJoinManyShapes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var pool flow.Shape
	for id := uint16(1); len(pool) < 200; id++ {
		if e := ie.New(0, id); flow.KindOf(e) != column.Addr {
			pool = append(pool, flow.Elem{ID: e, Len: 4})
		}
	}
	before, after, _ := oneSlot(t, options(t, &clock{t: noon}), func(a *Archive) {
		for i := range 60 {
			b := flow.NewBuilder()
			for j := range 8 {
				shape := flow.Shape{{ID: 1, Len: 8}}
				for _, e := range r.Perm(len(pool))[:3] {
					if id, _ := ie.Column(pool[e].ID); id != 1 {
						shape = append(shape, pool[e])
					}
				}
				l, ok := b.Layout(shape)
				if !ok {
					t.Fatal("no layout")
				}
				l.Next()
				for k, col := range l.Cols {
					if col.Kind() == column.Int {
						col.PutInt(uint64(i*8 + j + k))
					} else {
						col.PutBytes([]byte{byte(k)})
					}
				}
			}
			f, err := stream.EncodeFrame(b.Batch(), column.None, false)
			check(t, err)
			check(t, a.Write(f))
		}
	})
	same(t, "rows", after.rows, before.rows)
	if len(after.frames) < 60*8/flow.MaxShapes || len(after.frames) > 20 {
		t.Errorf("frames of %v records", after.frames)
	}
}

// A frame whose shape names an element without a column cannot be joined, and is passed on.
func TestJoinPassesOddFrames(t *testing.T) {
	_, after, _ := oneSlot(t, options(t, &clock{t: noon}), func(a *Archive) {
		for i := range 6 {
			b := records(i*10, 10)
			if i == 3 {
				check(t, b.Project([]flow.Key{{ID: 1}, {ID: 4}}))
			}
			f, err := stream.EncodeFrame(b, column.None, false)
			check(t, err)
			check(t, a.Write(f))
		}
	})
	same(t, "frames", after.frames, "[30 10 20]")
	same(t, "records", after.numbers, numbers(0, 60))
}

func BenchmarkJoin(b *testing.B) {
	dir := b.TempDir()
	c := &clock{t: noon}
	a := open(b, dir, options(b, c))
	f := frame(b, 0, 3000)
	for range 300 {
		if err := a.Write(f); err != nil {
			b.Fatal(err)
		}
	}
	files, _ := List(dir)
	data, err := os.ReadFile(files[0].Path)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		path := filepath.Join(dir, "copy")
		os.WriteFile(path, data, 0o666)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			b.Fatal(err)
		}
		s := slotOf(file, path, noon, int64(len(data)))
		b.StartTimer()
		if err := a.join(s); err != nil {
			b.Fatal(err)
		}
		s.file.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/900000, "ns/record")
	a.Close()
}

// Slots of several archives that end together are joined a few at a time; none is forgotten.
func TestJoinTogether(t *testing.T) {
	for range cap(joining) {
		joining <- struct{}{}
	}
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	var all []*Archive
	for _, dir := range dirs {
		c := &clock{t: noon}
		a := open(t, dir, options(t, c))
		check(t, a.Write(frame(t, 0, 10)))
		check(t, a.Write(frame(t, 10, 10)))
		check(t, a.Rotate(c.set(a.Until())))
		all = append(all, a)
	}
	time.Sleep(50 * time.Millisecond)
	for _, dir := range dirs {
		files, err := List(dir)
		check(t, err)
		if slices.ContainsFunc(files, func(f File) bool { return !f.Open }) {
			t.Errorf("joined before its turn: %v", files)
		}
	}
	for range cap(joining) {
		<-joining
	}
	for i, a := range all {
		check(t, a.Close())
		files, err := List(dirs[i])
		check(t, err)
		if len(files) != 2 {
			t.Fatalf("%d files", len(files))
		}
		same(t, "frames", read(t, files[0].Path).frames, []int{20})
	}
}
