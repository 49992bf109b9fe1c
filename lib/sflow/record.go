package sflow

import (
	"encoding/binary"
	"math/bits"

	"nfpipe/lib/ie"
	"nfpipe/lib/packet"
)

// Numbers of a record, in the order of their columns.
const (
	numProto = iota
	numSrcPort
	numDstPort
	numICMP4
	numICMP6
	numTCPFlags
	numPackets
	numBytes
	numIPLength
	numFirst
	numLast
	numReceived
	numTOS
	numTTL
	numFragFlags
	numFragID
	numFragOffset
	numFlowLabel
	numSrcMAC
	numDstMAC
	numEtherType
	numVLAN
	numPostVLAN
	numTag
	numInnerTag
	numInput
	numOutput
	numCopies
	numStatus
	numSrcMask4
	numDstMask4
	numSrcMask6
	numDstMask6
	numSrcAS
	numDstAS
	numNextAS
	numPrevAS
	numNATSrcPort
	numNATDstPort
	numDomain
	numInterval
	numSpace
	numberCount
)

var numbers = [numberCount]ie.ID{
	numProto: 4, numSrcPort: 7, numDstPort: 11, numICMP4: 32, numICMP6: 139, numTCPFlags: 6,
	numPackets: 2, numBytes: 1, numIPLength: 224, numFirst: 156, numLast: 157, numReceived: 258,
	numTOS: 5, numTTL: 192, numFragFlags: 197, numFragID: 54, numFragOffset: 88, numFlowLabel: 31,
	numSrcMAC: 56, numDstMAC: 80, numEtherType: 256,
	numVLAN: 58, numPostVLAN: 59, numTag: 243, numInnerTag: 245,
	numInput: 10, numOutput: 14, numCopies: 99, numStatus: 89,
	numSrcMask4: 9, numDstMask4: 13, numSrcMask6: 29, numDstMask6: 30,
	numSrcAS: 16, numDstAS: 17, numNextAS: 128, numPrevAS: 129,
	numNATSrcPort: 227, numNATDstPort: 228,
	numDomain: 149, numInterval: ie.SamplingInterval, numSpace: ie.SamplingSpace,
}

// Addresses of a record. Each has an element for IPv4 and one for IPv6.
const (
	addrSrc = iota
	addrDst
	addrExporter
	addrNextHop
	addrBGPNextHop
	addrNATSrc
	addrNATDst
	addrCount
)

var addresses = [addrCount][2]ie.ID{
	addrSrc: {8, 27}, addrDst: {12, 28}, addrExporter: {130, 131},
	addrNextHop: {15, 62}, addrBGPNextHop: {18, 63}, addrNATSrc: {225, 281}, addrNATDst: {226, 282},
}

// firstLabel is the MPLS label at the top of the stack; those below it follow by number.
const firstLabel ie.ID = 70

// Lists of a record.
const (
	listPath = iota
	listCommunities
	listCount
)

var lists = [listCount]ie.ID{listPath: 291, listCommunities: 485}

// traits are what decides the shape of a record: a bit for each number; two for each address,
// the lower for IPv4; the depth of the label stack; a bit for each list.
type traits struct {
	numbers uint64
	addrs   uint16
	labels  uint8
	lists   uint8
}

// record is a record that is being put together. What has does not tell of means nothing.
type record struct {
	has     traits
	numbers [64]uint64 // numberCount of them; a power of two spares bounds checks
	addrs   [addrCount][16]byte
	labels  [packet.MaxLabels]uint32 // 24 bits: label, class, bottom of the stack
	lists   [listCount][]byte
}

func (r *record) set(i int, v uint64) {
	r.numbers[i&63] = v
	r.has.numbers |= 1 << (i & 63)
}

// setBelow sets a number unless it is too large: agents send 2³²-1 for what they do not know.
func (r *record) setBelow(i int, v, limit uint32) {
	if v < limit {
		r.set(i, uint64(v))
	}
}

func (r *record) is(i int) bool { return r.has.numbers>>i&1 != 0 }

// setAddr sets an address of either family; one of none is not set.
func (r *record) setAddr(i int, a address) {
	if a.family == 0 {
		return
	}
	copy(r.addrs[i][:], a.b)
	bit := uint16(1)
	if a.family == 6 {
		bit = 2
	}
	r.has.addrs = r.has.addrs&^(3<<(2*i)) | bit<<(2*i)
}

func (r *record) isAddr(i int) bool { return r.has.addrs>>(2*i)&3 != 0 }

// emit puts the record at hand into the sink.
func (x *Exporter) emit() {
	s := x.shape()
	l, _ := x.config.Sink.Begin(s.shape, &s.at, 1) // a batch has room for any of these shapes
	x.stats.Records++
	r, cols := &x.record, l.Cols
	for m := r.has.numbers; m != 0; m &= m - 1 {
		cols[0].PutInt(r.numbers[bits.TrailingZeros64(m)&63])
		cols = cols[1:]
	}
	for m := r.has.addrs; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		if a := &r.addrs[i/2]; i%2 == 0 {
			cols[0].Put4(binary.BigEndian.Uint32(a[:]))
		} else {
			cols[0].Put16(a[:])
		}
		cols = cols[1:]
	}
	for _, l := range r.labels[:r.has.labels] {
		cols[0].PutBytes([]byte{byte(l >> 16), byte(l >> 8), byte(l)})
		cols = cols[1:]
	}
	for m := r.has.lists; m != 0; m &= m - 1 {
		cols[0].PutBytes(r.lists[bits.TrailingZeros8(m)])
		cols = cols[1:]
	}
}
