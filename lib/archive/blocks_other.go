//go:build !unix

package archive

import "io/fs"

// sizeOnDisk is the size of a file.
func sizeOnDisk(info fs.FileInfo) int64 { return info.Size() }
