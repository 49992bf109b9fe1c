package capture

import (
	"encoding/binary"
	"fmt"
	"io"
)

// pcap file header (draft-ietf-opsawg-pcap §4):
//
//	 0 magic  4 major u16  6 minor u16  8 zone  12 sigfigs  16 snaplen
//	20 link type in the low 16 bits, FCS length and class above
//
// Record: 0 seconds  4 fraction  8 captured length  12 original length, data.
// The modified form has 8 bytes more before the data: interface, protocol, type.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34

	fileHeaderLen     = 24
	recordHeaderLen   = 16
	modifiedHeaderLen = 24
)

// lengthOrder says which of a record's two lengths comes first. Files of versions
// before 2.3 have the original length first, those of 2.3 either.
type lengthOrder uint8

const (
	capturedFirst lengthOrder = iota
	originalFirst
	smallerCaptured
)

func (r *Reader) fileHeader() error {
	magic := binary.LittleEndian.Uint32(r.buf[r.r:])
	if !r.setMagic(magic) {
		r.swapped = true
		if !r.setMagic(binary.BigEndian.Uint32(r.buf[r.r:])) {
			return fmt.Errorf("capture: magic %#08x: %w", magic, ErrFormat)
		}
	}
	if err := r.need(fileHeaderLen); err != nil {
		return err
	}
	h := r.buf[r.r : r.r+fileHeaderLen]
	major, minor := r.u16(h[4:]), r.u16(h[6:])
	// 543.0 is how Digital's own tcpdump marked its files.
	if major != 2 && !(major == 543 && minor == 0) {
		return fmt.Errorf("capture: pcap version %d.%d is unknown", major, minor)
	}
	if major == 2 && minor < 3 || major == 543 {
		r.caps = originalFirst
	} else if minor == 3 {
		r.caps = smallerCaptured
	}
	r.link = uint16(r.u32(h[20:]))
	r.r += fileHeaderLen
	return nil
}

func (r *Reader) setMagic(magic uint32) bool {
	r.record, r.nanos = recordHeaderLen, 1000
	switch magic {
	case magicMicro:
	case magicNano:
		r.nanos = 1
	case magicModified:
		r.record = modifiedHeaderLen
	default:
		return false
	}
	return true
}

func (r *Reader) nextRecord(p *Packet) error {
	if r.w-r.r < r.record {
		if r.atEnd() {
			return io.EOF
		}
		if err := r.need(r.record); err != nil {
			return err
		}
	}
	h := r.buf[r.r : r.r+recordHeaderLen : r.w]
	var sec, frac, n, orig uint32
	if !r.swapped {
		sec = binary.LittleEndian.Uint32(h)
		frac = binary.LittleEndian.Uint32(h[4:])
		n = binary.LittleEndian.Uint32(h[8:])
		orig = binary.LittleEndian.Uint32(h[12:])
	} else {
		sec = binary.BigEndian.Uint32(h)
		frac = binary.BigEndian.Uint32(h[4:])
		n = binary.BigEndian.Uint32(h[8:])
		orig = binary.BigEndian.Uint32(h[12:])
	}
	if r.caps == originalFirst || r.caps == smallerCaptured && n > orig {
		n, orig = orig, n
	}
	if n > maxPacket {
		return r.errorf("packet of %d bytes, at most %d are possible", n, maxPacket)
	}
	total := r.record + int(n)
	if r.w-r.r < total {
		if err := r.need(total); err != nil {
			return err
		}
	}
	p.Time = int64(sec)*1e9 + int64(frac)*r.nanos
	p.Data = r.buf[r.r+r.record : r.r+total : r.r+total]
	p.OrigLen = int(max(orig, n))
	p.Interface = 0
	p.LinkType = r.link
	r.r += total
	return nil
}
