package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
)

// A pcap file: magic, version 2.4, zone, accuracy, snap length, link type 1 (Ethernet); a packet is
// seconds u32, microseconds u32, captured u32, original length u32, and the captured octets.
const (
	snapLength  = 96
	ethernet    = 14
	captureRing = 1 << 15 // ms: longer than any gap between two packets of a flow
	longestGap  = 20_000_000
	perFlow     = 10 // packets of a flow on average
)

// packetFlow is one direction of a conversation that is still sending.
type packetFlow struct {
	header  [ethernet + 40 + 20]byte // Ethernet, IP, TCP without options or UDP
	ip      uint8                    // length of the IP header
	tcp, v6 bool
	opening uint8 // flags of the first packet
	first   bool
	sizes   *sizes
	left    uint64
	gap     float64 // median µs
	seq     uint32
}

type packetDue struct {
	at   int64 // µs since the epoch
	flow int32
}

// CaptureStats is what a capture holds. Octets are IP lengths, as flow meters count them.
type CaptureStats struct {
	Packets, Flows, Octets uint64
}

type capturer struct {
	r        random
	src      *source
	out      *bufio.Writer
	calendar [captureRing][]packetDue
	flows    []packetFlow
	free     []int32
	now      int64 // ms
	payload  [4096]byte
	stats    CaptureStats
	frame    [16 + snapLength]byte
}

// WriteCapture writes a capture of n packets, in about n/10 flows each way, in order of time.
func WriteCapture(name string, seed uint64, n int) (CaptureStats, error) {
	file, err := os.Create(name)
	if err != nil {
		return CaptureStats{}, err
	}
	c := &capturer{r: random{seed}, out: bufio.NewWriterSize(file, 1<<20), now: firstMoment}
	c.src = newSource(&c.r)
	for i := 0; i < len(c.payload); i += 8 {
		binary.LittleEndian.PutUint64(c.payload[i:], c.r.next())
	}
	c.out.Write(pcapHead(snapLength))
	for c.stats.Packets < uint64(n) {
		// Five conversations a millisecond, less when flows outrun packets; short ones on top when they lag.
		have, want := c.stats.Flows*perFlow, c.stats.Packets+20_000
		for range 5 - 2*count(have > want*21/20) {
			c.begin(false)
		}
		for range 4 * count(have < want) {
			c.begin(true)
		}
		c.millisecond(uint64(n))
		c.now++
	}
	if err := firstError(c.out.Flush(), file.Close()); err != nil {
		return c.stats, fmt.Errorf("%s: %w", name, err)
	}
	return c.stats, nil
}

// pcapHead is the header of a pcap file.
func pcapHead(snap uint32) []byte {
	h := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	h = binary.LittleEndian.AppendUint32(h, 4<<16|2)
	h = append(h, make([]byte, 8)...)
	h = binary.LittleEndian.AppendUint32(h, snap)
	return binary.LittleEndian.AppendUint32(h, 1)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// begin starts both directions of a TCP or UDP conversation, if short one of at most four packets.
func (c *capturer) begin(short bool) {
	r := &c.r
	t := c.src.next(r, 1000)
	for t.app.proto != protoTCP && t.app.proto != protoUDP || short && t.up+t.down > 4 {
		t = c.src.next(r, 1000)
	}
	at := c.now*1000 + int64(r.below(1000))
	gap := r.lognormal(min(t.app.gap, 60), 1) * 300
	c.add(&t, t.client, t.server, t.sport, t.dport, t.up, t.app.up, 0x02, gap, at)
	if t.down > 0 {
		answer := at + int64(r.lognormal(18_000, 1))
		c.add(&t, t.server, t.client, t.dport, t.sport, t.down, t.app.down, 0x12, gap, answer)
	}
}

func (c *capturer) add(t *talk, from, to host, sport, dport uint16, packets uint64, s *sizes, opening uint8, gap float64, at int64) {
	f := packetFlow{tcp: t.app.proto == protoTCP, v6: t.v6, opening: opening, first: true,
		sizes: s, left: packets, gap: gap, seq: uint32(c.r.next()), ip: 20}
	h := f.header[:]
	copy(h, []byte{2, 0, 0, 0, 0, byte(to.prefix), 2, 0, 0, 0, 0, byte(from.prefix), 8, 0})
	if t.v6 {
		f.ip = 40
		h[12], h[13], h[14], h[20], h[21] = 0x86, 0xdd, 0x60, t.app.proto, 60
		src, dst := from.addr.As16(), to.addr.As16()
		copy(h[22:], src[:])
		copy(h[38:], dst[:])
	} else {
		h[14], h[20], h[22], h[23] = 0x45, 0x40, 60, t.app.proto
		src, dst := from.addr.As4(), to.addr.As4()
		copy(h[26:], src[:])
		copy(h[30:], dst[:])
	}
	l4 := h[ethernet+int(f.ip):]
	binary.BigEndian.PutUint16(l4, sport)
	binary.BigEndian.PutUint16(l4[2:], dport)
	var i int32
	if n := len(c.free); n > 0 {
		i = c.free[n-1]
		c.free = c.free[:n-1]
		c.flows[i] = f
	} else {
		i = int32(len(c.flows))
		c.flows = append(c.flows, f)
	}
	c.stats.Flows++
	c.schedule(packetDue{at, i})
}

func (c *capturer) schedule(d packetDue) {
	slot := &c.calendar[d.at/1000%captureRing]
	*slot = append(*slot, d)
}

// millisecond sends what is due in the current millisecond, in order; packets that follow within it are put in place.
func (c *capturer) millisecond(limit uint64) {
	due := c.calendar[c.now%captureRing]
	byTime := func(a, b packetDue) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.flow, b.flow)) }
	slices.SortFunc(due, byTime)
	for i := 0; i < len(due) && c.stats.Packets < limit; i++ {
		d := due[i]
		f := &c.flows[d.flow]
		c.send(f, d.at)
		if f.left == 0 {
			c.free = append(c.free, d.flow)
			continue
		}
		d.at += min(longestGap, 1+int64(c.r.lognormal(f.gap, 1.5)))
		if d.at/1000 == c.now {
			at, _ := slices.BinarySearchFunc(due[i+1:], d, byTime)
			due = slices.Insert(due, i+1+at, d)
			continue
		}
		c.schedule(d)
	}
	c.calendar[c.now%captureRing] = due[:0]
}

