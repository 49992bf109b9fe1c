package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"unicode"
)

// Version is the version of the format that is written, and the only one that is read.
const Version = 1

// Magic starts every frame.
const Magic = "\x8eNFS"

// endMagic ends a segment: the magic backwards.
const endMagic = "SFN\x8e"

const (
	prefixLen = 20
	maxHeader = 1 << 20
	maxBody   = 64 << 20
)

// Kind says what a frame holds. A reader passes on a kind that it does not know when its high
// bit is set, and stops when it is clear.
type Kind uint8

const (
	KindHead    Kind = 0x01
	KindRecords Kind = 0x02
	KindEnd     Kind = 0x03
	KindSide    Kind = 0x81
	KindTick    Kind = 0x82
)

func (k Kind) String() string {
	switch k {
	case KindHead:
		return "head"
	case KindRecords:
		return "records"
	case KindEnd:
		return "end"
	case KindSide:
		return "side"
	case KindTick:
		return "tick"
	}
	return fmt.Sprintf("%#02x", uint8(k))
}

func (k Kind) known() bool {
	switch k {
	case KindHead, KindRecords, KindEnd, KindSide, KindTick:
		return true
	}
	return false
}

// Skippable tells whether a reader may pass over an unknown frame of this kind.
func (k Kind) Skippable() bool { return k&0x80 != 0 }

// ErrCorrupt is wrapped by errors about bytes that are not as the format says.
var ErrCorrupt = errors.New("corrupt stream")

// ErrUnsupported is wrapped when a newer tool wrote what this one may not skip.
var ErrUnsupported = errors.New("written by a newer version")

func corrupt(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

// prefix is the fixed start of a frame:
//
//	0  4  magic 8e 4e 46 53
//	4  1  version
//	5  1  kind
//	6  2  reserved, zero
//	8  4  header length
//	12 4  body length
//	16 4  CRC-32C of bytes 0 to 15 and the header
type prefix struct {
	kind         Kind
	header, body int
	crc          uint32
}

func parsePrefix(p []byte) (prefix, error) {
	if string(p[:4]) != Magic {
		return prefix{}, corrupt("no frame starts here")
	}
	x := prefix{
		kind:   Kind(p[5]),
		header: int(binary.LittleEndian.Uint32(p[8:])),
		body:   int(binary.LittleEndian.Uint32(p[12:])),
		crc:    binary.LittleEndian.Uint32(p[16:]),
	}
	switch {
	case p[4] != Version:
		return x, fmt.Errorf("%w: format version %d, this tool reads %d", ErrUnsupported, p[4], Version)
	case x.header > maxHeader:
		return x, corrupt("frame header of %d bytes, at most %d", x.header, maxHeader)
	case x.body > maxBody:
		return x, corrupt("frame of %d bytes, at most %d", x.body, maxBody)
	}
	return x, nil
}

// appendFrame appends prefix and header of a frame whose body, of the given length, follows.
func appendFrame(dst []byte, k Kind, header []byte, body int) []byte {
	start := len(dst)
	dst = append(dst, Magic...)
	dst = append(dst, Version, byte(k), 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(header)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(body))
	dst = binary.LittleEndian.AppendUint32(dst, checksum(dst[start:start+16], header))
	return append(dst, header...)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of both, one after the other.
func checksum(fixed, header []byte) uint32 {
	return crc32.Update(crc32.Checksum(fixed, castagnoli), castagnoli, header)
}

// cursor reads a header; its first error sticks and everything after reads as zero.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail(format string, a ...any) {
	if c.err == nil {
		c.err = corrupt(format, a...)
	}
	c.b = nil
}

// zeros is what a cursor yields after its error; nobody writes into it.
var zeros [64]byte

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail("header ends early")
		return zeros[:min(max(n, 0), len(zeros))]
	}
	x := c.b[:n:n]
	c.b = c.b[n:]
	return x
}

func (c *cursor) u8() uint8   { return c.take(1)[0] }
func (c *cursor) u16() uint16 { return binary.LittleEndian.Uint16(c.take(2)) }
func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.take(8)) }

func (c *cursor) uvarint() uint64 {
	x, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail("bad number in a header")
		return 0
	}
	c.b = c.b[n:]
	return x
}

// count reads a number of things that take at least one byte each.
func (c *cursor) count(limit int) int {
	x := c.uvarint()
	if x > uint64(limit) || x > uint64(len(c.b)) {
		c.fail("%d entries in a header", x)
		return 0
	}
	return int(x)
}

func (c *cursor) text() string {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.fail("text of %d bytes in a header", n)
		return ""
	}
	return string(c.take(int(n)))
}

// printable makes a text of a stream fit for a message: no control characters, not long.
func printable(s string) string {
	const most = 300
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
