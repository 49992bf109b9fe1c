package transport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendTimeout is how long the network may refuse to take the packets of a batch.
const sendTimeout = 100 * time.Millisecond

var errEnded = errors.New("the relay was closed before it was sent")

const (
	maxPieces   = 64 // fragments of a packet
	pieceHeader = ip6Header + ip6Segment + udpHeader
)

// outlet is the socket to a target and the memory of its sendmmsg. Each message
// is a header, empty without spoofing, and data.
type outlet struct {
	fd    int
	to    netip.AddrPort
	spoof bool
	mtu   int    // of the way to the target
	probe int    // a UDP socket to learn it with, -1 without spoofing
	id    uint32 // of the last packet that was spoofed

	messages []mmsghdr
	packets  []int // in each message: one, or with GSO several
	vectors  []unix.Iovec
	headers  []byte
	segments []byte // control messages of GSO; nil without it

	end atomic.Int64 // when to stop sending, in nanoseconds of Unix time; 0: never
}

func newOutlet(to netip.AddrPort, w way) (*outlet, error) {
	o := &outlet{
		to: to, spoof: w.spoof, probe: -1, id: rand.Uint32(),
		messages: make([]mmsghdr, batchSize),
		packets:  make([]int, batchSize),
		vectors:  make([]unix.Iovec, 2*batchSize),
		headers:  make([]byte, 0, batchSize*pieceHeader),
	}
	for i := range o.messages {
		h := &o.messages[i].header
		h.Iov = &o.vectors[2*i]
		h.SetIovlen(2)
	}
	var err error
	if w.spoof {
		err = o.openRaw(w)
	} else {
		o.fd, err = connectUDP(to, w)
		if w.join {
			o.segments = make([]byte, batchSize*segmentSpace)
		}
	}
	if err != nil {
		return nil, err
	}
	timeout := unix.NsecToTimeval(int64(sendTimeout))
	unix.SetsockoptTimeval(o.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout)
	return o, nil
}

// hurry lets the sending go on for a while only.
func (o *outlet) hurry(d time.Duration) { o.end.Store(time.Now().Add(d).UnixNano()) }

func (o *outlet) close() {
	unix.Close(o.fd)
	if o.probe >= 0 {
		unix.Close(o.probe)
	}
}

// family is that of an address.
func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// connectUDP opens a socket to a target. Routers may fragment what it sends: else
// a packet that is too long for one of them is lost before its answer comes.
func connectUDP(to netip.AddrPort, w way) (int, error) {
	f := family(to.Addr())
	fd, err := unix.Socket(f, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, err
	}
	if f == unix.AF_INET {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
	}
	if err = w.apply(fd, to); err == nil && w.from.IsValid() {
		err = unix.Bind(fd, sockaddr(f, netip.AddrPortFrom(w.from, 0)))
	}
	if err == nil {
		err = unix.Connect(fd, sockaddr(f, to))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// apply gives a socket to a target the device and the hops of the way.
func (w way) apply(fd int, to netip.AddrPort) error {
	if w.device != "" {
		if err := bindToDevice(fd, w.device); err != nil {
			return fmt.Errorf("interface %s: %w", w.device, err)
		}
	}
	if w.hops == 0 {
		return nil
	}
	if to.Addr().Is4() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, w.hops)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, w.hops)
}

// longest is what a packet may have that the way carries whole.
func (o *outlet) longest() int {
	fd := o.fd
	if o.spoof {
		fd = o.probe
	}
	mtu, err := 0, error(nil)
	if o.to.Addr().Is4() {
		mtu, err = unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU)
	} else {
		mtu, err = unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU)
	}
	if n := mtu - o.overhead(false); err == nil && n > 0 {
		return n
	}
	return minMTU - o.overhead(false)
}

// send sends all packets of a backlog.
func (o *outlet) send(q *backlog) (done outcome) {
	if o.spoof {
		return o.sendSpoofed(q)
	}
	n := 0
	for i := 0; i < len(q.items); {
		data, size, k := o.run(q, i)
		o.set(n, nil, data)
		o.segment(n, size, k)
		i += k
		if n++; n == batchSize {
			o.flush(n, &done)
			n = 0
		}
	}
	o.flush(n, &done)
	return done
}

// set makes message i, of one packet.
func (o *outlet) set(i int, header, data []byte) {
	v := o.vectors[2*i:][:2]
	v[0].Base, v[1].Base = unsafe.SliceData(header), unsafe.SliceData(data)
	v[0].SetLen(len(header))
	v[1].SetLen(len(data))
	o.packets[i] = 1
}

// flush sends the first n messages and counts the packets in each.
func (o *outlet) flush(n int, done *outcome) {
	refused := 0 // times for the message that is first now
	for first := 0; first < n; {
		if end := o.end.Load(); end != 0 && time.Now().UnixNano() > end {
			done.fail(errEnded)
			done.failed += uint64(sum(o.packets[first:n]) - 1)
			return
		}
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(o.fd), uintptr(unsafe.Pointer(&o.messages[first])),
			uintptr(n-first), unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == 0:
			done.sent += uint64(sum(o.packets[first : first+int(sent)]))
			first += int(sent)
			refused = 0
		case errno == unix.EINTR:
		case errno == unix.ECONNREFUSED && refused < 3: // told of an earlier packet; this one was not sent
			refused++
			done.refused++
			done.err = errno
		case errno == unix.EAGAIN: // timed out
			done.fail(errno)
			done.failed += uint64(sum(o.packets[first:n]) - 1)
			return
		case o.packets[first] > 1: // the device or the kernel cannot cut it
			o.segments = nil
			o.apart(first, done)
			first++
		default:
			done.fail(errno)
			first++
			refused = 0
		}
	}
}

func sum(list []int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}

// openRaw opens a socket that sends whole IP packets.
func (o *outlet) openRaw(w way) error {
	f := family(o.to.Addr())
	fd, err := unix.Socket(f, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		program, _ := os.Executable()
		return fmt.Errorf("to send with the addresses of others needs root, or: setcap cap_net_raw+ep %s (%w)", program, err)
	}
	if err != nil {
		return err
	}
	if f == unix.AF_INET {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_HDRINCL, 1)
	} else {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_HDRINCL, 1)
	}
	if err == nil {
		err = w.apply(fd, o.to)
	}
	if err == nil {
		err = unix.Connect(fd, sockaddr(f, netip.AddrPortFrom(o.to.Addr(), 0)))
	}
	if err == nil {
		o.probe, err = connectUDP(o.to, way{device: w.device})
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	o.fd = fd
	if err := o.updateMTU(); err != nil {
		o.close()
		return err
	}
	return nil
}

// updateMTU asks the kernel what it knows of the way to the target now.
func (o *outlet) updateMTU() error {
	f := family(o.to.Addr())
	err := unix.Connect(o.probe, sockaddr(f, o.to)) // looks the route up again
	if err != nil {
		return err
	}
	if f == unix.AF_INET {
		o.mtu, err = unix.GetsockoptInt(o.probe, unix.IPPROTO_IP, unix.IP_MTU)
	} else {
		o.mtu, err = unix.GetsockoptInt(o.probe, unix.IPPROTO_IPV6, unix.IPV6_MTU)
	}
	return err
}
