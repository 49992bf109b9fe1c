package column

// Extend appends n numbers and returns them for the caller to set.
func (b *Builder) Extend(n int) []uint64 {
	have := len(b.v.Ints)
	if cap(b.v.Ints)-have < n {
		grown := make([]uint64, have, max(2*have, have+n, 64))
		copy(grown, b.v.Ints)
		b.v.Ints = grown
	}
	b.v.Ints = b.v.Ints[:have+n]
	return b.v.Ints[have:]
}

// RepeatInt appends x n times.
func (b *Builder) RepeatInt(x uint64, n int) {
	out := b.Extend(n)
	for i := range out {
		out[i] = x
	}
}
