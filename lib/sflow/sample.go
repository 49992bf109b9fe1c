package sflow

import "fmt"

// sample is what a flow sample says of its packet, until a record is made of it. What sent does
// not tell of means nothing. The slices lie in the datagram.
type sample struct {
	sent parts

	header   header
	ethernet ethernet
	ip       ip

	inVLAN, outVLAN uint32
	srcLen, dstLen  uint32 // of the prefixes
	stripped        []byte // VLAN tags: TPID and TCI each, the outermost first
	inLabels        []byte // MPLS labels as received, the top of the stack first
}

// parts are the structures of a sample.
type parts uint8

const (
	partHeader parts = 1 << iota
	partEthernet
	partIP
	partSwitch
	partRouter
	partStripped
	partLabels
)

func (s *sample) has(p parts) bool { return s.sent&p != 0 }

// Formats of the samples of version 5 that are known; an enterprise number above the lowest 12
// bits makes it another.
const (
	formatFlow = iota + 1
	formatCounters
	formatExpandedFlow
	formatExpandedCounters
	formatDiscarded
)

// sample5 decodes a sample of version 5: enterprise and format, length, content.
func (x *Exporter) sample5(c *cursor) {
	at := c.at
	format := c.u32()
	var body cursor
	c.body(&body)
	if c.bad {
		x.refuse(at, "sample is cut off")
		return
	}
	switch format {
	case formatFlow, formatExpandedFlow:
		x.flow5(&body, format == formatExpandedFlow)
	case formatCounters, formatExpandedCounters:
		x.stats.Counters++
	case formatDiscarded:
		x.stats.Discards++
	default:
		x.stats.Skipped++
	}
}

// flow5 decodes a flow sample of version 5.
//
//	compact   sequence  source: class 8 bits, index 24  rate  pool  drops
//	          input and output: format 2 bits, value 30  number of structures  structures
//	expanded  the same with four bytes each for class, index, formats and values
func (x *Exporter) flow5(c *cursor, expanded bool) {
	at := c.at
	sequence := c.u32()
	var class, index uint32
	var in, out port
	if expanded {
		class, index = c.u32(), c.u32()
	} else {
		class, index = sourceOf(c.u32())
	}
	rate, _, drops := c.u32(), c.u32(), c.u32()
	if expanded {
		in, out = port{c.u32(), c.u32()}, port{c.u32(), c.u32()}
	} else {
		in, out = portOf(c.u32()), portOf(c.u32())
	}
	structures := c.u32()
	if c.bad {
		x.refuse(at, "flow sample is cut off")
		return
	}
	x.flowSample(class, index, sequence, drops)
	x.begin(rate, in, out)
	for range structures {
		if x.structure(c); c.bad {
			break
		}
	}
	x.finish()
}

// sourceOf takes the compact form of a data source apart.
func sourceOf(v uint32) (class, index uint32) { return v >> 24, v & (1<<24 - 1) }

// begin starts a record with what all flow samples say.
func (x *Exporter) begin(rate uint32, in, out port) {
	x.record.has = x.common
	x.sample.sent = 0
	if rate == 0 {
		rate = x.config.Rate
	}
	if x.config.Force != 0 {
		rate = x.config.Force
	}
	if rate > 1 {
		x.record.set(numInterval, 1)
		x.record.set(numSpace, uint64(rate-1))
	}
	x.setPorts(in, out)
}

// Formats of structures in flow samples.
const (
	formatHeader     = 1
	formatEthernet   = 2
	formatIPv4       = 3
	formatIPv6       = 4
	formatSwitch     = 1001
	formatRouter     = 1002
	formatGateway    = 1003
	formatMPLS       = 1006
	formatNAT        = 1007
	formatVLANTunnel = 1012
	formatNATPort    = 1020
)

// structure reads a structure of a flow sample: enterprise and format, length, content.
func (x *Exporter) structure(c *cursor) {
	at := c.at
	format := c.u32()
	var body cursor
	c.body(&body)
	if c.bad {
		x.refuse(at, "structure is cut off")
		return
	}
	switch format {
	case formatHeader:
		x.sample.readHeader(&body, true)
	case formatEthernet:
		x.sample.readEthernet(&body)
	case formatIPv4:
		x.sample.readIP(&body, 4)
	case formatIPv6:
		x.sample.readIP(&body, 6)
	case formatSwitch:
		x.sample.readSwitch(&body)
	case formatRouter:
		x.readRouter(&body)
	case formatGateway:
		x.readGateway(&body)
	case formatMPLS:
		x.readMPLS(&body)
	case formatNAT:
		x.readNAT(&body)
	case formatVLANTunnel:
		x.sample.readVLANTunnel(&body)
	case formatNATPort:
		x.readNATPorts(&body)
	default:
		x.stats.Skipped++
	}
	if body.bad {
		x.refuse(at, fmt.Sprintf("structure %d contradicts its length", format))
	}
}
