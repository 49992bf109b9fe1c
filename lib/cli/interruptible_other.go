//go:build !unix

package cli

import "os"

// interruptible is a plain file where poll(2) does not exist: a read that is
// blocked stays so until the writer ends.
type interruptible struct{ *os.File }

func newInterruptible(f *os.File) (*interruptible, error) { return &interruptible{f}, nil }

func (r *interruptible) interrupt() {}
