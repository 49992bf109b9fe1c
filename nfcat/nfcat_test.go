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
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/cli/clitest"
	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
)

func TestManners(t *testing.T) { clitest.Manners(t, run, "nfcat") }

// nfcat runs the tool on these bytes as stdin.
func nfcat(input string, args ...string) clitest.Result {
	return clitest.Run(run, "nfcat", input, args...)
}

const frameLen = 500

// batch is frameLen records from number first on. The AS number follows from the source
// address, so that its column leans on the other.
func batch(t *testing.T, first int) *flow.Batch {
	t.Helper()
	b := flow.NewBuilder()
	l, ok := b.Layout(flow.ShapeOf(8, 12, 7, 11, 4, 2, 1, 16, 371))
	if !ok {
		t.Fatal("no layout")
	}
	for i := first; i < first+frameLen; i++ {
		src := i * 7919 % 50
		l.Next()
		l.Cols[0].Put4(0x0a000000 + uint32(src))
		l.Cols[1].Put4(0xc0000200 + uint32(i*31%7))
		l.Cols[2].PutInt(uint64(1024 + i*7%60000))
		l.Cols[3].PutInt(53)
		l.Cols[4].PutInt(17)
		l.Cols[5].PutInt(uint64(1 + i%9))
		l.Cols[6].PutInt(uint64(40 + i*i%1400))
		l.Cols[7].PutInt(uint64(64500 + src*src%977))
		l.Cols[8].PutBytes(fmt.Appendf(nil, "subscriber-%05d@access.example.net", i*i%9973))
	}
	return b.Batch()
}

// made is a stream of so many frames. With half, every second record is marked as dropped.
func made(t *testing.T, frames int, half bool) string {
	t.Helper()
	var out bytes.Buffer
	w := stream.NewWriter(&out)
	h := stream.Head{Created: uint64(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).UnixNano())}
	if half {
		h.Features = stream.FeatureSelection
	}
	check(t, w.Head(h))
	for n := range frames {
		b := batch(t, n*frameLen)
		if half {
			b.Sel = flow.NewBitmap(b.N)
			for i := 0; i < b.N; i += 2 {
				b.Sel.Set(i)
			}
		}
		f, err := stream.EncodeFrame(b, column.None, half)
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
	rows    []string // the records that count, as CSV
	frames  int
	held    int // records, those that do not count included
	offsets []int64
	leaning []string // names of the columns that lean on others
	head    *stream.Head
	end     *stream.End
	status  stream.Status
}

const everything = "csv:%sa,%sp,%da,%dp,%pr,%pkt,%byt,%sas,%uname"

func read(t *testing.T, s, mode string) content {
	t.Helper()
	p, err := format.New(mode, format.Options{})
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
		case stream.KindRecords:
			c.frames++
			c.held += it.Batch.N
			c.offsets = append(c.offsets, it.Offset)
			for i := range it.Batch.Cols {
				if col := &it.Batch.Cols[i]; col.Ref >= 0 && it.Batch.Cols[col.Ref].Key != col.Key {
					c.leaning = append(c.leaning, fmt.Sprint(col.Key.ID))
				}
			}
			text, err := p.Batch(nil, it.Batch, 0)
			check(t, err)
			c.rows = append(c.rows, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
		}
	}
	c.status, _ = r.Status()
	return c
}

func saved(t *testing.T, name, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, []byte(data), 0o666))
	return path
}

func well(t *testing.T, what string, r clitest.Result) string {
	t.Helper()
	if r.Code != cli.Done || r.Stderr != "" {
		t.Fatalf("%s: code %d, stderr %q", what, r.Code, r.Stderr)
	}
	return r.Stdout
}

func TestCount(t *testing.T) {
	a, b := saved(t, "a.nf", made(t, 3, false)), saved(t, "b.nf", made(t, 1, true))
	for _, c := range []struct{ args, want string }{
		{"--count -r " + a, "1500"},
		{"--count -r " + b, "250"},
		{"--count -r " + a + " -r " + b, "1750"},
		{"--count -r " + a + " -r -", "2000"},
		{"--count", "500"},
		{"--count -c 7 -r " + a, "7"},
		{"--count -c 9999 -r " + a, "1500"},
	} {
		if got := well(t, c.args, nfcat(made(t, 1, false), strings.Fields(c.args)...)); got != c.want+"\n" {
			t.Errorf("%s: %q, want %s", c.args, got, c.want)
		}
	}
}

