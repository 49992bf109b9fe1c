package stream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// Item is one frame of a stream. Which of its fields are set follows from Kind.
type Item struct {
	Kind   Kind
	Head   *Head       // KindHead; for a segment whose head was lost the reader makes one up
	Batch  *flow.Batch // KindRecords
	End    *End        // KindEnd; for a segment that was cut off the reader makes one up
	Table  *Table      // KindSide
	Tick   *Tick       // KindTick
	Offset int64       // of the frame in its input
	Before uint64      // selected records before it
	Count  uint64      // of its own selected records, as they came
	// Length is the bytes of the frame, and of what was lost or passed over before it: those of
	// all items are what was taken of the input.
	Length int64

	seg    *segment
	lost   bool   // Lost was told
	prefix []byte // the frame's first bytes, header included
	body   []byte // in memory; nil when the columns lie in the file
	file   io.ReaderAt
	size   int64 // of the body in the file
}

// Options of a Reader.
type Options struct {
	Name    string // of the input, for messages
	Recover bool   // read on at the next frame after bytes that are none
	// Lazy makes the reader leave columns in a regular file until they are asked for. The file
	// is read from its beginning, wherever its offset stands.
	Lazy bool
	// Open says that the input is still being written: where it stops, even in the middle of a
	// frame, it is not cut off but open.
	Open bool
	// Want lists the columns that will be asked for. The reader may pass over others, and then
	// they cannot be decoded, nor the frame passed on. Nil is all.
	Want []flow.Key
	// Leave makes it read columns up to the last wanted and leave the rest of the frame in the
	// input: a Transform hands it on unread.
	Leave bool
}

// Reader reads a stream.
type Reader struct {
	opt       Options
	in        *bufio.Reader
	skips     discarder   // in, when it can pass over columns that are not wanted
	left      int         // bytes of the frame before that are still in the input
	file      io.ReaderAt // when columns may stay in the file
	off       int64
	told      int64 // the offset behind the item before
	err       error
	any       bool     // a segment was seen
	seg       *segment // nil between segments
	spoilt    bool     // there was damage since the last segment
	total     uint64   // records given out
	why       string   // the input ended without an end frame
	rescanned int64    // bytes before this offset are not put back again

	mu       sync.Mutex
	status   Status
	problems []string
}

const bufLen = 64 << 10

// NewReader reads from r. For a lazy reader r must be an io.ReaderAt too.
func NewReader(r io.Reader, o Options) *Reader {
	if at, ok := r.(io.ReaderAt); ok && o.Lazy && !o.Recover {
		return &Reader{opt: o, file: at}
	}
	n := bufLen
	if o.Recover {
		n = maxHeader + bufLen
	}
	x := &Reader{opt: o, in: bufio.NewReaderSize(r, n)}
	x.picks(r)
	return x
}

// Status is the worst that was met so far, and what there is to say about it, a line each.
func (r *Reader) Status() (Status, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.problems
}

func (r *Reader) problem(s Status, format string, a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = max(r.status, s)
	const most = 100
	if len(r.problems) < most {
		r.problems = append(r.problems, r.opt.Name+": "+fmt.Sprintf(format, a...))
	} else if len(r.problems) == most {
		r.problems = append(r.problems, r.opt.Name+": more damage, not listed")
	}
}

// damage is a problem of the segment that is being read, or of the next one.
func (r *Reader) damage(s Status, format string, a ...any) {
	if r.seg != nil {
		r.seg.damaged = true
	} else {
		r.spoilt = true
	}
	r.problem(s, format, a...)
}

