package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/cli/clitest"
	"nfpipe/lib/flow"
	"nfpipe/lib/transport"
)

func TestManners(t *testing.T) { clitest.Manners(t, run, "nfexp") }

// Wrong options say what is wrong, with a hint.
func TestUsage(t *testing.T) {
	for args, want := range map[string]string{
		"":                                "-n is missing",
		"-n 127.0.0.1:1 -v 7":             "-v 7: want 1, 5, 9",
		"-n 127.0.0.1:1 -A weeks":         "-A weeks",
		"-n 127.0.0.1:1 -v 5 -A milli":    "milliseconds of uptime",
		"-n :1":                           "no host",
		"-n a:b":                          "no port",
		"-n http://h:1":                   "unknown transport",
		"-n 127.0.0.1:1 -P dccp":          "unknown transport",
		"-n 127.0.0.1:0":                  "port 0",
		"-n 127.0.0.1:1 -t udp":           "want name=time",
		"-n 127.0.0.1:1 -t general=0":     "above 0",
		"-n 127.0.0.1:1 -T six":           "-T six: no such level",
		"-n 127.0.0.1:1 -m 0":             "at least one flow",
		"-n 127.0.0.1:1 -i lo -r f":       "not both",
		"-n 127.0.0.1:1 -i lo --replay":   "its own pace",
		"-n 127.0.0.1:1 --replay=fast":    "--replay=fast",
		"-n 127.0.0.1:1 --pps -3":         "--pps -3",
		"-n 127.0.0.1:1 --rate x":         "--rate x",
		"-n 127.0.0.1:1 -e nowhere":       "no address",
		"-n tcp://127.0.0.1:1 --spoof":    "--spoof is for packets",
		"-n 127.0.0.1:1 --tls-cert f":     "go together",
		"-n 127.0.0.1:1 bytes > 10":       "filter",
		"-n 127.0.0.1:1 dst prot 80":      "filter",
		"-n 127.0.0.1:1 -H 1.2.3.4":       "unknown option -H",
		"-n 127.0.0.1:1 -x 11":            "-x 11",
		"-n 127.0.0.1:1 --tunnel sideway": "--tunnel sideway",
	} {
		r := nfexp("", strings.Fields(args)...)
		if r.Code != cli.Usage || !strings.Contains(r.Stderr, want) || r.Stdout != "" || want != "filter" && !strings.Contains(r.Stderr, "hint: ") {
			t.Errorf("nfexp %s: code %d, stderr %q, want %q", args, r.Code, r.Stderr, want)
		}
	}
}

// Ports that are not written.
func TestDefaultPorts(t *testing.T) {
	for _, c := range []struct {
		version, network, to, want string
	}{
		{"5", "udp", "192.0.2.1", "udp://192.0.2.1:9995"}, {"9", "udp", "h", "udp://h:9995"}, {"10", "udp", "192.0.2.1", "udp://192.0.2.1:4739"},
		{"10", "udp", "[2001:db8::1]", "udp://[2001:db8::1]:4739"}, {"10", "udp", "[2001:db8::1]:9", "udp://[2001:db8::1]:9"},
		{"10", "udp", "2001:db8::1", "udp://[2001:db8::1]:4739"}, {"10", "tcp", "h", "tcp://h:4739"}, {"10", "tls", "h", "tls://h:4740"},
		{"10", "tcp", "udp://h:77", "udp://h:77"}, {"9", "udp", "sctp://h", "sctp://h:4739"},
	} {
		env := &cli.Env{Tool: "nfexp", Args: []string{"-v", c.version, "-P", c.network, "-n", c.to}, Stdin: strings.NewReader(""), Stderr: os.Stderr}
		got, ok := parse(env)
		if !ok || got.to[0].Endpoint.String() != c.want {
			t.Errorf("%+v: %v", c, got.to)
		}
	}
}

// The options of softflowd's page, all in one.
func TestSoftflowdOptions(t *testing.T) {
	env := &cli.Env{Tool: "nfexp", Stdin: strings.NewReader(""), Stderr: os.Stderr, Args: strings.Fields(
		"-i 7:ens4 -m 300000 -v 9 -n 192.168.0.3:4739 -P udp -A milli -t general=10s -t maxlife=30s -t tcp=20 -t tcp.rst=15 -t tcp.fin=10 -t expint=0 " +
			"-ladb6N -T full -s 100 -L 3 -x 2 -C 96 -B 1M -S lo -p /tmp/p -c none tcp and not port 22")}
	c, ok := parse(env)
	if !ok {
		t.Fatal("refused")
	}
	if c.device != "ens4" || c.index != 7 || c.meter.MaxFlows != 300000 || c.meter.Sample != 100 || c.labels != 2 || !c.inTurn || !c.foreground ||
		c.meter.Timeouts.TCPFin != 10*time.Second || c.meter.Timeouts.Interval != 0 || c.meter.Timeouts.UDP != 5*time.Minute || c.meter.Filter == nil ||
		c.meter.Biflow || c.to[0].Options.Hops != 3 || c.to[0].Options.Device != "lo" || !c.noPromisc || c.control != "none" || c.pidfile != "/tmp/p" {
		t.Errorf("%+v", c)
	}
}

