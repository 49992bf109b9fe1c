//go:build !linux

package cli

import "io"

func spliceRange(_ io.ReaderAt, _ io.Writer, off, n int64) (int64, int64, error) {
	return off, n, nil
}
