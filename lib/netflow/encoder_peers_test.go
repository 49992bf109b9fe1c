package netflow

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// need skips a test without a program, unless all must run.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("NFPIPE_REQUIRE") == "all" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// peerBatches are records that every version can carry but for IPv6, of two domains, one of which
// samples.
func peerBatches(t *testing.T) []*flow.Batch {
	var four, six, sampled [][]uint64
	for i := range uint64(60) {
		start := at - 100_000*ms + i*1001*ms
		four = append(four, []uint64{0x0a000001 + i, 0x0a000100 + i, 1024 + i, 80, 6, 0x1b, 8, 10 + i, 1000 + i, start, start + i*7*ms, 3, 4, 64500, 64501, 24, 16, 0x0a0000fe, 0x0a090909, 7})
		if i < 30 {
			six = append(six, []uint64{0x20010db8<<32 + i, 0x20010db8<<32 + 256 + i, 1024 + i, 443, 17, 0, 0, 20 + i, 2000 + i, start, start + i*5*ms, 3, 4, 0x0a090909, 7})
			sampled = append(sampled, []uint64{0x0a010001 + i, 0x0a010100 + i, 1024 + i, 22, 6, 2, 0, 30 + i, 3000 + i, start, start + 3*ms, 0x0a090909, 8, 1, 9})
		}
	}
	return []*flow.Batch{
		made(t, flow.ShapeOf(8, 12, 7, 11, 4, 6, 5, 2, 1, 152, 153, 10, 14, 16, 17, 9, 13, 15, 130, 149), four...),
		made(t, flow.ShapeOf(27, 28, 7, 11, 4, 6, 5, 2, 1, 152, 153, 10, 14, 130, 149), six...),
		made(t, flow.ShapeOf(8, 12, 7, 11, 4, 6, 5, 2, 1, 152, 153, 130, 149, ie.SamplingInterval, ie.SamplingSpace), sampled...),
	}
}

// peerMessages are the messages of batches, and the records that a receiver should have, as text.
func peerMessages(t *testing.T, e Encoding) (messages [][]byte, want []string) {
	c := newChannel(t, e)
	batches := peerBatches(t)
	c.through(batches...)
	for _, b := range batches {
		for _, r := range rowsOf(t, b) {
			if r.has(27) && e.Version < 9 {
				continue
			}
			src, dst, factor := r.get(8), r.get(12), uint64(1)
			if r.has(27) {
				src, dst = r.get(27), r.get(28)
			}
			if r.has(ie.SamplingSpace) {
				factor = 10
			}
			num := func(id ie.ID) uint64 { return r.all(id)[0].num }
			want = append(want, fmt.Sprintf("%s,%s,%d,%d,%d,%d,%d,%d,%d", src, dst, num(7), num(11), num(4),
				num(2)*factor, num(1)*factor, num(152)/ms, (num(153)-num(152))/ms))
		}
	}
	slices.Sort(want)
	return c.sent, want
}