func TestCopyLimitJoin(t *testing.T) {
	input := made(t, 3, false)
	path := saved(t, "a.nf", input)
	all := read(t, input, everything).rows
	for _, c := range []struct {
		args string
		want []string
	}{
		{"", all},
		{"-r " + path, all},
		{"-r " + path + " -r " + path, slices.Concat(all, all)},
		{"-r " + path + " -r -", slices.Concat(all, all)},
		{"-c 1 -r " + path, all[:1]},
		{"-c 500", all[:500]},
		{"-c 501 -r " + path, all[:501]},
		{"-c 1499", all[:1499]},
		{"-c 1500", all},
		{"-c 99999", all},
		{"-c 1600 -r " + path + " -r " + path, slices.Concat(all, all[:100])},
		{"-c 700 -y", all[:700]},
	} {
		got := read(t, well(t, c.args, nfcat(input, strings.Fields(c.args)...)), everything)
		if !slices.Equal(got.rows, c.want) || got.status != stream.Complete {
			t.Errorf("%q: %d records, %v; want %d", c.args, len(got.rows), got.status, len(c.want))
		}
	}
}

func TestColumns(t *testing.T) {
	input := made(t, 2, false)
	if lean := read(t, input, everything).leaning; !slices.Contains(lean, "bgpSourceAsNumber") {
		t.Fatalf("the AS number leans on no other column, only %q do", lean)
	}
	for _, c := range []struct{ columns, tokens, gone string }{
		{"srcip,dstip,bytes", "csv:%sa,%da,%byt", "csv:%sas%sp"},
		{"srcas", "csv:%sas", "csv:%sa%da%byt%pkt"},
		{"srcas,srcip", "csv:%sas,%sa", "csv:%da%byt%pkt"},
		{" username , port ", "csv:%uname,%sp,%dp", "csv:%sa%sas%byt"},
		{"octetDeltaCount", "csv:%byt", "csv:%pkt%sa"},
	} {
		r := nfcat(input, "--columns", c.columns)
		out := well(t, c.columns, r)
		want := read(t, input, c.tokens).rows
		if got := read(t, out, c.tokens).rows; !slices.Equal(got, want) {
			t.Errorf("--columns %q: %d records such as %q, want %d such as %q", c.columns, len(got), got[0], len(want), want[0])
		}
		if left := read(t, out, c.gone).rows; strings.Trim(strings.Join(left, ""), ",\n") != "" {
			t.Errorf("--columns %q leaves %s: %q", c.columns, c.gone, left[0])
		}
	}
}

func TestCompress(t *testing.T) {
	input := made(t, 2, false)
	want := read(t, input, everything).rows
	size := map[string]int{}
	for _, args := range []string{"-z none", "-z s2", "-z zstd", "-z", "-z=zstd", "-zzstd", "-y", "-z zstd:3", "--compress=s2", "-yz zstd", "-y --columns srcip,dstip,srcport,dstport,proto,packets,bytes,srcas,username"} {
		out := well(t, args, nfcat(input, strings.Fields(args)...))
		if got := read(t, out, everything); !slices.Equal(got.rows, want) || got.status != stream.Complete {
			t.Errorf("%s: other records than before, %v", args, got.status)
		}
		again := well(t, args+" | -z none", nfcat(out, "-z", "none"))
		if got := read(t, again, everything); !slices.Equal(got.rows, want) {
			t.Errorf("%s | nfcat -z none: other records than before", args)
		}
		size[args] = len(out)
	}
	if size["-z zstd"] >= size["-z s2"] || size["-z s2"] >= size["-z none"] {
		t.Errorf("zstd, s2 and none make %d, %d and %d bytes", size["-z zstd"], size["-z s2"], size["-z none"])
	}
	near := func(a, b string) {
		if d := size[a] - size[b]; d < -64 || d > 64 { // the arguments are in the history
			t.Errorf("%s makes %d bytes and %s %d", a, size[a], b, size[b])
		}
	}
	near("-z", "-z s2")
	near("-y", "-z s2")
	near("-z=zstd", "-z zstd")
	near("-yz zstd", "-z zstd")

	r := nfcat(input, "-z", "lz4")
	if got := read(t, r.Stdout, everything); r.Code != cli.Done || !strings.Contains(r.Stderr, "zstd instead") || !slices.Equal(got.rows, want) {
		t.Errorf("-z lz4: code %d, stderr %q, %d records", r.Code, r.Stderr, len(got.rows))
	}
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
	env := &cli.Env{Tool: "nfcat", Args: args, Stdin: strings.NewReader(input), Stdout: out, Stderr: &said, Getenv: os.Getenv}
	code := run(env)
	return clitest.Result{Code: code, Stdout: <-got, Stderr: said.String()}
}

