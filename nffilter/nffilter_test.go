package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/cli"
	"nfpipe/lib/cli/clitest"
	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
)

func TestManners(t *testing.T) { clitest.Manners(t, run, "nffilter") }

func nffilter(input string, args ...string) clitest.Result {
	return clitest.Run(run, "nffilter", input, args...)
}

// record is one of the records that the tests filter.
type record struct{ src, dst, sport, dport, proto, packets, bytes uint64 }

const frameLen = 400

// records are numbered; frame 2 has one destination port, frame 3 another.
func records(frames int) []record {
	out := make([]record, frames*frameLen)
	for i := range out {
		r := record{src: 0x0a000000 + uint64(i*7919%50), dst: 0xc0000200 + uint64(i*31%7), sport: uint64(1024 + i*7%60000),
			dport: uint64([]int{53, 80, 443, 22}[i%4]), proto: uint64([]int{17, 6, 6}[i%3]), packets: uint64(1 + i%9), bytes: uint64(40 + i*i%1400)}
		switch i / frameLen {
		case 2:
			r.dport = 5353
		case 3:
			r.dport = 179
		}
		out[i] = r
	}
	return out
}

func (r record) String() string {
	return fmt.Sprintf("10.0.0.%d,%d,192.0.2.%d,%d,%d,%d", r.src&255, r.sport, r.dst&255, r.dport, r.packets, r.bytes)
}

const everything = "csv:%sa,%sp,%da,%dp,%pkt,%byt"

