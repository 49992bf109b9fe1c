package column

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Builder collects one column's values in the order of its records. The zero value is not
// ready: Reset gives it its kind. It holds at most MaxValues values.
type Builder struct {
	v     Vec
	temp  []uint16 // Addr: first-seen code of each value
	t4    addrTable[uint32]
	t6    addrTable[V6]
	next  uint16
	remap []uint16
	keys  []uint64
}

// Reset empties b and sets its kind; memory is kept.
func (b *Builder) Reset(k Kind) {
	b.v.Reset(k)
	b.temp, b.next = b.temp[:0], 0
	b.t4.reset()
	b.t6.reset()
	if k == Bytes {
		b.v.Off = append(b.v.Off, 0)
	}
}

// Len is the number of values so far; Size the bytes that they hold.
func (b *Builder) Len() int {
	switch b.v.Kind {
	case Int:
		return len(b.v.Ints)
	case Addr:
		return len(b.temp)
	}
	return len(b.v.Off) - 1
}

func (b *Builder) Size() int {
	return 8*len(b.v.Ints) + 2*len(b.temp) + 4*b.t4.n + 16*b.t6.n + len(b.v.Data) + 4*len(b.v.Off)
}

// PutInt appends a number.
func (b *Builder) PutInt(x uint64) { b.v.Ints = append(b.v.Ints, x) }

// PutBytes appends a copy of s.
func (b *Builder) PutBytes(s []byte) {
	b.v.Data = append(b.v.Data, s...)
	b.v.Off = append(b.v.Off, uint32(len(b.v.Data)))
}

// Put4 appends an IPv4 address given as a big-endian number.
func (b *Builder) Put4(a uint32) {
	c, fresh := b.t4.code(a, hash4(a), b.next)
	if fresh {
		b.next++
	}
	b.temp = append(b.temp, c)
}

// Put6 appends an IPv6 address.
func (b *Builder) Put6(a V6) {
	c, fresh := b.t6.code(a, hash6(a), b.next)
	if fresh {
		b.next++
	}
	b.temp = append(b.temp, c)
}

// Put16 appends 16 bytes in network order as IPv6.
func (b *Builder) Put16(p []byte) {
	b.Put6(V6{binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:])})
}

// Vec finishes the column and returns it. It is valid until the next Reset, which must come
// before further values.
func (b *Builder) Vec() *Vec {
	v := &b.v
	switch v.Kind {
	case Int:
		v.N = len(v.Ints)
	case Bytes:
		b.finishBytes()
	case Addr:
		b.finishAddrs()
	}
	return v
}

// Hash seeds differ in every process, so that nobody can prepare addresses that collide.
// Nothing that is written depends on them.
var seedA, seedB = rand.Uint64(), rand.Uint64() | 1

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^seedA, seedB)
	return hi ^ lo
}

// The constant spreads neighbours, which a random multiplier alone may leave in a cluster.
func hash4(a uint32) uint64 { return mix(uint64(a) * 0x9e3779b97f4a7c15) }
func hash6(a V6) uint64     { return mix(mix(a.Hi) ^ a.Lo) }

// finishAddrs sorts the distinct addresses and rewrites the codes.
func (b *Builder) finishAddrs() {
	v := &b.v
	v.N = len(b.temp)
	n := int(b.t4.n + b.t6.n)
	b.remap = grow(b.remap, n)
	v.V4, v.V6, v.Codes = v.V4[:0], v.V6[:0], v.Codes[:0]
	if b.t4.n > 0 {
		b.keys = b.keys[:0]
		for i, c := range b.t4.codes {
			if c != 0 {
				b.keys = append(b.keys, uint64(b.t4.keys[i])<<16|uint64(c-1)&0xffff)
			}
		}
		slices.Sort(b.keys)
		for e, k := range b.keys {
			v.V4 = append(v.V4, uint32(k>>16))
			b.remap[uint16(k)] = uint16(e)
		}
	}
	if b.t6.n > 0 {
		type entry struct {
			a V6
			c uint16
		}
		es := make([]entry, 0, b.t6.n)
		for i, c := range b.t6.codes {
			if c != 0 {
				es = append(es, entry{b.t6.keys[i], uint16(c - 1)})
			}
		}
		slices.SortFunc(es, func(x, y entry) int { return x.a.Compare(y.a) })
		for e, k := range es {
			v.V6 = append(v.V6, k.a)
			b.remap[k.c] = uint16(len(v.V4) + e)
		}
	}
	if n <= 1 {
		v.Form = Const
		return
	}
	v.Form = Dict
	v.Codes = grow(v.Codes, v.N)
	for i, c := range b.temp {
		v.Codes[i] = b.remap[c]
	}
}

