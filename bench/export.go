package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
)

// The export packets of the modelled router: NetFlow v9 (RFC 3954) over UDP and IPv4. A packet of data has a
// flow set of IPv4 records and one of IPv6 records, not padded, so that it fits into 1,500 octets; the templates
// go before it in a packet of their own, every templateRefresh packets.
const (
	templateIPv4    = 256
	templateIPv6    = 257
	templateRefresh = 20
	headerV9        = 20
	framing         = ethernet + 20 + 8 // octets before the payload
	upSince         = 12 * 86_400_000   // ms before firstMoment that the router started
	exportPort      = 9995
)

// collectorAddr is where the router sends to in the capture.
var collectorAddr = netip.AddrFrom4([4]byte{192, 0, 2, 254})

// field is an element of NetFlow v9 and its length.
type field struct{ id, length uint16 }

// The fields in the order of Cisco's routers: times in milliseconds of uptime, and the type and code of ICMP in
// the destination port.
var (
	templateFields = [...]field{{21, 4}, {22, 4}, {1, 8}, {2, 8}, {10, 4}, {14, 4}, {8, 4}, {12, 4}, {4, 1}, {5, 1},
		{7, 2}, {11, 2}, {15, 4}, {13, 1}, {9, 1}, {6, 1}, {17, 4}, {16, 4}}
	templateFieldsV6 = [...]field{{21, 4}, {22, 4}, {1, 8}, {2, 8}, {10, 4}, {14, 4}, {27, 16}, {28, 16}, {4, 1}, {5, 1},
		{7, 2}, {11, 2}, {62, 16}, {30, 1}, {29, 1}, {6, 1}, {17, 4}, {16, 4}}
)

// ExportStats is what a capture of export packets holds.
type ExportStats struct {
	Records, Packets, Templates int // Templates of the packets have no records
	Size                        int64
}

// exporting writes a capture of export packets. Its methods keep the first error; close returns it.
type exporting struct {
	file    *os.File
	out     *bufio.Writer
	gather  bool // packets are filled up, whenever their rows were received
	rows    []Row
	room    int
	data    int // packets of data so far
	packet  []byte
	stats   ExportStats
	lastErr error
}

// createExport begins a capture. Rows that were received together share a packet; with gather the router waits
// until the packet is full, and the last of its rows gives its time.
func createExport(name string, gather bool) (*exporting, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	e := &exporting{file: file, out: bufio.NewWriterSize(file, 1<<20), gather: gather, room: packetBudget}
	e.write(pcapHead(1 << 16))
	return e, nil
}

func (e *exporting) write(b []byte) {
	if _, err := e.out.Write(b); err != nil && e.lastErr == nil {
		e.lastErr = err
	}
}

// Row adds one record.
func (e *exporting) Row(r *Row) {
	size := recordSize
	if r.Src.Is6() {
		size = recordSizeV6
	}
	if n := len(e.rows); e.room < size || n > 0 && !e.gather && r.Received != e.rows[n-1].Received {
		e.send()
	}
	e.rows = append(e.rows, *r)
	e.room -= size
}

// send writes the collected rows as a packet, after the templates if it is their turn.
func (e *exporting) send() {
	if len(e.rows) == 0 {
		return
	}
	at := e.rows[len(e.rows)-1].Received
	if e.data%templateRefresh == 0 {
		e.begin(at, 2)
		e.flowSet(0, func() {
			e.template(templateIPv4, templateFields[:])
			e.template(templateIPv6, templateFieldsV6[:])
		})
		e.end(at)
		e.stats.Templates++
	}
	e.begin(at, len(e.rows))
	e.records(templateIPv4, false)
	e.records(templateIPv6, true)
	e.end(at)
	e.data++
	e.stats.Records += len(e.rows)
	e.rows, e.room = e.rows[:0], packetBudget
}

// begin starts a packet with the header of NetFlow v9. Its clock has seconds and its uptime milliseconds: both are
// those of the next full second, so that times can be told to the millisecond and none is after the header's.
func (e *exporting) begin(at int64, records int) {
	second := (at + 999) / 1000
	b := append(e.packet[:0], make([]byte, 16+framing)...)
	b = binary.BigEndian.AppendUint16(b, 9)
	b = binary.BigEndian.AppendUint16(b, uint16(records))
	b = binary.BigEndian.AppendUint32(b, uptime(second*1000))
	b = binary.BigEndian.AppendUint32(b, uint32(second))
	b = binary.BigEndian.AppendUint32(b, uint32(e.stats.Packets))
	e.packet = binary.BigEndian.AppendUint32(b, 0) // source id
}