// made is a stream of these records. With mark, those for which it is false are marked as dropped.
func made(t *testing.T, rs []record, mark func(record) bool) string {
	t.Helper()
	var out bytes.Buffer
	w := stream.NewWriter(&out)
	check(t, w.Head(stream.Head{Features: stream.FeatureSelection, Created: 1}))
	for part := range slices.Chunk(rs, frameLen) {
		b := flow.NewBuilder()
		l, ok := b.Layout(flow.ShapeOf(8, 12, 7, 11, 4, 2, 1))
		if !ok {
			t.Fatal("no layout")
		}
		sel := flow.NewBitmap(len(part))
		for i, r := range part {
			l.Next()
			l.Cols[0].Put4(uint32(r.src))
			l.Cols[1].Put4(uint32(r.dst))
			for k, x := range []uint64{r.sport, r.dport, r.proto, r.packets, r.bytes} {
				l.Cols[2+k].PutInt(x)
			}
			if mark != nil && mark(r) {
				sel.Set(i)
			}
		}
		whole := b.Batch()
		if mark != nil {
			whole.Sel = sel
		}
		f, err := stream.EncodeFrame(whole, column.None, true)
		check(t, err)
		check(t, w.Write(f))
	}
	check(t, w.End(stream.End{}))
	return out.String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// content is what a stream holds.
type content struct {
	rows   []string // the records that count, as CSV
	frames int
	held   int // records, those that do not count included
	head   *stream.Head
	end    *stream.End // the last one
	ended  uint64      // records, as the ends say
	status stream.Status
}

func read(t *testing.T, s string) content {
	t.Helper()
	p, err := format.New(everything, format.Options{})
	check(t, err)
	var c content
	r := stream.NewReader(strings.NewReader(s), stream.Options{Name: "output"})
	for {
		it, err := r.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		switch it.Kind {
		case stream.KindHead:
			c.head = it.Head
		case stream.KindEnd:
			c.end = it.End
			c.ended += it.End.Records
		case stream.KindRecords:
			c.frames++
			c.held += it.Batch.N
			text, err := p.Batch(nil, it.Batch, 0)
			check(t, err)
			c.rows = append(c.rows, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
		}
	}
	c.status, _ = r.Status()
	return c
}

func rows(rs []record, keep func(record) bool) (out []string) {
	for _, r := range rs {
		if keep(r) {
			out = append(out, r.String())
		}
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

func saved(t *testing.T, name, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, []byte(data), 0o666))
	return path
}

// piped runs the tool with a pipe as stdout.
func piped(t *testing.T, input string, args ...string) clitest.Result {
	t.Helper()
	in, out, err := os.Pipe()
	check(t, err)
	got := make(chan string)
	go func() {
		b, _ := io.ReadAll(in)
		got <- string(b)
	}()
	var said bytes.Buffer
	env := &cli.Env{Tool: "nffilter", Args: args, Stdin: strings.NewReader(input), Stdout: out, Stderr: &said, Getenv: os.Getenv}
	code := run(env)
	return clitest.Result{Code: code, Stdout: <-got, Stderr: said.String()}
}

// filters and what they mean, said without the filter language.
var filters = []struct {
	text string
	keep func(record) bool
}{
	{"any", func(r record) bool { return true }},
	{"not any", func(r record) bool { return false }},
	{"dst port 53", func(r record) bool { return r.dport == 53 }},
	{"dst port 5353", func(r record) bool { return r.dport == 5353 }},
	{"tcp and port in [ 80 443 ]", func(r record) bool {
		return r.proto == 6 && (r.dport == 80 || r.dport == 443 || r.sport == 80 || r.sport == 443)
	}},
	{"src net 10.0.0.0/29 and not udp", func(r record) bool { return r.src&255 < 8 && r.proto != 17 }},
	{"bytes > 1k or packets = 9", func(r record) bool { return r.bytes > 1000 || r.packets == 9 }},
	{"port 99999999", nil},
}

// Every filter gives the same records whatever carries them, and -v the others.
func TestKeeps(t *testing.T) {
	rs := records(4)
	mark := func(r record) bool { return r.bytes%3 != 0 }
	for _, f := range filters {
		for name, input := range map[string]string{"whole": made(t, rs, nil), "marked": made(t, rs, mark)} {
			marked := func(r record) bool { return name == "whole" || mark(r) }
			path := saved(t, "in.nf", input)
			if f.keep == nil {
				if r := nffilter(input, f.text); r.Code != cli.Usage || r.Stdout != "" {
					t.Errorf("%s: code %d, stderr %q", f.text, r.Code, r.Stderr)
				}
				continue
			}
			want := rows(rs, func(r record) bool { return marked(r) && f.keep(r) })
			others := rows(rs, func(r record) bool { return marked(r) && !f.keep(r) })
			words := strings.Fields(f.text)
			for _, c := range []struct {
				name string
				r    clitest.Result
				want []string
			}{
				{"stdin", nffilter(input, f.text), want},
				{"words", nffilter(input, words...), want},
				{"-r", nffilter("", "-r", path, f.text), want},
				{"-r -r", nffilter(input, "-r", path, "-r", "-", f.text), slices.Concat(want, want)},
				{"-f", nffilter(input, "-f", saved(t, "f", "# a filter\n"+f.text+"\n")), want},
				{"@include", nffilter(input, "@include "+saved(t, "f", f.text)), want},
				{"-v", nffilter(input, "-v", f.text), others},
				{"-v -r", nffilter("", "-vr", path, f.text), others},
				{"pipe", piped(t, input, f.text), want},
				{"pipe, -v", piped(t, input, "-v", f.text), others},
				{"pipe, --compact", piped(t, input, "--compact", f.text), want},
				{"-c 17", nffilter(input, "-c", "17", f.text), want[:min(17, len(want))]},
				{"pipe, -c 17", piped(t, input, "-c17", f.text), want[:min(17, len(want))]},
				{"-c 1000000", nffilter(input, "-c", "1000000", f.text), want},
			} {
				got := read(t, well(t, f.text+", "+c.name, c.r))
				if !slices.Equal(got.rows, c.want) || got.status != stream.Complete {
					t.Errorf("%s of the %s stream, %s: %d records, %v; want %d", f.text, name, c.name, len(got.rows), got.status, len(c.want))
				}
				if got.ended != uint64(len(c.want)) {
					t.Errorf("%s of the %s stream, %s: the ends say %d records, there are %d", f.text, name, c.name, got.ended, len(c.want))
				}
			}
			for args, n := range map[string]int{"--count": len(want), "--count -v": len(others), "--count -c 5": min(5, len(want))} {
				if got := well(t, args, nffilter(input, append(strings.Fields(args), f.text)...)); got != fmt.Sprintln(n) {
					t.Errorf("%s of the %s stream, %s: %q, want %d", f.text, name, args, got, n)
				}
			}
		}
	}
}

// A pipe carries whole frames with marks, a file only what matched.
func TestSelectionStaysInPipes(t *testing.T) {
	rs := records(4)
	input := made(t, rs, nil)
	tcp := func(r record) bool { return r.proto == 6 }
	n := len(rows(rs, tcp))
	for _, c := range []struct {
		name string
		r    clitest.Result
		held int
	}{
		{"pipe", piped(t, input, "tcp"), len(rs)},
		{"pipe, --compact", piped(t, input, "--compact", "tcp"), n},
		{"file", nffilter(input, "tcp"), n},
		{"file, --compact", nffilter(input, "--compact", "tcp"), n},
		{"pipe, a frame of four", piped(t, input, "port 5353"), frameLen},
		{"pipe, none", piped(t, input, "port 1"), 0},
	} {
		if got := read(t, well(t, c.name, c.r)); got.held != c.held {
			t.Errorf("%s: %d records are held, want %d", c.name, got.held, c.held)
		}
	}
	// what a filter marked, a file does not get from the next filter either
	marked := piped(t, input, "tcp").Stdout
	if got := read(t, well(t, "any", nffilter(marked, "any"))); got.held != n {
		t.Errorf("nffilter tcp | nffilter any > file: %d records are held, want %d", got.held, n)
	}
}

func TestCheck(t *testing.T) {
	for _, good := range []string{"dst port 53", "any", "", "src net 10/8 and not (port in [ 53 443 ] or icmp)"} {
		if r := nffilter("no stream at all", "-Z", good); r.Code != cli.Done || r.Stdout+r.Stderr != "" {
			t.Errorf("-Z %q: %+v", good, r)
		}
	}
	for _, c := range []struct{ text, line, caret, says string }{
		{"dst prot 53", "  dst prot 53", "      ^~~~", `did you mean "dst port"?`},
		{"port 53 and bytes >", "  port 53 and bytes >", "                     ^", "a number"},
		{"(tcp", "  (tcp", "      ^", `")"`},
		{"proto tcp bytes 5", "  proto tcp bytes 5", "            ^~~~~", `"and" or "or"`},
		{"port in [ 53", "  port in [ 53", "          ^", "]"},
		{"net 10.0.0.0/33", "  net 10.0.0.0/33", "      ^~~~~~~~~~~", "33"},
	} {
		input := made(t, records(1), nil)
		want := "nffilter: filter:\n" + c.line + "\n" + c.caret + "\n"
		for _, args := range [][]string{{"-Z", c.text}, {c.text}, strings.Fields("-Z " + c.text)} {
			r := nffilter(input, args...)
			if r.Code != cli.Usage || r.Stdout != "" || !strings.HasPrefix(r.Stderr, want) || !strings.Contains(r.Stderr, c.says) {
				t.Errorf("%q: code %d, stderr\n%swant\n%s and %q", args, r.Code, r.Stderr, want, c.says)
			}
		}
		r := nffilter(input, "-Zf", saved(t, "f", "# one\n"+c.text))
		if r.Code != cli.Usage || !strings.HasPrefix(r.Stderr, want) {
			t.Errorf("-Zf, %q in the file's second line: code %d, stderr\n%swant\n%s", c.text, r.Code, r.Stderr, want)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	file := saved(t, "f", "tcp")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, cli.Usage, "nffilter: no filter\nhint: nffilter 'dst port 53'; nffilter any passes everything\n"},
		{[]string{"-r", "x.nf"}, cli.Usage, "nffilter: no filter\n"},
		{[]string{"-f", file, "tcp"}, cli.Usage, "nffilter: a filter in -f " + file + " and another as argument\nhint: give one of them\n"},
		{[]string{"-f", file + "x"}, cli.Failed, "no such file or directory\n"},
		{[]string{"-w", "x", "any"}, cli.Usage, "nffilter: unknown option -w\nhint: nffilter --help lists the options\n"},
		{[]string{"--cout", "any"}, cli.Usage, "hint: did you mean --count?\n"},
		{[]string{"@include " + file + "x"}, cli.Usage, "no such file"},
	} {
		r := nffilter(made(t, records(1), nil), c.args...)
		if r.Code != c.code || r.Stdout != "" || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("%q: code %d, %d bytes, stderr %q; want %d, %q", c.args, r.Code, len(r.Stdout), r.Stderr, c.code, c.says)
		}
	}
	// -- ends the options, so that a filter may begin with a minus sign; it is still wrong
	if r := nffilter("", "-Z", "--", "-v"); r.Code != cli.Usage || !strings.Contains(r.Stderr, "nffilter: filter:\n  -v\n  ^~\n") {
		t.Errorf("-- -v: code %d, %q", r.Code, r.Stderr)
	}
}

func TestDamage(t *testing.T) {
	rs := records(2)
	input := made(t, rs, nil)
	pcap, err := os.ReadFile("../testdata/crafted/20_dns.pcap")
	check(t, err)
	for _, c := range []struct {
		name, input string
		code        int
		says        string
		records     int
	}{
		{"no end", input[:len(input)-20], cli.Damaged, fmt.Sprintf("truncated after %d records", len(rs)), len(rows(rs, func(r record) bool { return r.proto == 6 }))},
		{"nothing", "", cli.Damaged, "nffilter: stdin: ", 0},
		{"a capture", string(pcap), cli.Failed, "hint: nfpcap -r makes", 0},
	} {
		r := nffilter(c.input, "tcp")
		if r.Code != c.code || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("%s: code %d, stderr %q", c.name, r.Code, r.Stderr)
		}
		if got := read(t, r.Stdout); len(got.rows) != c.records || c.records > 0 && got.end.Status != stream.Partial {
			t.Errorf("%s: %d records, want %d; end %+v", c.name, len(got.rows), c.records, got.end)
		}
		if n := nffilter(c.input, "--count", "tcp"); n.Code != c.code || n.Stdout != fmt.Sprintln(c.records) {
			t.Errorf("%s: --count: %+v, want %d", c.name, n, c.records)
		}
	}
}

