package netflow

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// What other projects expect of the packets stands beside them: events of logstash and lines of
// telegraf, some for all records and some for a few; messages of NetGauze.

// event is a record that another project expects: values by its names.
type event map[string]any

// TestExpected looks for each event among the records, and compares every field of it.
func TestExpected(t *testing.T) {
	y := newTally(t)
	for _, d := range decodeCases(t) {
		name := filepath.Join(sharedData, d.caseRow["expected"])
		c := expectation{y, d, map[*row]bool{}}
		switch {
		case strings.Contains(name, "/expected/"):
			for _, e := range logstashEvents(t, name) {
				c.find(e, c.logstash)
			}
		case strings.HasSuffix(name, "expected.out"):
			for _, e := range telegrafLines(t, name) {
				c.find(e, c.telegraf)
			}
		case strings.HasSuffix(name, ".netgauze.jsonl"):
			c.netgauze(lines(t, d.caseRow["expected"]))
		}
	}
	y.finish(expectedKnown, expectedUnmapped...)
}

// expectation compares the events of a case.
type expectation struct {
	*tally
	*decoded
	used map[*row]bool
}

// verdict is what became of a field: compared, or of no element.
type verdict struct {
	ok, mapped bool
	got        string
	excuse     string // of a difference of a kind
}

func is(ok bool, got string) verdict { return verdict{ok: ok, mapped: true, got: got} }

// find compares an event with the record that is most like it, each record once.
func (c *expectation) find(e event, field func(record, string, any) verdict) {
	var best *record
	fewest := len(e) + 1
	for _, p := range c.packets {
		for _, list := range [][]record{p.flows, p.options} {
			for i := range list {
				if c.used[&list[i].row] {
					continue
				}
				wrong := 0
				for name, v := range e {
					if x := field(list[i], name, v); x.mapped && !x.ok {
						wrong++
					}
				}
				if wrong < fewest {
					best, fewest = &list[i], wrong
				}
			}
		}
	}
	if best == nil {
		c.check(false, c.caseRow["case"], "records", "no record is left for %v", e)
		return
	}
	c.used[&best.row] = true
	c.records++
	for name, v := range e {
		c.note(*best, name, v, field(*best, name, v))
	}
}

func (c *expectation) note(r record, name string, want any, v verdict) {
	if !v.mapped {
		c.unmapped[name]++
		return
	}
	if v.excuse != "" {
		c.check(false, "logstash", v.excuse, "%s", v.got)
		return
	}
	c.check(v.ok, c.caseRow["case"], name, "%s, expected is %v; record: %s", v.got, want, r)
}

func logstashEvents(t *testing.T, name string) []event {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var file struct {
		Events []struct{ Netflow event }
	}
	d := json.NewDecoder(f)
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var out []event
	for _, e := range file.Events {
		out = append(out, e.Netflow)
	}
	return out
}

// logstashFields are the elements that the codec's names of NetFlow v5 and v9 stand for; those of
// IPFIX are IANA's.
var logstashFields = map[string][]ie.ID{
	"app_id": {56701}, "user_id": {56702}, "application_name": {96}, "bgp_ipv4_next_hop": {18}, "conn_id": {148},
	"direction": {61}, "dst_as": {17}, "dst_mask": {13}, "dst_vlan": {59}, "egressVRFID": {235}, "ingressVRFID": {234},
	"egress_acl_id": {33001}, "ingress_acl_id": {33000}, "engine_id": {39}, "engine_type": {38}, "event_time_msec": {323},
	"flow_active_timeout": {36}, "flow_inactive_timeout": {37}, "flow_sampler_id": {48}, "flow_start_msec": {152},
	"fw_event": {233, 40005}, "fw_ext_event": {33002}, "icmp_code": {177}, "icmp_type": {176}, "in_bytes": {1},
	"in_dst_mac": {80}, "in_permanent_bytes": {85}, "in_pkts": {2}, "in_src_mac": {56}, "input_snmp": {10},
	"ip_protocol_version": {60}, "ipv4_dst_addr": {12}, "ipv4_next_hop": {15}, "ipv4_src_addr": {8}, "nprobe_proto": {57590},
	"nprobe_proto_name": {57591}, "out_bytes": {23}, "out_pkts": {24}, "output_snmp": {14}, "protocol": {4},
	"rev_flow_delta_bytes": {232}, "sampling_algorithm": {35}, "sampling_interval": {34}, "scope_system": {144}, "src_as": {16}, "src_mask": {9},
	"src_tos": {5}, "src_vlan": {58}, "tcp_flags": {6}, "total_bytes_exp": {40}, "total_flows_exp": {42},
	"total_pkts_exp": {41}, "username": {40000}, "xlate_dst_addr_ipv4": {40002, 226}, "xlate_dst_port": {40004, 228},
	"xlate_src_addr_ipv4": {40001, 225}, "xlate_src_port": {40003, 227},
	"vmwareUnknown888": {vmware(888)}, "vmwareUnknown889": {vmware(889)}, "vmwareUnknown890": {vmware(890)},
	"vmwareEgressInterfaceAttr": {vmware(888)}, "vmwareIngressInterfaceAttr": {vmware(890)}, "vmwareVxlanExportRole": {vmware(889)},
	"streamcore_wan_rtt": {8192}, "streamcore_net_app_resp_time": {8193}, "streamcore_total_app_resp_time": {8194},
	"streamcore_tcp_retrans_rate": {8195}, "streamcore_call_direction": {8196}, "streamcore_hostname": {8256},
	"streamcore_url": {8257}, "streamcore_id_rule_1": {8384}, "reamcore_id_rule_1": {8384}, "streamcore_id_rule_2": {8385},
	"streamcore_id_rule_3": {8386}, "streamcore_id_rule_4": {8387}, "streamcore_id_rule_5": {8388},
	"streamcore_id_rule_6": {8389}, "streamcore_id_rule_7": {8390}, "streamcore_id_rule_8": {8391},
	"streamcore_id_rule_9": {8392}, "streamcore_id_rule_10": {8393},
}