func uptime(ms int64) uint32 { return uint32(ms - (firstMoment - upSince)) }

// flowSet puts a flow set around what add appends.
func (e *exporting) flowSet(id uint16, add func()) {
	start := len(e.packet)
	e.packet = binary.BigEndian.AppendUint16(e.packet, id)
	e.packet = append(e.packet, 0, 0)
	add()
	binary.BigEndian.PutUint16(e.packet[start+2:], uint16(len(e.packet)-start))
}

func (e *exporting) template(id uint16, fields []field) {
	b := binary.BigEndian.AppendUint16(e.packet, id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(fields)))
	for _, f := range fields {
		b = binary.BigEndian.AppendUint16(b, f.id)
		b = binary.BigEndian.AppendUint16(b, f.length)
	}
	e.packet = b
}

// records puts the rows of a family into a flow set, if there are any.
func (e *exporting) records(id uint16, v6 bool) {
	found := false
	for i := range e.rows {
		found = found || e.rows[i].Src.Is6() == v6
	}
	if !found {
		return
	}
	e.flowSet(id, func() {
		for i := range e.rows {
			if e.rows[i].Src.Is6() == v6 {
				e.packet = appendRecord(e.packet, &e.rows[i])
			}
		}
	})
}

// appendRecord appends a record in the layout of templateFields.
func appendRecord(b []byte, r *Row) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, uptime(r.End))
	b = be.AppendUint32(b, uptime(r.Start))
	b = be.AppendUint64(b, r.Bytes)
	b = be.AppendUint64(b, r.Packets)
	b = be.AppendUint32(b, r.In)
	b = be.AppendUint32(b, r.Out)
	b = appendAddr(appendAddr(b, r.Src), r.Dst)
	b = append(b, r.Proto, r.Tos)
	b = be.AppendUint16(b, r.SrcPort)
	b = be.AppendUint16(b, r.nfdumpPort())
	b = appendAddr(b, r.NextHop)
	b = append(b, r.DstMask, r.SrcMask, r.Flags)
	b = be.AppendUint32(b, r.DstAS)
	return be.AppendUint32(b, r.SrcAS)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		v := a.As4()
		return append(b, v[:]...)
	}
	v := a.As16()
	return append(b, v[:]...)
}

// end fills in what goes before the payload and writes the packet.
func (e *exporting) end(at int64) {
	p, length := e.packet, len(e.packet)-16
	le, be := binary.LittleEndian, binary.BigEndian
	le.PutUint32(p, uint32(at/1000))
	le.PutUint32(p[4:], uint32(at%1000*1000))
	le.PutUint32(p[8:], uint32(length))
	le.PutUint32(p[12:], uint32(length))
	copy(p[16:], []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0})
	ip := p[16+ethernet:]
	src, dst := exporter.As4(), collectorAddr.As4()
	copy(ip, []byte{0x45, 8: 64, 9: protoUDP})
	be.PutUint16(ip[2:], uint16(len(ip)))
	be.PutUint16(ip[4:], uint16(e.stats.Packets))
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	putChecksum(ip)
	udp := ip[20:]
	be.PutUint16(udp, 50_000)
	be.PutUint16(udp[2:], exportPort)
	be.PutUint16(udp[4:], uint16(len(udp))) // no checksum: routers leave it out
	e.write(p)
	e.stats.Packets++
}

func (e *exporting) close() (ExportStats, error) {
	e.send()
	err := firstError(e.lastErr, e.out.Flush())
	if fi, serr := e.file.Stat(); serr == nil {
		e.stats.Size = fi.Size()
	}
	if err = firstError(err, e.file.Close()); err != nil {
		return e.stats, fmt.Errorf("%s: %w", e.file.Name(), err)
	}
	return e.stats, nil
}

// writeExport writes the rows of a seed as the router exports them.
func writeExport(name string, seed uint64, n int) (ExportStats, error) {
	e, err := createExport(name, false)
	if err != nil {
		return ExportStats{}, err
	}
	Generate(seed, n, e.Row)
	return e.close()
}

// writeSparse writes five minutes of a router that sees 100 flows a second: every hundredth row.
func writeSparse(name string, seed uint64) (ExportStats, error) {
	e, err := createExport(name, true)
	if err != nil {
		return ExportStats{}, err
	}
	n := 0
	Generate(seed, sparseStep*sparseLimit, func(r *Row) {
		if n++; n%sparseStep == 0 {
			e.Row(r)
		}
	})
	return e.close()
}
