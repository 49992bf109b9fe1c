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
	Head   *Head       // KindHead
	Batch  *flow.Batch // KindRecords
	End    *End        // KindEnd; for a segment that was cut off the reader makes one up
	Offset int64       // of the frame in its input
	Before uint64      // selected records before it

	prefix []byte // the frame's first bytes, header included
	body   []byte // in memory; nil when the columns lie in the file
	file   io.ReaderAt
	size   int64 // of the body in the file
}

// Options of a Reader.
type Options struct {
	Name    string // of the input, for messages
	Recover bool   // read on at the next frame after bytes that are none
	// Lazy makes the reader leave columns in a regular file until they are asked for.
	Lazy bool
}

// Reader reads a stream.
type Reader struct {
	opt   Options
	in    *bufio.Reader
	file  io.ReaderAt // when columns may stay in the file
	off   int64
	err   error
	inSeg bool
	any   bool // a frame was seen
	count uint64 // records of the segment
	total uint64 // records

	mu       sync.Mutex
	lost     uint64
	status   Status
	problems []string
}

const bufLen = 64 << 10

// NewReader reads from r. For a lazy reader r must be an io.ReaderAt too.
func NewReader(r io.Reader, o Options) *Reader {
	n := bufLen
	if o.Recover {
		n = maxHeader + bufLen
	}
	x := &Reader{opt: o, in: bufio.NewReaderSize(r, n)}
	if at, ok := r.(io.ReaderAt); ok && o.Lazy && !o.Recover {
		x.file = at
		x.in = nil
	}
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

// Lost takes an error that decoding an item gave. Damage costs the frame: it is noted and nil
// returned. Other errors are returned as they are.
func (r *Reader) Lost(it *Item, err error) error {
	if !errors.Is(err, column.ErrCorrupt) && !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	r.mu.Lock()
	r.lost += uint64(it.Batch.Selected())
	r.mu.Unlock()
	r.problem(Partial, "frame at offset %d: %v; %d records lost", it.Offset, err, it.Batch.Selected())
	return nil
}

// Next returns the next frame, io.EOF after the last. Damage does not make it fail: it ends
// the stream early or costs a frame, and Status tells. What fails is reading itself.
func (r *Reader) Next() (*Item, error) {
	for r.err == nil {
		it, err := r.frame()
		switch {
		case err == io.EOF && !r.any && r.off == 0:
			r.problem(Truncated, "no flow stream: the input is empty")
			r.err = io.EOF
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			r.err = io.EOF
			if err != io.EOF || r.inSeg {
				return r.cutOff(err)
			}
		case err != nil && (errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnsupported)):
			return r.stop(err)
		case err != nil:
			r.err = fmt.Errorf("%s: offset %d: %w", r.opt.Name, r.off, err)
		case it == nil: // a damaged frame; go on
		default:
			if end := r.track(it); end != nil {
				return end, nil
			}
			return it, nil
		}
	}
	if it := r.pending(); it != nil {
		return it, nil
	}
	return nil, r.err
}

// cutOff ends a segment that has no End.
func (r *Reader) cutOff(err error) (*Item, error) {
	what := "truncated after %d records"
	if err == io.ErrUnexpectedEOF {
		what = "truncated after %d records, in the middle of a frame"
	}
	r.problem(Truncated, what, r.count)
	return r.pendingOrEOF()
}

// stop ends the stream at bytes that cannot be read.
func (r *Reader) stop(err error) (*Item, error) {
	hint := "; nfcat --recover reads what follows"
	if errors.Is(err, ErrUnsupported) || !r.any {
		hint = ""
	}
	r.problem(Partial, "offset %d: %v%s", r.off, err, hint)
	r.err = io.EOF
	return r.pendingOrEOF()
}

func (r *Reader) pendingOrEOF() (*Item, error) {
	if it := r.pending(); it != nil {
		return it, nil
	}
	return nil, io.EOF
}

// pending is the End of a segment that has none.
func (r *Reader) pending() *Item {
	if !r.inSeg {
		return nil
	}
	r.inSeg = false
	return &Item{Kind: KindEnd, Offset: r.off, End: &End{Status: Partial, Reason: "input ends without an end frame", Records: r.count}}
}

// track follows segments. When a Head comes before the End of the segment before, it returns
// the End that is missing, and the Head comes back as the next item.
func (r *Reader) track(it *Item) *Item {
	switch it.Kind {
	case KindHead:
		r.inSeg, r.count, r.lost = true, 0, 0
	case KindRecords:
		it.Before = r.total
		r.count += uint64(it.Batch.Selected())
		r.total += uint64(it.Batch.Selected())
	case KindEnd:
		r.inSeg = false
		e := it.End
		r.mu.Lock()
		missing := int64(e.Records) - int64(r.count)
		r.mu.Unlock()
		switch {
		case missing != 0 && e.Status == Complete:
			r.problem(Partial, "offset %d: segment of %d records, %d read", it.Offset, e.Records, r.count)
			e.Status, e.Reason = Partial, "records were lost on the way"
		case e.Status == Aborted:
			r.problem(Aborted, "%s", e.Reason)
		case e.Status == Partial:
			r.problem(Partial, "its input was damaged: %s", e.Reason)
		case e.Status == Open:
			r.problem(Open, "still being written; read up to the last whole frame")
		}
	}
	return nil
}

