package column

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// addrs collects addresses. Those of IPv4 are looked at when the column is finished; of IPv6
// each gets a code at once.
type addrs struct {
	all  []uint32 // a value each: the IPv4 address, or the code of the IPv6 address
	six  []uint32 // which of them are IPv6
	t6   table6
	seen []uint16 // the sorted place of each code
}

func (a *addrs) reset() {
	a.all, a.six = a.all[:0], a.six[:0]
	a.t6.reset()
}

func (a *addrs) size() int { return 4*len(a.all) + 4*len(a.six) + 16*a.t6.n }

// Put4 appends an IPv4 address given as a big-endian number.
func (b *Builder) Put4(a uint32) { b.addrs.all = append(b.addrs.all, a) }

// Put4Every appends n IPv4 addresses, each four bytes in network order, that lie stride bytes
// apart in data.
func (b *Builder) Put4Every(data []byte, stride, n int) {
	have := len(b.addrs.all)
	b.addrs.all = slices.Grow(b.addrs.all, n)[:have+n]
	out := b.addrs.all[have:]
	at := 0
	for i := range out {
		out[i] = binary.BigEndian.Uint32(data[at:])
		at += stride
	}
}

// Repeat4 appends an IPv4 address n times.
func (b *Builder) Repeat4(a uint32, n int) {
	for range n {
		b.addrs.all = append(b.addrs.all, a)
	}
}

// Put6 appends an IPv6 address.
func (b *Builder) Put6(a V6) { b.Repeat6(a, 1) }

// Repeat6 appends an IPv6 address n times.
func (b *Builder) Repeat6(a V6, n int) {
	if n == 0 {
		return
	}
	code := uint32(b.addrs.t6.code(a))
	for range n {
		b.addrs.six = append(b.addrs.six, uint32(len(b.addrs.all)))
		b.addrs.all = append(b.addrs.all, code)
	}
}

// Put16 appends 16 bytes in network order as IPv6.
func (b *Builder) Put16(p []byte) {
	b.Put6(V6{binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:])})
}

// finishAddrs makes the dictionary and the codes.
func (b *Builder) finishAddrs() {
	v, a := &b.v, &b.addrs
	v.N = len(a.all)
	v.V4, v.V6 = v.V4[:0], v.V6[:0]
	if a.alike() {
		v.Form, v.Codes, v.V4 = Const, v.Codes[:0], append(v.V4, a.all[0])
		return
	}
	v.Codes = grow(v.Codes, v.N)
	if len(a.six) < len(a.all) {
		a.finish4(v)
	}
	if len(a.six) > 0 {
		a.finish6(v)
	}
	v.Form = Dict
	if v.Entries() <= 1 {
		v.Form, v.Codes = Const, v.Codes[:0]
	}
}

// alike tells that all values are one IPv4 address.
func (a *addrs) alike() bool {
	if len(a.all) == 0 || len(a.six) > 0 {
		return false
	}
	for _, x := range a.all {
		if x != a.all[0] {
			return false
		}
	}
	return true
}

// finish4 gives the IPv4 addresses their codes.
func (a *addrs) finish4(v *Vec) {
	n := len(a.all) - len(a.six)
	buf := getInts(2 * n)
	defer putInts(buf)
	keys := (*buf)[:0:n] // address and position
	six := a.six
	for i, x := range a.all {
		if len(six) > 0 && int(six[0]) == i {
			six = six[1:]
			continue
		}
		keys = append(keys, uint64(x)<<16|uint64(i))
	}
	if few4(v, keys) {
		return
	}
	keys = sortAddrs(keys, (*buf)[n:])
	last := ^keys[0]
	for _, k := range keys {
		if k>>16 != last>>16 {
			v.V4 = append(v.V4, uint32(k>>16))
			last = k
		}
		v.Codes[uint16(k)] = uint16(len(v.V4) - 1)
	}
}

// fewAddrs is how many different addresses are better found by hash than by sorting.
const fewAddrs = 512

