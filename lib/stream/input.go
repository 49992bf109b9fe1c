package stream

import (
	"bufio"
	"bytes"
	"io"
)

// How a Reader gets at its bytes: through a buffer, or, when columns may stay in the file, by
// position.

// peek returns the next n bytes without taking them; fewer and io.EOF or io.ErrUnexpectedEOF at
// the end. They are valid until the next call.
func (r *Reader) peek(n int) ([]byte, error) {
	if r.file != nil {
		return r.peekFile(n)
	}
	if n > r.in.Size() { // a rare, large header: read on through a larger buffer
		r.in = bufio.NewReaderSize(r.in, maxHeader+bufLen)
	}
	p, err := r.in.Peek(n)
	if len(p) == n {
		return p, nil
	}
	return p, short(err, len(p))
}

func short(err error, have int) error {
	if err == io.EOF && have > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *Reader) peekFile(n int) ([]byte, error) {
	p := make([]byte, n)
	have, err := r.file.ReadAt(p, r.off)
	if have == n {
		return p, nil
	}
	return p[:have], short(err, have)
}

// consume takes n bytes.
func (r *Reader) consume(n int) error {
	if r.file != nil {
		if n > 0 { // a frame that lies partly beyond the end is cut off
			var last [1]byte
			if _, err := r.file.ReadAt(last[:], r.off+int64(n)-1); err != nil {
				return unexpected(err)
			}
		}
		r.off += int64(n)
		return nil
	}
	k, err := r.in.Discard(n)
	r.off += int64(k)
	return unexpected(err)
}

// bytes takes n bytes into buf, or into new memory.
func (r *Reader) bytes(n int, buf *[]byte) ([]byte, error) {
	var p []byte
	if buf != nil && cap(*buf) >= n {
		p = (*buf)[:n]
	} else {
		p = make([]byte, n)
		if buf != nil {
			*buf = p
		}
	}
	if r.file != nil {
		if _, err := r.file.ReadAt(p, r.off); err != nil {
			return nil, err
		}
		r.off += int64(n)
		return p, nil
	}
	k, err := io.ReadFull(r.in, p)
	r.off += int64(k)
	return p, err
}

// resync is called at bytes that are no frame. Without Recover that ends the stream.
func (r *Reader) resync(at int64, cause error) error {
	if !r.opt.Recover {
		return cause
	}
	if err := r.consume(1); err != nil {
		return err
	}
	for {
		p, err := r.in.Peek(r.in.Size())
		i := bytes.Index(p, []byte(Magic))
		if i >= 0 {
			if err := r.consume(i); err != nil {
				return err
			}
			break
		}
		skip := max(len(p)-len(Magic)+1, 0)
		if err != nil {
			skip = len(p)
		}
		if cerr := r.consume(skip); cerr != nil {
			return cerr
		}
		if err == io.EOF || len(p) == 0 {
			break
		}
		if err != nil {
			return err
		}
	}
	r.problem(Partial, "offset %d: %v; %d bytes skipped", at, cause, r.off-at)
	return nil
}
