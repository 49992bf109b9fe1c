//go:build unix

package cli

import (
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// interruptible reads a file whose blocked read can be made to end: it waits
// with poll(2) for the file or for a pipe of its own. A deadline will not do,
// for stdin is a blocking descriptor that other processes share, and a read in
// a goroutine of its own could still write into a buffer that was given back.
type interruptible struct {
	file        *os.File
	wake, waker *os.File
	ended       atomic.Bool
}

func newInterruptible(f *os.File) (*interruptible, error) {
	wake, waker, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &interruptible{file: f, wake: wake, waker: waker}, nil
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.wait(); err != nil {
		return 0, err
	}
	return r.file.Read(p)
}

// wait returns when the file can be read, or io.EOF after interrupt.
func (r *interruptible) wait() error {
	fds := [2]unix.PollFd{
		{Fd: int32(r.file.Fd()), Events: unix.POLLIN},
		{Fd: int32(r.wake.Fd()), Events: unix.POLLIN},
	}
	for {
		if r.ended.Load() {
			return io.EOF
		}
		if _, err := unix.Poll(fds[:], -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		} else if err == nil && fds[0].Revents != 0 && fds[1].Revents == 0 {
			return nil
		}
	}
}

// interrupt makes this and every further Read answer io.EOF.
func (r *interruptible) interrupt() {
	r.ended.Store(true)
	r.waker.Close()
}

// File is the descriptor that is read, for whoever asks what it is.
func (r *interruptible) File() *os.File { return r.file }
