//go:build !linux

package cli

import "os"

// growPipe does nothing: only Linux lets a process choose a pipe's size.
func growPipe(*os.File) {}