// frame reads one frame. A nil item is a frame that was lost.
func (r *Reader) frame() (*Item, error) {
	at := r.off
	head, err := r.peek(prefixLen)
	if err != nil {
		return nil, err
	}
	p, err := parsePrefix(head)
	if err != nil {
		return nil, r.resync(at, err)
	}
	if head, err = r.peek(prefixLen + p.header); err != nil {
		if r.opt.Recover && unexpected(err) == io.ErrUnexpectedEOF {
			return nil, r.resync(at, corrupt("frame header of %d bytes at the end", p.header))
		}
		return nil, unexpected(err)
	}
	head = bytes.Clone(head)
	if checksum(head[:16], head[prefixLen:]) != p.crc {
		return nil, r.resync(at, corrupt("bad checksum in a frame header"))
	}
	if p.kind == KindHead && r.inSeg {
		r.problem(Truncated, "offset %d: the segment before ends without an end frame, after %d records", at, r.count)
		return r.pending(), nil
	}
	if err := r.consume(len(head)); err != nil {
		return nil, err
	}
	it := &Item{Kind: p.kind, Offset: at, prefix: head}
	known := p.kind == KindRecords || p.kind == KindHead || p.kind == KindEnd
	switch {
	case !known && !p.kind.Skippable():
		r.off = at
		return nil, fmt.Errorf("%w: frame kind %d", ErrUnsupported, p.kind)
	case !r.any && p.kind != KindHead && !r.opt.Recover:
		return nil, corrupt("stream does not start with a head frame")
	}
	r.any = true
	switch p.kind {
	case KindHead, KindEnd:
		return it, r.parseEnds(it, head[prefixLen:], p.body)
	case KindRecords:
		return r.records(it, head[prefixLen:], p.body)
	}
	it.body, err = r.bytes(p.body, nil)
	return it, unexpected(err)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *Reader) parseEnds(it *Item, header []byte, body int) error {
	if body != 0 {
		return corrupt("%d bytes in a frame that has none", body)
	}
	if it.Kind == KindEnd {
		e, err := parseEnd(header)
		it.End = &e
		return err
	}
	h, err := parseHead(header)
	if err == nil && h.Features&^knownFeatures != 0 {
		return fmt.Errorf("%w: required features %x", ErrUnsupported, h.Features&^knownFeatures)
	}
	it.Head = &h
	return err
}

var bodyPool = sync.Pool{New: func() any { return new([]byte) }}

// records reads a frame of records. In memory every column's checksum is verified; a lazy
// reader does so when a column is asked for.
func (r *Reader) records(it *Item, header []byte, body int) (*Item, error) {
	b, dir, err := parseRecords(header, body)
	if err != nil {
		// The header's checksum was right, so the frame's length can be trusted.
		r.problem(Partial, "frame at offset %d: %v", it.Offset, err)
		_, err := r.bytes(body, nil)
		return nil, unexpected(err)
	}
	it.Batch = b
	selected := int(uint32(header[4]) | uint32(header[5])<<8 | uint32(header[6])<<16 | uint32(header[7])<<24)
	if r.file != nil && dir[0].key.ID == shapeRow && selected == b.N {
		r.place(it, dir)
		return it, r.consume(body)
	}
	buf := bodyPool.Get().(*[]byte)
	if it.body, err = r.bytes(body, buf); err != nil {
		bodyPool.Put(buf)
		return nil, unexpected(err)
	}
	b.Defer(func() { bodyPool.Put(buf) })
	if err := it.attach(dir, selected); err != nil {
		r.count += uint64(selected)
		r.problem(Partial, "frame at offset %d: %v; %d records lost", it.Offset, err, selected)
		r.count -= uint64(selected)
		return nil, nil
	}
	return it, nil
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

// attach gives the columns their blocks of the body and checks all checksums.
func (it *Item) attach(dir []row, selected int) error {
	b := it.Batch
	cols := len(dir) - len(b.Cols)
	for i, d := range dir {
		p := it.body[d.off : d.off+d.len : d.off+d.len]
		if column.Checksum(p) != d.block.CRC {
			return corrupt("column %s: bad checksum", d.key.ID)
		}
		switch {
		case i >= cols:
			b.Cols[i-cols].Block.Data = p
		case d.key.ID == shapeRow:
			b.Codes.Block.Data = p
		default:
			sel, err := parseSelection(p, b.N, selected)
			if err != nil {
				return err
			}
			b.Sel = sel
		}
	}
	if b.Sel == nil && selected != b.N {
		return corrupt("%d of %d records selected, but no selection", selected, b.N)
	}
	return nil
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
