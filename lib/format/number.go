package format

import (
	"math"
	"strconv"
)

// pairs holds the numbers 00 to 99, two digits each.
const pairs = "00010203040506070809" + "10111213141516171819" + "20212223242526272829" +
	"30313233343536373839" + "40414243444546474849" + "50515253545556575859" +
	"60616263646566676869" + "70717273747576777879" + "80818283848586878889" + "90919293949596979899"

// widest is the widest column that a number is padded to.
const widest = 24

const spaces = "                                                                                "

// digits writes x at the end of b and returns where it begins.
func digits(b *[widest]byte, x uint64) int {
	i := len(b)
	for x >= 100 {
		q := x / 100
		r := (x - q*100) * 2
		i -= 2
		b[i], b[i+1] = pairs[r], pairs[r+1]
		x = q
	}
	if x >= 10 {
		i -= 2
		b[i], b[i+1] = pairs[2*x], pairs[2*x+1]
		return i
	}
	i--
	b[i] = byte('0' + x)
	return i
}

func appendUint(dst []byte, x uint64) []byte {
	if x < 10 {
		return append(dst, byte('0'+x))
	}
	var b [widest]byte
	return append(dst, b[digits(&b, x):]...)
}

// appendRight pads x with blanks on the left.
func appendRight(dst []byte, x uint64, width int) []byte {
	if width > widest {
		start := len(dst)
		return padLeft(appendUint(dst, x), start, width)
	}
	b := [widest]byte{' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '}
	i := digits(&b, x)
	return append(dst, b[min(i, widest-width):]...)
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
	h := s / 3600
	m := s % 3600 / 60
	sec := s % 60
	dst = append(dst, pairs[2*h], pairs[2*h+1], ':', pairs[2*m], pairs[2*m+1], ':', pairs[2*sec], pairs[2*sec+1], '.')
	return append3(dst, ms%1000)
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
