package main

import (
	"io/fs"
	"os"
)

// files opens what @include names, as the shell would: relative to the working directory, or
// absolute.
type files struct{}

func (files) Open(name string) (fs.File, error) { return os.Open(name) }
