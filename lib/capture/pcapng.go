package capture

import (
	"encoding/binary"
	"io"
	"math"
	"math/bits"
)

// Every pcapng block (draft-ietf-opsawg-pcapng §3.1):
//
//	0 type  4 total length  8 body, padded to 32 bits  … total length again
const (
	blockInterface = 1
	blockPacket    = 2 // obsolete form of the enhanced packet
	blockSimple    = 3
	blockEnhanced  = 6
	blockSection   = 0x0a0d0d0a // reads the same in both byte orders

	byteOrderMagic = 0x1a2b3c4d

	optEnd     = 0
	optTSResol = 9
	optTSOff   = 14

	maxInterfaces = 1 << 16
)

// iface is what an interface description says that packets need.
type iface struct {
	offset int64 // seconds added to every time
	snap   uint32
	link   uint16
	resol  uint8 // if_tsresol: a negative power of 10, or of 2 with the high bit
}

// sectionHeader reads a section header block, with which a new byte order and a
// new list of interfaces begin.
//
//	8 byte order magic  12 major u16  14 minor u16  16 section length u64  24 options
func (r *Reader) sectionHeader() error {
	if err := r.need(28); err != nil {
		return err
	}
	h := r.buf[r.r:]
	switch uint32(byteOrderMagic) {
	case binary.LittleEndian.Uint32(h[8:]):
		r.swapped = false
	case binary.BigEndian.Uint32(h[8:]):
		r.swapped = true
	default:
		return r.errorf("section header without byte order magic: %w", ErrFormat)
	}
	// 1.2 is what some writers call 1.0.
	if major, minor := r.u16(h[12:]), r.u16(h[14:]); major != 1 || minor != 0 && minor != 2 {
		return r.errorf("pcapng version %d.%d is unknown", major, minor)
	}
	length := r.u32(h[4:])
	if length < 28 || length%4 != 0 {
		return r.errorf("section header of %d bytes", length)
	}
	r.first += len(r.ifaces)
	r.ifaces = r.ifaces[:0]
	return r.endBlock(length, 8)
}

// endBlock skips what is left of a block of which done bytes were looked at, and
// checks its second length.
func (r *Reader) endBlock(length uint32, done int) error {
	start := r.Offset()
	r.r += done
	if err := r.skip(int64(length) - int64(done) - 4); err != nil {
		return err
	}
	if err := r.need(4); err != nil {
		return err
	}
	if n := r.u32(r.buf[r.r:]); n != length {
		return r.errorf("block at %d has length %d in front and %d behind", start, length, n)
	}
	r.r += 4
	return nil
}

func (r *Reader) nextBlock(p *Packet) error {
	for {
		if r.w-r.r < 12 {
			if r.atEnd() {
				return io.EOF
			}
			if err := r.need(12); err != nil {
				return err
			}
		}
		h := r.buf[r.r:r.w]
		kind, length := r.u32(h), r.u32(h[4:])
		if kind == blockSection {
			if err := r.sectionHeader(); err != nil {
				return err
			}
			continue
		}
		if length < 12 || length%4 != 0 {
			return r.errorf("block of type %d has length %d", kind, length)
		}
		switch kind {
		case blockEnhanced, blockPacket, blockSimple:
			if length > maxPacket+headRoom {
				return r.errorf("packet block of %d bytes", length)
			}
			if err := r.need(int(length)); err != nil {
				return err
			}
			b := r.buf[r.r : r.r+int(length)]
			if n := r.u32(b[length-4:]); n != length {
				return r.errorf("block has length %d in front and %d behind", length, n)
			}
			if err := r.packetBlock(p, kind, b[8:length-4]); err != nil {
				return err
			}
			r.r += int(length)
			return nil
		case blockInterface:
			if err := r.interfaceBlock(length); err != nil {
				return err
			}
		default:
			if err := r.endBlock(length, 8); err != nil {
				return err
			}
		}
	}
}

