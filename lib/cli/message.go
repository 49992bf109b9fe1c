package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// The exit codes of every tool. Any other code is a failure.
const (
	Done    = 0 // finished; that nothing matched is no failure
	Failed  = 1 // could not read, write or connect
	Usage   = 2 // wrong option, argument or filter
	Damaged = 3 // finished, but the input was truncated, corrupt or aborted upstream
)

// Code is the exit code as things stand: the worst that was reported.
func (e *Env) Code() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.code
}

// worse puts what makes the result unusable before what makes it incomplete.
var severity = [...]int{Done: 0, Damaged: 1, Failed: 2, Usage: 3}

func (e *Env) report(code int, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if severity[code] > severity[e.code] {
		e.code = code
	}
	e.last = text
	e.print(e.Tool + ": " + text)
}

// hasSaid is true when the last message told of err and made the code 1.
func (e *Env) hasSaid(err error) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.code == Failed && strings.HasSuffix(e.last, err.Error())
}

// print writes one message; e.mu is held. An error of stderr has nowhere to go.
func (e *Env) print(text string) {
	if e.progress != nil {
		e.progress.clear()
	}
	fmt.Fprintln(e.Stderr, strings.TrimRight(text, "\n"))
}

// Errorf says what went wrong and makes the exit code 1. It does not stop the
// tool: what can still be done is done. A hint that an argument carries (see
// Error) follows on its own line.
func (e *Env) Errorf(format string, args ...any) { e.Error(fmt.Errorf(format, args...)) }

// Error is Errorf for an error as it is. When the error, or one that it wraps,
// has a method Hint() string, the hint follows on its own line; a method
// ExitCode() int chooses the code, so that a bad filter can say 2 and damaged
// input 3.
func (e *Env) Error(err error) {
	code := Failed
	var coder interface{ ExitCode() int }
	if errors.As(err, &coder) {
		if c := coder.ExitCode(); c == Usage || c == Damaged {
			code = c
		}
	}
	e.report(code, err.Error())
	e.hintOf(err)
}

// Damagedf says what is wrong with the input and makes the exit code 3.
func (e *Env) Damagedf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	e.report(Damaged, err.Error())
	e.hintOf(err)
}

// Warnf says something that does not change the exit code.
func (e *Env) Warnf(format string, args ...any) {
	e.report(Done, fmt.Sprintf(format, args...))
}

// Usagef says what was wrong with the command line and makes the exit code 2.
// One Hintf belongs after it.
func (e *Env) Usagef(format string, args ...any) {
	e.report(Usage, fmt.Sprintf(format, args...))
}

// Hintf says what to do about the message before it.
func (e *Env) Hintf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.print("hint: " + fmt.Sprintf(format, args...))
}

func (e *Env) hintOf(err error) {
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		e.Hintf("%s", h.Hint())
	}
}

// Cause takes "write /dev/stdout:" and the like off an error, for a message
// that names the file itself.
func Cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var s *os.SyscallError
	if errors.As(err, &s) {
		return s.Err
	}
	return err
}

// Quote writes arguments as a shell reads them, for hints that can be pasted.
func Quote(args ...string) string {
	var b strings.Builder
	for i, arg := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if arg != "" && strings.Trim(arg, plain) == "" {
			b.WriteString(arg)
			continue
		}
		b.WriteString("'" + strings.ReplaceAll(arg, "'", `'\''`) + "'")
	}
	return b.String()
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%^"
