package sflow_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"nfpipe/lib/ie"
)

// tsharkFields are the fields of one sample; one that occurs twice has two values.
type tsharkFields map[string][]string

func (f tsharkFields) one(name string) string {
	if len(f[name]) == 0 {
		return ""
	}
	return f[name][0]
}

func (f tsharkFields) has(name string) bool { return len(f[name]) > 0 }

// reader tells the element and the value that a field stands for; element 0 is none.
type reader func(f tsharkFields, v []string) (ie.ID, string)

// same is a number as we write it.
func same(id ie.ID) reader {
	return func(_ tsharkFields, v []string) (ie.ID, string) { return id, v[0] }
}

// hexadecimal is a number with 0x before it.
func hexadecimal(id ie.ID) reader {
	return func(_ tsharkFields, v []string) (ie.ID, string) { return id, fmt.Sprint(number(v[0])) }
}

func mac(id ie.ID) reader {
	return func(_ tsharkFields, v []string) (ie.ID, string) { return id, macNumber(v[0]) }
}

// said is a field that another one is compared with.
func said(tsharkFields, []string) (ie.ID, string) { return 0, "" }

func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func macNumber(s string) string {
	return fmt.Sprint(number("0x" + strings.ReplaceAll(s, ":", "")))
}

// output follows the format of the interface.
func output(format string) reader {
	return func(f tsharkFields, v []string) (ie.ID, string) {
		switch f.one(format) {
		case "0":
			return 14, v[0]
		case "2":
			return 99, v[0]
		}
		return 0, "a format without an oracle"
	}
}

// typeCode is the type and code of an ICMP message.
func typeCode(id ie.ID, code string) reader {
	return func(f tsharkFields, v []string) (ie.ID, string) {
		return id, fmt.Sprint(number(v[0])<<8 | number(f.one(code)))
	}
}

// prefixLength has the element of the packet's family.
func prefixLength(id4, id6 ie.ID) reader {
	return func(f tsharkFields, v []string) (ie.ID, string) {
		if f.has("ip.src") {
			return id4, v[0]
		}
		return id6, v[0]
	}
}

// tsharkNames are the fields that are compared.
var tsharkNames = map[string]reader{
	"sflow.flow_sample.sampling_rate": func(f tsharkFields, v []string) (ie.ID, string) {
		if v[0] == "1" {
			return ie.SamplingSpace, ""
		}
		return ie.SamplingSpace, fmt.Sprint(number(v[0]) - 1)
	},
	"sflow.flow_sample.input_interface":        same(10),
	"sflow.flow_sample.input_interface_value":  same(10),
	"sflow.flow_sample.input_interface_format": said,
	"sflow.flow_sample.output_interface_value": func(f tsharkFields, v []string) (ie.ID, string) {
		if f.has("sflow.flow_sample.output_interface.format") {
			return output("sflow.flow_sample.output_interface.format")(f, v)
		}
		return output("sflow.flow_sample.output_interface_format")(f, v)
	},
	"sflow.flow_sample.output_interface_format": said,
	"sflow.flow_sample.output_interface.format": said,
	"sflow.flow_sample.output_interface":        said,
	"sflow_245.header.frame_length":             same(1),

	"eth.src": mac(56), "eth.dst": mac(80),
	"eth.type": func(f tsharkFields, v []string) (ie.ID, string) {
		if f.has("vlan.etype") {
			return 0, ""
		}
		return hexadecimal(256)(f, v)
	},
	"vlan.etype": hexadecimal(256),
	"vlan.id": func(f tsharkFields, v []string) (ie.ID, string) {
		if in := f.one("sflow_245.vlan.in"); in != "" && in != v[0] {
			return 243, v[0]
		}
		return 58, v[0]
	},
	"sflow_245.vlan.in": same(58), "sflow_245.vlan.out": same(59),

	"ip.version": said, "ipv6.version": said,
	"ip.src": same(8), "ip.dst": same(12), "ipv6.src": same(27), "ipv6.dst": same(28),
	"ip.proto": same(4), "ip.len": same(224), "ip.ttl": same(192), "ipv6.hlim": same(192),
	"ip.dsfield": hexadecimal(5), "ipv6.tclass": hexadecimal(5), "ipv6.flow": hexadecimal(31),
	"ipv6.plen": func(_ tsharkFields, v []string) (ie.ID, string) { return 224, fmt.Sprint(number(v[0]) + 40) },
	"ipv6.nxt": func(f tsharkFields, v []string) (ie.ID, string) {
		if f.has("ipv6.hopopts.nxt") {
			return 0, ""
		}
		return 4, v[0]
	},
	"ipv6.hopopts.nxt": same(4),
	"ip.flags":         func(_ tsharkFields, v []string) (ie.ID, string) { return 197, fmt.Sprint(number(v[0]) << 5) },
	"ip.frag_offset": func(_ tsharkFields, v []string) (ie.ID, string) {
		if v[0] == "0" {
			return 88, ""
		}
		return 88, v[0]
	},
	"tcp.srcport": same(7), "tcp.dstport": same(11), "udp.srcport": same(7), "udp.dstport": same(11),
	"tcp.flags": hexadecimal(6),
	"icmp.type": typeCode(32, "icmp.code"), "icmp.code": said,
	"icmpv6.type": typeCode(139, "icmpv6.code"), "icmpv6.code": said,

	"gateway.nexthop": same(18), "router.nexthop": same(15),
	"sflow_245.nexthop.src_mask": prefixLength(9, 29),
	"sflow_245.nexthop.dst_mask": prefixLength(13, 30),
	"sflow_245.srcAS":            same(16), "sflow_245.peerAS": same(129),
	"sflow_245.dstAS":            pathAndCommunities(291),
	"sflow_245.dstASentries":     pathAndCommunities(17),
	"sflow_245.communityEntries": pathAndCommunities(485), "sflow.as_type": pathAndCommunities(128),
}

