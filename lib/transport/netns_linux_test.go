package transport

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func skip(t testing.TB, missing string) {
	t.Helper()
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		t.Fatalf("missing: %s", missing)
	}
	t.Skipf("missing: %s", missing)
}

// inNetwork puts the test's goroutine into a network namespace of its own whose
// loopback interface is up, and runs ip(8) with each line. Sockets that other
// goroutines use must be opened by this one.
func inNetwork(t *testing.T, lines ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "root, for a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		skip(t, "the ip command, for a network namespace")
	}
	runtime.LockOSThread() // and no unlocking: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		skip(t, "network namespaces: "+err.Error())
	}
	noDetection()
	for _, line := range append([]string{"link set lo up"}, lines...) {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", line, err, out)
		}
	}
}

// noDetection makes new IPv6 addresses of this network namespace usable at once.
func noDetection() {
	for _, scope := range []string{"all", "default"} {
		os.WriteFile("/proc/sys/net/ipv6/conf/"+scope+"/accept_dad", []byte("0"), 0)
	}
}
