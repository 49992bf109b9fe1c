package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// exportRow is records that go to nfcap over loopback, from one exporter after the other.
type exportRow struct {
	name      string
	exporters []exporterLine
}

// exporterLine is a command that exports to a port of 127.0.0.1.
type exporterLine struct {
	who   string
	needs []string
	line  string // {port} is filled in
}

var exportRows = []exportRow{
	{"capture to NetFlow v9", []exporterLine{
		{"nfpipe", []string{"nfexp"}, "nfexp -r packets.pcap -v 9 -n 127.0.0.1:{port}"},
		{"unpaced", []string{"nfexp"}, "nfexp -r packets.pcap -v 9 --pps 0 -n 127.0.0.1:{port}"},
		{"softflowd", []string{"softflowd"}, "softflowd -r packets.pcap -v 9 -a -m 2000000 -n 127.0.0.1:{port}"},
	}},
	{"records to NetFlow v9", []exporterLine{
		{"nfpipe", []string{"nfcat", "nfexp"}, "nfcat -r flows.nf | nfexp -v 9 -n 127.0.0.1:{port}"},
		{"unpaced", []string{"nfcat", "nfexp"}, "nfcat -r flows.nf | nfexp -v 9 --pps 0 -n 127.0.0.1:{port}"},
		{"nfreplay", []string{"nfreplay"}, "nfreplay -r flows.nfdump -v 9 -d 0 -H 127.0.0.1 -p {port}"},
	}},
	{"records to IPFIX", []exporterLine{
		{"nfpipe", []string{"nfcat", "nfexp"}, "nfcat -r flows.nf | nfexp -v 10 -n 127.0.0.1:{port}"},
	}},
}

// reportExports prints what exporters took to send, and how much of it nfcap has stored. It reports whether all that
// nfexp sent at its own pace is there.
func (h *harness) reportExports(w io.Writer) (bool, error) {
	right, header := true, false
	for _, row := range exportRows {
		if !h.only.MatchString(row.name) {
			continue
		}
		if !header {
			fmt.Fprintf(w, "\n%-32s %-10s %9s %9s %8s %10s %8s\n", "exported over loopback to nfcap", "by", "wall s", "cpu s", "peak MB", "stored", "M rec/s")
			header = true
		}
		name, most := row.name, int64(0)
		for _, e := range row.exporters {
			if missing := h.missing(append(e.needs, "nfcap", "nfcat")); missing != "" {
				fmt.Fprintf(w, "%-32s %-10s no %s\n", name, e.who, missing)
				continue
			}
			c, stored, dropped, err := h.exportRun(e.line)
			if err != nil {
				return false, fmt.Errorf("%s: %s: %w", row.name, e.who, err)
			}
			said := ""
			if dropped > 0 {
				said = fmt.Sprintf("  %d packets dropped by the kernel", dropped)
			}
			if e.who == "nfpipe" {
				right = right && dropped == 0
			}
			if most = max(most, stored); stored < most && e.needs[0] == "nfexp" {
				said += fmt.Sprintf("  %d records less than at its pace", most-stored)
			}
			fmt.Fprintf(w, "%-32s %-10s %9.3f %9.3f %8.1f %10d %8.2f%s\n", name, e.who, c.wall.Seconds(), c.cpu.Seconds(), float64(c.peak)/1e6,
				stored, float64(stored)/1e6/c.wall.Seconds(), said)
			name = ""
		}
	}
	return right, nil
}

// exportRun starts nfcap, runs an exporter, waits until what it sent is taken, and counts what is stored.
func (h *harness) exportRun(line string) (c cost, stored, dropped int64, err error) {
	dir := filepath.Join(h.dir, "live")
	if err := firstError(os.RemoveAll(dir), os.Mkdir(dir, 0o777)); err != nil {
		return c, 0, 0, err
	}
	port, err := freePort()
	if err != nil {
		return c, 0, 0, err
	}
	p, err := h.tools.start(h.dir, fmt.Sprintf("exec nfcap -b 127.0.0.1 -p %d -l live -t 300", port))
	if err != nil {
		return c, 0, 0, err
	}
	defer p.kill()
	if err := p.until(10*time.Second, func() bool { return readSockets(port).n > 0 }); err != nil {
		return c, 0, 0, fmt.Errorf("nfcap does not listen: %w", err)
	}
	time.Sleep(200 * time.Millisecond) // what it does after it has opened its sockets
	c, err = h.tools.execute(h.dir, strings.ReplaceAll(line, "{port}", fmt.Sprint(port)), os.DevNull, true)
	if err != nil {
		return c, 0, 0, err
	}
	if err := p.until(60*time.Second, func() bool { return readSockets(port).queued == 0 }); err != nil {
		return c, 0, 0, errors.Join(errors.New("nfcap leaves packets in its sockets"), err)
	}
	dropped = readSockets(port).dropped
	if _, err := p.end(60 * time.Second); err != nil {
		return c, 0, 0, err
	}
	stored, err = h.countStored(&collectors[0])
	return c, stored, dropped, err
}
