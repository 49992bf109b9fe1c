package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/meter"
)

// maxDump bounds the flows that dump-flows shows.
const maxDump = 100_000

func (m *monitor) dump() string {
	var b strings.Builder
	n := 0
	m.m.Each(func(r *meter.Record) {
		if n++; n <= maxDump {
			b.WriteString(lineOf(r) + "\n")
		}
	})
	if n > maxDump {
		fmt.Fprintf(&b, "and %d more\n", n-maxDump)
	}
	return b.String()
}

// lineOf shows a record.
func lineOf(r *meter.Record) string {
	end := func(a [16]byte, port uint16) string {
		at := netip.AddrFrom16(a)
		if r.Family == 4 {
			at = netip.AddrFrom4([4]byte(a[:4]))
		}
		if !r.HasPorts {
			return at.String()
		}
		return netip.AddrPortFrom(at, port).String()
	}
	line := fmt.Sprintf("proto %d %s > %s: %d packets, %d bytes, %s for %.3f s", r.Proto, end(r.Src, r.SrcPort), end(r.Dst, r.DstPort),
		r.Packets, r.Bytes, time.Unix(0, r.First).Format("15:04:05.000"), time.Duration(r.Last-r.First).Seconds())
	if r.Biflow && r.Reverse.Packets > 0 {
		line += fmt.Sprintf("; back %d packets, %d bytes", r.Reverse.Packets, r.Reverse.Bytes)
	}
	return line
}

func (m *monitor) timeouts() string {
	t := m.config.meter.Timeouts
	var b strings.Builder
	for _, x := range []struct {
		name string
		time time.Duration
	}{
		{"tcp", t.TCP}, {"tcp.rst", t.TCPRst}, {"tcp.fin", t.TCPFin}, {"udp", t.UDP}, {"icmp", t.ICMP}, {"general", t.General},
		{"maxlife", t.MaxLife}, {"expint", t.Interval},
	} {
		fmt.Fprintf(&b, "%-8s %s\n", x.name, x.time)
	}
	return b.String()
}

// statistics tells of the run so far. What the parser could not use is known at its end only.
func (m *monitor) statistics() string {
	s, k := m.m.Stats(), m.in.Stats()
	var b strings.Builder
	row := func(label string, n uint64) { fmt.Fprintf(&b, "%-34s %s\n", label, cli.Count(int64(n))) }
	fmt.Fprintf(&b, "%-34s %s\n", "running for", time.Since(m.started).Round(time.Second))
	row("packets captured", k.Packets)
	row("packets dropped by the kernel", k.Drops)
	row("packets metered", s.Packets)
	row("IP bytes metered", s.Bytes)
	row("packets refused by the filter", s.Filtered)
	row("fragments", s.Fragments)
	row("flows in the cache", uint64(s.Active))
	row("flows made", s.Flows)
	row("records made", s.Records)
	row("flows evicted for lack of room", s.Evicted)
	for _, d := range m.x.Stats() {
		fmt.Fprintf(&b, "%-34s %s records in %s messages, %s\n", "to "+d.Target, cli.Count(int64(d.Records)), cli.Count(int64(d.Messages)), cli.Bytes(int64(d.Bytes)))
		if lost := d.Dropped + d.Failed; lost > 0 {
			fmt.Fprintf(&b, "%-34s %s records in %s messages\n", "  could not be sent", cli.Count(int64(d.DroppedRecords+d.FailedRecords)), cli.Count(int64(lost)))
		}
		if d.Err != nil {
			fmt.Fprintf(&b, "%-34s %v\n", "  last error", d.Err)
		}
	}
	return b.String()
}

// report is --stats.
func (r *runner) report(s *cli.Stats) {
	if s == nil {
		return
	}
	if c := r.counts; c.Frames > 0 {
		s.Add("packets read", int64(c.Frames))
		s.Add("packets without IP", int64(c.NotIP+c.UnknownLink))
		s.Add("packets cut short or malformed", int64(c.Short+c.Malformed))
	}
	e := r.x.Encoded()
	s.Add("records to send", int64(e.Records))
	for _, n := range []struct {
		label string
		n     uint64
	}{
		{"values without a place in this version", e.Elements}, {"values that are never sent", e.Project},
		{"numbers and times clamped", e.Clamped}, {"records with scaled counters", e.Scaled},
	} {
		if n.n > 0 {
			s.Add(n.label, int64(n.n))
		}
	}
	for _, d := range r.x.Stats() {
		s.Addf("to "+d.Target, "%s records in %s messages, %s", cli.Count(int64(d.Records)), cli.Count(int64(d.Messages)), cli.Bytes(int64(d.Bytes)))
		if lost := d.Dropped + d.Failed; lost > 0 {
			s.Addf("could not be sent", "%s records in %s messages", cli.Count(int64(d.DroppedRecords+d.FailedRecords)), cli.Count(int64(lost)))
		}
	}
	s.Print()
}
