package sflow

import "testing"

func TestSequence(t *testing.T) {
	const top = 1<<32 - 1
	for _, test := range []struct {
		name string
		in   []uint32
		want []int
	}{
		{"in order", []uint32{5, 6, 7}, []int{0, 0, 0}},
		{"a gap", []uint32{5, 9, 10}, []int{0, 3, 0}},
		{"out of order", []uint32{5, 7, 6, 8}, []int{0, 1, -1, 0}},
		{"late twice", []uint32{5, 8, 6, 6, 7}, []int{0, 2, -1, 0, -1}},
		{"duplicates", []uint32{5, 6, 6, 5}, []int{0, 0, 0, 0}},
		{"before the first", []uint32{5, 4, 3, 6}, []int{0, 0, 0, 0}},
		{"wrapped", []uint32{top, 0, 2, 1, top}, []int{0, 0, 1, -1, 0}},
		{"restart", []uint32{100000, 1, 2, 4}, []int{0, 0, 0, 1}},
		{"late after a restart", []uint32{100000, 70, 69}, []int{0, 0, 0}},
		{"jump", []uint32{5, 1 << 30, 1<<30 + 1}, []int{0, 0, 0}},
		{"largest gap", []uint32{5, 6 + maxGap, 7 + maxGap}, []int{0, maxGap, 0}},
		{"too late", []uint32{5, 100, 20}, []int{0, 94, 0}},
	} {
		var s sequence
		for i, n := range test.in {
			if got := s.take(n); got != test.want[i] {
				t.Errorf("%s: %d of %v gives %d, want %d", test.name, n, test.in, got, test.want[i])
			}
		}
	}
}
