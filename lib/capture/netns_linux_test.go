package capture_test

import (
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNetwork puts the test's goroutine into a network namespace of its own whose loopback interface
// is up, and runs ip(8) with each line. Sockets that other goroutines use must be opened by this
// one. The namespace goes with the test.
func inNetwork(t testing.TB, lines ...string) {
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
	for _, line := range append([]string{"link set lo up"}, lines...) {
		ip(t, line)
	}
}

func ip(t testing.TB, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", line, err, out)
	}
}

// pair is two interfaces, v0 and v1, that are joined and have no addresses, so that nothing is sent
// but by the test.
func pair(t testing.TB) {
	t.Helper()
	inNetwork(t)
	for _, name := range []string{"default", "all"} {
		os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	}
	ip(t, "link add v0 type veth peer name v1")
	ip(t, "link set v0 mtu 9000 up")
	ip(t, "link set v1 mtu 9000 up")
	for _, name := range []string{"v0", "v1"} { // only then packets pass
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if i, err := net.InterfaceByName(name); err == nil && i.Flags&net.FlagRunning != 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s does not come up", name)
			}
		}
	}
}

// injector sends frames out of an interface.
type injector struct {
	t  testing.TB
	fd int
}

func inject(t testing.TB, name string) *injector {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{8, 0}), Ifindex: i.Index}); err != nil {
		t.Fatal(err)
	}
	return &injector{t, fd}
}

func (i *injector) send(frame []byte) {
	i.t.Helper()
	if _, err := unix.Write(i.fd, frame); err != nil {
		i.t.Fatal(err)
	}
}

// tunnel makes a device without link headers and returns what gives it packets.
func tunnel(t testing.TB, name string) *injector {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		skip(t, "/dev/net/tun: "+err.Error())
	}
	t.Cleanup(func() { unix.Close(fd) })
	r, err := unix.NewIfreq(name)
	if err == nil {
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &injector{t, fd}
}
