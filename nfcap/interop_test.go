package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
)

// needPrograms skips a test unless Debian's programs are there.
func needPrograms(t testing.TB, names ...string) {
	t.Helper()
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			skip(t, name+": apt-get install nfdump softflowd")
		}
	}
}

// command runs a program to its end and returns what it prints.
func command(t testing.TB, words ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	var errors said
	c.Stderr = &errors
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(words, " "), err, out, &errors)
	}
	return string(out)
}

const office = "../testdata/office.pcap"

// listing is what is compared of records.
const listing = "fmt:%ts %te %pr %sap %dap %pkt %byt %flg %tos"

// plain are the rows of a listing, whatever their columns' widths, in order.
func plain(rows []string) []string {
	var out []string
	for _, r := range rows {
		if words := strings.Fields(r); len(words) > 0 {
			out = append(out, strings.Join(words, " "))
		}
	}
	slices.Sort(out)
	return out
}

// listed lists what nfcap has stored, and nfdumped what nfdump says of nfcapd's file.
func listed(t testing.TB, dir string) []string {
	t.Helper()
	p, err := format.New(listing, format.Options{Plain: true, Quiet: true, Full: true})
	check(t, err)
	var rows []string
	for _, name := range residents(t, dir, "nfcap.") {
		f, err := os.Open(filepath.Join(dir, name))
		check(t, err)
		check(t, stream.NewReader(f, stream.Options{Name: name}).Each(func(b *flow.Batch) error {
			text, err := p.Batch(nil, b, 0)
			rows = append(rows, strings.Split(string(text), "\n")...)
			return err
		}))
		f.Close()
	}
	return plain(rows)
}

func nfdumped(t testing.TB, dir string, filter ...string) []string {
	t.Helper()
	names := residents(t, dir, "nfcapd.2")
	if len(names) != 1 {
		t.Fatalf("nfcapd has files %q", names)
	}
	return plain(strings.Split(command(t, append([]string{"nfdump", "-r", filepath.Join(dir, names[0]), "-q", "-N", "-6", "-o", listing}, filter...)...), "\n"))
}

// nfcapd starts Debian's collector; the returned function ends it.
func nfcapd(t testing.TB, dir string) (port int, stop func()) {
	t.Helper()
	port = freePort(t)
	c := exec.Command("nfcapd", "-w", dir, "-p", fmt.Sprint(port), "-b", "127.0.0.1", "-t", "86400")
	var log said
	c.Stdout, c.Stderr = &log, &log
	check(t, c.Start())
	ended := make(chan struct{})
	go func() { c.Wait(); close(ended) }()
	t.Cleanup(func() { c.Process.Kill(); <-ended })
	eventually(t, "nfcapd has started", func() bool { return strings.Contains(log.String(), "Startup") })
	return port, func() {
		c.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatalf("nfcapd does not end: %s", &log)
		}
	}
}

// different are the rows that only one of two lists has.
func different(ours, theirs []string) (onlyOurs, onlyTheirs []string) {
	count := map[string]int{}
	for _, r := range theirs {
		count[r]++
	}
	for _, r := range ours {
		if count[r]--; count[r] < 0 {
			onlyOurs = append(onlyOurs, r)
		}
	}
	for r, n := range count {
		for ; n > 0; n-- {
			onlyTheirs = append(onlyTheirs, r)
		}
	}
	slices.Sort(onlyTheirs)
	return onlyOurs, onlyTheirs
}

