package aggregate

import (
	"math/bits"
	"sync"
)

const (
	chunkBits = 9
	chunkSize = 1 << chunkBits // entries of a chunk
	maxID     = 1<<24 - 1
	block     = 128 // probes under way at once
)

// shard is a hash table of the groups whose hashes begin alike. An entry is
//
//	packets, bytes, flows, first, last [, opackets, obytes] [, marks], key words
//
// Entries are numbered from 1 and lie in chunks, which never move once they are full-sized. A
// slot of the index has 32 bits of the hash, which give the slot too, and the entry's number.
type shard struct {
	mu     sync.Mutex
	n      int // entries
	index  []uint64
	shift  uint // of a slot or a hash moved up by 32, to the place in the index
	chunks [][]uint64
}

// entry of number id.
func (s *shard) entry(id uint32, stride int) []uint64 {
	o := int(id&(chunkSize-1)) * stride
	return s.chunks[id>>chunkBits][o : o+stride : o+stride]
}

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
	index, shift := s.index, s.shift&63
	for i, j := range order {
		slots[i&(block-1)] = uint32(index[w.hashes[j]<<32>>shift])
	}
	// Touch both ends of the entries, so that the misses of the whole block overlap.
	touch := uint64(0)
	stride := c.stride
	for i := range order {
		id := slots[i&(block-1)]
		e := s.chunks[id>>chunkBits][int(id&(chunkSize-1))*stride:]
		touch ^= e[0] ^ e[stride-1]
	}
	w.touched ^= touch
	n := c.words
	for _, j := range order {
		h := w.hashes[j]
		key := w.words[int(j)*n : int(j)*n+n]
		e := s.find(c, h, key)
		if e == nil {
			e = s.create(c, h, key)
		}
		w.in.add(e, rows[j])
	}
}

// find is the entry of a key, or nil.
func (s *shard) find(c *class, h uint64, key []uint64) []uint64 {
	tag := h << 32
	mask := uint64(len(s.index) - 1)
probe:
	for i := tag >> (s.shift & 63); ; i++ {
		v := s.index[i&mask]
		if v == 0 {
			return nil
		}
		if (v^tag)>>32 != 0 {
			continue
		}
		e := s.entry(uint32(v), c.stride)
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
func (s *shard) create(c *class, h uint64, key []uint64) []uint64 {
	s.n++
	place(s.index, h<<32|uint64(s.n), s.shift)
	e := s.entry(uint32(s.n), c.stride)
	e[3] = ^uint64(0)
	copy(e[c.key:], key)
	return e
}

// place puts a slot where its hash says, or the next free slot after it.
func place(index []uint64, slot uint64, shift uint) {
	mask := uint64(len(index) - 1)
	i := slot >> (shift & 63)
	for index[i&mask] != 0 {
		i++
	}
	i &= mask
	index[i] = slot
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
	y := x &^ (markFlags | hasFlags)
	if first < e[3] || first == e[3] && y != 0 && (tos == 0 || y < tos) {
		tos = y
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
	if need > maxID {
		return t.full()
	}
	if 4*need > 3*len(s.index) {
		if err := t.growIndex(s, need); err != nil {
			return err
		}
	}
	for len(s.chunks) == 0 || need >= (len(s.chunks)-1)*chunkSize+len(s.chunks[len(s.chunks)-1])/c.stride {
		if err := t.growChunks(c, s, need+1); err != nil {
			return err
		}
	}
	return nil
}

// growChunks adds a chunk; the first starts small and is replaced by larger ones.
func (t *Table) growChunks(c *class, s *shard, need int) error {
	size := chunkSize
	var old []uint64
	if len(s.chunks) == 0 {
		for size = 16; size < chunkSize && size < need; {
			size *= 2
		}
	} else if first := s.chunks[0]; len(first) < chunkSize*c.stride {
		old, size = first, 2*len(first)/c.stride
		s.chunks = s.chunks[:0]
	}
	chunk := t.arena.take(size * c.stride)
	copy(chunk, old)
	s.chunks = append(s.chunks, chunk)
	return t.charge(8 * (len(chunk) - len(old)))
}

func (t *Table) growIndex(s *shard, need int) error {
	size := max(32, len(s.index))
	for 4*need > 3*size {
		size *= 2
	}
	if err := t.charge(8 * (size - len(s.index))); err != nil {
		return err
	}
	index := t.arena.take(size)
	shift := uint(64 - bits.Len(uint(size-1)))
	for _, slot := range s.index {
		if slot != 0 {
			place(index, slot, shift)
		}
	}
	t.arena.give(s.index)
	s.index, s.shift = index, shift
	return nil
}