// finishBytes makes a dictionary when at least half of the values repeat one before.
func (b *Builder) finishBytes() {
	v := &b.v
	n := len(v.Off) - 1
	v.N, v.Form = n, Plain
	if n < 2 {
		return
	}
	index := make(map[string]uint16)
	codes := make([]uint16, n)
	for i := range n {
		s := v.Data[v.Off[i]:v.Off[i+1]]
		c, ok := index[string(s)]
		if !ok {
			if len(index)*2 >= n {
				return
			}
			c = uint16(len(index))
			index[string(s)] = c
		}
		codes[i] = c
	}
	sorted := make([]string, 0, len(index))
	for s := range index {
		sorted = append(sorted, s)
	}
	slices.Sort(sorted)
	remap := make([]uint16, len(sorted))
	v.Data, v.Off = v.Data[:0:0], append(v.Off[:0:0], 0)
	for e, s := range sorted {
		remap[index[s]] = uint16(e)
		v.Data = append(v.Data, s...)
		v.Off = append(v.Off, uint32(len(v.Data)))
	}
	if len(sorted) == 1 {
		v.Form = Const
		return
	}
	v.Form = Dict
	for i, c := range codes {
		codes[i] = remap[c]
	}
	v.Codes = codes
}

// addrTable gives each distinct key the next code; open addressing, half full at most.
type addrTable[K comparable] struct {
	keys  []K
	codes []uint32 // code+1, 0 = free
	n     int
	shift uint
}

func (t *addrTable[K]) reset() {
	clear(t.codes)
	t.n = 0
}

func (t *addrTable[K]) code(k K, hash uint64, next uint16) (uint16, bool) {
	if 2*t.n >= len(t.keys) {
		t.grow()
	}
	mask := len(t.keys) - 1
	for i := int(hash >> t.shift); ; i++ {
		i &= mask
		if t.codes[i] == 0 {
			t.keys[i], t.codes[i] = k, uint32(next)+1
			t.n++
			return next, true
		}
		if t.keys[i] == k {
			return uint16(t.codes[i] - 1), false
		}
	}
}

func (t *addrTable[K]) grow() {
	keys, codes := t.keys, t.codes
	size := max(2*len(keys), 256)
	t.keys, t.codes = make([]K, size), make([]uint32, size)
	t.shift = 64
	for s := size; s > 1; s >>= 1 {
		t.shift--
	}
	for i, c := range codes {
		if c == 0 {
			continue
		}
		j := int(hashKey(keys[i]) >> t.shift)
		for t.codes[j&(size-1)] != 0 {
			j++
		}
		t.keys[j&(size-1)], t.codes[j&(size-1)] = keys[i], c
	}
}

func hashKey[K comparable](k K) uint64 {
	switch k := any(k).(type) {
	case uint32:
		return hash4(k)
	case V6:
		return hash6(k)
	}
	return 0
}

// Kind is the kind of the values that b collects.
func (b *Builder) Kind() Kind { return b.v.Kind }

// PutEntry appends entry e of v, which has the kind of b.
func (b *Builder) PutEntry(v *Vec, e int) {
	switch v.Kind {
	case Int:
		b.PutInt(v.Ints[e])
	case Addr:
		if e < len(v.V4) {
			b.Put4(v.V4[e])
		} else {
			b.Put6(v.V6[e-len(v.V4)])
		}
	default:
		b.PutBytes(v.BytesEntry(e))
	}
}
