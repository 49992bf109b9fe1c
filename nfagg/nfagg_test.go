package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/cli"
	"nfpipe/lib/cli/clitest"
	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

func TestMain(m *testing.M) {
	os.Setenv("TZ", "UTC")
	os.Exit(m.Run())
}

func TestManners(t *testing.T) { clitest.Manners(t, run, "nfagg") }

func nfagg(input string, args ...string) clitest.Result {
	return clitest.Run(run, "nfagg", input, args...)
}

// record is one of the records that the tests aggregate; times are milliseconds after epoch.
type record struct {
	src, dst, sport, dport, proto, packets, bytes, first, last int
}

const (
	epoch    = 1_700_000_000_000 // milliseconds
	frameLen = 300
)

func records(n int) []record {
	out := make([]record, n)
	for i := range out {
		out[i] = record{src: i * i % 23, dst: i % 5, sport: 1024 + i%40, dport: []int{53, 80, 443}[i%3], proto: []int{17, 6}[i%2],
			packets: 1 + i%9, bytes: 40 + i*i%1400, first: i * 10, last: i*10 + i%700}
	}
	return out
}

// made is a stream of these records, as another tool would have written it: processed is what
// that tool says it had read, 0 for a stream without history.
func made(t *testing.T, rs []record, processed int) string {
	t.Helper()
	var out bytes.Buffer
	w := stream.NewWriter(&out)
	h, e := stream.Head{}, stream.End{}
	if processed > 0 {
		at := h.History.Add(stream.Entry{Tool: "nffilter", Args: []string{"some"}})
		e.Counts = []stream.Count{{Entry: at, Read: uint64(processed), Matched: uint64(len(rs)), Written: uint64(len(rs))}}
	}
	check(t, w.Head(h))
	for part := range slices.Chunk(rs, frameLen) {
		b := flow.NewBuilder()
		l, ok := b.Layout(flow.ShapeOf(8, 12, 7, 11, 4, 2, 1, 152, 153))
		if !ok {
			t.Fatal("no layout")
		}
		for _, r := range part {
			l.Next()
			l.Cols[0].Put4(0x0a000000 + uint32(r.src))
			l.Cols[1].Put4(0xc0000200 + uint32(r.dst))
			for k, x := range []int{r.sport, r.dport, r.proto, r.packets, r.bytes} {
				l.Cols[2+k].PutInt(uint64(x))
			}
			l.Cols[7].PutInt(uint64(epoch+r.first) * 1e6)
			l.Cols[8].PutInt(uint64(epoch+r.last) * 1e6)
		}
		f, err := stream.EncodeFrame(b.Batch(), column.None, false)
		check(t, err)
		check(t, w.Write(f))
	}
	check(t, w.End(e))
	return out.String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// group is what some records add up to.
type group struct {
	key                           string
	flows, packets, bytes, fs, le int
}

// groups adds records up the slow way, in the order of their first start, then key.
func groups(rs []record, key func(record) []string) []group {
	all := map[string]*group{}
	for _, r := range rs {
		for _, k := range key(r) {
			g := all[k]
			if g == nil {
				g = &group{key: k, fs: r.first, le: r.last}
				all[k] = g
			}
			g.flows++
			g.packets += r.packets
			g.bytes += r.bytes
			g.fs, g.le = min(g.fs, r.first), max(g.le, r.last)
		}
	}
	out := make([]group, 0, len(all))
	for _, g := range slices.Collect(maps.Values(all)) {
		out = append(out, *g)
	}
	rank(out, func(g group) int { return g.fs })
	return out
}

var numbers = regexp.MustCompile(`[0-9]+`)

// rank sorts by a value, then by the numbers of the key.
func rank(list []group, value func(group) int) {
	slices.SortFunc(list, func(a, b group) int {
		c := cmp.Compare(value(a), value(b))
		x, y := numbers.FindAllString(a.key, -1), numbers.FindAllString(b.key, -1)
		for i := 0; c == 0 && i < len(x); i++ {
			c = cmp.Or(cmp.Compare(len(x[i]), len(y[i])), cmp.Compare(x[i], y[i]))
		}
		return c
	})
}

func (g group) String() string { return fmt.Sprintf("%s,%d,%d,%d", g.key, g.packets, g.bytes, g.flows) }

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

func texts[T fmt.Stringer](list []T) (out []string) {
	for _, x := range list {
		out = append(out, x.String())
	}
	return out
}

func well(t *testing.T, what string, r clitest.Result) string {
	t.Helper()
	if r.Code != cli.Done || r.Stderr != "" {
		t.Fatalf("%s: code %d, stderr %q", what, r.Code, r.Stderr)
	}
	return r.Stdout
}

func pair(r record) []string { return []string{fmt.Sprintf("10.0.0.%d,192.0.2.%d", r.src, r.dst)} }

func tuple(r record) []string {
	return []string{fmt.Sprintf("10.0.0.%d,%d,192.0.2.%d,%d,%d", r.src, r.sport, r.dst, r.dport, r.proto)}
}

// Groups are what adding up the slow way gives, in a fixed order.
func TestGroups(t *testing.T) {
	rs := records(1000)
	input := made(t, rs, 0)
	by := func(value func(group) int) func([]group) { return func(g []group) { rank(g, value) } }
	const pairs, tuples = "csv:%sa,%da,%pkt,%byt,%fl", "csv:%sa,%sp,%da,%dp,%pr,%pkt,%byt,%fl"
	for _, c := range []struct {
		args  []string
		rs    []record
		key   func(record) []string
		order func([]group)
		top   int
	}{
		{[]string{"-A", "srcip,dstip", "-o", pairs}, rs, pair, nil, 0},
		{[]string{"-A", "srcip , dstip", "-n", "7", "-o", pairs}, rs, pair, nil, 7},
		{[]string{"-A", "srcip,dstip", "-n", "0", "-o", pairs}, rs, pair, nil, 0},
		{[]string{"-A", "srcip,dstip", "-c", "450", "-o", pairs}, rs[:450], pair, nil, 0},
		{[]string{"-a", "-o", tuples}, rs, tuple, nil, 0},
		{[]string{"-A", "srcip4/28", "-o", "csv:%sa,%pkt,%byt,%fl"}, rs, func(r record) []string { return []string{fmt.Sprintf("10.0.0.%d", r.src&^15)} }, nil, 0},
		{[]string{"-A", "srcip/28", "-o", "csv:%sa,%pkt,%byt,%fl"}, rs, func(r record) []string { return []string{fmt.Sprintf("10.0.0.%d", r.src&^15)} }, nil, 0},
		{[]string{"-A", "proto", "-O", "tstart", "-o", "csv:%pr,%pkt,%byt,%fl"}, rs, func(r record) []string { return []string{fmt.Sprint(r.proto)} }, nil, 0},
		{[]string{"-A", "srcip,dstip", "-O", "bytes", "-n", "9", "-o", pairs}, rs, pair, by(func(g group) int { return -g.bytes }), 9},
		{[]string{"-A", "srcip,dstip", "-O", "bytes:a", "-n", "9", "-o", pairs}, rs, pair, by(func(g group) int { return g.bytes }), 9},
		{[]string{"-A", "srcip,dstip", "-O", "packets", "-n", "9", "-o", pairs}, rs, pair, by(func(g group) int { return -g.packets }), 9},
		{[]string{"-A", "srcip,dstip", "-O", "tend:d", "-n", "9", "-o", pairs}, rs, pair, by(func(g group) int { return -g.le }), 9},
	} {
		want := groups(c.rs, c.key)
		if c.order != nil {
			c.order(want)
		}
		if c.top > 0 {
			want = want[:c.top]
		}
		what := strings.Join(c.args, " ")
		got := lines(well(t, what, nfagg(input, append(c.args, "-q")...)))
		if !slices.Equal(got, texts(want)) {
			t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(texts(want), "\n"))
		}
	}
}

