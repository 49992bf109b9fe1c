package aggregate

import (
	"math/bits"
	"sync"
)

const (
	chunkBits = 9
	chunkSize = 1 << chunkBits // entries of a chunk
	idBits    = 24
	idMask    = 1<<idBits - 1
	block     = 128 // probes under way at once
)

// shard is a hash table of the groups whose hashes begin alike. An entry is
//
//	packets, bytes, flows, first, last [, opackets, obytes] [, marks], key words
//
// Entries lie in chunks, which never move once they are full-sized; the index has for each
// slot the entry's number+1 and eight bits of its hash.
type shard struct {
	mu     sync.Mutex
	n      int
	index  []uint32
	chunks [][]uint64
}

// entry of number id.
func (s *shard) entry(id uint32, stride int) []uint64 {
	o := int(id&(chunkSize-1)) * stride
	return s.chunks[id>>chunkBits][o : o+stride : o+stride]
}

func tagOf(h uint64) uint32 { return uint32(h>>(64-shardBits-8)) << idBits }

// insert adds the rows j of order, whose keys are packed, to the shard's groups. Row j of the
// keys is row rows[j] of the counters.
func (t *Table) insert(w *work, c *class, s *shard, rows, order []int32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(order) > 0 {
		n := min(len(order), block)
		if err := t.room(c, s, n); err != nil {
			return err
		}
		t.insertBlock(w, c, s, rows, order[:n])
		order = order[n:]
	}
	return nil
}

func (t *Table) insertBlock(w *work, c *class, s *shard, rows, order []int32) {
	var slots [block]uint32
	mask := uint64(len(s.index) - 1)
	for i, j := range order {
		slots[i&(block-1)] = s.index[w.hashes[j]&mask]
	}
	// Touch the entries, so that the misses of the whole block overlap.
	touch := uint64(0)
	for i := range order {
		if id := slots[i&(block-1)] & idMask; id != 0 {
			id--
			touch ^= s.chunks[id>>chunkBits][int(id&(chunkSize-1))*c.stride+c.key]
		}
	}
	w.touched ^= touch
	n := c.words
	for _, j := range order {
		h := w.hashes[j]
		key := w.words[int(j)*n : int(j)*n+n]
		e := s.find(c, h, key, mask)
		if e == nil {
			e = t.create(c, s, h, key, mask)
		}
		w.in.add(e, rows[j])
	}
}

// find is the entry of a key, or nil.
func (s *shard) find(c *class, h uint64, key []uint64, mask uint64) []uint64 {
	tag := tagOf(h)
probe:
	for i := h & mask; ; i = (i + 1) & mask {
		v := s.index[i]
		if v == 0 {
			return nil
		}
		if v&^idMask != tag {
			continue
		}
		e := s.entry(v&idMask-1, c.stride)
		at := e[c.key:]
		for k, x := range key {
			if at[k] != x {
				continue probe
			}
		}
		return e
	}
}

// create makes the entry of a new key; there is room.
func (t *Table) create(c *class, s *shard, h uint64, key []uint64, mask uint64) []uint64 {
	i := h & mask
	for s.index[i] != 0 {
		i = (i + 1) & mask
	}
	id := uint32(s.n)
	s.n++
	s.index[i] = (id + 1) | tagOf(h)
	e := s.entry(id, c.stride)
	e[3] = ^uint64(0)
	copy(e[c.key:], key)
	return e
}

// add adds row r of the counters to an entry.
func (in *counterColumns) add(e []uint64, r int32) {
	a := (*[5]uint64)(e)
	a[0] = saturated(a[0], in.packets[r])
	a[1] = saturated(a[1], in.bytes[r])
	a[2] = saturated(a[2], in.flows[r])
	first := in.first[r]
	if in.marks != nil {
		in.addMarks(e, r, first)
	}
	if first < a[3] {
		a[3] = first
	}
	a[4] = max(a[4], in.last[r])
	if in.opackets != nil {
		e[5] = saturated(e[5], in.opackets[r])
		e[6] = saturated(e[6], in.obytes[r])
	}
}

// addMarks joins the flags, and keeps the type of service of the earliest record; of several
// that start together, the smallest.
func (in *counterColumns) addMarks(e []uint64, r int32, first uint64) {
	at := 5
	if in.opackets != nil {
		at = 7
	}
	m, x := e[at], in.marks[r]
	flags := (m | x) & (markFlags | hasFlags)
	tos := m &^ (markFlags | hasFlags)
	if y := x &^ (markFlags | hasFlags); y&hasTOS != 0 {
		if tos == 0 || first < e[3] || first == e[3] && y < tos {
			tos = y
		}
	}
	e[at] = flags | tos
}

// saturated adds and stops at the largest number.
func saturated(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum | -carry
}

// room makes sure that n entries can be created.
func (t *Table) room(c *class, s *shard, n int) error {
	need := s.n + n
	if need > idMask {
		return t.full()
	}
	if 4*need > 3*len(s.index) {
		if err := t.growIndex(c, s, need); err != nil {
			return err
		}
	}
	for need > len(s.chunks)*chunkSize || len(s.chunks) == 1 && need*c.stride > len(s.chunks[0]) {
		if len(s.chunks) > 1 || len(s.chunks) == 1 && len(s.chunks[0]) == chunkSize*c.stride {
			if err := t.charge(8 * chunkSize * c.stride); err != nil {
				return err
			}
			s.chunks = append(s.chunks, make([]uint64, chunkSize*c.stride))
			continue
		}
		if err := t.firstChunk(c, s, need); err != nil {
			return err
		}
	}
	return nil
}

// firstChunk makes or grows the first chunk, which starts small.
func (t *Table) firstChunk(c *class, s *shard, need int) error {
	size := 16
	for size < chunkSize && size < need {
		size *= 2
	}
	first := make([]uint64, size*c.stride)
	old := 0
	if len(s.chunks) == 1 {
		old = len(s.chunks[0])
		copy(first, s.chunks[0])
	}
	s.chunks = append(s.chunks[:0], first)
	return t.charge(8 * (len(first) - old))
}

func (t *Table) growIndex(c *class, s *shard, need int) error {
	size := max(32, len(s.index))
	for 4*need > 3*size {
		size *= 2
	}
	if err := t.charge(4 * (size - len(s.index))); err != nil {
		return err
	}
	index := make([]uint32, size)
	mask := uint64(size - 1)
	for id := range uint32(s.n) {
		e := s.entry(id, c.stride)
		h := t.hashKey(e[c.key : c.key+c.words])
		i := h & mask
		for index[i] != 0 {
			i = (i + 1) & mask
		}
		index[i] = (id + 1) | tagOf(h)
	}
	s.index = index
	return nil
}
