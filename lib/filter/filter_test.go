package filter

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// batchOf makes a batch of records, a shape for each set of elements.
func batchOf(recs []record) *flow.Batch {
	b := flow.NewBuilder()
	for _, r := range recs {
		ids := slices.Sorted(maps.Keys(r))
		var vals []any
		for _, id := range ids {
			vals = append(vals, r[id])
		}
		put(b, ids, vals...)
	}
	return b.Batch()
}

// put adds a record with these elements in this order.
func put(b *flow.Builder, ids []ie.ID, vals ...any) {
	l, _ := b.Layout(flow.ShapeOf(ids...))
	l.Next()
	for i, v := range vals {
		switch v := v.(type) {
		case int:
			l.Cols[i].PutInt(uint64(v))
		case uint64:
			l.Cols[i].PutInt(v)
		case string:
			if a, err := netip.ParseAddr(v); err == nil && a.Is4() {
				l.Cols[i].Put4(uint32(v4Of(a)))
			} else if err == nil {
				p := a.As16()
				l.Cols[i].Put16(p[:])
			} else {
				l.Cols[i].PutBytes([]byte(v))
			}
		}
	}
}

// matches is the numbers of the records that match, "all" or "none".
func matches(t *testing.T, f *Filter, b *flow.Batch) string {
	t.Helper()
	dst := flow.NewBitmap(b.N)
	m, err := f.Eval(b, dst)
	if err != nil {
		t.Fatal(err)
	}
	if m != Some {
		return m.String()
	}
	return strings.Trim(fmt.Sprint(dst.Rows(nil)), "[]")
}

var testOptions = Options{
	Location: time.FixedZone("test", 3600),
	Resolve: func(host string) ([]netip.Addr, error) {
		if host != "www.example.net" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr("::ffff:10.1.1.5"), netip.MustParseAddr("2001:db8::1")}, nil
	},
	Includes: fstest.MapFS{
		"two":      {Data: []byte("proto tcp and port 80 # comment")},
		"either":   {Data: []byte("port 80\nor\nport 53\n")},
		"nets":     {Data: []byte("10.0.0.0/8 # ours\n, 2001:db8::/32\n@include more")},
		"more":     {Data: []byte("192.0.2.0/24\n\n")},
		"loop":     {Data: []byte("@include loop")},
		"twice":    {Data: []byte("@include twice2 or @include twice2")},
		"bad":      {Data: []byte("port 80 and\nprt 53")},
		"half":     {Data: []byte("port 80 and")},
		"dir/name": {Data: []byte("any")},
	},
}

// The records of TestMeaning.
var people = []record{
	0: {4: 6, 7: 1025, 11: 80, 6: 0x12, 8: "10.1.1.5", 12: "192.0.2.1", 1: 1000, 2: 10, 152: dayStart * int(1e9), 153: (dayStart*1000 + 5) * int(1e6)},
	1: {4: 17, 7: 53, 11: 5353, 8: "10.1.2.9", 12: "10.0.0.7", 1: 1499, 2: 1, 3: 4, 16: 64512, 17: 15169},
	2: {4: 6, 7: 443, 11: 1026, 6: 0x02, 27: "2001:db8::a00:1", 28: "2001:db8::2", 1: 2000, 2: 3, 16: 0, 17: 0, 371: "in"},
	3: {4: 1, 176: 8, 177: 0, 8: "0.0.0.0", 12: "172.31.0.1", 7: 0, 11: 0, 1: 84, 2: 1},
	4: {4: 6, 7: 2000, 11: 8080, 6: 0x1b, 27: "::ffff:10.1.1.5", 28: "::1", 1: 100, 2: 1, ie.SamplingInterval: 1, ie.SamplingSpace: 99},
	5: {4: 58, 139: 0x8000, 27: "fe80::1", 28: "ff02::1", 9: 0},
	6: {4: 132, 8: "10.1.1.4", 12: "172.16.9.1", 9: 24, 13: 12, 10: 5, 14: 7, 89: 66, 61: 1, 70: "\x00\x06\x41", 56: 0x020000000001, 33000: "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03"},
}

