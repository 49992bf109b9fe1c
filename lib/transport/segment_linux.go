package transport

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Packets of one length that follow each other go to the kernel as one message, which it cuts
// again (UDP_SEGMENT): that costs a third of what as many messages cost.

const (
	maxSegments  = 32                     // of one message, to be kind to the receiver
	segmentSpace = unix.SizeofCmsghdr + 8 // a control message with a number of 16 bits
	segmentLen   = unix.SizeofCmsghdr + 2
	ethernetMTU  = 1500
)

// run is the packets from i on that one message can have: all of one length but for the last,
// which may be shorter, and none that needs fragments.
func (o *outlet) run(q *backlog, i int) (data []byte, size, n int) {
	data, _ = q.at(i)
	size = len(data)
	if o.segments == nil || size == 0 || size+o.overhead(false) > ethernetMTU {
		return data, size, 1
	}
	start, end := q.items[i].end-size, q.items[i].end
	for n = 1; n < maxSegments && i+n < len(q.items); n++ {
		next := q.items[i+n].end - end
		if next > size || next == 0 || end+next-start > maxDatagram-o.overhead(false) {
			break
		}
		end += next
		if next < size {
			n++
			break
		}
	}
	return q.data[start:end], size, n
}

// segment says of message i that it is several packets.
func (o *outlet) segment(i, size, n int) {
	h := &o.messages[i].header
	o.packets[i] = n
	if n < 2 {
		h.Control = nil
		h.SetControllen(0)
		return
	}
	c := o.segments[i*segmentSpace:][:segmentSpace]
	head := (*unix.Cmsghdr)(unsafe.Pointer(&c[0]))
	head.Level, head.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	head.SetLen(segmentLen)
	binary.NativeEndian.PutUint16(c[unix.SizeofCmsghdr:], uint16(size))
	h.Control = &c[0]
	h.SetControllen(segmentSpace)
}

// apart sends the packets of message i one by one.
func (o *outlet) apart(i int, done *outcome) {
	v := &o.vectors[2*i+1]
	data := unsafe.Slice(v.Base, int(v.Len))
	c := unsafe.Slice(o.messages[i].header.Control, segmentSpace)
	size := int(binary.NativeEndian.Uint16(c[unix.SizeofCmsghdr:]))
	for len(data) > 0 {
		p := data[:min(size, len(data))]
		data = data[len(p):]
		if err := unix.Send(o.fd, p, unix.MSG_NOSIGNAL); err != nil {
			done.fail(err)
			continue
		}
		done.sent++
	}
}
