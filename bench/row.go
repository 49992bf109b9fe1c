package main

import (
	"encoding/binary"
	"hash/crc64"
	"net/netip"
)

const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// Row is one flow record, flat, with the fields that a router's NetFlow v9 template has.
// Times are milliseconds since the epoch. Received is the time of the export packet.
// ICMP and ICMPv6 rows have type and code and both ports zero.
type Row struct {
	Start, End, Received int64
	Src, Dst, NextHop    netip.Addr
	Packets, Bytes       uint64
	In, Out              uint32
	SrcAS, DstAS         uint32
	SrcPort, DstPort     uint16
	Proto, Flags, Tos    uint8
	SrcMask, DstMask     uint8
	ICMPType, ICMPCode   uint8
}

// exporter is the router that all rows come from, the same for all of them.
var exporter = netip.AddrFrom4([4]byte{192, 0, 2, 1})

func (r *Row) isICMP() bool { return r.Proto == protoICMP || r.Proto == protoICMPv6 }

// nfdumpPort is the destination port as nfdump keeps it: ICMP type and code are in it.
func (r *Row) nfdumpPort() uint16 {
	if r.isICMP() {
		return uint16(r.ICMPType)<<8 | uint16(r.ICMPCode)
	}
	return r.DstPort
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// checksum extends sum by every field of the row, for the test that equal seeds give equal rows.
func (r *Row) checksum(sum uint64) uint64 {
	b := make([]byte, 0, 160)
	for _, v := range [...]uint64{uint64(r.Start), uint64(r.End), uint64(r.Received), r.Packets, r.Bytes} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	for _, v := range [...]uint32{r.In, r.Out, r.SrcAS, r.DstAS} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, a := range [...]netip.Addr{r.Src, r.Dst, r.NextHop} {
		b = append(b, byte(a.BitLen()))
		b = append(b, a.AsSlice()...)
	}
	b = binary.LittleEndian.AppendUint16(b, r.SrcPort)
	b = binary.LittleEndian.AppendUint16(b, r.DstPort)
	b = append(b, r.Proto, r.Flags, r.Tos, r.SrcMask, r.DstMask, r.ICMPType, r.ICMPCode)
	return crc64.Update(sum, crcTable, b)
}
