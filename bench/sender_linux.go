package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sendBatch  = 64       // packets of one sendmmsg
	sendMemory = 64 << 20 // octets of a capture that are sent, over and over
)

// sender sends the export packets of a capture to a port on 127.0.0.1, as one router that goes on for as long as is
// asked: sequence numbers and clocks of the headers go on when the capture begins anew.
type sender struct {
	packets  [][]byte
	records  []int // of each packet
	next     int
	sequence uint32
	span     uint32 // seconds of the capture
	messages [sendBatch]mmsghdr
	vectors  [sendBatch]unix.Iovec
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// sent is what was sent, and how long it took.
type sent struct {
	packets, records int
	took             time.Duration
}

// loadSender reads the packets of a file that this program wrote.
func loadSender(name string) (*sender, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	s := &sender{}
	for b = b[min(len(b), 24):]; len(b) > 16 && len(s.packets)*1500 < sendMemory; {
		length := int(binary.LittleEndian.Uint32(b[8:]))
		if length < framing+headerV9 || length > len(b)-16 {
			return nil, fmt.Errorf("%s: a packet of %d octets", name, length)
		}
		p := b[16+framing : 16+length]
		b = b[16+length:]
		records := 0
		if set := p[headerV9:]; len(set) >= 4 && binary.BigEndian.Uint16(set) >= templateIPv4 {
			records = int(binary.BigEndian.Uint16(p[2:]))
		}
		s.packets, s.records = append(s.packets, p), append(s.records, records)
	}
	if len(s.packets) == 0 {
		return nil, fmt.Errorf("%s: no packets", name)
	}
	second := func(p []byte) uint32 { return binary.BigEndian.Uint32(p[8:]) }
	s.span = second(s.packets[len(s.packets)-1]) - second(s.packets[0]) + 1
	for i := range s.messages {
		s.messages[i].header.Iov = &s.vectors[i]
		s.messages[i].header.SetIovlen(1)
	}
	return s, nil
}

// send sends n packets from the beginning of the capture at a rate, from a socket of its own, and evenly: it is never
// ahead of the clock, and catches up when the machine was busy with something else.
func (s *sender) send(port, rate, n int) (sent, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return sent{}, err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return sent{}, err
	}
	if s.next > 0 {
		s.again() // templates first
	}
	out, start := sent{}, time.Now()
	for out.packets < n {
		due := int(time.Since(start).Seconds()*float64(rate)) + 1
		count := min(due-out.packets, n-out.packets, sendBatch, len(s.packets)-s.next)
		if count <= 0 {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		records, err := s.burst(fd, count)
		if err != nil {
			return out, err
		}
		out.packets += count
		out.records += records
		if s.next == len(s.packets) {
			s.again()
		}
	}
	out.took = time.Since(start)
	return out, nil
}

// burst sends the next n packets, which the capture has.
func (s *sender) burst(fd, n int) (records int, err error) {
	for i := range n {
		p := s.packets[s.next]
		binary.BigEndian.PutUint32(p[12:], s.sequence)
		s.sequence++
		records += s.records[s.next]
		s.vectors[i].Base = &p[0]
		s.vectors[i].SetLen(len(p))
		s.next++
	}
	for i := 0; i < n; {
		done, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.messages[i])), uintptr(n-i), 0, 0, 0)
		switch errno {
		case 0:
			i += int(done)
		case unix.EINTR, unix.EAGAIN, unix.ENOBUFS:
		default:
			return records, fmt.Errorf("sendmmsg: %w", errno)
		}
	}
	return records, nil
}

// again begins the capture anew, at a time after its end.
func (s *sender) again() {
	s.next = 0
	be := binary.BigEndian
	for _, p := range s.packets {
		be.PutUint32(p[4:], be.Uint32(p[4:])+s.span*1000)
		be.PutUint32(p[8:], be.Uint32(p[8:])+s.span)
	}
}
