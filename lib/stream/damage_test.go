package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// parts is a segment of frames of 20, 30 and 40 records, cut into its frames, and the records.
func parts(t *testing.T, seed uint64) (frames [][]byte, records [][]string) {
	r := rand.New(rand.NewPCG(seed, 1))
	batches := []*flow.Batch{someBatch(r, 20), someBatch(r, 30), someBatch(r, 40)}
	raw := write(t, column.None, false, batches...)
	for _, f := range layouts(raw) {
		frames = append(frames, raw[f.start:f.end:f.end])
	}
	for _, b := range batches {
		records = append(records, text(t, b))
	}
	return frames, records
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// flip returns p with a bit of byte i turned; i counts from the end when it is negative.
func flip(p []byte, i int) []byte {
	p = bytes.Clone(p)
	p[(i+len(p))%len(p)] ^= 16
	return p
}

// TestAccounting: what was damaged is said with its offset and size, once, and everything else
// is delivered.
func TestAccounting(t *testing.T) {
	f, rec := parts(t, 1)
	head, a, b, c, end := f[0], f[1], f[2], f[3], f[4]
	g, rec2 := parts(t, 2)
	second := join(g...)
	garbage := []byte("From: someone\n\n" + Magic + " is no frame, and there is no more")
	at := func(p ...[]byte) int { return len(join(p...)) }
	lost := func(s ...int) []string {
		var out []string
		for i := range 3 {
			if !slices.Contains(s, i) {
				out = append(out, rec[i]...)
			}
		}
		return out
	}
	both := append(lost(), slices.Concat(rec2...)...)
	hint := "; nfcat --recover reads what follows"
	for _, c := range []struct {
		name    string
		in      []byte
		recover bool
		want    []string
		status  Status
		said    []string
		ends    []string // status and reason of each End
	}{
		{"unharmed", join(f...), true, lost(), Complete, nil, []string{"complete "}},
		{"a bit in a column", join(head, a, flip(b, -1), c, end), false, lost(1), Partial,
			[]string{fmt.Sprintf("frame at offset %d: corrupt stream: column sectionExportedOctets: bad checksum; 30 records lost", at(head, a))},
			[]string{"partial 30 of 90 records lost"}},
		{"the same, recovering", join(head, a, flip(b, -1), c, end), true, lost(1), Partial,
			[]string{fmt.Sprintf("frame at offset %d: corrupt stream: column sectionExportedOctets: bad checksum; 30 records lost", at(head, a))},
			[]string{"partial 30 of 90 records lost"}},
		{"a bit in a frame header", join(head, a, flip(b, 30), c, end), true, lost(1), Partial,
			[]string{
				fmt.Sprintf("offset %d: corrupt stream: bad checksum in a frame header; %d bytes skipped", at(head, a), len(b)),
				fmt.Sprintf("offset %d: segment of 90 records, 60 read", at(head, a, b, c)),
			},
			[]string{"partial 30 of 90 records lost"}},
		{"a bit in a frame header, not recovering", join(head, a, flip(b, 30), c, end), false, rec[0], Partial,
			[]string{fmt.Sprintf("offset %d: corrupt stream: bad checksum in a frame header%s", at(head, a), hint)},
			[]string{"partial not all of it could be read"}},
		{"a length in a frame's prefix", join(head, a, flip(b, 12), c, end), true, lost(1), Partial,
			[]string{
				fmt.Sprintf("offset %d: corrupt stream: bad checksum in a frame header; %d bytes skipped", at(head, a), len(b)),
				fmt.Sprintf("offset %d: segment of 90 records, 60 read", at(head, a, b, c)),
			},
			[]string{"partial 30 of 90 records lost"}},
		{"both a column and a header", join(head, flip(a, -1), flip(b, 30), c, end), true, rec[2], Partial,
			[]string{
				fmt.Sprintf("frame at offset %d: corrupt stream: column sectionExportedOctets: bad checksum; 20 records lost; %d bytes skipped", at(head), at(a, b)),
				fmt.Sprintf("offset %d: segment of 90 records, 40 read and 20 lost", at(head, a, b, c)),
			},
			[]string{"partial 50 of 90 records lost"}},
		{"ten bytes missing in a body", join(head, a, b[:len(b)-30], b[len(b)-20:], c, end), true, lost(1), Partial,
			[]string{fmt.Sprintf("offset %d: corrupt stream: column sectionExportedOctets: bad checksum; 30 records lost; %d bytes skipped", at(head, a), len(b)-10)},
			[]string{"partial 30 of 90 records lost"}},
		{"a body missing before the end", join(head, a, b, c[:len(c)-300], end), true, lost(2), Partial,
			[]string{fmt.Sprintf("offset %d: unexpected EOF; 40 records lost; %d bytes skipped", at(head, a, b), len(c)-300)},
			[]string{"partial 40 of 90 records lost"}},
		{"ten bytes too many in a body", join(head, a, b[:len(b)-30], garbage[:10], b[len(b)-30:], c, end), true, lost(1), Partial,
			[]string{fmt.Sprintf("offset %d: corrupt stream: column sectionExportedOctets: bad checksum; 30 records lost; %d bytes skipped", at(head, a), len(b)+10)},
			[]string{"partial 30 of 90 records lost"}},
		{"garbage before the first head", join(garbage, join(f...)), true, lost(), Partial,
			[]string{fmt.Sprintf("offset 0: corrupt stream: no frame starts here; %d bytes skipped", len(garbage))},
			[]string{"partial not all of it could be read"}},
		{"garbage before the first head, not recovering", join(garbage, join(f...)), false, nil, Partial,
			[]string{"offset 0: corrupt stream: no frame starts here"}, nil},
		{"a head overwritten", join(make([]byte, len(head)), a, b, c, end), true, lost(), Partial,
			[]string{fmt.Sprintf("offset 0: corrupt stream: no frame starts here; %d bytes skipped", len(head))},
			[]string{"partial not all of it could be read"}},
		{"a head missing", join(a, b, c, end), true, lost(), Partial,
			[]string{"offset 0: records frame without a head frame before it"},
			[]string{"partial not all of it could be read"}},
		{"a head missing, not recovering", join(a, b, c, end), false, nil, Partial,
			[]string{"offset 0: corrupt stream: records frame without a head frame before it"}, nil},
		{"garbage between two streams", join(join(f...), garbage, second), true, both, Partial,
			[]string{fmt.Sprintf("offset %d: corrupt stream: no frame starts here; %d bytes skipped", at(f...), len(garbage))},
			[]string{"complete ", "partial not all of it could be read"}},
		{"garbage between two streams, not recovering", join(join(f...), garbage, second), false, lost(), Partial,
			[]string{fmt.Sprintf("offset %d: corrupt stream: no frame starts here%s", at(f...), hint)},
			[]string{"complete ", "partial what follows the segment before could not be read"}},
		{"garbage at the end", join(join(f...), garbage), true, lost(), Partial,
			[]string{fmt.Sprintf("offset %d: corrupt stream: no frame starts here; %d bytes skipped", at(f...), len(garbage))},
			[]string{"complete ", "partial what follows the segment before could not be read"}},
		{"a little garbage at the end", join(join(f...), []byte("\n")), false, lost(), Partial,
			[]string{fmt.Sprintf("offset %d: corrupt stream: no frame starts here%s", at(f...), hint)},
			[]string{"complete ", "partial what follows the segment before could not be read"}},
		{"nothing but garbage", garbage, true, nil, Partial,
			[]string{fmt.Sprintf("offset 0: corrupt stream: no frame starts here; %d bytes skipped", len(garbage))}, nil},
		{"an end overwritten", join(head, a, b, c, make([]byte, len(end)), second), true, both, Truncated,
			[]string{
				fmt.Sprintf("offset %d: corrupt stream: no frame starts here; %d bytes skipped", at(head, a, b, c), len(end)),
				fmt.Sprintf("offset %d: the segment before ends without an end frame, after 90 records", at(f...)),
			},
			[]string{"partial the segment ends without an end frame", "complete "}},
		{"a segment without end before a head", join(head, a, b, c, second), false, both, Truncated,
			[]string{fmt.Sprintf("offset %d: the segment before ends without an end frame, after 90 records", at(head, a, b, c))},
			[]string{"partial the segment ends without an end frame", "complete "}},
		{"cat a a", join(join(f...), join(f...)), false, append(lost(), lost()...), Complete, nil, []string{"complete ", "complete "}},
		{"cut off", join(head, a, b[:len(b)/2]), true, rec[0], Truncated,
			[]string{"truncated after 20 records, in the middle of a frame"},
			[]string{"partial the input ends without an end frame"}},
		{"cut off between frames", join(head, a), false, rec[0], Truncated,
			[]string{"truncated after 20 records"},
			[]string{"partial the input ends without an end frame"}},
		{"a frame missing", join(head, a, c, end), false, lost(1), Partial,
			[]string{fmt.Sprintf("offset %d: segment of 90 records, 60 read", at(head, a, c))},
			[]string{"partial 30 of 90 records lost"}},
		{"a frame twice", join(head, a, a, b, c, end), false, append(slices.Clone(rec[0]), lost()...), Partial,
			[]string{fmt.Sprintf("offset %d: segment of 90 records, 110 read", at(head, a, a, b, c))},
			[]string{"partial not all of it could be read"}},
		{"a frame without records missing", join(head, a, tick(9), b, c, endOf(90, at(head, a, b, c, end), Complete)), false, lost(), Partial,
			[]string{fmt.Sprintf("offset %d: segment of %d bytes, %d read", at(head, a, tick(9), b, c), at(f...), at(f...)+len(tick(9))+endDiff(end))},
			[]string{"partial not all of it could be read"}},
	} {
		x := NewReader(bytes.NewReader(c.in), Options{Name: "x", Recover: c.recover})
		got, ends, err := read(t, x)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		s, said := x.Status()
		for i := range said {
			said[i] = strings.TrimPrefix(said[i], "x: ")
		}
		if s != c.status || !slices.Equal(loose(said), loose(c.said)) {
			t.Errorf("%s: %s, said\n  %s\nwant %s\n  %s", c.name, s, strings.Join(said, "\n  "), c.status, strings.Join(c.said, "\n  "))
		}
		same(t, c.name, got, c.want)
		var status []string
		for _, e := range ends {
			status = append(status, fmt.Sprint(e.Status, " ", e.Reason))
		}
		if !slices.Equal(status, c.ends) {
			t.Errorf("%s: ends %q, want %q", c.name, status, c.ends)
		}
		passed(t, c.name, c.in, Options{Recover: c.recover}, got)
	}
}

// loose drops what does not matter here: which column it was, and who says so.
func loose(lines []string) []string {
	var out []string
	for _, l := range lines {
		l = strings.TrimPrefix(l, "frame at ")
		if before, after, ok := strings.Cut(l, "column "); ok {
			_, after, _ = strings.Cut(after, ": ")
			l = before + after
		}
		out = append(out, l)
	}
	return out
}

func tick(clock uint64) []byte {
	return appendFrame(nil, KindTick, append(binary.LittleEndian.AppendUint64(nil, clock), 0), 0)
}

func endOf(records, length int, s Status) []byte {
	e := End{Status: s, Records: uint64(records), Reason: "a reason"}
	n := len(e.appendFrame(0))
	return e.appendFrame(uint64(length - n))
}

func endDiff(end []byte) int { return len(endOf(90, 0, Complete)) - len(end) }

// passed: what a tool makes of a damaged stream is a whole one with the same records, and
// says partial if any was lost.
func passed(t *testing.T, name string, in []byte, o Options, want []string) {
	t.Helper()
	var out bytes.Buffer
	r := NewReader(bytes.NewReader(in), o)
	tr := Transform{W: NewWriter(&out)}
	if err := tr.Run(r); err != nil {
		t.Errorf("%s: passing on: %v", name, err)
	}
	before, _ := r.Status()
	if out.Len() == 0 && len(want) == 0 {
		return
	}
	x := NewReader(&out, Options{Name: "passed"})
	got, _, err := read(t, x)
	same(t, name+", passed on", got, want)
	if s, p := x.Status(); err != nil || (s == Complete) != (before == Complete) || s > Partial {
		t.Errorf("%s: passed on: %v, %s after %s: %q", name, err, s, before, p)
	}
}

// TestWorstStatusWins: of several segments the worst counts, whatever their order.
func TestWorstStatusWins(t *testing.T) {
	head := appendFrame(nil, KindHead, (&Head{}).append(nil), 0)
	segment := func(s Status) []byte {
		end := endOf(0, 0, s)
		return join(head, endOf(0, len(head)+len(end), s))
	}
	all := []Status{Complete, Open, Partial, Aborted}
	for _, a := range all {
		for _, b := range all {
			x := NewReader(bytes.NewReader(join(segment(a), segment(b))), Options{Name: "x"})
			_, ends, err := read(t, x)
			if s, p := x.Status(); err != nil || s != max(a, b) || len(ends) != 2 || ends[0].Status != a || ends[1].Status != b {
				t.Errorf("%s and %s: %s %q, ends %v, %v", a, b, s, p, ends, err)
			}
		}
	}
}

// TestReasonIsNoEscape: what an End says cannot write to a terminal.
func TestReasonIsNoEscape(t *testing.T) {
	head := appendFrame(nil, KindHead, (&Head{}).append(nil), 0)
	e := End{Status: Aborted, Reason: "disk\x1b[2J full\n" + strings.Repeat("é", 400)}
	x := NewReader(bytes.NewReader(join(head, e.appendFrame(uint64(len(head))))), Options{Name: "x"})
	read(t, x)
	if _, p := x.Status(); len(p) != 1 || strings.ContainsAny(p[0], "\x1b\n\ufffd") || len(p[0]) > 400 || !strings.Contains(p[0], "disk?[2J full?") {
		t.Errorf("%q", p)
	}
}

// TestShrinkingFile: a lazy reader's file that loses its end is damage like any other.
func TestShrinkingFile(t *testing.T) {
	f, rec := parts(t, 3)
	name := filepath.Join(t.TempDir(), "x.nf")
	for frames := 1; frames <= 4; frames++ { // read before the file shrinks
		check(t, os.WriteFile(name, join(f...), 0o666))
		file, err := os.Open(name)
		check(t, err)
		x := NewReader(file, Options{Name: "x", Lazy: true})
		var items []*Item
		for range frames {
			it, err := x.Next()
			check(t, err)
			items = append(items, it)
		}
		check(t, os.Truncate(name, int64(len(f[0])+len(f[1])-20)))
		for _, it := range items[1:] {
			if err := useBatch(it.Batch); err == nil {
				t.Errorf("%d frames: a frame that is gone was decoded", frames)
			} else if err = x.Lost(it, err); err != nil {
				t.Errorf("%d frames: %v is no damage", frames, err)
			}
			check(t, x.Lost(it, io.ErrUnexpectedEOF)) // told twice, counted once
		}
		if _, _, err := read(t, x); err != nil {
			t.Errorf("%d frames: %v", frames, err)
		}
		if s, p := x.Status(); s != Truncated || len(p) != frames {
			t.Errorf("%d frames: %s %q", frames, s, p)
		}
		file.Close()
	}

	check(t, os.WriteFile(name, join(f...), 0o666))
	file, err := os.Open(name)
	check(t, err)
	defer file.Close()
	var out bytes.Buffer
	r := NewReader(file, Options{Name: "x", Lazy: true})
	var once sync.Once
	tr := Transform{W: NewWriter(&out), Work: func(b *flow.Batch) (Verdict, error) {
		var err error
		once.Do(func() { err = os.Truncate(name, int64(len(join(f[:3]...)))) })
		return Verdict{}, err
	}}
	check(t, tr.Run(r))
	x := NewReader(&out, Options{Name: "passed"})
	got, _, err := read(t, x)
	check(t, err)
	same(t, "what is left of a file that shrank", got, slices.Concat(rec[:2]...))
	if s, _ := r.Status(); s < Partial {
		t.Errorf("reading: %s", s)
	}
	if s, p := x.Status(); s != Partial || len(p) != 1 {
		t.Errorf("what was written: %s %q", s, p)
	}
}

// shrunk is a file that is shorter each time that one looks.
type shrunk struct {
	mu    sync.Mutex
	p     []byte
	looks int
}

func (s *shrunk) Read([]byte) (int, error) { return 0, errors.New("not lazy") }

func (s *shrunk) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks--; s.looks < 0 {
		s.p = s.p[:max(len(s.p)-500, 0)]
	}
	return bytes.NewReader(s.p).ReadAt(p, off)
}

