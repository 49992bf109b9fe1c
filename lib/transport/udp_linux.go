package transport

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// drainTime is how long Close lets Receive take what the kernel holds already.
	drainTime = time.Second
	// restTime is how long a worker lets packets gather when it has emptied its
	// socket: to be woken for every packet costs more than to receive it. With less
	// than smallBuffer packets could be lost meanwhile.
	restTime    = 500 * time.Microsecond
	smallBuffer = 1 << 20
)

// UDP is the sockets of one endpoint, one for each worker.
type UDP struct {
	addr     netip.AddrPort
	workers  []*udpSocket
	buffer   Buffer
	bySource bool
	closed   atomic.Bool
}

// udpSocket is closed when neither UDP nor a Receive uses it.
type udpSocket struct {
	fd    int
	gro   bool
	mu    sync.Mutex
	users int
	last  uint32 // the kernel's drop counter, which wraps
	drops uint64
}

// ListenUDP opens the sockets. It fails when another program receives at the
// address and port, even if that one would share them. A packet to a broadcast
// address reaches every worker.
func ListenUDP(e Endpoint, o UDPOptions) (*UDP, error) {
	u, err := listenUDP(e, o)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", e, err)
	}
	return u, nil
}

func listenUDP(e Endpoint, o UDPOptions) (*UDP, error) {
	if err := o.check(e); err != nil {
		return nil, err
	}
	at, err := e.local()
	if err != nil {
		return nil, err
	}
	var link int // the interface of the group
	if o.Group.IsValid() {
		if at, link, err = at.ofGroup(o.Group.Unmap()); err != nil {
			return nil, err
		}
	}
	u := &UDP{buffer: Buffer{Requested: o.Buffer, Granted: o.Buffer}}
	for i := range o.Workers {
		if err := u.open(i, at, &e, o); err != nil {
			u.Close()
			return nil, err
		}
	}
	if o.Group.IsValid() {
		if err := join(u.workers[0].fd, at.addr, link); err != nil {
			u.Close()
			return nil, fmt.Errorf("join %s: %w", o.Group, err)
		}
	}
	u.bySource = o.Workers == 1 || steerBySource(u.workers[0].fd, o.Workers) == nil
	rmemMax, udpMem := kernelLimits()
	u.buffer.advise(o.Workers, rmemMax, udpMem)
	return u, nil
}

// open adds a worker's socket. The first is bound without SO_REUSEPORT, so that
// it fails where another program receives, and shares its port only afterwards.
func (u *UDP) open(worker int, at local, e *Endpoint, o UDPOptions) error {
	fd, family, err := newSocket(at, e.Family, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	if err != nil {
		return err
	}
	s := &udpSocket{fd: fd, users: 1}
	u.workers = append(u.workers, s)
	granted := growBuffer(fd, o.Buffer)
	u.buffer.Granted = min(u.buffer.Granted, granted)
	// A drop of joined datagrams counts as one: not where drops are likely.
	if !o.NoGRO && granted >= max(o.Buffer, smallBuffer) {
		s.gro = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
	}
	// Packets of groups that another program joined are not for a socket on all addresses.
	unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
	if family == unix.AF_INET6 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
	}
	if worker > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if err := bindSocket(fd, family, at, e.Port); err != nil {
		return err
	}
	if worker > 0 {
		return nil
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	u.addr = addrPort(name)
	e.Port = u.addr.Port()
	if o.Workers > 1 {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	return nil
}

// Addr is where the sockets receive, with the port that the system chose.
func (u *UDP) Addr() netip.AddrPort { return u.addr }

// Workers is how many calls of Receive there must be: 1 for a multicast group.
func (u *UDP) Workers() int { return len(u.workers) }

// BySource is true when all packets of a source address reach the same worker.
// Otherwise the kernel spreads them by source address and port.
func (u *UDP) BySource() bool { return u.bySource }

// GRO is true when the kernel may hand over several datagrams as one. It is used
// when the receive buffer is at least 1 MiB and as large as was asked for.
func (u *UDP) GRO() bool { return u.workers[0].gro }

// Buffer tells of the receive buffers.
func (u *UDP) Buffer() Buffer { return u.buffer }

// Drops is how many packets the kernel has dropped at the sockets, since their
// buffers were full or a checksum was wrong; it can be asked after Close. It is
// exact without GRO; with it, datagrams that were joined and dropped count as one.
func (u *UDP) Drops() uint64 {
	sum := uint64(0)
	for _, s := range u.workers {
		sum += s.dropped()
	}
	return sum
}

// Close ends every Receive, after it has delivered what the kernel holds, for at
// most a second. It does not wait for that.
func (u *UDP) Close() error {
	if u.closed.Swap(true) {
		return nil
	}
	for _, s := range u.workers {
		unix.Shutdown(s.fd, unix.SHUT_RD) // says that it is not connected, and wakes the reader
		s.leave()
	}
	return nil
}

// Receive hands the packets of one worker, 0 to Workers()-1, to f until Close.
// They come in batches, in order, at most restTime after they arrived, and are
// valid until f returns.
func (u *UDP) Receive(worker int, f func([]Packet)) error {
	s := u.workers[worker]
	if !s.enter() {
		return nil
	}
	defer s.leave()
	b := newBatch(s.gro)
	for !u.closed.Load() {
		packets, err := b.receive(s.fd, unix.MSG_WAITFORONE)
		if err != nil {
			return fmt.Errorf("receive on udp %s: %w", u.addr, err)
		}
		if len(packets) > 0 {
			f(packets)
		}
		if len(packets) < batchSize && u.buffer.Granted >= smallBuffer {
			rest := unix.NsecToTimespec(int64(restTime))
			unix.Nanosleep(&rest, nil)
		}
	}
	for end := time.Now().Add(drainTime); time.Now().Before(end); {
		packets, err := b.receive(s.fd, unix.MSG_DONTWAIT)
		if err != nil || len(packets) == 0 {
			return nil
		}
		f(packets)
	}
	return nil
}

func (s *udpSocket) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		return false
	}
	s.users++
	return true
}

func (s *udpSocket) leave() {
	s.dropped()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		unix.Close(s.fd)
	}
}
