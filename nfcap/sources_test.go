package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/cli"
	"nfpipe/lib/cli/clitest"
)

// -n gives each sender to the first source that takes it, and refuses the others.
func TestStaticSources(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dirs := map[string]string{}
	for _, name := range []string{"one", "list", "net"} {
		dirs[name] = t.TempDir()
	}
	p := start(t, "-t", "86400", "-n", "one,127.0.0.2,"+dirs["one"], "-n", "list,127.0.0.3;127.0.0.4,"+dirs["list"], "-n", "net,127.0.0.0/29,"+dirs["net"])
	packets := map[string]int{"127.0.0.2": 3, "127.0.0.3": 5, "127.0.0.4": 7, "127.0.0.5": 11, "127.0.0.9": 13}
	for from, n := range packets {
		exporter(t, p, from).send(n)
	}
	p.awaits("nfcap_packets_total", 39)
	if n := p.metric("nfcap_refused_packets_total"); n != 13 {
		t.Errorf("%d packets were refused, want 13", n)
	}
	p.well()
	for name, want := range map[string]int{"one": 3, "list": 12, "net": 11} {
		if c := stored(t, dirs[name]); len(c.numbers) != want*perPacket {
			t.Errorf("%s: %d records, want those of %d packets", name, len(c.numbers), want)
		}
		p.says(fmt.Sprintf("Ident: '%s' Flows: %d, ", name, want*perPacket))
	}
	p.says("127.0.0.9: packets are refused: no source takes its address", "ignored packets: 13")
	if n := len(residents(t, base, "")); n != 0 {
		t.Errorf("%d files elsewhere", n)
	}
}

// -M makes a directory for each sender, so many and no more.
func TestDynamicSources(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := start(t, "-M", base, "--max-sources", "2", "-S", "1", "-w")
	var senders []*sender
	for i, from := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"} {
		s := exporter(t, p, from)
		s.send(i + 1)
		p.awaits("nfcap_packets_total", []int{1, 3, 6}[i])
		senders = append(senders, s)
	}
	if n := p.metric("nfcap_refused_packets_total"); n != 3 {
		t.Errorf("%d packets were refused, want 3", n)
	}
	if n := p.metric(`nfcap_stored_records_total{source="127-0-0-2"}`); n > perPacket {
		t.Errorf("%d records of the first", n)
	}
	senders[0].send(1)
	p.awaits("nfcap_packets_total", 7)
	p.well()
	for dir, want := range map[string]int{"127-0-0-2": 2, "127-0-0-3": 2} {
		if c := stored(t, filepath.Join(base, dir)); len(c.numbers) != want*perPacket {
			t.Errorf("%s: %d records, want those of %d packets", dir, len(c.numbers), want)
		}
	}
	for _, name := range residents(t, base, "nfcap.") {
		if !strings.HasPrefix(name, "127-0-0-2/2") && !strings.HasPrefix(name, "127-0-0-3/2") {
			t.Errorf("file %s", name)
		}
	}
	p.says("Ident: '127-0-0-2' Flows: 60, ", "127.0.0.4: packets are refused: too many sources")
}

// --allow is for all senders, and all ways in.
func TestAllow(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freePort(t)
	p := start(t, "-l", dir, "--allow", "127.0.0.2,127.0.0.16/28", "--allow", "::1", "--listen", fmt.Sprintf("tcp://127.0.0.1:%d", port))
	good := exporter(t, p, "127.0.0.2")
	exporter(t, p, "127.0.0.3").send(2)
	exporter(t, p, "127.0.0.32").send(4)
	good.send(3)
	late := exporter(t, p, "127.0.0.31")
	late.next = good.next
	late.send(1)
	connect := func(from string, m []byte) error {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			t.Cleanup(func() { c.Close() })
			_, err = c.Write(m)
		}
		return err
	}
	connect("127.0.0.3", ipfix(0, 1, set(2, template(300, numbered)), set(300, data(500, 5)))) // perhaps an error
	check(t, connect("127.0.0.20", ipfix(0, 1, set(2, template(300, numbered)), set(300, data(late.next, 5)))))
	p.awaits("nfcap_packets_total", 11)
	if n := p.metric("nfcap_refused_packets_total"); n != 6 {
		t.Errorf("%d packets were refused, want 6", n)
	}
	p.well()
	c := stored(t, dir)
	c.once(t, late.next+5)
	p.says("127.0.0.3: packets are refused: not allowed")
}

