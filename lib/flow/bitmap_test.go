package flow_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"nfpipe/lib/flow"
)

func fromBools(bs []bool) flow.Bitmap {
	m := flow.NewBitmap(len(bs))
	for i, b := range bs {
		if b {
			m.Set(i)
		}
	}
	return m
}

func TestBitmap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 63, 64, 65, 127, 128, 129, 1000, 65535, 65536} {
		for round := range 4 {
			x, y := make([]bool, n), make([]bool, n)
			for i := range n {
				x[i], y[i] = round == 1 || round > 1 && r.IntN(2) == 0, r.IntN(round+1) == 0
			}
			check := func(what string, m flow.Bitmap, want func(x, y bool) bool) {
				t.Helper()
				var rows []int32
				for i := range n {
					w := want(x[i], y[i])
					if w {
						rows = append(rows, int32(i))
					}
					if m.Get(i) != w {
						t.Fatalf("%s, %d bits, round %d: bit %d is %v", what, n, round, i, m.Get(i))
					}
				}
				if m.Count() != len(rows) {
					t.Fatalf("%s, %d bits, round %d: %d set, want %d", what, n, round, m.Count(), len(rows))
				}
				if got := m.Rows([]int32{-7}); got[0] != -7 || !slices.Equal(got[1:], rows) {
					t.Fatalf("%s, %d bits, round %d: rows %v, want %v", what, n, round, got, rows)
				}
			}
			check("set", fromBools(x), func(x, _ bool) bool { return x })
			m := fromBools(x)
			m.And(fromBools(y))
			check("and", m, func(x, y bool) bool { return x && y })
			m = fromBools(x)
			m.Or(fromBools(y))
			check("or", m, func(x, y bool) bool { return x || y })
			m = fromBools(x)
			m.AndNot(fromBools(y))
			check("and not", m, func(x, y bool) bool { return x && !y })
			m = fromBools(x)
			m.Not(n)
			check("not", m, func(x, _ bool) bool { return !x })
			m = fromBools(x)
			m.Fill(n)
			check("fill", m, func(_, _ bool) bool { return true })
		}
	}
}
