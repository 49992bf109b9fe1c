package transport

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// slowChecksum sums up as RFC 1071 is written.
func slowChecksum(b []byte) uint16 {
	if len(b)%2 == 1 {
		b = append(b[:len(b):len(b)], 0)
	}
	sum := uint32(0)
	for ; len(b) > 0; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

func TestUDPChecksum(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, a := range []string{"192.0.2.1", "2001:db8::ff"} {
		from := netip.AddrPortFrom(netip.MustParseAddr(a), 4321)
		to := netip.AddrPortFrom(from.Addr().Next(), 2055)
		for n := range 300 {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(random.Uint32())
				if n%3 == 0 {
					data[i] = 0xff
				}
			}
			h := appendUDP([]byte("xyz"), from, to, data)[3:]
			if len(h) != 8 || binary.BigEndian.Uint16(h) != 4321 || binary.BigEndian.Uint16(h[2:]) != 2055 ||
				int(binary.BigEndian.Uint16(h[4:])) != 8+n {
				t.Fatalf("%s, %d bytes: header %x", a, n, h)
			}
			pseudo := append(from.Addr().AsSlice(), to.Addr().AsSlice()...)
			pseudo = append(pseudo, 0, 17, byte((8+n)>>8), byte(8+n))
			if sum := slowChecksum(append(append(pseudo, h...), data...)); sum != 0xffff {
				t.Errorf("%s, %d bytes: all sums up to %x", a, n, sum)
			}
			if h[6] == 0 && h[7] == 0 {
				t.Errorf("%s, %d bytes: no checksum", a, n)
			}
		}
	}
}

// TestUDPChecksumZero has data for which the sum is 0: it is sent as ffff.
func TestUDPChecksumZero(t *testing.T) {
	from, to := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	h := appendUDP(nil, from, to, []byte{0, 0})
	h = appendUDP(nil, from, to, h[6:8]) // complements the sum
	if check := binary.BigEndian.Uint16(h[6:]); check != 0xffff {
		t.Errorf("checksum %x, want ffff", check)
	}
}

func BenchmarkUDPChecksum(b *testing.B) {
	from, to := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	data, header := make([]byte, 1450), make([]byte, 0, 8)
	b.SetBytes(1450)
	for b.Loop() {
		appendUDP(header, from, to, data)
	}
}
