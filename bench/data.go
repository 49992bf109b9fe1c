package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// dataVersion is part of the directory's name: raise it when the files of a seed change.
const dataVersion = 4

// names of the data files within the directory of one set of parameters.
const (
	fileOurs    = "flows.nf"
	fileNfdump  = "flows.nfdump"
	fileCapture = "packets.pcap"
	fileExport  = "export.pcap" // the same rows as flows.nf
	fileSparse  = "sparse.pcap" // export packets of a slot at 100 flows a second
	fileFacts   = "facts.json"
)

// facts is what is known about a set of data, kept beside it.
type facts struct {
	Shape       shape
	Capture     CaptureStats
	CaptureSize int64
	Export      ExportStats
	Sparse      ExportStats
	LZ4Size     int64
	ZstdSize    int64
	LZ4Seconds  float64 // of CPU to encode and write, generation not counted
	ZstdSeconds float64
}

// shape counts properties of the rows, so that a reader of the results can judge the data.
type shape struct {
	Rows, IPv6, TCP, UDP, ICMP, Other    int
	DstPort53, DstPort3389, Selective    int
	SinglePacket, FirstReceived, LastRow int64
	Packets, Bytes                       uint64
}

var selectiveNet = netip.MustParsePrefix("10.0.0.0/24")

func (s *shape) add(r *Row) {
	s.Rows++
	if r.Src.Is6() {
		s.IPv6++
	}
	switch r.Proto {
	case protoTCP:
		s.TCP++
		if r.Bytes > 1_000_000 && selectiveNet.Contains(r.Src) {
			s.Selective++
		}
	case protoUDP:
		s.UDP++
	case protoICMP, protoICMPv6:
		s.ICMP++
	default:
		s.Other++
	}
	switch r.DstPort {
	case 53:
		s.DstPort53++
	case 3389:
		s.DstPort3389++
	}
	if r.Packets == 1 {
		s.SinglePacket++
	}
	if s.FirstReceived == 0 {
		s.FirstReceived = r.Received
	}
	s.LastRow = r.Received
	s.Packets += r.Packets
	s.Bytes += r.Bytes
}

// data is a prepared directory.
type data struct {
	facts
	dir  string
	ours *encoded // nil when there is no such writer
}

// prepare makes what is missing. The peers' files are kept; our own is written anew each time, since its encoder
// is what is being worked on.
func prepare(c *config) (*data, error) {
	d := &data{dir: filepath.Join(c.dir, fmt.Sprintf("v%d-seed%d-%d-%d", dataVersion, c.seed, c.records, c.packets))}
	if err := os.MkdirAll(d.dir, 0o777); err != nil {
		return nil, err
	}
	if !d.load() {
		if err := d.makePeers(c); err != nil {
			return nil, err
		}
	}
	var err error
	d.ours, err = encodeOurs(c, filepath.Join(d.dir, fileOurs))
	return d, err
}

// load reads the facts; they are written last, so that their presence says that all is there.
func (d *data) load() bool {
	b, err := os.ReadFile(filepath.Join(d.dir, fileFacts))
	return err == nil && json.Unmarshal(b, &d.facts) == nil
}

func (d *data) makePeers(c *config) error {
	var err error
	fmt.Fprintf(os.Stderr, "making %d records and %d packets in %s\n", c.records, c.packets, d.dir)
	if d.LZ4Size, d.LZ4Seconds, err = writeNfdump(c, filepath.Join(d.dir, fileNfdump), codecLZ4); err != nil {
		return err
	}
	zstd := filepath.Join(d.dir, "flows.zstd.nfdump")
	if d.ZstdSize, d.ZstdSeconds, err = writeNfdump(c, zstd, codecZstd); err != nil {
		return err
	}
	if err := os.Remove(zstd); err != nil { // made for its size only
		return err
	}
	Generate(c.seed, c.records, d.Shape.add)
	capture := filepath.Join(d.dir, fileCapture)
	if d.Capture, err = WriteCapture(capture, c.seed, c.packets); err != nil {
		return err
	}
	if d.CaptureSize, err = fileSize(capture); err != nil {
		return err
	}
	if d.Export, err = writeExport(filepath.Join(d.dir, fileExport), c.seed, c.records); err != nil {
		return err
	}
	if d.Sparse, err = writeSparse(filepath.Join(d.dir, fileSparse), c.seed); err != nil {
		return err
	}
	b, err := json.MarshalIndent(d.facts, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, fileFacts), b, 0o666)
}

