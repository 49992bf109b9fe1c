//go:build unix

// Package nfpipe_test runs the built tools, alone and in pipelines, as a user
// does: the scripts in testdata/script, the cases that every tool must stand
// (standing_test.go), and the examples of README.md.
package nfpipe_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// tools are all six; those that are not written yet have no directory.
var tools = []string{"nfcap", "nfexp", "nfcat", "nffilter", "nfagg", "nfpcap"}

var (
	root string // the directory of go.mod
	bin  string // where the tools were built, and first in PATH
)

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAndRun builds every tool that exists, once, and runs the tests.
func buildAndRun(m *testing.M) (int, error) {
	var err error
	if root, err = os.Getwd(); err != nil {
		return 1, err
	}
	if bin, err = os.MkdirTemp("", "nfpipe-bin-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(bin)
	args := []string{"build", "-o", bin + "/"}
	for _, tool := range tools {
		if exists(tool) {
			args = append(args, "./"+tool)
		}
	}
	build := exec.Command("go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if len(args) > 3 {
		if said, err := build.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, said)
		}
	}
	os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	os.Setenv("TZ", "UTC")
	return m.Run(), nil
}

func exists(tool string) bool {
	sources, _ := filepath.Glob(filepath.Join(root, tool, "*.go"))
	return len(sources) > 0
}

// needs skips a test whose tools are not written yet.
func needs(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if !exists(name) {
			t.Skipf("%s does not exist yet", name)
		}
	}
}

// TestScripts runs testdata/script/*.txtar. Beside the commands of testscript
// a script has:
//
//	pipe a x | b y | c < in > out   runs a pipeline of processes; stdout is the
//	                                last one's, stderr that of all
//	! pipe …                        the same when a stage is to fail
//	status 0 3                      the exit codes of the last pipe; one ended
//	                                by a closed pipe has 141, as in a shell
//
// A pipe succeeds when every stage did, or was ended by a closed pipe. The
// captures of testdata are under $DATA.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATA", filepath.Join(root, "testdata"))
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"pipe":   pipeCommand,
			"status": statusCommand,
		},
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
	})
}

func pipeCommand(ts *testscript.TestScript, negated bool, args []string) {
	p, err := parsePipeline(args, ts.MkAbs)
	if err != nil {
		ts.Fatalf("pipe: %v", err)
	}
	p.dir = ts.MkAbs(".")
	p.env = append(os.Environ(), "HOME="+p.dir, "TZ="+ts.Getenv("TZ"), "NFPIPE_HISTORY="+ts.Getenv("NFPIPE_HISTORY"))
	r := p.run(nil)
	ts.Stdout().Write(r.stdout)
	ts.Stderr().Write(r.stderr)
	ts.Setenv("PIPESTATUS", join(r.codes))
	if r.err != nil {
		ts.Fatalf("pipe: %v", r.err)
	}
	if failed := slices.ContainsFunc(r.codes, func(c int) bool { return c != 0 && c != sigpipe }); failed != negated {
		ts.Fatalf("pipe: exit codes %s", join(r.codes))
	}
}

func statusCommand(ts *testscript.TestScript, negated bool, args []string) {
	if got, want := ts.Getenv("PIPESTATUS"), strings.Join(args, " "); (got == want) == negated {
		ts.Fatalf("exit codes are %s", got)
	}
}

func join(codes []int) string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = strconv.Itoa(c)
	}
	return strings.Join(words, " ")
}

const (
	sigpipe  = 128 + int(syscall.SIGPIPE)
	patience = time.Minute // a pipeline that takes longer hangs
)

// pipeline is some processes, each reading what the one before it writes.
type pipeline struct {
	stages   [][]string
	in, out  string // files, or "" for nothing in and captured out
	dir      string
	env      []string
	terminal *os.File // stdout, when it is to be a terminal
}

type result struct {
	codes          []int
	stdout, stderr []byte
	err            error // a stage that could not be started or ended
}

// parsePipeline reads the words of a shell-like pipeline.
func parsePipeline(words []string, abs func(string) string) (*pipeline, error) {
	p := &pipeline{stages: [][]string{nil}}
	for i := 0; i < len(words); i++ {
		last := &p.stages[len(p.stages)-1]
		switch w := words[i]; w {
		case "|":
			p.stages = append(p.stages, nil)
		case "<", ">":
			if i++; i == len(words) {
				return nil, fmt.Errorf("no file after %s", w)
			}
			if w == "<" {
				p.in = abs(words[i])
			} else {
				p.out = abs(words[i])
			}
		default:
			*last = append(*last, w)
		}
	}
	for _, stage := range p.stages {
		if len(stage) == 0 {
			return nil, errors.New("a stage has no command")
		}
	}
	return p, nil
}

// shell is parsePipeline for one string without quotes.
func shell(t *testing.T, line string) *pipeline {
	t.Helper()
	p, err := parsePipeline(strings.Fields(line), func(s string) string { return s })
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return p
}

// run runs the pipeline to its end. The first stage reads input when it is not
// nil and no file was given.
func (p *pipeline) run(input []byte) result {
	var stdout, stderr lockedBuffer
	var r result
	commands := make([]*exec.Cmd, len(p.stages))
	var ours []*os.File // our copies of what the processes have
	var stdin *os.File
	for i, stage := range p.stages {
		c := exec.Command(stage[0], stage[1:]...)
		c.Dir, c.Env, c.Stderr = p.dir, p.env, &stderr
		c.WaitDelay = time.Second
		commands[i] = c
		switch {
		case i > 0:
			c.Stdin = stdin
		case p.in != "":
			f, err := os.Open(p.in)
			if err != nil {
				return result{err: err}
			}
			c.Stdin, ours = f, append(ours, f)
		case input != nil:
			c.Stdin = bytes.NewReader(input)
		}
		switch {
		case i < len(p.stages)-1:
			read, write, err := os.Pipe()
			if err != nil {
				return result{err: err}
			}
			c.Stdout, stdin = write, read
			ours = append(ours, read, write)
		case p.out != "":
			f, err := os.OpenFile(p.out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
			if err != nil {
				return result{err: err}
			}
			c.Stdout, ours = f, append(ours, f)
		case p.terminal != nil:
			c.Stdout = p.terminal
		default:
			c.Stdout = &stdout
		}
	}
	for _, c := range commands {
		r.err = errors.Join(r.err, c.Start())
	}
	for _, f := range ours {
		f.Close()
	}
	for _, c := range commands {
		code, err := wait(c)
		r.codes, r.err = append(r.codes, code), errors.Join(r.err, err)
	}
	r.stdout, r.stderr = stdout.b.Bytes(), stderr.b.Bytes()
	return r
}

// wait gives the code that a shell would show.
func wait(c *exec.Cmd) (int, error) {
	if c.Process == nil {
		return 127, nil
	}
	slow := time.AfterFunc(patience, func() { c.Process.Kill() })
	err := c.Wait()
	if !slow.Stop() {
		return 124, fmt.Errorf("%s did not end within %v", c, patience)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, syscall.EPIPE) {
		return 126, err
	}
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// lockedBuffer takes the messages of several processes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