func vmware(num uint16) ie.ID { return ie.New(6876, num) }

func (c *expectation) logstash(r record, name string, v any) verdict {
	want := fmt.Sprint(v)
	switch name {
	case "first_switched":
		return timed(r, want, 22, 150, 152, 154, 156)
	case "last_switched":
		return timed(r, want, 21, 151, 153, 155, 157)
	case "flowStartSysUpTime":
		return uptime(r, want, 22, 152)
	case "flowEndSysUpTime":
		return uptime(r, want, 21, 153)
	case "l4_src_port", "l4_dst_port", "sourceTransportPort", "destinationTransportPort":
		ok, got := samePort(r, strings.Contains(name, "src") || name[0] == 's', []string{want}, nil)
		return is(ok, got)
	case "application_id":
		engine, selector, _ := strings.Cut(want, "..")
		ok, got := sameBytes(r, []string{engine}, 95, 0, 1)
		id := r.first(95)
		return is(ok && id != nil && new(big.Int).SetBytes(id.bytes[1:]).String() == selector, got)
	case "forwarding_status":
		status, _ := v.(map[string]any)
		ok, got := sameBits(r, []string{fmt.Sprint(status["status"])}, 89, 6, 2)
		ok2, _ := sameBits(r, []string{fmt.Sprint(status["reason"])}, 89, 0, 6)
		return is(ok && ok2, got)
	}
	if v := common(r, name, want); v.mapped {
		return v
	}
	ids := logstashFields[name]
	if e, ok := ie.ByName(name); ok && ids == nil && e.ID.PEN() == 0 {
		ids = []ie.ID{e.ID}
	}
	if ids == nil {
		return verdict{}
	}
	got := r.first(ids...)
	if got == nil {
		return is(r.partner(ids...) && strings.Trim(want, "0.:") == "", "none")
	}
	return is(sameEvent(*got, want), got.String())
}

// common compares what logstash and telegraf call the same, and have in their own way.
func common(r record, name, want string) verdict {
	switch {
	case name == "icmp_type" && r.has(32):
		ok, got := sameBits(r, []string{want}, 32, 8, 8)
		return is(ok, got)
	case name == "icmp_code" && r.has(32):
		ok, got := sameBits(r, []string{want}, 32, 0, 8)
		return is(ok, got)
	case strings.HasPrefix(name, "sampling_") && r.packet.version == 5: // of the header
		return is((want == "0") == !r.has(ie.SamplingInterval), r.get(ie.SamplingInterval))
	}
	return verdict{}
}

// timed compares a time in text, down to milliseconds.
func timed(r record, want string, raw ie.ID, ids ...ie.ID) verdict {
	at, err := time.Parse(time.RFC3339Nano, want)
	got := r.first(ids...)
	if got == nil {
		got = r.first(raw)
	}
	if err != nil || got == nil {
		return is(false, "none")
	}
	v := verdict{mapped: true, got: time.UnixMilli(int64(got.num / 1e6)).UTC().Format(time.RFC3339Nano)}
	switch at.UnixMilli() - int64(got.num/1e6) {
	case 0:
		v.ok = true
	case 1000:
		v.ok, v.excuse = true, "a second late"
	}
	return v
}

// uptime compares milliseconds of uptime.
func uptime(r record, want string, raw, absolute ie.ID) verdict {
	ms, _ := strconv.ParseFloat(want, 64)
	ok, got := sameUptime(r, raw, absolute, fmt.Sprint(ms/1000))
	return is(ok, got)
}

