package main

import (
	"bytes"
	"encoding/json"
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

	"nfpipe/lib/cli"
	"nfpipe/lib/transport"
)

// freePort is a port of 127.0.0.1 that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return port
}

// background starts a program that runs until stop.
func background(t testing.TB, words ...string) (said *lockedBuffer, stop func()) {
	t.Helper()
	c := exec.Command(words[0], words[1:]...)
	said = &lockedBuffer{}
	c.Stdout, c.Stderr = said, said
	check(t, c.Start())
	ended := make(chan struct{})
	go func() { c.Wait(); close(ended) }()
	t.Cleanup(func() { c.Process.Kill(); <-ended })
	return said, func() {
		c.Process.Signal(syscall.SIGINT)
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatalf("%s does not end: %s", words[0], said)
		}
	}
}

// until waits for a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Debian's nfcapd stores what nfexp sends, and nfdump prints of it what was metered.
func TestNfcapd(t *testing.T) {
	needPrograms(t, "nfcapd", "nfdump")
	input := metered(t, "-r", office)
	const listing = "fmt:%ts %te %pr %sap %dap %pkt %byt %flg %tos"
	for _, c := range []struct {
		version int
		times   string
	}{{1, ""}, {5, ""}, {9, ""}, {9, "milli"}, {10, "milli"}} { // it knows no times of IPFIX in other units
		what := fmt.Sprintf("v%d -A %s", c.version, c.times)
		dir, port := t.TempDir(), freePort(t)
		log, stop := background(t, "nfcapd", "-w", dir, "-p", port, "-b", "127.0.0.1", "-t", "86400")
		until(t, "nfcapd has started", func() bool { return strings.Contains(log.String(), "Startup") })
		args := []string{"-v", fmt.Sprint(c.version), "-n", "127.0.0.1:" + port}
		if c.times != "" {
			args = append(args, "-A", c.times)
		}
		if got := nfexp(string(input), args...); got.Code != cli.Done {
			t.Fatalf("%s: %+v", what, got)
		}
		time.Sleep(300 * time.Millisecond)
		stop()
		files, err := filepath.Glob(filepath.Join(dir, "nfcapd.2*"))
		check(t, err)
		if len(files) != 1 {
			t.Fatalf("%s: nfcapd has files %q: %s", what, files, log)
		}
		got := plain(strings.Split(string(command(t, "nfdump", "-r", files[0], "-q", "-N", "-6", "-o", listing)), "\n"))
		want := table(t, listing, batchesOf(t, input))
		if c.version < 9 {
			want = only4(t, want)
		}
		if c.version == 9 { // where nfcapd 1.7.1 looks for element 32 alone, which is that of IPv4
			want = typeless6(want)
		}
		same(t, "nfcapd, "+what, got, want)
		if text := log.String(); !strings.Contains(text, "Sequence Errors: 0") {
			t.Errorf("%s: nfcapd says %s", what, text)
		}
	}
}

// typeless6 are rows without type and code of ICMPv6.
func typeless6(rows []string) []string {
	var out []string
	for _, r := range rows {
		w := strings.Fields(r)
		if w[4] == "58" {
			address, _, _ := strings.Cut(w[6], ".")
			w[6] = address + ".0.0"
		}
		out = append(out, strings.Join(w, " "))
	}
	slices.Sort(out)
	return out
}