// splitNextHops gives the addresses of gateways and routers, which have one name, their own.
func (f tsharkFields) splitNextHops() {
	hops := f["sflow_245.nexthop"]
	for _, format := range f["sflow_245.flow_record_format"] {
		switch format {
		case "1003":
			f["gateway.nexthop"], hops = hops[:1], hops[1:]
		case "1002":
			f["router.nexthop"], hops = hops[:1], hops[1:]
		}
	}
	delete(f, "sflow_245.nexthop")
}

// pathAndCommunities takes apart what tshark lists under one name: the numbers of one segment
// and the communities.
func pathAndCommunities(id ie.ID) reader {
	return func(f tsharkFields, _ []string) (ie.ID, string) {
		all := f["sflow_245.dstAS"]
		n := len(all) - int(number(f.one("sflow_245.communityEntries")))
		switch path := all[:n]; id {
		case 17:
			return 17, path[n-1]
		case 128:
			return 128, path[0]
		case 291:
			return 291, "000400110004" + wire(path)
		}
		return 485, "000301e30004" + wire(all[n:])
	}
}

func wire(numbers []string) string {
	w := xdr{}
	for _, s := range numbers {
		w = w.u32(uint32(number(s)))
	}
	return hex.EncodeToString(w)
}

// tsharkOther are beginnings of what is not compared, for it is no field of a record: numbers
// and lengths of the framing, parts and readings of fields that are compared, what lies behind
// the ports, tshark's own remarks, and what the package says that it does not keep.
var tsharkOther = []string{
	"sflow.enterprise", "sflow_245.sampletype", "sflow_5.", "sflow.flow_sample.sequence_number",
	"sflow.flow_sample.source_id", "sflow.flow_sample.index", "sflow.flow_sample.sample_pool",
	"sflow.flow_sample.dropped_packets", "sflow.flow_sample.flow_record", "sflow_245.flow_record_format",
	"sflow_245.header_protocol", "sflow_245.header.payload_stripped", "sflow_245.header.sampled_header_length", "sflow_245.header",
	"sflow_245.pri.", "sflow_245.as", "sflow_245.localpref",
	"eth.addr", "eth.dst", "eth.src", "eth.lg", "eth.ig", "eth.trailer",
	"vlan.priority", "vlan.dei", "vlan.trailer",
	"ip.addr", "ip.host", "ip.src_host", "ip.dst_host", "ip.hdr_len", "ip.checksum", "ip.id", "ip.flags.", "ip.dsfield.",
	"ipv6.addr", "ipv6.host", "ipv6.src_host", "ipv6.dst_host", "ipv6.opt", "ipv6.hopopts.len", "ipv6.tclass.",
	"tcp.", "udp.", "icmp.", "icmpv6.", "data.", "ssh.", "rtmpt.", "_",
}

// exception is a field of sfcapd's that is wrong.
type exception struct {
	name   string
	sample int
	field  string
}

