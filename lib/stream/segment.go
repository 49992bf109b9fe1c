package stream

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// Where segments begin and end, and what is said of them.

// segment is what is known of one segment.
type segment struct {
	start   int64
	read    uint64 // records given out
	lost    uint64 // records of frames that could not be given out
	damaged bool   // some of it was not as it should be
	whole   bool   // its head was there

	later atomic.Uint64 // records of frames that proved to be damaged after they were given out
}

// end notes why there is no frame at an offset, and ends the stream.
func (r *Reader) end(at int64, err error) {
	r.err, r.why = io.EOF, "the input ends without an end frame"
	records := uint64(0)
	if r.seg != nil {
		records = r.seg.read
	}
	switch {
	case r.opt.Open && r.seg != nil && unexpected(err) == io.ErrUnexpectedEOF:
		r.why = "" // it does not end
		r.problem(Open, stillOpen)
	case err == io.EOF && !r.any && at == 0:
		r.damage(Truncated, "no flow stream: the input is empty")
	case err == io.EOF && r.seg == nil:
	case err == io.EOF:
		r.damage(Truncated, "truncated after %d records", records)
	case err == io.ErrUnexpectedEOF:
		r.damage(Truncated, "truncated after %d records, in the middle of a frame", records)
	case isDamage(err):
		r.why = unread
		hint := "; nfcat --recover reads what follows"
		if r.opt.Recover || errors.Is(err, ErrUnsupported) || !r.any {
			hint = ""
		}
		r.damage(Partial, "offset %d: %v%s", at, err, hint)
	default:
		r.err = fmt.Errorf("%s: offset %d: %w", r.opt.Name, r.off, err)
	}
}

// stillOpen is what is said of a segment that its writer has not ended yet.
const stillOpen = "still being written; read up to the last whole frame"

// unread is the reason of an End that tells no more.
const unread = "not all of it could be read"

// begin starts a segment.
func (r *Reader) begin(at int64, whole bool) {
	r.seg = &segment{start: at, whole: whole, damaged: r.spoilt}
	r.spoilt, r.any = false, true
}

// madeUpHead begins a segment whose head is missing.
func (r *Reader) madeUpHead() *Item {
	r.begin(r.off, false)
	return &Item{Kind: KindHead, Offset: r.off, seg: r.seg, Head: &Head{Features: knownFeatures}}
}

// madeUpEnd ends a segment whose End is missing.
func (r *Reader) madeUpEnd() *Item {
	it := &Item{Kind: KindEnd, Offset: r.off, seg: r.seg, End: &End{Status: Partial, Reason: r.why, Records: r.seg.read}}
	switch {
	case r.why != "":
	case r.seg.damaged:
		it.End.Reason = unread
	default:
		it.End.Status = Open
	}
	r.seg = nil
	return it
}

// finish compares an End with what was read of its segment.
func (r *Reader) finish(it *Item) {
	s, e := r.seg, it.End
	switch known := s.read + s.lost; {
	case e.Records != known && s.lost > 0:
		r.damage(Partial, "offset %d: segment of %d records, %d read and %d lost", it.Offset, e.Records, s.read, s.lost)
	case e.Records != known:
		r.damage(Partial, "offset %d: segment of %d records, %d read", it.Offset, e.Records, s.read)
	case s.whole && !s.damaged && e.Length != uint64(r.off-s.start):
		r.damage(Partial, "offset %d: segment of %d bytes, %d read", it.Offset, e.Length, r.off-s.start)
	}
	switch e.Status {
	case Aborted:
		r.problem(Aborted, "%s", printable(e.Reason))
	case Partial:
		r.problem(Partial, "its input was damaged: %s", printable(e.Reason))
	case Open:
		r.problem(Open, stillOpen)
	}
	if s.damaged && e.Status < Partial {
		e.Status, e.Reason = Partial, unread
		if e.Records > s.read {
			e.Reason = fmt.Sprintf("%d of %d records lost", e.Records-s.read, e.Records)
		}
	}
	r.seg = nil
}
