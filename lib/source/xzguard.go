package source

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// xzGuard passes an xz file on and refuses a block whose dictionary would be
// larger than maxWindow, because the library allocates what a block header
// claims before it reads any data. It follows the format only as far as it
// must to find every block header (.xz file format 1.2.1):
//
//	stream  = header 12 bytes, blocks, index, footer 12 bytes, padding 4n
//	block   = header, LZMA2 chunks, padding to 4n, check 0..64 bytes
//	header  = size/4-1 (0 begins an index), flags, sizes, filters, CRC32
//	chunk   = control (0 ends), 2 bytes size, [2 bytes packed size, [properties]], data
//	index   = 0, count, count × 2 varints, padding to 4n, CRC32
//
// It also tells the end of a file inside a stream from its orderly end: the
// library takes a file that stops before a block header or the index for whole.
type xzGuard struct {
	r     *bufio.Reader
	state func(*xzGuard) error // reads the part that comes next
	part  []byte               // what was read of it and is not passed on yet
	bulk  int64                // bytes to pass on unread after part
	check int64                // bytes of a block's check
	pad   int64                // bytes of the block so far, for its padding
	err   error

	inside bool // between a stream's header and its footer
}

func (g *xzGuard) Read(p []byte) (int, error) {
	for len(g.part) == 0 && g.bulk == 0 {
		if g.err != nil {
			return 0, g.err
		}
		if g.state == nil {
			g.state = (*xzGuard).streamHeader
		}
		g.err = g.state(g)
		if g.err == io.EOF && (g.inside || len(g.part) > 0) {
			g.err = io.ErrUnexpectedEOF
		} else if g.err != nil && g.err != io.EOF {
			g.part = nil // refused: the library must not see it
		}
	}
	if len(g.part) > 0 {
		n := copy(p, g.part)
		g.part = g.part[n:]
		return n, nil
	}
	n, err := g.r.Read(p[:min(int64(len(p)), g.bulk)])
	g.bulk -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// take moves n bytes from the input to part and returns them.
func (g *xzGuard) take(n int) ([]byte, error) {
	at := len(g.part)
	g.part = append(g.part, make([]byte, n)...)
	m, err := io.ReadFull(g.r, g.part[at:])
	g.part = g.part[:at+m]
	return g.part[at:], err
}

func (g *xzGuard) streamHeader() error {
	head, err := g.take(4)
	if err != nil || binary.LittleEndian.Uint32(head) == 0 {
		return err // the end, or padding between streams
	}
	if head, err = g.take(8); err != nil {
		return err
	}
	id := head[3] & 0x0f
	g.check = []int64{0, 4, 8, 16, 32, 64}[(id+2)/3]
	g.inside = true
	g.state = (*xzGuard).blockHeader
	return nil
}

func (g *xzGuard) blockHeader() error {
	size, err := g.take(1)
	if err != nil {
		return err
	}
	if size[0] == 0 {
		g.state = (*xzGuard).index
		return nil
	}
	header, err := g.take((int(size[0])+1)*4 - 1)
	if err != nil {
		return err
	}
	g.pad = 0
	g.state = (*xzGuard).chunk
	return checkDictionary(header)
}

// checkDictionary looks for the LZMA2 filter in a block header after its size.
func checkDictionary(header []byte) error {
	flags, rest := header[0], header[1:len(header)-4]
	for _, present := range []bool{flags&0x40 != 0, flags&0x80 != 0} {
		if present { // packed size, unpacked size
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return fmt.Errorf("corrupt block header")
			}
			rest = rest[n:]
		}
	}
	for range flags&3 + 1 {
		id, n := binary.Uvarint(rest)
		if n <= 0 || len(rest) <= n {
			return fmt.Errorf("corrupt block header")
		}
		size, m := binary.Uvarint(rest[n:])
		rest = rest[n:]
		if m <= 0 || size > uint64(len(rest)-m) {
			return fmt.Errorf("corrupt block header")
		}
		properties := rest[m : m+int(size)]
		rest = rest[m+int(size):]
		if id == 0x21 && len(properties) == 1 {
			// Bits 1..5 count half powers of two from 4 KiB.
			bits := uint(properties[0])
			if dict := uint64(2|bits&1) << (bits/2 + 11); bits > 40 || dict > maxWindow {
				return fmt.Errorf("dictionary of %d MiB, more than %d MiB", dict>>20, maxWindow>>20)
			}
		}
	}
	return nil
}

func (g *xzGuard) chunk() error {
	control, err := g.take(1)
	if err != nil {
		return err
	}
	g.pad++
	c := control[0]
	switch {
	case c == 0:
		g.bulk = -g.pad&3 + g.check
		g.state = (*xzGuard).blockHeader
		return nil
	case c > 2 && c < 0x80:
		return fmt.Errorf("corrupt chunk")
	}
	head := 2
	if c >= 0x80 {
		head = 4
	}
	if c >= 0xc0 {
		head = 5 // new properties
	}
	b, err := g.take(head)
	if err != nil {
		return err
	}
	g.bulk = int64(binary.BigEndian.Uint16(b)) + 1
	if c >= 0x80 {
		g.bulk = int64(binary.BigEndian.Uint16(b[2:])) + 1
	}
	g.pad += int64(head) + g.bulk
	return nil
}

// index passes the list of blocks and the footer on. Its numbers are read one
// at a time, for their count is the input's claim.
func (g *xzGuard) index() error {
	size := int64(1)
	count, n, err := g.varint()
	if err != nil {
		return err
	}
	size += n
	left := 2 * count
	g.state = func(g *xzGuard) error {
		for ; left > 0 && len(g.part) < bufferSize; left-- {
			_, n, err := g.varint()
			if err != nil {
				return err
			}
			size += n
		}
		if left == 0 {
			g.bulk = -size&3 + 4 + 12
			g.inside = false
			g.state = (*xzGuard).streamHeader
		}
		return nil
	}
	return nil
}

func (g *xzGuard) varint() (value uint64, size int64, err error) {
	for shift := uint(0); shift < 63; shift += 7 {
		b, err := g.take(1)
		if err != nil {
			return 0, 0, err
		}
		size++
		value |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return value, size, nil
		}
	}
	return 0, 0, fmt.Errorf("corrupt index")
}