// A file, a pipe and several files give the same; the same run gives the same.
func TestInputs(t *testing.T) {
	rs := records(1000)
	path := filepath.Join(t.TempDir(), "a.nf")
	check(t, os.WriteFile(path, []byte(made(t, rs[:600], 0)), 0o666))
	for _, args := range []string{"-A srcip,dstip", "-s port/bytes -n 0", "-O bytes -n 20", "-o csv", "-a -O packets -n 9"} {
		words := append(strings.Fields(args), "-q")
		want := well(t, args, nfagg(made(t, rs, 0), words...))
		if got := well(t, args, nfagg(made(t, rs[600:], 0), append(words, "-r", path, "-r", "-")...)); got != want {
			t.Errorf("%s of two inputs:\n%s\nof one:\n%s", args, got, want)
		}
		whole := filepath.Join(t.TempDir(), "whole.nf")
		check(t, os.WriteFile(whole, []byte(made(t, rs, 0)), 0o666))
		if got := well(t, args, nfagg("", append(words, "-r", whole)...)); got != want {
			t.Errorf("%s of a file:\n%s\nof a pipe:\n%s", args, got, want)
		}
	}
}

// Two orders of one statistic are two tables in one pass, each ranked.
func TestStatistics(t *testing.T) {
	rs := records(1000)
	input := made(t, rs, 0)
	port := func(r record) []string {
		if r.sport == r.dport {
			return []string{fmt.Sprint(r.sport)}
		}
		return []string{fmt.Sprint(r.sport), fmt.Sprint(r.dport)}
	}
	src := func(r record) []string { return []string{fmt.Sprintf("10.0.0.%d", r.src)} }
	type entry struct {
		val              string
		fl, ipkt, ibyt   int
		flP, pktP, bytP  float64
		td               float64
		pps, bps, bpp    int
		ts, te, protocol string
	}
	parse := func(line string) entry {
		var e entry
		f := strings.Split(line, ",")
		if len(f) != 14 {
			t.Fatalf("%q has %d fields", line, len(f))
		}
		e.ts, e.te, e.protocol, e.val = f[0], f[1], f[3], f[4]
		for i, to := range map[int]any{2: &e.td, 5: &e.fl, 6: &e.flP, 7: &e.ipkt, 8: &e.pktP, 9: &e.ibyt, 10: &e.bytP, 11: &e.pps, 12: &e.bps, 13: &e.bpp} {
			if _, err := fmt.Sscan(f[i], to); err != nil {
				t.Fatalf("%q, field %d: %v", line, i, err)
			}
		}
		return e
	}
	for _, c := range []struct {
		stat  string
		key   func(record) []string
		value func(group) int
	}{
		{"srcip/bytes", src, func(g group) int { return g.bytes }},
		{"srcip/flows", src, func(g group) int { return g.flows }},
		{"srcip", src, func(g group) int { return g.flows }},
		{"port/packets", port, func(g group) int { return g.packets }},
		{"port/bytes", port, func(g group) int { return g.bytes }},
	} {
		all := groups(rs, c.key)
		rank(all, func(g group) int { return -c.value(g) })
		got := lines(well(t, c.stat, nfagg(input, "-s", c.stat, "-n", "0", "-qo", "csv")))
		if len(got) != len(all) {
			t.Errorf("-s %s: %d rows, want %d", c.stat, len(got), len(all))
			continue
		}
		sums := map[string]group{}
		for _, g := range all {
			sums[g.key] = g
		}
		for i, line := range got {
			e := parse(line)
			g := sums[e.val]
			if e.fl != g.flows || e.ipkt != g.packets || e.ibyt != g.bytes || e.bpp != g.bytes/max(g.packets, 1) || e.protocol != "any" ||
				fmt.Sprintf("%.3f", e.td) != fmt.Sprintf("%.3f", float64(g.le-g.fs)/1000) {
				t.Errorf("-s %s: row %s, want %v", c.stat, line, g)
			}
			if e.val != all[i].key {
				t.Errorf("-s %s: row %d is %s, which does not rank there", c.stat, i+1, line)
			}
			if share := 100 * float64(g.flows) / float64(len(rs)); e.flP < share-0.06 || e.flP > share+0.06 {
				t.Errorf("-s %s: row %s, the share of flows is %.2f", c.stat, line, share)
			}
		}
		if ten := lines(well(t, c.stat, nfagg(input, "-s", c.stat, "-qo", "csv"))); !slices.Equal(ten, got[:min(10, len(got))]) {
			t.Errorf("-s %s without -n: %d rows", c.stat, len(ten))
		}
	}
	two := well(t, "two", nfagg(input, "-s", "srcip/bytes/flows", "-s", "proto/packets", "-n", "2", "-q"))
	var one string
	for _, s := range []string{"srcip/bytes", "srcip/flows", "proto/packets"} {
		one += well(t, s, nfagg(input, "-s", s, "-n", "2", "-q"))
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if squeeze(two) != squeeze(one) || one == "" {
		t.Errorf("-s srcip/bytes/flows -s proto/packets:\n%s\none by one:\n%s", two, one)
	}
	titled := well(t, "titles", nfagg(input, "-s", "srcip/bytes/flows", "-n", "2"))
	for _, title := range []string{"Top 2 Src IP Addr ordered by bytes:\n", "\n\nTop 2 Src IP Addr ordered by flows:\n", "\nSummary: total flows: 1000,"} {
		if !strings.Contains(titled, title) {
			t.Errorf("no %q in\n%s", title, titled)
		}
	}
}

// "record" ranks connections.
func TestRecordStatistic(t *testing.T) {
	rs := records(1000)
	all := groups(rs, tuple)
	rank(all, func(g group) int { return -g.bytes })
	const mode = "csv:%sa,%sp,%da,%dp,%pr,%pkt,%byt,%fl"
	got := lines(well(t, "-s record/bytes", nfagg(made(t, rs, 0), "-s", "record/bytes", "-n", "1", "-qo", mode)))
	if !slices.Equal(got, texts(all[:1])) {
		t.Errorf("-s record/bytes: %q, want %q", got, texts(all[:1]))
	}
}

// Records come out as they went in, or sorted, ties in their order.
func TestRecords(t *testing.T) {
	rs := records(1000)
	input := made(t, rs, 0)
	rows := func(rs []record) (out []string) {
		for _, r := range rs {
			out = append(out, fmt.Sprintf("10.0.0.%d,%d,192.0.2.%d,%d,%d,%d,%d", r.src, r.sport, r.dst, r.dport, r.proto, r.packets, r.bytes))
		}
		return out
	}
	sorted := func(n int, c func(a, b record) int) []string {
		s := slices.Clone(rs)
		slices.SortStableFunc(s, c)
		return rows(s[:n])
	}
	for _, c := range []struct {
		args string
		want []string
	}{
		{"", rows(rs)},
		{"-c 5", rows(rs[:5])},
		{"-c 305", rows(rs[:305])},
		{"-c 5000", rows(rs)},
		{"-O bytes -n 5", sorted(5, func(a, b record) int { return cmp.Compare(b.bytes, a.bytes) })},
		{"-O bytes:a -n 5", sorted(5, func(a, b record) int { return cmp.Compare(a.bytes, b.bytes) })},
		{"-O packets -n 5", sorted(5, func(a, b record) int { return cmp.Compare(b.packets, a.packets) })},
		{"-O tstart:d", sorted(1000, func(a, b record) int { return cmp.Compare(b.first, a.first) })},
		{"-O duration -n 3", sorted(3, func(a, b record) int { return cmp.Compare(b.last-b.first, a.last-a.first) })},
	} {
		args := append(strings.Fields(c.args), "-q", "-o", "csv:%sa,%sp,%da,%dp,%pr,%pkt,%byt")
		if got := lines(well(t, c.args, nfagg(input, args...))); !slices.Equal(got, c.want) {
			t.Errorf("%q: %d rows such as %q, want %d such as %q", c.args, len(got), got[:min(3, len(got))], len(c.want), c.want[:3])
		}
	}
}

func TestModes(t *testing.T) {
	input := made(t, records(2), 0)
	for _, c := range []struct{ args, want string }{
		{"-q", "2023-11-14 22:13:20.000     00:00:00.000 UDP            10.0.0.0:1024  ->        192.0.2.0:53           1       40     1\n" +
			"2023-11-14 22:13:20.010     00:00:00.001 TCP            10.0.0.1:1025  ->        192.0.2.1:80           2       41     1\n"},
		{"-qc1 -o long", "2023-11-14 22:13:20.000     00:00:00.000 UDP            10.0.0.0:1024  ->        192.0.2.0:53    ........    0        1       40     1\n"},
		{"-o csv:%sa,%byt", "srcAddr,bytes\n10.0.0.0,40\n10.0.0.1,41\n"},
		{"-q -o csv:%sa,%byt", "10.0.0.0,40\n10.0.0.1,41\n"},
		{"-A dstport -o csv", "firstSeen,duration,dstPort,packets,bytes,bps,bpp,flows\n2023-11-14 22:13:20.000,0.000,53,1,40,0,40,1\n2023-11-14 22:13:20.010,0.001,80,2,41,328000,20,1\n"},
		{"-c 1 -q -N -o fmt:%pr|%byt|%%", "17   |      40|%\n"},
	} {
		out := well(t, c.args, nfagg(input, strings.Fields(c.args)...))
		if squeeze := func(s string) string {
			return regexp.MustCompile(` +`).ReplaceAllString(strings.ReplaceAll(s, " |", "|"), " ")
		}; squeeze(out) != squeeze(c.want) {
			t.Errorf("%s:\n%swant\n%s", c.args, out, c.want)
		}
	}
	var array []map[string]any
	out := well(t, "json", nfagg(input, "-o", "json"))
	if err := json.Unmarshal([]byte(out), &array); err != nil || len(array) != 2 || array[1]["src4_addr"] != "10.0.0.1" || array[1]["in_bytes"] != 41.0 {
		t.Errorf("json: %v\n%s", err, out)
	}
	for i, line := range lines(well(t, "ndjson", nfagg(input, "-o", "ndjson"))) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil || fmt.Sprint(one) != fmt.Sprint(array[i]) {
			t.Errorf("ndjson: %v, %v; json has %v", err, one, array[i])
		}
	}
	for _, args := range []string{"", "-A srcip", "-O bytes", "-s srcip/bytes", "-s srcip/bytes/flows -s dstip", "-s record/bytes"} {
		words := append(strings.Fields(args), "-o", "null")
		if out := well(t, "null "+args, nfagg(input, words...)); !strings.HasPrefix(out, "Summary: total flows: 2, total bytes: 81,") {
			t.Errorf("null %s: %q", args, out)
		}
		if out := well(t, "null -q "+args, nfagg(input, append(words, "-q")...)); out != "" {
			t.Errorf("null -q %s: %q", args, out)
		}
	}
	if header := strings.SplitN(well(t, "line", nfagg(input)), "\n", 2)[0]; !strings.HasPrefix(header, "Date first seen ") {
		t.Errorf("line begins with %q", header)
	}
}

