package cli

import (
	"os"
	"runtime/debug"
)

// ShortLived makes the garbage collector run less often, for a tool that reads
// its input, answers and exits. Memory stays bounded by four times what is in
// use; GOGC and GOMEMLIMIT in the environment are respected. Daemons leave it.
func ShortLived() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
}