// What a filter dropped goes through a pipe unless --compact takes it out, and never into a file.
func TestCompact(t *testing.T) {
	input := made(t, 2, true)
	want := read(t, input, everything).rows
	for _, c := range []struct {
		name string
		r    clitest.Result
		held int
	}{
		{"pipe", piped(t, input), 2 * frameLen},
		{"pipe, --compact", piped(t, input, "--compact"), frameLen},
		{"pipe, -z s2", piped(t, input, "-z", "s2"), 2 * frameLen},
		{"file", nfcat(input), frameLen},
		{"file, -z s2", nfcat(input, "-z", "s2"), frameLen},
	} {
		got := read(t, well(t, c.name, c.r), everything)
		if got.held != c.held || !slices.Equal(got.rows, want) {
			t.Errorf("%s: %d records held, %d count; want %d held, %d to count", c.name, got.held, len(got.rows), c.held, len(want))
		}
	}
	if got := read(t, well(t, "-c", piped(t, input, "-c", "300")), everything).rows; !slices.Equal(got, want[:300]) {
		t.Errorf("pipe, -c 300: %d records", len(got))
	}
}

func TestRecover(t *testing.T) {
	input := made(t, 4, false)
	whole := read(t, input, everything)
	at := whole.offsets
	without := func(n int) []string {
		return slices.Concat(whole.rows[:n*frameLen], whole.rows[(n+1)*frameLen:])
	}
	flip := func(off int64) string {
		b := []byte(input)
		b[off] ^= 0x40
		return string(b)
	}
	for _, c := range []struct {
		name, input string
		args        string
		want        []string
		says        string
	}{
		{"a bad checksum", flip(at[2] - 5), "", without(1), "checksum"},
		{"a bad checksum", flip(at[2] - 5), "--recover", without(1), "checksum"},
		{"no frame", flip(at[1]), "", whole.rows[:frameLen], fmt.Sprint(at[1])},
		{"no frame", flip(at[1]), "--recover", without(1), fmt.Sprint(at[1])},
		{"bytes between", input[:at[3]] + strings.Repeat("x", 1000) + input[at[3]:], "--recover", whole.rows, "1000 bytes"},
		{"no head", input[at[0]+10:], "--recover", without(0), "bytes"},
	} {
		r := nfcat(c.input, strings.Fields(c.args)...)
		got := read(t, r.Stdout, everything)
		if r.Code != cli.Damaged || !slices.Equal(got.rows, c.want) || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("%s, nfcat %s: code %d, %d records, want %d; stderr %q, want %q in it", c.name, c.args, r.Code, len(got.rows), len(c.want), r.Stderr, c.says)
		}
		if got.end == nil || got.status < stream.Partial {
			t.Errorf("%s, nfcat %s: the output says %v", c.name, c.args, got.status)
		}
		if n := nfcat(c.input, append(strings.Fields(c.args), "--count")...); c.says != "checksum" && n.Stdout != fmt.Sprintln(len(c.want)) {
			t.Errorf("%s, nfcat %s --count: %q, want %d", c.name, c.args, n.Stdout, len(c.want))
		}
	}
}

