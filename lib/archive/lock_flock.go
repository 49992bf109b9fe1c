//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package archive

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockWait is how long a lock is waited for: a reader holds that of a file for a moment, a
// writer that is ending that of its directory.
const lockWait = 3 * time.Second

// errLocked says that another process holds the lock.
var errLocked = errors.New("locked by another process")

// lock locks a file or directory until it is closed.
func lock(f *os.File) error {
	for end := time.Now().Add(lockWait); ; time.Sleep(20 * time.Millisecond) {
		switch err := flock(f, unix.LOCK_EX|unix.LOCK_NB); err {
		case unix.EWOULDBLOCK:
		case unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
			return nil // a file system without locks: readers take open slots for left by a crash
		default:
			return err
		}
		if time.Now().After(end) {
			return errLocked
		}
	}
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}

// Writing tells whether the writer of an open slot still lives.
func Writing(f *os.File) bool {
	if flock(f, unix.LOCK_SH|unix.LOCK_NB) == unix.EWOULDBLOCK {
		return true
	}
	flock(f, unix.LOCK_UN)
	return false
}
