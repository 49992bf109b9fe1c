package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// A file of nfdump 1.7, layout 2, little endian, as nfcapd writes it from a NetFlow v9 exporter:
//
//	header 40 | data block* | appendix block
//	block:  records u32, octets u32, type u16 = 3, flags u16 | payload, compressed as one unit
//	record: type u16, size u16, ...; type 11 is a flow:
//	        elements u16, engine type u8, engine id u8, exporter u16, flags u8, version u8 | element*
//	element: type u16, length u16 (with these four), values
const (
	nfdumpHeader    = 40
	nfdumpBlockSize = 2 << 20 // what a writer collects before it compresses
	nfdumpMagic     = 0xa50c

	recordExporter      = 7
	recordExporterStats = 8
	recordFlow          = 11
	recordIdent         = 0x8001
	recordStats         = 0x8002

	blockUncompressed = 1 // flag: this block did not get smaller
)

// codec is how nfdump names its compressions in the file header.
type codec uint8

const (
	codecNone codec = 0
	codecLZ4  codec = 3
	codecZstd codec = 4
)

// nfdumpWriter writes one file. Its methods keep the first error; Close returns it.
type nfdumpWriter struct {
	file    *os.File
	out     *bufio.Writer
	codec   codec
	lz4     lz4.Compressor
	zstd    *zstd.Encoder
	block   []byte
	packed  []byte
	records uint32
	blocks  uint32
	offset  int64
	packets uint64 // of the exporter
	last    int64
	stats   nfdumpStats
	err     error
}

// nfdumpStats is the stat record: total, then tcp, udp, icmp, other.
type nfdumpStats struct {
	flows, bytes, packets [5]uint64
	first, last           int64
}

func createNfdump(name string, c codec) (*nfdumpWriter, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	w := &nfdumpWriter{file: file, out: bufio.NewWriterSize(file, 1<<20), codec: c, offset: nfdumpHeader}
	if c == codecZstd {
		// nfdump compresses in one thread at zstd's default level.
		w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil, err
		}
	}
	w.write(make([]byte, nfdumpHeader))
	w.block = make([]byte, 0, nfdumpBlockSize+4096)
	b := head(w.block, recordExporter, 32)
	b = binary.LittleEndian.AppendUint32(b, 9)
	ip := netip.AddrFrom16(exporter.As16()).As16()
	b = append(b, ip[:]...)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, 1) // system id
	w.block = binary.LittleEndian.AppendUint32(b, 1)
	w.records = 1
	return w, nil
}

func head(b []byte, kind, size uint16) []byte {
	b = binary.LittleEndian.AppendUint16(b, kind)
	return binary.LittleEndian.AppendUint16(b, size)
}

// Row adds one flow record.
func (w *nfdumpWriter) Row(r *Row) {
	w.stats.add(r)
	if r.Received != w.last {
		w.packets++
		w.last = r.Received
	}
	v4 := r.Src.Is4()
	size := uint16(12 + 52 + 12 + 20 + 12 + 8 + 8)
	if !v4 {
		size += 24 + 12
	}
	le := binary.LittleEndian
	b := head(w.block, recordFlow, size)
	b = le.AppendUint16(b, 6) // elements
	b = append(b, 0, 0, 1, 0, 0, 9)

	b = head(b, 1, 52)
	b = le.AppendUint64(b, uint64(r.Start))
	b = le.AppendUint64(b, uint64(r.End))
	b = le.AppendUint64(b, uint64(r.Received))
	b = le.AppendUint64(b, r.Packets)
	b = le.AppendUint64(b, r.Bytes)
	b = le.AppendUint16(b, r.SrcPort)
	b = le.AppendUint16(b, r.nfdumpPort())
	b = append(b, r.Proto, r.Flags, 0, r.Tos)

	if v4 {
		b = hostOrder(hostOrder(head(b, 2, 12), r.Src), r.Dst)
	} else {
		b = hostOrder(hostOrder(head(b, 3, 36), r.Src), r.Dst)
	}
	b = head(b, 4, 20)
	b = le.AppendUint32(b, r.In)
	b = le.AppendUint32(b, r.Out)
	b = append(b, r.SrcMask, r.DstMask, 0, 0, 0, 0, 0, 0)

	b = head(b, 7, 12)
	b = le.AppendUint32(b, r.SrcAS)
	b = le.AppendUint32(b, r.DstAS)
	if v4 {
		b = hostOrder(head(b, 10, 8), r.NextHop)
	} else {
		b = hostOrder(head(b, 11, 20), r.NextHop)
	}
	w.block = hostOrder(head(b, 12, 8), exporter)
	w.records++
	if len(w.block) >= nfdumpBlockSize {
		w.flush()
		w.blocks++
	}
}

