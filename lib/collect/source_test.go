package collect

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// v9 is a packet of NetFlow v9 from an exporter that is up for some seconds, with data of
// template 300, which it announces if it is told to: elements of four bytes, one record.
func v9(uptime, seq uint32, announce bool) []byte {
	var sets []byte
	if announce {
		sets = words(0, 16, 300, 2, 8, 4, 12, 4)
	}
	return message9(uptime, seq, append(sets, words(300, 12, 10, 1, 10, 2)...))
}

func message9(uptime, seq uint32, sets []byte) []byte {
	p := words(9, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(p[4:], uptime*1000)
	binary.BigEndian.PutUint32(p[8:], 1_790_000_000+uptime)
	binary.BigEndian.PutUint32(p[12:], seq)
	return append(p, sets...)
}

func words(all ...uint16) (b []byte) {
	for _, w := range all {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

// address is one of many.
func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

const second = int64(time.Second)

// A flood of new senders pushes out itself, not those that were heard before; there are never
// more than the limit says, on all workers together.
func TestFlood(t *testing.T) {
	m := newMemory()
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: m}}, Workers: 3, Limits: Limits{Exporters: 100}}, time.Unix(0, 0))
	at := int64(1e18)
	for i := range 20 {
		give(c, v9(1000, 1, true), address(i), at)
		give(c, v9(1002, 2, false), address(i), at+2*second)
	}
	at += 3 * second
	for i := range 3000 {
		b := c.Begin(i % 3)
		b.Packet(v9(1, 1, true), address(1000+i), at+int64(i))
		b.End()
		if n := c.Counts().Exporters; n > 102 {
			t.Fatalf("%d exporters are remembered", n)
		}
	}
	for i := range 20 {
		give(c, v9(1004, 3, false), address(i), at+second)
	}
	if n := c.Counts().Sources[0].Unknown; n != 0 {
		t.Errorf("%d sets found no template", n)
	}
	check(t, c.Close())
	if n := c.Counts().Sources[0]; n.Totals.Records != 20*3+3000 || n.Losses.Packets != 20*3+3000 {
		t.Errorf("%+v: what an exporter sent counts also when it had to go", n)
	}
	if n := m.records[0]; n != 20*3+3000 {
		t.Errorf("%d records", n)
	}
}

// Among those that are not new the one heard least recently goes first.
func TestEviction(t *testing.T) {
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: newMemory()}}, Limits: Limits{Exporters: 3}}, time.Unix(0, 0))
	at := int64(1e18)
	for i := range 3 {
		give(c, v5(0, 1), address(i), at)
	}
	for i, x := range []int{0, 2, 1, 0} { // 2 is the oldest then
		give(c, v5(uint32(i), 1), address(x), at+int64(2+i)*second)
	}
	give(c, v5(0, 1), address(7), at+8*second)
	if w := c.workers[0]; w.exporters[address(2)] != nil || w.exporters[address(0)] == nil || w.exporters[address(1)] == nil || w.exporters[address(7)] == nil {
		t.Error("another exporter was forgotten")
	}
	give(c, v5(0, 1), address(8), at+9*second)
	if w := c.workers[0]; w.exporters[address(7)] != nil || len(w.exporters) != 3 {
		t.Error("a new one did not go first")
	}
	check(t, c.Close())
}

