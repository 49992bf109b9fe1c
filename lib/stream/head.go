package stream

import (
	"encoding/binary"

	"nfpipe/lib/flow"
)

// Required features of a segment: a reader that lacks one of them stops.
const (
	FeatureSelection uint64 = 1 << iota // frames may say which of their records count
	knownFeatures           = FeatureSelection
)

// Head starts a segment.
//
//	8 required features
//	8 time of creation, nanoseconds since the epoch, 0 if withheld
//	history (see appendHistory)
type Head struct {
	Features uint64
	Created  uint64
	History  History
}

func (h *Head) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, h.Features)
	dst = binary.LittleEndian.AppendUint64(dst, h.Created)
	full := h.History.append(dst)
	for _, most := range []int{2048, 0} { // a reader refuses a larger header
		if len(full) <= maxHeader {
			break
		}
		short := h.History.cut(most)
		full = short.append(dst)
	}
	return full
}

func parseHead(b []byte) (Head, error) {
	c := cursor{b: b}
	h := Head{Features: c.u64(), Created: c.u64()}
	h.History = parseHistory(&c)
	return h, c.err
}

// Status is how a segment ended; of several the greatest wins.
type Status uint8

const (
	Complete  Status = iota
	Open             // read up to the last whole frame of a file still being written
	Partial          // its own input was damaged
	Aborted          // its writer gave up; Reason says why
	Truncated        // no End at all (never written)
)

func (s Status) String() string {
	return [...]string{"complete", "open", "partial", "aborted", "truncated", "?"}[min(s, Truncated+1)]
}

// Losses is what a collector knows to be missing from the records.
type Losses struct {
	SequenceGaps     uint64 // records or packets that sequence numbers show as lost
	Drops            uint64 // packets dropped by the kernel, records dropped from a full queue
	UnknownTemplates uint64 // data sets without their template
}

// Bounds of an End frame; a writer leaves out what goes beyond.
const (
	endTail   = 16 // bytes at a fixed place before its end
	maxReason = 4096
	maxCounts = 2 * maxHistory
)

// End ends a segment.
//
//	1 status, text reason
//	8 records
//	1 totals follow, [totals]
//	uvarint losses: sequence gaps, drops, unknown templates
//	uvarint counts, each: uvarint history entry, read, matched, written
//	8 segment length with this frame
//	4 length of this frame
//	4 magic 53 46 4e 8e
type End struct {
	Status    Status
	Reason    string
	Records   uint64
	Totals    flow.Totals
	HasTotals bool
	Losses    Losses
	Counts    []Count
	Length    uint64 // of the segment; filled in by Writer
}

// Count is what a tool of the history did.
type Count struct {
	Entry                  int
	Read, Matched, Written uint64
}

func (e *End) append(dst []byte) []byte {
	dst = appendText(append(dst, byte(e.Status)), e.Reason[:min(len(e.Reason), maxReason)])
	dst = binary.LittleEndian.AppendUint64(dst, e.Records)
	if e.HasTotals {
		dst = appendTotals(append(dst, 1), &e.Totals)
	} else {
		dst = append(dst, 0)
	}
	for _, x := range []uint64{e.Losses.SequenceGaps, e.Losses.Drops, e.Losses.UnknownTemplates, uint64(min(len(e.Counts), maxCounts))} {
		dst = binary.AppendUvarint(dst, x)
	}
	for _, c := range e.Counts[:min(len(e.Counts), maxCounts)] {
		for _, x := range []uint64{uint64(c.Entry), c.Read, c.Matched, c.Written} {
			dst = binary.AppendUvarint(dst, x)
		}
	}
	return dst
}

// appendFrame returns the whole End frame of a segment that has before bytes so far.
func (e *End) appendFrame(before uint64) []byte {
	header := e.append(nil)
	n := prefixLen + len(header) + endTail
	header = binary.LittleEndian.AppendUint64(header, before+uint64(n))
	header = binary.LittleEndian.AppendUint32(header, uint32(n))
	header = append(header, endMagic...)
	return appendFrame(nil, KindEnd, header, 0)
}

func parseEnd(b []byte) (End, error) {
	if len(b) < endTail {
		return End{}, corrupt("end frame of %d bytes", len(b))
	}
	c, tail := cursor{b: b[:len(b)-endTail]}, cursor{b: b[len(b)-endTail:]}
	e := End{Status: Status(c.u8()), Reason: c.text(), Records: c.u64()}
	if e.Status >= Truncated {
		c.fail("end status %d", e.Status)
	}
	switch has := c.u8(); has {
	case 0:
	case 1:
		e.HasTotals = true
		e.Totals = parseTotals(&c)
	default:
		c.fail("totals flag %d", has)
	}
	e.Losses = Losses{c.uvarint(), c.uvarint(), c.uvarint()}
	for range c.count(maxCounts) {
		e.Counts = append(e.Counts, Count{int(min(c.uvarint(), maxHistory)), c.uvarint(), c.uvarint(), c.uvarint()})
	}
	e.Length = tail.u64()
	if n := tail.u32(); n != uint32(prefixLen+len(b)) {
		c.fail("end frame of %d bytes that says %d", prefixLen+len(b), n)
	}
	if string(tail.take(4)) != endMagic {
		c.fail("end frame without its magic")
	}
	return e, c.err
}

// appendTotals appends 14 numbers of 8 bytes: flows, packets and bytes, each tcp, udp, icmp,
// other; first and last.
func appendTotals(dst []byte, t *flow.Totals) []byte {
	for _, set := range []*[flow.Classes]uint64{&t.Flows, &t.Packets, &t.Bytes} {
		for _, x := range set {
			dst = binary.LittleEndian.AppendUint64(dst, x)
		}
	}
	dst = binary.LittleEndian.AppendUint64(dst, t.First)
	return binary.LittleEndian.AppendUint64(dst, t.Last)
}

func parseTotals(c *cursor) flow.Totals {
	var t flow.Totals
	for _, set := range []*[flow.Classes]uint64{&t.Flows, &t.Packets, &t.Bytes} {
		for i := range set {
			set[i] = c.u64()
		}
	}
	t.First, t.Last = c.u64(), c.u64()
	return t
}
