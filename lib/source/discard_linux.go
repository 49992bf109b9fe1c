package source

import (
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// null is where pages go that nobody reads.
var null = sync.OnceValues(func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_WRONLY, 0) })

// Discard moves up to n bytes to the null device. It passes over none when the kernel cannot
// do that with this file.
func (p *Pipe) Discard(n int64) (int64, error) {
	dst, err := null()
	if err != nil {
		return 0, nil
	}
	return p.Splice(dst, n)
}

// Splice moves up to n bytes into another pipe, page by page; it moves none when the kernel
// cannot do that with these files.
func (p *Pipe) Splice(dst *os.File, n int64) (int64, error) {
	done := int64(0)
	for done < n {
		m, err := unix.Splice(int((*os.File)(p).Fd()), nil, int(dst.Fd()), nil, int(min(n-done, 1<<30)), unix.SPLICE_F_MOVE)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return done, nil // reading and writing will tell what is wrong
		case m == 0:
			return done, io.ErrUnexpectedEOF
		}
		done += max(int64(m), 0)
	}
	return done, nil
}
