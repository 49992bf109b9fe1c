//go:build unix

package cli

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// detached names the descriptor over which a detached process tells the one
// that started it that it is ready.
const detached = "NFPIPE_DETACHED"

// Detach makes a daemon: it starts the same command again in a session of its
// own, and there returns ready. The tool opens its sockets and then calls
// ready, upon which the first process ends with 0 and the daemon's three
// streams become /dev/null. When the daemon ends before that, its messages are
// on the terminal and the first process ends with its exit code.
//
// In the first process ok is false and the tool ends with env.Close(). Call it
// after the options were checked and before anything is opened.
func (e *Env) Detach() (ready func() error, ok bool) {
	if fd, err := strconv.Atoi(e.Getenv(detached)); err == nil && fd > 2 {
		os.Unsetenv(detached) // not for those that this process starts
		unix.CloseOnExec(fd)
		return func() error { return tellReady(os.NewFile(uintptr(fd), "ready")) }, true
	}
	if code, err := e.startDetached(); err != nil {
		e.Errorf("detach: %w", Cause(err))
	} else if code != Done {
		e.mu.Lock()
		e.code = code // the other process has said why
		e.mu.Unlock()
	}
	return nil, false
}

// startDetached waits until the daemon is ready, or has ended with a code.
func (e *Env) startDetached() (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return Failed, err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return Failed, err
	}
	defer told.Close()
	c := exec.Command(self, e.Args...)
	c.Args[0] = e.Tool
	c.Env = append(os.Environ(), detached+"=3")
	c.ExtraFiles = []*os.File{tell}
	c.Stdout, c.Stderr = e.Stdout, e.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = c.Start()
	tell.Close()
	if err != nil {
		return Failed, err
	}
	if n, _ := told.Read(make([]byte, 1)); n == 1 {
		return Done, c.Process.Release()
	}
	c.Wait()
	if code = c.ProcessState.ExitCode(); code <= Done || code > Damaged {
		code = Failed
	}
	return code, nil
}

func tellReady(f *os.File) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return os.NewSyscallError("dup2", err)
		}
	}
	if _, err := f.Write([]byte{1}); err != nil {
		return err
	}
	return f.Close()
}