// rowBatch is how many rows are made before the clock of a writer runs.
const rowBatch = 1 << 16

// timed gives rows to write in batches and returns the seconds of CPU time that the process spent in write, in all
// its threads: on a busy machine that is steadier than the clock.
func timed(seed uint64, n int, write func([]Row)) float64 {
	rows := make([]Row, 0, rowBatch)
	var spent time.Duration
	flush := func() {
		start := processTime()
		write(rows)
		spent += processTime() - start
		rows = rows[:0]
	}
	Generate(seed, n, func(r *Row) {
		rows = append(rows, *r)
		if len(rows) == rowBatch {
			flush()
		}
	})
	flush()
	return spent.Seconds()
}

// processTime is the CPU time of this process so far.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func writeNfdump(c *config, name string, k codec) (size int64, seconds float64, err error) {
	w, err := createNfdump(name, k)
	if err != nil {
		return 0, 0, err
	}
	seconds = timed(c.seed, c.records, func(rows []Row) {
		for i := range rows {
			w.Row(&rows[i])
		}
	})
	if err := w.Close(); err != nil {
		return 0, 0, err
	}
	size, err = fileSize(name)
	return size, seconds, err
}

func fileSize(name string) (int64, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// report prints what the data is, and what it takes in each format.
func (d *data) report(w io.Writer) {
	s := &d.Shape
	share := func(n int) float64 { return 100 * float64(n) / float64(s.Rows) }
	seconds := float64(s.LastRow-s.FirstReceived) / 1000
	fmt.Fprintf(w, "%d records in %.0f s of export: %.1f%% IPv6, %.1f%% TCP, %.1f%% UDP, %.1f%% ICMP, %.1f%% other, %.1f%% of one packet, %.1f packets a flow, %.0f bytes a packet\n",
		s.Rows, seconds, share(s.IPv6), share(s.TCP), share(s.UDP), share(s.ICMP), share(s.Other),
		share(int(s.SinglePacket)), float64(s.Packets)/float64(s.Rows), float64(s.Bytes)/float64(s.Packets))
	fmt.Fprintf(w, "dst port 53: %.1f%%, dst port 3389: %d, selective: %d\n", share(s.DstPort53), s.DstPort3389, s.Selective)
	fmt.Fprintf(w, "capture: %d packets, %d flows, %.0f MB\n", d.Capture.Packets, d.Capture.Flows, float64(d.CaptureSize)/1e6)
	fmt.Fprintf(w, "export: %d packets of NetFlow v9, %.1f records a packet, %.0f MB\n\n",
		d.Export.Packets, float64(d.Export.Records)/float64(d.Export.Packets), float64(d.Export.Size)/1e6)
	fmt.Fprintf(w, "%-28s %12s %10s %12s\n", "file", "bytes", "B/record", "cpu ns/rec")
	line := func(name string, size int64, seconds float64) {
		fmt.Fprintf(w, "%-28s %12d %10.2f %12.0f\n", name, size, float64(size)/float64(s.Rows), seconds*1e9/float64(s.Rows))
	}
	line("nfdump lz4", d.LZ4Size, d.LZ4Seconds)
	line("nfdump zstd", d.ZstdSize, d.ZstdSeconds)
	if d.ours != nil {
		d.ours.report(w, line)
	}
	fmt.Fprintln(w)
}
