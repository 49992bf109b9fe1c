package column

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// TestAddrs compares the dictionaries of a Builder with sorted sets of the same addresses, over
// both ways of finding them and every way of putting them.
func TestAddrs(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for _, n := range []int{0, 1, 2, 255, 256, 511, 512, 513, 5000, MaxValues} {
		for _, distinct := range []uint64{1, 2, fewAddrs, fewAddrs + 1, 3000, 1 << 32} {
			for _, sixes := range []int{0, 1, 3} { // of four
				b, want := someAddrs(r, n, distinct, sixes)
				for range 2 { // Vec may be asked again
					checkAddrs(t, b.Vec(), want)
				}
				if t.Failed() {
					t.Fatalf("%d values of %d addresses, %d of four IPv6", n, distinct, sixes)
				}
			}
		}
	}
}

// someAddrs puts n addresses into a builder in all ways.
func someAddrs(r *rand.Rand, n int, distinct uint64, sixes int) (*Builder, []netip.Addr) {
	b := new(Builder)
	b.Reset(Addr)
	var want []netip.Addr
	for len(want) < n {
		x := r.Uint64N(distinct) * 2654435761
		k := min(n-len(want), 1+r.IntN(40))
		if r.IntN(4) < sixes {
			a := V6{0x20010db8 << 32, x}
			if k < 20 {
				k = 1
				b.Put6(a)
			} else {
				b.Repeat6(a, k)
			}
			want = append(want, slices.Repeat([]netip.Addr{v6(a)}, k)...)
			continue
		}
		switch r.IntN(3) {
		case 0:
			k = 1
			b.Put4(uint32(x))
			want = append(want, v4(uint32(x)))
		case 1:
			b.Repeat4(uint32(x), k)
			want = append(want, slices.Repeat([]netip.Addr{v4(uint32(x))}, k)...)
		case 2:
			data := make([]byte, 7*k)
			for i := range k {
				x := uint32(r.Uint64N(distinct) * 2654435761)
				binary.BigEndian.PutUint32(data[7*i:], x)
				want = append(want, v4(x))
			}
			b.Put4Every(data, 7, k)
		}
	}
	return b, want
}

func v4(a uint32) netip.Addr { return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, a))) }

func v6(a V6) netip.Addr {
	b := binary.BigEndian.AppendUint64(nil, a.Hi)
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(b, a.Lo)))
}

func checkAddrs(t *testing.T, v *Vec, want []netip.Addr) {
	t.Helper()
	set := slices.Clone(want)
	slices.SortFunc(set, netip.Addr.Compare)
	set = slices.Compact(set)
	if v.N != len(want) || v.Entries() != len(set) {
		t.Errorf("%d values and %d entries, want %d and %d", v.N, v.Entries(), len(want), len(set))
		return
	}
	if constant := v.Form == Const; constant != (len(set) <= 1) {
		t.Errorf("form %d for %d addresses", v.Form, len(set))
	}
	for e, a := range set {
		if v.AddrEntry(e) != a {
			t.Errorf("entry %d is %s, want %s", e, v.AddrEntry(e), a)
			return
		}
	}
	for i, a := range want {
		if got := v.AddrEntry(v.Entry(i)); got != a {
			t.Errorf("value %d is %s, want %s", i, got, a)
			return
		}
	}
}
