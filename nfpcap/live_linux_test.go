package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/format"
	"nfpipe/lib/packet"
	"nfpipe/lib/stream"
)

// The tests of live capture run nfpcap as a process: the test binary, started again as the tool.
func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		os.Exit(run(cli.OS()))
	}
	os.Exit(m.Run())
}

const (
	asTool   = "NFPCAP_TEST_RUN"
	patience = 20 * time.Second // what takes longer hangs
)

func skip(t testing.TB, missing string) {
	t.Helper()
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		t.Fatalf("missing: %s", missing)
	}
	t.Skipf("missing: %s", missing)
}

func ip(t testing.TB, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", line, err, out)
	}
}

// pair puts the test into a network namespace of its own with two interfaces, v0 and v1, that are
// joined and on which nothing is sent but by the test. The namespace goes with the test.
func pair(t testing.TB) *wire {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "root, for a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		skip(t, "the ip command, for a network namespace")
	}
	runtime.LockOSThread() // and no unlocking: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		skip(t, "network namespaces: "+err.Error())
	}
	for _, name := range []string{"default", "all"} {
		os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	}
	ip(t, "link set lo up")
	ip(t, "link add v0 type veth peer name v1")
	ip(t, "link set v0 mtu 9000 up")
	ip(t, "link set v1 mtu 9000 up")
	var i *net.Interface
	for _, name := range []string{"v1", "v0"} { // only then packets pass
		for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			var err error
			if i, err = net.InterfaceByName(name); err == nil && i.Flags&net.FlagRunning != 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s does not come up", name)
			}
		}
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	check(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{8, 0}), Ifindex: i.Index}))
	return &wire{t, fd}
}

// wire sends frames.
type wire struct {
	t  testing.TB
	fd int
}

func (w *wire) send(frames ...[]byte) {
	w.t.Helper()
	for _, f := range frames {
		if _, err := unix.Write(w.fd, f); err != nil {
			w.t.Fatal(err)
		}
	}
}

// datagram is an Ethernet frame with a UDP packet of flow n.
func datagram(n int) []byte {
	f := []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00" +
		"\x45\x00\x00\x1c\x00\x00\x00\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x00\x00\x35\x00\x08\x00\x00")
	binary.BigEndian.PutUint16(f[28:], uint16(n>>16))
	binary.BigEndian.PutUint16(f[34:], uint16(n))
	return f
}

// output of a process, which may be read while it comes.
type recorder struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *recorder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *recorder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// process is an nfpcap that captures.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	out, err recorder
	done     chan error
}

// start starts nfpcap in the test's network namespace, with an output of the caller's or its own,
// and waits until it captures.
func start(t testing.TB, stdout io.Writer, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	p := &process{t: t, cmd: exec.Command(self, args...), done: make(chan error, 1)}
	p.cmd.Args[0] = "nfpcap"
	p.cmd.Env = append(os.Environ(), asTool+"=1")
	if p.cmd.Stdout, p.cmd.Stderr = stdout, &p.err; stdout == nil {
		p.cmd.Stdout = &p.out
	}
	check(t, p.cmd.Start())
	t.Cleanup(func() { p.cmd.Process.Kill() })
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

// begun waits for the head of the stream, before which the capture was opened.
func (p *process) begun() *process {
	p.t.Helper()
	p.eventually("a stream begins", func() bool { return len(p.out.String()) > 0 })
	return p
}

func (p *process) eventually(what string, so func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("not so: %s; stderr %q", what, p.err.String())
		}
	}
}

// ends waits for the process, which has to end with a code.
func (p *process) ends(code int) {
	p.t.Helper()
	select {
	case <-p.done:
		if got := p.cmd.ProcessState.ExitCode(); got != code {
			p.t.Fatalf("exit code %d, want %d; stderr %q", got, code, p.err.String())
		}
	case <-time.After(patience):
		p.t.Fatalf("nfpcap does not end; stderr %q", p.err.String())
	}
}

