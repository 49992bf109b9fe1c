package netflow

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// tsharkFields are the elements that tshark's names stand for.
var tsharkFields = map[string][]ie.ID{
	"aaa_username": {40000}, "appl_name": {96}, "bgpnexthop": {18}, "bgpnexthopv6": {63},
	"delta_octets_squared": {198}, "direction": {61}, "dot1q_customer_vlan_id": {245}, "dot1q_vlan_id": {243},
	"drop_total_packets": {135}, "dstaddr": {12}, "dstaddrv6": {28}, "dstas": {17}, "dstmac": {80}, "dstmask": {13},
	"dstmaskv6": {30}, "egress_acl_id": {33001}, "egress_vrfid": {235}, "engine_id": {39}, "engine_type": {38},
	"export_protocol_version": {214}, "exporter_addr": {130}, "exporter_addr_v6": {131}, "exporter_protocol": {215},
	"firewall_event": {233, 40005}, "flow_active_timeout": {36}, "flow_end_reason": {136}, "flow_exporter": {144},
	"flow_id": {148}, "flow_inactive_timeout": {37}, "flowsexp": {42}, "frag_ident": {54}, "fw_ext_event": {33002},
	"icmp_ipv4_code": {177}, "icmp_ipv4_type": {176}, "icmp_type_code_ipv4": {32}, "if_descr": {83}, "if_name": {82}, "ignore_packets": {164}, "ingress_acl_id": {33000},
	"ingress_vrfid": {234}, "inputint": {10}, "ip_ttl": {192}, "ip_version": {60}, "ipv6_exthdr": {64},
	"ipv6flowlabel": {31}, "layer2_segment_id": {351}, "mp_id": {143}, "mpls_top_label_prefix_length": {91},
	"nexthop": {15}, "nexthopv6": {62}, "notsent_packets": {167}, "observation_time_milliseconds": {323},
	"observation_time_seconds": {322}, "octets": {1}, "octetsexp": {40}, "od_id": {149}, "outputint": {14},
	"packets": {2}, "packetsexp": {41}, "permanent_octets": {85}, "permanent_packets": {86}, "post_dstmac": {57},
	"post_naptdestination_transport_port": {228, 40004}, "post_naptsource_transport_port": {227, 40003},
	"post_natdestination_ipv4_address": {226, 40002}, "post_natsource_ipv4_address": {225, 40001}, "post_octets": {23},
	"post_packets": {24}, "post_tos": {55}, "post_vlanid": {59}, "private_enterprise_number": {346}, "protocol": {4},
	"responder_octets": {232}, "routersc": {43}, "sampler_id": {48}, "sampler_mode": {49}, "sampler_name": {84},
	"sampler_random_interval": {50}, "sampling_algorithm": {35}, "sampling_interval": {34},
	"sampling_packet_interval": {305}, "sampling_packet_space": {306}, "sampling_population": {310},
	"sampling_size": {309}, "selector_algorithm": {304}, "selector_id": {302}, "selector_name": {335}, "srcaddr": {8},
	"srcaddrv6": {27}, "srcas": {16}, "srcmac": {56}, "srcmask": {9}, "srcmaskv6": {29}, "sys_init_time": {160},
	"tcpflags": {6}, "toplabeladdr": {47}, "toplabeladdr_v6": {140}, "toplabeltype": {46}, "tos": {5}, "ttl_max": {53},
	"ttl_min": {52}, "vlanid": {58}, "scope_system": {144},
	"pie.ntop.client_nw_latency_ms": {ntop(123)}, "pie.server_nw_latency_ms": {ntop(124)},
	"pie.ntop.appl_latency_ms": {ntop(125)}, "pie.ntop.l7_proto": {ntop(118), 57590}, "pie.ntop.l7_proto_name": {57591},
	"pie.ntop.retransmitted_in_bytes": {ntop(109)}, "pie.ntop.retransmitted_in_pkts": {ntop(110)},
	"pie.ntop.retransmitted_out_bytes": {ntop(127)}, "pie.ntop.retransmitted_out_pkts": {ntop(128)},
}

// ntop is an element of nProbe.
func ntop(num uint16) ie.ID { return ie.New(35632, num) }

