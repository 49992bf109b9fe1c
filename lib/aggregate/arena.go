package aggregate

import "sync"

// slabWords is what an arena asks for at a time, 16 MiB: many chunks, and of a size that an
// operating system can back by large pages.
const slabWords = 2 << 20

// arena cuts the memory of groups out of large pieces, so that a caller can say where they
// come from. What is taken is all zeros.
type arena struct {
	alloc func(words int) []uint64
	mu    sync.Mutex
	slab  []uint64
	spare [][]uint64 // given back
}

// take returns n words.
func (a *arena) take(n int) []uint64 {
	if a.alloc == nil {
		return make([]uint64, n)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > slabWords/8 {
		return a.alloc(n)
	}
	if i := len(a.spare) - 1; i >= 0 && len(a.spare[i]) >= n {
		p := a.spare[i][:n:n]
		if a.spare[i] = a.spare[i][n:]; len(a.spare[i]) == 0 {
			a.spare = a.spare[:i]
		}
		clear(p)
		return p
	}
	if len(a.slab) < n {
		if len(a.slab) > 0 {
			a.spare = append(a.spare, a.slab)
		}
		a.slab = a.alloc(slabWords)
	}
	p := a.slab[:n:n]
	a.slab = a.slab[n:]
	return p
}

// give takes memory back for later use.
func (a *arena) give(p []uint64) {
	if a.alloc == nil || len(p) < 1024 {
		return
	}
	a.mu.Lock()
	a.spare = append(a.spare, p)
	a.mu.Unlock()
}
