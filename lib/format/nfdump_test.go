package format

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// flowRecord is one record of the comparison with nfdump. Optional parts say whether the
// record has them.
type flowRecord struct {
	first, last, received uint64 // ms
	packets, bytes        uint64
	srcPort, dstPort      uint16
	proto, flags, tos     uint8
	src, dst              netip.Addr // invalid: none

	misc                     bool
	in, out                  uint32
	srcMask, dstMask, dtos   uint8
	dir, bi, end             uint8
	counts                   bool
	flows, oPackets, oBytes  uint64
	vlan                     bool
	srcVlan, dstVlan         uint32
	as                       bool
	srcAS, dstAS             uint32
	next, bgpNext, router    netip.Addr
	labels                   bool
	label                    [10]uint32
	mac                      [4]uint64 // all zero: none
	adjacent                 bool
	nextAS, prevAS           uint32
	latency                  bool
	client, server, app      uint64
	xSrc, xDst               netip.Addr
	xPorts                   bool
	xSrcPort, xDstPort       uint16
	observed                 bool
	point                    uint64
	domain, ingress, egress  uint32
	user                     string
	blocks                   bool
	start, stop, step, large uint16
}

var le = binary.LittleEndian

func hostAddr(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		v := a.As4()
		return append(b, v[3], v[2], v[1], v[0])
	}
	v := a.As16()
	b = le.AppendUint64(b, binary.BigEndian.Uint64(v[:8]))
	return le.AppendUint64(b, binary.BigEndian.Uint64(v[8:]))
}

// element appends one element of a record in nfdump's file layout 2.
func element(b *[]byte, n *uint16, id uint16, payload []byte) {
	*b = le.AppendUint16(*b, id)
	*b = le.AppendUint16(*b, uint16(len(payload)+4))
	*b = append(*b, payload...)
	*n++
}

func addrElement(b *[]byte, n *uint16, v4, v6 uint16, as ...netip.Addr) {
	if !as[0].IsValid() {
		return
	}
	id := v4
	if !as[0].Is4() {
		id = v6
	}
	var p []byte
	for _, a := range as {
		p = hostAddr(p, a)
	}
	element(b, n, id, p)
}

// nfdump is the record in the file layout 2:
//
//	type 11 u16, size u16, elements u16, engine type and id u8, exporter u16, flags u8, version u8 | element*
func (r *flowRecord) nfdump() []byte {
	var b []byte
	var n uint16
	p := le.AppendUint64(nil, r.first)
	for _, x := range []uint64{r.last, r.received, r.packets, r.bytes} {
		p = le.AppendUint64(p, x)
	}
	p = le.AppendUint16(le.AppendUint16(p, r.srcPort), r.dstPort)
	element(&b, &n, 1, append(p, r.proto, r.flags, 0, r.tos))
	addrElement(&b, &n, 2, 3, r.src, r.dst)
	if r.misc {
		p = le.AppendUint32(le.AppendUint32(nil, r.in), r.out)
		element(&b, &n, 4, append(p, r.srcMask, r.dstMask, r.dir, r.dtos, r.bi, r.end, 0, 0))
	}
	if r.counts {
		element(&b, &n, 5, le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, r.flows), r.oPackets), r.oBytes))
	}
	if r.vlan {
		element(&b, &n, 6, le.AppendUint32(le.AppendUint32(nil, r.srcVlan), r.dstVlan))
	}
	if r.as {
		element(&b, &n, 7, le.AppendUint32(le.AppendUint32(nil, r.srcAS), r.dstAS))
	}
	addrElement(&b, &n, 8, 9, r.bgpNext)
	addrElement(&b, &n, 10, 11, r.next)
	addrElement(&b, &n, 12, 13, r.router)
	if r.labels {
		p = nil
		for _, l := range r.label {
			p = le.AppendUint32(p, l)
		}
		element(&b, &n, 14, p)
	}
	if r.mac != [4]uint64{} {
		p = nil
		for _, m := range r.mac {
			p = le.AppendUint64(p, m)
		}
		element(&b, &n, 15, p)
	}
	if r.adjacent {
		element(&b, &n, 16, le.AppendUint32(le.AppendUint32(nil, r.nextAS), r.prevAS))
	}
	if r.latency {
		element(&b, &n, 17, le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, r.client), r.server), r.app))
	}
	addrElement(&b, &n, 20, 21, r.xSrc, r.xDst)
	if r.xPorts {
		element(&b, &n, 22, le.AppendUint16(le.AppendUint16(nil, r.xSrcPort), r.xDstPort))
	}
	if r.user != "" {
		p = make([]byte, 68)
		copy(p, r.user)
		element(&b, &n, 24, p)
	}
	if r.blocks {
		p = nil
		for _, x := range []uint16{r.start, r.stop, r.step, r.large} {
			p = le.AppendUint16(p, x)
		}
		element(&b, &n, 26, p)
	}
	if r.observed {
		element(&b, &n, 33, le.AppendUint32(le.AppendUint32(le.AppendUint64(nil, r.point), r.domain), 0))
		element(&b, &n, 36, le.AppendUint32(le.AppendUint32(nil, r.egress), r.ingress))
	}
	h := le.AppendUint16(nil, 11)
	h = le.AppendUint16(h, uint16(12+len(b)))
	h = le.AppendUint16(h, n)
	h = append(h, 1, 7, 3, 0, 0, 10)
	return append(h, b...)
}

