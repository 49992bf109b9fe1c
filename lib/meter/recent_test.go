package meter

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"nfpipe/lib/packet"
)

// An entry is three cache lines: what a look-up needs, and one a direction.
func TestEntrySize(t *testing.T) {
	if n := unsafe.Sizeof(entry{}); n != 192 {
		t.Errorf("an entry has %d bytes, want 192", n)
	}
}

// What was seen longest ago is evicted, whatever its timeout.
func TestEvictsLeastRecentlySeen(t *testing.T) {
	const limit = 50
	r := rand.New(rand.NewPCG(1, 2))
	var order []int // flows in the cache, by the time they were last seen
	var got, want []int
	m := New(Config{MaxFlows: limit}, func(r *Record) {
		if r.End == LackOfResources {
			got = append(got, int(r.SrcPort))
		}
	})
	for i := range 5000 {
		n := r.IntN(3 * limit)
		p := numbered(n, 10+float64(i)/1000)
		if n%3 == 0 {
			p.Proto = packet.ProtoTCP
		}
		if n%9 == 0 {
			p.TCPFlags = tcpRST // which is due in 5 seconds
		}
		if at := slices.Index(order, n); at >= 0 {
			order = slices.Delete(order, at, at+1)
		} else if len(order) == limit {
			want = append(want, order[0])
			order = order[1:]
		}
		order = append(order, n)
		m.Add([]packet.Packet{p})
	}
	if len(want) < 1000 || !slices.Equal(got, want) {
		t.Errorf("%d flows evicted, %d wanted, or in another order", len(got), len(want))
	}
	if uint64(len(got)) != m.Stats().Evicted {
		t.Errorf("%d evicted, stats %+v", len(got), m.Stats())
	}
	for _, empty := range []func(){m.Flush, m.Clear} {
		empty()
		got = nil
		for n := range 2 * limit {
			m.Add([]packet.Packet{numbered(n, 100)})
		}
		if m.Stats().Active != limit || len(got) != limit || got[0] != 0 || got[limit-1] != limit-1 {
			t.Errorf("emptied and filled: %v evicted, %+v", got, m.Stats())
		}
	}
}
