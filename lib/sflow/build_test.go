package sflow_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/sflow"
)

// xdr writes RFC 4506.
type xdr []byte

func (w xdr) u32(vs ...uint32) xdr {
	for _, v := range vs {
		w = binary.BigEndian.AppendUint32(w, v)
	}
	return w
}

// fixed writes bytes and pads them.
func (w xdr) fixed(b []byte) xdr {
	w = append(w, b...)
	return append(w, make([]byte, -len(b)&3)...)
}

func (w xdr) opaque(b []byte) xdr   { return w.u32(uint32(len(b))).fixed(b) }
func (w xdr) array(v ...uint32) xdr { return w.u32(uint32(len(v))).u32(v...) }

// address writes a type and an address; an empty one is of no type.
func (w xdr) address(s string) xdr {
	if s == "" {
		return w.u32(0)
	}
	a := netip.MustParseAddr(s)
	if a.Is4() {
		return w.u32(1).fixed(a.AsSlice())
	}
	return w.u32(2).fixed(a.AsSlice())
}

// tagged writes a format, a length and the content.
func (w xdr) tagged(format uint32, content []byte) xdr { return w.u32(format).opaque(content) }

// raw turns hexadecimal digits into bytes.
func raw(digits string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const (
	agent    = "192.0.2.1"
	sequence = 100
)

// datagram5 holds samples of version 5.
func datagram5(samples ...xdr) xdr {
	w := xdr{}.u32(5).address(agent).u32(7, sequence, 5000, uint32(len(samples)))
	return append(w, slices.Concat(samples...)...)
}

// datagram4 holds samples of version 4 or 2.
func datagram4(version uint32, samples ...xdr) xdr {
	w := xdr{}.u32(version).address(agent).u32(sequence, 5000, uint32(len(samples)))
	return append(w, slices.Concat(samples...)...)
}

// compact is a flow sample of interfaces 3 and 4, of rate 1.
func compact(structures ...xdr) xdr { return sampled(1, 3, 4, structures...) }

func sampled(rate, in, out uint32, structures ...xdr) xdr {
	w := xdr{}.u32(1, 3, rate, 5000, 0, in, out, uint32(len(structures)))
	return xdr{}.tagged(1, append(w, slices.Concat(structures...)...))
}

// expanded is the same in the long form, with formats of the interfaces.
func expanded(inFormat, in, outFormat, out uint32, structures ...xdr) xdr {
	w := xdr{}.u32(1, 0, 1<<24+3, 1, 5000, 0, inFormat, in, outFormat, out, uint32(len(structures)))
	return xdr{}.tagged(3, append(w, slices.Concat(structures...)...))
}

// header is a sampled Ethernet frame: what is given, and an FCS.
func header(frame []byte) xdr { return headerOf(1, frame) }

func headerOf(protocol uint32, frame []byte) xdr {
	return xdr{}.tagged(1, xdr{}.u32(protocol, uint32(len(frame))+4, 4).opaque(frame))
}

// Frames.
var (
	macs  = raw("0000 5e00 5301 0000 5e00 5302") // destination, source
	ip4   = raw("c000 0205 c633 6407")           // 192.0.2.5, 198.51.100.7
	ip6   = slices.Concat(address6("2001:db8::5"), address6("2001:db8::7"))
	tcp   = raw("3039 0050 00000001 00000002 5018 1000 0000 0000")
	udp   = raw("0400 0035 0008 0000")
	ping  = raw("0800 0000 0001 0001")
	ping6 = raw("8003 0000 0001 0001")
	arp   = raw("0001 0800 0604 0001 00005e005302 c0000205 000000000000 c6336407")
)

func address6(s string) []byte { return netip.MustParseAddr(s).AsSlice() }

// ether puts a header before what follows; types are hexadecimal, with the tags before them.
func ether(types string, rest []byte) []byte {
	return slices.Concat(macs, raw(types), rest)
}

// packet4 is an IPv4 packet with TOS 0x28, TTL 63 and don't fragment set.
func packet4(proto byte, rest []byte) []byte {
	return fragment4(proto, 0x4000, rest)
}

func fragment4(proto byte, fragment uint16, rest []byte) []byte {
	h := []byte{0x45, 0x28, 0, 0, 0x12, 0x34, 0, 0, 63, proto, 0, 0}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(rest)))
	binary.BigEndian.PutUint16(h[6:], fragment)
	return slices.Concat(h, ip4, rest)
}

// packet6 is an IPv6 packet with traffic class 0x28, flow label 0x12345 and hop limit 62.
func packet6(next byte, rest []byte) []byte {
	h := []byte{0x62, 0x81, 0x23, 0x45, 0, 0, next, 62}
	binary.BigEndian.PutUint16(h[4:], uint16(len(rest)))
	return slices.Concat(h, ip6, rest)
}

// receiver keeps what comes out of a sink.
type receiver struct {
	sink *flow.Sink
	rows []map[ie.ID]string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{}
	r.sink = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		r.rows = append(r.rows, rows(t, b.Batch())...)
		b.Reset()
		return b
	})
	return r
}

// all returns the records so far.
func (r *receiver) all() []map[ie.ID]string {
	r.sink.Flush()
	return r.rows
}

// rows turns a batch into the elements and values of each record.
func rows(t testing.TB, b *flow.Batch) []map[ie.ID]string {
	t.Helper()
	codes, err := b.ShapeCodes()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[ie.ID]string
	at := make([]int, len(b.Cols))
	for i := range b.N {
		shape := b.Shapes[codes.Int(i)]
		row := map[ie.ID]string{}
		for j, key := range shape.Keys(nil) {
			c := b.Find(key)
			v, err := b.Vec(c)
			if err != nil {
				t.Fatal(err)
			}
			if key.Occ != 0 {
				t.Fatalf("record %d has %s twice", i, key.ID)
			}
			row[shape[j].ID] = text(v, at[c])
			at[c]++
		}
		out = append(out, row)
	}
	for c, n := range at {
		if v, err := b.Vec(c); err != nil || v.N != n {
			t.Fatalf("column %s: %d values for %d records, %v", b.Cols[c].Key.ID, v.N, n, err)
		}
	}
	return out
}

func text(v *column.Vec, i int) string {
	switch v.Kind {
	case column.Int:
		return fmt.Sprint(v.Int(i))
	case column.Addr:
		return v.AddrEntry(v.Entry(i)).String()
	}
	return hex.EncodeToString(v.BytesEntry(v.Entry(i)))
}

// arrival is when datagrams come in these tests.
const arrival = 1_700_000_000_123_456_789

// decode decodes a datagram from 192.0.2.9 that has no fault.
func decode(t *testing.T, c sflow.Config, p []byte) ([]map[ie.ID]string, sflow.Stats) {
	t.Helper()
	r := newReceiver(t)
	c.Sink = r.sink
	x := sflow.NewExporter(netip.MustParseAddr("192.0.2.9"), c)
	if err := x.Decode(p, arrival); err != nil {
		t.Fatal(err)
	}
	return r.all(), x.Stats()
}

// show writes a record as "element=value …", in the order of numbers, without what is given.
func show(row map[ie.ID]string, without map[ie.ID]string) string {
	var ids []ie.ID
	for id, v := range row {
		if without[id] != v {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var s []string
	for _, id := range ids {
		name := fmt.Sprint(uint64(id))
		switch id {
		case ie.SamplingInterval:
			name = "interval"
		case ie.SamplingSpace:
			name = "space"
		}
		s = append(s, name+"="+row[id])
	}
	return strings.Join(s, " ")
}
