package main

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/stream"
)

// tap reads from a pipe and remembers when how much had come.
type tap struct {
	said
	done chan struct{}
}

func (p *process) tap() *tap {
	t := &tap{done: make(chan struct{})}
	go func() {
		io.Copy(&t.said, p.stdout)
		close(t.done)
	}()
	return t
}

// content is what has come so far.
func (t *tap) content(tb testing.TB) content {
	tb.Helper()
	var c content
	c.read(tb, strings.NewReader(t.String()), "stdout", "")
	return c
}

// Without a directory the stream goes to stdout as records arrive, with ticks, and ends well.
func TestLive(t *testing.T) {
	t.Parallel()
	p := launch{pipe: true}.start(t, "--flush", "200ms")
	out := p.tap()
	s := exporter(t, p, "")
	for round := range 3 {
		s.send(1)
		sent := time.Now()
		eventually(t, "the records are there", func() bool { return len(out.content(t).numbers) == int(s.next) })
		if late := time.Since(sent); late > 3*time.Second {
			t.Errorf("round %d: the records came after %v", round, late)
		}
	}
	eventually(t, "there are ticks", func() bool { return len(out.content(t).ticks) >= 3 })
	s.seq += 90
	s.send(1)
	p.awaits("nfcap_packets_total", 4)
	p.well()
	<-out.done
	c := out.content(t)
	c.once(t, s.next)
	if len(c.ends) != 1 || c.ends[0].Status != stream.Complete || c.ends[0].Records != uint64(s.next) ||
		c.ends[0].Losses != (stream.Losses{SequenceGaps: 90}) {
		t.Errorf("ends %+v", c.ends)
	}
	for i, tick := range c.ticks {
		if at := time.Unix(0, int64(tick.Clock)); time.Since(at) > time.Minute || tick.Dropped != 0 {
			t.Errorf("tick %d: %+v", i, tick)
		}
	}
	if p.stderr.String() != "" {
		t.Errorf("stderr %q", &p.stderr)
	}
}

// A reader that is too slow loses whole frames, which it and the user are told; nfcap receives
// all the same.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	p := launch{pipe: true}.start(t, "--flush", "20ms")
	s := exporter(t, p, "")
	// octets that do not shrink, so that few packets fill the queue
	dice := uint64(1)
	fields := []field{{8, 4}, {7, 2}, {313, 1300}}
	record := func(number uint32) []byte {
		b := wire.AppendUint32(nil, firstAddress+number)
		b = wire.AppendUint16(b, uint16(number))
		for range 1300 {
			dice ^= dice << 13
			dice ^= dice >> 7
			dice ^= dice << 17
			b = append(b, byte(dice))
		}
		return b
	}
	s.raw(ipfix(0, 1, set(2, template(300, fields))))
	sent := uint32(0)
	for end := time.Now().Add(patience); time.Now().Before(end) && !strings.Contains(p.stderr.String(), "stdout is slower"); {
		for range 50 {
			s.raw(ipfix(sent, 1, set(300, record(sent))))
			sent++
		}
		time.Sleep(time.Millisecond)
	}
	p.says("nfcap: stdout is slower than what arrives: ")
	if n := p.metric("nfcap_packets_total") + p.metric("nfcap_kernel_dropped_packets_total"); n < int(sent)/2 {
		t.Errorf("nfcap has received %d of %d packets", n, sent)
	}
	if n := strings.Count(p.stderr.String(), "\n"); n != 1 {
		t.Errorf("%d lines were said:\n%s", n, &p.stderr)
	}
	// it reads again, and is told what it has missed
	out := p.tap()
	eventually(t, "all is received", func() bool {
		return p.metric("nfcap_packets_total")+p.metric("nfcap_kernel_dropped_packets_total") == int(sent)+1
	})
	s.raw(ipfix(sent, 1, set(300, record(sent))))
	sent++
	p.awaits("nfcap_exporters", 1)
	p.well()
	<-out.done
	c := out.content(t)
	c.atMostOnce(t, sent)
	end := c.ends[len(c.ends)-1]
	if end.Losses.Drops == 0 || end.Records+end.Losses.Drops+end.Losses.SequenceGaps != uint64(sent) || end.Records != uint64(len(c.numbers)) {
		t.Errorf("%d records were sent, %d came, end %+v", sent, len(c.numbers), end)
	}
	if last := c.ticks[len(c.ticks)-1]; last.Dropped != end.Losses.Drops {
		t.Errorf("the last tick says %d dropped, the end %d", last.Dropped, end.Losses.Drops)
	}
}

// A reader that goes away ends nfcap without a word.
func TestReaderGoesAway(t *testing.T) {
	t.Parallel()
	p := launch{pipe: true}.start(t, "--flush", "20ms")
	p.stdout.Close()
	if code := p.wait(); code != -1 || p.stderr.String() != "" {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
	if how := p.cmd.ProcessState.String(); how != "signal: broken pipe" {
		t.Error(how)
	}
}

// pcap is a capture of UDP packets, each with its time.
type pcap struct{ bytes.Buffer }

func newPcap() *pcap {
	c := &pcap{}
	for _, x := range []uint32{0xa1b23c4d, 2 | 4<<16, 0, 0, 1 << 18, 1} { // nanoseconds, Ethernet
		c.word(x)
	}
	return c
}

func (c *pcap) word(x uint32) {
	c.Write([]byte{byte(x), byte(x >> 8), byte(x >> 16), byte(x >> 24)})
}

func (c *pcap) add(at time.Time, from string, payload []byte) {
	udp := append(big16(2055, 2055, uint16(8+len(payload)), 0), payload...)
	src := netip.MustParseAddr(from).As4()
	ip := append(big16(0x4500, uint16(20+len(udp)), 0, 0, 0x4011, 0), src[:]...)
	ip = append(ip, 192, 0, 2, 99)
	c.frame(at, append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, append(ip, udp...)...))
}

