package netflow

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/ie"
)

// nfdumpFields are the elements that nfdump's names stand for, those that it prefers first. What
// a record lacks it shows as zero.
var nfdumpFields = map[string][]ie.ID{
	"aggr_flows": {3}, "bgp4_next_hop": {18}, "bgp6_next_hop": {63}, "connect_id": {148}, "cust_vlanID": {245},
	"direction": {61}, "dst4_addr": {12}, "dst4_xlt_ip": {226, 40002}, "dst6_addr": {28}, "dst_as": {17},
	"dst_mask": {13, 30}, "dst_tos": {55}, "dst_vlan": {59}, "dst_xlt_port": {228, 40004}, "egress_vrf": {235},
	"ethertype": {256}, "event_id": {233, 230, 40005}, "flowID": {148}, "fwd_status": {89}, "in_dst_mac": {80},
	"in_src_mac": {56}, "ingress_vrf": {234}, "input_snmp": {10}, "ip4_next_hop": {15}, "ip6_next_hop": {62},
	"ip_maxttl": {53}, "ip_minttl": {52, 192}, "ip_version": {60}, "out_dst_mac": {57}, "out_src_mac": {81},
	"output_snmp": {14}, "phys_egress": {253}, "phys_ingress": {252}, "post_cust_vlanID": {255}, "post_vlanID": {254},
	"proto": {4}, "src4_addr": {8}, "src4_xlt_ip": {225, 40001}, "src6_addr": {27}, "src_as": {16}, "src_mask": {9, 29},
	"src_tos": {5}, "src_vlan": {58}, "src_xlt_port": {227, 40003}, "vlanID": {243}, "xevent_id": {33002},
}

// nfdumpOwn are what nfdump says of itself, and what it derives from tables.
var nfdumpOwn = []string{"cnt", "ident", "export_sysid", "received", "type", "event", "ip4_router",
	"src4_geo", "dst4_geo", "src6_geo", "dst6_geo", "src_net", "dst_net"}

// TestNfdump compares every field that nfcapd and nfdump make of the records.
func TestNfdump(t *testing.T) {
	y := newTally(t)
	for _, d := range decodeCases(t) {
		c := nfdumpCase{y, d.caseRow["case"]}
		flows, rows := d.flows(), lines(t, d.caseRow["oracle_prefix"]+".nfdump.json")
		if len(flows) != len(rows) {
			y.check(false, c.name, "records", "%d, nfdump has %d", len(flows), len(rows))
			continue
		}
		for i, l := range rows {
			y.records++
			for name, v := range l {
				c.field(flows[i], name, fmt.Sprint(v), l)
			}
		}
	}
	y.finish(nfdumpKnown, nfdumpOwn...)
}

type nfdumpCase struct {
	*tally
	name string
}

func (c *nfdumpCase) field(r record, name, want string, all map[string]any) {
	ok, got := false, ""
	switch {
	case name == "in_packets":
		ok, got = r.counter(want, 2, 86)
	case name == "in_bytes":
		ok, got = r.counter(want, 1, 85)
	case name == "out_packets":
		ok, got = r.counter(want, 24, ie.New(ie.ReversePEN, 2), ie.New(ie.ReversePEN, 86))
	case name == "out_bytes":
		ok, got = r.counter(want, 23, 232, ie.New(ie.ReversePEN, 1), ie.New(ie.ReversePEN, 85))
	case name == "first":
		ok, got = r.time(want, 22, 150, 152, 154, 156, 323)
	case name == "last":
		ok, got = r.time(want, 21, 151, 153, 155, 157, 323)
	case name == "t_event":
		ok, got = r.time(want, 0, 323)
	case name == "tcp_flags":
		ok, got = r.flags(want)
	case name == "src_port" || name == "dst_port":
		if ok, got = samePort(r, name == "src_port", []string{want}, nil); !ok && got == "no port" {
			ok = want == "0" // the template has none
		}
	case name == "aggr_flows" && !r.has(3):
		ok, got = want == "1", "none"
	case name == "icmp_type":
		ok, got = r.icmp(want, 8)
	case name == "icmp_code":
		ok, got = r.icmp(want, 0)
	case name == "sampled":
		ok, got = r.has(ie.SamplingSpace) == (want == "1"), fmt.Sprint(r.of(ie.SamplingSpace))
	case name == "ingress_acl":
		ok, got = r.acl(want, 33000)
	case name == "egress_acl":
		ok, got = r.acl(want, 33001)
	case name == "user_name":
		ok, got = r.text(want, 40000)
	case strings.HasPrefix(name, "mpls_"):
		n, _ := strconv.Atoi(name[len("mpls_"):])
		ok, got = r.label(want, ie.ID(69+n))
	case nfdumpFields[name] != nil:
		ok, got = r.plain(want, nfdumpFields[name]...)
	default:
		c.unmapped[name]++
		return
	}
	c.check(ok, c.name, name, "%s, nfdump has %s; record: %s", got, want, r)
}