// send writes the next packet of a flow.
func (c *capturer) send(f *packetFlow, at int64) {
	length := int(f.sizes.total(&c.r, 1, f.v6))
	l4 := 8
	if f.tcp {
		l4 = 20
		if length >= int(f.ip)+32 {
			l4 = 32 // with timestamps
		}
	}
	if f.tcp && f.first {
		length, l4 = int(f.ip)+32, 32
	}
	length = max(length, int(f.ip)+l4)
	data := c.frame[16:]
	start := ethernet + int(f.ip)
	copy(data, f.header[:])
	c.fillIP(data[ethernet:], f, length)
	c.fillTransport(data[start:], f, length-int(f.ip), l4)
	if at := start + l4; at < len(data) {
		copy(data[at:], c.payload[c.r.below(len(c.payload)-snapLength):])
	}
	kept := min(ethernet+length, snapLength)
	le := binary.LittleEndian
	le.PutUint32(c.frame[0:], uint32(at/1_000_000))
	le.PutUint32(c.frame[4:], uint32(at%1_000_000))
	le.PutUint32(c.frame[8:], uint32(kept))
	le.PutUint32(c.frame[12:], uint32(ethernet+length))
	c.out.Write(c.frame[:16+kept])
	f.left--
	f.first = false
	c.stats.Packets++
	c.stats.Octets += uint64(length)
}

func (c *capturer) fillIP(ip []byte, f *packetFlow, length int) {
	if f.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(length-40))
		return
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(length))
	binary.BigEndian.PutUint16(ip[4:], uint16(f.seq))
	putChecksum(ip)
}

// putChecksum fills in the checksum of an IPv4 header without options.
func putChecksum(ip []byte) {
	ip[10], ip[11] = 0, 0
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	sum += sum >> 16
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
}

func (c *capturer) fillTransport(b []byte, f *packetFlow, length, header int) {
	if !f.tcp {
		binary.BigEndian.PutUint16(b[4:], uint16(length))
		binary.BigEndian.PutUint16(b[6:], 0xbeef)
		f.seq++
		return
	}
	flags := uint8(0x10)
	switch {
	case f.first:
		flags = f.opening
	case f.left == 1:
		flags = 0x11
	case length > header:
		flags = 0x18
	}
	binary.BigEndian.PutUint32(b[4:], f.seq)
	binary.BigEndian.PutUint32(b[8:], ^f.seq)
	copy(b[12:], []byte{byte(header/4) << 4, flags, 0xff, 0xff, 0xbe, 0xef, 0, 0})
	if header == 32 {
		copy(b[20:], []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1})
	}
	f.seq += uint32(length - header)
}
