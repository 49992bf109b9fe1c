package format

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// The two rows of the table in nfdump's documentation of -s.
func statRows() [][]value {
	first := uint64(1562841024337) * 1e6 // 2019-07-11 10:30:24.337
	second := uint64(1562841004439) * 1e6
	return [][]value{
		{{8, "@72.138.170.101"}, {156, first}, {157, first + 31951*1e6}, {3, 112}, {2, 2160}, {1, 44685184}, {24, 3248}, {23, 712906832}},
		{{8, "@172.16.2.66"}, {156, second}, {157, second + 4802*1e6}, {3, 3}, {2, 95}, {1, 100783361}},
	}
}

var statSums = Sums{Flows: 129, Packets: 2500, Bytes: 200000000, OutPackets: 3266, OutBytes: 794215000}

func statTable(t *testing.T, s Statistic, mode string, o Options, rows ...[]value) string {
	t.Helper()
	table, err := NewTable(s, mode, o)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	table.Header(&out)
	b, err := table.Batch(nil, batch(t, rows...), 0, statSums)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	table.Footer(&out)
	return out.String()
}

func TestStatistic(t *testing.T) {
	key := named("srcip")
	for _, c := range []struct {
		s    Statistic
		mode string
		o    Options
		want string
	}{
		{Statistic{Key: key, Order: "bytes", Top: 2}, "line", Options{}, `Top 2 Src IP Addr ordered by bytes:
Date first seen             Duration     Proto       Src IP Addr    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp
2019-07-11 10:30:24.337     00:00:31.951 any      72.138.170.101      112(86.8)     5408(93.8)  757.6 M(76.2)      169  189.7 M 140087
2019-07-11 10:30:04.439     00:00:04.802 any         172.16.2.66        3( 2.3)       95( 1.6)  100.8 M(10.1)       19  167.9 M 1060877
`},
		{Statistic{Key: key, Order: "flows", Top: 2}, "line", Options{Plain: true, Quiet: true}, `2019-07-11 10:30:24.337           31.951 any      72.138.170.101      112(86.8)     2160(86.4) 44685184(22.3)       67 11188428 20687
2019-07-11 10:30:04.439            4.802 any         172.16.2.66        3( 2.3)       95( 3.8) 100783361(50.4)       19 167902309 1060877
`},
		{Statistic{Key: key, Order: "bytes"}, "csv", Options{}, `ts,te,td,pr,val,fl,flP,pkt,pktP,byt,bytP,pps,bps,bpp
2019-07-11 10:30:24,2019-07-11 10:30:56,31.951,any,72.138.170.101,112,86.8,5408,93.8,757592016,76.2,169,189688464,140087
2019-07-11 10:30:04,2019-07-11 10:30:09,4.802,any,172.16.2.66,3,2.3,95,1.6,100783361,10.1,19,167902309,1060877
`},
		{Statistic{Key: key, Order: "obytes"}, "csv", Options{}, `ts,te,td,pr,val,fl,flP,opkt,opktP,obyt,obytP,opps,obps,obpp
2019-07-11 10:30:24,2019-07-11 10:30:56,31.951,any,72.138.170.101,112,86.8,3248,99.4,712906832,89.8,101,178500036,219491
2019-07-11 10:30:04,2019-07-11 10:30:09,4.802,any,172.16.2.66,3,2.3,0,0.0,0,0.0,0,0,0
`},
		{Statistic{Key: key, Order: "flows"}, "ndjson", Options{}, `{ "first" : "2019-07-11T10:30:24.337+00:00", "last" : "2019-07-11T10:30:56.288+00:00", "proto" : 0, "srcip" : "72.138.170.101", "flows" : 112, "packets" : 2160, "bytes" : 44685184, "pps" : 67, "bps" : 11188428, "bpp" : 20687}
{ "first" : "2019-07-11T10:30:04.439+00:00", "last" : "2019-07-11T10:30:09.241+00:00", "proto" : 0, "srcip" : "172.16.2.66", "flows" : 3, "packets" : 95, "bytes" : 100783361, "pps" : 19, "bps" : 167902309, "bpp" : 1060877}
`},
	} {
		if got := statTable(t, c.s, c.mode, c.o, statRows()...); got != c.want {
			t.Errorf("%s by %s, %+v: got\n%s\nwant\n%s", c.mode, c.s.Order, c.o, got, c.want)
		}
	}
	var rows []map[string]any
	text := statTable(t, Statistic{Key: key}, "json", Options{}, statRows()...)
	if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) != 2 || rows[1]["srcip"] != "172.16.2.66" {
		t.Errorf("%v in\n%s", err, text)
	}
	if got := statTable(t, Statistic{Key: key}, "json", Options{}); got != "[\n]\n" {
		t.Errorf("empty array is %q", got)
	}
}

