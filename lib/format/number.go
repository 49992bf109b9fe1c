package format

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// pairs holds the numbers 00 to 99, two digits each.
const pairs = "00010203040506070809" + "10111213141516171819" + "20212223242526272829" +
	"30313233343536373839" + "40414243444546474849" + "50515253545556575859" +
	"60616263646566676869" + "70717273747576777879" + "80818283848586878889" + "90919293949596979899"

const eightBlanks = 0x2020202020202020

const spaces = "                                                                                "

// chunk is how much a short copy moves at once: eight bytes at a time are a few instructions,
// a copy of any size is a call.
const chunk = 32

var word = binary.LittleEndian

// extend makes dst longer by n bytes, which the caller fills.
func extend(dst []byte, n int) []byte {
	if end := len(dst) + n; end <= cap(dst) {
		return dst[:end]
	}
	return append(dst, make([]byte, n)...)
}

// appendShort appends the first n bytes of src, which must have a chunk of capacity.
func appendShort(dst, src []byte, n int) []byte {
	at := len(dst)
	if n > chunk || at+chunk > cap(dst) {
		return append(dst, src[:n]...)
	}
	d, s := dst[at:at+chunk], src[:chunk]
	word.PutUint64(d, word.Uint64(s))
	if n > 8 {
		word.PutUint64(d[8:], word.Uint64(s[8:]))
		word.PutUint64(d[16:], word.Uint64(s[16:]))
		word.PutUint64(d[24:], word.Uint64(s[24:]))
	}
	return dst[:at+n]
}

var powers = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// countDigits is the number of decimal digits. A bit is worth 1233/4096 of a digit.
func countDigits(x uint64) int {
	n := bits.Len64(x) * 1233 >> 12
	if x >= powers[n] {
		n++
	}
	return max(n, 1)
}

// putDigits writes x so that it ends where b ends.
func putDigits(b []byte, x uint64) {
	i := len(b)
	for x >= 100 {
		q := x / 100
		r := (x - q*100) * 2
		i -= 2
		b[i], b[i+1] = pairs[r], pairs[r+1]
		x = q
	}
	if x >= 10 {
		b[i-2], b[i-1] = pairs[2*x], pairs[2*x+1]
		return
	}
	b[i-1] = byte('0' + x)
}

func appendUint(dst []byte, x uint64) []byte {
	dst = extend(dst, countDigits(x))
	putDigits(dst, x)
	return dst
}

// appendRight pads x with blanks on the left.
func appendRight(dst []byte, x uint64, width int) []byte {
	if n := width - countDigits(x); n > 0 {
		dst = appendBlanks(dst, n)
	}
	return appendUint(dst, x)
}

// appendLeft pads x with blanks on the right.
func appendLeft(dst []byte, x uint64, width int) []byte {
	n := len(dst)
	return padRight(appendUint(dst, x), n, width)
}

// padRight fills what was written since position from up to the width.
func padRight(dst []byte, from, width int) []byte {
	if n := width - (len(dst) - from); n > 0 {
		return appendBlanks(dst, n)
	}
	return dst
}

// padLeft does the same on the left.
func padLeft(dst []byte, from, width int) []byte {
	n := width - (len(dst) - from)
	if n <= 0 {
		return dst
	}
	dst = appendBlanks(dst, n)
	copy(dst[from+n:], dst[from:len(dst)-n])
	for i := range n {
		dst[from+i] = ' '
	}
	return dst
}

func appendBlanks(dst []byte, n int) []byte {
	if at := len(dst); n <= 16 && at+16 <= cap(dst) {
		d := dst[at : at+16]
		word.PutUint64(d, eightBlanks)
		word.PutUint64(d[8:], eightBlanks)
		return dst[:at+n]
	}
	for n > len(spaces) {
		dst = append(dst, spaces...)
		n -= len(spaces)
	}
	return append(dst, spaces[:n]...)
}

// appendScaled writes numbers from a million on with one decimal and M, G or T, rounded as
// C's printf rounds the quotient in double precision.
func appendScaled(dst []byte, x uint64, width int) []byte {
	if x < 1e6 {
		return appendRight(dst, x, width)
	}
	unit, letter := uint64(1e6), byte('M')
	switch {
	case x >= 1e12:
		unit, letter = 1e12, 'T'
	case x >= 1e9:
		unit, letter = 1e9, 'G'
	}
	tenth := unit / 10
	q, r := x/tenth, x%tenth
	start := len(dst)
	if r == tenth/2 || x >= 1<<50 {
		// The quotient's last bit decides on a tie.
		dst = strconv.AppendFloat(dst, float64(x)/float64(unit), 'f', 1, 64)
		dst = append(dst, ' ', letter)
		return padLeft(dst, start, width)
	}
	if r > tenth/2 {
		q++
	}
	dst = appendRight(dst, q/10, width-4)
	return append(dst, '.', byte('0'+q%10), ' ', letter)
}

// appendThousandths writes x/1000 with three decimals.
func appendThousandths(dst []byte, x uint64, width int) []byte {
	dst = appendRight(dst, x/1000, width-4)
	return append3(append(dst, '.'), x%1000)
}

func append2(dst []byte, x uint64) []byte { return append(dst, pairs[2*x], pairs[2*x+1]) }

func append3(dst []byte, x uint64) []byte {
	r := x % 100
	return append(dst, byte('0'+x/100), pairs[2*r], pairs[2*r+1])
}

// appendDuration writes nanoseconds as HH:MM:SS.mmm behind four columns for the days.
func appendDuration(dst []byte, ns uint64) []byte {
	ms := ns / 1e6
	s := ms / 1000
	if days := s / 86400; days > 0 {
		dst = append(appendRight(dst, days, 2), 'd', ' ')
		s -= days * 86400
	} else {
		dst = append(dst, "    "...)
	}
	at := len(dst)
	dst = extend(dst, 12)
	b := (*[12]byte)(dst[at:])
	putTime((*[8]byte)(b[:8]), s)
	ms %= 1000
	r := ms % 100
	b[8], b[9], b[10], b[11] = '.', byte('0'+ms/100), pairs[2*r], pairs[2*r+1]
	return dst
}

// putTime writes seconds of a day as HH:MM:SS.
func putTime(b *[8]byte, s uint64) {
	m := s / 60
	h := m / 60
	s -= m * 60
	m -= h * 60
	b[0], b[1], b[2] = pairs[2*h], pairs[2*h+1], ':'
	b[3], b[4], b[5] = pairs[2*m], pairs[2*m+1], ':'
	b[6], b[7] = pairs[2*s], pairs[2*s+1]
}

const hexDigits = "0123456789abcdef"

// appendHex writes x in at least n hexadecimal digits.
func appendHex(dst []byte, x uint64, n int) []byte {
	var b [16]byte
	i := len(b)
	for x != 0 || len(b)-i < n && i > 0 {
		i--
		b[i] = hexDigits[x&15]
		x >>= 4
	}
	return append(dst, b[i:]...)
}

// appendReal writes a floating-point number as short as it can be read back.
func appendReal(dst []byte, f float64) []byte {
	if a := math.Abs(f); a >= 1e21 || a != 0 && a < 1e-6 {
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
