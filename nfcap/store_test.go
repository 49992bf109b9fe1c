package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	identLine = regexp.MustCompile(`(?m)^nfcap: Ident: '(\S+)' Flows: (\d+), Packets: (\d+), Bytes: (\d+), Sequence Errors: (\d+), Bad Packets: (\d+), Blocks: (\d+)$`)
	totalLine = regexp.MustCompile(`(?m)^nfcap: Total packets received: (\d+) avg: \d+\.\d\d/s ignored packets: (\d+)$`)
)

// All that was sent is in a file once, and the log says of it what nfcapd says.
func TestStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "-l", dir, "-I", "router")
	s := exporter(t, p, "")
	s.send(500)
	p.awaits("nfcap_packets_total", 500)
	p.awaits("nfcap_stored_records_total", 1000) // while the slot is open
	p.well()
	c := stored(t, dir)
	c.once(t, s.next)
	c.complete(t)
	if len(c.files) != 1 {
		t.Errorf("files %q, want one", c.names())
	}
	m := identLine.FindStringSubmatch(p.stderr.String())
	if m == nil || strings.Join(m[1:7], " ") != "router 15000 15000 600000 0 0" {
		t.Errorf("log line %q", m)
	}
	if m := totalLine.FindStringSubmatch(p.stderr.String()); m == nil || m[1] != "500" || m[2] != "0" {
		t.Errorf("log line %q of\n%s", m, &p.stderr)
	}
	if n := strings.Count(p.stderr.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want two:\n%s", n, &p.stderr)
	}
	if left := residents(t, dir, ".nfcap.new"); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// What was stored can be told from the metrics, by source and protocol.
func TestMetrics(t *testing.T) {
	t.Parallel()
	p := start(t, "-l", t.TempDir(), "-I", "edge", "--flush", "50ms")
	s := exporter(t, p, "")
	s.send(10)
	s.raw([]byte("neither NetFlow nor sFlow"))
	s.seq += 60
	s.send(1)
	p.awaits("nfcap_stored_records_total", 330)
	for name, want := range map[string]int{
		"nfcap_packets_total":                                      12,
		"nfcap_refused_packets_total":                              0,
		"nfcap_refused_templates_total":                            0,
		"nfcap_redefined_templates_total":                          0,
		"nfcap_exporters":                                          1,
		"nfcap_kernel_dropped_packets_total":                       0,
		`nfcap_stored_records_total{source="edge"}`:                330,
		`nfcap_stored_flows_total{source="edge",proto="udp"}`:      330,
		`nfcap_stored_flows_total{source="edge",proto="tcp"}`:      0,
		`nfcap_stored_flow_bytes_total{source="edge",proto="udp"}`: 13200,
		`nfcap_sequence_errors_total{source="edge"}`:               1,
		`nfcap_lost_total{source="edge"}`:                          60,
		`nfcap_bad_packets_total{source="edge"}`:                   1,
		`nfcap_not_stored_records_total{source="edge"}`:            0,
	} {
		if n := p.metric(name); n != want {
			t.Errorf("%s is %d, want %d", name, n, want)
		}
	}
	if code, body := p.get("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %q", code, body)
	}
	p.well()
	p.says(", Sequence Errors: 1, Bad Packets: 1, ", ", Lost: 60")
}

// Slots end by the clock and by signals, under load, and lose nothing.
func TestRotate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "-l", dir, "-t", "1", "-w", "-y")
	s := exporter(t, p, "")
	stop := s.load()
	for i := range 12 {
		time.Sleep(time.Duration(150+17*i) * time.Millisecond)
		p.signal([]os.Signal{syscall.SIGUSR1, syscall.SIGHUP}[i%2])
	}
	sent := stop()
	p.awaits("nfcap_packets_total", int(sent/perPacket))
	if n := p.metric("nfcap_kernel_dropped_packets_total"); n > 0 {
		t.Fatalf("the kernel dropped %d packets", n)
	}
	p.well()
	c := stored(t, dir)
	c.once(t, sent)
	c.complete(t)
	named := regexp.MustCompile(`^nfcap\.\d{14}(\.\d+)?$`)
	plain := 0
	for _, name := range c.names() {
		if !named.MatchString(name) {
			t.Errorf("file %s", name)
			continue
		}
		arrived(t, dir, name)
		if len(name) == len("nfcap.20261124000000") {
			plain++
		}
	}
	if plain < 2 || plain == len(c.files) {
		t.Errorf("only files %q", c.names())
	}
	if n := len(identLine.FindAllString(p.stderr.String(), -1)); n < 12 {
		t.Errorf("%d lines of slots:\n%s", n, &p.stderr)
	}
}

// arrived fails the test unless the records of a file arrived in the second after which it is
// named, or a moment later.
func arrived(t *testing.T, dir, name string) {
	t.Helper()
	start, err := time.Parse("nfcap.20060102150405", name[:len("nfcap.20060102150405")])
	check(t, err)
	f, err := os.Open(filepath.Join(dir, name))
	check(t, err)
	defer f.Close()
	var c content
	c.read(t, f, name, "csv:%trr")
	for _, row := range c.rows {
		at, err := strconv.ParseFloat(row, 64)
		check(t, err)
		if late := at - float64(start.Unix()); late < 0 || late > 1.95 {
			t.Fatalf("%s has a record that arrived %.3f s after the beginning of its slot", name, late)
		}
	}
	for _, h := range c.heads {
		if h.Created != uint64(start.UnixNano()) {
			t.Errorf("%s: a segment says that its slot began at %d", name, h.Created)
		}
	}
}

