package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// content is what a stream, or the files of a directory, hold.
type content struct {
	files   map[string]stream.Status // by their names below the directory
	numbers []uint32                 // of the records
	rows    []string                 // the records in a form that was asked for
	frames  int
	ticks   []stream.Tick
	tables  []string // their names
	heads   []stream.Head
	ends    []stream.End
	status  stream.Status
	says    []string
}

// read adds what a stream holds. With a mode its records are rows in that form as well.
func (c *content) read(t testing.TB, in io.Reader, name, mode string) stream.Status {
	t.Helper()
	r := stream.NewReader(in, stream.Options{Name: name})
	for {
		it, err := r.Next()
		if err == io.EOF {
			status, says := r.Status()
			c.status, c.says = max(c.status, status), append(c.says, says...)
			return status
		}
		check(t, err)
		switch it.Kind {
		case stream.KindHead:
			c.heads = append(c.heads, *it.Head)
		case stream.KindEnd:
			c.ends = append(c.ends, *it.End)
		case stream.KindTick:
			c.ticks = append(c.ticks, *it.Tick)
		case stream.KindSide:
			c.tables = append(c.tables, it.Table.Name)
		case stream.KindRecords:
			c.frames++
			c.numbers = append(c.numbers, numbersOf(t, it.Batch)...)
			if mode != "" {
				c.rows = append(c.rows, rowsOf(t, it.Batch, mode)...)
			}
			it.Batch.Release()
		}
	}
}

// stored reads all files of slots below a directory, open ones as far as they are whole.
func stored(t testing.TB, dir string) content { return storedAs(t, dir, "") }

func storedAs(t testing.TB, dir, mode string) content {
	t.Helper()
	c := content{files: map[string]stream.Status{}}
	for _, name := range residents(t, dir, "nfcap.") {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s went away while it was to be read", name)
		}
		check(t, err)
		c.files[name] = c.read(t, f, name, mode)
		f.Close()
	}
	return c
}

// numbersOf are the numbers of a batch's records, see message_test.go; the source port must
// agree.
func numbersOf(t testing.TB, b *flow.Batch) []uint32 {
	t.Helper()
	view := func(name string) flow.View {
		f, ok := ie.FieldByName(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		v, err := b.Field(f)
		check(t, err)
		return v
	}
	a, p := view("srcip"), view("srcport")
	var numbers []uint32
	for i := range b.N {
		if !a.Has(i) || !p.Has(i) {
			continue
		}
		address := a.Vec.AddrEntry(a.Vec.Entry(i))
		if !address.Is4() {
			continue
		}
		four := address.As4()
		number := wire.Uint32(four[:]) - firstAddress
		if number < 1<<22 && uint64(uint16(number)) != p.Vec.Int(i) {
			t.Errorf("record %d has source port %d", number, p.Vec.Int(i))
		}
		numbers = append(numbers, number)
	}
	return numbers
}

// rowsOf are a batch's records in a form.
func rowsOf(t testing.TB, b *flow.Batch, mode string) []string {
	t.Helper()
	p, err := format.New(mode, format.Options{})
	check(t, err)
	text, err := p.Batch(nil, b, 0)
	check(t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// tally is how often the records with the numbers from 0 to n are there.
func tally(numbers []uint32, n uint32) (missing, double, strange []uint32) {
	count := make([]int, n)
	for _, x := range numbers {
		if x >= n {
			strange = append(strange, x)
			continue
		}
		if count[x]++; count[x] == 2 {
			double = append(double, x)
		}
	}
	for x, k := range count {
		if k == 0 {
			missing = append(missing, uint32(x))
		}
	}
	return missing, double, strange
}

// once fails the test unless the records from 0 to n are there, each once.
func (c *content) once(t testing.TB, n uint32) {
	t.Helper()
	missing, double, strange := tally(c.numbers, n)
	if len(missing)+len(double)+len(strange) > 0 {
		t.Errorf("of %d records %d are missing %v, %d are there more than once %v, %d were never sent %v",
			n, len(missing), some(missing), len(double), some(double), len(strange), some(strange))
	}
}

// atMostOnce fails the test if a record is there twice, or was never sent.
func (c *content) atMostOnce(t testing.TB, n uint32) {
	t.Helper()
	if _, double, strange := tally(c.numbers, n); len(double)+len(strange) > 0 {
		t.Errorf("of %d records %d are there more than once %v, %d were never sent %v",
			n, len(double), some(double), len(strange), some(strange))
	}
}

// some are the first of many.
func some(numbers []uint32) []uint32 { return numbers[:min(len(numbers), 8)] }

// complete fails the test unless every file ends as it should, and none is open.
func (c *content) complete(t testing.TB) {
	t.Helper()
	for name, status := range c.files {
		if status != stream.Complete || strings.Contains(name, "current") {
			t.Errorf("%s: %v", name, status)
		}
	}
	if len(c.says) > 0 {
		t.Errorf("damage: %q", c.says)
	}
}

// names are the files in order.
func (c *content) names() []string {
	var names []string
	for name := range c.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