const office = "../testdata/office.pcap"

// fields are what is compared, by what a version can carry.
var fields = map[int]string{
	5:  "fmt:%ts %te %pr %sap %dap %pkt %byt %flg %tos %sas %das %in %out %smk %dmk %nh",
	9:  "fmt:%ts %te %pr %sap %dap %pkt %byt %flg %tos %sas %das %in %out %smk %dmk %nh %svln %dvln %ismc %odmc %minttl %maxttl %ra",
	10: "fmt:%tsr %ter %pr %sap %dap %pkt %byt %flg %tos %sas %das %in %out %smk %dmk %nh %svln %dvln %ismc %odmc %minttl %maxttl %ra",
}

// only4 leaves out what v1 and v5 cannot carry.
func only4(t *testing.T, rows []string) []string {
	return slices.DeleteFunc(rows, func(r string) bool {
		return strings.Contains(strings.Join(strings.Fields(r)[4:7], " "), "2001:db8") || strings.Contains(r, "fe80:") || strings.Contains(r, "ff02:")
	})
}

// What goes in comes out, in every version over every transport, from a stream and from a capture.
func TestRoundTrip(t *testing.T) {
	ca, cert, key := certificates(t)
	input := metered(t, "-r", office, "-o", "fat", "--reproducible", "-t", "maxlife=1h")
	for _, c := range []struct {
		version       int
		network, host string
	}{
		{1, "udp", "127.0.0.1"}, {5, "udp", "127.0.0.1"}, {5, "udp", "::1"}, {9, "udp", "127.0.0.1"}, {9, "udp", "::1"}, {10, "udp", "127.0.0.1"}, {10, "tcp", "127.0.0.1"}, {10, "tcp", "::1"}, {10, "tls", "127.0.0.1"},
	} {
		for _, source := range []string{"stream", "capture"} {
			what := fmt.Sprintf("v%d over %s %s from a %s", c.version, c.network, c.host, source)
			mode := fields[max(c.version, 5)]
			if c.version == 9 { // its times are relative, in milliseconds
				mode = strings.Replace(mode, "%ra", "", 1)
			}
			mode = strings.Replace(mode, "%ra", "", 1) // the exporter is whoever sent it
			want := table(t, mode, batchesOf(t, input))
			if c.version < 9 {
				want = only4(t, want)
			}
			r := receive(t, c.network, c.host, transport.StreamOptions{Cert: cert, Key: key})
			args := []string{"-v", fmt.Sprint(c.version), "-P", c.network, "-n", r.at.String(), "--tls-ca", ca}
			in := string(input)
			if source == "capture" {
				b, err := os.ReadFile(office)
				check(t, err)
				in, args = string(b), append(args, "-T", "ether", "-t", "maxlife=1h", "-t", "tcp=60", "-t", "udp=60", "-t", "icmp=60", "-t", "general=60", "-t", "tcp.rst=5", "-t", "tcp.fin=5")
			}
			got := nfexp(in, args...)
			if got.Code != cli.Done || got.Stdout != "" || c.version >= 9 && got.Stderr != "" {
				t.Fatalf("%s: %+v", what, got)
			}
			batches := r.wait(len(want))
			same(t, what, table(t, mode, batches), want)
			r.close()
		}
	}
}

// A damaged stream is sent as far as it goes, and the exit code tells.
func TestDamaged(t *testing.T) {
	input := metered(t, "-r", office)
	r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
	got := nfexp(string(input[:len(input)-20]), "-v", "9", "-n", r.at.String())
	if got.Code != cli.Damaged || !strings.Contains(got.Stderr, "truncated after 82 records") {
		t.Errorf("%+v", got)
	}
	r.wait(82)
	if got := nfexp("no stream", "-n", r.at.String()); got.Code != cli.Failed {
		t.Errorf("%+v", got)
	}
	if got := nfexp("", "-n", r.at.String()); got.Code != cli.Damaged {
		t.Errorf("%+v", got)
	}
}

