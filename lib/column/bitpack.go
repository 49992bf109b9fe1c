package column

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// maxWidth is the widest packed field below 64: a value that starts anywhere in a byte is
// still inside one 64-bit load. Wider fields are stored as 64 bits.
const maxWidth = 56

func widthOf(max uint64) uint {
	w := uint(bits.Len64(max))
	if w > maxWidth {
		return 64
	}
	return w
}

func packedLen(n int, w uint) int { return (n*int(w) + 7) >> 3 }

// appendPacked appends a field of w bits for each value, its distance from base, lowest bit
// first.
func appendPacked[T uint8 | uint16 | uint64](dst []byte, vals []T, base T, w uint) []byte {
	if w == 0 {
		return dst
	}
	if w == 64 {
		for _, v := range vals {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v-base))
		}
		return dst
	}
	start, end := len(dst), len(dst)+packedLen(len(vals), w)
	dst = slices.Grow(dst, end-start+16)
	out := dst[start : end+16]
	o := 0
	for ; w <= 16 && len(vals) >= 8; vals = vals[8:] { // eight fields are w bytes
		x, y := fourFields(vals[:4], base, w), fourFields(vals[4:8], base, w)
		binary.LittleEndian.PutUint64(out[o:], x|y<<(4*w))
		binary.LittleEndian.PutUint64(out[o+8:], y>>(64-4*w))
		o += int(w)
	}
	var acc uint64
	var have uint
	for _, v := range vals {
		x := uint64(v - base)
		acc |= x << (have & 63)
		have += w
		if have >= 64 {
			binary.LittleEndian.PutUint64(out[o:], acc)
			o += 8
			have -= 64
			acc = x >> ((w - have) & 63)
		}
	}
	binary.LittleEndian.PutUint64(out[o:], acc)
	return dst[:end]
}

// fourFields are four fields of at most 16 bits.
func fourFields[T uint8 | uint16 | uint64](v []T, base T, w uint) uint64 {
	f := (*[4]T)(v)
	return uint64(f[0]-base) | uint64(f[1]-base)<<w | (uint64(f[2]-base)|uint64(f[3]-base)<<w)<<(2*w)
}

// bitWriter packs fields of changing width, lowest bit first. The zero value is ready.
type bitWriter struct {
	at   int // whole bytes written
	acc  uint64
	have uint // bits in acc, below 8
}

// add writes x, of n bits, 56 at most, and returns the writer that goes on. out must have
// eight bytes beyond those written. It has no branches: widths could not be predicted.
func (w bitWriter) add(out []byte, x uint64, n uint) bitWriter {
	w.acc |= x << (w.have & 7)
	binary.LittleEndian.PutUint64(out[w.at:], w.acc)
	w.have += n
	w.at += int(w.have >> 3)
	w.acc >>= w.have & 0x38
	w.have &= 7
	return w
}

// len is the number of bytes that hold all bits.
func (w bitWriter) len() int { return w.at + int(w.have+7)/8 }

// unpack reads len(dst) fields of w bits and adds base. src holds exactly packedLen bytes or more.
func unpack(dst []uint64, src []byte, w uint, base uint64) {
	switch {
	case w == 0:
		for i := range dst {
			dst[i] = base
		}
		return
	case w == 64:
		for i := range dst {
			dst[i] = binary.LittleEndian.Uint64(src[i*8:]) + base
		}
		return
	case w == 8:
		for i, b := range src[:len(dst)] {
			dst[i] = uint64(b) + base
		}
		return
	}
	mask := uint64(1)<<w - 1
	i := 0
	if len(src) >= 8 {
		// The last field whose eight bytes lie inside src.
		last := ((len(src)-8)<<3)/int(w) + 1
		if last > len(dst) {
			last = len(dst)
		}
		off := uint(0)
		d := dst[:last]
		for i = range d {
			d[i] = binary.LittleEndian.Uint64(src[off>>3:])>>(off&7)&mask + base
			off += w
		}
		i = last
	}
	for ; i < len(dst); i++ {
		dst[i] = loadTail(src, i*int(w))&mask + base
	}
}

// unpack16 is unpack for codes of at most 16 bits.
func unpack16(dst []uint16, src []byte, w uint) {
	switch w {
	case 0:
		clear(dst)
		return
	case 8:
		for i, b := range src[:len(dst)] {
			dst[i] = uint16(b)
		}
		return
	case 16:
		for i := range dst {
			dst[i] = binary.LittleEndian.Uint16(src[i*2:])
		}
		return
	}
	mask := uint64(1)<<w - 1
	i := 0
	off := uint(0)
	// Four fields of at most 14 bits fit in one load at any bit offset; three of 15.
	if w <= 14 {
		for len(dst)-i >= 4 && int(off>>3)+8 <= len(src) {
			x := binary.LittleEndian.Uint64(src[off>>3:]) >> (off & 7)
			d := dst[i : i+4 : i+4]
			d[0] = uint16(x & mask)
			d[1] = uint16(x >> w & mask)
			d[2] = uint16(x >> (2 * w) & mask)
			d[3] = uint16(x >> (3 * w) & mask)
			off += 4 * w
			i += 4
		}
	} else {
		for len(dst)-i >= 3 && int(off>>3)+8 <= len(src) {
			x := binary.LittleEndian.Uint64(src[off>>3:]) >> (off & 7)
			d := dst[i : i+3 : i+3]
			d[0] = uint16(x & mask)
			d[1] = uint16(x >> w & mask)
			d[2] = uint16(x >> (2 * w) & mask)
			off += 3 * w
			i += 3
		}
	}
	for ; i < len(dst); i++ {
		dst[i] = uint16(loadTail(src, i*int(w)) & mask)
	}
}

// loadTail loads up to 64 bits that start at bit off; bytes beyond src read as zero.
func loadTail(src []byte, off int) uint64 {
	p := off >> 3
	if p >= len(src) {
		return 0
	}
	if p+8 <= len(src) {
		return binary.LittleEndian.Uint64(src[p:]) >> (off & 7)
	}
	var b [8]byte
	copy(b[:], src[p:])
	return binary.LittleEndian.Uint64(b[:]) >> (off & 7)
}

// unpack8 is unpack for fields of at most 8 bits.
func unpack8(dst []byte, src []byte, w uint) {
	mask := uint64(1)<<w - 1
	i := 0
	off := uint(0)
	for len(dst)-i >= 7 && int(off>>3)+8 <= len(src) { // seven fields of 8 bits at any bit offset
		x := binary.LittleEndian.Uint64(src[off>>3:]) >> (off & 7)
		d := dst[i : i+7 : i+7]
		for k := range d {
			d[k] = byte(x & mask)
			x >>= w
		}
		off += 7 * w
		i += 7
	}
	for ; i < len(dst); i++ {
		dst[i] = byte(loadTail(src, i*int(w)) & mask)
	}
}
