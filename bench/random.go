package main

import (
	"math"
	"math/bits"
)

// random is splitmix64: one word of state, the same numbers from the same seed on every machine.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is uniform in 0…n-1.
func (r *random) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// between is uniform in lo…hi, both included.
func (r *random) between(lo, hi int) int { return lo + r.below(hi-lo+1) }

// chance is true k times of 1024.
func (r *random) chance(k int) bool { return r.next()>>54 < uint64(k) }

// unit is uniform in (0,1].
func (r *random) unit() float64 { return float64(r.next()>>11+1) / (1 << 53) }

// normal is close to the standard normal distribution: the sum of four 16-bit uniform numbers, scaled.
func (r *random) normal() float64 {
	v := r.next()
	sum := int(v&0xffff) + int(v>>16&0xffff) + int(v>>32&0xffff) + int(v>>48)
	return float64(sum-2*0xffff) / 37837
}

// lognormal has the median given and the standard deviation sigma of its logarithm.
func (r *random) lognormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*r.normal())
}

// pareto is at least 1, with tail exponent alpha, cut at limit.
func (r *random) pareto(alpha, limit float64) float64 {
	return min(limit, math.Exp(-math.Log(r.unit())/alpha))
}

// sampler draws an index with given weights in constant time (Walker's alias method).
type sampler struct {
	keep  []uint32 // of 2^32: the share of slot i that stays with i
	other []uint32 // who has the rest
}

func newSampler(weights []float64) sampler {
	n := len(weights)
	total := 0.0
	for _, w := range weights {
		total += w
	}
	share := make([]float64, n)
	var small, large []int
	for i, w := range weights {
		share[i] = w * float64(n) / total
		if share[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	s := sampler{make([]uint32, n), make([]uint32, n)}
	for i := range n {
		s.keep[i], s.other[i] = math.MaxUint32, uint32(i)
	}
	for len(small) > 0 && len(large) > 0 {
		a, b := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		s.keep[a], s.other[a] = uint32(share[a]*math.MaxUint32), uint32(b)
		share[b] -= 1 - share[a]
		if share[b] < 1 {
			large = large[:len(large)-1]
			small = append(small, b)
		}
	}
	return s
}

// zipf draws rank i with weight 1/(i+shift)^exponent.
func zipf(n int, exponent, shift float64) sampler {
	w := make([]float64, n)
	for i := range w {
		w[i] = math.Pow(float64(i)+shift, -exponent)
	}
	return newSampler(w)
}

func (s *sampler) draw(r *random) int {
	v := r.next()
	i := (v >> 32) * uint64(len(s.keep)) >> 32
	if uint32(v) <= s.keep[i] {
		return int(i)
	}
	return int(s.other[i])
}
