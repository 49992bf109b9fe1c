package column

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/huff0"
)

// Symbols are bytes that are entropy-coded: Huffman codes by huff0, the literal coder of
// zstd (RFC 8878 §4.2).
//
//	symbols  u8 form, then
//	         0: the bytes
//	         1: one byte that all are
//	         2: uvarint length, one Huffman stream with its table
//	         3: uvarint length, four Huffman streams with their table

const (
	symbolsRaw = iota
	symbolsSame
	symbolsOne
	symbolsFour
)

// minSymbols is how many symbols a Huffman table is worth.
const minSymbols = 256

var huffPool = sync.Pool{New: func() any { return new(huff0.Scratch) }}

func appendSymbols(dst, sym []byte) []byte {
	if len(sym) >= minSymbols {
		s := huffPool.Get().(*huff0.Scratch)
		defer huffPool.Put(s)
		s.Reuse = huff0.ReusePolicyNone
		compress, form := huff0.Compress4X, byte(symbolsFour)
		if len(sym) < 4096 {
			compress, form = huff0.Compress1X, symbolsOne
		}
		out, _, err := compress(sym, s)
		if err == nil {
			dst = binary.AppendUvarint(append(dst, form), uint64(len(out)))
			return append(dst, out...)
		}
		if err == huff0.ErrUseRLE {
			return append(dst, symbolsSame, sym[0])
		}
	}
	return append(append(dst, symbolsRaw), sym...)
}

func (c *cursor) symbols(dst []byte) {
	form := c.u8()
	switch form {
	case symbolsRaw:
		copy(dst, c.take(len(dst)))
	case symbolsSame:
		x := c.u8()
		for i := range dst {
			dst[i] = x
		}
	case symbolsOne, symbolsFour:
		c.huffman(dst, form)
	default:
		c.fail("unknown form of symbols")
	}
}

func (c *cursor) huffman(dst []byte, form byte) {
	src := c.take(c.count(len(dst)+len(c.b), "bytes of symbols"))
	if c.err != nil || len(dst) == 0 {
		c.fail("symbols end early")
		return
	}
	s := huffPool.Get().(*huff0.Scratch)
	defer huffPool.Put(s)
	s.MaxDecodedSize = MaxValues
	s, rest, err := huff0.ReadTable(src, s)
	if err != nil {
		c.fail("symbols: %v", err)
		return
	}
	var out []byte
	if form == symbolsFour {
		out, err = s.Decoder().Decompress4X(dst[:0:len(dst)], rest)
	} else {
		out, err = s.Decoder().Decompress1X(dst[:0:len(dst)], rest)
	}
	if err != nil || len(out) != len(dst) {
		c.fail("%d of %d symbols: %v", len(out), len(dst), err)
	}
}

// entropy is the size in bits of n symbols, and of their table, by the counts of a sample.
func entropy(count []uint32, n int) int {
	h, used, seen := 0.0, 0, 0.0
	for _, c := range count {
		if c > 0 {
			h -= float64(c) * math.Log2(float64(c))
			used++
			seen += float64(c)
		}
	}
	// Huffman codes are whole bits: one at least, and a little over the entropy.
	each := max((h/seen+math.Log2(seen))*1.01, 1)
	return int(each*float64(n)) + used*6 + 64
}

// Magnitudes: a number is a symbol of eight bits, its size class, and the bits that the class
// leaves open. 0 to 15 are their own class; above, each power of two has four.
//
//	magnitude  u8 0 (value = base + number) or 1 (value = base - number), uvarint base,
//	           symbols, bit stream of the open bits
func magnitude(x uint64) (class uint8, open uint) { // without branches: they could not be predicted
	open = uint(bits.Len64(x|16)) - 3
	c := 4*open + 4 + uint(x>>(open&63))
	if x < 16 {
		c, open = uint(x), 0
	}
	return uint8(c), open
}