func TestMeaning(t *testing.T) {
	b := batchOf(people)
	for _, c := range []struct{ filter, want string }{
		{"", "all"}, {"any", "all"}, {"not any", "none"}, {" # nothing\n", "all"},
		// What nfdump gets wrong: host bits, overlaps, whole ranges, families.
		{"net 10.1.1.7/24", "0 6"},
		{"ip in [10.1.1.9/24]", "0 6"},
		{"ip in [10.1.1.5 10.0.0.0/8]", "0 1 6"},
		{"ip in [10.0.0.0/8 10.1.1.5]", "0 1 6"},
		{"ip in [0.0.0.0/0]", "0 1 3 6"},
		{"ip in [::/0]", "2 4 5"},
		{"ip in [10.0.0.0/24]", "1"},
		{"src ip 10.1.1.5", "0"},
		{"src ip ::ffff:10.1.1.5", "4"},
		{"net 10/8", "0 1 6"}, {"net 172.16/12", "3 6"}, {"net 10", "0 1 6"}, {"src net 10.1.1", "0 6"},
		{"net 10.1.0.0 255.255.0.0", "0 1 6"}, {"net 10.1.0.0 / 16", "0 1 6"}, {"net 10.1.1.5", "0"},
		{"ip in [10.1.1.4-10.1.2.0, 2001:db8::1-2001:db8::3]", "0 2 6"},
		{"src host www.example.net", "0"},
		{"src ip not in [10/8]", "2 3 4 5"},
		{"src or dst ip 10.0.0.7", "1"}, {"src and dst net 10/8", "1"}, {"dst and src net 10/8", "1"},
		// Flags.
		{"flags AS", "0 4"}, {"flags s", "0 2 4"}, {"flags =S", "2"}, {"flags = sa", "0"}, {"flags S and not flags A", "2"},
		{"flags S and not (flags A or flags F)", "2"}, {"flags S/SA", "2"}, {"flags 0x12", "0"}, {"flags > 0x12", "4"},
		{"flags != 2", "0 1 3 4 5 6"}, {"flags in [S SA]", "0 2"}, {"flags X", "none"},
		// Absence.
		{"flows 1", "0 2 3 4 5 6"}, {"flows < 5", "all"}, {"flows > 1", "1"}, {"not flows 1", "1"},
		{"src as 0", "2"}, {"src as < 5", "2"}, {"src as != 0", "0 1 3 4 5 6"}, {"not src as 0", "0 1 3 4 5 6"}, {"next as 0", "none"},
		{"defined src as", "1 2"}, {"not defined srcas", "0 3 4 5 6"}, {"defined port", "0 1 2 3 4"},
		{"src mask 0", "5"}, {"mask 24", "6"},
		// Ports and ICMP.
		{"port 80", "0"}, {"port 80-90", "0"}, {"port 80 - 90", "0"}, {"port>8000", "4"}, {"port in [53, 440-450 0x50]", "0 1 2"},
		{"port 8", "none"}, {"icmp-type 8", "3"}, {"icmp type 128", "5"}, {"icmp-code 0", "3 5"}, {"icmp-type != 8", "0 1 2 4 5 6"},
		{"src port in {443 2000}", "2 4"}, {"port in 80-90", "0"}, {"PORT EQ 80", "0"}, {"src and dst port > 1024", "4"},
		// Protocols are known by their whole name.
		{"tcp", "0 2 4"}, {"proto TCP", "0 2 4"}, {"proto in [udp, 132]", "1 6"}, {"udp or icmp", "1 3"}, {"not tcp && !udp", "3 5 6"},
		{"proto != tcp", "1 3 5 6"}, {"sctp", "6"}, {"proto > 17", "5 6"}, {"icmp6", "5"},
		// Counters scale.
		{"bytes > 9k", "4"}, {"bytes 1.499k", "1"}, {"in bytes 1000", "0"}, {"out bytes 0", "none"}, {"packets >= 10", "0 4"},
		{"octetDeltaCount = 10k", "4"}, {"bytes 1k-2k", "0 1 2"}, {"bpp 1499", "1"},
		{"bytes > 0 or duration > 0", "0 1 2 3 4"},
		// Times.
		{"duration 5", "0"}, {"duration 5ms", "0"}, {"duration < 1s", "0"}, {"duration > 0.004s", "0"}, {"duration >= 5000us", "0"},
		{"first seen 2026", "0"}, {"first seen 2026-11-23", "0"}, {"first seen < 2026-11-23T02", "0"}, {"first seen = 2026-11-23T01:00:00.000", "0"},
		{"first seen > 2026-11-23T01:00:00.000", "none"}, {"last seen > 2026-11-23T00:00:00.004Z", "0"}, {"last seen 2026-11-23T01:00:00.005", "0"},
		{"first seen 1795392000", "0"}, {"first seen >= '2026-11-23 01:00'", "0"}, {"first in [2025 2026-11..2026-12]", "0"},
		// The rest.
		{"ipv4", "0 1 3 6"}, {"ipv6", "2 4 5"}, {"in if 5", "6"}, {"if 7", "6"}, {"as AS15169", "1"}, {"as 0.64512", "1"},
		{"fwdstat notfrag", "6"}, {"flowdir egress", "6"}, {"flowdir 0", "none"}, {"mpls label1 100", "6"}, {"mpls exp1 0", "6"}, {"mpls any < 100", "none"},
		{"mac 02:00:00:00:00:01", "6"}, {"in src mac 0200.0000.0001", "6"}, {"ingress acl 2", "6"}, {"username in", "2"}, {"username 'in' and port 443", "2"},
		{"username eq in", "2"}, {"userName in [in out]", "2"},
		{"0/4 = 6", "0 2 4"}, {"sourceIPv4Address 10.1.1.5", "0"}, {"srcip6 != ::1", "all"}, {"payload content x", "none"},
		{"port 80 or port 53 and udp", "0 1"}, {"(port 80 or port 53) and udp", "1"}, {"not port 80 or tcp", "all"},
		{"port in [5 5 5] or src port 443 or dst port 8080", "2 4"}, {"src port > 100 and src port < 100", "none"}, {"flows > 0 and flows 1-3", "0 2 3 4 5 6"}, {"flows > 1 and flows < 9", "1"}, {"flows < 9 and flows > 1", "1"},
		// Files are wholes of their own.
		{"not @include two", "1 2 3 4 5 6"}, {"udp and @include either", "1"}, {"ip in [ @include nets ]", "0 1 2 6"},
		{"ip in [@include nets]", "0 1 2 6"}, {"(@include two) or icmp", "0 3"}, {"@include 'dir/name'", "all"},
	} {
		f, err := Parse(c.filter, testOptions)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got := matches(t, f, b); got != c.want {
			t.Errorf("%s: got %s, want %s", c.filter, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"dst prot 53", "  dst prot 53\n      ^~~~\nunknown word \"prot\" behind \"dst\"; did you mean \"dst port\"?"},
		{"prto tcp", "  prto tcp\n  ^~~~\nunknown word \"prto\"; did you mean \"proto\"?"},
		{"tcp and\n  (port 70000 or icmp)", "    (port 70000 or icmp)\n          ^~~~~\n70000 is too large, the largest is 65535"},
		{"(tcp", "  (tcp\n      ^\nthe end where \")\" should follow"},
		{"tcp)", "  tcp)\n     ^\n\")\" without \"(\""},
		{"tcp port 80", "  tcp port 80\n      ^~~~\nunexpected \"port\"; write \"tcp and port\""},
		{"port 80 tcp", "  port 80 tcp\n          ^~~\nunexpected \"tcp\"; join terms with \"and\" or \"or\""},
		{"port", "  port\n      ^\nthe end where a port number should stand"},
		{"port and tcp", "  port and tcp\n       ^~~\n\"and\" where a port number should stand"},
		{"port => 3", "  port => 3\n       ^~\nunknown comparator \"=>\"; did you mean \">=\"?"},
		{"port <> 3", "  port <> 3\n       ^~\nunknown comparator \"<>\"; did you mean \"!=\"?"},
		{"port > 80-90", "  port > 80-90\n         ^~~~~\na range can be compared with = and != only"},
		{"port 90-80", "  port 90-80\n       ^~~~~\nthe range 90-80 is upside down; \"port\" takes a port number"},
		{"bytes 1.5", "  bytes 1.5\n        ^~~\n\"1.5\" is not a whole number; \"bytes\" takes a number"},
		{"bytes > 99999999t", "  bytes > 99999999t\n          ^~~~~~~~~\n\"99999999t\" is too large"},
		{"proto t", "  proto t\n        ^\nunknown protocol \"t\"; \"proto\" takes a protocol name or number"},
		{"proto tpc", "  proto tpc\n        ^~~\nunknown protocol \"tpc\"; did you mean \"tcp\"?"},
		{"ip 172.32", "  ip 172.32\n     ^~~~~~\n172.32 is part of an address; did you mean \"net 172.32/16\"?"},
		{"ip 10.0.0.0/33", "  ip 10.0.0.0/33\n     ^~~~~~~~~~~\nprefix length \"33\" is not between 0 and 32"},
		{"net 10.0.0.0 255.0.255.0", "  net 10.0.0.0 255.0.255.0\n               ^~~~~~~~~~~\n255.0.255.0 is no mask: its ones are not in front"},
		{"ip 10.0.0.256", "  ip 10.0.0.256\n     ^~~~~~~~~~\n\"10.0.0.256\" is not an address"},
		{"ip fe80::1%eth0", "  ip fe80::1%eth0\n     ^~~~~~~~~~~~\nan address with a zone cannot be in a flow record"},
		{"ip > 10.0.0.1", "  ip > 10.0.0.1\n     ^\naddresses compare with \"=\", \"!=\" and \"in\" only"},
		{"ip nowhere.example", "  ip nowhere.example\n     ^~~~~~~~~~~~~~~\nhost nowhere.example: no such host"},
		{"src 10.0.0.1", "  src 10.0.0.1\n  ^~~\n\"src\" needs another word behind it; did you mean \"src ip 10.0.0.1\"?"},
		{"dst 53", "  dst 53\n  ^~~\n\"dst\" needs another word behind it; did you mean \"dst port 53\"?"},
		{"10.0.0.1", "  10.0.0.1\n  ^~~~~~~~\nunknown word \"10.0.0.1\"; did you mean \"ip 10.0.0.1\"?"},
		{"ip in [10.0.0.1", "  ip in [10.0.0.1\n        ^\nthe closing ] is missing"},
		{"user 'bob", "  user 'bob\n       ^~~~\nthe closing ' is missing"},
		{"flags q", "  flags q\n        ^\n\"q\" is neither a number nor made of the letters F S R P A U E C X"},
		{"flags > S", "  flags > S\n        ^\nflags in letters compare with \"=\", \"!=\" and \"in\" only"},
		{"duration > 5m", "  duration > 5m\n             ^~\n5m can be read as minutes or as millions; write 5min, or the number in full"},
		{"first seen yesterday", "  first seen yesterday\n             ^~~~~~~~~\n\"yesterday\" is no time; \"first seen\" takes a time such as 2026-11-23T06:57"},
		{"proto ''", "unknown protocol \"\""},
		{"proto 0-", "unknown protocol \"\""},
		{"duration ''", "\"\" is not a number; \"duration\" takes a duration"},
		{"src geo CH", "  src geo CH\n  ^~~~~~~\n\"src geo\" is not supported yet"},
		{"payload dns defined", "  payload dns defined\n  ^~~~~~~~~~~\n\"payload dns\" is not supported yet"},
		{"mpls top 5", "unknown word \"top\" behind \"mpls\"; known are label1 to label10, exp1 to exp10, eos, any"},
		{"mpls exp1 8", "\"8\" is not between 0 and 7; \"mpls exp1\" takes a number"},
		{"mpls eos top", "\"top\" is not a number; \"mpls eos\" takes a label"},
		{"asa denied nothing", "\"nothing\" is none of ingress egress interface nosyn"},
		{"pf action 256", "256 is too large, the largest is 255"},
		{"mpls label11 5", "  mpls label11 5\n       ^~~~~~~\n\"label11\" is no entry of the label stack; entries count from 1, the top, to 10"},
		{"port in nat pblock", "  port in nat pblock\n          ^~~\n\"port in nat pblock\" is not supported yet"},
		{"srcaddrport 5", "  srcaddrport 5\n  ^~~~~~~~~~~\n\"srcaddrport\" is not supported yet; test srcip and srcport on their own"},
		{"tcp & udp", "  tcp & udp\n      ^\nunexpected \"&\""},
		{"tcp ;", "  tcp ;\n      ^\ncharacter ';' has no meaning here"},
		{"and tcp", "  and tcp\n  ^~~\n\"and\" where a term should stand"},
		{"fwdstat nope", "\"nope\" is none of forw ukwn"},
		{"\tport\tx", "   port x\n        ^\n\"x\" is not a number; \"port\" takes a port number"},
		{"ident 'ä' and prt 5", "  ident 'ä' and prt 5\n                ^~~\nunknown word \"prt\"; did you mean \"port\"?"},
		{"@include missing", "  @include missing\n           ^~~~~~~\nopen missing: file does not exist"},
		{"@include", "  @include\n  ^~~~~~~~\n@include needs the name of a file"},
		{"@include loop", "loop line 1: files include each other more than 10 deep"},
		{"tcp or @include bad", "  prt 53\n  ^~~\nbad line 2: unknown word \"prt\"; did you mean \"port\"?"},
		{"@include half tcp", "  port 80 and\n             ^\nhalf line 1: the filter ends where a term should follow"},
		{strings.Repeat("(", 5000), "nested more than 1000 deep"},
		{strings.Repeat("not ", 5000) + "any", "nested more than 1000 deep"},
	} {
		_, err := Parse(c.filter, testOptions)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: no *Error but %v", c.filter, err)
			continue
		}
		if got := e.Show(); got != c.want && !(strings.Count(c.want, "\n") == 0 && strings.Contains(got, c.want)) {
			t.Errorf("%s:\n%s\nwant\n%s", c.filter, got, c.want)
		}
	}
	if _, err := Parse("ip www.example.net", Options{}); err == nil {
		t.Error("a host name without a resolver is accepted")
	}
	if _, err := Parse("@include two", Options{}); err == nil {
		t.Error("a file without a file system is accepted")
	}
}

