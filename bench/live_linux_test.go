package main

import (
	"encoding/binary"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exportFile makes a small capture of export packets.
func exportFile(t *testing.T, dir string) ExportStats {
	t.Helper()
	stats, err := writeExport(filepath.Join(dir, fileExport), 1, 2_000)
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// TestSender: a capture that is sent thrice is one router that goes on.
func TestSender(t *testing.T) {
	dir := t.TempDir()
	stats := exportFile(t, dir)
	s, err := loadSender(filepath.Join(dir, fileExport))
	if err != nil {
		t.Fatal(err)
	}
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	const rate = 2000
	n := 3 * stats.Packets
	type result struct {
		sent
		err error
	}
	done := make(chan result)
	go func() {
		out, err := s.send(in.LocalAddr().(*net.UDPAddr).Port, rate, n)
		done <- result{out, err}
	}()
	in.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 2000)
	x := receivedExport{templates: map[uint16][]field{}}
	up := uint32(0)
	for i := range n {
		length, err := in.Read(b)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if seq := binary.BigEndian.Uint32(b[12:]); seq != uint32(i) {
			t.Fatalf("packet %d has sequence number %d", i, seq)
		}
		if u := binary.BigEndian.Uint32(b[4:]); u < up {
			t.Fatalf("packet %d: uptime went from %d to %d", i, up, u)
		} else {
			up = u
		}
		x.packet(t, b[:length], 0)
	}
	r := <-done
	if r.err != nil || r.packets != n || r.records != 3*2_000 || len(x.rows) != r.records {
		t.Errorf("%v: %d packets, %d records, %d received; want %d and %d", r.err, r.packets, r.records, len(x.rows), n, 3*2_000)
	}
	if least := time.Duration(n-1) * time.Second / rate * 9 / 10; r.took < least {
		t.Errorf("%d packets in %v, want %v at least", n, r.took, least)
	}
}

// TestReadSockets: what waits and what was dropped is seen.
func TestReadSockets(t *testing.T) {
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	in.SetReadBuffer(8 << 10)
	port := in.LocalAddr().(*net.UDPAddr).Port
	if s := readSockets(port); s != (sockets{n: 1}) {
		t.Fatalf("an idle socket: %+v", s)
	}
	out, err := net.DialUDP("udp4", nil, in.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for range 100 {
		if _, err := out.Write(make([]byte, 1400)); err != nil {
			t.Fatal(err)
		}
	}
	if s := readSockets(port); s.queued == 0 || s.dropped == 0 || s.dropped > 99 {
		t.Errorf("100 packets to a buffer of 8 KiB: %+v", s)
	}
}

// TestLive: at a rate that any machine stands, each collector that is there stores all.
func TestLive(t *testing.T) {
	bin := t.TempDir()
	for _, tool := range []string{"nfcap", "nfcat"} {
		if out, err := exec.Command("go", "build", "-o", bin, "../"+tool).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	c := &config{bin: bin, root: ".."}
	tools, _, err := findTools(c)
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{config: c, tools: tools, dir: t.TempDir()}
	if err := h.makeOutputDir(); err != nil {
		t.Fatal(err)
	}
	stats := exportFile(t, h.dir)
	s, err := loadSender(filepath.Join(h.dir, fileExport))
	if err != nil {
		t.Fatal(err)
	}
	row := liveRow{name: "live", file: fileExport, packets: 4 * stats.Packets, rate: 500, interval: 5, options: "-w"}
	for i := range collectors {
		c := &collectors[i]
		if missing := h.missing(c.needs); missing != "" {
			t.Logf("%s is not measured: %s is missing", c.who, missing)
			continue
		}
		r, err := h.liveRun(&row, c, s)
		if err != nil {
			t.Fatalf("%s: %v", c.who, err)
		}
		r.others = 0 // tests run side by side
		if said, whole := r.remarks(&row); !whole || said != "" || r.stored != 4*2_000 {
			t.Errorf("%s: %s%s, want %d records", c.who, r, said, 4*2_000)
		}
		if r.size == 0 || r.peak == 0 || r.cpu == 0 || !strings.Contains(r.String(), " 0.000 ") {
			t.Errorf("%s: %s", c.who, r)
		}
	}
}
