package format

import (
	"net/netip"

	"nfpipe/lib/column"
)

const (
	narrowAddress = 16 // columns of an address, IPv6 condensed to them
	wideAddress   = 39 // of a whole IPv6 address
)

// octets has the decimal text of each byte; its length is in the last place.
var octets = func() (t [256][4]byte) {
	for i := range t {
		n := len(appendUint(t[i][:0], uint64(i)))
		t[i][3] = byte(n)
	}
	return
}()

func appendIPv4(dst []byte, a uint32) []byte {
	var b [16]byte
	n := 0
	for shift := 24; shift >= 0; shift -= 8 {
		t := &octets[a>>shift&255]
		b[n], b[n+1], b[n+2] = t[0], t[1], t[2]
		n += int(t[3])
		b[n] = '.'
		n++
	}
	return append(dst, b[:n-1]...)
}

// appendAddress writes entry e of an address column.
func appendAddress(dst []byte, v *column.Vec, e int) []byte {
	if e < len(v.V4) {
		return appendIPv4(dst, v.V4[e])
	}
	return v.AddrEntry(e).AppendTo(dst)
}

// appendColumn pads an address to the width and condenses one that is longer.
func appendColumn(dst []byte, v *column.Vec, e, width int) []byte {
	start := len(dst)
	return fitAddress(appendAddress(dst, v, e), start, width)
}

func fitAddress(dst []byte, start, width int) []byte {
	n := len(dst) - start
	if n <= width {
		return padLeft(dst, start, width)
	}
	a := dst[start:]
	half := (width - 2) / 2
	copy(a[half+2:], a[n-half:])
	a[half], a[half+1] = '.', '.'
	return dst[:start+width]
}

// masked is entry e cut to the first bits of its prefix; bits beyond the address's are
// those of the address.
func masked(v *column.Vec, e int, bits uint64) netip.Addr {
	a := v.AddrEntry(e)
	p, err := a.Prefix(int(min(bits, uint64(a.BitLen()))))
	if err != nil {
		return a
	}
	return p.Addr()
}

func appendMAC(dst []byte, x uint64) []byte {
	for shift := 40; shift >= 0; shift -= 8 {
		o := x >> shift
		dst = append(dst, hexDigits[o>>4&15], hexDigits[o&15], ':')
	}
	return dst[:len(dst)-1]
}
