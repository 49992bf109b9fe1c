//go:build unix

package archive

import (
	"io/fs"
	"syscall"
)

// sizeOnDisk is the space that a file takes, by blocks, as nfexpire counts.
func sizeOnDisk(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(s.Blocks) * 512
	}
	return info.Size()
}