// Nobody listens: over TCP nothing is sent, and the exit code tells.
func TestNobodyThere(t *testing.T) {
	r := receive(t, "tcp", "127.0.0.1", transport.StreamOptions{})
	r.close()
	got := nfexp(string(metered(t, "-r", office)), "-v", "10", "-P", "tcp", "-n", r.at.String())
	if got.Code != cli.Failed || !strings.Contains(got.Stderr, "82 records") || !strings.Contains(got.Stderr, "refused") {
		t.Errorf("%+v", got)
	}
}

// A replay takes as long as the records did, divided by the speed.
func TestReplay(t *testing.T) {
	input := metered(t, "-r", office)
	r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
	begin := time.Now()
	if got := nfexp(string(input), "-v", "9", "--replay=20", "-n", r.at.String()); got.Code != cli.Done {
		t.Fatalf("%+v", got)
	}
	took := time.Since(begin)
	first, last := span(t, batchesOf(t, input))
	want := time.Duration(last-first) / 20
	if took < want-50*time.Millisecond || took > want+2*time.Second {
		t.Errorf("took %v, want %v", took, want)
	}
	r.wait(82)
}

// span is from the first end of a flow to the last.
func span(t *testing.T, batches []*flow.Batch) (first, last uint64) {
	for _, b := range batches {
		v, err := b.Field(mustField("last"))
		check(t, err)
		for i := range b.N {
			if x := v.Vec.Int(i); first == 0 || x < first {
				first = x
			}
			last = max(last, v.Vec.Int(i))
		}
	}
	return first, last
}

// Sampling is announced, and counters are not touched.
func TestSampling(t *testing.T) {
	b, err := os.ReadFile(office)
	check(t, err)
	for _, version := range []string{"5", "9", "10"} {
		r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
		if got := nfexp(string(b), "-s", "10", "-v", version, "-n", r.at.String(), "ip 0.0.0.0/0"); got.Code != cli.Done {
			t.Fatalf("%+v", got)
		}
		time.Sleep(100 * time.Millisecond)
		r.mu.Lock()
		r.sink.Flush()
		batches := r.batches
		r.mu.Unlock()
		rows := table(t, "fmt:%{sampinterval} %{sampspace}", batches)
		if len(rows) == 0 || rows[0] != "1 9" || rows[len(rows)-1] != "1 9" {
			t.Errorf("version %s: %q", version, rows)
		}
		r.close()
	}
}

// A multi-exporter stream keeps its exporters.
func TestExporters(t *testing.T) {
	export := command(t, built(t, "nfcap"), "-f", "../testdata/export.pcap")
	want := table(t, "fmt:%ra %sap %dap %pkt %byt", batchesOf(t, export))
	if !strings.HasPrefix(want[0], "198.51.100.1 ") {
		t.Fatalf("%q", want[0])
	}
	for _, version := range []string{"9", "10"} {
		r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
		if got := nfexp(string(export), "-v", version, "-n", r.at.String()); got.Code != cli.Done {
			t.Fatalf("%+v", got)
		}
		same(t, "version "+version, table(t, "fmt:%ra %sap %dap %pkt %byt", r.wait(len(want))), want)
		r.close()
	}
}

// A stream that is cut at any byte, or of which a bit is turned, is never taken for whole, and
// what is whole of it is sent.
func TestCutAndFlipped(t *testing.T) {
	input := metered(t, "-r", "../testdata/crafted/20_dns.pcap")
	r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
	run := func(what string, b []byte, codes ...int) {
		got := nfexp(string(b), "-v", "10", "-n", r.at.String())
		if !slices.Contains(codes, got.Code) || got.Stdout != "" || got.Code != cli.Done && !strings.HasPrefix(got.Stderr, "nfexp: ") {
			t.Errorf("%s: %+v", what, got)
		}
	}
	step := max(len(input)/150, 1)
	for n := 0; n < len(input); n += step {
		run(fmt.Sprintf("%d of %d bytes", n, len(input)), input[:n], cli.Damaged, cli.Failed)
	}
	for n := 0; n < len(input); n += step {
		b := bytes.Clone(input)
		b[n] ^= 1 << (n % 8)
		run(fmt.Sprintf("byte %d of %d turned", n, len(input)), b, cli.Damaged, cli.Failed)
	}
	before := func() int {
		time.Sleep(100 * time.Millisecond)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sink.Flush()
		return r.n
	}
	n := before()
	run("twice", append(bytes.Clone(input), input...), cli.Done)
	if got := before() - n; got != 4 {
		t.Errorf("a stream twice: %d records, want 4", got)
	}
}