// TestTshark compares every field that tshark decodes.
func TestTshark(t *testing.T) {
	y := newTally(t)
	for _, d := range decodeCases(t) {
		c := tsharkCase{y, d.caseRow["case"], make([]int, len(d.packets)), make([]int, len(d.packets))}
		for _, l := range lines(t, d.caseRow["oracle_prefix"]+".tshark.jsonl") {
			frame, err := strconv.Atoi(fmt.Sprint(l["frame"]))
			if err != nil || frame > len(d.packets) {
				t.Fatalf("%s: frame %v of %d", c.name, l["frame"], len(d.packets))
			}
			c.line(d.packets[frame-1], frame-1, l)
		}
		for i, p := range d.packets {
			for range len(p.flows) - c.flows[i] {
				y.check(false, c.name, "records", "packet %d: %d records, tshark has %d", i+1, len(p.flows), c.flows[i])
			}
			for range len(p.options) - c.options[i] {
				y.check(false, c.name, "options", "packet %d: %d of options data, tshark has %d", i+1, len(p.options), c.options[i])
			}
		}
	}
	y.finish(tsharkKnown, tsharkUnmapped...)
}

// tsharkCase compares a case, with the records so far of each packet.
type tsharkCase struct {
	*tally
	name           string
	flows, options []int
}

func (c *tsharkCase) line(p *packet, i int, l map[string]any) {
	var r record
	switch l["type"] {
	case "flow":
		c.flows[i]++
		if c.flows[i] > len(p.flows) {
			c.check(false, c.name, "missing", "packet %d: record %d of tshark is missing", i+1, c.flows[i])
			return
		}
		r = p.flows[c.flows[i]-1]
	case "options":
		c.options[i]++
		if c.options[i] > len(p.options) {
			c.check(false, c.name, "missing", "packet %d: record %d of tshark's options data is missing", i+1, c.options[i])
			return
		}
		r = p.options[c.options[i]-1]
	default:
		return // templates show in what they decode
	}
	c.records++
	fields, _ := l["fields"].(map[string]any)
	for name, v := range fields {
		c.field(r, strings.TrimPrefix(name, "cflow."), texts(v), fields)
	}
}

// field compares a field, in its own way or as most are.
func (c *tsharkCase) field(r record, name string, want []string, all map[string]any) {
	flag := map[string]uint{"fin": 0, "syn": 1, "rst": 2, "psh": 3, "ack": 4, "urg": 5, "ece": 6, "cwr": 7, "ns": 8}
	ok, got := false, ""
	switch base, part, _ := strings.Cut(name, "."); {
	case name == "srcport" || name == "dstport":
		ok, got = samePort(r, name == "srcport", want, all)
	case name == "timestart":
		ok, got = sameUptime(r, 22, 152, want[0])
	case name == "timeend":
		ok, got = sameUptime(r, 21, 153, want[0])
	case name == "timedelta":
		ok, got = sameDuration(r, want[0])
	case name == "abstimestart":
		ok, got = sameTime(r, 22, want, 152, 150, 154, 156)
	case name == "abstimeend":
		ok, got = sameTime(r, 21, want, 153, 151, 155, 157)
	case name == "icmp_ipv6_type" && r.has(139):
		ok, got = sameBits(r, want, 139, 8, 8)
	case name == "icmp_ipv6_code" && r.has(139):
		ok, got = sameBits(r, want, 139, 0, 8)
	case name == "icmp_ipv6_type":
		ok, got = same(r, want, 178)
	case name == "icmp_ipv6_code":
		ok, got = same(r, want, 179)
	case name == "forwarding_status":
		ok, got = sameBits(r, want, 89, 6, 2)
	case strings.HasPrefix(name, "forwarding_status_"):
		ok, got = sameBits(r, want, 89, 0, 6)
	case name == "tcpflags.reserved", name == "tcpflags.zero":
		ok, got = sameBits(r, want, 6, 9, 7)
	case base == "tcpflags" && part != "":
		ok, got = sameBits(r, want, 6, flag[part], 1)
	case base == "mpls_label":
		ok, got = sameLabels(r, want, 4, 20)
	case base == "mpls_exp":
		ok, got = sameLabels(r, want, 1, 3)
	case base == "mpls_bos":
		ok, got = sameLabels(r, want, 0, 1)
	case name == "appl_id.classification_engine_id":
		ok, got = sameBytes(r, want, 95, 0, 1)
	case name == "appl_id.selector_id":
		ok, got = sameBytes(r, want, 95, 1, 4)
	case name == "enterprise_private_entry" || name == "unknown_field_type":
		ok, got = sameUnknown(c.t, r, want)
	case tsharkFields[name] != nil:
		ok, got = same(r, want, tsharkFields[name]...)
	default:
		c.unmapped[name]++
		return
	}
	c.check(ok, c.name, name, "%s, tshark has %s; record: %s", got, want, r)
}