// first is the first of some elements that a record has, or nil.
func (r row) first(ids ...ie.ID) *value {
	for _, id := range ids {
		if v := r.all(id); len(v) > 0 {
			return &v[0]
		}
	}
	return nil
}

// plain compares a value as it is.
func (r row) plain(want string, ids ...ie.ID) (bool, string) {
	v := r.first(ids...)
	if v == nil {
		return strings.Trim(want, "0.:") == "", "none"
	}
	return sameValue(*v, want), v.String()
}

// counter compares a counter scaled by the sampling rate.
func (r row) counter(want string, ids ...ie.ID) (bool, string) {
	v := r.first(ids...)
	if v == nil {
		return want == "0", "none"
	}
	n := v.num
	if interval := r.first(ie.SamplingInterval); interval != nil {
		n = n * (interval.num + r.first(ie.SamplingSpace).num) / interval.num
	}
	return fmt.Sprint(n) == want, fmt.Sprint(n)
}

// time compares a time of milliseconds. Without a clock nfdump has none that means anything, nor
// for an uptime of 0.
func (r record) time(want string, raw ie.ID, ids ...ie.ID) (bool, string) {
	v := r.first(ids...)
	if v == nil {
		return r.has(raw) || want == nfdumpNever, "none"
	}
	got := time.Unix(0, int64(v.num)).UTC().Format("2006-01-02T15:04:05.000")
	return got == want || want == nfdumpNever && int64(v.num/1e6) == r.packet.boot, got
}

const nfdumpNever = "1970-01-01T00:00:00.000"

// flags compares the lower eight TCP flags, written CEUAPRSF.
func (r row) flags(want string) (bool, string) {
	v := r.first(6)
	if v == nil {
		return want == "........", "none"
	}
	got := []byte("CEUAPRSF")
	for i := range got {
		if v.num>>(7-i)&1 == 0 {
			got[i] = '.'
		}
	}
	return string(got) == want, string(got)
}

// icmp compares the type or the code. Of an element for them and a port nfdump has what is not
// zero.
func (r row) icmp(want string, shift int) (bool, string) {
	apart := ie.ID(177)
	if shift > 0 {
		apart = 176
	}
	if v := r.first(apart); v != nil && (v.num > 0 || !r.has(11)) {
		return fmt.Sprint(v.num) == want, v.String()
	}
	v := r.first(32, 139, 11)
	if v == nil {
		return want == "0", "none"
	}
	got := fmt.Sprint(v.num >> shift & 0xff)
	return got == want, got
}

// acl compares an access list and its entries, whose words nfdump turns round.
func (r row) acl(want string, id ie.ID) (bool, string) {
	v := r.first(id)
	if v == nil || len(v.bytes) != 12 {
		return false, "none"
	}
	var words []string
	for i := 0; i < 12; i += 4 {
		words = append(words, fmt.Sprintf("0x%x", bits.ReverseBytes32(binary.BigEndian.Uint32(v.bytes[i:]))))
	}
	got := strings.Join(words, "/")
	return got == want, got
}