func TestStatisticValues(t *testing.T) {
	for _, c := range []struct {
		key   string
		split bool
		row   []value
		text  string // protocol and value
		csv   string
	}{
		{"proto", false, []value{{4, 6}}, "TCP                   6", "TCP,6"},
		{"srcip", true, []value{{4, 17}, {8, "@10.0.0.1"}}, "UDP            10.0.0.1", "UDP,10.0.0.1"},
		{"ip", false, []value{{27, "@2001:620:0:ff::5c"}}, "any    2001:62..:ff::5c", "any,2001:620:0:ff::5c"},
		{"srcip", false, []value{{27, "@::1"}}, "any                 ::1", "any,::1"},
		{"dstport", false, []value{{11, 443}}, "any                 443", "any,443"},
		{"port", false, []value{{7, 80}}, "any                  80", "any,80"},
		{"insrcmac", false, []value{{56, 0x1122334401}}, "any   00:11:22:33:44:01", "any,00:11:22:33:44:01"},
		{"mpls1", false, []value{{70, "\x00\x3e\x80"}}, "any            1000-0-0", "any,1000-0-0"},
		{"flags", false, []value{{6, 0x12}}, "any            ...A..S.", "any,...A..S."},
		{"dir", false, []value{{61, 1}}, "any                   E", "any,E"},
		{"username", false, []value{{371, "a,b"}}, "any                 a,b", `any,"a,b"`},
		{"srcas", false, []value{{4, 6}}, "any                   0", "any,"},
		{"srcip", false, []value{{4, 6}}, "any             0.0.0.0", "any,"},
	} {
		s := Statistic{Key: named(c.key), Order: "bytes", Split: c.split}
		want := "1970-01-01 00:00:00.000     00:00:00.000 " + c.text + "        1( 0.8)        0( 0.0)        0( 0.0)        0        0     0\n"
		if got := statTable(t, s, "line", Options{Quiet: true}, c.row); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.key, got, want)
		}
		want = "1970-01-01 00:00:00,1970-01-01 00:00:00,0.000," + c.csv + ",1,0.8,0,0.0,0,0.0,0,0,0\n"
		if got := statTable(t, s, "csv", Options{Quiet: true}, c.row); got != want {
			t.Errorf("%s: CSV got\n%s\nwant\n%s", c.key, got, want)
		}
		var o map[string]any
		if text := statTable(t, s, "ndjson", Options{}, c.row); json.Unmarshal([]byte(text), &o) != nil {
			t.Errorf("%s: %s", c.key, text)
		}
	}
	for _, key := range []string{"srcasn", "duration", "srcaddrport"} {
		if _, err := NewTable(Statistic{Key: named(key)}, "line", Options{}); err == nil {
			t.Errorf("statistic of %s: no error", key)
		}
	}
	if _, err := NewTable(Statistic{Key: named("srcip")}, "csv:%sa", Options{}); err == nil {
		t.Error("a statistic took tokens of CSV")
	}
}