// writePcap writes datagrams as a capture of raw IPv4 packets.
func writePcap(t *testing.T, name string, datagrams [][]byte) {
	t.Helper()
	le := binary.LittleEndian
	p := le.AppendUint32(nil, 0xa1b2c3d4)
	p = append(p, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	p = le.AppendUint32(le.AppendUint32(p, 1<<18), 101)
	for i, d := range datagrams {
		n := 28 + len(d)
		p = le.AppendUint32(le.AppendUint32(p, testTime), uint32(i))
		p = le.AppendUint32(le.AppendUint32(p, uint32(n)), uint32(n))
		p = append(p, join(uint8(0x45), uint8(0), uint16(n), uint32(0), uint8(64), uint8(17), uint16(0), addr("192.0.2.1"), addr("192.0.2.2"),
			uint16(40000), uint16(2055), uint16(n-20), uint16(0), d)...)
	}
	if err := os.WriteFile(name, p, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Tshark finds nothing wrong with the messages: no fields that it cannot read, no gap in the
// sequence numbers.
func TestEncodeTshark(t *testing.T) {
	need(t, "tshark")
	for _, e := range []Encoding{{Version: 1}, {Version: 5}, {Version: 9}, {Version: 9, Times: TimesMilliseconds}, {Version: 9, Times: TimesMicroseconds},
		{Version: 9, Times: TimesNanoseconds}, {Version: 10, Started: testBoot * ms}, {Version: 10, Times: TimesSeconds}, {Version: 10, Size: 300, Times: TimesMicroseconds}, {Version: 10, Times: TimesNanoseconds}} {
		messages, want := peerMessages(t, e)
		name := filepath.Join(t.TempDir(), "messages.pcap")
		writePcap(t, name, messages)
		cmd := exec.Command("tshark", "-r", name, "-d", "udp.port==2055,cflow", "-V")
		cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		text := string(out)
		for _, bad := range []string{"Malformed", "Expert Info", "No template", "no template"} {
			if i := strings.Index(text, bad); i >= 0 {
				t.Errorf("%+v: tshark says %q", e, text[max(0, i-300):min(len(text), i+300)])
			}
		}
		n := strings.Count(text, "SrcPort: ")
		if n != len(want) {
			t.Errorf("%+v: tshark has %d records, want %d", e, n, len(want))
		}
		if got := strings.Count(text, "Cisco NetFlow/IPFIX"); got != len(messages) {
			t.Errorf("%+v: %d messages, want %d", e, got, len(messages))
		}
	}
}

// Nfcapd stores the records with the values that they have, those that are sampled multiplied by
// their rate.
func TestEncodeNfcapd(t *testing.T) {
	need(t, "nfcapd")
	need(t, "nfdump")
	for _, e := range []Encoding{{Version: 5}, {Version: 9}, {Version: 9, Times: TimesMilliseconds}, {Version: 10, Times: TimesMilliseconds}, {Version: 10}} {
		messages, want := peerMessages(t, e)
		got := nfcapd(t, messages)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: nfcapd has %d records, want %d\n%s\nwant\n%s", e, len(got), len(want), strings.Join(got[:min(3, len(got))], "\n"), strings.Join(want[:3], "\n"))
			for _, r := range want {
				if !slices.Contains(got, r) {
					t.Errorf("missing %s", r)
					break
				}
			}
			for _, r := range got {
				if !slices.Contains(want, r) {
					t.Errorf("too much %s", r)
					break
				}
			}
		}
	}
}

// nfcapd gives messages to nfcapd and returns the records that it stored.
func nfcapd(t *testing.T, messages [][]byte) []string {
	t.Helper()
	dir := t.TempDir()
	free, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	port := free.LocalAddr().(*net.UDPAddr).Port
	free.Close()
	cmd := exec.Command("nfcapd", "-w", dir, "-b", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "3600")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := fmt.Sprintf("0100007F:%04X", port)
	for n := 0; ; n++ {
		if b, _ := os.ReadFile("/proc/net/udp"); strings.Contains(string(b), listening) {
			break
		}
		if n == 200 {
			cmd.Process.Kill()
			cmd.Wait()
			t.Fatalf("nfcapd does not listen: %s", said.String())
		}
		time.Sleep(25 * time.Millisecond)
	}
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr("127.0.0.1"), uint16(port))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, m := range messages {
		if _, err := conn.Write(m); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	files, _ := filepath.Glob(filepath.Join(dir, "nfcapd.2*"))
	if len(files) != 1 {
		t.Fatalf("files %v; nfcapd says %s", files, said.String())
	}
	dump := exec.Command("nfdump", "-r", files[0], "-6", "-N", "-q", "-o", "fmt:%sa,%da,%sp,%dp,%pr,%pkt,%byt,%tsr,%td")
	dump.Env = append(os.Environ(), "TZ=UTC")
	out, err := dump.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.Split(l, ",")
		for i, f := range fields {
			fields[i] = strings.TrimSpace(f)
			if i >= 7 { // milliseconds; nfdump 1.7.1 prints a wrong fraction of the end
				ms, _ := strconv.ParseUint(strings.Replace(fields[i], ".", "", 1), 10, 64)
				fields[i] = fmt.Sprint(ms)
			}
		}
		rows = append(rows, strings.Join(fields, ","))
	}
	t.Log(said.String())
	for _, bad := range []string{"equence", "ad packet", "orrupt", "nvalid"} {
		for _, l := range strings.Split(said.String(), "\n") {
			if strings.Contains(l, bad) && !strings.Contains(l, "Sequence failures: 0") && !strings.Contains(l, "Bad packets: 0") && !strings.Contains(l, "Sequence Errors: 0") {
				t.Errorf("nfcapd says %s", l)
			}
		}
	}
	return rows
}
