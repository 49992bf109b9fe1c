package stream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// A reader that knows which columns are wanted passes over the others: in a pipe their bytes are
// not even copied. With Leave the bytes behind the last wanted column stay in the input until
// the frame is written with passLeft, or the next frame is read.

// discarder is an input that can pass over bytes, or hand them on, without reading them.
type discarder interface {
	io.Reader
	Discard(n int64) error
	CopyTo(w io.Writer, n int64) error
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

// copyLeft writes what is left of a frame in the input.
func (r *Reader) copyLeft(w io.Writer) (int64, error) {
	n := int64(r.left)
	k := min(r.left, r.in.Buffered())
	p, err := r.in.Peek(k)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(p); err != nil {
		return 0, err
	}
	r.in.Discard(k)
	if err := r.skips.CopyTo(w, int64(r.left-k)); err != nil {
		return int64(k), err
	}
	r.off += n
	r.left = 0
	return n, nil
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
	if r.opt.Leave {
		last := len(wanted) - 1
		for ; !wanted[last]; last-- {
		}
		for i := range wanted[:last] {
			wanted[i] = true
		}
	}
	buf := bodyPool.Get().(*[]byte)
	b.Defer(func() { bodyPool.Put(buf) })
	p, err := r.pickRows(b, dir, wanted, buf)
	if r.opt.Leave {
		it.body = p
	}
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

// pickRows reads the wanted rows into buf and returns what of it they take.
func (r *Reader) pickRows(b *flow.Batch, dir directory, wanted []bool, buf *[]byte) ([]byte, error) {
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
				return nil, err
			}
			over = 0
		}
		p := rest[:d.len:d.len]
		rest = rest[d.len:]
		k, err := io.ReadFull(r.in, p)
		if r.off += int64(k); err != nil {
			return nil, unexpected(err)
		}
		if err := dir.take(b, i, p); err != nil {
			damage = err
		}
	}
	r.left = over
	if !r.opt.Leave || damage != nil {
		if err := r.passLeft(); err != nil {
			return nil, err
		}
	}
	return (*buf)[:need:need], damage
}

// passLeft passes over what is left of a frame.
func (r *Reader) passLeft() error {
	n := r.left
	r.left = 0
	if n == 0 {
		return nil
	}
	return r.pass(n)
}

// passOn is Pass for a frame of which a part is left in the input.
func (w *Writer) passOn(r *Reader, it *Item) error {
	w.put(w.begin(it))
	if w.err == nil && r.left > 0 {
		var n int64
		n, w.err = r.copyLeft(w.w)
		w.length += uint64(n)
	}
	w.add(it.Batch.Selected(), &it.Batch.Totals)
	return w.err
}

// reselect returns the start of a frame with another selection, the selection's block, and the
// body behind it.
func reselect(head, body []byte, b *flow.Batch) ([]byte, *column.Block, []byte) {
	block := selectionBlock(b.Sel, b.N)
	header := head[prefixLen:]
	rows := int(binary.LittleEndian.Uint16(header[fixedIn-2:]))
	at := len(header) - rows*rowLen
	size := int(binary.LittleEndian.Uint32(head[12:])) + len(block.Data)
	out := append(make([]byte, 0, len(header)+rowLen), header[:at]...)
	out = appendRow(out, flow.Key{ID: selectionRow}, block, -1)
	c := cursor{b: header[at:]}
	if first := parseRow(&c, 0); first.key.ID == selectionRow {
		body, size, at = body[first.len:], size-first.len, at+rowLen
	} else {
		rows++
	}
	out = append(out, header[at:]...)
	binary.LittleEndian.PutUint32(out[4:], uint32(b.Selected()))
	binary.LittleEndian.PutUint16(out[fixedIn-2:], uint16(rows))
	return appendFrame(nil, KindRecords, out, size), block, body
}
