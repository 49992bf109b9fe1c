package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nfpipe/lib/transport"
)

func ip(t testing.TB, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", line, err, out)
	}
}

// cable puts the test into a network namespace of its own, with two interfaces v0 and v1 that are
// joined and on which nothing is sent but by the test.
func cable(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "root, for a network namespace")
	}
	needPrograms(t, "ip", "tcpreplay")
	runtime.LockOSThread() // and no unlocking: the thread ends with the test, and the namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		skip(t, "network namespaces: "+err.Error())
	}
	ip(t, "link set lo up")
	for _, name := range []string{"default", "all"} {
		os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	}
	ip(t, "link add v0 type veth peer name v1")
	ip(t, "link set v0 mtu 9000 up")
	ip(t, "link set v1 mtu 9000 up")
	for _, name := range []string{"v0", "v1"} { // only then packets pass
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if i, err := net.InterfaceByName(name); err == nil && i.Flags&net.FlagRunning != 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s does not come up", name)
			}
		}
	}
}

// replay sends captures by v0.
func send(t testing.TB, files ...string) {
	t.Helper()
	command(t, append([]string{"tcpreplay", "-q", "-p", "2000", "-i", "v0"}, files...)...)
}

// live starts nfexp -i v1 and waits until it captures.
func live(t testing.TB, args ...string) (control string, said *lockedBuffer, stop func()) {
	t.Helper()
	control = filepath.Join(t.TempDir(), "ctl")
	said, stop = background(t, append([]string{built(t, "nfexp"), "-i", "v1", "-d", "-c", control}, args...)...)
	until(t, "nfexp captures", func() bool { _, err := os.Stat(control); return err == nil })
	return control, said, stop
}

func ctl(t testing.TB, path, word string) string {
	t.Helper()
	return string(command(t, built(t, "nfexp"), "--ctl", word, "-c", path))
}

// Crafted captures of Ethernet frames that are whole.
var crafted = func() (files []string) {
	for _, name := range []string{"01_tcp_fin", "02_tcp_rst", "03_tcp_reuse", "04_udp_idle_gap", "07_icmp_echo", "08_ip4_frag", "09_ip4_frag_ooo",
		"11_*", "12_ip6_frag", "13_vlan", "14_qinq", "15_*", "16_*", "17_tunnels", "18_*", "20_dns", "21_nonip", "22_otherproto", "23_*",
		"24_selfaddr", "25_*", "26_*", "27_*", "33_100flows"} {
		found, _ := filepath.Glob("../testdata/crafted/" + name + ".pcap")
		files = append(files, found...)
	}
	return files
}()

// What is sent to an interface makes the same records as the same captures read from files, but
// for the times.
func TestLiveIsLikeFiles(t *testing.T) {
	if len(crafted) < 24 {
		t.Fatalf("%d captures: %q", len(crafted), crafted)
	}
	cable(t)
	timeouts := []string{"-t", "udp=1h", "-t", "icmp=1h", "-t", "tcp.fin=1h", "-t", "tcp.rst=1h", "-T", "vlan", "-v", "10"}
	const listing = "fmt:%pr %sap %dap %pkt %byt %flg %tos %svln %dvln %minttl %maxttl %mpls1 %mpls2 %end"
	r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
	var args []string
	for _, f := range crafted {
		args = append(args, "-r", f)
	}
	if got := nfexp("", append(append(args, timeouts...), "-n", r.at.String())...); got.Code != 0 {
		t.Fatalf("%+v", got)
	}
	time.Sleep(200 * time.Millisecond)
	r.mu.Lock()
	r.sink.Flush()
	want := table(t, listing, r.batches)
	r.mu.Unlock()
	if len(want) < 130 {
		t.Fatalf("%d records from files", len(want))
	}
	s := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
	_, said, stop := live(t, append(timeouts, "-n", s.at.String())...)
	send(t, crafted...)
	time.Sleep(300 * time.Millisecond)
	stop()
	if text := said.String(); text != "" {
		t.Errorf("nfexp says %s", text)
	}
	same(t, "live", table(t, listing, s.wait(len(want))), want)
	if !slices.Contains(s.tables, "interfaces") || !slices.Contains(s.tables, "options") {
		t.Errorf("tables %q: the name of the interface, or when metering began, is not announced", s.tables)
	}
}

// A flow that idles out leaves within a second of its timeout, on a link that is quiet.
func TestIdleLeaves(t *testing.T) {
	cable(t)
	r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
	live(t, "-t", "udp=2", "-t", "expint=0", "-v", "9", "-n", r.at.String())
	begin := time.Now()
	send(t, "../testdata/crafted/18_padding.pcap", "../testdata/crafted/10_ip4_frag_incomplete.pcap")
	sent := time.Now()
	until(t, "the flow has left", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sink.Flush()
		return r.n > 0
	})
	if after := time.Since(begin); after < 2*time.Second || time.Since(sent) > 3300*time.Millisecond {
		t.Errorf("the flow left after %v, its timeout is 2 s", after)
	}
}

