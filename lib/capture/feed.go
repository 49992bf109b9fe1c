package capture

import (
	"errors"
	"io"

	"nfpipe/lib/packet"
)

// Counts is what became of a capture's frames.
type Counts struct {
	Frames      uint64
	NotIP       uint64
	Short       uint64 // cut off before the end of the IP header
	Malformed   uint64
	UnknownLink uint64 // of a link type without a decoder
}

// Add adds the counts of another capture.
func (c *Counts) Add(d *Counts) {
	c.Frames += d.Frames
	c.NotIP += d.NotIP
	c.Short += d.Short
	c.Malformed += d.Malformed
	c.UnknownLink += d.UnknownLink
}

const (
	feedBatch   = 1024 // packets; all batches together should stay in a second-level cache
	feedBatches = 4
)

// Feed reads r to its end and gives the parsed IP packets to use, in batches that
// are valid until use returns. Reading and parsing run in a goroutine of their
// own, beside use. An error of use ends the feed and is returned; so is a reader's
// error other than io.EOF, after use has had all packets before it. The reader and
// the parser are free again when Feed returns.
func Feed(r *Reader, q *packet.Parser, use func([]packet.Packet) error) (Counts, error) {
	var counts Counts
	var readErr error
	free := make(chan []packet.Packet, feedBatches)
	full := make(chan []packet.Packet, feedBatches)
	for range feedBatches {
		free <- make([]packet.Packet, feedBatch)
	}
	go func() {
		defer close(full)
		for batch := range free {
			n, err := r.parse(batch[:feedBatch], q, &counts)
			if n > 0 {
				full <- batch[:n]
			}
			if err != nil {
				readErr = err
				return
			}
		}
	}()
	var useErr error
	for batch := range full {
		if useErr != nil {
			continue // the goroutine's last batches
		}
		if useErr = use(batch); useErr != nil {
			close(free)
			continue
		}
		free <- batch
	}
	switch {
	case useErr != nil:
		return counts, useErr
	case errors.Is(readErr, io.EOF):
		return counts, nil
	}
	return counts, readErr
}

// parse fills a batch and returns how many packets it has.
func (r *Reader) parse(batch []packet.Packet, q *packet.Parser, c *Counts) (int, error) {
	var p Packet
	n := 0
	for n < len(batch) {
		if err := r.Next(&p); err != nil {
			return n, err
		}
		c.Frames++
		out := &batch[n]
		out.Time = p.Time
		switch q.Parse(p.LinkType, p.Data, p.OrigLen, out) {
		case packet.IP:
			n++
		case packet.NotIP:
			c.NotIP++
		case packet.Short:
			c.Short++
		case packet.Malformed:
			c.Malformed++
		default:
			c.UnknownLink++
		}
	}
	return n, nil
}