func TestReproducible(t *testing.T) {
	input := made(t, 2, false)
	for _, args := range [][]string{{"--reproducible"}, {"--reproducible", "-z", "zstd"}, {"--reproducible", "--columns", "srcas,bytes"}} {
		first := well(t, strings.Join(args, " "), nfcat(input, args...))
		time.Sleep(time.Millisecond)
		second := well(t, strings.Join(args, " "), nfcat(input, args...))
		if first != second {
			t.Errorf("%q: the second run wrote other bytes", args)
		}
		if h := read(t, first, everything).head; h.Created != 0 || len(h.History.Entries) != 0 {
			t.Errorf("%q: the head has %+v", args, h)
		}
	}
}

func TestHistory(t *testing.T) {
	input := made(t, 1, false)
	for _, c := range []struct {
		args, variable string
		want           string
	}{
		{"-c 100", "", "nfcat -c 100"},
		{"-c 100", "1", "nfcat -c 100"},
		{"-c 100 --no-history", "", ""},
		{"-c 100", "0", ""},
		{"-c 100 --reproducible", "", ""},
	} {
		var out, said bytes.Buffer
		env := &cli.Env{Tool: "nfcat", Args: strings.Fields(c.args), Stdin: strings.NewReader(input), Stdout: &out, Stderr: &said,
			Getenv: func(name string) string {
				if name == "NFPIPE_HISTORY" {
					return c.variable
				}
				return ""
			}}
		code := run(env)
		got := read(t, out.String(), everything)
		var lines []string
		for _, e := range got.head.History.Entries {
			lines = append(lines, e.Tool+" "+strings.Join(e.Args, " "))
		}
		if code != 0 || said.Len() > 0 || strings.Join(lines, "|") != c.want {
			t.Errorf("%s, NFPIPE_HISTORY=%s: code %d, stderr %q, history %q, want %q", c.args, c.variable, code, &said, lines, c.want)
		}
		if c.want != "" && (len(got.end.Counts) != 1 || got.end.Counts[0].Read != frameLen || got.end.Counts[0].Written != 100) {
			t.Errorf("%s: counts %+v", c.args, got.end.Counts)
		}
	}
	twice := read(t, nfcat(nfcat(input, "-y").Stdout, "-c", "9").Stdout, everything).head.History
	if len(twice.Entries) != 2 || !slices.Equal(twice.Entries[1].Parents, []int{0}) {
		t.Errorf("nfcat -y | nfcat -c 9: history %+v", twice)
	}
}

