package netflow

// rate is a sampling rate: of interval+space packets, interval were looked at. The zero value
// is none; no space says that every packet was looked at.
type rate struct{ interval, space uint32 }

// oneIn is the rate of one packet in n.
func oneIn(n uint64) rate {
	if n < 1 || n > 1<<32 {
		return rate{}
	}
	return rate{1, uint32(n - 1)}
}

// outOf is the rate of n packets in a population.
func outOf(n, population uint64) rate {
	if n == 0 || population < n || n > 1<<32-1 || population-n > 1<<32-1 {
		return rate{}
	}
	return rate{uint32(n), uint32(population - n)}
}

// rateParts are the elements of which a rate is made, wherever they stand: in options data, or
// in a record itself.
type rateParts struct {
	interval34, interval50, packets305, space306, size309, population310 uint64
	has305, has306, has309                                               bool
}

// put takes the value of an element, if it is one.
func (p *rateParts) put(id uint32, x uint64) bool {
	switch id {
	case 34: // samplingInterval
		p.interval34 = x
	case 50: // samplerRandomInterval
		p.interval50 = x
	case 305: // samplingPacketInterval
		p.packets305, p.has305 = x, true
	case 306: // samplingPacketSpace
		p.space306, p.has306 = x, true
	case 309: // samplingSize
		p.size309, p.has309 = x, true
	case 310: // samplingPopulation
		p.population310 = x
	default:
		return false
	}
	return true
}

func (p *rateParts) rate() rate {
	switch {
	case p.has305 && p.has306:
		return outOf(p.packets305, p.packets305+p.space306)
	case p.has309:
		return outOf(p.size309, p.population310)
	case p.interval50 > 0:
		return oneIn(p.interval50)
	case p.has305: // some leave the space out and mean one in so many
		return oneIn(p.packets305)
	}
	return oneIn(p.interval34)
}

// resolve is the rate of a record whose exporter says r, with what the user says.
func (x *Exporter) resolve(r rate) rate {
	switch {
	case x.config.Force > 0:
		return oneIn(uint64(x.config.Force))
	case r == rate{}:
		return oneIn(uint64(x.config.Rate))
	}
	return r
}

// sampler is the rate of a sampler of a domain; a number that was not announced has the rate
// that was announced without one.
func (d *domain) sampler(id uint64) rate {
	if r, ok := d.samplers[id]; ok {
		return r
	}
	return d.rate
}
