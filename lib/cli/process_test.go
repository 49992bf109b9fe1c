//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What concerns a process as a whole is tested on one: the test binary, run
// again as a small tool of the kind that asks for it.
func TestMain(m *testing.M) {
	if kind := os.Getenv("CLI_TEST_TOOL"); kind != "" {
		os.Exit(tools[kind](OS()))
	}
	os.Exit(m.Run())
}

var tools = map[string]func(*Env) int{
	// filter reads to the end of its input and then prints how much came
	"filter": func(env *Env) int {
		stop := env.Drain()
		defer stop()
		fmt.Fprintln(env.Stderr, "ready")
		n, err := io.Copy(io.Discard, env.Stdin)
		if err != nil {
			env.Error(err)
		}
		fmt.Fprintln(env.Out(), n)
		return env.Close()
	},
	// source writes until it is told to stop, and then an end mark
	"source": func(env *Env) int {
		ctx, stop := env.Source()
		defer stop()
		fmt.Fprintln(env.Stderr, "ready")
		<-ctx.Done()
		fmt.Fprintln(env.Out(), "end")
		return env.Close()
	},
	"stuck": func(env *Env) int {
		ctx, _ := env.Source()
		fmt.Fprintln(env.Stderr, "ready")
		<-ctx.Done()
		fmt.Fprintln(env.Stderr, "ready")
		time.Sleep(time.Minute)
		return Failed
	},
	"endless": func(env *Env) int {
		for {
			if _, err := env.Out().Write(make([]byte, 1<<16)); err != nil {
				env.Errorf("stdout: %w", Cause(err))
				return env.Close()
			}
		}
	},
	// daemon detaches, is ready or not, and ends when a file appears
	"daemon": func(env *Env) int {
		ready, ok := env.Detach()
		if !ok {
			return env.Close()
		}
		if os.Getenv("CLI_TEST_BAD") != "" {
			env.Errorf("port 9995: in use")
			return env.Close()
		}
		if err := ready(); err != nil {
			env.Error(err)
			return env.Close()
		}
		dir := os.Getenv("CLI_TEST_DIR")
		for range 500 {
			if _, err := os.Stat(dir + "/stop"); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		os.WriteFile(dir+"/stopped", fmt.Append(nil, ownSession()), 0o666)
		return env.Close()
	},
	"hello": func(env *Env) int {
		fmt.Fprintln(env.Out(), "hello")
		return env.Close()
	},
}

func ownSession() bool {
	id, err := unix.Getsid(0)
	return err == nil && id == os.Getpid()
}

func TestDetach(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	daemon := func(more ...string) (said string, code int) {
		var b bytes.Buffer
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(append(os.Environ(), "CLI_TEST_TOOL=daemon", "CLI_TEST_DIR="+dir), more...)
		cmd.Stdout, cmd.Stderr = &b, &b
		cmd.Run() // ends only when the daemon, too, has let go of stdout
		return b.String(), cmd.ProcessState.ExitCode()
	}
	if said, code := daemon("CLI_TEST_BAD=1"); code != Failed || !strings.HasSuffix(said, ": port 9995: in use\n") {
		t.Errorf("not ready: code %d, %q", code, said)
	}
	if said, code := daemon(); code != Done || said != "" {
		t.Errorf("ready: code %d, %q", code, said)
	}
	if _, err := os.Stat(dir + "/stopped"); err == nil {
		t.Fatal("the first process waited for the daemon's end")
	}
	os.WriteFile(dir+"/stop", nil, 0o666)
	var own []byte
	for range 500 {
		if own, _ = os.ReadFile(dir + "/stopped"); len(own) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if string(own) != "true" {
		t.Errorf("the daemon has a session of its own: %q", own)
	}
}

type process struct {
	*exec.Cmd
	in       io.WriteCloser
	out, err *bufio.Reader
}

func start(t *testing.T, kind string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CLI_TEST_TOOL="+kind)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	said, _ := cmd.StderrPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return &process{cmd, in, bufio.NewReader(out), bufio.NewReader(said)}
}

func (p *process) ready(t *testing.T) {
	t.Helper()
	if line, err := p.err.ReadString('\n'); line != "ready\n" {
		t.Fatalf("stderr says %q, %v", line, err)
	}
}

// end is the rest of stdout, and how the process ended.
func (p *process) end() (out string, how string) {
	b, _ := io.ReadAll(p.out)
	p.Wait()
	return string(b), p.ProcessState.String()
}

func TestFilterReadsOnAfterInterrupt(t *testing.T) {
	t.Parallel()
	p := start(t, "filter")
	p.ready(t)
	io.WriteString(p.in, "before ")
	p.Process.Signal(os.Interrupt)
	time.Sleep(50 * time.Millisecond)
	io.WriteString(p.in, "after")
	p.in.Close()
	if out, how := p.end(); out != "12\n" || how != "exit status 0" {
		t.Errorf("%q, %s", out, how)
	}
}

func TestFilterWaitsNoLongerThanItShould(t *testing.T) {
	t.Parallel()
	p := start(t, "filter")
	p.ready(t)
	io.WriteString(p.in, "before")
	began := time.Now()
	p.Process.Signal(os.Interrupt)
	out, how := p.end() // its input never ends
	if out != "6\n" || how != "exit status 0" {
		t.Errorf("%q, %s", out, how)
	}
	if took := time.Since(began); took < drainTime || took > drainTime+3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestSecondInterruptAndTermination(t *testing.T) {
	t.Parallel()
	p := start(t, "filter")
	p.ready(t)
	p.Process.Signal(os.Interrupt)
	time.Sleep(100 * time.Millisecond)
	p.Process.Signal(os.Interrupt)
	if out, how := p.end(); out != "" || how != "signal: interrupt" {
		t.Errorf("second interrupt: %q, %s", out, how)
	}
	p = start(t, "filter")
	p.ready(t)
	p.Process.Signal(syscall.SIGTERM)
	if out, how := p.end(); out != "" || how != "signal: terminated" {
		t.Errorf("termination: %q, %s", out, how)
	}
}

func TestSourceEndsItsStream(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := start(t, "source")
		p.ready(t)
		p.Process.Signal(s)
		if out, how := p.end(); out != "end\n" || how != "exit status 0" {
			t.Errorf("%v: %q, %s", s, out, how)
		}
		p = start(t, "stuck")
		p.ready(t)
		p.Process.Signal(s)
		p.ready(t)
		p.Process.Signal(s)
		if _, how := p.end(); !strings.HasPrefix(how, "signal: ") {
			t.Errorf("second %v: %s", s, how)
		}
	}
}

func TestClosedPipeEndsBySignal(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CLI_TEST_TOOL=endless")
	cmd.Stdout, cmd.Stderr = w, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.Read(make([]byte, 1))
	r.Close()
	cmd.Wait()
	if how := cmd.ProcessState.String(); how != "signal: broken pipe" || said.Len() > 0 {
		t.Errorf("%s, stderr %q", how, &said)
	}
}

func TestFullDevice(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this system has no /dev/full")
	} else if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, kind := range []string{"hello", "endless"} {
		var said bytes.Buffer
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CLI_TEST_TOOL="+kind)
		cmd.Stdout, cmd.Stderr = full, &said
		cmd.Run()
		if how := cmd.ProcessState.String(); how != "exit status 1" || strings.Count(said.String(), "no space left on device\n") != 1 {
			t.Errorf("%s: %s, %q", kind, how, &said)
		}
	}
}
