package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/cli"
	"nfpipe/lib/cli/clitest"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
)

func TestManners(t *testing.T) { clitest.Manners(t, run, "nfpcap") }

func nfpcap(input string, args ...string) clitest.Result {
	return clitest.Run(run, "nfpcap", input, args...)
}

const crafted = "../testdata/crafted/"

// captured is a crafted capture; its README says what is in it.
func captured(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(crafted + name)
	check(t, err)
	return string(b)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// content is what a stream holds, its records in the form of the mode that was asked for.
type content struct {
	rows []string
	head *stream.Head
	end  *stream.End
}

const connection = "csv:%pr,%sa,%sp,%da,%dp,%pkt,%byt"

func read(t *testing.T, s, mode string) content {
	t.Helper()
	p, err := format.New(mode, format.Options{})
	check(t, err)
	var c content
	r := stream.NewReader(strings.NewReader(s), stream.Options{Name: "output"})
	for {
		it, err := r.Next()
		if err == io.EOF {
			return c
		}
		check(t, err)
		switch it.Kind {
		case stream.KindHead:
			c.head = it.Head
		case stream.KindEnd:
			c.end = it.End
		case stream.KindRecords:
			text, err := p.Batch(nil, it.Batch, 0)
			check(t, err)
			c.rows = append(c.rows, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
		}
	}
}

// sum adds up a column of numbers.
func sum(t *testing.T, rows []string) (n int) {
	t.Helper()
	for _, r := range rows {
		var x int
		if _, err := fmt.Sscan(r, &x); err != nil {
			t.Fatalf("%q: %v", r, err)
		}
		n += x
	}
	return n
}

func well(t *testing.T, what string, r clitest.Result) string {
	t.Helper()
	if r.Code != cli.Done || r.Stderr != "" {
		t.Fatalf("%s: code %d, stderr %q", what, r.Code, r.Stderr)
	}
	return r.Stdout
}

// The numbers of records follow from what README.md says of the captures and from the
// definition of a flow; packets and bytes are those of the capture, however they are cut.
func TestRecords(t *testing.T) {
	for _, c := range []struct {
		file, args       string
		records, packets int
	}{
		{"01_tcp_fin.pcap", "", 2, 10},
		{"01_tcp_fin.pcap", "-b", 1, 10},
		{"02_tcp_rst.pcap", "", 2, 8},
		{"03_tcp_reuse.pcap", "", 4, 20}, // a SYN after FIN both ways is a new connection
		{"03_tcp_reuse.pcap", "-t tcp.fin=100", 4, 20},
		{"04_udp_idle_gap.pcap", "", 2, 6},
		{"04_udp_idle_gap.pcap", "-e 300,500", 2, 6}, // the active timeout is shorter than its 404 s
		{"04_udp_idle_gap.pcap", "-e 600,500", 1, 6},
		{"04_udp_idle_gap.pcap", "-t udp=500 -t maxlife=0", 1, 6},
		{"04_udp_idle_gap.pcap", "-t udp=8m20s -t maxlife=1h", 1, 6},
		{"04_udp_idle_gap.pcap", "-t tcp=500 -t maxlife=0", 2, 6}, // not a timeout of UDP
		{"05_udp_idle_gap_bg.pcap", "", 4, 106},
		{"05_udp_idle_gap_bg.pcap", "-e 600,500", 2, 106},
		{"05_udp_idle_gap_bg.pcap", "-e 600,4", 102, 106}, // what comes every 5 s is alone
		{"05_udp_idle_gap_bg.pcap", "-m 1", 7, 106},
		{"06_udp_long_1000s.pcap", "", 4, 201},
		{"06_udp_long_1000s.pcap", "-e 100,60", 10, 201},
		{"06_udp_long_1000s.pcap", "-t maxlife=0", 1, 201},
		{"06_udp_long_1000s.pcap", "-e 100,60 -t maxlife=2000", 1, 201},
		{"07_icmp_echo.pcap", "", 3, 7},
		{"07_icmp_echo.pcap", "-T proto", 2, 7},
		{"08_ip4_frag.pcap", "", 1, 3},
		{"09_ip4_frag_ooo.pcap", "", 1, 3},
		{"12_ip6_frag.pcap", "", 1, 3},
		{"13_vlan.pcap", "", 2, 3},
		{"13_vlan.pcap", "-T vlan", 3, 3},
		{"13_vlan.pcap", "-bT vlan", 2, 3},
		{"14_qinq.pcap", "-T ip", 1, 2},
		{"17_tunnels.pcap", "", 4, 5}, // IPIP, 6in4, GRE twice, VXLAN
		{"17_tunnels.pcap", "--tunnel outer", 4, 5},
		{"17_tunnels.pcap", "--tunnel inner", 2, 5},
		{"20_dns.pcap", "", 2, 4},
		{"20_dns.pcap", "-b", 1, 4},
		{"21_nonip.pcap", "", 1, 1},
		{"22_otherproto.pcap", "", 5, 6},
		{"22_otherproto.pcap", "-b", 4, 6},
		{"24_selfaddr.pcap", "-b", 1, 2},
		{"33_100flows.pcap", "", 100, 100},
		{"33_100flows.pcap", "-m 1", 100, 100},
		{"33_100flows.pcap", "not any", 0, 0},
		{"33_100flows.pcap", "udp and src ip 10.1.0.5", 1, 1},
		{"36_pcapng.pcapng", "", 2, 10},
		{"37_gz.pcap.gz", "", 2, 10},
	} {
		what := "nfpcap " + c.args + " < " + c.file
		out := well(t, what, nfpcap(captured(t, c.file), strings.Fields(c.args)...))
		rows := read(t, out, "csv:%{ipackets}").rows
		packets := sum(t, rows)
		for _, r := range read(t, out, "csv:%{opackets}").rows {
			if r != "" {
				packets += sum(t, []string{r})
			}
		}
		if len(rows) != c.records || packets != c.packets {
			t.Errorf("%s: %d records of %d packets, want %d of %d", what, len(rows), packets, c.records, c.packets)
		}
		if e := read(t, out, connection).end; e.Records != uint64(c.records) || e.Status != stream.Complete {
			t.Errorf("%s: end %+v", what, e)
		}
	}
}

// What the records say, where an option changes it.
func TestFields(t *testing.T) {
	for _, c := range []struct {
		file, args, mode string
		want             []string
	}{
		{"20_dns.pcap", "", "csv:%pr,%dp,%pkt", []string{"17,53,2", "17,33333,2"}},
		{"07_icmp_echo.pcap", "", "csv:%pr,%it,%ic,%pkt,%byt", []string{"1,8,0,3,252", "1,0,0,3,252", "1,3,3,1,84"}},
		{"13_vlan.pcap", "-T vlan", "csv:%svln,%sa,%pkt", []string{"100,10.0.0.1,1", "100,10.0.0.2,1", "200,10.0.0.1,1"}},
		{"17_tunnels.pcap", "--tunnel inner", "csv:%sa,%sp,%pkt", []string{"192.168.1.1,5010,4", "2001:db8::1,5011,1"}},
		{"17_tunnels.pcap", "--tunnel inner port 5011", "csv:%sa,%sp,%pkt", []string{"2001:db8::1,5011,1"}},
		{"17_tunnels.pcap", "port 5011", "csv:%sa", nil}, // the outer header has no such port
		{"01_tcp_fin.pcap", "-o fat", "csv:%ismc,%idmc", []string{"02:00:00:00:00:0a,02:00:00:00:00:0b", "02:00:00:00:00:0b,02:00:00:00:00:0a"}},
		{"01_tcp_fin.pcap", "", "csv:%ismc,%idmc", []string{",", ","}},
		{"01_tcp_fin.pcap", "-o fat", "csv:%cl,%sl,%al", []string{"10.000,10.000,20.000", "10.000,10.000,20.000"}},
		{"01_tcp_fin.pcap", "", "csv:%cl,%sl,%al", []string{",,", ",,"}},
		{"01_tcp_fin.pcap", "", "csv:%stos,%flg", []string{"184,...AP.SF", "40,...AP.SF"}},
		{"19_snaplen64.pcap", "", "csv:%pkt,%byt", []string{"2,2880"}},
		{"24_selfaddr.pcap", "-b", "csv:%sp,%dp,%{ipackets},%{opackets}", []string{"1111,2222,1,1"}},
		{"32_ts_ooo.pcap", "", "csv:%tds,%pkt", []string{"15.000,4"}},
	} {
		what := "nfpcap " + c.args + " < " + c.file
		got := read(t, well(t, what, nfpcap(captured(t, c.file), strings.Fields(c.args)...)), c.mode).rows
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %s is\n%q, want\n%q", what, c.mode, got, c.want)
		}
	}
}

// A packet filter and its complement share the packets.
func TestPacketFilter(t *testing.T) {
	input := captured(t, "50_live_mix.pcap")
	count := func(args ...string) int {
		return sum(t, read(t, well(t, strings.Join(args, " "), nfpcap(input, args...)), "csv:%pkt").rows)
	}
	all := count()
	for _, f := range []string{"tcp", "udp", "icmp", "proto esp", "src ip 10.0.0.1", "port < 1000", "flags S and not flags A", "net 10/8"} {
		with, without := count(f), count("not ("+f+")")
		if with+without != all || with == 0 && f != "port < 1000" {
			t.Errorf("%s: %d packets and %d of the others, of %d", f, with, without, all)
		}
	}
	if n := count("tcp") + count("udp") + count("icmp") + count("proto", "esp"); n != all || all != 73 {
		t.Errorf("%d packets are TCP, UDP, ICMP or ESP, of %d", n, all)
	}
	for _, c := range []struct{ text, says string }{
		{"bytes > 5", "nfpcap: filter:\n  bytes > 5\n  ^~~~~\na packet has no \"bytes\""},
		{"dst prot 53", "nfpcap: filter:\n  dst prot 53\n      ^~~~\n"},
		{"@include f", "files cannot be included here"},
	} {
		if r := nfpcap(input, c.text); r.Code != cli.Usage || r.Stdout != "" || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("%s: code %d, stderr\n%swant\n%s", c.text, r.Code, r.Stderr, c.says)
		}
	}
}