// No packet that is refused, or is none, leaves anything behind.
func TestRefused(t *testing.T) {
	var log lines
	made := 0
	sources := &Sources{Max: 10, New: func(netip.Addr) (*Source, error) { made++; return &Source{Ident: "x", Store: newMemory()}, nil }}
	c := New(Config{Sources: sources, Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/31")}, Log: log.add}, time.Unix(0, 0))
	whole := v5(0, 1)
	for _, p := range [][]byte{nil, {5}, {0, 5}, whole[:15], []byte("GET / HTTP/1.1\r\n\r\n"), words(0, 5, 0, 0, 0, 0), words(8, 1, 1, 1, 1, 1, 1, 1, 1), words(0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)} {
		give(c, p, alice, 1e18)
	}
	give(c, whole, bob, 1e18)
	give(c, whole, netip.MustParseAddr("2001:db8::1"), 1e18)
	if made > 0 || c.Counts().Exporters > 0 || c.Counts().Refused != 10 {
		t.Errorf("%d sources, %+v", made, c.Counts())
	}
	give(c, whole, alice, 1e18)
	if made != 1 || c.Counts().Exporters != 1 || c.Counts().Refused != 10 {
		t.Errorf("%d sources, %+v", made, c.Counts())
	}
	check(t, c.Close())
	if n := len(log.all); n != 3 || log.count(bob.String()) != 1 {
		t.Errorf("%d lines, want one for each sender: %q", n, log.all)
	}
}

// A source that cannot be made is tried again after a while, not with each packet.
func TestSourceThatFails(t *testing.T) {
	tried, fail := 0, errors.New("no room")
	s := &Sources{Max: 2, New: func(netip.Addr) (*Source, error) {
		tried++
		return &Source{}, fail
	}}
	for range 50 {
		if _, err := s.find(alice); err != fail {
			t.Fatal(err)
		}
	}
	if tried != 1 {
		t.Errorf("tried %d times", tried)
	}
	for i := range 50 { // others cannot make it remember, or try, without bounds
		if _, err := s.find(address(i)); err == nil {
			t.Fatal("a source was made")
		}
	}
	if tried != 2 || len(s.failed) != 2 {
		t.Errorf("tried %d times, %d remembered", tried, len(s.failed))
	}
	fail = nil
	was := s.failed[alice]
	was.at = was.at.Add(-tryAgain)
	s.failed[alice] = was
	if _, err := s.find(alice); err != nil || len(s.failed) != 1 {
		t.Errorf("%v, %d remembered", err, len(s.failed))
	}
}

// keeps is a source with a state file in dir, as a run begins.
func keeps(t *testing.T, dir string) *Source {
	t.Helper()
	s := &Source{Ident: "x", Store: newMemory(), State: filepath.Join(dir, "state")}
	check(t, s.LoadState())
	return s
}

// unknown is 1 if nothing that was sent in a run was decoded, for want of a template.
func unknown(t *testing.T, dir string, send func(c *Collector)) uint64 {
	t.Helper()
	c := New(Config{Sources: &Sources{One: keeps(t, dir)}, Lifetime: 100 * time.Second}, time.Unix(0, 0))
	send(c)
	check(t, c.Close())
	m := c.config.Sources.One.Store.(*memory)
	return 1 - min(m.records[0], 1)
}

// What exporters said is known in the next run, and in one after it if they were silent in
// between, as long as it can be used.
func TestState(t *testing.T) {
	dir, at := t.TempDir(), int64(1_790_000_000)*second
	say := func(uptime, seq uint32, announce bool, from netip.Addr) func(*Collector) {
		return func(c *Collector) { give(c, v9(uptime, seq, announce), from, at+int64(uptime)*second) }
	}
	if n := unknown(t, dir, func(c *Collector) { say(1000, 1, true, alice)(c); say(1000, 1, true, bob)(c) }); n != 0 {
		t.Fatal("a template and its data are not decoded")
	}
	for i, step := range []struct {
		uptime  uint32
		from    netip.Addr
		unknown uint64
	}{
		{1010, alice, 0}, {1020, alice, 0}, {1030, bob, 0}, // bob was silent for two runs
		{1040, netip.MustParseAddr("192.0.2.3"), 1},
		{1500, alice, 1}, // too old
	} {
		if n := unknown(t, dir, say(step.uptime, uint32(2+i), false, step.from)); n != step.unknown {
			t.Errorf("step %d: %d sets without a template, want %d", i, n, step.unknown)
		}
	}
	// what can no longer be used is not kept for ever
	unknown(t, dir, say(2000, 1, true, address(1)))
	if b, err := os.ReadFile(filepath.Join(dir, "state")); err != nil || strings.Contains(string(b), bob.String()) || !strings.Contains(string(b), address(1).String()) {
		t.Errorf("%v\n%s", err, b)
	}
}

// A state that could not be written is written later, though nothing is new; what was there
// stays.
func TestStateThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	s := keeps(t, dir)
	var log lines
	c := New(Config{Sources: &Sources{One: s}, Log: log.add}, time.Unix(0, 0))
	give(c, v9(1000, 1, true), alice, 1e18)
	good := s.State
	s.State = filepath.Join(dir, "no", "state")
	for range 20 {
		c.SaveState()
	}
	if n := log.count("no such file"); n != limitMessages {
		t.Errorf("it was said %d times", n)
	}
	s.State = good
	c.SaveState()
	info, err := os.Stat(good)
	check(t, err)
	c.SaveState() // nothing is new
	if again, err := os.Stat(good); err != nil || again.ModTime() != info.ModTime() {
		t.Errorf("an unchanged state was written again: %v", err)
	}
	check(t, c.Close())
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v are left", entries)
	}
}

