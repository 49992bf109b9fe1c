package transport

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchSize   = 64    // messages of one recvmmsg or sendmmsg
	maxDatagram = 65535 // what a message can hold, several datagrams with GRO
	controlSize = 64    // room for the one control message that is asked for
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// batch is the memory of one worker's recvmmsg.
type batch struct {
	messages []mmsghdr
	vectors  []unix.Iovec
	names    []unix.RawSockaddrInet6
	control  []byte // nil without GRO
	data     []byte
	packets  []Packet
}

func newBatch(gro bool) *batch {
	b := &batch{
		messages: make([]mmsghdr, batchSize),
		vectors:  make([]unix.Iovec, batchSize),
		names:    make([]unix.RawSockaddrInet6, batchSize),
		data:     make([]byte, batchSize*(maxDatagram+1)),
		packets:  make([]Packet, 0, batchSize),
	}
	if gro {
		b.control = make([]byte, batchSize*controlSize)
	}
	for i := range b.messages {
		b.vectors[i].Base = &b.data[i*(maxDatagram+1)]
		b.vectors[i].SetLen(maxDatagram)
		h := &b.messages[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		if gro {
			h.Control = &b.control[i*controlSize]
		}
		b.reset(i)
	}
	return b
}

// reset undoes what the kernel wrote into a header.
func (b *batch) reset(i int) {
	h := &b.messages[i].header
	h.Namelen = uint32(unsafe.Sizeof(b.names[i]))
	if b.control != nil {
		h.SetControllen(controlSize)
	}
}

// receive waits for packets as flags say and returns what there is. No packets
// and no error: the wait has ended.
func (b *batch) receive(fd, flags int) ([]Packet, error) {
	errno := unix.EINTR
	var n uintptr
	for errno == unix.EINTR {
		n, _, errno = unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[0])),
			batchSize, uintptr(flags), 0, 0)
	}
	if errno == unix.EAGAIN {
		return nil, nil
	}
	if errno != 0 {
		return nil, errno
	}
	b.packets = b.packets[:0]
	for i := range int(n) {
		m := &b.messages[i]
		if m.header.Namelen > 0 { // a socket that was shut down gives messages from nobody
			data := b.data[i*(maxDatagram+1):][:min(m.length, maxDatagram)]
			b.split(data, b.segment(i), sender(&b.names[i]))
		}
		b.reset(i)
	}
	return b.packets, nil
}

// split adds the datagrams that the kernel joined: each is of the length segment,
// the last may be shorter.
func (b *batch) split(data []byte, segment int, from netip.AddrPort) {
	for segment > 0 && len(data) > segment {
		b.packets = append(b.packets, Packet{data[:segment:segment], from})
		data = data[segment:]
	}
	b.packets = append(b.packets, Packet{data[:len(data):len(data)], from})
}

// segment is the length of the datagrams that a message was joined from, 0 when
// it is one datagram.
func (b *batch) segment(i int) int {
	rest := b.control
	if rest != nil {
		rest = rest[i*controlSize:][:min(int(b.messages[i].header.Controllen), controlSize)]
	}
	for len(rest) >= unix.SizeofCmsghdr {
		h, data, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4 {
			return int(binary.NativeEndian.Uint32(data))
		}
		rest = next
	}
	return 0
}

// sender reads a socket address as the kernel wrote it.
func sender(name *unix.RawSockaddrInet6) netip.AddrPort {
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), networkOrder(v4.Port))
	}
	a := netip.AddrFrom16(name.Addr).Unmap()
	if name.Scope_id != 0 {
		a = withZone(a, name.Scope_id)
	}
	return netip.AddrPortFrom(a, networkOrder(name.Port))
}

// networkOrder is a port that lies in memory as on the wire.
func networkOrder(port uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&port))[:])
}
