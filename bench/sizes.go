package main

import "math"

// sizes is the mix of packet sizes of one side of an application, as 1024 equally likely IP lengths.
type sizes struct {
	table    [1024]uint16
	mean, sd float64
}

// part is a share (of 1024) of packets with lengths lo…hi.
type part struct{ share, lo, hi int }

func mix(parts ...part) *sizes {
	s := &sizes{}
	i := 0
	for _, p := range parts {
		for k := range p.share {
			s.table[i] = uint16(p.lo + (p.hi-p.lo)*k/max(1, p.share-1))
			i++
		}
	}
	if i != len(s.table) {
		panic("the shares of a mix of sizes do not add up")
	}
	return s.measure()
}

// Above this many packets a sum of independent draws is taken from the normal distribution that it tends to.
const exactPackets = 48

// total is the sum of the sizes of n packets, each drawn from the mix; v6 packets are 20 bytes longer.
func (s *sizes) total(r *random, n uint64, v6 bool) uint64 {
	var sum uint64
	if n <= exactPackets {
		var v uint64
		for i := range n {
			if i%6 == 0 {
				v = r.next()
			}
			sum += uint64(s.table[v&1023])
			v >>= 10
		}
	} else {
		sum = s.approximate(r, n)
	}
	if v6 {
		sum += 20 * n
	}
	return sum
}

func (s *sizes) measure() *sizes {
	var sum, squares float64
	for _, v := range s.table {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(s.table))
	s.mean = sum / n
	s.sd = math.Sqrt(squares/n - s.mean*s.mean)
	return s
}

func (s *sizes) approximate(r *random, n uint64) uint64 {
	f := float64(n)
	sum := f*s.mean + math.Sqrt(f)*s.sd*r.normal()
	return uint64(max(sum, 40*f))
}
