package stream

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"nfpipe/lib/column"
)

// TestSlowInput: a frame is handed on as soon as it is there, though the next is not.
func TestSlowInput(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	raw := join(segmentWithSides(t, 33, "eth1"), write(t, column.None, false, someBatch(r, 20)))
	for _, o := range []Options{{}, {Recover: true}} {
		pr, pw := io.Pipe()
		seen := make(chan Kind)
		done := make(chan error)
		go func() {
			done <- Parallel(NewReader(pr, o), func(*Item) (int, error) { return 0, nil }, func(it *Item, _ int) error {
				seen <- it.Kind
				return nil
			})
		}()
		for _, f := range layouts(raw) {
			if _, err := pw.Write(raw[f.start:f.end]); err != nil {
				t.Fatal(err)
			}
			select {
			case k := <-seen:
				if k != f.kind {
					t.Fatalf("%s frame, want %s", k, f.kind)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s frame at %d is held back", f.kind, f.start)
			}
		}
		pw.Close()
		check(t, <-done)
	}
}

// TestSlowRecovery: nor is a frame held back that was found behind damage.
func TestSlowRecovery(t *testing.T) {
	raw := segmentWithSides(t, 34, "eth1")
	pr, pw := io.Pipe()
	x := NewReader(pr, Options{Recover: true})
	go pw.Write(join([]byte("garbage"), raw[:layouts(raw)[0].end]))
	got := make(chan *Item)
	go func() {
		it, _ := x.Next()
		got <- it
	}()
	select {
	case it := <-got:
		if it == nil || it.Kind != KindHead {
			t.Errorf("got %+v", it)
		}
	case <-time.After(10 * time.Second):
		t.Error("the head behind garbage is held back")
	}
	pw.Close()
}

// endless gives one stretch of bytes again and again, then blocks or goes on for ever.
type endless struct {
	p     []byte
	at    int
	left  atomic.Int64 // stretches before it blocks
	block chan struct{}
}

func (e *endless) Read(p []byte) (int, error) {
	if e.at == len(e.p) {
		e.at = 0
		if e.left.Add(-1) == 0 {
			<-e.block
			return 0, io.EOF
		}
	}
	n := copy(p, e.p[e.at:])
	e.at += n
	return n, nil
}

// TestEndlessInput: an error of the sink or of a worker ends Parallel, whether the input goes
// on for ever or says nothing more.
func TestEndlessInput(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	raw := write(t, column.None, false, someBatch(r, 20), someBatch(r, 30))
	broken := errors.New("broken")
	before := runtime.NumGoroutine()
	for i := range 60 {
		in := &endless{p: raw, block: make(chan struct{})}
		if i%2 == 0 {
			in.left.Store(5)
		}
		x := NewReader(in, Options{})
		n := 0
		var worked atomic.Int64
		err := Parallel(x, func(it *Item) (int, error) {
			if i%3 == 0 && worked.Add(1) == 7 {
				return 0, broken
			}
			if it.Kind == KindRecords {
				return 0, x.Lost(it, ErrCorrupt)
			}
			return 0, nil
		}, func(it *Item, _ int) error {
			if n++; n == 12 {
				return broken
			}
			return nil
		})
		if err != broken || n > 12 {
			t.Fatalf("%v after %d items", err, n)
		}
		x.Status()
		close(in.block)
	}
	for range 100 { // all goroutines end when their input does, or at the next frame
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestReadErrorComesLast: what was read before an error of reading is worked on.
func TestReadErrorComesLast(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 38))
	raw := write(t, column.None, false, someBatch(r, 20), someBatch(r, 30))
	broken := errors.New("input/output error")
	in := io.MultiReader(bytes.NewReader(raw[:len(raw)-40]), failing{broken})
	records := 0
	err := Parallel(NewReader(in, Options{Name: "x"}), func(*Item) (int, error) { return 0, nil }, func(it *Item, _ int) error {
		if it.Kind == KindRecords {
			records += it.Batch.Selected()
		}
		return nil
	})
	if !errors.Is(err, broken) || records != 50 {
		t.Errorf("%v after %d records", err, records)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
