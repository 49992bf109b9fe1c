package transport

import (
	"net/netip"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loader sends datagrams in batches from a socket of its own.
type loader struct {
	fd   int
	from netip.AddrPort
}

// newLoader sends to a socket, from an address, or from any if that is not valid.
func newLoader(t testing.TB, from netip.Addr, to netip.AddrPort) *loader {
	t.Helper()
	family := unix.AF_INET6
	if to.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if from.IsValid() {
		if err := unix.Bind(fd, sockaddr(family, netip.AddrPortFrom(from, 0))); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Connect(fd, sockaddr(family, to)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return &loader{fd, addrPort(name)}
}

// send sends all packets, with as few calls as can be.
func (l *loader) send(t testing.TB, packets [][]byte) {
	t.Helper()
	for len(packets) > 0 {
		n := min(len(packets), 256)
		messages := make([]mmsghdr, n)
		vectors := make([]unix.Iovec, n)
		for i, p := range packets[:n] {
			vectors[i].Base = unsafe.SliceData(p)
			vectors[i].SetLen(len(p))
			messages[i].header.Iov = &vectors[i]
			messages[i].header.SetIovlen(1)
		}
		done, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(l.fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(n), 0, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			t.Fatal(errno)
		}
		if errno == 0 {
			packets = packets[done:]
		}
	}
}

// segments makes every send one of datagrams of size bytes, the last may be shorter.
func (l *loader) segments(t testing.TB, size int) {
	t.Helper()
	if err := unix.SetsockoptInt(l.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, size); err != nil {
		t.Skipf("missing: UDP_SEGMENT in the kernel: %v", err)
	}
}

// numbered are packets of a size that begin with their number.
func numbered(first, n, size int) [][]byte {
	data := make([]byte, n*size)
	packets := make([][]byte, n)
	for i := range packets {
		packets[i] = data[i*size:][:size]
		for j := range packets[i] {
			packets[i][j] = byte(first + i + j)
		}
		packets[i][0], packets[i][1], packets[i][2] = byte((first+i)>>16), byte((first+i)>>8), byte(first+i)
	}
	return packets
}

func number(p []byte) int { return int(p[0])<<16 | int(p[1])<<8 | int(p[2]) }
