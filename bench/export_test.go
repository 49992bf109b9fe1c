package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// received decodes export packets by the templates that are in them.
type receivedExport struct {
	templates map[uint16][]field
	rows      []Row
}

func (x *receivedExport) packet(t *testing.T, p []byte, at int64) {
	t.Helper()
	be := binary.BigEndian
	// Of the header's clock and uptime only the difference counts: when the router started.
	boot := int64(be.Uint32(p[8:]))*1000 - int64(be.Uint32(p[4:]))
	count := int(be.Uint16(p[2:]))
	for sets := p[headerV9:]; len(sets) > 0; {
		id, length := be.Uint16(sets), int(be.Uint16(sets[2:]))
		set := sets[4:length]
		sets = sets[length:]
		for len(set) > 0 {
			count--
			if id == 0 {
				set = x.template(set)
				continue
			}
			var r Row
			set = x.record(t, id, set, &r)
			r.Start, r.End, r.Received = r.Start+boot, r.End+boot, at
			x.rows = append(x.rows, r)
		}
	}
	if count != 0 {
		t.Fatalf("the header tells of %d records more than there are", count)
	}
}

func (x *receivedExport) template(b []byte) []byte {
	be := binary.BigEndian
	id, n := be.Uint16(b), int(be.Uint16(b[2:]))
	b = b[4:]
	x.templates[id] = nil
	for range n {
		x.templates[id] = append(x.templates[id], field{be.Uint16(b), be.Uint16(b[2:])})
		b = b[4:]
	}
	return b
}

func (x *receivedExport) record(t *testing.T, id uint16, b []byte, r *Row) []byte {
	t.Helper()
	if x.templates[id] == nil {
		t.Fatalf("no template %d yet", id)
	}
	for _, f := range x.templates[id] {
		v := uint64(0)
		for _, c := range b[:f.length] {
			v = v<<8 | uint64(c)
		}
		a, _ := netip.AddrFromSlice(b[:f.length])
		b = b[f.length:]
		switch f.id {
		case 22:
			r.Start = int64(v)
		case 21:
			r.End = int64(v)
		case 8, 27:
			r.Src = a
		case 12, 28:
			r.Dst = a
		case 15, 62:
			r.NextHop = a
		case 1:
			r.Bytes = v
		case 2:
			r.Packets = v
		case 10:
			r.In = uint32(v)
		case 14:
			r.Out = uint32(v)
		case 16:
			r.SrcAS = uint32(v)
		case 17:
			r.DstAS = uint32(v)
		case 7:
			r.SrcPort = uint16(v)
		case 11:
			r.DstPort = uint16(v)
		case 4:
			r.Proto = uint8(v)
		case 5:
			r.Tos = uint8(v)
		case 6:
			r.Flags = uint8(v)
		case 9, 29:
			r.SrcMask = uint8(v)
		case 13, 30:
			r.DstMask = uint8(v)
		default:
			t.Fatalf("template %d has element %d", id, f.id)
		}
	}
	if r.isICMP() {
		r.ICMPType, r.ICMPCode, r.DstPort = uint8(r.DstPort>>8), uint8(r.DstPort), 0
	}
	return b
}

func TestExport(t *testing.T) {
	const n = 50_000
	name := filepath.Join(t.TempDir(), "export.pcap")
	stats, err := writeExport(name, 1, n)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	x := receivedExport{templates: map[uint16][]field{}}
	packets, templates, full, data := 0, 0, 0, 0
	le, be := binary.LittleEndian, binary.BigEndian
	for rest := file[24:]; len(rest) > 0; packets++ {
		at, length := int64(le.Uint32(rest))*1000+int64(le.Uint32(rest[4:]))/1000, int(le.Uint32(rest[8:]))
		p := rest[16+framing : 16+length]
		rest = rest[16+length:]
		if seq := be.Uint32(p[12:]); seq != uint32(packets) {
			t.Fatalf("packet %d has sequence number %d", packets, seq)
		}
		if len(p) > 1472 {
			t.Fatalf("packet %d has %d octets: too many for Ethernet", packets, len(p))
		}
		before := len(x.rows)
		x.packet(t, p, at)
		switch len(x.rows) - before {
		case 0:
			if templates++; data%templateRefresh != 0 {
				t.Fatalf("templates after %d packets of data", data)
			}
			continue
		case 21, 22, 23:
			full++
		}
		data++
	}
	if packets != stats.Packets || templates != stats.Templates || templates != (data+templateRefresh-1)/templateRefresh || stats.Size != int64(len(file)) || stats.Records != n {
		t.Errorf("%d packets, %d of them templates, %d of data, %d octets; the writer says %+v", packets, templates, data, len(file), stats)
	}
	if full < data*3/4 {
		t.Errorf("%d of %d packets have 21 to 23 records", full, data)
	}
	var want []Row
	Generate(1, n, func(r *Row) { want = append(want, *r) })
	inOrder(x.rows)
	inOrder(want)
	if !slices.Equal(x.rows, want) {
		t.Errorf("%d rows became others, %d", len(want), len(x.rows))
	}
}

// inOrder puts IPv4 before IPv6 among rows that were received together, as the packets have them; two packets of one
// millisecond may be there.
func inOrder(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int {
		if a.Received != b.Received {
			return int(a.Received - b.Received)
		}
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
}

// TestSparse: the packets of a slow router are full all the same.
func TestSparse(t *testing.T) {
	if testing.Short() {
		t.Skip("3 M rows are drawn")
	}
	stats, err := writeSparse(filepath.Join(t.TempDir(), "sparse.pcap"), 1)
	if err != nil {
		t.Fatal(err)
	}
	data := stats.Packets - stats.Templates
	if stats.Records != sparseLimit || stats.Records/data < 21 {
		t.Errorf("%+v: %d records a packet", stats, stats.Records/data)
	}
}

// TestExportPeer: tshark finds the same records, and nothing wrong with the headers.
func TestExportPeer(t *testing.T) {
	needPeer(t, "tshark")
	const n = 3_000
	name := filepath.Join(t.TempDir(), "export.pcap")
	if _, err := writeExport(name, 2, n); err != nil {
		t.Fatal(err)
	}
	out := peerOutput(t, "tshark", "-r", name, "-d", "udp.port==9995,cflow", "-o", "ip.check_checksum:TRUE", "-T", "fields",
		"-e", "ip.checksum.status", "-e", "cflow.octets", "-e", "cflow.packets", "-e", "cflow.srcport")
	var records, packets, octets uint64
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 4 || f[0] != "1" {
			t.Fatalf("tshark prints %q, want a good checksum and three fields", line)
		}
		if f[3] == "" {
			continue // templates
		}
		records += uint64(len(strings.Split(f[3], ",")))
		octets += sumOf(t, f[1])
		packets += sumOf(t, f[2])
	}
	var s shape
	Generate(2, n, s.add)
	if records != n || packets != s.Packets || octets != s.Bytes {
		t.Errorf("%d records, %d packets, %d octets; want %d, %d, %d", records, packets, octets, n, s.Packets, s.Bytes)
	}
}

func sumOf(t *testing.T, list string) (sum uint64) {
	t.Helper()
	for s := range strings.SplitSeq(list, ",") {
		var v uint64
		if _, err := fmt.Sscan(s, &v); err != nil {
			t.Fatalf("%q: %v", list, err)
		}
		sum += v
	}
	return sum
}
