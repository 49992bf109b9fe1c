package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize is what a pipe between two tools holds. Linux gives 64 KiB; with
// 1 MiB the stages wait less often for each other. An unprivileged process may
// ask for as much as /proc/sys/fs/pipe-max-size, which is 1 MiB by default.
const pipeSize = 1 << 20

// growPipe makes a pipe larger, never smaller. What is no pipe, or may not
// grow, stays as it is.
func growPipe(f *os.File) {
	fd := f.Fd()
	size, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0)
	if err == nil && size < pipeSize {
		unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize)
	}
}