// ofClass is the smallest number of a class, and how many bits it leaves open.
var ofClass = func() (t [256]struct {
	base uint64
	open uint8
}) {
	for c := range t {
		if c < 16 {
			t[c].base = uint64(c)
			continue
		}
		l := uint(c-16)/4 + 5
		t[c].base, t[c].open = (4+uint64(c-16)&3)<<(l-3), uint8(l-3)
	}
	return
}()

// planMagnitude measures, on a sample, magnitudes from the smallest value and down from the
// largest.
func planMagnitude(v []uint64, p profile, best *plan) {
	var up, down [256]uint32
	ups, downs, seen := 0, 0, 0
	for i, step := 0, stride(len(v), 2048); i < len(v); i += step {
		c, o := magnitude(v[i] - p.lo)
		up[c]++
		ups += int(o)
		c, o = magnitude(p.hi - v[i])
		down[c]++
		downs += int(o)
		seen++
	}
	n := len(v)
	best.offer(plan{enc: EncMagnitude, bits: ofAll(ups, seen, n) + entropy(up[:], n), base: p.lo})
	best.offer(plan{enc: EncMagnitude, bits: ofAll(downs, seen, n) + entropy(down[:], n), base: p.hi, down: true})
}

func appendMagnitude(dst []byte, v []uint64, base uint64, down bool) []byte {
	sym, open := bufPool.Get().(*[]byte), bufPool.Get().(*[]byte)
	defer bufPool.Put(sym)
	defer bufPool.Put(open)
	*sym, *open = grow(*sym, len(v)), grow(*open, 8*len(v)+8) // eight bytes a number at most
	dst = append(dst, byte(EncMagnitude), 0)
	flip := uint64(0)
	if down {
		dst[len(dst)-1] = 1
		flip = ^flip
	}
	var w bitWriter
	for i, x := range v {
		d := x - base ^ flip - flip
		c, n := magnitude(d)
		(*sym)[i] = c
		if n > maxWidth {
			w = w.add(*open, d&(1<<32-1), 32)
			d, n = d>>32, n-32
		}
		w = w.add(*open, d&(1<<(n&63)-1), n)
	}
	dst = binary.AppendUvarint(dst, base)
	dst = appendSymbols(dst, *sym)
	return append(dst, (*open)[:w.len()]...)
}

func (c *cursor) magnitude(dst []uint64) {
	down := c.u8()
	base := c.uvarint()
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	*buf = grow(*buf, len(dst))
	sym := *buf
	c.symbols(sym)
	if c.err != nil {
		return
	}
	off := openBits(dst, sym, c.b, base, down == 1)
	if down > 1 {
		c.fail("unknown direction of magnitudes")
	}
	c.take(int(off+7) / 8)
}

// openBits puts numbers together from their classes and the bits of src, and returns how many
// bits that takes; beyond src it reads zeros.
func openBits(dst []uint64, sym, src []byte, base uint64, down bool) uint {
	flip := uint64(0)
	if down {
		flip = ^uint64(0)
	}
	off := uint(0)
	i := 0
	dst = dst[:len(sym)]
	// While eight bytes are left, one load serves: open bits and the offset within a byte fit
	// in 64 bits, but for the widest classes, which take the careful way.
	for ; i < len(sym) && int(off>>3)+8 <= len(src); i++ {
		k := &ofClass[sym[i]]
		if k.open > maxWidth {
			break
		}
		x := binary.LittleEndian.Uint64(src[off>>3:]) >> (off & 7)
		x = k.base + x&(1<<(k.open&63)-1)
		dst[i] = base + (x ^ flip - flip)
		off += uint(k.open)
	}
	for ; i < len(sym); i++ {
		k := &ofClass[sym[i]]
		x := k.base + loadBits(src, off, uint(k.open))
		dst[i] = base + (x ^ flip - flip)
		off += uint(k.open)
	}
	return off
}

// loadBits reads n bits at bit off.
func loadBits(src []byte, off, n uint) uint64 {
	x := loadTail(src, int(off))
	if p := int(off>>3) + 8; off&7+n > 64 && p < len(src) {
		x |= uint64(src[p]) << (64 - off&7)
	}
	return x & (1<<n - 1)
}
