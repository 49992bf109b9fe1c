package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nfpipe/lib/cli"
)

// The tests run nfcap as a process: the test binary, started again as the tool.
func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		os.Exit(run(cli.OS()))
	}
	os.Setenv("TZ", "UTC")
	time.Local = time.UTC
	os.Exit(m.Run())
}

const (
	asTool   = "NFCAP_TEST_RUN"
	patience = 20 * time.Second // what takes longer hangs
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// skip skips a test for which something is missing; where all must be there that is a failure.
func skip(t testing.TB, missing string) {
	t.Helper()
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		t.Fatalf("missing: %s", missing)
	}
	t.Skipf("missing: %s", missing)
}

// eventually waits until something is so, or fails the test.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// ports counts up: they are below those that the kernel gives to sockets, which come and go.
var ports = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(uint32(os.Getpid()))
	return &n
}()

// freePort is a port that nobody has, neither for UDP nor for TCP.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := int(20_000 + ports.Add(1)%12_000)
		u, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
		if err != nil {
			continue
		}
		u.Close()
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	t.Fatal("no free port")
	return 0
}

// said collects what a process writes, for who looks at it meanwhile.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// process is a running nfcap that listens on a port of loopback.
type process struct {
	t       testing.TB
	cmd     *exec.Cmd
	port    int
	metrics string
	stdout  io.ReadCloser // when it was asked for
	stderr  said
	ended   chan struct{}
	code    int // after ended; -1 for one ended by a signal
}

// launch says how to start a process.
type launch struct {
	pipe  bool     // the test reads stdout
	env   []string // in addition
	wrap  []string // a command that runs it
	bare  bool     // without a port
	port  int      // 0: a free one
	stdin *os.File
}

// start starts nfcap and waits until it is ready.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	return launch{}.start(t, args...)
}

func (l launch) start(t testing.TB, args ...string) *process {
	t.Helper()
	p := l.spawn(t, args...)
	p.await()
	return p
}

// spawn starts nfcap.
func (l launch) spawn(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{t: t, port: l.port, metrics: fmt.Sprintf("127.0.0.1:%d", freePort(t)), ended: make(chan struct{})}
	if !l.bare {
		if p.port == 0 {
			p.port = freePort(t)
		}
		args = append([]string{"-b", "127.0.0.1", "-p", strconv.Itoa(p.port)}, args...)
	}
	if os.Getuid() != 0 { // others may not have the buffer that nfcap asks for, which it says
		args = append([]string{"-B", "200k"}, args...)
	}
	self, err := os.Executable()
	check(t, err)
	words := append(append(l.wrap, self, "--metrics", p.metrics), args...)
	p.cmd = exec.Command(words[0], words[1:]...)
	if l.wrap == nil {
		p.cmd.Args[0] = "nfcap"
	}
	p.cmd.Env = append(append(os.Environ(), asTool+"=1"), l.env...)
	p.cmd.Stderr = &p.stderr
	if l.stdin != nil {
		p.cmd.Stdin = l.stdin
	}
	var write *os.File
	if l.pipe {
		read, w, err := os.Pipe()
		check(t, err)
		p.stdout, write, p.cmd.Stdout = read, w, w
	}
	check(t, p.cmd.Start())
	if write != nil {
		write.Close()
	}
	go func() {
		p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if p.stdout != nil {
			p.stdout.Close()
		}
		if t.Failed() {
			t.Logf("nfcap %s\n%s", strings.Join(args, " "), &p.stderr)
		}
	})
	return p
}

// await waits until the process answers.
func (p *process) await() {
	p.t.Helper()
	eventually(p.t, "nfcap is ready", func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("nfcap ended with %d: %s", p.code, &p.stderr)
		default:
		}
		code, _ := p.get("/healthz")
		return code == http.StatusOK
	})
}

var web = http.Client{Timeout: 10 * time.Second}

// get asks for a page; the code is 0 when nobody answers.
func (p *process) get(path string) (code int, body string) {
	r, err := web.Get("http://" + p.metrics + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

// metric sums up what the process counts under a name, over all labels.
func (p *process) metric(name string) int {
	p.t.Helper()
	n, ok := p.tryMetric(name)
	if !ok {
		p.t.Fatalf("no metric %s", name)
	}
	return n
}

func (p *process) tryMetric(name string) (sum int, ok bool) {
	_, body := p.get("/metrics")
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		plain, _, _ := strings.Cut(key, "{")
		if key == name || plain == name {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, false
			}
			sum, ok = sum+int(n), true
		}
	}
	return sum, ok
}

// awaits waits until a counter is at least n.
func (p *process) awaits(name string, n int) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%s is %d", name, n), func() bool { return p.metric(name) >= n })
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	check(p.t, p.cmd.Process.Signal(s))
}

// stop ends the process as Ctrl-C does and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	p.signal(os.Interrupt)
	return p.wait()
}

// well stops the process, which must have had nothing to complain about.
func (p *process) well() {
	p.t.Helper()
	if code := p.stop(); code != cli.Done {
		p.t.Errorf("nfcap ended with %d", code)
	}
}

// wait waits for the end of the process.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.signal(syscall.SIGQUIT) // says where it hangs
		select {
		case <-p.ended:
		case <-time.After(time.Second):
		}
		p.t.Fatalf("nfcap did not end in %v: %s", patience, &p.stderr)
	}
	return p.code
}

// kill ends the process as a loss of power does, without a last word.
func (p *process) kill() {
	p.cmd.Process.Kill()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("process %d cannot be killed", p.cmd.Process.Pid)
	}
}

// complains fails the test unless the process said something.
func (p *process) says(words ...string) {
	p.t.Helper()
	for _, w := range words {
		if !strings.Contains(p.stderr.String(), w) {
			p.t.Errorf("nfcap did not say %q:\n%s", w, &p.stderr)
		}
	}
}

// residents are the file names below dir that begin with prefix.
func residents(t testing.TB, dir, prefix string) []string {
	t.Helper()
	var names []string
	check(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) { // renamed meanwhile
			return nil
		}
		if err == nil && !e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return err
	}))
	return names
}