// exceptions are the fields in which we differ from sfcapd, and what we have.
//
// sfcapd stores no ICMP type: tshark has 8 for all four echo requests, and 143 for the listener
// report. And it takes the number of interfaces that a multicast left by for an interface;
// tshark has format 2 there, and telegraf, whose expected values are beside the packets, has no
// output interface.
var exceptions = map[exception]string{
	{"goflow2/TestSFlowDecode", 1, "icmp_type"}:              "8",
	{"vflow/stress_hammer_sflow_samples.go", 1, "icmp_type"}: "8",
	{"vflow/stress_hammer_sflow_samples.go", 2, "icmp_type"}: "8",
	{"vflow/stress_hammer_sflow_samples.go", 4, "icmp_type"}: "8",
	{"telegraf/sflow_issue_15918", 3, "icmp_type"}:           "143",
	{"telegraf/sflow_issue_15918", 3, "output_snmp"}:         "0",
	{"telegraf/sflow_issue_15918", 6, "output_snmp"}:         "0",
}

// rate is what sfcapd multiplies by.
func rate(row map[ie.ID]string) uint64 {
	if s := row[ie.SamplingSpace]; s != "" {
		return number(s) + number(row[ie.SamplingInterval])
	}
	return 1
}

// zero is the value of an element, or what nfdump prints where it is absent.
func zero(absent string, ids ...ie.ID) func(map[ie.ID]string) string {
	return func(row map[ie.ID]string) string {
		for _, id := range ids {
			if v, ok := row[id]; ok {
				return v
			}
		}
		return absent
	}
}

func scaled(id ie.ID) func(map[ie.ID]string) string {
	return func(row map[ie.ID]string) string { return fmt.Sprint(number(row[id]) * rate(row)) }
}

func macOf(id ie.ID) func(map[ie.ID]string) string {
	return func(row map[ie.ID]string) string {
		n := number(row[id])
		return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", n>>40, n>>32&255, n>>24&255, n>>16&255, n>>8&255, n&255)
	}
}

// icmp is the type, or the code, of either family.
func icmp(shift uint) func(map[ie.ID]string) string {
	return func(row map[ie.ID]string) string {
		return fmt.Sprint(number(zero("0", 32, 139)(row)) >> shift & 255)
	}
}

// address reads one as netip writes it, so that two forms of the same are equal.
func address(ids ...ie.ID) func(map[ie.ID]string) string {
	return func(row map[ie.ID]string) string {
		return netip.MustParseAddr(zero("0.0.0.0", ids...)(row)).String()
	}
}

func tcpFlagsText(row map[ie.ID]string) string {
	flags, b := number(zero("0", 6)(row)), []byte("........")
	for i, c := range []byte("CEUAPRSF") {
		if flags>>(7-i)&1 != 0 {
			b[i] = c
		}
	}
	return string(b)
}

// sfcapdNames are the fields that are compared. The destination address of the frame is that of
// the input side (element 80); sfcapd calls it out_dst_mac and leaves in_dst_mac empty.
var sfcapdNames = map[string]func(map[ie.ID]string) string{
	"in_packets": scaled(2), "in_bytes": scaled(1),
	"proto": zero("0", 4), "src_port": zero("0", 7), "dst_port": zero("0", 11), "tcp_flags": tcpFlagsText,
	"icmp_type": icmp(8), "icmp_code": icmp(0), "src_tos": zero("0", 5),
	"src4_addr": address(8), "dst4_addr": address(12), "src6_addr": address(27), "dst6_addr": address(28),
	"input_snmp": zero("0", 10), "output_snmp": zero("0", 14), "fwd_status": zero("0", 89),
	"src_mask": zero("0", 9, 29), "dst_mask": zero("0", 13, 30),
	"src_vlan": zero("0", 58), "dst_vlan": zero("0", 59), "src_as": zero("0", 16), "dst_as": zero("0", 17),
	"in_src_mac": macOf(56), "out_dst_mac": macOf(80),
	"ip4_next_hop": address(15), "bgp4_next_hop": address(18),
}

// sfcapdOther are not compared: counts and times of the run, what is always empty or follows
// from other fields, and the sender of the oracle's run (our exporter is the agent).
var sfcapdOther = []string{
	"cnt", "type", "ident", "export_sysid", "first", "last", "received", "ip4_router", "sampled", "direction", "dst_tos",
	"src4_geo", "dst4_geo", "src6_geo", "dst6_geo", "src_net", "dst_net", "in_dst_mac", "out_src_mac",
}
