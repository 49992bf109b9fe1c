package stream

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// TestResume: wherever a stream is cut off, what Resume writes behind its last whole frame makes
// it a whole one with the records that were left.
func TestResume(t *testing.T) {
	f, rec := parts(t, 1)
	g, rec2 := parts(t, 2)
	first, second := join(f...), join(g...)
	all := join(first, second)
	for _, n := range cuts(slices.Concat(f, g)) {
		frames, at := 0, 0 // whole ones
		for _, p := range slices.Concat(f, g) {
			if at+len(p) > n {
				break
			}
			at += len(p)
			frames++
		}
		inside := frames != 0 && frames != len(f) && frames != len(f)+len(g)
		out := bytes.NewBuffer(all[:at:at])
		w, size, in, err := Resume(bytes.NewReader(all[:n]), out)
		if err != nil || size != int64(at) || in != inside {
			t.Fatalf("%d bytes: %d, inside %v, %v; want %d, %v", n, size, in, err, at, inside)
		}
		if in {
			check(t, w.End(End{Status: Aborted, Reason: "killed"}))
		}
		check(t, w.Head(Head{}))
		check(t, w.End(End{}))
		want := slices.Concat(rec[:min(3, max(0, frames-1))]...)
		if frames > len(f) {
			want = append(want, slices.Concat(rec2[:min(3, max(0, frames-len(f)-1))]...)...)
		}
		x := NewReader(bytes.NewReader(out.Bytes()), Options{Name: "x"})
		got, ends, err := read(t, x)
		check(t, err)
		same(t, fmt.Sprintf("%d bytes", n), got, want)
		status, p := x.Status()
		if inside != (status == Aborted) || !inside && status != Complete || len(p) > 1 {
			t.Fatalf("%d bytes: %v %q", n, status, p)
		}
		if e := ends[max(0, len(ends)-2)]; inside && (e.Status != Aborted || !e.HasTotals || flow.Sum(&e.Totals.Packets) == 0 != (e.Records == 0)) {
			t.Fatalf("%d bytes: end %+v", n, e)
		}
	}
}

// cuts are places to cut frames off at: every byte around their ends, some of the others.
func cuts(frames [][]byte) []int {
	all := []int{}
	at := 0
	for _, p := range frames {
		for i := range p {
			if i < 25 || i > len(p)-5 || i%41 == 0 {
				all = append(all, at+i)
			}
		}
		at += len(p)
	}
	return append(all, at)
}

// TestResumeDamaged: damage before the last whole frame stays, and what is behind it counts.
func TestResumeDamaged(t *testing.T) {
	f, _ := parts(t, 3)
	head, a, b, c, end := f[0], f[1], f[2], f[3], f[4]
	junk := bytes.Repeat([]byte("x"), 500)
	for _, x := range []struct {
		name    string
		in      []byte
		size    int
		inside  bool
		records int
	}{
		{"a body", join(head, flip(a, -5), b, c[:40]), len(join(head, a, b)), true, 30},
		{"bytes between", join(head, a, junk, b, junk), len(join(head, a, junk, b)), true, 50},
		{"a lost head", join(flip(head, 5), a, b), len(join(head, a, b)), true, 50},
		{"junk behind the end", join(head, a, b, c, end, junk), len(join(f...)), false, 90},
		{"junk alone", junk, 0, false, 0},
		{"a second head lost", join(head, a, b, c, end, flip(head, 8), a), len(join(head, a, b, c, end, head, a)), true, 20},
		{"no end between", join(head, a, head, b), len(join(head, a, head, b)), true, 30},
		{"nothing", nil, 0, false, 0},
	} {
		out := bytes.NewBuffer(slices.Clone(x.in[:x.size]))
		w, size, inside, err := Resume(bytes.NewReader(x.in), out)
		if err != nil || size != int64(x.size) || inside != x.inside || w.Records() != uint64(x.records) {
			t.Errorf("%s: %d bytes, inside %v, %d records, %v; want %d, %v, %d", x.name, size, inside, w.Records(), err, x.size, x.inside, x.records)
			continue
		}
		if inside {
			check(t, w.End(End{Status: Aborted, Reason: "killed"}))
		}
		r := NewReader(bytes.NewReader(out.Bytes()), Options{Name: "x", Recover: true})
		_, ends, err := read(t, r)
		check(t, err)
		if n := len(ends); x.size > 0 && (n == 0 || ends[n-1].Records != uint64(x.records)) {
			t.Errorf("%s: ends %+v", x.name, ends)
		}
	}
}

