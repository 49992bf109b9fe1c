package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	bufferSize = 1 << 20

	// maxPacket is the largest packet taken from a file, as in libpcap.
	maxPacket = 1 << 18

	// headRoom is what a packet block may have around its data: header,
	// padding, options, trailer.
	headRoom = 1 << 17
)

// ErrFormat is wrapped by NewReader's error when the input is neither pcap nor pcapng.
var ErrFormat = errors.New("not a pcap or pcapng file")

// Packet is one captured frame.
type Packet struct {
	Time      int64  // nanoseconds since the epoch
	Data      []byte // the captured bytes, valid until the next call of Next
	OrigLen   int    // length on the wire, at least len(Data)
	Interface int    // counted over all sections of a pcapng file, 0 in pcap
	LinkType  uint16 // LINKTYPE_ number
}

// Reader reads the packets of one capture.
type Reader struct {
	in    io.Reader
	buf   []byte
	r, w  int   // unread bytes are buf[r:w]
	base  int64 // offset in the input of buf[0]
	eof   bool
	err   error   // sticky
	ahead *Packet // what Peek gave

	swapped bool // byte order of the file is big-endian
	next    func(*Reader, *Packet) error

	last   int64 // time of the last packet
	record int   // length of a pcap record header
	link   uint16
	nanos  int64 // nanoseconds per unit of a pcap fraction
	caps   lengthOrder
	ifaces []iface // of this section
	first  int     // interfaces of the sections before
}

// NewReader reads the file header. A capture's header that cannot be used is an
// error here; input that is no capture at all wraps ErrFormat, an empty input io.EOF.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: in, buf: make([]byte, bufferSize)}
	if err := r.need(4); err != nil {
		if r.w == 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("capture: empty input: %w", io.EOF)
		}
		return nil, err
	}
	if binary.LittleEndian.Uint32(r.buf[r.r:]) == blockSection {
		r.next = (*Reader).nextBlock
		return r, r.sectionHeader()
	}
	r.next = (*Reader).nextRecord
	if err := r.fileHeader(); err != nil {
		return nil, err
	}
	return r, nil
}

// Next reads the next packet into p. It returns io.EOF at a clean end.
func (r *Reader) Next(p *Packet) error {
	if r.ahead != nil {
		*p, r.ahead = *r.ahead, nil
		return nil
	}
	if r.err != nil {
		return r.err
	}
	r.err = r.next(r, p)
	return r.err
}

// Peek gives the packet that Next will give.
func (r *Reader) Peek(p *Packet) error {
	if err := r.Next(p); err != nil {
		return err
	}
	r.ahead = &Packet{}
	*r.ahead = *p
	return nil
}

// Offset is the position in the input behind the last packet.
func (r *Reader) Offset() int64 { return r.base + int64(r.r) }

// need makes at least n unread bytes available. An input that ends before is
// io.ErrUnexpectedEOF with the offset, whether or not it has a few bytes left.
func (r *Reader) need(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	return r.fill(n)
}

func (r *Reader) fill(n int) error {
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.base += int64(r.r)
		r.w -= r.r
		r.r = 0
	}
	if n > len(r.buf) {
		return fmt.Errorf("capture: offset %d: record of %d bytes is too long", r.Offset(), n)
	}
	for idle := 0; r.w < n && !r.eof; {
		k, err := r.in.Read(r.buf[r.w:])
		r.w += k
		if k > 0 {
			idle = 0
		} else if idle++; idle > 100 && err == nil {
			err = io.ErrNoProgress
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			r.eof = true
		} else if err != nil {
			return fmt.Errorf("capture: offset %d: %w", r.base+int64(r.w), err)
		}
	}
	if r.w < n {
		return fmt.Errorf("capture: offset %d: %w: %d bytes left of at least %d",
			r.Offset(), io.ErrUnexpectedEOF, r.w, n)
	}
	return nil
}

// atEnd tells whether the input ends exactly here.
func (r *Reader) atEnd() bool {
	if r.w > r.r {
		return false
	}
	return r.fill(1) != nil && r.eof && r.w == r.r
}

// skip drops n bytes, of which not all need be in the buffer.
func (r *Reader) skip(n int64) error {
	for n > 0 {
		if r.w == r.r {
			if err := r.need(1); err != nil {
				return err
			}
		}
		k := min(n, int64(r.w-r.r))
		r.r += int(k)
		n -= k
	}
	return nil
}

func (r *Reader) u16(b []byte) uint16 {
	if r.swapped {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (r *Reader) u32(b []byte) uint32 {
	if r.swapped {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (r *Reader) errorf(format string, args ...any) error {
	return fmt.Errorf("capture: offset %d: "+format, append([]any{r.Offset()}, args...)...)
}
