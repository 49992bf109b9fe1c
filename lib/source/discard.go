package source

import (
	"bufio"
	"io"
	"os"
)

// Discard passes over the next n bytes. In a pipe they are not even copied where the kernel can
// do without.
func (in *Input) Discard(n int64) error {
	if b, ok := in.reader.(*bufio.Reader); ok {
		k, err := b.Discard(int(min(n, int64(b.Buffered()))))
		if n -= int64(k); err != nil || n == 0 {
			return err
		}
		if in.pipe != nil {
			m, err := in.pipe.Discard(n)
			in.consumed.Add(m)
			if n -= m; err != nil || n == 0 {
				return err
			}
		}
	}
	_, err := io.CopyN(io.Discard, in.reader, n)
	return unexpected(err)
}

// CopyTo writes the next n bytes to w, from pipe to pipe without copying where the kernel can
// do so.
func (in *Input) CopyTo(w io.Writer, n int64) error {
	b, ok := in.reader.(*bufio.Reader)
	if !ok || in.pipe == nil {
		_, err := io.CopyN(w, in.reader, n)
		return unexpected(err)
	}
	k := min(n, int64(b.Buffered()))
	if _, err := io.CopyN(w, b, k); err != nil {
		return unexpected(err)
	}
	n -= k
	if dst, ok := w.(*os.File); ok && n > 0 {
		m, err := in.pipe.Splice(dst, n)
		in.consumed.Add(m)
		if n -= m; err != nil {
			return err
		}
	}
	_, err := io.CopyN(w, b, n)
	return unexpected(err)
}

// discarder passes over bytes of a pipe, or moves them into another. It may take fewer than
// asked and leave the rest to be read.
type discarder interface {
	Discard(n int64) (int64, error)
	Splice(dst *os.File, n int64) (int64, error)
}

// pipeOf finds what passes over bytes below an uncompressed input that cannot seek.
func pipeOf(r io.Reader) discarder {
	if d, ok := r.(discarder); ok {
		return d
	}
	if f, ok := r.(*os.File); ok {
		return (*Pipe)(f)
	}
	return nil
}

// Pipe passes over bytes of a file without copying them.
type Pipe os.File