// What data has no rows is no data: nothing that a program would take for a record.
func TestNoRecords(t *testing.T) {
	input := made(t, nil, 0)
	for _, c := range []struct{ args, want string }{
		{"-o csv", "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n"},
		{"-o csv -q", ""},
		{"-o csv -A srcip", "firstSeen,duration,srcAddr,packets,bytes,bps,bpp,flows\n"},
		{"-o csv -s srcip", "ts,te,td,pr,val,fl,flP,ipkt,ipktP,ibyt,ibytP,ipps,ibps,ibpp\n"},
		{"-o csv -O bytes", "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n"},
		{"-o json", "[\n]\n"}, {"-o json -A srcip", "[\n]\n"}, {"-o json -s srcip", "[\n]\n"}, {"-o json -O bytes", "[\n]\n"},
		{"-o ndjson", ""}, {"-o ndjson -A srcip", ""}, {"-o ndjson -s srcip", ""}, {"-o ndjson -O bytes", ""},
		{"-q", ""}, {"-q -A srcip", ""}, {"-q -O bytes", ""}, {"-o null -q", ""},
	} {
		if got := well(t, c.args, nfagg(input, strings.Fields(c.args)...)); got != c.want {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
	}
	for _, args := range []string{"", "-A srcip", "-s srcip", "-O bytes"} {
		if got := well(t, args, nfagg(input, strings.Fields(args)...)); !strings.Contains(got, "\nSummary: total flows: 0,") {
			t.Errorf("%s: no summary in\n%s", args, got)
		}
	}
}

// The summary says what the first tool of the pipeline read, and what came here.
func TestSummary(t *testing.T) {
	rs := records(700)
	var bytes, packets int
	for _, r := range rs {
		bytes += r.bytes
		packets += r.packets
	}
	for _, c := range []struct {
		processed      int
		args           string
		says, totalled string
	}{
		{0, "", "Total records processed: 700, passed: 700,", "total flows: 700,"},
		{5000, "", "Total records processed: 5000, passed: 700,", "total flows: 700,"},
		{5000, "-A srcip", "Total records processed: 5000, passed: 700,", "total flows: 700,"},
		{5000, "-s srcip", "Total records processed: 5000, passed: 700,", "total flows: 700,"},
		{5000, "-O bytes -n 3", "Total records processed: 5000, passed: 700,", "total flows: 700,"},
		{5000, "-o null", "Total records processed: 5000, passed: 700,", "total flows: 700,"},
	} {
		got := well(t, c.args, nfagg(made(t, rs, c.processed), strings.Fields(c.args)...))
		sums := fmt.Sprintf("Summary: %s total bytes: %d, total packets: %d,", c.totalled, bytes, packets)
		if !strings.Contains(got, c.says) || !strings.Contains(got, "\n"+sums) && !strings.HasPrefix(got, sums) {
			t.Errorf("%s after a filter that read %d:\n%s\nwant %q and %q", c.args, c.processed, got, c.says, sums)
		}
	}
	for _, args := range []string{"-q", "-o csv", "-o json", "-o ndjson", "-qA srcip", "-qs srcip"} {
		if got := well(t, args, nfagg(made(t, rs, 5000), strings.Fields(args)...)); strings.Contains(got, "Summary") || strings.Contains(got, "Total records") {
			t.Errorf("%s: a summary in %q", args, got[max(0, len(got)-300):])
		}
	}
}

// Bytes read are those of the whole stream, whichever columns were looked at, after
// decompression; with -c those up to the frame in which the last record is.
func TestBytesRead(t *testing.T) {
	input := made(t, records(700), 5000)
	file := filepath.Join(t.TempDir(), "a.nf")
	check(t, os.WriteFile(file, []byte(input), 0o666))
	packed := file + ".gz"
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(input))
	w.Close()
	check(t, os.WriteFile(packed, z.Bytes(), 0o666))
	for _, c := range []struct {
		args string
		want int
	}{
		{"", len(input)}, {"-r " + file, len(input)}, {"-r " + packed, len(input)}, {"-r " + file + " -r " + packed, 2 * len(input)},
	} {
		for _, mode := range []string{"", "-o null", "-A proto", "-s srcip", "-s record", "-O bytes"} {
			got := well(t, c.args+mode, nfagg(input, strings.Fields(c.args+" "+mode)...))
			if want := fmt.Sprintf(", Bytes read: %d\n", c.want); !strings.Contains(got, want) {
				t.Errorf("%s %s: no %q in\n%s", c.args, mode, want, got[max(0, len(got)-300):])
			}
		}
	}
	read := regexp.MustCompile(`passed: 5, .*Bytes read: (\d+)\n`)
	listed := read.FindStringSubmatch(nfagg(input, "-c5").Stdout)
	grouped := read.FindStringSubmatch(nfagg(input, "-c5", "-A", "proto", "-r", file).Stdout)
	if n := 0; len(listed) < 2 || len(grouped) < 2 || listed[1] != grouped[1] {
		t.Errorf("of five records: %q and %q", listed, grouped)
	} else if fmt.Sscan(listed[1], &n); n <= 0 || n >= len(input)/2 {
		t.Errorf("five records: %d of %d bytes", n, len(input))
	}
}