func TestHistory(t *testing.T) {
	input := made(t, records(2), nil)
	r := read(t, well(t, "tcp", nffilter(input, "tcp")))
	if e := r.head.History.Entries; len(e) != 1 || e[0].Tool != "nffilter" || !slices.Equal(e[0].Args, []string{"tcp"}) || r.head.Created < 2 {
		t.Errorf("nffilter tcp: head %+v", r.head)
	}
	if c := r.end.Counts; len(c) != 1 || c[0].Read != 2*frameLen || c[0].Written != uint64(len(r.rows)) {
		t.Errorf("nffilter tcp: counts %+v, %d records", c, len(r.rows))
	}
	if h := read(t, nffilter(input, "--no-history", "tcp").Stdout).head; len(h.History.Entries) != 0 {
		t.Errorf("--no-history: head %+v", h)
	}
	var out bytes.Buffer
	env := &cli.Env{Tool: "nffilter", Args: []string{"tcp"}, Stdin: strings.NewReader(input), Stdout: &out, Stderr: io.Discard,
		Getenv: func(name string) string { return map[string]string{"NFPIPE_HISTORY": "0"}[name] }}
	if code := run(env); code != 0 || len(read(t, out.String()).head.History.Entries) != 0 {
		t.Errorf("NFPIPE_HISTORY=0: code %d, a history", code)
	}
	first, second := nffilter(input, "--reproducible", "tcp"), nffilter(input, "tcp", "--reproducible")
	if h := read(t, first.Stdout).head; first.Stdout != second.Stdout || h.Created != 0 || len(h.History.Entries) != 0 {
		t.Errorf("--reproducible: equal %v, head %+v", first.Stdout == second.Stdout, h)
	}
}

// Frames that need not be looked into are dropped or passed as they are.
func TestStats(t *testing.T) {
	r := nffilter(made(t, records(4), nil), "--stats", "dst port 5353 or dst port 53")
	for label, n := range map[string]string{"records read": "1,600", "records passed on": "600", "frames dropped": "1",
		"frames passed untouched": "1", "frames written anew": "2"} {
		if !slices.ContainsFunc(strings.Split(r.Stderr, "\n"), func(s string) bool {
			return strings.HasPrefix(s, "nffilter: "+label+" ") && strings.HasSuffix(s, " "+n)
		}) {
			t.Errorf("--stats lacks %s %s in\n%s", label, n, r.Stderr)
		}
	}
}