// pmacct's nfacctd counts the packets and bytes of each flow as they were sent.
func TestNfacctd(t *testing.T) {
	needPrograms(t, "nfacctd")
	input := metered(t, "-r", office)
	for _, version := range []string{"5", "9", "10"} {
		dir, port := t.TempDir(), freePort(t)
		config := filepath.Join(dir, "conf")
		output := filepath.Join(dir, "out")
		check(t, os.WriteFile(config, []byte(strings.Join([]string{
			"daemonize: false", "plugins: print", "nfacctd_ip: 127.0.0.1", "nfacctd_port: " + port, "print_output: json", "print_output_file: " + output,
			"print_refresh_time: 2", "aggregate: src_host,dst_host,src_port,dst_port,proto,tcpflags,tos", "nfacctd_time_new: true", "print_output_file_append: true", "",
		}, "\n")), 0o600))
		log, stop := background(t, "nfacctd", "-f", config)
		until(t, "nfacctd has started", func() bool {
			return strings.Contains(log.String(), "waiting for") && strings.Contains(log.String(), "JSON: ")
		})
		time.Sleep(500 * time.Millisecond) // its plugin is a process of its own
		if got := nfexp(string(input), "-v", version, "-n", "127.0.0.1:"+port); got.Code != cli.Done {
			t.Fatalf("version %s: %+v", version, got)
		}
		until(t, "nfacctd has written", func() bool { b, _ := os.ReadFile(output); return bytes.Count(b, []byte("\n")) > 30 })
		stop()
		b, err := os.ReadFile(output)
		check(t, err)
		got := map[string][2]int{}
		for line := range bytes.Lines(b) {
			var f struct {
				Src     string `json:"ip_src"`
				Dst     string `json:"ip_dst"`
				Sport   int    `json:"port_src"`
				Dport   int    `json:"port_dst"`
				Proto   string `json:"ip_proto"`
				Packets int    `json:"packets"`
				Bytes   int    `json:"bytes"`
			}
			check(t, json.Unmarshal(line, &f))
			if strings.Contains(f.Proto, "icmp") {
				f.Sport, f.Dport = 0, 0
			}
			k := fmt.Sprintf("%s %d %s %d", f.Src, f.Sport, f.Dst, f.Dport)
			got[k] = [2]int{got[k][0] + f.Packets, got[k][1] + f.Bytes}
		}
		want := map[string][2]int{}
		for _, row := range table(t, "csv:%sa,%sp,%da,%dp,%pkt,%byt,%pr", batchesOf(t, input)) {
			w := strings.Split(row, ",")
			if w[6] == "1" || w[6] == "58" { // type and code are no ports
				w[3] = "0"
			}
			if version == "5" && strings.Contains(w[0], ":") {
				continue
			}
			n := func(s string) (x int) { fmt.Sscan(s, &x); return x }
			k := fmt.Sprintf("%s %d %s %d", w[0], n(w[1]), w[2], n(w[3]))
			want[k] = [2]int{want[k][0] + n(w[4]), want[k][1] + n(w[5])}
		}
		for k, n := range want {
			if got[k] != n {
				t.Errorf("version %s: %s: nfacctd has %v, want %v", version, k, got[k], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("version %s: nfacctd has %d flows, want %d", version, len(got), len(want))
		}
	}
}

// tshark reads every message without a word of warning, and as many records as were sent.
func TestTshark(t *testing.T) {
	needPrograms(t, "tshark")
	input := metered(t, "-r", office)
	export := command(t, built(t, "nfcap"), "-f", "../testdata/export.pcap")
	for _, c := range []struct {
		name, version string
		input         []byte
		args          string
	}{
		{"v1", "1", input, ""}, {"v5", "5", input, ""}, {"v9", "9", input, ""}, {"v9 absolute", "9", input, "-A milli"}, {"IPFIX", "10", input, ""},
		{"IPFIX micro", "10", input, "-A micro"}, {"IPFIX sec", "10", input, "-A sec"}, {"collected", "10", export, ""}, {"collected, v9", "9", export, ""},
	} {
		r := receive(t, "udp", "127.0.0.1", transport.StreamOptions{})
		got := nfexp(string(c.input), append([]string{"-v", c.version, "-n", r.at.String()}, strings.Fields(c.args)...)...)
		if got.Code != cli.Done {
			t.Fatalf("%s: %+v", c.name, got)
		}
		n := 82
		if c.version == "1" || c.version == "5" {
			n = len(only4(t, table(t, fields[5], batchesOf(t, c.input))))
		}
		r.wait(n)
		file := filepath.Join(t.TempDir(), "sent.pcap")
		check(t, os.WriteFile(file, asCapture(r.packets), 0o600))
		out := string(command(t, "tshark", "-r", file, "-d", "udp.port==2055,cflow", "-T", "fields", "-e", "_ws.expert.message", "-e", "_ws.malformed", "-Y", "_ws.expert || _ws.malformed"))
		if strings.TrimSpace(out) != "" {
			t.Errorf("%s: tshark says %s", c.name, out)
		}
		flows := string(command(t, "tshark", "-r", file, "-d", "udp.port==2055,cflow", "-V"))
		if k := strings.Count(flows, "SrcAddr: ") + 0; k != n {
			t.Errorf("%s: tshark sees %d records, want %d", c.name, k, n)
		}
	}
}

// asCapture makes a capture of datagrams to port 2055.
func asCapture(packets [][]byte) []byte {
	var b bytes.Buffer
	b.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0}) // raw IP
	u32 := func(n int) { b.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) }
	for i, p := range packets {
		n := 28 + len(p)
		u32(1700000000 + i)
		u32(0)
		u32(n)
		u32(n)
		b.Write([]byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1})
		b.Write([]byte{0x30, 0x39, 0x08, 0x07, byte((n - 20) >> 8), byte(n - 20), 0, 0})
		b.Write(p)
	}
	return b.Bytes()
}
