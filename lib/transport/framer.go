package transport

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	ipfixVersion  = 10
	headerSize    = 16      // of an IPFIX message; its length is at offset 2
	firstBuffer   = 4 << 10 // of a stream; it doubles when a read fills it
	largestBuffer = 256 << 10
)

// framer cuts a stream of bytes into IPFIX messages (RFC 7011 section 10.4):
//
//	 0                   1                   2                   3
//	+-------------------------------+-------------------------------+
//	|          version 10           |  length, with these 16 bytes  |
//	+-------------------------------+-------------------------------+
type framer struct {
	buffer     []byte
	start, end int    // of what is not cut yet
	offset     uint64 // of start in the stream
}

// fill makes one Read. It is for when next has no more: messages that next gave
// before are overwritten.
func (f *framer) fill(r io.Reader) error {
	full := f.end == len(f.buffer)
	if f.start > 0 {
		copy(f.buffer, f.buffer[f.start:f.end])
		f.start, f.end = 0, f.end-f.start
	}
	if full && len(f.buffer) < largestBuffer {
		larger := make([]byte, min(max(2*len(f.buffer), firstBuffer), largestBuffer))
		copy(larger, f.buffer[:f.end])
		f.buffer = larger
	}
	n, err := r.Read(f.buffer[f.end:])
	f.end += n
	return err
}

// next is the next whole message, valid until fill, or nil when more bytes must
// be read for it. After an error the stream cannot be cut any more.
func (f *framer) next() ([]byte, error) {
	rest := f.buffer[f.start:f.end]
	if len(rest) < 4 {
		return nil, nil
	}
	if version := binary.BigEndian.Uint16(rest); version != ipfixVersion {
		return nil, fmt.Errorf("no IPFIX message at byte %d: version %d instead of 10%s", f.offset, version, guess(rest))
	}
	n := int(binary.BigEndian.Uint16(rest[2:]))
	if n < headerSize {
		return nil, fmt.Errorf("no IPFIX message at byte %d: a length of %d bytes is less than its header", f.offset, n)
	}
	if len(rest) < n {
		return nil, nil
	}
	f.start += n
	f.offset += uint64(n)
	return rest[:n:n], nil
}

// waiting is how many bytes of an incomplete message there are.
func (f *framer) waiting() int { return f.end - f.start }

// guess says what a stream may be that is not IPFIX, by its first four bytes.
func guess(b []byte) string {
	switch {
	case b[0] == 0x16 && b[1] == 3:
		return " (TLS is at a port of its own)"
	case b[0] == 0 && b[1] == 9:
		return " (NetFlow 9 has no length to cut a stream by: export it by UDP)"
	}
	return fmt.Sprintf(" (%q)", b[:4])
}
