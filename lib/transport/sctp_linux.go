package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What linux/sctp.h has and x/sys has not.
const (
	solSCTP         = 132
	sctpRecvRcvInfo = 32 // socket option: tell the stream of what is received
	sctpRcvInfo     = 3  // control message with a struct sctp_rcvinfo, the stream first
	sctpInfoSize    = 28

	sctpBuffer = 4 << 20 // receive buffer to ask for
)

// listenSCTP opens a one-to-one socket. To package net it looks like one of TCP,
// whose calls are the same.
func listenSCTP(e Endpoint, at local) (net.Listener, error) {
	fd, family, err := newSocket(at, e.Family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, unix.IPPROTO_SCTP)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ESOCKTNOSUPPORT) {
		return nil, fmt.Errorf("the kernel has no SCTP: modprobe sctp (%w)", err)
	}
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "sctp")
	defer file.Close() // FileListener has its own
	growBuffer(fd, sctpBuffer)
	if err := bindSocket(fd, family, at, e.Port); err != nil {
		return nil, err
	}
	if err := unix.Listen(fd, 128); err != nil {
		return nil, err
	}
	return net.FileListener(file)
}

// association reads a connection of SCTP. A Read gives one user message or a part
// of it.
type association struct {
	net.Conn
	raw     syscall.RawConn
	control [64]byte

	stream uint16 // of what was read
	whole  bool   // it was the end of its user message
}

func newAssociation(c net.Conn) (*association, error) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), solSCTP, sctpRecvRcvInfo, 1) })
	return &association{Conn: c, raw: raw}, errors.Join(err, set)
}

func (a *association) Read(p []byte) (int, error) {
	var n, control, flags int
	var failed error
	err := a.raw.Read(func(fd uintptr) bool {
		n, control, flags, _, failed = unix.Recvmsg(int(fd), p, a.control[:], 0)
		return failed != unix.EAGAIN
	})
	switch {
	case err != nil: // the deadline
		return 0, err
	case failed != nil:
		return 0, failed
	case n == 0:
		return 0, io.EOF
	}
	a.whole = flags&unix.MSG_EOR != 0
	a.note(a.control[:control])
	return n, nil
}

// note takes the stream from the control messages.
func (a *association) note(rest []byte) {
	for len(rest) >= unix.SizeofCmsghdr {
		h, data, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return
		}
		if h.Level == solSCTP && h.Type == sctpRcvInfo && len(data) >= sctpInfoSize {
			a.stream = *(*uint16)(unsafe.Pointer(&data[0]))
		}
		rest = next
	}
}
