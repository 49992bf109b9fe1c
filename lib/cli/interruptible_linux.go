package cli

import (
	"os"

	"golang.org/x/sys/unix"

	"nfpipe/lib/source"
)

// Discard passes over up to n bytes of a pipe without copying them, as source.Pipe does; like
// Read it can be made to end while it waits.
func (r *interruptible) Discard(n int64) (int64, error) {
	return r.inSteps(n, (*source.Pipe)(r.file).Discard)
}

// Splice moves up to n bytes into another pipe in the same way.
func (r *interruptible) Splice(dst *os.File, n int64) (int64, error) {
	return r.inSteps(n, func(n int64) (int64, error) { return (*source.Pipe)(r.file).Splice(dst, n) })
}

// inSteps takes what the pipe has at a time, so that waiting is done by wait.
func (r *interruptible) inSteps(n int64, take func(int64) (int64, error)) (int64, error) {
	done := int64(0)
	for done < n {
		if err := r.wait(); err != nil {
			return done, nil // Read says the same
		}
		have, _ := unix.IoctlGetInt(int(r.file.Fd()), unix.TIOCINQ)
		if have <= 0 {
			return done, nil
		}
		m, err := take(min(n-done, int64(have)))
		if done += m; err != nil || m == 0 {
			return done, err
		}
	}
	return done, nil
}