func TestInputsThatAreNone(t *testing.T) {
	pcap, err := os.ReadFile("../testdata/crafted/20_dns.pcap")
	check(t, err)
	whole := made(t, 2, false)
	good, capture := saved(t, "good.nf", whole), saved(t, "x.pcap", string(pcap))
	end := read(t, whole, everything).offsets[1]
	for _, c := range []struct {
		name, input, args string
		code              int
		says              string
		records           int
	}{
		{"a capture", string(pcap), "", cli.Failed, "stdin is a pcap capture, not a flow stream\nhint: nfpcap -r makes", -1},
		{"a capture by name", "", "-r " + capture, cli.Failed, "hint: nfpcap -r " + capture, -1},
		{"a capture and a stream", "", "-r " + capture + " -r " + good, cli.Failed, "nfpcap", 1000},
		{"nothing", "", "", cli.Damaged, "nfcat: stdin: ", -1},
		{"text", "ts,te,td\n", "", cli.Failed, "text, not a flow stream", -1},
		{"an nfdump file", "\x0c\xa5\x02\x00" + strings.Repeat("\x00", 200), "", cli.Failed, "an nfdump file, not a flow stream", -1},
		{"no end", whole[:len(whole)-20], "", cli.Damaged, "truncated after 1000 records", 1000},
		{"half a frame", whole[:end+100], "", cli.Damaged, "truncated after 500 records", 500},
		{"a head alone", whole[:read(t, whole, everything).offsets[0]], "", cli.Damaged, "truncated after 0 records", 0},
		{"no such file", "", "-r /nonexistent/a.nf -r " + good, cli.Failed, "nfcat: /nonexistent/a.nf: no such file or directory\n", 1000},
	} {
		r := nfcat(c.input, strings.Fields(c.args)...)
		if r.Code != c.code || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("%s: code %d, stderr %q, want %d and %q", c.name, r.Code, r.Stderr, c.code, c.says)
		}
		if c.records < 0 {
			if r.Stdout != "" {
				t.Errorf("%s: %d bytes were written", c.name, len(r.Stdout))
			}
			continue
		}
		if got := read(t, r.Stdout, everything); len(got.rows) != c.records && !(c.records == 0 && got.frames == 0) {
			t.Errorf("%s: %d records, want %d", c.name, len(got.rows), c.records)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--no-such"}, "nfcat: unknown option --no-such\nhint: nfcat --help lists the options\n"},
		{[]string{"--colums", "srcip"}, "nfcat: unknown option --colums\nhint: did you mean --columns?\n"},
		{[]string{"-t", "monday"}, "nfcat: -t monday: \"monday\" is no time\nhint: -t 2026/11/24.09:00:00-2026/11/24.09:30, -t 2026/11/24, -t +60 or -t -60\n"},
		{[]string{"-t", "2026/11/24-2026/11/23"}, "nfcat: -t 2026/11/24-2026/11/23: ends before it begins\nhint: -t 2026/11/24.09:00:00-2026/11/24.09:30, -t 2026/11/24, -t +60 or -t -60\n"},
		{[]string{"-t", "+0"}, "nfcat: -t +0: not a number of seconds\nhint: -t 2026/11/24.09:00:00-2026/11/24.09:30, -t 2026/11/24, -t +60 or -t -60\n"},
		{[]string{"-t", "-10"}, "nfcat: -t -10: stdin cannot be read twice, name files\nhint: -t 2026/11/24.09:00:00-2026/11/24.09:30, -t 2026/11/24, -t +60 or -t -60\n"},
		{[]string{"-I", "-t", "2026"}, "nfcat: -I adds up whole files, and -t takes parts of them\nhint: nfcat -t ... | nfcat -I\n"},
		{[]string{"-r", "x.nf", "dst port 53"}, "nfcat: unexpected argument \"dst port 53\"\nhint: nfcat -r x.nf | nffilter 'dst port 53'\n"},
		{[]string{"-yr", "x.nf", "dst", "port", "53"}, "nfcat: unexpected argument \"dst\"\nhint: nfcat -r x.nf -y | nffilter 'dst port 53'\n"},
		{[]string{"-c", "ten"}, "nfcat: option -c: \"ten\": not a whole number in range\nhint: nfcat --help lists the options\n"},
		{[]string{"-c", "-1"}, "nfcat: option -c: \"-1\": not a whole number in range\nhint: nfcat --help lists the options\n"},
		{[]string{"--columns", "srcip,sourceip"}, "nfcat: unknown field \"sourceip\" in --columns\nhint: nfcat --help-fields lists the fields\n"},
		{[]string{"-z=rar"}, "nfcat: unknown compression \"rar\"\nhint: -z none, -z s2 or -z zstd\n"},
	} {
		r := nfcat(made(t, 1, false), c.args...)
		words := strings.Join(c.args, " ")
		if r.Code != cli.Usage || r.Stdout != "" {
			t.Errorf("%s: code %d, %d bytes on stdout", words, r.Code, len(r.Stdout))
		}
		order := strings.NewReplacer("-r x.nf -y", "-y -r x.nf")
		if order.Replace(r.Stderr) != order.Replace(c.says) {
			t.Errorf("%s: stderr\n%swant\n%s", words, r.Stderr, c.says)
		}
	}
}

func TestHelpFields(t *testing.T) {
	out := well(t, "--help-fields", nfcat("", "--help-fields"))
	for _, word := range []string{"srcip", "%sa", "source address", "username"} {
		if !strings.Contains(out, word) {
			t.Errorf("--help-fields lacks %q", word)
		}
	}
}

func TestStats(t *testing.T) {
	r := nfcat(made(t, 3, false), "--stats", "-c", "700")
	for _, line := range []string{"records read +1,000\n", "records written +700\n", "frames passed untouched +1\n", "frames encoded again +1\n"} {
		label, n, _ := strings.Cut(line, " +")
		found := slices.ContainsFunc(strings.SplitAfter(r.Stderr, "\n"), func(s string) bool {
			return strings.HasPrefix(s, "nfcat: "+label+" ") && strings.HasSuffix(s, " "+n)
		})
		if !found {
			t.Errorf("--stats lacks %s %sin\n%s", label, n, r.Stderr)
		}
	}
}