// The commands of the control socket.
func TestControl(t *testing.T) {
	cable(t)
	r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
	path, said, _ := live(t, "-v", "9", "-n", r.at.String())
	send(t, "../testdata/crafted/33_100flows.pcap")
	until(t, "all is metered", func() bool {
		return strings.Contains(ctl(t, path, "statistics"), "packets metered                    100\n")
	})
	if n := strings.Count(ctl(t, path, "dump-flows"), "1 packets, 128 bytes"); n != 100 {
		t.Errorf("dump-flows shows %d flows", n)
	}
	if s := ctl(t, path, "timeouts"); !strings.Contains(s, "udp      5m0s\n") || !strings.Contains(s, "maxlife  168h0m0s\n") {
		t.Errorf("timeouts: %s", s)
	}
	if s := ctl(t, path, "expire-all"); !strings.Contains(s, "expired 100 flows") {
		t.Errorf("expire-all: %s", s)
	}
	r.wait(100)
	ctl(t, path, "stop-gather")
	send(t, "../testdata/crafted/33_100flows.pcap")
	time.Sleep(500 * time.Millisecond) // what was captured before is not looked at
	ctl(t, path, "start-gather")
	send(t, "../testdata/crafted/20_dns.pcap")
	until(t, "the rest is metered", func() bool {
		return strings.Contains(ctl(t, path, "statistics"), "packets metered                    104\n")
	})
	if s := ctl(t, path, "delete-all"); !strings.Contains(s, "deleted 1 flows") {
		t.Errorf("delete-all: %s", s)
	}
	if s := ctl(t, path, "debug+"); !strings.Contains(s, "on") {
		t.Errorf("debug+: %s", s)
	}
	ctl(t, path, "send-template")
	send(t, "../testdata/crafted/20_dns.pcap")
	until(t, "the last flow is there", func() bool {
		return strings.Contains(ctl(t, path, "statistics"), "packets metered                    108\n")
	})
	if s := ctl(t, path, "nonsense"); !strings.Contains(s, "no command") || !strings.Contains(s, "expire-all") {
		t.Errorf("nonsense: %s", s)
	}
	if s := ctl(t, path, "shutdown"); !strings.Contains(s, "shutting down") {
		t.Errorf("shutdown: %s", s)
	}
	r.wait(102)
	until(t, "nfexp has ended", func() bool { return strings.Contains(said.String(), "expired: ") })
	if got := nfexp("", "--ctl", "help", "-c", filepath.Join(t.TempDir(), "none")); got.Code != 1 || !strings.Contains(got.Stderr, "hint: ") {
		t.Errorf("no socket: %+v", got)
	}
}

// Without -d nfexp is in the background when the command returns, with a pid file, and SIGTERM
// sends what is in the cache.
func TestDetach(t *testing.T) {
	cable(t)
	r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
	dir := t.TempDir()
	pidfile, control := filepath.Join(dir, "pid"), filepath.Join(dir, "ctl")
	command(t, built(t, "nfexp"), "-i", "v1", "-p", pidfile, "-c", control, "-v", "9", "-n", r.at.String())
	text, err := os.ReadFile(pidfile)
	check(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	check(t, err)
	defer syscall.Kill(pid, syscall.SIGKILL)
	send(t, "../testdata/crafted/33_100flows.pcap")
	until(t, "all is metered", func() bool {
		return strings.Contains(ctl(t, control, "statistics"), "packets metered                    100\n")
	})
	check(t, syscall.Kill(pid, syscall.SIGTERM))
	r.wait(100)
	until(t, "the pid file is gone", func() bool { _, err := os.Stat(pidfile); return os.IsNotExist(err) })
	got := nfexp("", "-i", "no-such-if", "-d", "-n", "127.0.0.1:9")
	if got.Code != 1 || !strings.Contains(got.Stderr, "no-such-if") || !strings.Contains(got.Stderr, "v0") {
		t.Errorf("%+v", got)
	}
}

// --spoof sends from the address of the exporter, over IPv4.
func TestSpoof(t *testing.T) {
	cable(t)
	ip(t, "addr add 192.0.2.2/24 dev lo")
	export := command(t, built(t, "nfcap"), "-f", "../testdata/export.pcap")
	for _, version := range []string{"5", "9", "10"} {
		r := receive(t, "udp", "192.0.2.2", transport.StreamOptions{})
		if got := nfexp(string(export), "-v", version, "--spoof", "-n", r.at.String()); got.Code != 0 {
			t.Fatalf("%+v", got)
		}
		n := 82
		if version == "5" {
			n = len(only4(t, table(t, fields[5], batchesOf(t, export))))
		}
		batches := r.wait(n)
		if len(r.from) != 1 || r.from["198.51.100.1"] == nil {
			t.Errorf("version %s: packets come from %v", version, fmt.Sprint(r.from))
		}
		if rows := table(t, "fmt:%ra", batches); rows[0] != "198.51.100.1" || rows[len(rows)-1] != "198.51.100.1" {
			t.Errorf("version %s: exporters %q", version, rows[:1])
		}
		r.close()
	}
}
