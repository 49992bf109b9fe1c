package filter

import (
	"math/rand/v2"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

func sameBitmap(t *testing.T, what string, n int, got flow.Bitmap, want func(int) bool) {
	t.Helper()
	for i := range n {
		if got.Get(i) != want(i) {
			t.Fatalf("%s: value %d of %d: got %v", what, i, n, got.Get(i))
		}
	}
	for i := n; i < 64*len(got); i++ {
		if got.Get(i) {
			t.Fatalf("%s: bit %d of %d values is set", what, i, n)
		}
	}
}

func TestCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, entries := range []int{2, 300, 1 << 15, 1<<15 + 1, 1 << 16} {
		for _, n := range []int{1, 63, 64, 65, 1000, 4096} {
			codes := make([]uint16, n)
			for i := range codes {
				codes[i] = uint16(r.IntN(entries))
			}
			a, b := codes[r.IntN(n)], codes[r.IntN(n)]
			for _, s := range [][2]uint16{{min(a, b), max(a, b)}, {a, a}, {0, a}, {a, uint16(entries - 1)}, {0, uint16(entries - 1)}} {
				dst := flow.NewBitmap(n)
				codesWithin(dst, codes, s[0], s[1], entries)
				sameBitmap(t, "range", n, dst, func(i int) bool { return codes[i] >= s[0] && codes[i] <= s[1] })
				var table [1 << 16]uint8
				for i := int(s[0]); i <= int(s[1]); i++ {
					table[i] = 1
				}
				codesTable(dst, codes, &table)
				sameBitmap(t, "table", n, dst, func(i int) bool { return codes[i] >= s[0] && codes[i] <= s[1] })
			}
		}
	}
}

func TestInts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	e := &evaluator{table: make([]uint8, 1<<16)}
	for range 300 {
		n := 1 + r.IntN(300)
		vals := make([]uint64, n)
		for i := range vals {
			vals[i] = r.Uint64() >> r.IntN(64)
		}
		var set spans
		for range r.IntN(8) {
			a, b := vals[r.IntN(n)], vals[r.IntN(n)]
			if r.IntN(2) == 0 {
				b = a
			}
			if r.IntN(2) == 0 {
				a, b = a&0xffff, b&0xffff
			}
			set = append(set, span{min(a, b), max(a, b)})
		}
		set = normal(set)
		shift, mask := uint8(0), allBits
		if r.IntN(3) == 0 {
			shift, mask = uint8(r.IntN(64)), r.Uint64()>>r.IntN(64)
		}
		dst := flow.NewBitmap(n)
		e.plain(set, vals, shift, mask, dst)
		sameBitmap(t, "plain", n, dst, func(i int) bool {
			x := vals[i] >> shift & mask
			for _, s := range set {
				if x >= s.lo && x <= s.hi {
					return true
				}
			}
			return false
		})
	}
}

func TestDeposit(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		n := 1 + r.IntN(400)
		present, counted, want := flow.NewBitmap(n), flow.NewBitmap(n), flow.NewBitmap(n)
		density := 1 + r.IntN(5)
		for i := range n {
			if r.IntN(density) == 0 || i/64 == 1 {
				present.Set(i)
			}
			if r.IntN(4) > 0 {
				counted.Set(i)
			}
		}
		if present.Count() == 0 {
			continue
		}
		src := flow.NewBitmap(present.Count())
		k := 0
		for i := range n {
			if present.Get(i) {
				if r.IntN(3) == 0 {
					src.Set(k)
					if counted.Get(i) {
						want.Set(i)
					}
				}
				k++
			}
		}
		dst := flow.NewBitmap(n)
		deposit(dst, src, present, counted)
		sameBitmap(t, "deposit", n, dst, want.Get)
	}
}

// TestWithin: what bounds say must hold for every value between them.
func TestWithin(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 2000 {
		var set spans
		for range r.IntN(4) {
			a := r.Uint64N(20)
			set = append(set, span{a, a + r.Uint64N(5)})
		}
		set = normal(set)
		lo := r.Uint64N(24)
		hi := lo + r.Uint64N(6)
		hits := uint64(0)
		for x := lo; x <= hi; x++ {
			if set.has(x) {
				hits++
			}
		}
		m := set.within(lo, hi)
		if want := map[bool]Match{true: All}[hits == hi-lo+1]; m != want && !(hits == 0 && m == None) {
			t.Fatalf("%v within %d-%d: %v", set, lo, hi, m)
		}
		// The same numbers as addresses on both sides of the border between the families.
		ips := addrs{v4: spans{{1<<32 - 4, 1<<32 - 1}}, v6: []span6{{column.V6{}, column.V6{Lo: 3}}}}
		for k, want := range []Match{All, Some, All, Some, None} {
			b := [][2]column.Bound{
				{{Lo: 1<<32 - 4}, {Lo: 1<<32 - 2}},
				{{Lo: 1<<32 - 5}, {Lo: 1<<32 - 2}},
				{{Lo: 1<<32 - 1}, {Is6: true, Lo: 3}},
				{{Lo: 1<<32 - 1}, {Is6: true, Lo: 4}},
				{{Is6: true, Lo: 4}, {Is6: true, Hi: 1}},
			}[k]
			if got := ips.within(b[0], b[1]); got != want {
				t.Fatalf("addresses, case %d: %v, want %v", k, got, want)
			}
		}
	}
}

func TestFirstScaled(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 5000 {
		interval, space := 1+r.Uint64N(5), r.Uint64()>>r.IntN(64)
		x := r.Uint64() >> r.IntN(64)
		got, ok := firstScaled(x, interval, space)
		if ok && (scale(got, interval, space) < x || got > 0 && scale(got-1, interval, space) >= x) {
			t.Fatalf("first number that gives %d at (%d+%d)/%d: %d", x, interval, space, interval, got)
		}
		if !ok && scale(1<<64-1, interval, space) >= x {
			t.Fatalf("no number gives %d at (%d+%d)/%d", x, interval, space, interval)
		}
	}
}
