package main

import (
	"strings"
	"testing"
	"time"

	"nfpipe/lib/stream"
)

// Whenever nfcap is killed, what its metrics called stored just before is in the files, nothing
// is there twice, and the next start repairs what was left and goes on.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := freePort(t)
	var s *sender
	promised := 0 // records that were called stored in all rounds
	const rounds = 6
	for round := range rounds {
		p := launch{port: port}.start(t, "-l", dir, "-t", "2", "-w", "--flush", "20ms")
		if s == nil {
			s = exporter(t, p, "")
		}
		stop := s.load()
		time.Sleep(time.Duration(150+90*round) * time.Millisecond)
		for end := time.Now().Add(patience); p.metric("nfcap_stored_records_total") == 0 && time.Now().Before(end); {
		}
		promised += p.metric("nfcap_stored_records_total")
		p.kill()
		sent := stop()
		c := stored(t, dir)
		c.atMostOnce(t, sent)
		if len(c.numbers) < promised {
			t.Fatalf("round %d: %d records are in the files, %d were stored", round, len(c.numbers), promised)
		}
		promised = len(c.numbers)
		if len(residents(t, dir, "nfcap.current.")) == 0 {
			t.Errorf("round %d: no slot was open", round)
		}
	}
	p := launch{port: port}.start(t, "-l", dir, "-t", "2", "-w")
	s.send(5)
	p.awaits("nfcap_packets_total", 5)
	p.well()
	c := stored(t, dir)
	c.atMostOnce(t, s.next)
	if len(c.numbers) != promised+5*perPacket {
		t.Errorf("%d records are in the files at the end, want %d", len(c.numbers), promised+5*perPacket)
	}
	aborted := 0
	for _, e := range c.ends {
		if e.Status == stream.Aborted {
			aborted++
		}
	}
	if aborted != rounds {
		t.Errorf("%d segments say that their writer was killed, want %d", aborted, rounds)
	}
	for _, name := range c.names() {
		if strings.Contains(name, "current") {
			t.Errorf("%s is left", name)
		}
	}
	if left := residents(t, dir, ".nfcap.new"); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// Two of them do not write to one directory.
func TestTwoInOneDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, "-l", dir)
	second := launch{}.spawn(t, "-l", dir)
	if code := second.wait(); code != 1 {
		t.Errorf("the second ended with %d", code)
	}
	second.says("another process writes to this directory")
}
