package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// liveRow is a load: packets at a rate, sent over loopback to each collector in turn, which shares the processors
// with the sender.
type liveRow struct {
	name     string
	file     string
	packets  int
	rate     int    // packets a second
	interval int    // seconds of a slot
	options  string // of nfcap
	relay    bool   // to another socket
}

// liveResult is what became of the packets.
type liveResult struct {
	sent
	stored, size int64
	dropped      int64 // packets, by the kernel
	relayed      int
	missed       int64   // packets of the relay that the socket of this program had no room for
	others       float64 // share of the processors that other programs took meanwhile
	cost
}

// collector is a program that receives.
type collector struct {
	who   string
	needs []string // the one that receives first
	// line listens on a port of 127.0.0.1 and stores in the directory live; relay is another port, or 0.
	line  func(r *liveRow, port, relay int) string
	files string // pattern of what it stores
	// count prints how many records those have, behind the word.
	count, word string
}

var collectors = []collector{
	{who: "nfpipe", needs: []string{"nfcap", "nfcat"}, files: "nfcap.2*", count: "cat live/nfcap.2* | nfcat --count",
		line: func(r *liveRow, port, relay int) string {
			line := fmt.Sprintf("exec nfcap -b 127.0.0.1 -p %d -l live -t %d %s", port, r.interval, r.options)
			if r.relay {
				line += fmt.Sprintf(" -R 127.0.0.1:%d", relay)
			}
			return line
		}},
	// -B asks for as much as nfcap does by itself; nfcapd takes what net.core.rmem_max allows.
	{who: "nfcapd", needs: []string{"nfcapd", "nfdump"}, files: "nfcapd.2*", count: "nfdump -I -R live", word: "Flows: ",
		line: func(r *liveRow, port, relay int) string {
			line := fmt.Sprintf("exec nfcapd -b 127.0.0.1 -p %d -w live -t %d -y -B %d", port, r.interval, 64<<20)
			if r.relay {
				line += fmt.Sprintf(" -R 127.0.0.1/%d", relay)
			}
			return line
		}},
}

// liveRows lists the loads. A slot of five minutes goes by a hundred times faster than it would, and so does the
// clock by which nfcap writes what it has.
func (h *harness) liveRows(d *data) []liveRow {
	var rows []liveRow
	for _, rate := range []int{10_000, 50_000, 100_000} {
		rows = append(rows, liveRow{name: fmt.Sprintf("live %d packets/s", rate), file: fileExport,
			packets: rate * h.config.live, rate: rate, interval: 5, options: "-w"})
	}
	relay := rows[1]
	relay.name, relay.relay = "live 50000 packets/s, relayed", true
	return append(rows, relay, liveRow{name: "live slot of 100 flows/s", file: fileSparse,
		packets: d.Sparse.Packets, rate: d.Sparse.Packets / 3, interval: 300, options: "--flush 10ms"})
}

// reportLive prints what each collector stored of what was sent. It reports whether nfcap stored all that the
// kernel gave it; what the kernel drops is a result, not an error.
func (h *harness) reportLive(w io.Writer, d *data) (bool, error) {
	right, header := true, false
	for _, row := range h.liveRows(d) {
		if !h.only.MatchString(row.name) {
			continue
		}
		if !header {
			fmt.Fprintf(w, "\n%-32s %-10s %9s %10s %10s %7s %8s %8s %8s\n", "packets sent over loopback", "by",
				"packets/s", "records", "stored", "lost %", "cpu s", "peak MB", "B/record")
			header = true
		}
		sender, err := loadSender(filepath.Join(h.dir, row.file))
		if err != nil {
			return false, err
		}
		name := row.name
		for i := range collectors {
			c := &collectors[i]
			if missing := h.missing(c.needs); missing != "" {
				fmt.Fprintf(w, "%-32s %-10s no %s\n", name, c.who, missing)
				name = ""
				continue
			}
			r, err := h.liveRun(&row, c, sender)
			if err != nil {
				return false, fmt.Errorf("%s: %s: %w", row.name, c.who, err)
			}
			said, whole := r.remarks(&row)
			fmt.Fprintf(w, "%-32s %-10s %s%s\n", name, c.who, r, said)
			right = right && (whole || i > 0)
			name = ""
		}
	}
	return right, nil
}

func (r *liveResult) String() string {
	lost := 100 * (1 - float64(r.stored)/float64(r.records))
	return fmt.Sprintf("%9.0f %10d %10d %7.3f %8.3f %8.1f %8.2f", float64(r.packets)/r.took.Seconds(), r.records, r.stored,
		lost, r.cpu.Seconds(), float64(r.peak)/1e6, float64(r.size)/max(float64(r.stored), 1))
}

