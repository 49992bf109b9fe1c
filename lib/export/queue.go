package export

import (
	"net/netip"

	"nfpipe/lib/netflow"
)

// queue is messages one after the other.
type queue struct {
	data  []byte
	items []item
}

type item struct {
	end     int // in data, where the next one begins
	from    netip.AddrPort
	domain  uint32
	records uint32
	advance uint32 // of the sequence number by it...
	skipped uint32 // ...and by those that were dropped before it
	needs   []*netflow.Announcement
}

const itemSize = 96 // what a message costs beside its bytes

func (q *queue) size() int { return len(q.data) + itemSize*len(q.items) }

func (q *queue) reset() {
	clear(q.items) // their needs
	q.data, q.items = q.data[:0], q.items[:0]
}

// at is the bytes of message i.
func (q *queue) at(i int) []byte {
	start := 0
	if i > 0 {
		start = q.items[i-1].end
	}
	return q.data[start:q.items[i].end]
}

// records counts those of the messages from i on.
func (q *queue) records(i int) (n uint64) {
	for _, m := range q.items[i:] {
		n += uint64(m.records)
	}
	return n
}