// -s is the rate of exporters that announce none, or of all.
func TestSampling(t *testing.T) {
	t.Parallel()
	options := func(interval uint32) [][]byte { // 34 samplingInterval, 35 samplingAlgorithm
		return [][]byte{set(1, big16(301, 4, 8, 1, 4, 34, 4, 35, 1)), set(301, append(big32(1, interval), 1))}
	}
	for _, c := range []struct {
		rate             string
		silent, announce string // what the two exporters' packets count
	}{
		{"", "1", "100"},
		{"10", "10", "100"},
		{"-10", "10", "10"},
	} {
		dir := t.TempDir()
		args := []string{"-l", dir}
		if c.rate != "" {
			args = append(args, "-s", c.rate)
		}
		p := start(t, args...)
		exporter(t, p, "127.0.0.2").raw(v9(5000, 1, set(0, template(300, numbered)), set(300, data(0, 1))))
		exporter(t, p, "127.0.0.3").raw(v9(5000, 1, append(options(100), set(0, template(300, numbered)), set(300, data(1, 1)))...))
		p.awaits("nfcap_packets_total", 2)
		p.well()
		got := storedAs(t, dir, "csv:%sa,%pkt")
		slices.Sort(got.rows)
		want := []string{"10.0.0.0," + c.silent, "10.0.0.1," + c.announce}
		if !slices.Equal(got.rows, want) {
			t.Errorf("-s %s: %q, want %q", c.rate, got.rows, want)
		}
	}
}

// Over IPv6 and on several ports at once.
func TestSeveralPorts(t *testing.T) {
	t.Parallel()
	if c, err := net.ListenPacket("udp", "[::1]:0"); err != nil {
		skip(t, "IPv6 on loopback: "+err.Error())
	} else {
		c.Close()
	}
	dir, a, b := t.TempDir(), freePort(t), freePort(t)
	p := launch{bare: true}.start(t, "-l", dir, "-b", "::1", "-p", fmt.Sprint(a), "--listen", fmt.Sprintf("udp://127.0.0.1:%d", b), "-6", "-4")
	six, err := net.Dial("udp", fmt.Sprintf("[::1]:%d", a))
	check(t, err)
	defer six.Close()
	six.Write(v5(0, 0, 10))
	four := dial(t, fmt.Sprintf("127.0.0.1:%d", b), "127.0.0.1")
	four.Write(v5(0, 10, 10))
	p.awaits("nfcap_packets_total", 2)
	p.well()
	c := storedAs(t, dir, "csv:%ra")
	c.once(t, 20)
	slices.Sort(c.rows)
	if got := slices.Compact(c.rows); !slices.Equal(got, []string{"127.0.0.1", "::1"}) {
		t.Errorf("the exporters are %q", got)
	}
}

func TestManners(t *testing.T) { clitest.Manners(t, run, "nfcap") }

