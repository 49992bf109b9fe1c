package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// needPeer skips without the program, or fails where nothing may be skipped.
func needPeer(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("NFPIPE_REQUIRE") == "all" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
}

func peerOutput(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}

// nfdumpLine is a row as nfdump prints it with the format below, without the blanks.
const nfdumpFormat = "fmt:" + everyField

func nfdumpLine(r *Row) string {
	clock := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000") }
	dport := fmt.Sprint(r.DstPort)
	if r.isICMP() {
		dport = fmt.Sprintf("%d.%d", r.ICMPType, r.ICMPCode)
	}
	flags := []byte("........")
	for i, c := range "CEUAPRSF" {
		if r.Flags&(0x80>>i) != 0 {
			flags[i] = byte(c)
		}
	}
	return fmt.Sprintf("%s,%s,%s,%d,%s,%d,%s,%s,%s,%d,%d,%d,%d,%d,%d,%d,%d,%d,%s,%s",
		clock(r.Start), clock(r.End), clock(r.Received), r.Proto, r.Src, r.SrcPort, r.Dst, dport, flags, r.Tos,
		r.Packets, r.Bytes, r.In, r.Out, r.SrcAS, r.DstAS, r.SrcMask, r.DstMask, r.NextHop, exporter)
}

func TestNfdumpReadsTheFile(t *testing.T) {
	needPeer(t, "nfdump")
	const n = 40_000 // more than one block
	for name, c := range map[string]codec{"uncompressed": codecNone, "lz4": codecLZ4} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "flows")
			w, err := createNfdump(file, c)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			Generate(1, n, func(r *Row) {
				w.Row(r)
				want = append(want, nfdumpLine(r))
			})
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			out := peerOutput(t, "nfdump", "-r", file, "-q", "-N", "-6", "-o", nfdumpFormat)
			have := strings.Split(strings.TrimSpace(out), "\n")
			for i := range have {
				have[i], _ = tidy(have[i], csvRules)
			}
			slices.Sort(want) // nfdump does not keep the order of blocks
			slices.Sort(have)
			if !slices.Equal(want, have) {
				t.Fatalf("%d rows written, %d read\n%s", len(want), len(have), strings.Join(differ(want, have).detail, "\n"))
			}
			info := peerOutput(t, "nfdump", "-I", "-r", file)
			s := &w.stats
			for i, class := range []string{"", "_tcp", "_udp", "_icmp", "_other"} {
				for _, line := range []string{
					fmt.Sprintf("Flows%s: %d\n", class, s.flows[i]),
					fmt.Sprintf("Packets%s: %d\n", class, s.packets[i]),
					fmt.Sprintf("Bytes%s: %d\n", class, s.bytes[i]),
				} {
					if !strings.Contains(info, line) {
						t.Errorf("nfdump -I lacks %q:\n%s", line, info)
					}
				}
			}
		})
	}
}

// TestNfdumpSums holds nfdump's top list against sums made here.
func TestNfdumpSums(t *testing.T) {
	needPeer(t, "nfdump")
	file := filepath.Join(t.TempDir(), "flows")
	w, err := createNfdump(file, codecLZ4)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[netip.Addr]uint64{}
	Generate(2, 50_000, func(r *Row) {
		w.Row(r)
		sums[r.Src] += r.Bytes
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out := peerOutput(t, "nfdump", "-r", file, "-s", "srcip/bytes", "-n", "20", "-N", "-6", "-q", "-o", "csv")
	rows := 0
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) < 14 || f[0] == "ts" {
			continue
		}
		a, err := netip.ParseAddr(f[4])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if f[9] != fmt.Sprint(sums[a]) {
			t.Errorf("%v: nfdump has %s bytes, the rows %d", a, f[9], sums[a])
		}
		rows++
	}
	if rows != 20 {
		t.Errorf("%d rows in\n%s", rows, out)
	}
}

func BenchmarkNfdumpLZ4(b *testing.B) {
	w, err := createNfdump(filepath.Join(b.TempDir(), "flows"), codecLZ4)
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]Row, 0, 10_000)
	Generate(1, cap(rows), func(r *Row) { rows = append(rows, *r) })
	b.ReportAllocs()
	for i := range b.N {
		w.Row(&rows[i%len(rows)])
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
