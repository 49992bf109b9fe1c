package transport

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// growBuffer asks for a receive buffer and returns what was granted. What the
// socket has already is never made smaller.
func growBuffer(fd, size int) int {
	granted := func() int {
		n, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		return n / 2 // the kernel tells what it doubled
	}
	if granted() < size && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
	return granted()
}

// dropped adds what the kernel counted since the last call. SO_MEMINFO tells it
// at once; SO_RXQ_OVFL would only with the next packet that is received.
func (s *udpSocket) dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users > 0 {
		var info [unix.SK_MEMINFO_VARS]uint32
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			now := info[unix.SK_MEMINFO_DROPS]
			s.drops += uint64(now - s.last)
			s.last = now
		}
	}
	return s.drops
}

// advise fills in Sysctl. The kernel caps what an unprivileged socket gets at
// rmem_max, and what all UDP sockets hold, at twice the value asked for each, at
// the first number of udp_mem, in pages. A limit of 0 is not known.
func (b *Buffer) advise(sockets, rmemMax int, udpMem [3]int) {
	if b.Granted < b.Requested && rmemMax < b.Requested {
		b.Sysctl = append(b.Sysctl, fmt.Sprintf("sysctl -w net.core.rmem_max=%d", b.Requested))
	}
	page := os.Getpagesize()
	pages := int((2*int64(b.Requested)*int64(sockets) + int64(page) - 1) / int64(page))
	if udpMem[0] > 0 && pages > udpMem[0] {
		b.Sysctl = append(b.Sysctl, fmt.Sprintf("sysctl -w net.ipv4.udp_mem='%d %d %d'",
			pages, max(pages, udpMem[1]), max(2*pages, udpMem[2])))
	}
}

// kernelLimits are what the kernel caps receive buffers by; what cannot be read is 0.
func kernelLimits() (rmemMax int, udpMem [3]int) {
	text, _ := os.ReadFile("/proc/sys/net/core/rmem_max")
	fmt.Sscan(string(text), &rmemMax)
	text, _ = os.ReadFile("/proc/sys/net/ipv4/udp_mem")
	fmt.Sscan(string(text), &udpMem[0], &udpMem[1], &udpMem[2])
	return rmemMax, udpMem
}