// hostOrder appends an address as nfdump keeps it: 32-bit or 64-bit words in host order, the high word first.
func hostOrder(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		v := a.As4()
		return append(b, v[3], v[2], v[1], v[0])
	}
	v := a.As16()
	b = binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(v[:8]))
	return binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(v[8:]))
}

// flush writes the collected records as one block.
func (w *nfdumpWriter) flush() {
	payload, flags := w.block, uint16(0)
	switch w.codec {
	case codecLZ4:
		if room := lz4.CompressBlockBound(len(w.block)); len(w.packed) < room {
			w.packed = make([]byte, room)
		}
		n, err := w.lz4.CompressBlock(w.block, w.packed)
		if err != nil {
			w.err = err
		}
		if payload = w.packed[:n]; n == 0 {
			payload, flags = w.block, blockUncompressed
		}
	case codecZstd:
		w.packed = w.zstd.EncodeAll(w.block, w.packed[:0])
		payload = w.packed
	}
	var b []byte
	b = binary.LittleEndian.AppendUint32(b, w.records)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint16(b, 3)
	b = binary.LittleEndian.AppendUint16(b, flags)
	w.write(b)
	w.write(payload)
	w.offset += int64(len(b) + len(payload))
	w.block, w.records = w.block[:0], 0
}

func (w *nfdumpWriter) write(b []byte) {
	if _, err := w.out.Write(b); err != nil && w.err == nil {
		w.err = err
	}
}

// Close writes the last block, the appendix and the header.
func (w *nfdumpWriter) Close() error {
	le := binary.LittleEndian
	b := head(w.block, recordExporterStats, 32)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint32(b, 1) // system id
	b = le.AppendUint32(b, 0) // sequence failures
	b = le.AppendUint64(b, w.packets)
	w.block = le.AppendUint64(b, w.stats.flows[0])
	w.records++
	w.flush()
	w.blocks++

	appendix := w.offset
	w.block = append(head(w.block, recordIdent, 10), "none\x00\x00"...)
	w.block = w.stats.append(w.block)
	w.records = 2
	w.flush()
	w.err = firstError(w.err, w.out.Flush())

	h := le.AppendUint16(nil, nfdumpMagic)
	h = le.AppendUint16(h, 2)
	h = le.AppendUint32(h, 0xf1070800)
	h = le.AppendUint64(h, uint64(firstMoment/1000))
	h = append(h, byte(w.codec), 0)
	h = le.AppendUint16(h, 1) // appendix blocks
	h = le.AppendUint32(h, 1) // creator nfcapd
	h = le.AppendUint64(h, uint64(appendix))
	h = le.AppendUint32(h, 0)
	h = le.AppendUint32(h, w.blocks)
	_, err := w.file.WriteAt(h, 0)
	w.err = firstError(w.err, err)
	w.err = firstError(w.err, w.file.Close())
	if w.err != nil {
		return fmt.Errorf("%s: %w", w.file.Name(), w.err)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *nfdumpStats) add(r *Row) {
	class := 4
	switch r.Proto {
	case protoTCP:
		class = 1
	case protoUDP:
		class = 2
	case protoICMP, protoICMPv6:
		class = 3
	}
	for _, i := range [...]int{0, class} {
		s.flows[i]++
		s.bytes[i] += r.Bytes
		s.packets[i] += r.Packets
	}
	if s.first == 0 || r.Start < s.first {
		s.first = r.Start
	}
	s.last = max(s.last, r.End)
}

func (s *nfdumpStats) append(b []byte) []byte {
	b = head(b, recordStats, 148)
	for _, v := range [...]uint64{
		s.flows[0], s.bytes[0], s.packets[0],
		s.flows[1], s.flows[2], s.flows[3], s.flows[4],
		s.bytes[1], s.bytes[2], s.bytes[3], s.bytes[4],
		s.packets[1], s.packets[2], s.packets[3], s.packets[4],
		uint64(s.first), uint64(s.last), 0,
	} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}