func TestSummary(t *testing.T) {
	first := uint64(1795417037000) * 1e6 // 2026-11-23 06:57:17
	s := Summary{First: first, Last: first + 60e9, Processed: 13, Passed: 13, BytesRead: 1680,
		System: 3400 * time.Microsecond, Wall: 1077 * time.Microsecond, Runtime: 1100 * time.Microsecond}
	s.Totals = flow.Totals{Flows: [flow.Classes]uint64{10, 3}, Packets: [flow.Classes]uint64{4000000, 1000200}, Bytes: [flow.Classes]uint64{5999000000, 1000000}, First: first, Last: first + 60e9}
	want := `Summary: total flows: 13, total bytes: 6.0 G, total packets: 5.0 M, avg bps: 800.0 M, avg pps: 83336, avg bpp: 1199
Time window: 2026-11-23 06:57:17.000 - 2026-11-23 06:58:17.000, Duration:    00:01:00.000
Total records processed: 13, passed: 13, Blocks skipped: 0, Bytes read: 1680
Sys: 0.0034s User: 0.0000s Wall: 0.0011s flows/second: 12070.6 Runtime: 0.0011s
`
	var out strings.Builder
	if err := s.Write(&out, Options{}); err != nil || out.String() != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out.String(), want)
	}
	out.Reset()
	want = `Summary: total flows: 0, total bytes: 0, total packets: 0, avg bps: 0, avg pps: 0, avg bpp: 0
Time window: <unknown>
Total records processed: 0, passed: 0, Blocks skipped: 0, Bytes read: 0
`
	if err := new(Summary).Write(&out, Options{Plain: true}); err != nil || out.String() != want {
		t.Errorf("%v, empty: got\n%s\nwant\n%s", err, out.String(), want)
	}
}

func TestAggregated(t *testing.T) {
	for _, c := range [][2]string{
		{"srcip,dstip", "%sa %da"},
		{"srcip4,dstport", "%sa %dp"},
		{"proto,srcmask,srcnet,tos,next,insrcmac,mpls1,srcvlan,inif,odid", "%pr %smk %sn %tos %nh %ismc %mpls1 %svln %in %odid"},
		{"vxlan,physin", "%{vxlan} %{physin}"},
		{"label,bin", "%lbl %{bin}"},
	} {
		var keys []*ie.Field
		for _, k := range strings.Split(c[0], ",") {
			keys = append(keys, named(k))
		}
		mode := Aggregated(keys)
		if want := "fmt:%ts %td  " + c[1] + "  %pkt %byt %bps %bpp %fl"; mode != want {
			t.Errorf("%s: got %s want %s", c[0], mode, want)
		}
		for _, m := range []string{mode, AggregatedCSV(keys)} {
			if _, err := New(m, Options{}); err != nil {
				t.Errorf("%s: %v", m, err)
			}
		}
	}
	b := batch(t, []value{{156, uint64(1562841024337) * 1e6}, {157, uint64(1562841024337+31951) * 1e6}, {8, "@72.138.170.0"}, {11, 80}, {3, 112}, {2, 2160}, {1, 44685184}})
	got := whole(t, Aggregated([]*ie.Field{named("srcip4"), named("dstport")}), Options{}, b)
	want := `Date first seen         Duration               Src IP Addr Dst Pt   Packets    Bytes      bps    Bpp Flows
2019-07-11 10:30:24.337     00:00:31.951      72.138.170.0     80      2160   44.7 M   11.2 M  20687   112
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := Title(10, "", "bytes")+Title(0, "x", "flows"), "Top 10 flows ordered by bytes:\nx ordered by flows:\n"; got != want {
		t.Errorf("titles %q", got)
	}
}

// No row, no word: only text modes may say that nothing matched, and not among the data.
func TestNoMatch(t *testing.T) {
	for mode, want := range map[string]string{"line": "No matching flows", "fmt:%ts": "No matching flows", "csv": "", "csv:%ts": "", "json": "", "ndjson": "", "null": ""} {
		p, err := New(mode, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.NoMatch(); got != want {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
		if got, want := p.Summarised(), mode == "null" || want != ""; got != want {
			t.Errorf("%s: summary %v", mode, got)
		}
		q, _ := New(mode, Options{Quiet: true})
		if q.NoMatch() != "" || q.Summarised() {
			t.Errorf("%s -q: %q, summary %v", mode, q.NoMatch(), q.Summarised())
		}
	}
}