// nfdumpFile writes records uncompressed:
//
//	header 40 | block | appendix block; block: records u32, octets u32, type 3 u16, flags u16 | record*
func nfdumpFile(t *testing.T, records []flowRecord) string {
	block := func(n int, payload []byte) []byte {
		b := le.AppendUint32(le.AppendUint32(nil, uint32(n)), uint32(len(payload)))
		return append(le.AppendUint16(le.AppendUint16(b, 3), 0), payload...)
	}
	var payload []byte
	payload = le.AppendUint16(le.AppendUint16(payload, 7), 32) // exporter
	payload = le.AppendUint32(payload, 10)
	payload = append(payload, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1)
	payload = le.AppendUint32(le.AppendUint16(le.AppendUint16(payload, 0), 3), 1)
	for i := range records {
		payload = append(payload, records[i].nfdump()...)
	}
	body := block(len(records)+1, payload)
	tail := append(le.AppendUint16(le.AppendUint16(nil, 0x8001), 10), "none\x00\x00"...)
	tail = le.AppendUint16(le.AppendUint16(tail, 0x8002), 148)
	tail = append(tail, make([]byte, 144)...)
	h := le.AppendUint32(le.AppendUint16(le.AppendUint16(nil, 0xa50c), 2), 0xf1070800)
	h = append(le.AppendUint64(h, 1700000000), 0, 0)
	h = le.AppendUint32(le.AppendUint16(h, 1), 1)
	h = le.AppendUint64(h, uint64(40+len(body)))
	h = le.AppendUint32(le.AppendUint32(h, 0), 1)
	name := filepath.Join(t.TempDir(), "records.nf")
	if err := os.WriteFile(name, append(append(h, body...), block(2, tail)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// putter collects elements of a shape and their values.
type putter struct {
	ids  []ie.ID
	puts []func(c *column.Builder)
}

func (p *putter) num(id ie.ID, x uint64) {
	p.ids = append(p.ids, id)
	p.puts = append(p.puts, func(c *column.Builder) { c.PutInt(x) })
}

func (p *putter) addr(v4, v6 ie.ID, a netip.Addr) {
	if !a.IsValid() {
		return
	}
	if a.Is4() {
		b := a.As4()
		p.ids = append(p.ids, v4)
		p.puts = append(p.puts, func(c *column.Builder) { c.Put4(binary.BigEndian.Uint32(b[:])) })
		return
	}
	b := a.As16()
	p.ids = append(p.ids, v6)
	p.puts = append(p.puts, func(c *column.Builder) { c.Put16(b[:]) })
}

func (p *putter) text(id ie.ID, s string) {
	p.ids = append(p.ids, id)
	p.puts = append(p.puts, func(c *column.Builder) { c.PutBytes([]byte(s)) })
}

func (p *putter) build(t testing.TB, b *flow.Builder) {
	l, ok := b.Layout(flow.ShapeOf(p.ids...))
	if !ok {
		t.Fatalf("no room for shape %v", p.ids)
	}
	l.Next()
	for i, put := range p.puts {
		put(l.Cols[i])
	}
}

// elements puts the record into a batch.
func (r *flowRecord) elements() *putter {
	p := new(putter)
	p.num(156, r.first*1e6)
	p.num(157, r.last*1e6)
	p.num(258, r.received*1e6)
	p.num(2, r.packets)
	p.num(1, r.bytes)
	if isICMP(uint64(r.proto)) {
		p.num(32, uint64(r.dstPort))
	} else {
		p.num(7, uint64(r.srcPort))
		p.num(11, uint64(r.dstPort))
	}
	p.num(4, uint64(r.proto))
	p.num(6, uint64(r.flags))
	p.num(5, uint64(r.tos))
	p.num(38, 1)
	p.num(39, 7)
	p.num(ie.ExporterID, 3)
	p.num(ie.ExportVersion, 10)
	p.num(ie.RecordFlags, 0)
	p.addr(8, 27, r.src)
	p.addr(12, 28, r.dst)
	if r.misc {
		p.num(10, uint64(r.in))
		p.num(14, uint64(r.out))
		p.num(9, uint64(r.srcMask))
		p.num(13, uint64(r.dstMask))
		p.num(61, uint64(r.dir))
		p.num(55, uint64(r.dtos))
		p.num(239, uint64(r.bi))
		p.num(136, uint64(r.end))
	}
	if r.counts {
		p.num(3, r.flows)
		p.num(24, r.oPackets)
		p.num(23, r.oBytes)
	}
	if r.vlan {
		p.num(58, uint64(r.srcVlan))
		p.num(59, uint64(r.dstVlan))
	}
	if r.as {
		p.num(16, uint64(r.srcAS))
		p.num(17, uint64(r.dstAS))
	}
	p.addr(15, 62, r.next)
	p.addr(18, 63, r.bgpNext)
	p.addr(130, 131, r.router)
	if r.labels {
		for i, l := range r.label {
			p.text(ie.ID(70+i), string([]byte{byte(l >> 16), byte(l >> 8), byte(l)}))
		}
	}
	if r.mac != [4]uint64{} {
		for i, id := range []ie.ID{56, 57, 80, 81} {
			p.num(id, r.mac[i])
		}
	}
	if r.adjacent {
		p.num(128, uint64(r.nextAS))
		p.num(129, uint64(r.prevAS))
	}
	if r.latency {
		p.num(ie.ClientLatency, r.client)
		p.num(ie.ServerLatency, r.server)
		p.num(ie.AppLatency, r.app)
	}
	p.addr(225, 281, r.xSrc)
	p.addr(226, 282, r.xDst)
	if r.xPorts {
		p.num(227, uint64(r.xSrcPort))
		p.num(228, uint64(r.xDstPort))
	}
	if r.user != "" {
		p.text(371, r.user)
	}
	if r.blocks {
		for i, x := range []uint16{r.start, r.stop, r.step, r.large} {
			p.num(ie.ID(361+i), uint64(x))
		}
	}
	if r.observed {
		p.num(138, r.point)
		p.num(149, uint64(r.domain))
		p.num(234, uint64(r.ingress))
		p.num(235, uint64(r.egress))
	}
	return p
}

func batchOf(t testing.TB, records []flowRecord) *flow.Batch {
	b := flow.NewBuilder()
	for i := range records {
		records[i].elements().build(t, b)
	}
	return encoded(b.Batch())
}

// encoded is the batch as a reader of a stream gets it.
func encoded(b *flow.Batch) *flow.Batch {
	out := &flow.Batch{N: b.N, Shapes: b.Shapes}
	block := func(i int) flow.Column {
		c, v := &b.Codes, (*column.Vec)(nil)
		if i >= 0 {
			c = &b.Cols[i]
			v, _ = b.Vec(i)
		} else {
			v, _ = b.ShapeCodes()
		}
		return flow.Column{Key: c.Key, Ref: -1, Shapes: c.Shapes, Block: column.Encode(v)}
	}
	out.Codes = block(-1)
	for i := range b.Cols {
		out.Cols = append(out.Cols, block(i))
	}
	return out
}

// randomRecords has every part absent from some records, and edge values.
func randomRecords(n int) []flowRecord {
	r := rand.New(rand.NewPCG(1, 2))
	coin := func() bool { return r.IntN(2) == 0 }
	number := func() uint64 {
		x := r.Uint64() >> r.IntN(64)
		switch r.IntN(4) {
		case 0: // ties of the scaled numbers
			x = uint64(r.IntN(9999))*100000 + 50000
			for range r.IntN(3) {
				x *= 1000
			}
		case 1:
			x = [...]uint64{0, 1, 999999, 1e6, 999949999, 999950000, 1e9, 1e12, 999999999999}[r.IntN(9)]
		}
		return x
	}
	addr := func(v4 bool) netip.Addr {
		if v4 {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], r.Uint32()>>r.IntN(32))
			return netip.AddrFrom4(b)
		}
		var b [16]byte
		for i := range b {
			if coin() {
				b[i] = byte(r.Uint32())
			}
		}
		b[0] |= 0x20 // no old IPv4 in IPv6, which C writes in another way
		return netip.AddrFrom16(b)
	}
	out := make([]flowRecord, n)
	for i := range out {
		v4 := coin()
		f := flowRecord{first: 1700000000000 + r.Uint64N(4e10), packets: number() >> 14, bytes: number() >> 14,
			srcPort: uint16(r.Uint32()), dstPort: uint16(r.Uint32()), proto: [...]uint8{6, 17, 1, 58, uint8(r.Uint32())}[r.IntN(5)],
			flags: uint8(r.Uint32()), tos: uint8(r.Uint32()), src: addr(v4), dst: addr(v4)}
		f.last = f.first + r.Uint64()>>(24+r.IntN(40))
		f.last = min(f.last, 4e12)
		f.received = f.last + 70
		if isICMP(uint64(f.proto)) {
			f.srcPort = 0
		}
		if f.packets > 0 && f.bytes/f.packets >= 1<<32 {
			f.bytes = f.packets * 1499 // the peer cuts bytes a packet to 32 bits
		}
		if f.misc = coin(); f.misc {
			f.in, f.out, f.srcMask, f.dstMask, f.dtos = r.Uint32(), r.Uint32()>>20, uint8(r.IntN(33)), uint8(1+r.IntN(32)), uint8(r.Uint32())
			f.dir, f.bi, f.end = uint8(r.IntN(2)), uint8(r.IntN(3)), uint8(r.IntN(6))
		}
		if f.counts = coin(); f.counts {
			f.flows, f.oPackets, f.oBytes = 1+r.Uint64N(1000000), number(), number()
		}
		if f.vlan = coin(); f.vlan {
			f.srcVlan, f.dstVlan = r.Uint32N(4096), r.Uint32N(4096)
		}
		if f.as = coin(); f.as {
			f.srcAS, f.dstAS = r.Uint32(), r.Uint32N(70000)
		}
		if coin() {
			f.next, f.bgpNext, f.router = addr(coin()), addr(coin()), addr(coin())
		}
		if f.labels = r.IntN(3) == 0; f.labels {
			for k := range f.label {
				f.label[k] = r.Uint32() >> 8
			}
		}
		if coin() {
			for k := range f.mac {
				f.mac[k] = r.Uint64() >> 16
			}
		}
		if f.adjacent = coin(); f.adjacent {
			f.nextAS, f.prevAS = r.Uint32(), r.Uint32N(70000)
		}
		if f.latency = coin(); f.latency {
			f.client, f.server, f.app = r.Uint64N(1e7), r.Uint64N(1e4), r.Uint64N(100)
		}
		if coin() {
			f.xSrc, f.xDst = addr(v4), addr(v4)
		}
		if f.xPorts = coin(); f.xPorts {
			f.xSrcPort, f.xDstPort = uint16(r.Uint32()), uint16(r.Uint32())
		}
		if coin() {
			f.user = "user " + string(rune('a'+r.IntN(26)))
		}
		if f.blocks = coin(); f.blocks {
			f.start, f.stop, f.step, f.large = uint16(r.Uint32()), uint16(r.Uint32()), uint16(r.Uint32()), uint16(r.Uint32())
		}
		if f.observed = coin(); f.observed {
			f.point, f.domain, f.ingress, f.egress = r.Uint64(), r.Uint32(), r.Uint32(), r.Uint32()
		}
		out[i] = f
	}
	return out
}

// oracle runs nfdump 1.7.1 and returns its lines.
func oracle(t *testing.T, file, mode, zone string, options ...string) []string {
	out, err := tryOracle(file, mode, zone, options...)
	if err != nil {
		t.Fatalf("nfdump -o %q: %v", mode, err)
	}
	return strings.Split(string(out), "\n")
}

func tryOracle(file, mode, zone string, options ...string) ([]byte, error) {
	cmd := exec.Command("nfdump", append([]string{"-r", file, "-q", "-o", mode}, options...)...)
	cmd.Env = append(os.Environ(), "TZ="+zone)
	return cmd.Output()
}

func addrOf(t testing.TB, s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
