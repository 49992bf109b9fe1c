//go:build unix

package cli

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// usage is the processor time of this process so far and the most memory that
// it held.
func usage() (cpu time.Duration, peak int64, ok bool) {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0, 0, false
	}
	peak = int64(u.Maxrss)
	if runtime.GOOS != "darwin" { // which alone counts bytes, the others KiB
		peak *= 1024
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), peak, true
}

// CPU is the processor time that this process has used, in its own code and in the kernel.
func CPU() (user, system time.Duration) {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())
}
