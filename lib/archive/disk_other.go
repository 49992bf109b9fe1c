//go:build !linux

package archive

import "os"

// flush brings a file's contents to the disk.
func flush(f *os.File) error { return f.Sync() }