// stop ends it as Ctrl-C does.
func (p *process) stop(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// content is what a stream that may still be written holds so far.
func (p *process) content(mode string) (c content, ticks []stream.Tick) {
	p.t.Helper()
	f, err := format.New(mode, format.Options{})
	check(p.t, err)
	r := stream.NewReader(strings.NewReader(p.out.String()), stream.Options{Name: "output"})
	for {
		it, err := r.Next()
		if err != nil {
			return c, ticks
		}
		switch it.Kind {
		case stream.KindHead:
			c.head = it.Head
		case stream.KindEnd:
			c.end = it.End
		case stream.KindTick:
			ticks = append(ticks, *it.Tick)
		case stream.KindRecords:
			text, err := f.Batch(nil, it.Batch, 0)
			check(p.t, err)
			c.rows = append(c.rows, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
		}
	}
}

// framesOf are the frames of a crafted capture, of Ethernet alone.
func framesOf(t testing.TB, name string) (list [][]byte) {
	t.Helper()
	f, err := os.Open(crafted + name)
	check(t, err)
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		in, err = gzip.NewReader(f)
		check(t, err)
	}
	r, err := capture.NewReader(in)
	check(t, err)
	var p capture.Packet
	for r.Next(&p) == nil {
		if p.LinkType != packet.LinkEthernet {
			return nil
		}
		list = append(list, slices.Clone(p.Data))
	}
	return list
}

// What a record says but for its times.
const timeless = "csv:%pr,%sa,%sp,%da,%dp,%it,%ic,%pkt,%byt,%flg,%tos,%{vlanId},%{dot1qCustomerVlanId},%{mplsTopLabelStackSection},%ismc,%odmc"

// What is captured live makes the records that the capture file makes when its packets are as
// close in time; only that records of an interface name it.
func TestLiveRecords(t *testing.T) {
	w := pair(t)
	files, err := filepath.Glob(crafted + "[0-9]*")
	check(t, err)
	whole := 0
	timeouts := []string{"-e", "86400,86400", "-t", "tcp.rst=1d", "-t", "tcp.fin=1d", "-T", "vlan", "-o", "fat", "-b"}
	for _, option := range []string{"port", "vlan"} {
		timeouts[7] = option
		p := start(t, nil, append([]string{"-i", "v1"}, timeouts...)...).begun()
		args := slices.Clone(timeouts)
		for _, name := range files {
			if list := framesOf(t, filepath.Base(name)); list != nil {
				w.send(list...)
				args = append(args, "-r", name)
				whole++
			}
		}
		p.stop(syscall.SIGTERM)
		p.ends(cli.Done)
		got, _ := p.content(timeless)
		want := read(t, well(t, "-r", nfpcap("", args...)), timeless)
		slices.Sort(got.rows)
		slices.Sort(want.rows)
		if !slices.Equal(got.rows, want.rows) || len(want.rows) < 100 {
			t.Errorf("-T %s: live\n%s\nof the files\n%s", option, strings.Join(got.rows, "\n"), strings.Join(want.rows, "\n"))
		}
		if p.err.String() != "" || got.end == nil || got.end.Status != stream.Complete || got.end.Losses != (stream.Losses{}) {
			t.Errorf("stderr %q, end %+v", p.err.String(), got.end)
		}
		named, _ := p.content("csv:%{ingressInterface}")
		i, err := net.InterfaceByName("v1")
		check(t, err)
		for _, row := range named.rows {
			if row != fmt.Sprint(i.Index) {
				t.Fatalf("the interface of a record is %q, want %d", row, i.Index)
			}
		}
	}
	if whole < 60 {
		t.Errorf("%d captures in two runs", whole)
	}
}

// A flow leaves by the clock alone, within a second of its timeout, in a frame before a tick.
func TestLiveIdle(t *testing.T) {
	w := pair(t)
	p := start(t, nil, "-i", "v1", "-t", "udp=2", "--flush", "100ms").begun()
	fraction := time.Now().Nanosecond()
	time.Sleep(time.Duration(1_400_000_000-fraction) % time.Second) // 0.4 s into a second
	w.send(datagram(1))
	sent := time.Now()
	p.eventually("a record came", func() bool { c, _ := p.content(connection); return len(c.rows) > 0 })
	if d := time.Since(sent); d < 2*time.Second || d > 3*time.Second {
		t.Errorf("the record came after %v", d)
	}
	p.eventually("time goes on", func() bool { _, ticks := p.content(connection); return len(ticks) > 10 })
	_, ticks := p.content(connection)
	for i, tick := range ticks {
		if i > 0 && tick.Clock < ticks[i-1].Clock {
			t.Errorf("tick %d: %d after %d", i, tick.Clock, ticks[i-1].Clock)
		}
	}
	if behind := time.Since(time.Unix(0, int64(ticks[len(ticks)-1].Clock))); behind < 0 || behind > time.Second {
		t.Errorf("the last tick is of %v ago", behind)
	}
	p.stop(syscall.SIGINT)
	p.ends(cli.Done)
	if c, _ := p.content(connection); c.end == nil || c.end.Records != 1 || p.err.String() != "" {
		t.Errorf("end %+v, stderr %q", c.end, p.err.String())
	}
}

// Sampling is told in the records, and of a file it is the same.
func TestSampling(t *testing.T) {
	w := pair(t)
	const rate = "csv:%sp,%pkt,%{sampinterval},%{sampspace}"
	p := start(t, nil, "-i", "v1", "-s", "10").begun()
	for n := range 50 {
		w.send(datagram(n))
	}
	p.stop(syscall.SIGINT)
	p.ends(cli.Done)
	if c, _ := p.content(rate); len(c.rows) != 5 {
		t.Errorf("one of ten of 50 flows: %q", c.rows)
	}
	c := read(t, well(t, "-s 10", nfpcap(captured(t, "33_100flows.pcap"), "-s", "10")), rate)
	if len(c.rows) != 10 || c.rows[0] != "1000,10,1,9" {
		t.Errorf("one of ten of 100 flows: %q", c.rows)
	}
}

// The interface is removed: what there was is written, and the end says why there is no more.
func TestLiveRemoved(t *testing.T) {
	w := pair(t)
	p := start(t, nil, "-i", "v1").begun()
	w.send(datagram(1))
	ip(t, "link del v0")
	p.ends(cli.Failed)
	c, _ := p.content(connection)
	if says := "capture on v1: the interface was removed"; p.err.String() != "nfpcap: "+says+"\n" ||
		len(c.rows) != 1 || c.end == nil || c.end.Status != stream.Aborted || c.end.Reason != says {
		t.Errorf("stderr %q, %d records, end %+v", p.err.String(), len(c.rows), c.end)
	}
}

// What cannot be captured is said, and nothing is written.
func TestLiveRefused(t *testing.T) {
	pair(t)
	p := start(t, nil, "-i", "eth77")
	p.ends(cli.Failed)
	if says := p.err.String(); p.out.String() != "" ||
		!strings.HasPrefix(says, "nfpcap: capture on eth77: no such interface, there are any, lo, ") {
		t.Errorf("stderr %q, stdout of %d bytes", says, len(p.out.String()))
	}
}
