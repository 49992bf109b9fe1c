package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// sockets is what the kernel tells of the UDP sockets of a port.
type sockets struct {
	n       int
	queued  int64 // octets that wait
	dropped int64 // packets
}

// readSockets reads /proc/net/udp and udp6: a line has slot, local and remote address, state, queues tx:rx, ..., and
// the drops at its end.
func readSockets(port int) sockets {
	var s sockets
	for _, name := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		b, _ := os.ReadFile(name) // there may be no IPv6
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 13 {
				continue
			}
			_, at, _ := strings.Cut(f[1], ":")
			if n, err := strconv.ParseUint(at, 16, 16); err != nil || int(n) != port {
				continue
			}
			_, rx, _ := strings.Cut(f[4], ":")
			queued, _ := strconv.ParseInt(rx, 16, 64)
			dropped, _ := strconv.ParseInt(f[len(f)-1], 10, 64)
			s.n++
			s.queued += queued
			s.dropped += dropped
		}
	}
	return s
}

// busyTime is what all programs have taken of the processors since the machine began, and what the host took from a
// virtual one: the user, nice, system and steal times of /proc/stat, in hundredths of a second.
func busyTime() time.Duration {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	sum := int64(0)
	for i, s := range strings.Fields(line) {
		if i >= 1 && i <= 3 || i == 8 {
			n, _ := strconv.ParseInt(s, 10, 64)
			sum += n
		}
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

// freePort is a UDP port of 127.0.0.1 that was free a moment ago.
func freePort() (int, error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port, nil
}

// relayed is a socket that counts what a relay sends to it, and looks only now and then, to take little from the
// processors.
type relayed struct {
	port  int
	ended atomic.Bool
	count chan int
	total int
}

func newRelayed() (*relayed, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20) != nil { // not root
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<20)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	r := &relayed{port: name.(*unix.SockaddrInet4).Port, count: make(chan int, 1)}
	go r.run(fd)
	return r, nil
}

func (r *relayed) run(fd int) {
	defer unix.Close(fd)
	n := 0
	var b [1]byte
	for {
		last := r.ended.Load()
		for {
			_, err := unix.Read(fd, b[:])
			if err != nil && err != unix.EINTR {
				break
			}
			if err == nil {
				n++
			}
		}
		if last {
			r.count <- n
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// close returns how many packets came.
func (r *relayed) close() int {
	if !r.ended.Swap(true) {
		r.total = <-r.count
	}
	return r.total
}
