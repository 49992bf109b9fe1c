package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/packet"
	"nfpipe/lib/stream"
)

// stuck takes nothing until it is freed.
type stuck struct {
	bytes.Buffer
	freed chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.freed
	return s.Buffer.Write(p)
}

// A reader that does not read costs whole frames, which are counted in the ticks and the end; what
// is metered does not wait for it.
func TestLiveSlowReader(t *testing.T) {
	out := &stuck{freed: make(chan struct{})}
	var said bytes.Buffer
	env := &cli.Env{Tool: "nfpcap", Stdout: out, Stderr: &said, Getenv: func(string) string { return "" }}
	c := &config{compress: "none", flush: time.Nanosecond}
	c.live.Interface, c.columns.MAC, c.meter.MaxFlows = "v1", true, 100
	r, ok := newLiveMeter(env, c, func() {})
	if !ok {
		t.Fatal(said.String())
	}
	noise := rand.NewChaCha8([32]byte{}) // which does not compress
	sent := 0
	list := make([]packet.Packet, 20000)
	begin := int64(1_700_000_000e9)
	for r.queue.dropped.Load() == 0 {
		if sent > 4_000_000 {
			t.Fatalf("%d records wait for the reader", sent)
		}
		for i := range list {
			p := &list[i]
			*p = packet.Packet{Time: begin + int64(sent), Family: 6, Proto: packet.ProtoUDP, Bytes: uint32(noise.Uint64()), Flags: packet.HasPorts}
			noise.Read(p.Src[:])
			noise.Read(p.Dst[:])
			noise.Read(p.SrcMAC[:])
			noise.Read(p.DstMAC[:])
			sent++
		}
		check(t, r.use(list, begin+int64(sent)))
	}
	check(t, r.use(nil, begin+int64(sent)))
	close(out.freed)
	r.finish(nil, capture.Counts{}, capture.LiveStats{Packets: 50, Drops: 3})
	dropped := r.queue.dropped.Load()
	if code := env.Close(); code != cli.Done {
		t.Errorf("code %d", code)
	}
	records, last := 0, stream.Tick{}
	var end *stream.End
	in := stream.NewReader(&out.Buffer, stream.Options{Name: "output"})
	for end == nil {
		it, err := in.Next()
		check(t, err)
		switch it.Kind {
		case stream.KindRecords:
			records += it.Batch.N
		case stream.KindTick:
			last = *it.Tick
		case stream.KindEnd:
			end = it.End
		}
	}
	if records+int(dropped) != sent || last.Dropped == 0 || last.Clock != uint64(begin)+uint64(sent) || end.Losses.Drops != dropped+3 {
		t.Errorf("%d packets, %d records, %d dropped, the last tick %+v, end %+v", sent, records, dropped, last, end)
	}
	for _, says := range []string{"nfpcap: stdout is slower than records come: some are dropped\n",
		" records were dropped: stdout was slower than they came\n",
		"nfpcap: v1: 3 of 50 packets were lost: they came faster than they were metered\nhint: a larger --buffer"} {
		if strings.Count(said.String(), says) != 1 {
			t.Errorf("stderr lacks %q:\n%s", says, said.String())
		}
	}
}
