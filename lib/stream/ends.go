package stream

import (
	"encoding/binary"
	"io"
	"slices"
)

// minSegment is the shortest segment there can be: a Head and an End, both without content.
const minSegment = 2*prefixLen + endTail

// Ends reads the End frames of a stream of size bytes, backwards and without what stands
// between them, and returns them in the order of their segments. It is false unless the bytes
// are whole segments from the first to the last: then only reading frame by frame tells what
// they hold. What the frames between hold is not looked at.
func Ends(f io.ReaderAt, size int64) ([]End, bool) {
	var ends []End
	for at := size; at > 0; {
		e, ok := endBefore(f, at)
		if !ok {
			return nil, false
		}
		ends = append(ends, e)
		at -= int64(e.Length)
	}
	slices.Reverse(ends)
	return ends, len(ends) > 0
}

// endBefore reads the End frame that ends at an offset, and looks whether its segment begins
// where it says.
func endBefore(f io.ReaderAt, at int64) (End, bool) {
	var tail [endTail]byte
	if at < minSegment || !readAt(f, tail[:], at-endTail) || string(tail[12:]) != endMagic {
		return End{}, false
	}
	length, n := binary.LittleEndian.Uint64(tail[:]), int64(binary.LittleEndian.Uint32(tail[8:]))
	if length < minSegment || length > uint64(at) || n < prefixLen+endTail || n > prefixLen+maxHeader || n > int64(length) {
		return End{}, false
	}
	frame := make([]byte, n)
	if !readAt(f, frame, at-n) {
		return End{}, false
	}
	p, err := parsePrefix(frame)
	if err != nil || p.kind != KindEnd || p.header != int(n)-prefixLen || p.body != 0 || checksum(frame[:16], frame[prefixLen:]) != p.crc {
		return End{}, false
	}
	e, err := parseEnd(frame[prefixLen:])
	return e, err == nil && headAt(f, at-int64(length))
}

// headAt tells whether a Head frame begins at an offset.
func headAt(f io.ReaderAt, at int64) bool {
	var b [prefixLen]byte
	if !readAt(f, b[:], at) {
		return false
	}
	p, err := parsePrefix(b[:])
	return err == nil && p.kind == KindHead
}

// readAt fills p.
func readAt(f io.ReaderAt, p []byte, at int64) bool {
	n, _ := f.ReadAt(p, at)
	return n == len(p)
}