func (r row) text(want string, id ie.ID) (bool, string) {
	v := r.first(id)
	if v == nil {
		return want == "<empty>", "none"
	}
	got, _, _ := strings.Cut(string(v.bytes), "\x00")
	return got == want || got == "" && want == "<empty>", got
}

// label compares an entry of the label stack.
func (r row) label(want string, id ie.ID) (bool, string) {
	v := r.first(id)
	if v == nil {
		return want == "0-0-0", "none"
	}
	x := uint(v.bytes[0])<<16 | uint(v.bytes[1])<<8 | uint(v.bytes[2])
	got := fmt.Sprintf("%d-%d-%d", x>>4, x>>1&7, x&1)
	return got == want, got
}

// nfdumpKnown are the differences to nfdump 1.7.8.
var nfdumpKnown = slices.Concat(
	because("nfdump keeps no prefix lengths of NetFlow v5 and v7", "fluent/v5", 1, "src_mask", "dst_mask"),
	because("nfdump keeps no prefix lengths of NetFlow v5 and v7", "graylog-plugin/netgraph-netflow5.pcap", 120, "src_mask", "dst_mask"),
	because("nfdump keeps no prefix lengths of NetFlow v5 and v7", "vflow/netflow_v5_decoder_test.go_TestV5FlowPacket32", 29, "src_mask", "dst_mask"),
	because("nfdump keeps no prefix lengths of NetFlow v5 and v7", "mikemiles/L12", 1, "src_mask", "dst_mask"),
	because("NetFlow v7 has no sampling rate where v5 has one: nfdump multiplies by 2057", "mikemiles/L12", 1, "in_bytes", "in_packets", "sampled"),
	because("an end ahead of the uptime by a day is nearer than one 49 days ago, which nfdump takes for the wrap of the counter",
		"mikemiles/L12", 1, "first", "last"),
	because("the flow's uptime is ahead of the header's by 7 days (FortiOS); nfdump takes that for the wrap of the counter, 49 days ago",
		"logstash/Netflow_9_Fortigate_FortiOS_5.2.1", 1, "first", "last"),
	because("nfdump marks a rate of one in one as well", "logstash/Netflow_9_Fortigate_FortiOS_5.2.1", 1, "sampled"),
	because("nfdump marks a rate of one in one as well", "logstash/IPFIX", 6, "sampled"),
	because("of a flow that began at uptime 0 nfdump has no times", "logstash/IPFIX", 2, "last"),
	because("the header counts 55,582 records, and 30 are there: nfdump refuses them all", "logstash/Netflow_5_invalid_01", 1, "records"),
	because("twelve export packets in one file: the header, which speaks for a datagram, counts 2 records (so do tshark and logstash)",
		"logstash/Netflow_5_valid_01", 1, "records"),
	because("for the start of an event nfdump has the time of the event, not the start of the flow that was sent as well",
		"logstash/Netflow_9_Cisco_ASA", 13, "first"),
	because("no time of the event was sent: nfdump has the end of the flow", "logstash/Netflow_9_Palo_Alto_PAN-OS_with_app-id", 8, "t_event"),
	because("the exporter's clock is at 1970: nfdump goes back before it", "logstash/Netflow_9_nprobe_DPI_L7", 1, "first", "last"),
	because("a source port that is not 0 nfdump takes for type and code, byte for byte swapped", "netgauze/unit_ipfix-vmware", 1, "icmp_type", "icmp_code"),
	because("one in 256 was announced by 309 and 310, which nfdump does not know",
		"pmacct/104-IPFIXv10-IPv6-CISCO-sampling_option/traffic-00.pcap", 3, "in_bytes", "in_packets", "sampled"),
)

// because makes known differences of one reason.
func because(why, name string, n int, fields ...string) []known {
	var out []known
	for _, f := range fields {
		out = append(out, known{difference{name, f}, n, why})
	}
	return out
}
