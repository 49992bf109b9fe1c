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

// insert adds records of size words, a hash and what an entry has, to the shard's groups.
func (t *Table) insert(w *work, c *class, s *shard, records []uint64, size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(records) > 0 {
		n := min(len(records), block*size)
		if err := t.room(c, s, n/size); err != nil {
			return err
		}
		t.insertBlock(w, c, s, records[:n], size)
		records = records[n:]
	}
	return nil
}

func (t *Table) insertBlock(w *work, c *class, s *shard, records []uint64, size int) {
	var ids [block]uint32 // the entries that the hashes promise, 0 if they are new
	n := s.promised(&ids, records, size)
	// Touch both ends of the entries, so that the misses of the whole block overlap.
	touch := uint64(0)
	stride := c.stride
	for _, id := range ids[:n] {
		e := s.chunks[id>>chunkBits][int(id&(chunkSize-1))*stride:]
		touch ^= e[0] ^ e[stride-1]
	}
	w.touched ^= touch
	plain := !t.out && !t.marks
	for i, id := range ids[:n] {
		rec := records[i*size : i*size+size]
		e := s.entry(id, stride)
		if key := rec[1+c.key:]; id == 0 || !equal(e[c.key:], key) {
			if e = s.find(c, rec[0], key); e == nil {
				copy(s.create(c, rec[0]), rec[1:])
				continue
			}
		}
		if plain {
			addPlain(e, rec[1:])
		} else {
			t.addExtra(e, rec[1:])
		}
	}
}

// promised looks the hashes of records up in the index alone.
func (s *shard) promised(ids *[block]uint32, records []uint64, size int) int {
	index, shift := s.index, s.shift&63
	mask := uint64(len(index) - 1)
	n := 0
	touch := uint64(0)
	for at := 0; at < len(records); at += size {
		touch ^= index[records[at]<<32>>shift&mask]
		n++
	}
	ids[0] = uint32(touch) // overwritten below
	for i := range n {
		tag := records[i*size] << 32
		v := uint64(0)
		for at := tag >> shift; ; at++ {
			if v = index[at&mask]; v == 0 || (v^tag)>>32 == 0 {
				break
			}
		}
		ids[i&(block-1)] = uint32(v)
	}
	return n
}

func equal(a, key []uint64) bool {
	a = a[:len(key)]
	for k, x := range key {
		if a[k] != x {
			return false
		}
	}
	return true
}

// find is the entry of a key, or nil.
func (s *shard) find(c *class, h uint64, key []uint64) []uint64 {
	tag := h << 32
	mask := uint64(len(s.index) - 1)
	for i := tag >> (s.shift & 63); ; i++ {
		v := s.index[i&mask]
		if v == 0 {
			return nil
		}
		if (v^tag)>>32 != 0 {
			continue
		}
		if e := s.entry(uint32(v), c.stride); equal(e[c.key:], key) {
			return e
		}
	}
}

// create makes a new entry; there is room.
func (s *shard) create(c *class, h uint64) []uint64 {
	s.n++
	place(s.index, h<<32|uint64(s.n), s.shift)
	return s.entry(uint32(s.n), c.stride)
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

// addPlain adds the counters of x, laid out as an entry, to e.
func addPlain(e, x []uint64) {
	a, b := (*[5]uint64)(e), (*[5]uint64)(x)
	a[0] = saturated(a[0], b[0])
	a[1] = saturated(a[1], b[1])
	a[2] = saturated(a[2], b[2])
	a[3] = min(a[3], b[3])
	a[4] = max(a[4], b[4])
}

// addExtra adds all that a table may keep.
func (t *Table) addExtra(e, x []uint64) {
	if t.marks {
		at := t.fixed - 1
		e[at] = joinMarks(e[at], x[at], e[3], x[3])
	}
	addPlain(e, x)
	if t.out {
		e[5] = saturated(e[5], x[5])
		e[6] = saturated(e[6], x[6])
	}
}

// joinMarks joins the flags, and keeps the type of service of the earlier start; of two that
// start together, the smaller.
func joinMarks(m, x, first, start uint64) uint64 {
	const flags = markFlags | hasFlags
	tos, y := m&^flags, x&^flags
	if start < first || start == first && y != 0 && (tos == 0 || y < tos) {
		tos = y
	}
	return (m|x)&flags | tos
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
	chunk := make([]uint64, size*c.stride)
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
	index := make([]uint64, size)
	shift := uint(64 - bits.Len(uint(size-1)))
	for _, slot := range s.index {
		if slot != 0 {
			place(index, slot, shift)
		}
	}
	s.index, s.shift = index, shift
	return nil
}