// sameTime compares absolute times. An uptime of 0 tshark takes for one, of 1970.
func sameTime(r record, raw ie.ID, want []string, ids ...ie.ID) (bool, string) {
	if ok, got := same(r, want, ids...); ok || !strings.HasPrefix(want[0], "Jan  1, 1970 00:00:00.0") {
		return ok, got
	}
	return sameUptime(r, raw, ids[0], "0")
}

// same compares the values of elements in their order.
func same(r record, want []string, ids ...ie.ID) (bool, string) {
	got := r.of(ids...)
	if len(got) == 0 && r.partner(ids...) {
		for _, w := range want { // of a pair the member that is zero is left out
			if strings.Trim(w, "0.:x") != "" {
				return false, "none"
			}
		}
		return true, ""
	}
	if len(got) != len(want) {
		return false, fmt.Sprint(got)
	}
	for i, v := range got {
		if !sameValue(v, want[i]) {
			return false, fmt.Sprint(got)
		}
	}
	return true, ""
}

const tsharkTime = "Jan _2, 2006 15:04:05.000000000 MST"

// sameValue compares a value with its text.
func sameValue(v value, want string) bool {
	switch v.kind {
	case column.Addr:
		a, err := netip.ParseAddr(want)
		return err == nil && a == v.addr
	case column.Bytes:
		text, _, _ := strings.Cut(string(v.bytes), "\x00")
		return text == want || colons(v.bytes) == want || new(big.Int).SetBytes(v.bytes).String() == want
	}
	if n, err := strconv.ParseUint(want, 0, 64); err == nil {
		return n == v.num
	}
	if at, err := time.Parse(tsharkTime, want); err == nil {
		if v.ID == 160 {
			return at.UnixMilli() == int64(v.num/1e6)
		}
		return at.UnixNano() == int64(v.num)
	}
	return colons(v.wire()) == want
}

// wire is a value as it was sent.
func (v value) wire() []byte {
	switch v.kind {
	case column.Addr:
		return v.addr.AsSlice()
	case column.Bytes:
		return v.bytes
	}
	return new(big.Int).SetUint64(v.num).FillBytes(make([]byte, max(v.Len, 8)))[max(v.Len, 8)-v.Len:]
}

// colons writes octets as tshark does.
func colons(b []byte) string {
	var s []string
	for _, x := range b {
		s = append(s, hex.EncodeToString([]byte{x}))
	}
	return strings.Join(s, ":")
}

// sameBits compares some bits of a number.
func sameBits(r record, want []string, id ie.ID, shift, width uint) (bool, string) {
	got := r.of(id)
	if len(got) != len(want) {
		return false, fmt.Sprint(got)
	}
	for i, v := range got {
		if n, err := strconv.ParseUint(want[i], 0, 64); err != nil || v.num>>shift&(1<<width-1) != n {
			return false, fmt.Sprint(got)
		}
	}
	return true, ""
}

// sameLabels compares some bits of each entry of the label stack.
func sameLabels(r record, want []string, shift, width uint) (bool, string) {
	got := r.of(70, 71, 72, 73, 74, 75, 76, 77, 78, 79)
	if len(got) != len(want) {
		return false, fmt.Sprint(got)
	}
	for i, v := range got {
		x := uint64(v.bytes[0])<<16 | uint64(v.bytes[1])<<8 | uint64(v.bytes[2])
		if fmt.Sprint(x>>shift&(1<<width-1)) != want[i] {
			return false, fmt.Sprint(got)
		}
	}
	return true, ""
}