// Side tables outlive a run, and are not written twice.
func TestStateOfTables(t *testing.T) {
	dir := t.TempDir()
	options := append(words(1, 22, 301, 4, 8, 1, 4, 10, 4, 82, 4), words(301, 16, 0, 1, 0, 7)...)
	options = append(options, "eth7"...)
	for run := range 3 {
		s := keeps(t, dir)
		c := New(Config{Sources: &Sources{One: s}}, time.Unix(0, 0))
		if n := len(s.Tables()); n != min(run, 1) {
			t.Errorf("run %d begins with %d tables", run, n)
		}
		give(c, message9(1000, uint32(run), options), alice, 1e18)
		check(t, c.Close())
		if n := s.Store.(*memory).tables; n != max(1-run, 0) {
			t.Errorf("run %d: %d tables were new", run, n)
		}
	}
}

// State files are read whatever is in them.
func TestStateFiles(t *testing.T) {
	for _, c := range []struct{ file, says string }{
		{`{"version":1,"tables":"","exporters":[]}`, ""},
		{`{"version":1}`, ""},
		{`{"version":2}`, "version 2, want 1"},
		{``, "EOF"},
		{`{"version":1,"exporters":[{"address":"nobody"}]}`, "nobody"},
		{`{"version":1,"tables":"AAAA"}`, ""}, // damage of a stream costs the stream
		{strings.Repeat("[", 100_000), ""},
	} {
		name := filepath.Join(t.TempDir(), "state")
		check(t, os.WriteFile(name, []byte(c.file), 0o666))
		s := &Source{State: name}
		err := s.LoadState()
		if c.says == "" && c.file[0] == '{' && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%.60s: %v, want %q", c.file, err, c.says)
		}
	}
}

// Sessions have templates of their own, and their losses count when they have ended.
func TestSessionsApart(t *testing.T) {
	m := newMemory()
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: m}}, Workers: 2, Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}, time.Unix(0, 0))
	message := func(template bool) []byte {
		p := words(10, 0, 0, 0, 0, 0, 0, 0)
		if template {
			p = append(p, words(2, 16, 300, 2, 8, 4, 12, 4)...)
		}
		p = append(p, words(300, 12, 10, 1, 10, 2)...)
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
		return p
	}
	c.Message(1, message(true), alice, 1e18)
	c.Message(2, message(false), alice, 1e18)
	c.Message(3, message(true), bob, 1e18)
	if n := c.Counts(); n.Exporters != 2 || n.Refused != 1 || n.Sources[0].Unknown != 1 {
		t.Errorf("%+v", n)
	}
	c.EndSession(1)
	c.EndSession(2)
	c.EndSession(3)
	c.EndSession(99)
	if n := c.Counts(); n.Exporters != 0 || n.Sources[0].Unknown != 1 || n.Sources[0].Losses.Packets != 2 {
		t.Errorf("after their end: %+v", n)
	}
	c.Message(1, message(false), alice, 1e18)
	check(t, c.Close())
	if m.records[0] != 1 || m.losses[0].UnknownTemplates != 2 {
		t.Errorf("%d records, losses %+v", m.records[0], m.losses)
	}
}
