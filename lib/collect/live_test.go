package collect

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// octets is a frame of records that take so many bytes together.
func octets(t *testing.T, records, size int) *stream.Frame {
	t.Helper()
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.Shape{{ID: ie.New(0, 313), Len: flow.Variable}})
	dice := uint64(size)
	for range records {
		v := make([]byte, size/records)
		for i := range v {
			dice ^= dice << 13
			dice ^= dice >> 7
			dice ^= dice << 17
			v[i] = byte(dice)
		}
		l.Next()
		l.Cols[0].PutBytes(v)
	}
	f, err := stream.EncodeFrame(b.Batch(), 0, false)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// gate is a writer that waits until it is opened.
type gate struct {
	bytes.Buffer
	open chan struct{}
	err  error
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	if g.err != nil {
		return 0, g.err
	}
	return g.Buffer.Write(p)
}

// counted reads a stream: its records, the frames of each kind, and the last tick and end.
func counted(t *testing.T, in io.Reader) (records int, kinds map[stream.Kind]int, tick stream.Tick, end stream.End) {
	t.Helper()
	kinds = map[stream.Kind]int{}
	for r := stream.NewReader(in, stream.Options{Name: "live"}); ; {
		it, err := r.Next()
		if err == io.EOF {
			return records, kinds, tick, end
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[it.Kind]++
		switch it.Kind {
		case stream.KindRecords:
			records += int(it.Count)
		case stream.KindTick:
			tick = *it.Tick
		case stream.KindEnd:
			end = *it.End
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What a reader does not take in time is dropped, as whole frames, counted and told; what it
// takes is whole and in order.
func TestLiveDrops(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	var warned []uint64
	l := NewLive(g, stream.Head{}, func(n uint64) { warned = append(warned, n) }, nil)
	f := octets(t, 10, 8<<20)
	const frames = 20
	for range frames {
		if err := l.Write(f); err != nil && err != errDropped {
			t.Fatal(err)
		}
	}
	if len(warned) == 0 || warned[len(warned)-1] != uint64(10*len(warned)) || len(warned) > frames-maxLive/(9<<20) {
		t.Errorf("warned of %v", warned)
	}
	for i := range 5 {
		check(t, l.Tick(stream.Tick{Clock: uint64(i)}))
	}
	check(t, l.Table(stream.Table{Name: "t", Batch: flow.NewBuilder().Batch()}))
	close(g.open)
	check(t, l.Close(stream.End{Losses: stream.Losses{Drops: 3, SequenceGaps: 4}}))
	records, kinds, tick, end := counted(t, &g.Buffer)
	dropped := uint64(10 * len(warned))
	if records != 10*frames-int(dropped) || end.Records != uint64(records) {
		t.Errorf("%d records, end %+v, %d were dropped", records, end, dropped)
	}
	if kinds[stream.KindTick] != 1 || tick != (stream.Tick{Clock: 4, Dropped: dropped}) {
		t.Errorf("%d ticks, the last %+v: a reader that is behind wants one", kinds[stream.KindTick], tick)
	}
	if kinds[stream.KindSide] != 1 {
		t.Errorf("frames %v: a table is never dropped", kinds)
	}
	if end.Losses != (stream.Losses{Drops: 3 + dropped, SequenceGaps: 4}) {
		t.Errorf("end %+v", end)
	}
}

// A frame that is larger than the queue is taken when nothing else waits.
func TestLiveLargeFrame(t *testing.T) {
	var out bytes.Buffer
	l := NewLive(&out, stream.Head{}, func(uint64) { t.Error("dropped") }, nil)
	f := *octets(t, 10, 1<<20)
	check(t, l.put(liveItem{frame: &f}, 2*maxLive))
	check(t, l.Close(stream.End{}))
	if records, _, _, _ := counted(t, &out); records != 10 {
		t.Errorf("%d records", records)
	}
}

// Without warn, Write waits for its reader.
func TestLiveWaits(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	l := NewLive(g, stream.Head{}, nil, nil)
	f := octets(t, 10, 8<<20)
	const frames = 12
	written := make(chan int, frames)
	go func() {
		for i := range frames {
			l.Write(f)
			written <- i
		}
		close(written)
	}()
	time.Sleep(50 * time.Millisecond)
	if n := len(written); n == 0 || n >= frames {
		t.Errorf("%d of %d frames were taken before the reader read", n, frames)
	}
	close(g.open)
	for range written {
	}
	check(t, l.Close(stream.End{}))
	if records, _, _, end := counted(t, &g.Buffer); records != 10*frames || end.Losses.Drops != 0 {
		t.Errorf("%d records, end %+v", records, end)
	}
}

// An error of the reader is told once and by Close; who waits for room goes on.
func TestLiveError(t *testing.T) {
	for _, warn := range []func(uint64){nil, func(uint64) {}} {
		g := &gate{open: make(chan struct{}), err: errors.New("reader went away")}
		told := make(chan error, 2)
		l := NewLive(g, stream.Head{}, warn, func(err error) { told <- err })
		f := octets(t, 10, 8<<20)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 20 {
				l.Write(f)
			}
		}()
		time.Sleep(20 * time.Millisecond)
		close(g.open)
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("Write hangs")
		}
		if err := <-told; err != g.err {
			t.Errorf("told of %v, want %v", err, g.err)
		}
		if err := l.Write(f); err != errDropped {
			t.Errorf("Write: %v", err)
		}
		if err := l.Tick(stream.Tick{}); err != errDropped {
			t.Errorf("Tick: %v", err)
		}
		if err := l.Close(stream.End{}); err != g.err || len(told) > 0 {
			t.Errorf("Close: %v, told %d times more", err, len(told))
		}
	}
}

// A reader that is gone is told of though nothing is written after the beginning of the stream.
func TestLiveBrokenAtOnce(t *testing.T) {
	in, out := io.Pipe()
	gone := errors.New("gone")
	in.CloseWithError(gone)
	broken := make(chan error, 1)
	l := NewLive(out, stream.Head{}, func(uint64) {}, func(err error) { broken <- err })
	select {
	case err := <-broken:
		if !errors.Is(err, gone) {
			t.Errorf("broken: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody was told")
	}
	if err := l.Close(stream.End{}); !errors.Is(err, gone) {
		t.Errorf("Close: %v", err)
	}
}