// TestIncludesAreBounded: files that include each other twice would take for ever.
// TestPairs: of a record with both members of an element pair, or one of them twice, either
// matches; the columns that Fields asks for are enough.
func TestPairs(t *testing.T) {
	b := flow.NewBuilder()
	put(b, []ie.ID{8, 27, 9, 29, 4}, "10.0.0.1", "2001:db8::1", 24, 64, 6)
	put(b, []ie.ID{8, 8, 4}, "10.0.0.1", "10.0.0.2", 6)
	put(b, []ie.ID{27, 8, 29, 9, 4}, "2001:db8::1", "10.0.0.1", 64, 24, 17)
	put(b, []ie.ID{8, 9, 4}, "10.0.0.1", 64, 6)
	put(b, []ie.ID{27, 29, 4}, "2001:db8::1", 24, 6)
	batch := b.Batch()
	for _, c := range []struct{ text, want string }{
		{"src ip 10.0.0.1", "0 1 2 3"}, {"src ip 10.0.0.2", "1"}, {"src ip 2001:db8::1", "0 2 4"},
		{"src ip in [10.0.0.2 2001:db8::/32]", "0 1 2 4"}, {"src ip != 2001:db8::1", "1 3"}, {"ip 10.0.0.2", "1"},
		{"srcip4 10.0.0.1", "0 1 2 3"}, {"srcip6 2001:db8::1", "0 2 4"}, {"srcip6 10.0.0.1", "none"},
		{"sourceIPv6Address 2001:db8::1", "0 2 4"}, {"defined srcip6", "0 2 4"}, {"defined srcip4", "0 1 2 3"}, {"ipv6", "0 2 4"},
		{"src mask 24", "0 2 4"}, {"src mask 64", "0 2 3"}, {"src mask 25", "none"},
		{"sourceIPv4PrefixLength 24", "0 2"}, {"sourceIPv6PrefixLength 64", "0 2"}, {"sourceIPv6PrefixLength 24", "4"},
		{"proto tcp and src ip 2001:db8::1", "0 4"},
	} {
		f, err := Parse(c.text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := matches(t, f, batch); got != c.want {
			t.Errorf("%s matches %s, want %s", c.text, got, c.want)
		}
		part := *batch
		if err := part.Project(flow.KeysOfAll(f.Fields())); err != nil {
			t.Fatal(err)
		}
		if got := matches(t, f, &part); got != c.want {
			t.Errorf("%s of its fields alone matches %s, want %s", c.text, got, c.want)
		}
	}
}

func TestIncludesAreBounded(t *testing.T) {
	files := fstest.MapFS{}
	for i := range 10 {
		line := fmt.Sprintf("@include f%d ", i+1)
		files[fmt.Sprintf("f%d", i)] = &fstest.MapFile{Data: []byte(strings.Repeat(line+"or ", 9) + line)}
	}
	_, err := Parse("@include f0", Options{Includes: files})
	if err == nil || !strings.Contains(err.Error(), "files are included") && !strings.Contains(err.Error(), "deep") {
		t.Errorf("got %v", err)
	}
}

func TestFields(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"any", ""},
		{"port 53 or port 80", "srcport dstport"},
		{"tcp and bps > 1k", "proto bytes sampinterval sampspace first last"},
		{"duration > 5 and not defined srcas", "srcas first last"},
	} {
		f, err := Parse(c.filter, Options{})
		if err != nil {
			t.Fatal(c.filter, err)
		}
		var names []string
		for _, x := range f.Fields() {
			names = append(names, x.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.filter, got, c.want)
		}
	}
}

