package cli

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// spliceRange moves pages of a file into a pipe. It returns what is left to copy, which is all
// when the two are not a file and a pipe.
func spliceRange(f io.ReaderAt, w io.Writer, off, n int64) (int64, int64, error) {
	src, ok := f.(*os.File)
	dst, ok2 := w.(*os.File)
	if !ok || !ok2 || !isPipe(dst) {
		return off, n, nil
	}
	for n > 0 {
		m, err := unix.Splice(int(src.Fd()), &off, int(dst.Fd()), nil, int(min(n, 1<<30)), unix.SPLICE_F_MOVE|unix.SPLICE_F_MORE)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err == unix.EINVAL || err == unix.ENOSYS || err == nil && m == 0:
			return off, n, nil
		case err == unix.EPIPE:
			_, err = dst.Write([]byte{0}) // the runtime ends the process by SIGPIPE, as it should
			return off, n, err
		case err != nil:
			return off, n, &os.PathError{Op: "splice", Path: dst.Name(), Err: err}
		}
		n -= max(int64(m), 0)
	}
	return off, n, nil
}