// Lost takes an error that decoding an item gave. Damage costs the frame: it is noted and nil
// returned. Other errors are returned as they are. It may be called from any goroutine.
func (r *Reader) Lost(it *Item, err error) error {
	if !errors.Is(err, column.ErrCorrupt) && !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if it.lost {
		return nil
	}
	it.lost = true
	if it.Batch == nil {
		r.problem(Partial, "frame at offset %d: %v", it.Offset, err)
		return nil
	}
	if it.seg != nil {
		it.seg.later.Add(it.Count)
	}
	r.problem(Partial, "frame at offset %d: %v; %d records lost", it.Offset, err, it.Count)
	return nil
}

// Next returns the next frame, io.EOF after the last. Damage does not make it fail: it ends
// the stream early or costs a frame, and Status tells. What fails is reading itself.
func (r *Reader) Next() (*Item, error) {
	it, err := r.next()
	if it != nil {
		it.Length, r.told = r.off-r.told, r.off
	}
	return it, err
}

func (r *Reader) next() (*Item, error) {
	for r.err == nil {
		at := r.off
		it, err := (*Item)(nil), r.passLeft()
		if err == nil {
			at = r.off
			it, err = r.frame()
		}
		if err != nil {
			r.end(at, err)
		} else if it != nil {
			return it, nil
		}
	}
	switch {
	case r.seg != nil:
		return r.madeUpEnd(), nil
	case r.spoilt && r.any: // a tool that passes the stream on must have a place to say so
		r.why = "what follows the segment before could not be read"
		return r.madeUpHead(), nil
	}
	return nil, r.err
}

// frame reads one frame. A nil item is a frame, or bytes that were none, that was lost.
func (r *Reader) frame() (*Item, error) {
	at := r.off
	head, p, err := r.header()
	if err != nil {
		if r.opt.Recover && isDamage(err) {
			return nil, r.resync(at, err)
		}
		return nil, err
	}
	switch {
	case !p.kind.known() && !p.kind.Skippable():
		return nil, fmt.Errorf("%w: frame kind %s", ErrUnsupported, p.kind)
	case p.kind == KindHead && r.seg != nil:
		r.damage(Truncated, "offset %d: the segment before ends without an end frame, after %d records", at, r.seg.read)
		r.why = "the segment ends without an end frame"
		return r.madeUpEnd(), nil
	case p.kind != KindHead && r.seg == nil && !r.opt.Recover:
		return nil, corrupt("%s frame without a head frame before it", p.kind)
	case p.kind != KindHead && r.seg == nil:
		if !r.spoilt { // otherwise it was said where the head was lost
			r.damage(Partial, "offset %d: %s frame without a head frame before it", at, p.kind)
		}
		return r.madeUpHead(), nil
	}
	if r.file == nil {
		head = bytes.Clone(head)
	}
	if err := r.consume(len(head)); err != nil {
		return nil, err
	}
	it := &Item{Kind: p.kind, Offset: at, seg: r.seg, prefix: head}
	return r.content(it, head[prefixLen:], p.body)
}

// content reads what follows from the kind of a frame. What is wrong in it costs the frame
// alone, for the checksum of the header was right and so its lengths can be trusted; but
// without its Head or End a segment can only be read if the rest is wanted at any price.
func (r *Reader) content(it *Item, header []byte, body int) (*Item, error) {
	var err error
	switch it.Kind {
	case KindRecords:
		return r.records(it, header, body)
	case KindHead, KindEnd, KindTick:
		if err = r.parse(it, header, body); err == nil {
			return it, nil
		}
		if !r.opt.Recover && it.Kind != KindTick || errors.Is(err, ErrUnsupported) {
			return nil, err
		}
		r.damage(Partial, "%s frame at offset %d: %v", it.Kind, it.Offset, err)
		return nil, r.consume(body)
	}
	p, err := r.bytes(body, nil)
	if err != nil {
		if err == io.ErrUnexpectedEOF && r.rescan(it.Offset, p, false) {
			err = r.resync(it.Offset, err)
		}
		return nil, err
	}
	it.body = p
	if it.Kind != KindSide {
		return it, nil
	}
	if it.Table, err = parseTable(header, p); err == nil {
		return it, nil
	}
	if r.rescan(it.Offset, p, true) {
		return nil, r.resync(it.Offset, err)
	}
	r.damage(Partial, "side frame at offset %d: %v", it.Offset, err)
	return nil, nil
}