// What softflowd exports is stored as nfcapd stores it, which gets the same packets by -R. Of
// NetFlow v9 nfcapd 1.7.1 takes an uptime of 0 for 1970 and loses type and code of ICMPv6: the
// rows that differ are those alone.
func TestSoftflowdAndRelay(t *testing.T) {
	needPrograms(t, "softflowd", "nfcapd", "nfdump")
	for _, c := range []struct {
		name, options   string
		records, differ int
	}{
		{"v5", "-v 5", 57, 0}, // has no IPv6
		{"v9", "-v 9", 82, 13},
		{"ipfix", "-v 10 -A milli", 82, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, theirs := t.TempDir(), t.TempDir()
			port, stop := nfcapd(t, theirs)
			p := start(t, "-l", dir, "-t", "86400", "-R", fmt.Sprintf("127.0.0.1/%d", port))
			command(t, append([]string{"softflowd", "-r", office, "-n", fmt.Sprintf("127.0.0.1:%d", p.port), "-6", "-a", "-d",
				"-p", filepath.Join(t.TempDir(), "pid"), "-c", "none"}, strings.Fields(c.options)...)...)
			p.awaits("nfcap_stored_records_total", c.records)
			p.well() // and all is relayed
			stop()
			ours := listed(t, dir)
			if len(ours) != c.records {
				t.Errorf("%d records, want %d", len(ours), c.records)
			}
			a, b := different(ours, nfdumped(t, theirs))
			if len(a) != c.differ || len(b) != c.differ {
				t.Errorf("%d and %d rows differ, want %d:\n%s\nnfdump:\n%s", len(a), len(b), c.differ, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
			if a, b = different(loose(a, b)); len(a)+len(b) > 0 {
				t.Errorf("rows differ:\n%s\nnfdump:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
		})
	}
}

// loose takes out of rows what is known to differ.
func loose(ours, theirs []string) (a, b []string) {
	port := func(r string) string { // of ICMPv6
		words := strings.Fields(r)
		if words[4] == "58" {
			words[6] = strings.Join(strings.Split(words[6], ".")[:1], "")
		}
		return strings.Join(words, " ")
	}
	lost := map[string]bool{} // rows whose time nfdump has lost
	for _, r := range theirs {
		if rest, ok := strings.CutPrefix(r, "1970-01-01 00:00:00.000 1970-01-01 00:00:00.000 "); ok {
			lost[rest] = true
			r = rest
		}
		b = append(b, port(r))
	}
	for _, r := range ours {
		if words := strings.SplitN(r, " ", 5); lost[words[4]] {
			r = words[4]
		}
		a = append(a, port(r))
	}
	return a, b
}

// nfreplay sends what nfpcapd has stored, and nfcap has the same.
func TestNfreplay(t *testing.T) {
	needPrograms(t, "nfpcapd", "nfreplay", "nfdump")
	theirs := t.TempDir()
	command(t, "nfpcapd", "-r", office, "-w", theirs)
	file := filepath.Join(theirs, residents(t, theirs, "nfcapd.2")[0])
	for version, filter := range map[string]string{"5": "ipv4", "9": "any"} {
		dir := t.TempDir()
		p := start(t, "-l", dir, "-t", "86400")
		want := nfdumped(t, theirs, filter)
		command(t, "nfreplay", "-r", file, "-H", "127.0.0.1", "-p", fmt.Sprint(p.port), "-v", version, filter)
		p.awaits("nfcap_stored_records_total", len(want))
		p.well()
		if a, b := different(listed(t, dir), want); len(want) < 50 || len(a)+len(b) > 0 {
			t.Errorf("v%s: of %d rows differ:\n%s\nnfdump:\n%s", version, len(want), strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	}
}

// What arrives goes on as it came, also what nfcap itself has no use for, to every target; with
// -A from where it came. A target that nobody listens at costs nothing.
func TestRelay(t *testing.T) {
	t.Parallel()
	for name, spoof := range map[string]bool{"plain": false, "spoofed": true} {
		t.Run(name, func(t *testing.T) {
			if spoof && os.Getuid() != 0 {
				skip(t, "root, to relay with the address of the sender")
			}
			relayTo(t, spoof)
		})
	}
}

func relayTo(t *testing.T, spoof bool) {
	var targets []*net.UDPConn
	args := []string{"-l", t.TempDir(), "-R", fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	for _, form := range []string{"127.0.0.1:%d", "127.0.0.1/%d"} {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		check(t, err)
		defer c.Close()
		targets = append(targets, c)
		args = append(args, "-R", fmt.Sprintf(form, c.LocalAddr().(*net.UDPAddr).Port))
	}
	if spoof {
		args = append(args, "-A")
	}
	p := start(t, args...)
	s := exporter(t, p, "127.0.0.77")
	packets := [][]byte{v5(0, 0, 30), []byte("what is this"), {0}, make([]byte, 9000), v9(5000, 1, set(0, template(300, numbered)), set(300, data(30, 5)))}
	for _, m := range packets {
		s.raw(m)
	}
	for i, c := range targets {
		b := make([]byte, 1<<16)
		for k, want := range packets {
			c.SetReadDeadline(time.Now().Add(patience))
			n, from, err := c.ReadFromUDPAddrPort(b)
			check(t, err)
			if string(b[:n]) != string(want) {
				t.Errorf("target %d: packet %d has %d bytes, or others, than the %d that were sent", i, k, n, len(want))
			}
			if spoof != (from.String() == s.conn.LocalAddr().String()) {
				t.Errorf("target %d: packet %d is from %s, spoofing is %v", i, k, from, spoof)
			}
		}
	}
	p.awaits("nfcap_packets_total", len(packets))
	p.awaits("nfcap_relay_sent_packets_total", 3*len(packets))
	p.awaits(fmt.Sprintf("nfcap_relay_sent_packets_total{target=%q}", targets[1].LocalAddr()), len(packets))
	if n := p.metric("nfcap_relay_dropped_packets_total") + p.metric("nfcap_relay_failed_packets_total"); n > 0 {
		t.Errorf("%d packets were not relayed", n)
	}
	p.well()
	c := stored(t, args[1])
	c.once(t, 35)
}

// What is received after the signal to end is relayed as well.
func TestRelayAtTheEnd(t *testing.T) {
	t.Parallel()
	target, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(t, err)
	relayed := make(chan int)
	go func() {
		n, b := 0, make([]byte, 1<<16)
		for {
			if _, err := target.Read(b); err != nil {
				relayed <- n
				return
			}
			n++
		}
	}()
	dir := t.TempDir()
	for range 10 {
		p := start(t, "-l", dir, "-t", "86400", "-R", target.LocalAddr().String())
		s := exporter(t, p, "")
		s.raw(v5(0, 0, 1))
		p.awaits("nfcap_packets_total", 1)
		for i := range uint32(100) {
			s.raw(v5(1+i, 1+i, 1))
		}
		p.well()
	}
	target.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, stored := <-relayed, len(stored(t, dir).numbers); n != stored || n <= 10 {
		t.Errorf("%d packets were relayed, %d stored", n, stored)
	}
	target.Close()
}