func TestEnds(t *testing.T) {
	f, _ := parts(t, 4)
	g, _ := parts(t, 5)
	a, b := join(f...), join(g...)
	half := write(t, column.None, false) // no frames at all
	for _, c := range []struct {
		name string
		in   []byte
		want []uint64 // records of each segment; nil: not whole
	}{
		{"one", a, []uint64{90}},
		{"three", join(a, half, b), []uint64{90, 0, 90}},
		{"nothing", nil, nil},
		{"a head", f[0], nil},
		{"no end", a[:len(a)-1], nil},
		{"junk behind", join(a, []byte{0}), nil},
		{"junk before", join([]byte{0}, a), nil},
		{"junk between", join(a, []byte("x"), b), nil},
		{"no head", join(f[1:]...), nil},
		{"a damaged end", flip(a, -30), nil},
		{"another length", join(f[0], f[1], f[4]), nil},
		{"a damaged body", flip(a, len(f[0])+len(f[1])-3), []uint64{90}}, // is not looked at
	} {
		ends, ok := Ends(bytes.NewReader(c.in), int64(len(c.in)))
		var got []uint64
		for _, e := range ends {
			got = append(got, e.Records)
		}
		if ok != (c.want != nil) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v %v, want %v", c.name, got, ok, c.want)
		}
	}
	for n := range len(a) { // no length that it reads leads it astray
		Ends(bytes.NewReader(flip(a, n)), int64(len(a)))
		if _, ok := Ends(bytes.NewReader(a), int64(n)); ok && n > 0 {
			t.Errorf("%d of %d bytes are taken for whole", n, len(a))
		}
	}
}

// TestOpenInput: an input that is still being written is open wherever it stops, read whole and
// frame by frame alike.
func TestOpenInput(t *testing.T) {
	f, rec := parts(t, 6)
	raw := join(f...)
	name := filepath.Join(t.TempDir(), "x.nf")
	for _, n := range cuts(f)[1:] {
		frames, at := 0, 0
		for _, p := range f {
			if at+len(p) > n {
				break
			}
			at += len(p)
			frames++
		}
		check(t, os.WriteFile(name, raw[:n], 0o666))
		for _, o := range []Options{{}, {Lazy: true}, {Recover: true}} {
			o.Name, o.Open = "x", true
			file, err := os.Open(name)
			check(t, err)
			r := NewReader(file, o)
			got, ends, err := read(t, r)
			check(t, err)
			status, p := r.Status()
			want := Open
			switch {
			case frames == 0:
				want = Truncated // no writer shows a file before its head is there
			case frames == len(f):
				want = Complete
			}
			same(t, fmt.Sprintf("%d bytes, %+v", n, o), got, slices.Concat(rec[:min(3, max(0, frames-1))]...))
			if status != want || frames > 0 && (len(ends) != 1 || ends[0].Status != want) {
				t.Fatalf("%d bytes, %+v: %v %q, ends %+v; want %v", n, o, status, p, ends, want)
			}
			file.Close()
		}
	}
	r := NewReader(strings.NewReader(string(join(f[0], flip(f[1], -2), f[2]))), Options{Name: "x", Open: true})
	got, ends, err := read(t, r)
	check(t, err)
	same(t, "a damaged frame of an open input", got, rec[1])
	if s, _ := r.Status(); s != Partial || ends[0].Status != Partial || ends[0].Reason == "" {
		t.Errorf("damage in an open input: %v, ends %+v", s, ends)
	}
}