// few4 does the work of finish4 where there are few different addresses; it reports false if
// there are more.
func few4(v *Vec, keys []uint64) bool {
	var slots [4 * fewAddrs]uint64 // address and code+1, 0 is free
	var found [fewAddrs]uint64     // address and code
	n, code, last := uint64(0), uint64(0), ^keys[0]
	for _, k := range keys {
		if k>>16 != last>>16 {
			last = k
			at := (k>>16*0x9e3779b97f4a7c15 ^ seedA) * seedB >> 53
			for slots[at] != 0 && slots[at]>>16 != k>>16 {
				at = (at + 1) % uint64(len(slots))
			}
			if slots[at] == 0 {
				if n == fewAddrs {
					return false
				}
				found[n] = k&^0xffff | n
				n++
				slots[at] = k&^0xffff | n
			}
			code = slots[at]&0xffff - 1
		}
		v.Codes[uint16(k)] = uint16(code)
	}
	slices.Sort(found[:n])
	var place [fewAddrs]uint16
	for e, f := range found[:n] {
		v.V4 = append(v.V4, uint32(f>>16))
		place[uint16(f)] = uint16(e)
	}
	for _, k := range keys {
		p := &v.Codes[uint16(k)]
		*p = place[*p]
	}
	return true
}

// sortAddrs sorts by the address in keys, and leaves those of one address in their order. What
// it returns lies in keys or in spare.
func sortAddrs(keys, spare []uint64) []uint64 {
	if len(keys) < 256 {
		slices.Sort(keys)
		return keys
	}
	var at [4][256]uint32
	for _, k := range keys {
		at[0][uint8(k>>16)]++
		at[1][uint8(k>>24)]++
		at[2][uint8(k>>32)]++
		at[3][uint8(k>>40)]++
	}
	for digit := range at {
		shift := 16 + 8*digit
		next := &at[digit]
		if next[uint8(keys[0]>>shift)] == uint32(len(keys)) {
			continue // all the same
		}
		sum := uint32(0)
		for i, n := range next {
			next[i] = sum
			sum += n
		}
		for _, k := range keys {
			p := &next[uint8(k>>shift)]
			spare[*p] = k
			*p++
		}
		keys, spare = spare, keys
	}
	return keys
}

// finish6 gives the IPv6 addresses their codes, behind those of IPv4.
func (a *addrs) finish6(v *Vec) {
	type entry struct {
		a V6
		c uint16
	}
	es := make([]entry, 0, a.t6.n)
	for i, c := range a.t6.codes {
		if c != 0 {
			es = append(es, entry{a.t6.keys[i], uint16(c - 1)})
		}
	}
	slices.SortFunc(es, func(x, y entry) int { return x.a.Compare(y.a) })
	a.seen = grow(a.seen, len(es))
	for e, k := range es {
		v.V6 = append(v.V6, k.a)
		a.seen[k.c] = uint16(len(v.V4) + e)
	}
	for _, i := range a.six {
		v.Codes[i] = a.seen[a.all[i]]
	}
}

// table6 gives each distinct address the next code; open addressing, half full at most.
type table6 struct {
	keys  []V6
	codes []uint32 // code+1, 0 = free
	n     int
	shift uint
}

func (t *table6) reset() {
	clear(t.codes)
	t.n = 0
}

func (t *table6) code(a V6) uint16 {
	if 2*t.n >= len(t.keys) {
		t.grow()
	}
	mask := len(t.keys) - 1
	for i := int(hash6(a) >> t.shift); ; i++ {
		i &= mask
		if t.codes[i] == 0 {
			t.keys[i], t.codes[i] = a, uint32(t.n)+1
			t.n++
			return uint16(t.n - 1)
		}
		if t.keys[i] == a {
			return uint16(t.codes[i] - 1)
		}
	}
}

func (t *table6) grow() {
	keys, codes := t.keys, t.codes
	size := max(2*len(keys), 256)
	t.keys, t.codes = make([]V6, size), make([]uint32, size)
	t.shift = uint(64 - bits.TrailingZeros(uint(size)))
	for i, c := range codes {
		if c == 0 {
			continue
		}
		j := int(hash6(keys[i]) >> t.shift)
		for t.codes[j&(size-1)] != 0 {
			j++
		}
		t.keys[j&(size-1)], t.codes[j&(size-1)] = keys[i], c
	}
}

// Hash seeds differ in every process, so that nobody can prepare addresses that collide.
// Nothing that is written depends on them.
var seedA, seedB = rand.Uint64(), rand.Uint64() | 1

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^seedA, seedB)
	return hi ^ lo
}

func hash6(a V6) uint64 { return mix(mix(a.Hi) ^ a.Lo) }