// What cannot be is refused, with a hint.
func TestWrongUsage(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ args, says string }{
		{"-l D -n a,127.0.0.1,D", "-l, -n and -M are three ways to store: take one"},
		{"-l D -M D", "take one"},
		{"-M D -n a,127.0.0.1,D", "take one"},
		{"-n a,127.0.0.1", "want IDENT,ADDRESSES,DIR"},
		{"-n a,router,D", "router: neither an address nor a prefix"},
		{"-n a,127.0.0.1,D -n b,127.0.0.2,D/", "two sources in D/"},
		{"-n a,127.0.0.0/33,D", "neither an address nor a prefix"},
		{"-p 0", "-p 0: not a port"},
		{"-p 70000", "not a port"},
		{"-p x", "not a port"},
		{"--listen http://:80", "--listen"},
		{"--listen tls://:4740", "needs --tls-cert and --tls-key"},
		{"-J 10.0.0.1", "not a multicast group"},
		{"-s 0", "a sampling rate is 1 to 10000000"},
		{"-s 10000001", "a sampling rate is"},
		{"-s much", "a sampling rate is"},
		{"--allow nobody", "--allow nobody: neither"},
		{"--tunnel middle", "outer or inner"},
		{"-t 0 -l D", "a slot is a second or longer"},
		{"-S 9 -l D", "-S 9: 0 to 8"},
		{"-t 60", "--interval is about files: name a directory"},
		{"-w", "--align is about files"},
		{"-x true", "--exec is about files"},
		{"-e", "--expire is about files"},
		{"-e -l D", "-e needs --max-size or --max-age"},
		{"-l D --max-size 5G", "are for -e"},
		{"-l D -e --max-age soon", "--max-age soon: want a time such as 30d"},
		{"-l D -e --max-age 30d --watermark 101", "1 to 100"},
		{"-l D -x 'unclosed", "the quote is not closed"},
		{"-l D -I a\x7fb", "no blanks"},
		{"-A", "-A is about a relay"},
		{"-R host:port", "-R host:port: "},
		{"-f x.pcap -p 9995", "-f reads a capture"},
		{"-f x.pcap -R 127.0.0.1", "it does not go with -f"},
		{"-z=rar", "unknown compression"},
		{"--flush 1ms", "too short"},
		{"--max-sources 0", "at least 1"},
		{"--exporters 0", "out of range"},
		{"src port 53", ""},
	} {
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "D", dir)
		}
		r := clitest.Run(run, "nfcap", "", args...)
		if r.Code != cli.Usage || r.Stdout != "" || !strings.HasPrefix(r.Stderr, "nfcap: ") ||
			!strings.Contains(r.Stderr, strings.ReplaceAll(c.says, "D/", dir+"/")) || !strings.Contains(r.Stderr, "\nhint: ") {
			t.Errorf("nfcap %s: code %d, stdout %q, stderr %q", c.args, r.Code, r.Stdout, r.Stderr)
		}
	}
}

// What cannot be opened is said, with the reason.
func TestCannotOpen(t *testing.T) {
	t.Parallel()
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	defer taken.Close()
	port := fmt.Sprint(taken.LocalAddr().(*net.UDPAddr).Port)
	for _, c := range []struct{ args, says string }{
		{"-b 127.0.0.1 -p " + port, "address already in use\nhint: ss -anp | grep :" + port + " shows"},
		{"-b 192.0.2.77 -p 9995", "cannot assign requested address\nhint: no interface of this machine has that address"},
		{"-b no-such-interface0", "no-such-interface0"},
		{"-f /nonexistent.pcap", "/nonexistent.pcap: no such file"},
		{"-f /dev/null", "/dev/null: "},
	} {
		if r := clitest.Run(run, "nfcap", "", strings.Fields(c.args)...); r.Code == cli.Done || r.Stdout != "" || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("nfcap %s: code %d, stdout %q, stderr %q", c.args, r.Code, r.Stdout, r.Stderr)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	for _, args := range []string{"-l D --metrics " + l.Addr().String(), "-n a,127.0.0.1,D -n b,127.0.0.2,/nonexistent/dir"} {
		dir := t.TempDir()
		p := launch{}.spawn(t, strings.Fields(strings.ReplaceAll(args, "D", dir))...)
		if code := p.wait(); code != cli.Failed {
			t.Errorf("%s: code %d", args, code)
		}
		if left := residents(t, dir, "nfcap.current"); len(left) > 0 {
			t.Errorf("%s: %q is left, as after a crash", args, left)
		}
	}
	for _, dir := range []string{"-l /nonexistent/dir", "-M /nonexistent/dir", "-n a,127.0.0.1,/nonexistent/dir"} {
		p := launch{}.spawn(t, strings.Fields(dir)...)
		if code := p.wait(); code != cli.Failed {
			t.Errorf("%s: code %d", dir, code)
		}
		p.says("nfcap: /nonexistent/dir: ")
	}
}
