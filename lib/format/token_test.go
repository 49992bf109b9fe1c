package format

import (
	"strings"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// value is one element of a test record.
type value struct {
	id ie.ID
	v  any // uint64, int, string (octets), or an address as text with the prefix "@"
}

func batch(t testing.TB, records ...[]value) *flow.Batch {
	b := flow.NewBuilder()
	for _, r := range records {
		var p putter
		for _, v := range r {
			switch x := v.v.(type) {
			case int:
				p.num(v.id, uint64(x))
			case uint64:
				p.num(v.id, x)
			case string:
				if a, ok := strings.CutPrefix(x, "@"); ok {
					p.addr(v.id, v.id, addrOf(t, a))
				} else {
					p.text(v.id, x)
				}
			}
		}
		p.build(t, b)
	}
	return encoded(b.Batch())
}

const start = uint64(1700000000123456789)

// wholeRecord has one value for each token; what nfdump 1.7.8 prints for it is in tokenTable.
func wholeRecord() []value {
	r := []value{{156, start}, {157, start + 65333*1e6}, {258, start + 70666*1e6}, {8, "@10.1.2.3"}, {12, "@192.168.10.20"}, {7, 51234}, {11, 443},
		{4, 6}, {6, 0x1b}, {5, 16}, {55, 8}, {89, 64}, {2, 1234567}, {1, uint64(2345678901)}, {24, 77}, {23, 8888}, {3, 3},
		{10, 11}, {14, 22}, {9, 24}, {13, 16}, {61, 1}, {239, 1}, {136, 3}, {58, 100}, {59, 200}, {16, 64512}, {17, 65001}, {128, 100}, {129, 200},
		{15, "@192.0.2.10"}, {18, "@192.0.2.9"}, {130, "@192.0.2.12"}, {56, 0x1122334401}, {57, 0x1122334402}, {80, 0x1122334403}, {81, 0x1122334404},
		{ie.ClientLatency, 1500}, {ie.ServerLatency, 2500}, {ie.AppLatency, 3500}, {323, uint64(1700000000999)}, {233, 2}, {33002, 2030}, {148, 4242},
		{225, "@203.0.113.1"}, {226, "@198.51.100.7"}, {227, 5000}, {228, 6000}, {371, "alice"}, {361, 1024}, {362, 2047}, {363, 2}, {364, 512},
		{33000, "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03"}, {33001, "\x00\x00\x00\x04\x00\x00\x00\x05\x00\x00\x00\x06"},
		{95, "\x0d\x00\x00\x01"}, {149, 99}, {138, 1234}, {234, 7}, {235, 8}, {38, 1}, {39, 7}, {ie.ExporterID, 3}, {ie.ExportVersion, 10},
		{ie.Ident, "pyid"}, {52, 60}, {53, 64}, {197, 0x40}, {256, 0x800}, {230, 1}, {ie.Label, "dmz"},
		{ie.PfInterface, "em0"}, {ie.PfAction, 0}, {ie.PfReason, 0}, {ie.PfDirection, 1}, {ie.PfRule, 5}, {6871<<16 | 18, "GET /\r\n\x1b[2J"}, {637<<16 | 91, 11}, {637<<16 | 93, "sub,1"}}
	for i := range 10 {
		l := (1000+i)<<4 | i%8<<1 | i/9
		r = append(r, value{ie.ID(70 + i), string([]byte{byte(l >> 16), byte(l >> 8), byte(l)})})
	}
	r[40] = value{325, start/1e9*1e9 + 999*1e6}
	return r
}

// tokenTable: token, text of wholeRecord, text of a record without anything, CSV of the first
// ("-": not in CSV).
var tokenTable = [][4]string{
	{"ts", "2023-11-14 22:13:20.123", "1970-01-01 00:00:00.000", "2023-11-14 22:13:20.123"},
	{"tfs", "2023-11-14 22:13:20.123", "1970-01-01 00:00:00.000", "2023-11-14 22:13:20.123"},
	{"te", "2023-11-14 22:14:25.456", "1970-01-01 00:00:00.000", "2023-11-14 22:14:25.456"},
	{"tr", "2023-11-14 22:14:30.789", "1970-01-01 00:00:00.000", "2023-11-14 22:14:30.789"},
	{"tsr", "1700000000.123", "0.000", "1700000000.123"},
	{"ter", "1700000065.456", "0.000", "1700000065.456"},
	{"trr", "1700000070.789", "0.000", "1700000070.789"},
	{"tsg", "2023-11-14 22:13:20.123", "1970-01-01 00:00:00.000", "2023-11-14 22:13:20.123"},
	{"teg", "2023-11-14 22:14:25.456", "1970-01-01 00:00:00.000", "2023-11-14 22:14:25.456"},
	{"trg", "2023-11-14 22:14:30.789", "1970-01-01 00:00:00.000", "2023-11-14 22:14:30.789"},
	{"td", "    00:01:05.333", "    00:00:00.000", "65.333"},
	{"tds", "          65.333", "           0.000", "65.333"},
	{"pkt", "   1.2 M", "       0", "1234567"},
	{"ipkt", "   1.2 M", "       0", "1234567"},
	{"byt", "   2.3 G", "       0", "2345678901"},
	{"ibyt", "   2.3 G", "       0", "2345678901"},
	{"opkt", "      77", "       0", "77"},
	{"obyt", "    8888", "       0", "8888"},
	{"fl", "    3", "    1", "3"},
	{"sp", " 51234", "     0", "51234"},
	{"dp", "   443", "     0", "443"},
	{"it", "     0", "     0", ""},
	{"ic", "     0", "     0", ""},
	{"pr", "TCP  ", "0    ", "6"},
	{"flg", "...AP.SF", "........", "...AP.SF"},
	{"fwd", " 64", "  0", "64"},
	{"tos", "  16", "   0", "16"},
	{"stos", "  16", "   0", "16"},
	{"dtos", "   8", "   0", "8"},
	{"bps", " 287.2 M", "       0", "287227453"},
	{"pps", "   18896", "       0", "18896"},
	{"bpp", "  1900", "     0", "1900"},
	{"sa", "        10.1.2.3", "         0.0.0.0", "10.1.2.3"},
	{"da", "   192.168.10.20", "         0.0.0.0", "192.168.10.20"},
	{"sap", "        10.1.2.3:51234", "         0.0.0.0:0    ", "-"},
	{"dap", "   192.168.10.20:443  ", "         0.0.0.0:0    ", "-"},
	{"gsa", "        10.1.2.3(..)", "         0.0.0.0(..)", "-"},
	{"gda", "   192.168.10.20(..)", "         0.0.0.0(..)", "-"},
	{"gsap", "        10.1.2.3(..):51234", "         0.0.0.0(..):0    ", "-"},
	{"gdap", "   192.168.10.20(..):443  ", "         0.0.0.0(..):0    ", "-"},
	{"gra", "      192.0.2.12(..)", "         0.0.0.0(..)", "-"},
	{"in", "    11", "     0", "11"},
	{"out", "    22", "     0", "22"},
	{"smk", "   24", "    0", "24"},
	{"dmk", "   16", "    0", "16"},
	{"sn", "        10.1.2.0/24", "         0.0.0.0/0 ", "10.1.2.0/24"},
	{"dn", "     192.168.0.0/16", "         0.0.0.0/0 ", "192.168.0.0/16"},
	{"dir", "  E", "  I", "E"},
	{"bfd", "  1", "  0", "1"},
	{"end", "  3", "  0", "3"},
	{"svln", "  100", "    0", "100"},
	{"dvln", "  200", "    0", "200"},
	{"sas", " 64512", "     0", "64512"},
	{"das", " 65001", "     0", "65001"},
	{"nas", "    100", "      0", "100"},
	{"pas", "    200", "      0", "200"},
	{"sasn", "            none", "            none", ""},
	{"nh", "      192.0.2.10", "         0.0.0.0", "192.0.2.10"},
	{"nhb", "       192.0.2.9", "         0.0.0.0", "192.0.2.9"},
	{"ra", "      192.0.2.12", "         0.0.0.0", "192.0.2.12"},
	{"mpls1", "    1000-0-0", "       0-0-0", "1000-0-0"},
	{"mpls10", "    1009-1-1", "       0-0-0", "1009-1-1"},
	{"mpls", "    1000-0-0     1001-1-0     1002-2-0     1003-3-0     1004-4-0     1005-5-0     1006-6-0     1007-7-0     1008-0-0     1009-1-1 ",
		strings.Repeat("       0-0-0 ", 10), "1000-0-0 1001-1-0 1002-2-0 1003-3-0 1004-4-0 1005-5-0 1006-6-0 1007-7-0 1008-0-0 1009-1-1"},
	{"ismc", "00:11:22:33:44:01", "00:00:00:00:00:00", "00:11:22:33:44:01"},
	{"odmc", "00:11:22:33:44:02", "00:00:00:00:00:00", "00:11:22:33:44:02"},
	{"idmc", "00:11:22:33:44:03", "00:00:00:00:00:00", "00:11:22:33:44:03"},
	{"osmc", "00:11:22:33:44:04", "00:00:00:00:00:00", "00:11:22:33:44:04"},
	{"cl", "    1.500", "    0.000", "1.500"},
	{"sl", "    2.500", "    0.000", "2.500"},
	{"al", "    3.500", "    0.000", "3.500"},
	{"nfv", "Nv10", "Nv0 ", "10"},
	{"cnt", "    1", "    2", "1"},
	{"idt", "pyid        ", "            ", "pyid"},
	{"eng", "  1/7  ", "  0/0  ", "1/7"},
	{"exp", "     3", "     0", "3"},
	{"tevt", "2023-11-14 22:13:20.999", "1970-01-01 00:00:00.000", "2023-11-14 22:13:20.999"},
	{"msec", "1700000000999", "            0", "1700000000999"},
	{"evt", "  DELETE", " INVALID", "DELETE"},
	{"nevt", "    ADD", "INVALID", "ADD"},
	{"xevt", "   2030", " Ignore", "2030"},
	{"nfc", "      4242", "         0", "4242"},
	{"xsa", "     203.0.113.1", "         0.0.0.0", "203.0.113.1"},
	{"nsa", "     203.0.113.1", "         0.0.0.0", "203.0.113.1"},
	{"xda", "    198.51.100.7", "         0.0.0.0", "198.51.100.7"},
	{"xsp", "  5000", "     0", "5000"},
	{"xdp", "  6000", "     0", "6000"},
	{"xsap", "     203.0.113.1:5000 ", "         0.0.0.0:0    ", "-"},
	{"xdap", "    198.51.100.7:6000 ", "         0.0.0.0:0    ", "-"},
	{"iacl", "0x1        0x2        0x3       ", "0x0        0x0        0x0       ", "0x1/0x2/0x3"},
	{"eacl", "         4          5          6", "         0          0          0", "0x4/0x5/0x6"},
	{"uname", "alice", "<empty>", "alice"},
	{"pbstart", "   1024", "      0", "1024"},
	{"pbend", "   2047", "      0", "2047"},
	{"pbstep", "      2", "      0", "2"},
	{"pbsize", "    512", "      0", "512"},
	{"nbid", "13..1", " 0..0", "13..1"},
	{"nbnam", "<no info>", "<no info>", ""},
	{"ipl", `GET /\r\n\x1b[2J`, "", "-"},
	{"odid", "0x000000063", "0x000000000", "0x63"},
	{"opid", "0x00000004d2", "0x0000000000", "0x4d2"},
	{"ivrf", "         7", "         0", "7"},
	{"evrf", "         8", "         0", "8"},
	{"ivrfnam", "", "", ""},
	{"pfifn", "      em0", "         ", "em0"},
	{"pfact", "  pass", "  pass", "pass"},
	{"pfrea", " match", " match", "match"},
	{"pfdir", " in", "inout", "in"},
	{"pfrule", "    5", "    0", "5"},
	{"flid", "0x00000000001092", "0x00000000000000", "0x1092"},
	{"isid", "   11", "    0", "11"},
	{"nats", "sub,1     ", "          ", `"sub,1"`},
	{"ja3", "                          no ja3", "                          no ja3", ""},
	{"sc", "..", "..", ""},
	{"sloc", "<no location info>", "<no location info>", ""},
	{"lbl", "             dmz", "          <none>", "dmz"},
	{"ttl", "   60    64", "    0     0", "-"},
	{"minttl", "    60", "     0", "60"},
	{"maxttl", "    64", "     0", "64"},
	{"frag", "DF--", "----", "DF--"},
	{"eth", "0x0800", "0x0000", "0x800"},
	{"{octetDeltaCount}", "          2.3 G", "              0", "2345678901"},
	{"{srcip}", "        10.1.2.3", "         0.0.0.0", "10.1.2.3"},
	{"{637/92}", "     0", "     0", ""},
}

func TestTokens(t *testing.T) {
	b := batch(t, wholeRecord(), []value{{60, 4}})
	covered := map[string]bool{}
	for _, c := range tokenTable {
		covered[c[0]] = true
		got := strings.Split(whole(t, "fmt:[%"+c[0]+"]", Options{Quiet: true}, b), "\n")
		if want := "[" + c[1] + "]"; got[0] != want {
			t.Errorf("%%%s: got  %q\nwant %q", c[0], got[0], want)
		}
		if want := "[" + c[2] + "]"; got[1] != want {
			t.Errorf("%%%s absent: got  %q\nwant %q", c[0], got[1], want)
		}
		p, err := New("csv:%"+c[0], Options{Quiet: true})
		if c[3] == "-" {
			if err == nil {
				t.Errorf("csv:%%%s: no error", c[0])
			}
			continue
		} else if err != nil {
			t.Errorf("csv:%%%s: %v", c[0], err)
			continue
		}
		out, err := p.Batch(nil, b, 0)
		if err != nil {
			t.Fatal(err)
		}
		row := strings.Split(string(out), "\n")
		if row[0] != c[3] {
			t.Errorf("csv:%%%s: got %q want %q", c[0], row[0], c[3])
		}
		absent := ""
		switch c[0] {
		case "fl":
			absent = "1" // a record without a count is one flow
		case "cnt":
			absent = "2"
		}
		if row[1] != absent {
			t.Errorf("csv:%%%s absent: got %q want %q", c[0], row[1], absent)
		}
	}
	fields := ie.Fields()
	for i := range fields {
		if tok := fields[i].Token; tok != "" {
			if _, err := New("fmt:%"+tok, Options{}); err != nil {
				t.Errorf("%%%s: %v", tok, err)
			}
			if out := whole(t, "fmt:%"+tok, Options{Quiet: true}, b); !strings.HasSuffix(out, "\n") {
				t.Errorf("%%%s: %q", tok, out)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range [][2]string{
		{"line", "Date first seen         Duration         Proto      Src IP Addr:Port          Dst IP Addr:Port   Packets    Bytes Flows\n"},
		{"long", "Date first seen         Duration         Proto      Src IP Addr:Port          Dst IP Addr:Port     Flags  Tos  Packets    Bytes Flows\n"},
		{"extended", "Date first seen         Duration         Proto      Src IP Addr:Port          Dst IP Addr:Port     Flags  Tos  Packets    Bytes      pps      bps    Bpp Flows\n"},
		{"biline", "Date first seen         Duration         Proto      Src IP Addr:Port           Dst IP Addr:Port   Out Pkt   In Pkt Out Byte  In Byte Flows\n"},
		{"line6", "Date first seen         Duration         Proto                             Src IP Addr:Port                                 Dst IP Addr:Port   Packets    Bytes Flows\n"},
		{"fmt:[%pr] é %byt%%%n%fl", " Proto       Bytes \nFlows\n"},
		{"csv", "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n"},
		{"csv:%ts, %mpls1", "firstSeen,mplsLabel1\n"},
		{"json", "["}, {"ndjson", ""}, {"null", ""},
	} {
		p, err := New(c[0], Options{})
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		var s strings.Builder
		if err := p.Header(&s); err != nil || s.String() != c[1] {
			t.Errorf("%s: %v, header\n%q, want\n%q", c[0], err, s.String(), c[1])
		}
		quiet, err := New(c[0], Options{Quiet: true})
		if err != nil {
			t.Fatal(err)
		}
		s.Reset()
		if quiet.Header(&s); s.Len() > 0 && c[0] != "json" {
			t.Errorf("%s: header %q in quiet mode", c[0], s.String())
		}
	}
}

func TestModeErrors(t *testing.T) {
	for _, c := range [][2]string{
		{"lime", "unknown output mode"},
		{"raw", "not supported"},
		{"fmt:%ts %srcip", "srcip is %sa"},
		{"fmt:%sax", "%sa"},
		{"fmt:%pkts", "packets is %pkt"},
		{"fmt:%{nothing at all}", "no field"},
		{"fmt:%{srcip", "without }"},
		{"fmt:%ts %", "position 5"},
		{"csv:%ts;%te", "not \";\""},
		{"csv:%sap", "not available in CSV"},
		{"csv:", "without a token"},
		{"fmt:" + strings.Repeat("%ts", 2000), "more than"},
	} {
		_, err := New(c[0], Options{})
		if err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%.40s: %v, want %q", c[0], err, c[1])
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range [][3]string{
		{"10.1.2.3", "        10.1.2.3:80   ", "                               10.1.2.3:80   "},
		{"255.255.255.255", " 255.255.255.255:80   ", "                        255.255.255.255:80   "},
		{"::1", "             ::1.80   ", "                                    ::1.80   "},
		{"::ffff:1.2.3.4", "  ::ffff:1.2.3.4.80   ", "                         ::ffff:1.2.3.4.80   "},
		{"2001:620:0:ff::5c", "2001:62..:ff::5c.80   ", "                      2001:620:0:ff::5c.80   "},
		{"2001:db8:1::2:345", "2001:db..::2:345.80   ", "                      2001:db8:1::2:345.80   "},
		{"2001:db8:1::2:34", "2001:db8:1::2:34.80   ", "                       2001:db8:1::2:34.80   "},
		{"1111:2222:3333:4444:5555:6666:7777:8888", "1111:22..77:8888.80   ", "1111:2222:3333:4444:5555:6666:7777:8888.80   "},
	} {
		id := ie.ID(8)
		if strings.Contains(c[0], ":") {
			id = 27
		}
		b := batch(t, []value{{id, "@" + c[0]}, {7, 80}})
		if got := whole(t, "fmt:%sap", Options{Quiet: true}, b); got != c[1]+"\n" {
			t.Errorf("%s: got %q want %q", c[0], got, c[1])
		}
		if got := whole(t, "fmt:%sap", Options{Quiet: true, Full: true}, b); got != c[2]+"\n" {
			t.Errorf("%s, full: got %q want %q", c[0], got, c[2])
		}
	}
}

func TestICMP(t *testing.T) {
	for _, c := range []struct {
		record []value
		dap    string
		dp     string
		csv    string
	}{
		{[]value{{4, 1}, {32, 0x0800}}, "         0.0.0.0:8.0  ", "   8.0", "8.0"},
		{[]value{{4, 58}, {139, 0x8802}}, "         0.0.0.0:136.2", " 136.2", "136.2"},
		{[]value{{4, 1}, {176, 3}, {177, 13}}, "         0.0.0.0:3.13 ", "  3.13", "3.13"},
		{[]value{{4, 58}, {178, 128}}, "         0.0.0.0:128.0", " 128.0", "128.0"},
		{[]value{{4, 1}, {11, 0x0301}}, "         0.0.0.0:3.1  ", "   3.1", "3.1"}, // in the port, as NetFlow v5 has it
		{[]value{{4, 1}}, "         0.0.0.0:0.0  ", "   0.0", ""},
		{[]value{{4, 17}, {32, 0x0800}, {11, 53}}, "         0.0.0.0:53   ", "    53", "53"},
		{[]value{{32, 0x0800}, {11, 53}}, "         0.0.0.0:53   ", "    53", "53"},
	} {
		b := batch(t, c.record, []value{{4, 6}, {7, 1}, {11, 65535}})
		if got := whole(t, "fmt:%dap|%dp", Options{Quiet: true}, b); got != c.dap+"|"+c.dp+"\n         0.0.0.0:65535| 65535\n" {
			t.Errorf("%v: got %q want %q|%q", c.record, got, c.dap, c.dp)
		}
		if got := whole(t, "csv:%dp", Options{Quiet: true}, b); got != c.csv+"\n65535\n" {
			t.Errorf("%v: CSV got %q want %q", c.record, got, c.csv)
		}
	}
}

func TestScaledNumbers(t *testing.T) {
	for _, c := range []struct {
		x    uint64
		want string
	}{
		{0, "       0"}, {9, "       9"}, {10, "      10"}, {999999, "  999999"}, {1e6, "   1.0 M"}, {1049999, "   1.0 M"}, {1050000, "   1.1 M"},
		{9950000, "   9.9 M"}, {999949999, " 999.9 M"}, {999950000, "1000.0 M"}, {999999999, "1000.0 M"}, {1e9, "   1.0 G"}, {1e12, "   1.0 T"},
		{2500000000000000, "2500.0 T"}, {18446744073709551615, "18446744.1 T"},
	} {
		if got := string(appendScaled(nil, c.x, 8)); got != c.want {
			t.Errorf("%d: got %q want %q", c.x, got, c.want)
		}
	}
}

func TestDurations(t *testing.T) {
	for _, c := range []struct {
		ns   uint64
		want string
	}{
		{0, "    00:00:00.000"}, {999999, "    00:00:00.000"}, {1e6, "    00:00:00.001"}, {86399999 * 1e6, "    23:59:59.999"}, {86400000 * 1e6, " 1d 00:00:00.000"},
		{100*86400000*1e6 + 3661001*1e6, "100d 01:01:01.001"}, {18446744073709551615, "213503d 23:34:33.709"},
	} {
		if got := string(appendDuration(nil, c.ns)); got != c.want {
			t.Errorf("%d: got %q want %q", c.ns, got, c.want)
		}
	}
}

// Every minute for two days around the changes of the clock, against package time.
func TestClockAgrees(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Monrovia"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Skipf("no time zone data for %s", zone)
		}
		c := newClock(loc)
		for _, day := range []int64{0, 1679702400, 1698451200, 63590400, 4102444800} {
			for s := day; s < day+2*86400; s += 61 {
				ns := uint64(s)*1e9 + 123456789
				at := time.Unix(0, int64(ns)).In(loc)
				if got, want := string(c.appendMilli(nil, ns)), at.Format("2006-01-02 15:04:05.000"); got != want {
					t.Fatalf("%s %d: got %q want %q", zone, s, got, want)
				}
				if got, want := string(c.appendISO(nil, ns)), at.Format("2006-01-02T15:04:05.000000000-07:00"); got != want {
					t.Fatalf("%s %d: got %q want %q", zone, s, got, want)
				}
			}
		}
	}
}

func TestSelectionAndCount(t *testing.T) {
	b := batch(t, []value{{7, 1}}, []value{{7, 2}}, []value{{7, 3}}, []value{{8, "@10.0.0.1"}})
	b.Sel = flow.NewBitmap(4)
	b.Sel.Set(1)
	b.Sel.Set(3)
	p, err := New("csv:%cnt,%sp", Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Batch([]byte("x\n"), b, 10)
	if err != nil || string(got) != "x\n11,2\n12,\n" {
		t.Errorf("%v, %q", err, got)
	}
}

func TestSamplingAndPlain(t *testing.T) {
	r := []value{{2, 10}, {1, 3000000}, {ie.SamplingInterval, 1}, {ie.SamplingSpace, 99}, {156, start}, {157, start + 1e9}}
	b := batch(t, r, []value{{2, 7}, {4, 17}})
	const mode = "fmt:%pkt %byt %bps %bpp %pr"
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "    1000  300.0 M    2.4 G 300000 0    \n       7        0        0      0 UDP  \n"},
		{Options{Raw: true}, "      10    3.0 M   24.0 M 300000 0    \n       7        0        0      0 UDP  \n"},
		{Options{Plain: true}, "    1000 300000000 2400000000 300000 0    \n       7        0        0      0 17   \n"},
	} {
		c.o.Quiet = true
		if got := whole(t, mode, c.o, b); got != c.want {
			t.Errorf("%+v: got\n%q want\n%q", c.o, got, c.want)
		}
	}
}

func TestCSVQuoting(t *testing.T) {
	b := batch(t, []value{{371, `a"b,c`}}, []value{{371, "line\nbreak"}}, []value{{371, "plain"}}, []value{{371, ""}})
	want := "\"a\"\"b,c\"\n\"line\nbreak\"\nplain\n\n"
	if got := whole(t, "csv:%uname", Options{Quiet: true}, b); got != want {
		t.Errorf("got %q want %q", got, want)
	}
	if got := whole(t, "fmt:%uname", Options{Quiet: true}, b); got != "a\"b,c\nline\\nbreak\nplain\n\n" {
		t.Errorf("text: %q", got)
	}
}

func TestImages(t *testing.T) {
	signedID, ok := ie.ByName("mibObjectValueInteger")
	if !ok {
		t.Fatal("no mibObjectValueInteger")
	}
	b := batch(t, []value{{signedID.ID, column.FromSigned(-5)}, {ie.Mean, column.FromFloat(-2.5)}}, []value{{1, 1}})
	if got := whole(t, "csv:%{mibObjectValueInteger},%{mean}", Options{Quiet: true}, b); got != "-5,-2.5\n,\n" {
		t.Errorf("CSV %q", got)
	}
	if got := whole(t, "fmt:%{mibObjectValueInteger}|%{mean}", Options{Quiet: true}, b); got != "                   -5|    -2.5\n                    0|       0\n" {
		t.Errorf("text %q", got)
	}
}

func TestFixedModes(t *testing.T) {
	b := batch(t, wholeRecord(), []value{{27, "@2001:db8::1"}, {28, "@2001:db8::2"}, {4, 58}, {139, 0x8000}, {1, 80}, {2, 1}})
	for _, c := range [][2]string{
		{"csv-fast", "cnt,af,firstSeen,lastSeen,proto,srcAddr,srcPort,dstAddr,dstPort,srcAS,dstAS,input,output,flags,srcTos,packets,bytes\n" +
			"1,2,1700000000123,1700000065456,6,10.1.2.3,51234,192.168.10.20,443,64512,65001,11,22,...AP.SF,16,1234567,2345678901\n" +
			"2,10,,,58,2001:db8::1,,2001:db8::2,128.0,,,,,,,1,80\n"},
		{"csv", "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n" +
			"2023-11-14 22:13:20.123,65.333,6,10.1.2.3,51234,192.168.10.20,443,1234567,2345678901,3\n" +
			",,58,2001:db8::1,,2001:db8::2,128.0,1,80,1\n"},
		{"nat", "Date first seen          Event Proto      Src IP Addr:Port          Dst IP Addr:Port     X-Src IP Addr:Port        X-Dst IP Addr:Port \n" +
			"2023-11-14 22:13:20.123     ADD TCP           10.1.2.3:51234 ->    192.168.10.20:443        203.0.113.1:5000  ->     198.51.100.7:6000 \n" +
			"1970-01-01 00:00:00.000 INVALID ICMP6      2001:db8::1.0     ->      2001:db8::2.128.0          0.0.0.0:0     ->          0.0.0.0:0    \n"},
		{"null", ""},
	} {
		if got := whole(t, c[0], Options{}, b); got != c[1] {
			t.Errorf("%s: got\n%s\nwant\n%s", c[0], got, c[1])
		}
	}
}

// Aggregated by addresses alone, protocol and ports print as zeros, as nfdump 1.7.1 has it.
func TestLineOfAggregate(t *testing.T) {
	b := batch(t, []value{{156, start}, {157, start + 65333*1e6}, {8, "@10.1.2.3"}, {12, "@192.168.10.20"}, {2, 1234567}, {1, uint64(2345678901)}, {3, 3}})
	want := "2023-11-14 22:13:20.123     00:01:05.333 0             10.1.2.3:0     ->    192.168.10.20:0        1.2 M    2.3 G     3\n"
	if got := whole(t, "line", Options{Quiet: true}, b); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A file may claim any kind for any element.
func TestWrongKind(t *testing.T) {
	for _, v := range []*column.Vec{
		{Kind: column.Int, N: 1, Ints: []uint64{1}},
		{Kind: column.Addr, Form: column.Const, N: 1, V4: []uint32{1}},
		{Kind: column.Bytes, Form: column.Const, N: 1, Off: []uint32{0, 1}, Data: []byte("x")},
	} {
		for _, id := range []ie.ID{8, 4, 371, 70, 157, 12345<<16 | 6} {
			b := batch(t, []value{{136, 1}})
			b.Shapes = []flow.Shape{flow.ShapeOf(id)}
			b.Cols[0].Key.ID = id
			b.Cols[0].SetVec(v)
			if err := b.Link(); err != nil {
				t.Fatal(err)
			}
			for _, mode := range []string{"ndjson", everyToken("fmt:"), everyToken("csv:"), "fmt:%{12345/6}"} {
				p, err := New(mode, Options{})
				if err != nil {
					t.Fatal(err)
				}
				_, err = p.Batch(nil, b, 0)
				if right := flow.KindOf(id) == v.Kind; right && err != nil || !right && err == nil && mode == "ndjson" {
					t.Errorf("%s as %s in %.20s: %v", id, v.Kind, mode, err)
				}
			}
		}
	}
}

// Strings too long to keep their text print all the same.
func TestLongStrings(t *testing.T) {
	long := strings.Repeat("é\n", maxKept/2)
	b := batch(t, []value{{371, long}}, []value{{371, "short"}}, []value{{371, long}})
	text := strings.Repeat(`é\n`, maxKept/2) + "\n"
	if got := whole(t, "fmt:%uname", Options{Quiet: true}, b); got != text+"short\n"+text {
		t.Errorf("%d bytes, want %d", len(got), 2*len(text)+6)
	}
}
