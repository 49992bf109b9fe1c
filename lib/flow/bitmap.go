package flow

import "math/bits"

// Bitmap has one bit a record. A nil Bitmap where one is optional means all records.
type Bitmap []uint64

// NewBitmap has n bits, all clear.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+63)/64) }

func (m Bitmap) Get(i int) bool { return m[i>>6]>>(i&63)&1 != 0 }
func (m Bitmap) Set(i int)      { m[i>>6] |= 1 << (i & 63) }

// Count is the number of bits that are set.
func (m Bitmap) Count() int {
	n := 0
	for _, w := range m {
		n += bits.OnesCount64(w)
	}
	return n
}

// Fill sets the first n bits and clears the rest.
func (m Bitmap) Fill(n int) {
	for i := range m {
		m[i] = ^uint64(0)
	}
	if n&63 != 0 {
		m[len(m)-1] = 1<<(n&63) - 1
	}
}

// And, Or, AndNot and Not combine in place; the maps have equal length. Not keeps the bits
// from n on clear.
func (m Bitmap) And(o Bitmap) {
	for i, w := range o {
		m[i] &= w
	}
}

func (m Bitmap) Or(o Bitmap) {
	for i, w := range o {
		m[i] |= w
	}
}

func (m Bitmap) AndNot(o Bitmap) {
	for i, w := range o {
		m[i] &^= w
	}
}

func (m Bitmap) Not(n int) {
	for i := range m {
		m[i] = ^m[i]
	}
	if n&63 != 0 {
		m[len(m)-1] &= 1<<(n&63) - 1
	}
}

// Rows appends the positions of the set bits to dst.
func (m Bitmap) Rows(dst []int32) []int32 {
	for i, w := range m {
		for ; w != 0; w &= w - 1 {
			dst = append(dst, int32(i<<6+bits.TrailingZeros64(w)))
		}
	}
	return dst
}
