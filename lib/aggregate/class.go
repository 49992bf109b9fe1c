package aggregate

import (
	"math/bits"

	"nfpipe/lib/column"
)

// A class is the groups whose keys have the same states in the same columns, so that their
// keys pack alike: two IPv4 addresses into one word, the 5-tuple into two. Columns stand in the
// order of the key from the highest bits down, so that words compare as keys do.
type class struct {
	code   uint64 // two bits a column, the first highest
	places []placed
	words  int // of the key
	stride int // words of an entry
	key    int // where in an entry its key begins
	shards [shards]shard
}

// placed is where a column's value lies: bits of word, from shift up; all of word and the next
// for an IPv6 address.
type placed struct {
	state uint8
	word  int
	shift uint
	bits  uint
}

const (
	shardBits = 6
	shards    = 1 << shardBits
)

// state of column c of n in a class code.
func stateOf(code uint64, c, n int) uint8 { return uint8(code >> (2 * uint(n-1-c)) & 3) }

// newClass lays the key of a class out.
func (t *Table) newClass(code uint64) *class {
	c := &class{code: code, places: make([]placed, len(t.sources)), key: t.fixed}
	word, free := -1, uint(0)
	for i := range t.sources {
		s := &t.sources[i]
		p := placed{state: stateOf(code, i, len(t.sources)), bits: s.bits}
		if s.kind == column.Addr {
			p.bits = 32
		}
		if p.state == wide {
			p.bits = 64
		}
		if p.state == absent {
			c.places[i] = p
			continue
		}
		if free < p.bits {
			word++
			free = 64
		}
		free -= p.bits
		p.word, p.shift = word, free
		if p.state == wide && s.kind == column.Addr {
			word++
		}
		c.places[i] = p
	}
	c.words = max(word+1, 1)
	c.stride = t.fixed + c.words
	if c.stride == 7 {
		c.stride = 8 // a cache line each
	}
	return c
}

// pack computes the key words of rows into w.words, and their hashes.
func (t *Table) pack(w *work, c *class, rows []int32) {
	n := c.words
	size := n * len(rows)
	if cap(w.words) < size {
		w.words = make([]uint64, size)
	}
	w.words = w.words[:size]
	clear(w.words)
	for i := range c.places {
		p := &c.places[i]
		if p.state == absent {
			continue
		}
		k := &w.keys[i]
		dst := w.words[p.word:]
		if p.state == wide && t.sources[i].kind == column.Addr {
			packPair(dst, n, k, rows)
			continue
		}
		switch {
		case k.plain != nil:
			packPlain(dst, n, k.plain, p.shift, rows)
		case k.codes != nil:
			packCodes(dst, n, k.lo, k.codes, p.shift, rows)
		default:
			x := k.lo[0] << p.shift
			for j := range rows {
				dst[j*n] |= x
			}
		}
	}
	t.hash(w, n, len(rows))
}

func packPlain(dst []uint64, n int, values []uint64, shift uint, rows []int32) {
	shift &= 63
	if n == 1 {
		dst = dst[:len(rows)]
		for j, r := range rows {
			dst[j] |= values[r] << shift
		}
		return
	}
	for j, r := range rows {
		dst[j*n] |= values[r] << shift
	}
}

func packCodes(dst []uint64, n int, entries []uint64, codes []uint16, shift uint, rows []int32) {
	shift &= 63
	if n == 1 {
		dst = dst[:len(rows)]
		for j, r := range rows {
			dst[j] |= entries[codes[r]] << shift
		}
		return
	}
	for j, r := range rows {
		dst[j*n] |= entries[codes[r]] << shift
	}
}

func packPair(dst []uint64, n int, k *keyColumn, rows []int32) {
	for j, r := range rows {
		e := 0
		if k.codes != nil {
			e = int(k.codes[r])
		}
		dst[j*n], dst[j*n+1] = k.hi[e], k.lo[e]
	}
}

// hash fills w.hashes for m keys of n words.
func (t *Table) hash(w *work, n, m int) {
	if cap(w.hashes) < m {
		w.hashes = make([]uint64, max(m, 1<<12))
	}
	w.hashes = w.hashes[:m]
	if n == 1 {
		for j, k := range w.words[:m] {
			w.hashes[j] = t.mix(k)
		}
		return
	}
	for j := range w.hashes {
		w.hashes[j] = t.hashKey(w.words[j*n : j*n+n])
	}
}

func (t *Table) hashKey(key []uint64) uint64 {
	h := t.mix(key[0])
	for _, k := range key[1:] {
		h = t.mix(h ^ k)
	}
	return h
}

// mix is a multiplication whose halves are folded; the seeds are the table's own.
func (t *Table) mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^t.seedA, t.seedB)
	return hi ^ lo
}

// classify finds the class of each row. It returns the number of classes in w.local; if there
// is more than one, w.class has the class of each row.
func (w *work) classify(rows []int32) int {
	code := uint64(0)
	n := len(w.keys)
	for i := range w.keys {
		if k := &w.keys[i]; k.same {
			code |= uint64(k.which) << (2 * uint(n-1-i))
		}
	}
	w.local = append(w.local[:0], code)
	first := true
	for i := range w.keys {
		k := &w.keys[i]
		if k.same {
			continue
		}
		if first {
			if cap(w.class) < len(rows) {
				w.class = make([]uint32, max(len(rows), 1<<12))
			}
			w.class = w.class[:len(rows)]
			clear(w.class)
			first = false
		}
		w.split(k, rows, 2*uint(n-1-i))
	}
	return len(w.local)
}

// split divides the classes so far by the state of one more column.
func (w *work) split(k *keyColumn, rows []int32, shift uint) {
	old := w.local
	next := make([]uint64, 0, states*len(old))
	to := make([]uint32, states*len(old)) // new class+1
	for j, r := range rows {
		at := states*w.class[j] + uint32(k.of(r))
		if to[at] == 0 {
			next = append(next, old[at/states]|uint64(at%states)<<shift)
			to[at] = uint32(len(next))
		}
		w.class[j] = to[at] - 1
	}
	w.local = append(old[:0], next...)
}

// byClass sorts rows by class into w.perm and returns where each class ends.
func (w *work) byClass(rows []int32) []int32 {
	ends := make([]int32, len(w.local)+1)
	for _, c := range w.class {
		ends[c+1]++
	}
	for c := range w.local {
		ends[c+1] += ends[c]
	}
	if cap(w.perm) < len(rows) {
		w.perm = make([]int32, max(len(rows), 1<<12))
	}
	w.perm = w.perm[:len(rows)]
	for j, r := range rows {
		c := w.class[j]
		w.perm[ends[c]] = r
		ends[c]++
	}
	return ends[:len(w.local)]
}