// remarks says what does not fit into columns, and whether all that arrived was stored.
func (r *liveResult) remarks(row *liveRow) (said string, whole bool) {
	whole = r.stored == int64(r.records) || r.dropped > 0 && r.stored < int64(r.records)
	if r.dropped > 0 {
		said = fmt.Sprintf("  %d packets dropped by the kernel", r.dropped)
	}
	if row.relay {
		said += fmt.Sprintf("  %d of %d packets relayed", int64(r.relayed)+r.missed, r.packets)
	}
	if r.others > 0.1 {
		said += fmt.Sprintf("  other programs took %.0f%% of the processors", 100*r.others)
	}
	if !whole {
		said += "  STORED IS NOT WHAT ARRIVED"
	}
	return said, whole
}

// liveRun starts a collector, sends, waits until its sockets are empty, ends it, and counts.
func (h *harness) liveRun(row *liveRow, c *collector, s *sender) (*liveResult, error) {
	dir := filepath.Join(h.dir, "live")
	if err := firstError(os.RemoveAll(dir), os.Mkdir(dir, 0o777)); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	relay, err := newRelayed()
	if err != nil {
		return nil, err
	}
	defer relay.close()
	p, err := h.tools.start(h.dir, c.line(row, port, relay.port))
	if err != nil {
		return nil, err
	}
	defer p.kill()
	r, begin, busy, own := &liveResult{}, time.Now(), busyTime(), processTime()
	if err := p.until(10*time.Second, func() bool { return readSockets(port).n > 0 }); err != nil {
		return nil, fmt.Errorf("it does not listen: %w", err)
	}
	time.Sleep(200 * time.Millisecond) // what it does after it has opened its sockets
	if r.sent, err = s.send(port, row.rate, row.packets); err != nil {
		return nil, err
	}
	if err := p.until(60*time.Second, func() bool { return readSockets(port).queued == 0 }); err != nil {
		return nil, fmt.Errorf("it leaves packets in its sockets: %w", err)
	}
	r.dropped = readSockets(port).dropped
	if r.cost, err = p.end(60 * time.Second); err != nil {
		return nil, err
	}
	busy = busyTime() - busy - (processTime() - own) - r.cpu
	r.others = busy.Seconds() / time.Since(begin).Seconds() / float64(runtime.NumCPU())
	r.missed = readSockets(relay.port).dropped
	r.relayed = relay.close()
	if r.stored, err = h.countStored(c); err != nil {
		return nil, err
	}
	r.size, err = totalSize(filepath.Join(dir, c.files))
	return r, err
}

// countStored asks the collector's own reader.
func (h *harness) countStored(c *collector) (int64, error) {
	name := filepath.Join(h.dir, "out", "live.txt")
	if _, err := h.tools.execute(h.dir, c.count, name, false); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(text), c.word)
	n := int64(0)
	if _, err := fmt.Sscan(after, &n); !found || err != nil {
		return 0, fmt.Errorf("%s: no number in %q", c.count, text)
	}
	return n, nil
}

// process is a program that runs until it is told to end.
type process struct {
	cmd    *exec.Cmd
	said   bytes.Buffer
	exited chan error
}

// start begins a line, which is one program, without waiting for it.
func (t *tools) start(dir, line string) (*process, error) {
	p := &process{cmd: exec.Command("/bin/sh", "-c", line), exited: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.said, &p.said
	p.cmd.Env = t.environment()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.exited <- p.cmd.Wait() }()
	return p, nil
}

var errSlow = errors.New("it takes too long")

// until waits for a condition, and fails when the process ends or time is up.
func (p *process) until(limit time.Duration, condition func() bool) error {
	for deadline := time.Now().Add(limit); !condition(); {
		select {
		case err := <-p.exited:
			p.exited <- err
			return fmt.Errorf("it ended: %v\n%s", err, bytes.TrimSpace(p.said.Bytes()))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errSlow
		}
	}
	return nil
}

// end asks the process to end, waits for that, and returns what it took.
func (p *process) end(limit time.Duration) (cost, error) {
	c := cost{peak: highWater("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return c, err
	}
	select {
	case err := <-p.exited:
		p.exited <- err
		c.cpu = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(p.said.Bytes()))
		}
		return c, err
	case <-time.After(limit):
		return c, errSlow
	}
}

// kill ends the process if it still runs.
func (p *process) kill() {
	select {
	case <-p.exited:
	default:
		p.cmd.Process.Kill()
		<-p.exited
	}
}
