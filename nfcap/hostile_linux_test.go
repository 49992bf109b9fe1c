package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// resident is how much memory a process has, at this moment and at most, in MiB.
func (p *process) resident() (now, most int) {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	check(p.t, err)
	for _, line := range strings.Split(string(b), "\n") {
		fmt.Sscanf(line, "VmRSS: %d kB", &now)
		fmt.Sscanf(line, "VmHWM: %d kB", &most)
	}
	return now >> 10, most >> 10
}

// loopback is address i of 127.0.0.0/8, from 127.1.0.0 on.
func loopback(i int) string { return fmt.Sprintf("127.%d.%d.%d", 1+i>>16, i>>8&255, i&255) }

// Whatever is sent, nfcap goes on and loses nothing of what is well formed.
func TestGarbage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "-l", dir)
	bad := exporter(t, p, "127.0.0.2")
	good := exporter(t, p, "")
	random := rand.New(rand.NewPCG(1, 2))
	octets := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	whole := v9(5000, 1, set(0, template(300, numbered)), set(300, data(3<<22, 20)))
	for i := range 3000 {
		var m []byte
		switch i % 6 {
		case 0:
			m = octets(random.IntN(1500))
		case 1:
			m = []byte{byte(i)}
		case 2: // each version word with what does not belong to it
			m = append(big16(uint16(random.IntN(12)), uint16(random.Uint32())), octets(random.IntN(200))...)
		case 3: // as sFlow begins
			m = append(big32(uint32(random.IntN(7)), uint32(random.IntN(3))), octets(random.IntN(400))...)
		case 4: // one bit is wrong
			m = append([]byte(nil), whole...)
			m[random.IntN(len(m))] ^= 1 << random.IntN(8)
		default:
			m = whole[:random.IntN(len(whole))]
		}
		bad.raw(m)
		if i%100 == 0 {
			bad.raw(octets(65507))
			good.send(2)
		}
	}
	eventually(t, "all is received", func() bool { return p.metric("nfcap_packets_total") >= 3000+30+60-500-1 })
	good.send(10)
	p.awaits("nfcap_exporters", 2)
	p.well()
	c := stored(t, dir)
	missing, double, _ := tally(ours(c.numbers), good.next)
	if len(missing)+len(double) > 0 {
		t.Errorf("of the good exporter %d are missing %v, %d double", len(missing), some(missing), len(double))
	}
	c.complete(t)
	if n := strings.Count(p.stderr.String(), "\n"); n > 20 {
		t.Errorf("%d lines were said", n)
	}
}

// ours leaves out records that garbage made.
func ours(numbers []uint32) (found []uint32) {
	for _, n := range numbers {
		if n < 1<<22 {
			found = append(found, n)
		}
	}
	return found
}

// Forged senders beyond --exporters push out each other, not the exporter that was there before,
// and fill neither memory nor the log.
func TestForgedSenders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const limit = 200
	p := start(t, "-l", dir, "--exporters", fmt.Sprint(limit))
	good := exporter(t, p, "")
	template := set(0, template(300, numbered))
	good.raw(v9(5_000_000, 1, template))
	time.Sleep(1100 * time.Millisecond)
	seq := uint32(2)
	say := func() {
		good.raw(v9(5_000_100, seq, set(300, data(good.next, 10))))
		good.next += 10
		seq++
	}
	say()
	const forged = 5000
	for i := range forged {
		c := dial(t, fmt.Sprintf("127.0.0.1:%d", p.port), loopback(i))
		if i%2 == 0 {
			c.Write(v9(1000, 1, template, set(300, data(3<<22+uint32(i), 1))))
		} else {
			c.Write(append(big16(9, 1), make([]byte, 40)...)[:30])
		}
		c.Close()
		if i%1000 == 500 {
			say() // its template must be there still
		}
		if i%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	p.awaits("nfcap_packets_total", forged+7)
	if n := p.metric("nfcap_exporters"); n > limit+4 { // as many more as there are workers
		t.Errorf("%d exporters are remembered, at most %d should be", n, limit)
	}
	if n := p.metric("nfcap_sets_without_template_total"); n > 0 {
		t.Errorf("%d sets had no template", n)
	}
	p.well()
	c := stored(t, dir)
	missing, double, _ := tally(ours(c.numbers), good.next)
	if len(missing)+len(double) > 0 {
		t.Errorf("of the good exporter %d of %d are missing %v, %d double", len(missing), good.next, some(missing), len(double))
	}
	if n := strings.Count(p.stderr.String(), "\n"); n > 50 {
		t.Errorf("%d lines were said", n)
	}
}

// 10,000 exporters with ten templates each are remembered in 300 MB, and do not slow down others.
func TestManyExporters(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	p := start(t, "-l", dir, "--flush", "1s")
	began, _ := p.resident()
	const exporters, templates = 10_000, 10
	var sets [][]byte
	for k := range templates {
		fields := append([]field{}, numbered...)
		for _, id := range []uint16{5, 6, 10, 14, 16, 17, 9, 13, 15, 21, 22, 61, 58, 59, 136} {
			fields = append(fields, field{id, map[uint16]uint16{15: 4, 10: 4, 14: 4, 16: 4, 17: 4, 21: 4, 22: 4, 58: 2, 59: 2}[id]})
			if fields[len(fields)-1].length == 0 {
				fields[len(fields)-1].length = 1
			}
		}
		for i := range k { // differ a little
			fields = append(fields, field{uint16(100 + i), 4})
		}
		sets = append(sets, set(0, template(uint16(300+k), fields)), set(uint16(300+k), make([]byte, length(fields))))
	}
	m := v9(5_000_000, 1, sets...)
	announce := time.Now()
	for i := range exporters {
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(loopback(i))}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.port})
		check(t, err)
		c.Write(m)
		c.Close()
		if i%50 == 49 {
			p.awaits("nfcap_packets_total", i-500) // with a small receive buffer as well
		}
	}
	p.awaits("nfcap_packets_total", exporters)
	took := time.Since(announce)
	if n := p.metric("nfcap_exporters"); n != exporters {
		t.Errorf("%d exporters are remembered, want %d", n, exporters)
	}
	_, announced := p.resident()
	p.signal(syscall.SIGUSR1) // writes their state
	eventually(t, "the state is written", func() bool {
		return len(residents(t, dir, stateName)) == 1 && len(residents(t, dir, stateName+".")) == 0
	})
	_, most := p.resident()
	t.Logf("%d MiB at first, %d when all were heard, in %v, %d when their state was written", began, announced, took, most)
	if most > 300 {
		t.Errorf("%d MiB of memory, at most 300 are wanted", most)
	}
	p.well()
}

func length(fields []field) (n int) {
	for _, f := range fields {
		n += int(f.length)
	}
	return n
}