// Captures of one kind or another give the same, from stdin or by name.
func TestInputs(t *testing.T) {
	want := read(t, well(t, "01", nfpcap(captured(t, "01_tcp_fin.pcap"))), connection).rows
	for _, name := range []string{"01_tcp_fin.pcap", "36_pcapng.pcapng", "37_gz.pcap.gz"} {
		for _, r := range []clitest.Result{nfpcap(captured(t, name)), nfpcap("", "-r", crafted+name), nfpcap(captured(t, name), "-r", "-")} {
			if got := read(t, well(t, name, r), connection).rows; !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	several := well(t, "-r -r -r", nfpcap(captured(t, "33_100flows.pcap"), "-r", crafted+"01_tcp_fin.pcap", "-r", "-", "-r", crafted+"20_dns.pcap"))
	if got := read(t, several, connection).rows; len(got) != 104 {
		t.Errorf("three captures: %d records, want 104", len(got))
	}
	// several captures are metered as one: the halves of a connection are one flow
	whole := captured(t, "04_udp_idle_gap.pcap")
	half := (len(whole)-24)/2 + 24
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.pcap"), filepath.Join(dir, "b.pcap")
	check(t, os.WriteFile(a, []byte(whole[:half]), 0o666))
	check(t, os.WriteFile(b, []byte(whole[:24]+whole[half:]), 0o666))
	joined := read(t, well(t, "-r a -r b", nfpcap("", "-e", "600,500", "-r", a, "-r", b)), connection).rows
	if want := read(t, nfpcap(whole, "-e", "600,500").Stdout, connection).rows; !slices.Equal(joined, want) || len(want) != 1 {
		t.Errorf("two halves make %q, the whole %q", joined, want)
	}
}

func TestDamage(t *testing.T) {
	whole := captured(t, "33_100flows.pcap")
	packet := (len(whole) - 24) / 100
	flows := well(t, "33", nfpcap(whole))
	for _, c := range []struct {
		name, input, args string
		code              int
		says              string
		records           int // -1: no stream
	}{
		{"cut in the last packet", whole[:len(whole)-10], "", cli.Damaged, "nfpcap: stdin: after 99 packets: ", 99},
		{"cut in a packet's header", whole[:24+packet*12+7], "", cli.Damaged, "after 12 packets: ", 12},
		{"cut in the file's header", whole[:20], "", cli.Damaged, "nfpcap: stdin: ", -1},
		{"nothing", "", "", cli.Damaged, "the input is empty", -1},
		{"a stream", flows, "", cli.Failed, "stdin is no capture: flow stream\nhint: it holds flow records already: nfcat -r -\n", -1},
		{"text", "hello\n", "", cli.Failed, "stdin is no capture: text\n", -1},
		{"no such file", "", "-r /nonexistent/x.pcap", cli.Failed, "nfpcap: /nonexistent/x.pcap: no such file or directory\n", -1},
		{"no such file and another", "", "-r /nonexistent/x.pcap -r " + crafted + "20_dns.pcap", cli.Failed, "no such file", 2},
	} {
		r := nfpcap(c.input, strings.Fields(c.args)...)
		if r.Code != c.code || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("%s: code %d, stderr %q, want %d, %q", c.name, r.Code, r.Stderr, c.code, c.says)
		}
		if c.records < 0 {
			if r.Stdout != "" {
				t.Errorf("%s: %d bytes were written", c.name, len(r.Stdout))
			}
			continue
		}
		got := read(t, r.Stdout, connection)
		if len(got.rows) != c.records || got.end.Status != stream.Partial || got.end.Reason == "" {
			t.Errorf("%s: %d records, want %d; end %+v", c.name, len(got.rows), c.records, got.end)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"-T seven", "nfpcap: -T seven: no such level\nhint: ip, proto, port, vlan or ether\n"},
		{"--tunnel middle", "nfpcap: --tunnel middle: no such header\nhint: outer or inner\n"},
		{"-o thin", "nfpcap: -o thin: no such option\nhint: -o fat keeps MAC addresses, and how long TCP took to answer\n"},
		{"-e 300", "nfpcap: timeouts \"300\": want active,idle in seconds, such as 300,60\n"},
		{"-t tcp", "want name=time"},
		{"-t quic=5", "nfpcap: timeout \"quic=5\": no such name, there are tcp, "},
		{"-t udp=5x", "none of s, m, h, d, w"},
		{"-m 0", "nfpcap: -m 0: the cache needs room for at least one flow\nhint: nfpcap -m 1048576\n"},
		{"-m many", "not a whole number in range"},
		{"-z=rar", "nfpcap: unknown compression \"rar\"\n"},
		{"-w x.nf", "hint: nfpcap writes to stdout: nfpcap -r FILE > FILE.nf\n"},
		{"-i v1 -r x.pcap", "nfpcap: either an interface or captures: -i or -r\nhint: nfpcap -i v1\n"},
		{"-i v1 -i v2", "nfpcap: -i v1 -i v2: one interface, or any\nhint: nfpcap -i any captures on all\n"},
		{"--interface=", "nfpcap: -i without a name\n"},
		{"-N", "nfpcap: --no-promisc is for an interface, and there is none\nhint: nfpcap -i eth0 --no-promisc\n"},
		{"--flush 1s", "--flush is for an interface"},
		{"-i v1 --snaplen 63", "nfpcap: --snaplen 63\nhint: 64 to 65536 bytes\n"},
		{"-i v1 --buffer 1023K", "nfpcap: --buffer is too small or too large\nhint: 1M to 1G\n"},
		{"-i v1 --buffer 2T", "hint: 1M to 1G\n"},
		{"-i v1 --flush 9ms", "nfpcap: --flush 9ms: at least 10ms\n"},
		{"-s 0", "nfpcap: -s 0: no packet would be counted\nhint: nfpcap -s 100 counts"},
		{"-s -1", "-s"},
		{"-v 9", "hint: nfpcap has no -v; --stats prints statistics\n"},
	} {
		r := nfpcap(captured(t, "20_dns.pcap"), strings.Fields(c.args)...)
		if r.Code != cli.Usage || r.Stdout != "" || !strings.Contains(r.Stderr, c.says) || !strings.Contains(r.Stderr, "\nhint: ") {
			t.Errorf("nfpcap %s: code %d, %d bytes, stderr\n%swant\n%s", c.args, r.Code, len(r.Stdout), r.Stderr, c.says)
		}
	}
}

func TestCompressionAndHistory(t *testing.T) {
	input := captured(t, "33_100flows.pcap")
	want := read(t, nfpcap(input).Stdout, connection).rows
	for _, args := range []string{"-y", "-z", "-z none", "-z=s2", "-zzstd", "-z zstd:3", "-yz none", "--reproducible", "--no-history"} {
		got := read(t, well(t, args, nfpcap(input, strings.Fields(args)...)), connection)
		if !slices.Equal(got.rows, want) {
			t.Errorf("%s: other records than without", args)
		}
		bare := strings.HasPrefix(args, "--")
		if n := len(got.head.History.Entries); n != 1 && !bare || n != 0 && bare {
			t.Errorf("%s: %d entries in the history", args, n)
		}
		if (got.head.Created == 0) != (args == "--reproducible") {
			t.Errorf("%s: made at %d", args, got.head.Created)
		}
	}
	if a, b := nfpcap(input, "--reproducible"), nfpcap(input, "--reproducible"); a.Stdout != b.Stdout {
		t.Error("--reproducible: the second run wrote other bytes")
	}
	var out bytes.Buffer
	env := &cli.Env{Tool: "nfpcap", Stdin: strings.NewReader(input), Stdout: &out, Stderr: io.Discard,
		Getenv: func(name string) string { return map[string]string{"NFPIPE_HISTORY": "0"}[name] }}
	if code := run(env); code != 0 || len(read(t, out.String(), connection).head.History.Entries) != 0 {
		t.Errorf("NFPIPE_HISTORY=0: code %d, a history", code)
	}
}

func TestStats(t *testing.T) {
	r := nfpcap(captured(t, "05_udp_idle_gap_bg.pcap"), "--stats", "-m", "1")
	for label, n := range map[string]string{"packets read": "106", "packets metered": "106", "records written": "7", "flows evicted for lack of room": "5", "packets malformed": "0"} {
		if !slices.ContainsFunc(strings.Split(r.Stderr, "\n"), func(s string) bool {
			return strings.HasPrefix(s, "nfpcap: "+label+" ") && strings.HasSuffix(s, " "+n)
		}) {
			t.Errorf("--stats lacks %s %s in\n%s", label, n, r.Stderr)
		}
	}
}