// sameBytes compares a part of an octet string.
func sameBytes(r record, want []string, id ie.ID, from, to int) (bool, string) {
	got := r.of(id)
	if len(got) != 1 || len(got[0].bytes) < to {
		return false, fmt.Sprint(got)
	}
	part := got[0].bytes[from:to]
	return fmt.Sprint(part[0]) == want[0] || colons(part) == want[0], fmt.Sprint(got)
}

// sameUnknown compares the values of elements that tshark does not know.
func sameUnknown(t *testing.T, r record, want []string) (bool, string) {
	var got []string
	for _, v := range r.row {
		e, known := ie.Lookup(v.ID)
		switch pen := v.ID.PEN(); {
		case e.Type.IsList():
			_, list := splitList(t, v.bytes)
			got = append(got, colons(list))
		case !known || pen != 0 && pen != ie.ProjectPEN && pen != ie.ReversePEN:
			got = append(got, colons(v.wire()))
		}
	}
	for _, w := range want { // in their order, with others between
		for len(got) > 0 && got[0] != w {
			got = got[1:]
		}
		if len(got) == 0 {
			return false, fmt.Sprint(r)
		}
		got = got[1:]
	}
	return true, ""
}

// samePort compares a port. Of ICMP it may be type and code, which is no port here.
func samePort(r record, source bool, want []string, all map[string]any) (bool, string) {
	id := ie.ID(11)
	if source {
		id = 7
	}
	if got := r.of(id); len(got) > 0 || len(want) != 1 {
		ok, text := same(r, want, id)
		return ok, text
	}
	if p := r.get(4); p != "1" && p != "58" {
		return false, "no port"
	}
	if source {
		return want[0] == "0", "no port"
	}
	codes := r.of(32, 139)
	if len(codes) == 0 { // apart
		return want[0] == "0", "no type and code"
	}
	return fmt.Sprint(codes[0].num) == want[0], fmt.Sprint(codes)
}

// sameUptime compares a time given as seconds of uptime.
func sameUptime(r record, raw, absolute ie.ID, want string) (bool, string) {
	s, err := strconv.ParseFloat(want, 64)
	if err != nil {
		return false, "no time"
	}
	millis := int64(s*1000 + 0.5)
	if r.has(raw) {
		return r.get(raw) == fmt.Sprint(millis), r.get(raw)
	}
	if !r.has(absolute) {
		return false, "none"
	}
	got := int64(r.all(absolute)[0].num/1e6) - r.packet.boot
	return (got-millis)%(1<<32) == 0, fmt.Sprint(got)
}

// sameDuration compares what was sent, or else what start and end leave.
func sameDuration(r record, want string) (bool, string) {
	s, err := strconv.ParseFloat(want, 64)
	if err != nil {
		return false, "no duration"
	}
	if got := r.of(161); len(got) > 0 {
		return got[0].num == uint64(s*1000+0.5), fmt.Sprint(got)
	}
	unit := int64(1e6)
	start, end := r.of(150, 152, 154, 156), r.of(151, 153, 155, 157)
	if len(start) == 0 {
		start, end, unit = r.of(22), r.of(21), 1
	}
	if len(start) != 1 || len(end) != 1 {
		return false, "none"
	}
	got := (int64(end[0].num) - int64(start[0].num)) / unit
	return (got-int64(s*1000+0.5))%(1<<32) == 0, fmt.Sprint(got)
}

// tsharkKnown are the differences to tshark.
var tsharkKnown = []known{
	{difference{"graylog-plugin/netflow9.pcap", "records"}, 3,
		"the first message has two template sets, of which tshark reads one; so it misses a record of that message and the two of template 2048"},
	{difference{"graylog-plugin/netflow9.pcap", "options"}, 1, "an options template and its data behind them"},
	{difference{"netgauze/unit_netflow", "missing"}, 1,
		"fuzzed: records of 2,563 bytes, of which the set has 260; tshark shows what is there of one"},
}

// tsharkUnmapped are names that stand for no element: marks, padding, lengths, a heading, and
// which fields of NetFlow v7 mean nothing.
var tsharkUnmapped = []string{"_expert", "flags", "padding", "pie.ntop", "reserved", "string_len_long", "string_len_short"}
