package cli

import (
	"golang.org/x/sys/unix"

	"nfpipe/lib/source"
)

// Discard passes over up to n bytes of a pipe without copying them, as source.Pipe does; like
// Read it can be made to end while it waits.
func (r *interruptible) Discard(n int64) (int64, error) {
	done := int64(0)
	for done < n {
		if err := r.wait(); err != nil {
			return done, nil // Read says the same
		}
		var have int
		if have, _ = unix.IoctlGetInt(int(r.file.Fd()), unix.TIOCINQ); have <= 0 {
			return done, nil
		}
		m, err := (*source.Pipe)(r.file).Discard(min(n-done, int64(have)))
		if done += m; err != nil || m == 0 {
			return done, err
		}
	}
	return done, nil
}
