package column

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestEncodedSizes holds the choice of encodings to what the values need, in octets for 30000.
func TestEncodedSizes(t *testing.T) {
	const n = 30000
	r := rand.New(rand.NewPCG(31, 32))
	for _, c := range []struct {
		name string
		most int
		f    func(i int) uint64
	}{
		{"two values", 3800, func(i int) uint64 { return min(r.Uint64N(10), 1) }},
		{"rare value", 120, func(i int) uint64 { return 3 + 70*(1-min(r.Uint64N(1000), 1)) }},
		{"ports", 23000, func(i int) uint64 { return []uint64{53, 443, 80, 1024 + r.Uint64N(64000)}[r.IntN(4)] }},
		{"interfaces far apart", 11400, func(i int) uint64 { return []uint64{1, 2, 3, 4, 101, 102, 517, 60000}[r.IntN(8)] }},
		{"200 wide values", 31900, func(i int) uint64 { return mixTest(r.Uint64N(200)) }},
		{"runs", 2800, func(i int) uint64 { return mixTest(uint64(i/20)) >> 50 }},
		{"milliseconds", 60100, func(i int) uint64 { return uint64(1700000000e9) + r.Uint64N(60000)*1e6 }},
		{"seconds in turn", 40, func(i int) uint64 { return uint64(1700000000e9) + uint64(i/200)*1e9 }},
		{"counters", 75000, func(i int) uint64 { return r.Uint64() >> 32 >> r.IntN(32) }},
		{"wide counters", 140000, func(i int) uint64 { return r.Uint64() >> r.IntN(64) }},
		{"random", 240010, func(i int) uint64 { return r.Uint64() }},
	} {
		v := &Vec{Kind: Int, N: n, Ints: make([]uint64, n)}
		for i := range v.Ints {
			v.Ints[i] = c.f(i)
		}
		b := Encode(v)
		if len(b.Data) > c.most {
			t.Errorf("%s: %d octets as %v, more than %d", c.name, len(b.Data), b.Enc, c.most)
		}
		roundTrip(t, c.name, v, nil, b)
	}
}

// TestMappedNumbers: numbers far apart are numbered by a table, those beyond 32 bits not at all.
func TestMappedNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	const n = 5000
	ref := addrVec(r, n, 900, .2)
	for _, step := range []uint64{1, 700, 4_000_000, 1 << 40} {
		v := &Vec{Kind: Int, N: n, Ints: make([]uint64, n)}
		for i := range v.Ints {
			v.Ints[i] = uint64(ref.Entry(i)/3) * step
			if r.IntN(30) == 0 {
				v.Ints[i] += step
			}
		}
		b, d, ok := EncodeMapped(v, ref, true)
		if ok != (step < 1<<32) {
			t.Fatalf("steps of %d: mapped: %v", step, ok)
		}
		if !ok {
			continue
		}
		roundTrip(t, "mapped", v, ref, b)
		if err := sameValues(d, v); err != nil || d.Form != Dict {
			t.Errorf("steps of %d: %v vector to lean on: %v", step, d.Form, err)
		}
		if _, as, _ := EncodeMapped(v, ref, false); as != v {
			t.Errorf("steps of %d: another vector than the column, which none leans on", step)
		}
	}
}

func TestNumbered(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	for _, top := range []uint64{1, 63, 64, 65, 70000, bitmapSpan, bitmapSpan + 1, 1 << 32} {
		s := make([]uint64, 3000)
		for i := range s {
			s[i] = 1000 + r.Uint64N(top)
		}
		s[7], s[8] = 1000, 1000+top
		want := slices.Compact(sortedCopy(s))
		was := slices.Clone(s)
		if got := numbered(s); !slices.Equal(got, want) {
			t.Fatalf("up to %d: %d numbers, not the %d distinct ones in order", top, len(got), len(want))
		}
		for i, k := range s {
			if want[k] != was[i] {
				t.Fatalf("up to %d: %d has number %d", top, was[i], k)
			}
		}
	}
}

func TestScale(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 38))
	for _, c := range []struct {
		unit, most, odd uint64 // one value is odd off
		want            int
	}{
		{1e9, 1 << 33, 0, 0}, {1e9, 1 << 33, 1, -1}, {1e9, 1 << 33, 1e6, 1}, {1e9, 1 << 33, 1e3, 2},
		{1e6, 5, 0, 1}, {1e6, 1 << 43, 1e9 - 1, -1}, {1e3, 1 << 53, 0, 2}, {1e3, 1 << 53, 500, -1},
		{1e6, 1 << 43, 1 << 20, -1}, {1, 900, 0, -1}, {1e9, 2, 1e9 / 2, 1},
	} {
		v, q := make([]uint64, 99), make([]uint64, 99)
		for i := range v {
			v[i] = 12345 + r.Uint64N(c.most)*c.unit
		}
		v[0], v[1], v[2] = 12345, 12345+c.most*c.unit, 12345+c.odd
		u := scale(q, v, profile{lo: v[0], hi: v[1]})
		if u != c.want {
			t.Fatalf("%+v: unit %d", c, u)
		}
		for i, x := range q {
			if u >= 0 && x*units[u] != v[i]-v[0] {
				t.Fatalf("%+v: %d by %d is not %d", c, v[i]-v[0], units[u], x)
			}
		}
	}
}

func TestPackedFields(t *testing.T) {
	r := rand.New(rand.NewPCG(39, 40))
	for _, n := range []int{0, 1, 7, 8, 9, 16, 1001} {
		for w := uint(1); w <= 64; w++ {
			if w > maxWidth && w < 64 {
				continue
			}
			v := make([]uint64, n)
			for i := range v {
				v[i] = 77 + r.Uint64()>>(64-w)
			}
			p := appendPacked([]byte{1, 2}, v, 77, w)
			if len(p) != 2+packedLen(n, w) || p[0] != 1 || p[1] != 2 {
				t.Fatalf("%d fields of %d bits: %d bytes", n, w, len(p)-2)
			}
			got := make([]uint64, n)
			if unpack(got, p[2:], w, 77); !slices.Equal(got, v) {
				t.Fatalf("%d fields of %d bits: %v, want %v", n, w, got, v)
			}
		}
	}
}

func TestBitWriter(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	x, n := make([]uint64, 2000), make([]uint, 2000)
	out := make([]byte, 8*len(x)+8)
	var w bitWriter
	total := uint(0)
	for i := range x {
		n[i] = r.UintN(maxWidth + 1)
		x[i] = r.Uint64() & (1<<n[i] - 1)
		w = w.add(out, x[i], n[i])
		total += n[i]
	}
	if w.len() != int(total+7)/8 {
		t.Fatalf("%d bytes of %d bits", w.len(), total)
	}
	off := uint(0)
	for i := range x {
		if got := loadBits(out[:w.len()], off, n[i]); got != x[i] {
			t.Fatalf("field %d of %d bits: %x, want %x", i, n[i], got, x[i])
		}
		off += n[i]
	}
}