// sameEvent compares a value with the text that logstash or NetGauze has for it.
func sameEvent(v value, want string) bool {
	if sameValue(v, want) {
		return true
	}
	e, _ := ie.Lookup(v.ID)
	switch {
	case v.kind == column.Bytes && strings.Contains(want, "-"):
		return hex.EncodeToString(v.bytes) == strings.ReplaceAll(want, "-", "")
	case v.kind == column.Bytes:
		return strings.TrimRight(want, "\x00") == strings.TrimRight(latin(v.bytes), "\x00")
	case e.Type.Class() == ie.Time:
		at, err := time.Parse(time.RFC3339Nano, want)
		if millis, e := strconv.ParseInt(want, 10, 64); e == nil {
			at, err = time.UnixMilli(millis), nil
		}
		return err == nil && at.UnixNano() == int64(v.num)
	}
	return false
}

// latin reads octets as characters of ISO 8859-1.
func latin(b []byte) string {
	var s []rune
	for _, x := range b {
		s = append(s, rune(x))
	}
	return string(s)
}

// telegrafLines reads InfluxDB's line protocol.
func telegrafLines(t *testing.T, name string) []event {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []event
	for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		_, l, _ = strings.Cut(l, " ")
		e := event{}
		for l != "" && l[0] != ' ' {
			key, rest, _ := strings.Cut(l, "=")
			end := 0
			for quoted := false; end < len(rest) && (quoted || rest[end] != ',' && rest[end] != ' '); end++ {
				quoted = quoted != (rest[end] == '"')
			}
			e[key] = strings.Trim(strings.TrimSuffix(rest[:end], "u"), `"`)
			l = strings.TrimPrefix(rest[end:], ",")
		}
		out = append(out, e)
	}
	return out
}

var telegrafFields = map[string][]ie.ID{
	"bgp_dst_as": {17}, "bgp_src_as": {16}, "dropped_packets_total": {135}, "dst": {12, 28}, "dst_mask": {13},
	"dst_tos": {55}, "engine_id": {39}, "engine_type": {38}, "event_time": {322}, "exporter": {130}, "exporting_pid": {144},
	"flow_end": {151}, "flow_start": {150}, "flow_end_ms": {153}, "flow_start_ms": {152}, "icmp_code": {177},
	"icmp_type": {176}, "ignored_packet_total": {164}, "in_bytes": {1}, "in_packets": {2}, "in_snmp": {10},
	"in_src_mac": {56}, "in_total_bytes": {85}, "in_total_packets": {86}, "interface": {82}, "interface_desc": {83},
	"next_hop": {15}, "notsent_packet_total": {167}, "observation_domain_id": {149}, "out_dst_mac": {57}, "out_snmp": {14},
	"src": {8, 27}, "src_mask": {9}, "src_tos": {5}, "system_init_ms": {160}, "total_flows_exported": {42}, "vlan_src": {58},
	"app_latency_ms": {ntop(125)}, "client_nw_latency_ms": {ntop(123)}, "server_nw_latency_ms": {ntop(124)},
	"l7_proto": {ntop(118)}, "retransmitted_in_bytes": {ntop(109)}, "retransmitted_in_pkts": {ntop(110)},
	"retransmitted_out_bytes": {ntop(127)}, "retransmitted_out_pkts": {ntop(128)}, "ssl_server_name": {ntop(188)},
	"ja3c_hash": {ntop(489)}, "ja3s_hash": {ntop(490)}, "ssl_cipher": {ntop(493)}, "ssl_unsafe_cipher": {ntop(494)},
	"ssl_version": {ntop(495)},
}

func (c *expectation) telegraf(r record, name string, v any) verdict {
	want := v.(string)
	if v := common(r, name, want); v.mapped {
		return v
	}
	ids := telegrafFields[name]
	switch {
	case name == "protocol":
		n, _ := ie.ProtoNumber(want)
		return is(r.get(4) == fmt.Sprint(n), r.get(4))
	case name == "ip_version":
		return is("IPv"+r.get(60) == want, r.get(60))
	case name == "tcp_flags":
		ok, got := r.flags(want)
		return is(ok, got)
	case name == "flow_end_reason":
		reasons := map[string]string{"idle timeout": "1", "active timeout": "2", "end of flow": "3", "forced end": "4"}
		return is(r.get(136) == reasons[want], r.get(136))
	case name == "src_port" || name == "dst_port":
		ok, got := samePort(r, name == "src_port", []string{want}, nil)
		return is(ok, got)
	case name == "first_switched":
		return uptime(r, want, 22, 152)
	case name == "last_switched":
		return uptime(r, want, 21, 153)
	case strings.HasPrefix(name, "type_"):
		ids = []ie.ID{unnamed(name)}
	}
	if ids == nil {
		return verdict{}
	}
	got := r.first(ids...)
	if got == nil {
		return is(false, "none")
	}
	if id := got.ID; id == 151 || id == 150 || id == 322 {
		return is(fmt.Sprint(got.num/1e9) == want, got.String())
	} else if id == 152 || id == 153 || id == 160 {
		return is(fmt.Sprint(got.num/1e6) == want, got.String())
	}
	return is(sameValue(*got, want) || "0x"+hex.EncodeToString(got.wire()) == want, got.String())
}

