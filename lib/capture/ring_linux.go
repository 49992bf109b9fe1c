package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// retireTime is after what time the kernel hands over a block that is not full. It looks
	// at intervals of it, so a packet waits for at most twice as long.
	retireTime = 20 * time.Millisecond
	// ringLag is how far behind the clock an empty ring is: what is older would be in it.
	ringLag = 3 * retireTime

	// blockSize is small, so that a ring lasts long while nobody reads it: a block is spent
	// every retireTime, however little is in it.
	blockSize = 1 << 17
	frameSize = 2048 // for which the kernel asks, though blocks are packed closely
)

var errRemoved = errors.New("the interface was removed")

// ring is a packet socket and the memory that it shares with the kernel, in blocks of equal size
// that are filled in turn.
type ring struct {
	fd   int
	mem  []byte
	size int // of a block
	at   int // the block that comes next
}

// openRing opens a ring on an interface, 0 for all, which takes no packets yet.
func openRing(index, buffer int) (*ring, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		program, _ := os.Executable()
		return nil, fmt.Errorf("needs root, or: setcap cap_net_raw,cap_net_admin+ep %s (%w)", program, err)
	}
	if err != nil {
		return nil, err
	}
	r := &ring{fd: fd}
	if err := r.setup(index, buffer); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *ring) setup(index, buffer int) error {
	if err := attach(r.fd, 0); err != nil {
		return fmt.Errorf("packet filter: %w", err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("TPACKET_V3: %w", err)
	}
	if err := r.allocate(buffer); err != nil {
		return fmt.Errorf("a ring of %d bytes: %w", buffer, err)
	}
	protocol := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: index})
}

// allocate asks for less when there is no memory for so large a ring.
func (r *ring) allocate(buffer int) (err error) {
	r.size = blockSize
	for blocks := max(buffer/r.size, 4); blocks >= 4; blocks /= 2 {
		err = unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
			Block_size: uint32(r.size), Block_nr: uint32(blocks),
			Frame_size: frameSize, Frame_nr: uint32(r.size / frameSize * blocks),
			Retire_blk_tov: uint32(retireTime.Milliseconds()),
		})
		if errors.Is(err, unix.ENOMEM) {
			continue
		}
		if err == nil {
			r.mem, err = unix.Mmap(r.fd, 0, r.size*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		}
		return err
	}
	return err
}

// attach sets the socket's filter: so many bytes of each packet are kept, and none of a packet
// that the loopback device sends, since that receives it as well.
func attach(fd, snaplen int) error {
	const (
		ancillary = 0xfffff000 // SKF_AD_OFF
		pktType   = ancillary + 4
		hardware  = ancillary + 28
		load      = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal     = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret       = unix.BPF_RET | unix.BPF_K
	)
	program := []unix.SockFilter{
		{Code: load, K: hardware},
		{Code: equal, K: unix.ARPHRD_LOOPBACK, Jf: 2},
		{Code: load, K: pktType},
		{Code: equal, K: unix.PACKET_OUTGOING, Jt: 1},
		{Code: ret, K: uint32(snaplen)},
		{Code: ret, K: 0},
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// promiscuous makes the interface take packets for others, until the socket is closed.
func (r *ring) promiscuous(index int) error {
	return unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
		&unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC})
}

// join puts the ring into a group in which all packets between two endpoints, and all fragments
// between two hosts, come to the same ring. The first ring makes the group: id is 0.
func (r *ring) join(id int) (int, error) {
	how := unix.PACKET_FANOUT_HASH
	if id == 0 {
		how |= unix.PACKET_FANOUT_FLAG_UNIQUEID
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, how<<16|id); err != nil {
		return 0, err
	}
	v, err := unix.GetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	return v & 0xffff, err
}

// ready is the next block, nil when the kernel still fills it.
func (r *ring) ready() []byte {
	b := r.mem[r.at*r.size:][:r.size:r.size]
	if atomic.LoadUint32(statusOf(b))&unix.TP_STATUS_USER == 0 {
		return nil
	}
	return b
}

// release gives the block that was ready back to the kernel.
func (r *ring) release() {
	atomic.StoreUint32(statusOf(r.mem[r.at*r.size:]), unix.TP_STATUS_KERNEL)
	if r.at++; r.at == len(r.mem)/r.size {
		r.at = 0
	}
}

func statusOf(block []byte) *uint32 { return (*uint32)(unsafe.Pointer(&block[blockStatus])) }

// wait returns when a block is ready, when wake (if that is not -1) is readable, or after d. An
// interface that is down has no packets; that it is gone is an error.
func (r *ring) wait(wake int, d time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN | unix.POLLERR}, {Fd: int32(wake), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(d.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	if n > 0 && fds[0].Revents&unix.POLLERR != 0 {
		code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil && !errors.Is(err, unix.ENETDOWN) {
			return err
		}
	}
	return r.present()
}

// present tells by an error when the interface has gone.
func (r *ring) present() error {
	name, err := unix.Getsockname(r.fd)
	if err != nil {
		return err
	}
	if a, ok := name.(*unix.SockaddrLinklayer); ok && int32(a.Ifindex) == -1 {
		return errRemoved
	}
	return nil
}

func (r *ring) close() {
	if r.mem != nil {
		unix.Munmap(r.mem)
	}
	unix.Close(r.fd)
}