func TestDamage(t *testing.T) {
	rs := records(700)
	input := made(t, rs, 0)
	pcap, err := os.ReadFile("../testdata/crafted/20_dns.pcap")
	check(t, err)
	for _, args := range []string{"-A proto -o csv:%fl", "-s proto -o csv", "-O bytes -o csv:%byt", "-o csv:%byt"} {
		words := append(strings.Fields(args), "-q")
		if r := nfagg(input[:len(input)-20], words...); r.Code != cli.Damaged || !strings.Contains(r.Stderr, "truncated after 700 records") || r.Stdout != nfagg(input, words...).Stdout {
			t.Errorf("%s without the end: code %d, stderr %q", args, r.Code, r.Stderr)
		}
		if r := nfagg("", words...); r.Code != cli.Damaged || !strings.HasPrefix(r.Stderr, "nfagg: stdin: ") || r.Stdout != "" {
			t.Errorf("%s of nothing: %+v", args, r)
		}
		if r := nfagg(string(pcap), words...); r.Code != cli.Failed || !strings.Contains(r.Stderr, "hint: nfpcap -r makes") || r.Stdout != "" {
			t.Errorf("%s of a capture: %+v", args, r)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	input := made(t, records(1), 0)
	for _, c := range []struct{ args, says string }{
		{"-A srcipp", "nfagg: unknown field \"srcipp\""},
		{"-A port", "nfagg: port stands for srcport and dstport"},
		{"-A srcip,srcip", "stands twice"},
		{"-A bytes", "bytes cannot be a key"},
		{"-A srcip4/33", "a number from 0 to 32"},
		{"-s srcip/loud", "unknown order \"loud\""},
		{"-s srcip:q", "after the element comes :p"},
		{"-O loud", "nfagg: unknown order \"loud\""},
		{"-O bytes:x", ":a (ascending) or :d (descending)"},
		{"-s srcip -O bytes", "nfagg: -O does not go with -s\nhint: the order belongs to the statistic: -s srcip/bytes\n"},
		{"-o loud", "nfagg: unknown output mode \"loud\""},
		{"-o fmt:%nosuch", "nfagg: output format, position 1"},
		{"-s srcip -o fmt:%sa", "a statistic has columns of its own"},
		{"-n ten", "not a whole number in range"},
		{"-w", "nfagg: unknown option -w\n"},
		{"-s srcip dst port 53", "nffilter 'dst port 53' | nfagg"},
	} {
		r := nfagg(input, strings.Fields(c.args)...)
		if r.Code != cli.Usage || r.Stdout != "" || !strings.Contains(r.Stderr, c.says) || !strings.Contains(r.Stderr, "\nhint: ") {
			t.Errorf("nfagg %s: code %d, stdout %q, stderr\n%swant\n%s", c.args, r.Code, r.Stdout, r.Stderr, c.says)
		}
	}
}