// Names of aligned slots are multiples of the interval, in the layout's directories.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		want string // of time.Format
		unit time.Duration
	}{
		{"-w", "nfcap.200601021504", 5 * time.Minute},
		{"-w -t 60 -S 1", "2006/01/02/nfcap.200601021504", time.Minute},
		{"-w -t 1800 -S 8", "2006-01-02/15/nfcap.200601021504", 30 * time.Minute},
		{"-w -t 30 --utc", "nfcap.20060102150405", 30 * time.Second},
	} {
		dir := t.TempDir()
		before := time.Now()
		zone := time.FixedZone("", 5*3600+1800)
		p := launch{env: []string{"TZ=Asia/Kolkata"}}.start(t, append([]string{"-l", dir, "-x", "echo command %f for %t"}, strings.Fields(c.args)...)...)
		p.well()
		if strings.Contains(c.args, "--utc") {
			zone = time.UTC
		}
		name := func(t time.Time) string { return t.Truncate(c.unit).In(zone).Format(c.want) }
		got := residents(t, dir, "nfcap.")
		if len(got) != 1 || got[0] != name(before) && got[0] != name(time.Now()) {
			t.Errorf("%s: %q, want %s", c.args, got, name(before))
			continue
		}
		digits := name(before)[strings.LastIndexByte(c.want, '.')+1:]
		eventually(t, "the command has run", func() bool {
			return strings.Contains(p.stderr.String(), "command "+got[0]+" for "+digits[:12]+"\n") || got[0] != name(before)
		})
	}
}

// A restart inside a slot goes on with its file.
func TestRestartInsideSlot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var s *sender
	port := freePort(t)
	for range 4 {
		p := launch{port: port}.start(t, "-l", dir, "-t", "86400", "-w")
		if s == nil {
			s = exporter(t, p, "")
		}
		before := int(s.next)
		s.send(50)
		p.awaits("nfcap_packets_total", 50)
		p.well()
		c := stored(t, dir)
		c.once(t, s.next)
		c.complete(t)
		if len(c.files) != 1 && time.Now().Hour() > 0 {
			t.Errorf("after %d records: files %q", before, c.names())
		}
	}
	if c := stored(t, dir); len(c.heads) != 4 || len(c.ends) != 4 {
		t.Errorf("%d segments begin, %d end, want 4", len(c.heads), len(c.ends))
	}
}

// The command of -x gets each file, however its name is written, once the file is whole.
func TestCommand(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b;c")
	check(t, os.Mkdir(dir, 0o777))
	out := filepath.Join(t.TempDir(), "out")
	script := `printf '%s|' "$@" >> "$0"; ls "$2/$3" >> "$0"`
	p := start(t, "-l", dir, "-I", "it's", "-t", "60", "-w", "-S", "1",
		"-x", fmt.Sprintf(`sh -c '%s' %s "%%i" %%d %%f %%t %%u 'x  y' 100%%%% \%%q`, strings.ReplaceAll(script, "'", `'\''`), out))
	s := exporter(t, p, "")
	s.send(1)
	p.awaits("nfcap_packets_total", 1)
	first := time.Now()
	p.signal(syscall.SIGUSR1)
	lines := func() []string {
		b, _ := os.ReadFile(out)
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	eventually(t, "the command has run", func() bool { return lines()[0] != "" && strings.Contains(lines()[0], "q|/") })
	p.well()
	eventually(t, "the command has run for the last slot", func() bool { return len(lines()) >= 2 })
	start := first.Truncate(time.Minute)
	file := start.Format("2006/01/02/nfcap.200601021504")
	want := fmt.Sprintf("it's|%s|%s|%s|%d|x  y|100%%|%%q|%s/%s", dir, file, start.Format("200601021504"), start.Unix(), dir, file)
	if got := lines(); got[0] != want {
		t.Errorf("the command got\n%s, want\n%s", got[0], want)
	}
}

// A command that cannot be run, or fails, is said and stops nothing.
func TestCommandFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ command, says string }{
		{"/nonexistent/program %f", "nfcap: -x: /nonexistent/program nfcap."},
		{"false", "nfcap: -x: false: exit status 1"},
	} {
		dir := t.TempDir()
		p := start(t, "-l", dir, "-x", c.command)
		p.signal(syscall.SIGUSR1)
		eventually(t, c.says, func() bool { return strings.Contains(p.stderr.String(), c.says) })
		s := exporter(t, p, "")
		s.send(1)
		p.awaits("nfcap_packets_total", 1)
		p.well()
		got := stored(t, dir)
		got.once(t, s.next)
	}
}

// -e keeps the archive within its size, by deleting what is oldest.
func TestExpire(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := []string{"nfcap.202001010000", "nfcap.202001010005", "nfcap.202001010010"}
	for _, name := range old {
		check(t, os.WriteFile(filepath.Join(dir, name), make([]byte, 100<<10), 0o666))
	}
	check(t, os.WriteFile(filepath.Join(dir, "notes"), make([]byte, 1<<20), 0o666))
	p := start(t, "-l", dir, "-e", "--max-size", "250k")
	s := exporter(t, p, "")
	s.send(1)
	p.awaits("nfcap_packets_total", 1)
	p.signal(syscall.SIGUSR1)
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	eventually(t, "the oldest file is gone", func() bool { return !there(old[0]) })
	p.well()
	for _, name := range append(old[1:], "notes") {
		if !there(name) {
			t.Errorf("%s is gone", name)
		}
	}
	if n := len(residents(t, dir, "nfcap.20")); n < 3 {
		t.Errorf("%d files are left", n)
	}
}
