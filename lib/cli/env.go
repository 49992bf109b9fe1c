package cli

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/term"
)

// Env is what a tool gets from outside: its name and arguments, its three
// streams and its environment variables.
type Env struct {
	Tool   string   // the name that messages begin with
	Args   []string // the arguments, without the name
	Stdin  io.Reader
	Stdout io.Writer // unbuffered; text goes through Out
	Stderr io.Writer
	Getenv func(string) string

	mu       sync.Mutex
	code     int
	last     string // the message before this one
	out      *bufio.Writer
	progress *Progress
	closed   bool
}

// outSize is the buffer of stdout: large enough that a table of text costs few
// writes, and whatever is larger goes past the buffer in one write.
const outSize = 256 << 10

// OS is the environment of the running process. Standard input and output are
// given larger pipes when they are pipes.
func OS() *Env {
	growPipe(os.Stdin)
	growPipe(os.Stdout)
	return &Env{
		Tool:   filepath.Base(os.Args[0]),
		Args:   os.Args[1:],
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Getenv: os.Getenv,
	}
}

// Out is the buffered stdout. Writes larger than its buffer are not copied. A
// live tool flushes it itself; Close does it at the end.
func (e *Env) Out() *bufio.Writer {
	if e.out == nil {
		e.out = bufio.NewWriterSize((*stdout)(e), outSize)
	}
	return e.out
}

// stdout takes a progress line off the terminal before data goes there.
type stdout Env

func (s *stdout) Write(p []byte) (int, error) {
	(*Env)(s).stopProgress()
	return s.Stdout.Write(p)
}

// Close flushes and closes stdout, and answers with the exit code. A tool ends
// with it on every path: an output that could not be written makes the code 1.
func (e *Env) Close() int {
	if e.closed {
		return e.Code()
	}
	e.closed = true
	e.stopProgress()
	var err error
	if e.out != nil {
		err = e.out.Flush()
	}
	if c, ok := e.Stdout.(io.Closer); ok {
		if cerr := c.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil && !e.hasSaid(Cause(err)) { // a writer keeps its first error
		e.Errorf("stdout: %w", Cause(err))
	}
	return e.Code()
}

// StdinIsTerminal, StdoutIsTerminal and StderrIsTerminal say whether a person
// is at the other end.
func (e *Env) StdinIsTerminal() bool { return isTerminal(e.Stdin) }

// StdoutIsTerminal is true when a stream must not be written to stdout.
func (e *Env) StdoutIsTerminal() bool { return isTerminal(e.Stdout) }

// StderrIsTerminal is true when progress may be shown.
func (e *Env) StderrIsTerminal() bool { return isTerminal(e.Stderr) }

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// StdoutIsPipe is true when another process reads what is written, at once and
// once: only there may a stream carry selections.
func (e *Env) StdoutIsPipe() bool { return isPipe(e.Stdout) }

// StdinIsPipe is true when another process writes what is read.
func (e *Env) StdinIsPipe() bool { return isPipe(e.Stdin) }

func isPipe(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// Inputs are the names to read: those given, or "-" for stdin when there are
// none. When stdin is meant and is a terminal, nothing can come from it: that
// is reported as wrong usage and ok is false.
func (e *Env) Inputs(given []string) (names []string, ok bool) {
	if len(given) == 0 {
		given = []string{"-"}
	}
	for _, name := range given {
		if name == "-" && e.StdinIsTerminal() {
			e.Usagef("stdin is a terminal, there is nothing to read")
			e.Hintf("%s -r FILE reads a file; or pipe one in", e.Tool)
			return nil, false
		}
	}
	return given, true
}