func (c *pcap) frame(at time.Time, frame []byte) {
	for _, x := range []uint32{uint32(at.Unix()), uint32(at.Nanosecond()), uint32(len(frame)), uint32(len(frame))} {
		c.word(x)
	}
	c.Write(frame)
}

func (c *pcap) file(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "export.pcap")
	check(t, os.WriteFile(name, c.Bytes(), 0o666))
	return name
}

// -f takes packets from a capture, as a file or from stdin; slots go by the times of packets.
func TestCapture(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := newPcap()
	c.frame(noon.Add(-20*time.Minute), make([]byte, 60)) // no export packet, but it begins a slot
	number := uint32(0)
	for i, after := range []time.Duration{61 * time.Second, 100 * time.Second, 119 * time.Second, 120 * time.Second, 400 * time.Second, 399 * time.Second} {
		c.add(noon.Add(after), []string{"192.0.2.1", "192.0.2.2"}[i%2], v5(uint32(i/2*10), number, 10))
		number += 10
	}
	name := c.file(t)
	for _, stdin := range []bool{false, true} {
		dir := t.TempDir()
		p := launch{bare: true}
		var code int
		if stdin {
			code = runWith(t, c.Bytes(), "-f", "-", "-l", dir, "-t", "60", "-w")
		} else {
			code = p.spawn(t, "-f", name, "-l", dir, "-t", "60", "-w").wait()
		}
		if code != cli.Done {
			t.Errorf("code %d", code)
		}
		got := storedAs(t, dir, "csv:%ra,%trr")
		got.once(t, number)
		got.complete(t)
		want := "nfcap.202603011140 nfcap.202603011201 nfcap.202603011202 nfcap.202603011206"
		if names := strings.Join(got.names(), " "); names != want {
			t.Errorf("files %s, want %s", names, want)
		}
		if len(got.rows) != int(number) || !strings.HasPrefix(got.rows[0], "192.0.2.1,") {
			t.Errorf("%d rows, the first %q", len(got.rows), got.rows[:1])
		}
	}
	// to stdout
	p := launch{bare: true, pipe: true}.spawn(t, "-f", name)
	out := p.tap()
	if code := p.wait(); code != cli.Done || p.stderr.String() != "" {
		t.Errorf("to stdout: code %d, stderr %q", code, &p.stderr)
	}
	<-out.done
	got := out.content(t)
	got.once(t, number)
	if len(got.ends) != 1 || got.ends[0].Status != stream.Complete {
		t.Errorf("ends %+v", got.ends)
	}
}

// runWith runs nfcap with something on stdin and returns its exit code.
func runWith(t testing.TB, stdin []byte, args ...string) int {
	t.Helper()
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	go func() {
		w.Write(stdin)
		w.Close()
	}()
	p := launch{bare: true, stdin: r}.spawn(t, args...)
	return p.wait()
}

// A capture that is cut off gives what is whole, and 3.
func TestDamagedCapture(t *testing.T) {
	t.Parallel()
	c := newPcap()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c.add(at, "192.0.2.1", v5(0, 0, 10))
	c.add(at, "192.0.2.1", v5(10, 10, 10))
	c.Truncate(c.Len() - 5)
	dir := t.TempDir()
	p := launch{bare: true}.spawn(t, "-f", c.file(t), "-l", dir)
	if code := p.wait(); code != cli.Damaged {
		t.Errorf("code %d", code)
	}
	p.says("export.pcap: ")
	got := stored(t, dir)
	got.once(t, 10)
	if end := got.ends[0]; end.Status != stream.Partial || !strings.Contains(end.Reason, "the capture is damaged: ") {
		t.Errorf("end %+v", end)
	}
}

// However slow its reader is, a capture is read to its end and nothing is dropped.
func TestCaptureWaitsForItsReader(t *testing.T) {
	t.Parallel()
	c := newPcap()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c.add(at, "192.0.2.1", ipfix(0, 1, set(2, template(300, []field{{8, 4}, {7, 2}, {313, 1300}}))))
	dice, n := uint64(1), uint32(0)
	for ; c.Len() < 100<<20; n++ { // more than may wait
		b := wire.AppendUint32(nil, firstAddress+n)
		b = wire.AppendUint16(b, uint16(n))
		for len(b) < 1306 {
			dice ^= dice << 13
			dice ^= dice >> 7
			dice ^= dice << 17
			b = wire.AppendUint64(b, dice)
		}
		c.add(at, "192.0.2.1", ipfix(n, 1, set(300, b[:1306])))
	}
	p := launch{bare: true, pipe: true}.spawn(t, "-f", c.file(t))
	time.Sleep(500 * time.Millisecond) // to read nothing for a while
	got := content{}
	got.read(t, p.stdout, "stdout", "")
	if code := p.wait(); code != cli.Done || p.stderr.String() != "" {
		t.Errorf("code %d, stderr %q", code, &p.stderr)
	}
	got.once(t, n)
}
