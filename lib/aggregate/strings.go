package aggregate

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"nfpipe/lib/column"
)

// interner numbers the different strings of a table's keys.
type interner struct {
	mu     sync.Mutex
	index  map[string]uint32
	list   []string
	memory *atomic.Int64
	rank   []uint64 // position of each in order, made when groups are given out
}

// entries puts the number of each entry of v into dst.
func (s *interner) entries(dst []uint64, v *column.Vec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index == nil {
		s.index = map[string]uint32{}
	}
	s.rank = nil
	for e := range dst {
		b := v.BytesEntry(e)
		n, ok := s.index[string(b)]
		if !ok {
			if len(s.list) == math.MaxUint32 {
				return fmt.Errorf("more than %d different strings", len(s.list))
			}
			str := string(b)
			n = uint32(len(s.list))
			s.index[str] = n
			s.list = append(s.list, str)
			s.memory.Add(int64(len(str)) + 64)
		}
		dst[e] = uint64(n)
	}
	return nil
}

// ranks is the position of each number in the order of the strings.
func (s *interner) ranks() []uint64 {
	if s.rank == nil {
		order := make([]uint32, len(s.list))
		for i := range order {
			order[i] = uint32(i)
		}
		slices.SortFunc(order, func(a, b uint32) int {
			if s.list[a] < s.list[b] {
				return -1
			}
			if s.list[a] > s.list[b] {
				return 1
			}
			return 0
		})
		s.rank = make([]uint64, len(order))
		for i, n := range order {
			s.rank[n] = uint64(i)
		}
	}
	return s.rank
}
