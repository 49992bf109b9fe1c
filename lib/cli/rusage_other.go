//go:build !unix

package cli

import "time"

func usage() (cpu time.Duration, peak int64, ok bool) { return 0, 0, false }

// CPU is not known here.
func CPU() (user, system time.Duration) { return 0, 0 }
