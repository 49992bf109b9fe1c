package sflow

// sample4 decodes a sample of version 4 or 2 (RFC 3176 §4): a type, 1 for flows and 2 for
// counters, and the content.
func (x *Exporter) sample4(c *cursor) {
	switch kind := c.u32(); {
	case c.bad:
	case kind == 1:
		x.flow4(c)
	case kind == 2:
		x.counters4(c)
	default:
		c.fail()
	}
	if c.bad {
		x.refuse(c.at, "sample is cut off or of an unknown form")
	}
}

// flow4 decodes a flow sample.
//
//	sequence  source: class 8 bits, index 24  rate  pool  drops  input
//	output: 1 bit set if there are several, then their number  type and packet
//	number of extensions  type and content of each
func (x *Exporter) flow4(c *cursor) {
	sequence := c.u32()
	class, index := sourceOf(c.u32())
	rate, _, drops := c.u32(), c.u32(), c.u32()
	in, out := port{0, c.u32()}, port{0, c.u32()}
	if out.value>>31 != 0 {
		out = port{portsMany, out.value &^ (1 << 31)}
	}
	if c.bad {
		return
	}
	x.flowSample(class, index, sequence, drops)
	x.begin(rate, in, out)
	switch c.u32() {
	case 1:
		x.sample.readHeader(c, false)
	case 2:
		x.sample.readIP(c, 4)
	case 3:
		x.sample.readIP(c, 6)
	default:
		c.fail()
	}
	for range c.u32() {
		if x.extension4(c); c.bad {
			break
		}
	}
	if !c.bad {
		x.finish()
	}
}

// extension4 reads an extension of a flow sample. They have no length, so that nothing can be
// read behind one that is not known.
func (x *Exporter) extension4(c *cursor) {
	switch c.u32() {
	case 1:
		x.sample.readSwitch(c)
	case 2:
		x.readRouter(c)
	case 3:
		x.readGateway(c)
	case 4: // names of the users
		c.opaque()
		c.opaque()
		x.stats.Skipped++
	case 5: // direction, URL
		c.u32()
		c.opaque()
		x.stats.Skipped++
	default:
		c.fail()
	}
}

// counterSizes are the bytes of the counters by their type: generic ones of an interface, alone
// or before those of Ethernet, token ring, FDDI, 100BaseVG or a WAN, and those of a VLAN.
var counterSizes = [...]uint32{1: 88, 88 + 52, 88 + 72, 88, 88 + 80, 88, 28}

// counters4 passes over a counter sample: sequence, source, interval, type, counters.
func (x *Exporter) counters4(c *cursor) {
	c.bytes(12)
	kind := c.u32()
	if kind == 0 || kind >= uint32(len(counterSizes)) {
		c.fail()
		return
	}
	if c.bytes(counterSizes[kind]); !c.bad {
		x.stats.Counters++
	}
}