// packetBlock reads the body of the three kinds of packet.
//
//	enhanced  0 interface u32  4 time high  8 time low  12 captured  16 original  20 data
//	packet    0 interface u16  2 drops u16  then as above
//	simple    0 original  4 data
func (r *Reader) packetBlock(p *Packet, kind uint32, b []byte) error {
	if kind == blockSimple {
		return r.simplePacket(p, b)
	}
	if len(b) < 20 {
		return r.errorf("packet block has only %d bytes", len(b))
	}
	id := r.u32(b)
	if kind == blockPacket {
		id = uint32(r.u16(b))
	}
	if id >= uint32(len(r.ifaces)) {
		return r.errorf("packet of interface %d, of which there is no description", id)
	}
	f := &r.ifaces[id]
	n, orig := r.u32(b[12:]), r.u32(b[16:])
	if n > maxPacket || int(n) > len(b)-20 {
		return r.errorf("packet of %d bytes in a block of %d", n, len(b))
	}
	p.Time = f.nanos(uint64(r.u32(b[4:]))<<32 | uint64(r.u32(b[8:])))
	p.Data = b[20 : 20+n : 20+n]
	p.OrigLen = int(max(orig, n))
	p.Interface = r.first + int(id)
	p.LinkType = f.link
	r.last = p.Time
	return nil
}

// simplePacket belongs to the first interface, has no time, and is cut at the
// interface's snap length.
func (r *Reader) simplePacket(p *Packet, b []byte) error {
	if len(r.ifaces) == 0 {
		return r.errorf("simple packet before any interface description")
	}
	if len(b) < 4 {
		return r.errorf("simple packet block has only %d bytes", len(b))
	}
	f := &r.ifaces[0]
	orig := r.u32(b)
	n := min(orig, uint32(len(b)-4), maxPacket)
	if f.snap > 0 {
		n = min(n, f.snap)
	}
	p.Time = r.last
	p.Data = b[4 : 4+n : 4+n]
	p.OrigLen = int(orig)
	p.Interface = r.first
	p.LinkType = f.link
	return nil
}

// interfaceBlock adds an interface to the section.
//
//	8 link type u16  10 reserved  12 snap length  16 options: code u16, length u16, value padded
func (r *Reader) interfaceBlock(length uint32) error {
	if length < 20 {
		return r.errorf("interface description of %d bytes", length)
	}
	if len(r.ifaces) >= maxInterfaces {
		return r.errorf("more than %d interfaces", maxInterfaces)
	}
	// Options far behind the usual are not worth a large buffer.
	have := int(min(length-4, headRoom))
	if err := r.need(have); err != nil {
		return err
	}
	b := r.buf[r.r : r.r+have]
	f := iface{link: r.u16(b[8:]), snap: r.u32(b[12:]), resol: 6}
	for o := b[16:]; len(o) >= 4; {
		code, n := r.u16(o), int(r.u16(o[2:]))
		if code == optEnd || n > len(o)-4 {
			break
		}
		v := o[4 : 4+n]
		switch {
		case code == optTSResol && n >= 1:
			f.resol = v[0]
		case code == optTSOff && n >= 8:
			f.offset = r.i64(v)
		}
		o = o[min(4+(n+3)&^3, len(o)):]
	}
	r.ifaces = append(r.ifaces, f)
	return r.endBlock(length, 8)
}

func (r *Reader) i64(b []byte) int64 {
	if r.swapped {
		return int64(binary.BigEndian.Uint64(b))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

var powersOfTen = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// nanos turns a time in the interface's unit into nanoseconds since the epoch.
func (f *iface) nanos(t uint64) int64 {
	// hi:lo / 2^shift or hi:lo / div is the time in nanoseconds.
	var hi, lo uint64
	n := uint(f.resol & 0x7f)
	switch {
	case f.resol == 6:
		hi, lo = bits.Mul64(t, 1000)
	case f.resol&0x80 != 0 && n > 64:
		return clampTime(f.offset, 0)
	case f.resol&0x80 != 0:
		hi, lo = bits.Mul64(t, 1e9)
		lo = lo>>n | hi<<(64-n)
		hi >>= n
	case n <= 9:
		hi, lo = bits.Mul64(t, powersOfTen[9-n])
	case n-9 < uint(len(powersOfTen)):
		lo = t / powersOfTen[n-9]
	}
	if hi != 0 || lo > math.MaxInt64 {
		// Too large alone; a negative offset could only bring it back
		// from a time that no clock had.
		return math.MaxInt64
	}
	return clampTime(f.offset, int64(lo))
}

// clampTime adds seconds to nanoseconds and keeps the sum within 1970-2261.
func clampTime(sec, ns int64) int64 {
	switch limit := int64(math.MaxInt64 / 1_000_000_000); {
	case sec == 0:
		return ns
	case sec > limit:
		return math.MaxInt64
	case sec < -limit:
		return 0
	case sec > 0 && ns > math.MaxInt64-sec*1e9:
		return math.MaxInt64
	}
	return max(0, ns+sec*1e9)
}