// TestShrinkingAtAnyMoment: whichever read it is that finds the file too short.
func TestShrinkingAtAnyMoment(t *testing.T) {
	f, _ := parts(t, 4)
	for looks := range 60 {
		r := NewReader(&shrunk{p: join(f...), looks: looks}, Options{Name: "x", Lazy: true})
		var out bytes.Buffer
		tr := Transform{W: NewWriter(&out)}
		err := tr.Run(r)
		s, p := r.Status()
		if err == nil && s == Complete && out.Len() < len(join(f...)) {
			t.Errorf("after %d reads: %d bytes written, %s %q", looks, out.Len(), s, p)
		}
		if err != nil && !strings.Contains(err.Error(), "shrank") {
			t.Errorf("after %d reads: %v", looks, err)
		}
	}
}

// TestFromTheMiddleOfAFile: a reader that is not lazy begins where the file stands.
func TestFromTheMiddleOfAFile(t *testing.T) {
	f, rec := parts(t, 5)
	name := filepath.Join(t.TempDir(), "x.nf")
	check(t, os.WriteFile(name, join([]byte("a line before it\n"), join(f...)), 0o666))
	for _, o := range []Options{{Name: "x"}, {Name: "x", Recover: true}} {
		file, err := os.Open(name)
		check(t, err)
		_, err = file.Seek(17, io.SeekStart)
		check(t, err)
		x := NewReader(file, o)
		got, _, err := read(t, x)
		check(t, err)
		same(t, "from offset 17", got, slices.Concat(rec...))
		if s, p := x.Status(); s != Complete {
			t.Errorf("%s %q", s, p)
		}
		file.Close()
	}
}
