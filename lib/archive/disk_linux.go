package archive

import (
	"os"

	"golang.org/x/sys/unix"
)

// flush brings a file's contents to the disk.
func flush(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}
