package transport

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// message is an IPFIX header and n-16 bytes that depend on fill.
func message(n int, fill byte) []byte {
	m := bytes.Repeat([]byte{fill}, n)
	binary.BigEndian.PutUint16(m, ipfixVersion)
	binary.BigEndian.PutUint16(m[2:], uint16(n))
	return m
}

// cut runs a framer over a stream and returns copies of its messages.
func cut(r io.Reader) (messages [][]byte, waiting int, err error) {
	var f framer
	for {
		end := f.fill(r)
		for {
			m, err := f.next()
			if err != nil {
				return messages, f.waiting(), err
			}
			if m == nil {
				break
			}
			messages = append(messages, bytes.Clone(m))
		}
		if end != nil {
			if end == io.EOF {
				end = nil
			}
			return messages, f.waiting(), end
		}
	}
}

func TestFramerSplitAtEveryByte(t *testing.T) {
	want := [][]byte{message(16, 1), message(17, 2), message(200, 3), message(16, 4)}
	stream := bytes.Join(want, nil)
	for at := range len(stream) + 1 {
		for _, r := range []io.Reader{
			io.MultiReader(bytes.NewReader(stream[:at]), bytes.NewReader(stream[at:])),
			iotest.DataErrReader(io.MultiReader(bytes.NewReader(stream[:at]), bytes.NewReader(stream[at:]))),
		} {
			got, waiting, err := cut(r)
			if err != nil || waiting != 0 || !equal(got, want) {
				t.Fatalf("split at %d: %d messages, %d bytes left, %v", at, len(got), waiting, err)
			}
		}
	}
	for end := range len(stream) {
		got, waiting, err := cut(bytes.NewReader(stream[:end]))
		whole, n := 0, 0
		for whole < len(want) && n+len(want[whole]) <= end {
			n += len(want[whole])
			whole++
		}
		if err != nil || waiting != end-n || !equal(got, want[:whole]) {
			t.Fatalf("cut off at %d: %d messages, %d bytes left, %v; want %d and %d", end, len(got), waiting, err, whole, end-n)
		}
	}
	if got, _, err := cut(iotest.OneByteReader(bytes.NewReader(stream))); err != nil || !equal(got, want) {
		t.Errorf("byte by byte: %d messages, %v", len(got), err)
	}
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// TestFramerLargest has messages of all sizes around the buffer's.
func TestFramerLargest(t *testing.T) {
	var want [][]byte
	for i, n := range []int{65535, 16, 65535, 65535, 65534, firstBuffer, firstBuffer + 1, firstBuffer - 1, 65535, 65535, 65535, 65535, 65535} {
		want = append(want, message(n, byte(i)))
	}
	stream := bytes.Join(want, nil)
	for _, r := range []io.Reader{bytes.NewReader(stream), iotest.HalfReader(bytes.NewReader(stream)), iotest.OneByteReader(bytes.NewReader(stream))} {
		if got, waiting, err := cut(r); err != nil || waiting != 0 || !equal(got, want) {
			t.Fatalf("%T: %d messages of %d, %d bytes left, %v", r, len(got), len(want), waiting, err)
		}
	}
}

func TestFramerRefuses(t *testing.T) {
	for _, c := range []struct {
		name, stream, want string
		messages           int
	}{
		{"length 0", "\x00\x0a\x00\x00" + strings.Repeat("x", 20), "byte 0: a length of 0 bytes", 0},
		{"length 15", string(message(16, 0)) + "\x00\x0a\x00\x0fxxxx", "byte 16: a length of 15 bytes", 1},
		{"version 9", "\x00\x09\x00\x01" + strings.Repeat("x", 20), "version 9 instead of 10 (NetFlow 9", 0},
		{"version 5", "\x00\x05\x00\x01", "version 5 instead of 10", 0},
		{"TLS", "\x16\x03\x01\x02\x00\x01", "(TLS is at a port of its own)", 0},
		{"text", "GET / HTTP/1.1\r\n", `version 18245 instead of 10 ("GET ")`, 0},
		{"out of step", string(message(20, 0)) + "\x00\x00\x0a\x00", "byte 20: version 0", 1},
	} {
		got, _, err := cut(strings.NewReader(c.stream))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(got) != c.messages {
			t.Errorf("%s: %d messages, %v; want %d, %q", c.name, len(got), err, c.messages, c.want)
		}
	}
}

// TestFramerBuffer has a buffer as large as the traffic needs.
func TestFramerBuffer(t *testing.T) {
	var f framer
	r := iotest.OneByteReader(bytes.NewReader(message(1000, 0)))
	for f.fill(r) == nil {
	}
	if len(f.buffer) != firstBuffer {
		t.Errorf("a buffer of %d bytes for one small message, want %d", len(f.buffer), firstBuffer)
	}
	r = bytes.NewReader(bytes.Repeat(message(1000, 0), 5000))
	for f.fill(r) == nil {
		for m := []byte{0}; m != nil; {
			m, _ = f.next()
		}
	}
	if len(f.buffer) != largestBuffer {
		t.Errorf("a buffer of %d bytes for a fast stream, want %d", len(f.buffer), largestBuffer)
	}
}

// FuzzFramer reads a stream in pieces: the messages are the stream, cut by their
// lengths, however the pieces fall.
func FuzzFramer(f *testing.F) {
	f.Add(append(message(20, 1), message(16, 2)...), uint16(3))
	f.Add(message(65535, 1), uint16(4000))
	f.Add([]byte("\x00\x0a\x00\x00\x00\x0a"), uint16(1))
	f.Add([]byte("\x00\x0a\x00\x10\x00\x0a\xff\xff"), uint16(7))
	f.Add([]byte("\x16\x03\x01\x02"), uint16(2))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint16) {
		got, waiting, err := cut(&pieces{stream, int(piece)%5000 + 1})
		at := 0
		for _, m := range got {
			if len(m) < headerSize || m[0] != 0 || m[1] != ipfixVersion || int(binary.BigEndian.Uint16(m[2:])) != len(m) {
				t.Fatalf("message of %d bytes that begins with %x", len(m), m[:4])
			}
			if !bytes.HasPrefix(stream[at:], m) {
				t.Fatalf("message at %d is not what was sent", at)
			}
			at += len(m)
		}
		whole, _, wholeErr := cut(bytes.NewReader(stream))
		if !equal(whole, got) || (err == nil) != (wholeErr == nil) {
			t.Fatalf("%d messages, %v in pieces; %d, %v at once", len(got), err, len(whole), wholeErr)
		}
		if err == nil && at+waiting != len(stream) {
			t.Fatalf("%d bytes cut and %d waiting of %d", at, waiting, len(stream))
		}
	})
}

// pieces reads a few bytes at a time.
type pieces struct {
	rest []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.n, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}
