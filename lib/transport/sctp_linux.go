package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
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
	if err != nil {
		return nil, missing(err)
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

// missing says what to do when the kernel does not know the protocol.
func missing(err error) error {
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ESOCKTNOSUPPORT) {
		return fmt.Errorf("the kernel has no SCTP: modprobe sctp (%w)", err)
	}
	return err
}

// dialSCTP connects a one-to-one socket. Each Write to it is a user message on stream 0, in
// order and reliable, as templates must go (RFC 7011 §10.2.4.1).
func dialSCTP(ctx context.Context, to netip.AddrPort, o SendOptions) (net.Conn, error) {
	f := family(to.Addr())
	fd, err := unix.Socket(f, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
	if err != nil {
		return nil, missing(err)
	}
	file := os.NewFile(uintptr(fd), "sctp")
	defer file.Close() // FileConn has its own
	if err := (way{device: o.Device}).apply(fd, to); err != nil {
		return nil, err
	}
	if o.From.IsValid() {
		if err := unix.Bind(fd, sockaddr(f, netip.AddrPortFrom(o.From, 0))); err != nil {
			return nil, err
		}
	}
	limit := unix.NsecToTimeval(int64(o.Timeout)) // of connect too
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	if err := unix.Connect(fd, sockaddr(f, to)); err != nil {
		if errors.Is(err, unix.EINPROGRESS) {
			err = unix.ETIMEDOUT
		}
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{})
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return net.FileConn(file)
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