// parse reads a frame that is all header.
func (r *Reader) parse(it *Item, header []byte, body int) error {
	if body != 0 {
		return corrupt("a body of %d bytes in a %s frame", body, it.Kind)
	}
	switch it.Kind {
	case KindHead:
		h, err := parseHead(header)
		if err == nil && h.Features&^knownFeatures != 0 {
			err = fmt.Errorf("%w: required features %x", ErrUnsupported, h.Features&^knownFeatures)
		}
		if err != nil {
			return err
		}
		r.begin(it.Offset, true)
		it.Head, it.seg = &h, r.seg
		return nil
	case KindTick:
		t, err := parseTick(header)
		it.Tick = &t
		return err
	}
	e, err := parseEnd(header)
	if err != nil {
		return err
	}
	it.End = &e
	r.finish(it)
	return nil
}

var bodyPool = sync.Pool{New: func() any { return new([]byte) }}

// records reads a frame of records. In memory every column's checksum is verified; a lazy
// reader does so when a column is asked for.
func (r *Reader) records(it *Item, header []byte, body int) (*Item, error) {
	b, dir, err := parseRecords(header, body)
	if err != nil { // how many records are lost, End may tell
		r.damage(Partial, "frame at offset %d: %v", it.Offset, err)
		return nil, r.consume(body)
	}
	it.Batch = b
	if r.file != nil && dir.lazy(b) {
		r.place(it, dir.rows)
		if err := r.consume(body); err != nil {
			return nil, err
		}
		return r.give(it, dir.selected), nil
	}
	if r.skips != nil {
		return r.pick(it, dir)
	}
	buf := bodyPool.Get().(*[]byte)
	b.Defer(func() { bodyPool.Put(buf) })
	p, err := r.bytes(body, buf)
	whole := err == nil
	if whole {
		it.body = p
		if err = dir.attach(b, p); err == nil {
			return r.give(it, dir.selected), nil
		}
	}
	defer b.Release()
	if !isDamage(err) {
		return nil, err
	}
	if r.rescan(it.Offset, p, whole) {
		if err := r.resync(it.Offset, fmt.Errorf("%w; %d records lost", err, dir.selected)); err != nil {
			return nil, err
		}
		r.seg.lost += uint64(dir.selected)
		return nil, nil
	}
	if !whole {
		return nil, err
	}
	r.seg.lost += uint64(dir.selected)
	r.damage(Partial, "frame at offset %d: %v; %d records lost", it.Offset, err, dir.selected)
	return nil, nil
}

// give counts a frame of records.
func (r *Reader) give(it *Item, selected int) *Item {
	it.Before, it.Count = r.total, uint64(selected)
	r.seg.read += uint64(selected)
	r.total += uint64(selected)
	return it
}

// place tells the columns where in the file they lie.
func (r *Reader) place(it *Item, dir []row) {
	b := it.Batch
	it.file = r.file
	for _, d := range dir {
		it.size += int64(d.len)
	}
	base := it.Offset + int64(len(it.prefix))
	b.Codes.FromFile(r.file, base+int64(dir[0].off), dir[0].len)
	for i, d := range dir[1:] {
		b.Cols[i].FromFile(r.file, base+int64(d.off), d.len)
	}
}

// Each gives every batch of the stream to f, in order, and releases it after. Damage that f
// meets costs the frame.
func (r *Reader) Each(f func(*flow.Batch) error) error {
	for {
		it, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if it.Kind != KindRecords {
			continue
		}
		err = f(it.Batch)
		it.Batch.Release()
		if err != nil {
			if err = r.Lost(it, err); err != nil {
				return err
			}
		}
	}
}