// unnamed is the element of a name like type_6871_40, or of the reverse one like type_6871_rev_40.
func unnamed(name string) ie.ID {
	p := strings.Split(name, "_")
	pen, _ := strconv.ParseUint(p[1], 10, 32)
	num, _ := strconv.ParseUint(p[len(p)-1], 10, 32)
	if p[2] == "rev" {
		num |= 1 << 14
	}
	return ie.New(uint32(pen), uint16(num)&^enterprise)
}

// netgauze compares messages in their order.
func (c *expectation) netgauze(messages []map[string]any) {
	for i, m := range messages {
		var flows, options int
		for _, body := range m {
			for _, set := range body.(map[string]any)["sets"].([]any) {
				data, ok := set.(map[string]any)["Data"].(map[string]any)
				if !ok {
					continue
				}
				for _, x := range data["records"].([]any) {
					fields := x.(map[string]any)
					scope, rest := fields["scope_fields"].([]any), fields["fields"].([]any)
					list, n := &c.packets[i].flows, &flows
					if len(scope) > 0 {
						list, n = &c.packets[i].options, &options
					}
					if *n == len(*list) {
						c.check(false, c.caseRow["case"], "records", "packet %d: %v is missing", i+1, x)
						continue
					}
					c.records++
					for _, f := range append(scope, rest...) {
						for name, v := range f.(map[string]any) {
							c.note((*list)[*n], name, v, netgauzeField((*list)[*n], name, v))
						}
					}
					*n++
				}
			}
		}
	}
}

func netgauzeField(r record, name string, v any) verdict {
	want := fmt.Sprint(v)
	e, ok := ie.ByName(name)
	switch x := v.(type) {
	case []any: // octets
		var b []byte
		for _, o := range x {
			n, _ := o.(json.Number).Int64()
			b = append(b, byte(n))
		}
		want = colons(b)
	case map[string]any:
		if name != "tcpControlBits" {
			return verdict{} // the name of a value
		}
		got := r.first(6)
		good := got != nil
		for i, flag := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
			good = good && (got.num>>i&1 == 1) == x[flag].(bool)
		}
		return is(good, r.get(6))
	}
	switch name {
	case "flowStartSysUpTime":
		return uptime(r, want, 22, 152)
	case "flowEndSysUpTime":
		return uptime(r, want, 21, 153)
	case "sourceTransportPort", "destinationTransportPort":
		good, got := samePort(r, name[0] == 's', []string{want}, nil)
		return is(good, got)
	case "protocolIdentifier":
		n, _ := ie.ProtoNumber(strings.Replace(want, "IPv6ICMP", "ICMP6", 1))
		return is(r.get(4) == fmt.Sprint(n), r.get(4))
	case "selectorAlgorithm", "mplsTopLabelType", "flowEndReason", "flowDirection":
		return verdict{} // the name of a value
	case "egressVRFID":
		e, ok = ie.Lookup(235)
	case "ingressVRFID":
		e, ok = ie.Lookup(234)
	}
	if !ok {
		return verdict{}
	}
	got := r.first(e.ID)
	if got == nil {
		return is(r.partner(e.ID) && strings.Trim(want, "0.:") == "", "none")
	}
	return is(sameEvent(*got, want), got.String())
}

// expectedKnown are the differences to what other projects expect.
var expectedKnown = slices.Concat(
	because("where the fraction of the uptime is above that of the time logstash forgets to borrow a second", "logstash", 22, "a second late"),
	because("and where it borrows none either, it has .999", "logstash/Netflow_9_Streamcore", 2, "first_switched", "last_switched"),
	because("the flow began before the uptime did, by a millisecond; logstash takes that for 49 days ahead", "logstash/Netflow_5_valid_01", 2, "first_switched"),
	because("telegraf takes the scope System, 1, for the element 1", "telegraf/netflow_v9_options", 8, "in_bytes"),
)

// expectedUnmapped are names that stand for no element: of headers, and of values in words.
var expectedUnmapped = []string{"flowDirection", "flowEndReason", "flow_records", "flow_seq_num", "flows", "flowset_id",
	"forwardingStatus", "fwd_reason", "fwd_status", "mplsTopLabelType", "padding", "selectorAlgorithm", "seq_number",
	"sys_uptime", "version"}
