package stream

import (
	"bufio"
	"errors"
	"io"
	"math/bits"
	"slices"

	"nfpipe/lib/flow"
)

// A reader that knows which columns are wanted passes over the others: in a pipe their bytes are
// not even copied.

// discarder is an input that can pass over bytes without reading them.
type discarder interface {
	io.Reader
	Discard(n int64) error
}

// pickLen is the buffer of such a reader: small, for what it holds of columns was copied in
// vain.
const pickLen = 8 << 10

// picks makes r pass over unwanted columns if its input can.
func (r *Reader) picks(in io.Reader) {
	d, ok := in.(discarder)
	if !ok || len(r.opt.Want) == 0 || r.opt.Recover || r.file != nil {
		return
	}
	r.skips = d
	r.in = bufio.NewReaderSize(in, pickLen)
}

// pass passes over the next n bytes.
func (r *Reader) pass(n int) error {
	k, err := r.in.Discard(min(n, r.in.Buffered()))
	r.off += int64(k)
	if n -= k; err != nil || n == 0 {
		return unexpected(err)
	}
	if err := r.skips.Discard(int64(n)); err != nil {
		return unexpected(err)
	}
	r.off += int64(n)
	return nil
}

// errPassedOver is what a column says that was not wanted and is asked for all the same.
var errPassedOver = errors.New("column was passed over")

type passedOver struct{}

func (passedOver) ReadAt([]byte, int64) (int, error) { return 0, errPassedOver }

// pick reads the wanted columns of a frame, with those that they lean on, and passes over the
// rest.
func (r *Reader) pick(it *Item, dir directory) (*Item, error) {
	b := it.Batch
	first := len(dir.rows) - len(b.Cols)
	wanted := make([]bool, len(dir.rows))
	for i := range wanted {
		wanted[i] = i < first
	}
	for i := range b.Cols {
		if !slices.Contains(r.opt.Want, b.Cols[i].Key) {
			continue
		}
		for j, n := i, 0; j >= 0 && n <= flow.MaxLean; j, n = b.Cols[j].Ref, n+1 {
			wanted[first+j] = true
		}
	}
	buf := bodyPool.Get().(*[]byte)
	b.Defer(func() { bodyPool.Put(buf) })
	err := r.pickRows(b, dir, wanted, buf)
	if err == nil {
		err = dir.whole(b)
	}
	switch {
	case err == nil:
		return r.give(it, dir.selected), nil
	case errors.Is(err, ErrCorrupt):
		r.seg.lost += uint64(dir.selected)
		r.damage(Partial, "frame at offset %d: %v; %d records lost", it.Offset, err, dir.selected)
		b.Release()
		return nil, nil
	}
	b.Release()
	return nil, err
}

func (r *Reader) pickRows(b *flow.Batch, dir directory, wanted []bool, buf *[]byte) error {
	need, over := 0, 0
	for i, d := range dir.rows {
		if wanted[i] {
			need += d.len
		}
	}
	if cap(*buf) < need {
		*buf = make([]byte, max(1<<bits.Len(uint(need)), 1))
	}
	rest := (*buf)[:need:cap(*buf)]
	first := len(dir.rows) - len(b.Cols)
	var damage error
	for i, d := range dir.rows {
		if !wanted[i] {
			b.Cols[i-first].FromFile(passedOver{}, 0, d.len)
			over += d.len
			continue
		}
		if over > 0 {
			if err := r.pass(over); err != nil {
				return err
			}
			over = 0
		}
		p := rest[:d.len:d.len]
		rest = rest[d.len:]
		k, err := io.ReadFull(r.in, p)
		if r.off += int64(k); err != nil {
			return unexpected(err)
		}
		if err := dir.take(b, i, p); err != nil {
			damage = err
		}
	}
	if over > 0 {
		if err := r.pass(over); err != nil {
			return err
		}
	}
	return damage
}
