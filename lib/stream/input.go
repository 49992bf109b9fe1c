package stream

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"nfpipe/lib/column"
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

func unexpected(err error) error {
	if err == io.EOF {
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

// header peeks at the prefix and header of the next frame and verifies them. io.EOF: there is
// nothing more; io.ErrUnexpectedEOF: what is there is the start of a frame.
func (r *Reader) header() ([]byte, prefix, error) {
	head, err := r.peek(prefixLen)
	if err != nil {
		k := min(len(head), len(Magic))
		if err == io.ErrUnexpectedEOF && string(head[:k]) != Magic[:k] {
			err = corrupt("no frame starts here")
		}
		return nil, prefix{}, err
	}
	p, err := parsePrefix(head)
	if err != nil {
		return nil, prefix{}, err
	}
	if head, err = r.peek(prefixLen + p.header); err != nil {
		return nil, p, unexpected(err)
	}
	if checksum(head[:16], head[prefixLen:]) != p.crc {
		return nil, p, corrupt("bad checksum in a frame header")
	}
	return head, p, nil
}

// consume takes n bytes.
func (r *Reader) consume(n int) error {
	if r.file != nil {
		if n > 0 && !reaches(r.file, r.off+int64(n)) { // a frame that lies partly beyond the end is cut off
			return io.ErrUnexpectedEOF
		}
		r.off += int64(n)
		return nil
	}
	k, err := r.in.Discard(n)
	r.off += int64(k)
	return unexpected(err)
}

// reaches tells whether a file has end bytes.
func reaches(f io.ReaderAt, end int64) bool {
	var last [1]byte
	n, _ := f.ReadAt(last[:], end-1)
	return n == 1
}

// bytes takes n bytes into buf, or into new memory. With an error come those that were there.
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
	var k int
	var err error
	if r.file != nil {
		if k, err = r.file.ReadAt(p, r.off); k == n {
			err = nil
		}
	} else {
		k, err = io.ReadFull(r.in, p)
	}
	r.off += int64(k)
	return p[:k], unexpected(err)
}

// isDamage tells errors about the bytes from errors of reading them.
func isDamage(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, column.ErrCorrupt) || errors.Is(err, ErrUnsupported) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Looking for frames costs at most so many bytes of checksums for each byte skipped, and so
// many to begin with: a file made of things that only look like frames must not take for ever.
const (
	scanFactor = 16
	scanFree   = 16 << 20
)

// resync goes on at the next whole frame header. at is where the bytes that are lost begin,
// cause what is wrong with them. If the input ends first and cause is that it ends in the
// middle of a frame, resync says just that.
func (r *Reader) resync(at int64, cause error) error {
	spent := int64(0)
	var err error
	if r.off == at {
		err = r.consume(1)
	}
	for err == nil {
		if err = r.toMagic(); err != nil {
			break
		}
		_, p, herr := r.header()
		if herr == nil {
			break
		}
		if !isDamage(herr) {
			return herr
		}
		spent += int64(prefixLen + p.header)
		if spent > scanFree+scanFactor*(r.off-at) {
			return corrupt("too much that looks like frames and is none, from offset %d", at)
		}
		err = r.consume(1)
	}
	switch {
	case err != nil && unexpected(err) != io.ErrUnexpectedEOF:
		return err
	case err != nil && errors.Is(cause, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	}
	r.damage(Partial, "offset %d: %v; %d bytes skipped", at, cause, r.off-at)
	return nil
}

// toMagic takes bytes up to the next magic or the end. It does not wait for more than it needs.
func (r *Reader) toMagic() error {
	for {
		p, err := r.in.Peek(len(Magic))
		if err != nil {
			if cerr := r.consume(len(p)); cerr != nil {
				return cerr
			}
			return err
		}
		if p, err = r.in.Peek(r.in.Buffered()); err != nil {
			return err
		}
		if i := bytes.Index(p, []byte(Magic)); i >= 0 {
			return r.consume(i)
		}
		if err := r.consume(len(p) - len(Magic) + 1); err != nil {
			return err
		}
	}
}

// rescan puts the body of a damaged frame back when no frame follows it: then bytes are
// missing or too many, and whole frames may stand in what was taken for the body, which is
// whole or cut off by the end of the input. No byte is put back twice.
func (r *Reader) rescan(at int64, body []byte, whole bool) bool {
	if !r.opt.Recover || at < r.rescanned {
		return false
	}
	if _, _, err := r.header(); whole && (err == nil || !isDamage(err)) {
		return false
	}
	r.rescanned = r.off
	r.off -= int64(len(body))
	r.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(body)), r.in), maxHeader+bufLen)
	return true
}