// TestTypes compares values of the types that few elements have.
func TestTypes(t *testing.T) {
	integer, probability, reliable := ie.ID(434), ie.ID(311), ie.ID(276)
	b := batchOf([]record{
		{integer: column.FromSigned(-5), probability: column.FromFloat(0.25), reliable: 1, 136: 2, 230: 4, 233: 3},
		{integer: column.FromSigned(7), probability: column.FromFloat(math.Copysign(0, -1)), reliable: 0, 136: 1, 230: 5, 233: 0},
		{95: "\x03\x00\x00\x50", 314: "GET /index aab", 371: "lt", 61: 0, 89: 130, 40003: 99, 33002: 1001,
			70: "\x00\x06\x40", 71: "\x00\x0c\x8b", ie.PfAction: 1, ie.PfReason: 4, ie.PfDirection: 2},
		{95: "\x0d\x00\x00\x01", 314: "aaab", 371: "bob", 61: 1, 89: 64, ie.ClientLatency: 1500, ie.AppLatency: 20,
			33002: 1004, 70: "\x00\x06\x41", 281: "2001:db8::1", ie.TunnelSrcIPv4: "10.0.0.1", 361: 1024, ie.PfAction: 0, ie.PfReason: 1, ie.PfDirection: 1},
	})
	for _, c := range []struct{ filter, want string }{
		{"mibObjectValueInteger -5", "0"}, {"mibObjectValueInteger > -6", "0 1"}, {"mibObjectValueInteger < 0", "0"}, {"mibObjectValueInteger -10--1", "0"},
		{"mibObjectValueInteger in [-5 7]", "0 1"}, {"mibObjectValueInteger <= 1k", "0 1"},
		{"samplingProbability 0.25", "0"}, {"samplingProbability 0", "1"}, {"samplingProbability < 0", "none"}, {"samplingProbability >= 0", "0 1"},
		{"samplingProbability 1e-3..1", "0"}, {"samplingProbability > 0", "0"},
		{"dataRecordsReliability true", "0"}, {"dataRecordsReliability no", "1"}, {"dataRecordsReliability 1", "0"},
		{"endreason active", "0"}, {"nat event ADD44", "0"}, {"nat event > 4", "1"}, {"asa event denied", "0"}, {"asa event in [ignore denied]", "0 1"},
		{"nbar 0x03000050", "2"}, {"applicationId in [0x0d000001 0x00]", "3"}, {"defined nbar", "2 3"},
		{"payload content aab", "2 3"}, {"payload content 'GET /'", "2"}, {"payload regex '^a+b$'", "3"}, {"payload regex 'get' i", "2"}, {"not payload regex get", "all"},
		{"username lt", "2"}, {"username != lt", "0 1 3"}, {"username in [lt bob]", "2 3"}, {"username bob and flowdir egress", "3"}, {"username not in [lt]", "0 1 3"},
		{"fwdstat Daclp", "2"}, {"fwdstat >= 128", "2"}, {"flowdir in", "2"},
		{"client latency 1500", "3"}, {"client latency > 1ms", "3"}, {"latency < 100us", "3"}, {"client latency 1.5ms", "3"},
		{"pf action block", "2"}, {"pf action PASS", "3"}, {"pf action < 1", "3"}, {"pf action in [pass block]", "2 3"},
		{"pf reason normalize", "2"}, {"pf reason bad-offset", "3"}, {"pf dir in", "3"}, {"pf dir out", "2"}, {"pf dir != in", "0 1 2"},
		{"asa denied ingress", "2"}, {"asa denied I-ACL", "2"}, {"asa denied nosyn", "3"}, {"asa denied interface", "none"}, {"asa xevent > 1001", "3"},
		{"asa event deny", "0"}, {"asa event term", "none"},
		{"mpls label1 100", "2 3"}, {"mpls eos 100", "3"}, {"mpls eos 200", "2"}, {"mpls eos > 99", "2 3"}, {"mpls eos != 100", "0 1 2"}, {"mpls exp2 5", "2"},
		{"src xlate host 2001:db8::1", "3"}, {"src xnet 2001:db8::/32", "3"}, {"nip 2001:db8::1", "3"}, {"dst nip 2001:db8::1", "none"},
		{"src tun net 10/8", "3"}, {"src tun host 10.0.0.1", "3"}, {"dst tun net 10/8", "none"}, {"src nport 99", "2"}, {"pblock start 1024", "3"},
		{"nat src port 99", "2"}, {"src nat port in [1-98]", "none"},
	} {
		f, err := Parse(c.filter, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got := matches(t, f, b); got != c.want {
			t.Errorf("%s: got %s, want %s", c.filter, got, c.want)
		}
	}
}

// TestRates decides by bounds where the records have several sampling rates, or one.
func TestRates(t *testing.T) {
	rate := func(interval, space, bytes int) record {
		return record{1: bytes, ie.SamplingInterval: interval, ie.SamplingSpace: space}
	}
	several := []record{rate(1, 9, 100), rate(1, 99, 7), rate(0, 50, 8), rate(3, 1, 9)}
	one := []record{rate(2, 7, 100), rate(2, 7, 3), rate(2, 7, 0)}
	some := append([]record{{1: 5}}, one...)
	for _, c := range []struct {
		recs         []record
		filter, want string
	}{
		{several, "bytes > 900", "0"}, {several, "bytes 700", "1"}, {several, "bytes > 8", "0 1 3"}, {several, "bytes 12", "3"},
		{several, "bytes > 100k", "none"}, {several, "bytes < 7", "none"}, {several, "bytes >= 7", "all"}, {several, "bytes 100", "none"},
		{one, "bytes 450", "0"}, {one, "bytes 13", "1"}, {one, "bytes 12-14", "1"}, {one, "bytes in [14 15 449]", "none"}, {one, "bytes 0", "2"},
		{one, "bytes > 450", "none"}, {one, "bytes <= 450", "all"}, {one, "bytes < 18446744073709551615", "all"},
		{some, "bytes 5", "0"}, {some, "bytes > 5", "1 2"}, {some, "octetDeltaCount 13-500", "1 2"}, {some, "packets 0", "none"},
	} {
		f, err := Parse(c.filter, Options{})
		if err != nil {
			t.Fatal(c.filter, err)
		}
		b := batchOf(c.recs)
		if got := matches(t, f, b); got != c.want {
			t.Errorf("%s: got %s, want %s", c.filter, got, c.want)
		}
		for i := range b.Cols {
			v, err := b.Vec(i)
			if err != nil {
				t.Fatal(err)
			}
			b.Cols[i] = flow.Column{Key: b.Cols[i].Key, Shapes: b.Cols[i].Shapes, Block: column.Encode(v), Ref: -1}
		}
		if got := matches(t, f, b); got != c.want {
			t.Errorf("%s, encoded: got %s, want %s", c.filter, got, c.want)
		}
	}
}

// TestConcurrent uses one filter from several goroutines.
func TestConcurrent(t *testing.T) {
	f, err := Parse("ip in [10.1.1.0/24 2001:db8::/32] or (udp and bytes > 1k)", Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			b := batchOf(people)
			dst := flow.NewBitmap(b.N)
			for range 200 {
				if m, err := f.Eval(b, dst); m != Some || err != nil || dst[0] != 0b1000111 {
					t.Errorf("%v %v %b", m, err, dst[0])
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestNoAllocations: a batch whose columns are decoded is filtered without garbage.
func TestNoAllocations(t *testing.T) {
	b := benchBatch(true)
	dst := flow.NewBitmap(b.N)
	for _, text := range []string{"dst port 53", "ip in [10.0.0.0/20 10.0.99.1] and not tcp", "flags S or bytes 1k-2k", "port in [1 5 9 1000-2000]"} {
		f, err := Parse(text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		e := f.evaluator()
		run := func() {
			if _, err := e.decide(f.root, b, dst); err != nil {
				t.Fatal(err)
			}
		}
		run()
		if n := testing.AllocsPerRun(20, run); n > 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
