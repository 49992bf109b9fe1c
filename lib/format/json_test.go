package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// whole is header, one batch and footer.
func whole(t testing.TB, mode string, o Options, b *flow.Batch) string {
	p, err := New(mode, o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Header(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := p.Batch(nil, b, 0)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(rows)
	if err := p.Footer(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// objects parses both JSON modes and checks that they say the same.
func objects(t *testing.T, b *flow.Batch) []map[string]any {
	t.Helper()
	var array []map[string]any
	text := whole(t, "json", Options{}, b)
	if err := json.Unmarshal([]byte(text), &array); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	lines := strings.Split(strings.TrimSuffix(whole(t, "ndjson", Options{Quiet: true}, b), "\n"), "\n")
	if len(lines) != len(array) {
		t.Fatalf("%d objects, %d lines", len(array), len(lines))
	}
	for i, l := range lines {
		var o map[string]any
		d := json.NewDecoder(strings.NewReader(l))
		if err := d.Decode(&o); err != nil {
			t.Fatalf("%v in\n%s", err, l)
		}
		if fmt.Sprint(o) != fmt.Sprint(array[i]) {
			t.Errorf("object %d differs:\n%v\n%v", i, o, array[i])
		}
	}
	return array
}

func TestJSONOfWholeRecord(t *testing.T) {
	got := whole(t, "ndjson", Options{}, batch(t, wholeRecord(), []value{{4, 17}}))
	want := `{"cnt":1,"type":"FLOW","ident":"pyid","export_sysid":3,"version":10,"engine_type":1,"engine_id":7,` +
		`"first":"2023-11-14T22:13:20.123456789+00:00","last":"2023-11-14T22:14:25.456456789+00:00","received":"2023-11-14T22:14:30.789456789+00:00",` +
		`"in_packets":1234567,"in_bytes":2345678901,"proto":6,"tcp_flags":"...AP.SF","src_port":51234,"dst_port":443,"fwd_status":64,"src_tos":16,` +
		`"src4_addr":"10.1.2.3","dst4_addr":"192.168.10.20","input_snmp":11,"output_snmp":22,"src_mask":24,"dst_mask":16,"src_net":"10.1.2.0","dst_net":"192.168.0.0",` +
		`"direction":1,"dst_tos":8,"ip_fragment":"DF--","ip_minttl":60,"ip_maxttl":64,"out_packets":77,"out_bytes":8888,"aggr_flows":3,"src_vlan":100,"dst_vlan":200,` +
		`"src_as":64512,"dst_as":65001,"bgp4_next_hop":"192.0.2.9","ip4_next_hop":"192.0.2.10","ip4_router":"192.0.2.12",` +
		`"mpls_1":"1000-0-0","mpls_2":"1001-1-0","mpls_3":"1002-2-0","mpls_4":"1003-3-0","mpls_5":"1004-4-0","mpls_6":"1005-5-0","mpls_7":"1006-6-0","mpls_8":"1007-7-0","mpls_9":"1008-0-0","mpls_10":"1009-1-1",` +
		`"in_src_mac":"00:11:22:33:44:01","out_dst_mac":"00:11:22:33:44:02","in_dst_mac":"00:11:22:33:44:03","out_src_mac":"00:11:22:33:44:04","next_as":100,"prev_as":200,` +
		`"cli_latency":1.500,"srv_latency":2.500,"app_latency":3.500,"observationDomainID":99,"observationPointID":1234,"ingress_vrf":7,"egress_vrf":8,"ethertype":"0x0800",` +
		`"flowID":4242,"connect_id":4242,"event_id":2,"event":"DELETE","xevent_id":2030,"t_event":"2023-11-14T22:13:20.999+00:00",` +
		`"src4_xlt_ip":"203.0.113.1","dst4_xlt_ip":"198.51.100.7","src_xlt_port":5000,"dst_xlt_port":6000,"ingress_acl":"0x1/0x2/0x3","egress_acl":"0x4/0x5/0x6",` +
		`"user_name":"alice","nat_event_id":1,"nat_event":"ADD","pblock_start":1024,"pblock_end":2047,"pblock_step":2,"pblock_size":512,"inServiceID":11,"natString":"sub,1",` +
		`"end_reason":3,"biflow_direction":1,"pf_ifname":"em0","pf_action":0,"pf_reason":0,"pf_dir":1,"pf_rule":5,"app_id":"13..1","in_payload":"GET /\r\n\u001b[2J","label":"dmz"}` + "\n" +
		`{"cnt":2,"type":"FLOW","proto":17}` + "\n"
	if got != want {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Errorf("at %d:\ngot  …%.200s\nwant …%.200s", i, got[max(0, i-40):], want[max(0, i-40):])
	}
}

func TestJSONShape(t *testing.T) {
	if got := whole(t, "json", Options{}, &flow.Batch{}); got != "[\n]\n" {
		t.Errorf("empty array is %q", got)
	}
	got := whole(t, "json", Options{}, batch(t, []value{{4, 6}}, []value{{7, 1}}))
	want := "[\n{\n\t\"cnt\" : 1,\n\t\"type\" : \"FLOW\",\n\t\"proto\" : 6\n},\n{\n\t\"cnt\" : 2,\n\t\"type\" : \"FLOW\",\n\t\"src_port\" : 1\n}\n]\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A user name must not be able to add a key.
func TestJSONEscapes(t *testing.T) {
	for _, name := range []string{`a"b\c` + "\n", "x\",\"proto\":\"y", "\x00\x1f\x7f\u2028é\U0001f600", "", "tab\t"} {
		o := objects(t, batch(t, []value{{371, name}}))
		if len(o) != 1 || len(o[0]) != 3 || o[0]["user_name"] != name {
			t.Errorf("%q came back as %q", name, o)
		}
	}
	if o := objects(t, batch(t, []value{{371, "a\xffb"}})); o[0]["user_name"] != "a\ufffdb" {
		t.Errorf("invalid UTF-8 came back as %q", o)
	}
}

// What has no key of its own appears under the name of its element.
func TestJSONLooseColumns(t *testing.T) {
	o := objects(t, batch(t,
		[]value{{2, 5}, {86, 9}, {12345<<16 | 7, "\x01\xff"}, {8, "@10.0.0.1"}, {8, "@10.0.0.2"}, {276, 1}},
		[]value{{86, 11}, {27, "@2001:db8::1"}},
		[]value{{8, "@10.0.0.3"}, {8, "@10.0.0.4"}, {8, "@10.0.0.5"}, {10, 1}, {10, 2}}))
	for i, want := range []map[string]any{
		{"in_packets": 5.0, "packetTotalCount": 9.0, "12345/7": "01ff", "src4_addr": "10.0.0.1", "sourceIPv4Address_2": "10.0.0.2", "dataRecordsReliability": true},
		{"in_packets": 11.0, "packetTotalCount": 11.0, "src6_addr": "2001:db8::1"},
		{"src4_addr": "10.0.0.3", "sourceIPv4Address_2": "10.0.0.4", "sourceIPv4Address_3": "10.0.0.5", "input_snmp": 1.0, "ingressInterface_2": 2.0},
	} {
		want["cnt"], want["type"] = float64(i+1), "FLOW"
		if fmt.Sprint(o[i]) != fmt.Sprint(want) {
			t.Errorf("object %d\ngot  %v\nwant %v", i+1, o[i], want)
		}
	}
}

func TestJSONEvent(t *testing.T) {
	o := objects(t, batch(t, []value{{ie.RecordFlags, 3}}, []value{{ie.RecordFlags, 0}}, []value{{4, 6}}))
	for i, want := range []string{"map[cnt:1 sampled:1 type:EVENT]", "map[cnt:2 sampled:0 type:FLOW]", "map[cnt:3 proto:6 type:FLOW]"} {
		if got := fmt.Sprint(o[i]); got != want {
			t.Errorf("got %s want %s", got, want)
		}
	}
}

// Values of JSON against those that went in.
func TestJSONValues(t *testing.T) {
	records := randomRecords(60)
	zone := time.FixedZone("", -12600)
	p, err := New("ndjson", Options{Location: zone})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Batch(nil, batchOf(t, records), 100)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	for i, r := range records {
		var o map[string]any
		if err := d.Decode(&o); err != nil {
			t.Fatal(err)
		}
		first, err := time.Parse(time.RFC3339Nano, o["first"].(string))
		if err != nil || first.UnixMilli() != int64(r.first) || !strings.HasSuffix(o["first"].(string), "-03:30") {
			t.Errorf("record %d: first %v, %v", i, o["first"], err)
		}
		want := map[string]any{"cnt": 101 + i, "in_packets": r.packets, "in_bytes": r.bytes, "proto": r.proto, "tcp_flags": string(flagWords[r.flags][:])}
		family := "4"
		if r.src.Is6() {
			family = "6"
		}
		want["src"+family+"_addr"] = r.src
		want["dst"+family+"_addr"] = r.dst
		if r.counts {
			want["aggr_flows"], want["out_bytes"] = r.flows, r.oBytes
		}
		if r.misc && r.srcMask > 0 {
			want["src_net"] = must(r.src.Prefix(int(r.srcMask))).Addr()
		}
		for k, v := range want {
			if fmt.Sprint(o[k]) != fmt.Sprint(v) {
				t.Errorf("record %d: %s is %v, want %v", i, k, o[k], v)
			}
		}
		for k, has := range map[string]bool{"aggr_flows": r.counts, "src_mask": r.misc, "user_name": r.user != "", "mpls_3": r.labels, "src_port": !isICMP(uint64(r.proto))} {
			if _, is := o[k]; is != has {
				t.Errorf("record %d: %s present %v, want %v", i, k, is, has)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
