package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/archive"
	"nfpipe/lib/cli"
	"nfpipe/lib/cli/clitest"
	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// timed are n records from number first on, which is their port; record i begins i seconds
// after noon and lasts 2.5 s. Every seventh has no times.
func timed(t *testing.T, first, n int) *stream.Frame {
	t.Helper()
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.ShapeOf(7, 4, 2, 1, 152, 153))
	bare, _ := b.Layout(flow.ShapeOf(7, 4, 2, 1))
	for i := first; i < first+n; i++ {
		at := uint64(noon.Add(time.Duration(i) * time.Second).UnixNano())
		to := l
		if i%7 == 3 {
			to = bare
		}
		to.Next()
		to.Cols[0].PutInt(uint64(i))
		to.Cols[1].PutInt([]uint64{6, 17, 1, 47, 58}[i%5])
		to.Cols[2].PutInt(uint64(i))
		to.Cols[3].PutInt(uint64(100 * i))
		if to == l {
			l.Cols[4].PutInt(at)
			l.Cols[5].PutInt(at + 25e8)
		}
	}
	f, err := stream.EncodeFrame(b.Batch(), column.None, false)
	check(t, err)
	return f
}

// archiveOf writes slots of 100 s with 100 records each, of which the last is open until done.
func archiveOf(t *testing.T, dir string, slots int, ident string) (done func()) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o777))
	now := noon
	a, err := archive.Open(dir, archive.Options{Interval: 100 * time.Second, UTC: true, Layout: 2, Ident: ident, Now: func() time.Time { return now },
		End: func() stream.End { return stream.End{Losses: stream.Losses{SequenceGaps: 3, Drops: 5}} }})
	check(t, err)
	for i := range slots {
		if i > 0 {
			now = now.Add(100 * time.Second)
			check(t, a.Rotate(now))
		}
		check(t, a.Write(timed(t, i*100, 50)))
		check(t, a.Write(timed(t, i*100+50, 50)))
	}
	return func() { check(t, a.Close()) }
}

// ports are the numbers of the records of a stream.
func ports(t *testing.T, s string) []int {
	t.Helper()
	var found []int
	if s == "" {
		return nil
	}
	for _, row := range read(t, s, "csv:%sp").rows {
		n := 0
		fmt.Sscan(row, &n)
		found = append(found, n)
	}
	return found
}

// from are numbers from one to before another.
func from(a, b int) (all []int) {
	for i := a; i < b; i++ {
		all = append(all, i)
	}
	return all
}

func inUTC(t *testing.T) {
	old := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = old })
}

func TestRanges(t *testing.T) {
	inUTC(t)
	dir := t.TempDir()
	archiveOf(t, filepath.Join(dir, "a"), 4, "one")()
	archiveOf(t, filepath.Join(dir, "b"), 2, "two")()
	check(t, os.Mkdir(filepath.Join(dir, "none"), 0o777))
	day := "2026/11/24/12/nfcap.2026112412"
	for _, c := range []struct {
		args string
		want []int
		says string
	}{
		{"-R D/a", from(0, 400), ""},
		{"-r D/a", from(0, 400), ""},
		{"-R D/a/" + day + "0140", from(100, 400), ""},
		{"-R D/a/" + day + "0140:" + day + "0320", from(100, 300), ""},
		{"-R D/a/nfcap.202611241201:nfcap.202611241204", from(100, 300), ""},
		{"-R D/a/" + day + "0320 -R D/b", slices.Concat(from(0, 200), from(200, 400)), ""},
		{"-r D/b/" + day + "0140 -R D/a/" + day + "0500", slices.Concat(from(100, 200), from(300, 400)), ""},
		{"-M D/a:b", slices.Concat(from(0, 100), from(0, 100), from(100, 200), from(100, 200), from(200, 400)), ""},
		{"-M D/a:b -R .", slices.Concat(from(0, 100), from(0, 100), from(100, 200), from(100, 200), from(200, 400)), ""},
		{"-M D/a:b -R " + day + "0140:" + day + "0330", slices.Concat(from(100, 200), from(100, 200), from(200, 300)), ""},
		{"-M D/b:a -r " + day + "0140", slices.Concat(from(100, 200), from(100, 200)), ""},
		{"-R D/a -c 150", from(0, 150), ""},
		{"-R D/none -R D/b", from(0, 200), "none: no files of an archive"},
		{"-R D/nowhere", nil, "nowhere: no such file or directory"},
		{"-M D/a:nowhere -R " + day + "0140:" + day + "0141", from(100, 200), "nowhere"},
	} {
		args := strings.ReplaceAll(c.args, "D/", dir+"/")
		r := nfcat("", strings.Fields(args)...)
		want := cli.Done
		if c.says != "" {
			want = cli.Failed
		}
		if got := ports(t, r.Stdout); r.Code != want || !slices.Equal(got, c.want) || !strings.Contains(r.Stderr, c.says) || c.says == "" && r.Stderr != "" {
			t.Errorf("%s: code %d, %d records, want %d; stderr %q", c.args, r.Code, len(got), len(c.want), r.Stderr)
		}
	}
}

// The open slot is read to its last whole frame, and that is no fault; one that a crash left is
// read too, and is.
func TestOpenSlot(t *testing.T) {
	inUTC(t)
	dir := t.TempDir()
	done := archiveOf(t, dir, 2, "")
	files, err := archive.List(dir)
	check(t, err)
	current := files[len(files)-1].Path
	data, err := os.ReadFile(current)
	check(t, err)
	if len(files) != 2 || !archive.IsOpen(current) {
		t.Fatalf("files %+v", files)
	}
	second := read(t, string(data), "csv:%sp").offsets[1]
	half, err := os.OpenFile(current, os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	_, err = half.Write(data[second : second+500]) // its writer is in the middle of a frame
	check(t, err)
	check(t, half.Close())
	for _, args := range []string{"-R " + dir, "-R " + dir + " -y", "-R " + dir + " --recover"} {
		r := nfcat("", strings.Fields(args)...)
		got := read(t, r.Stdout, "csv:%sp")
		if r.Code != cli.Done || r.Stderr != "" || len(got.rows) != 200 || got.status != stream.Open || got.end.Status != stream.Open {
			t.Errorf("%s: code %d, %d records, %v, end %+v; stderr %q", args, r.Code, len(got.rows), got.status, got.end, r.Stderr)
		}
		again := nfcat(r.Stdout, "-z", "s2")
		if got := read(t, again.Stdout, "csv:%sp"); again.Code != cli.Done || again.Stderr != "" || got.status != stream.Open {
			t.Errorf("%s | nfcat: code %d, %v, stderr %q", args, again.Code, got.status, again.Stderr)
		}
	}
	if r := nfcat("", "-r", current, "--count"); r.Stdout != "100\n" || r.Code != cli.Done {
		t.Errorf("--count of the open slot: %+v", r)
	}
	if r := nfcat("", "-R", dir, "-I"); !strings.Contains(r.Stdout, "Flows: 200\n") || r.Code != cli.Done || r.Stderr != "" {
		t.Errorf("-I with an open slot: %+v", r)
	}

	crashed := filepath.Join(t.TempDir(), filepath.Base(current))
	check(t, os.WriteFile(crashed, data[:len(data)-10], 0o666))
	r := nfcat("", "-r", crashed)
	if got := read(t, r.Stdout, "csv:%sp"); r.Code != cli.Damaged || !strings.Contains(r.Stderr, "truncated after 50 records") || len(got.rows) != 50 || got.end.Status != stream.Partial {
		t.Errorf("a slot that a crash left: code %d, %d records, end %+v; stderr %q", r.Code, len(got.rows), got.end, r.Stderr)
	}

	check(t, os.Truncate(current, int64(len(data))))
	done() // between the listing and the reading
	r = nfcat("", "-r", current)
	if got := read(t, r.Stdout, "csv:%sp"); r.Code != cli.Done || r.Stderr != "" || len(got.rows) != 100 || got.status != stream.Complete {
		t.Errorf("a slot that was closed meanwhile: code %d, %d records, %v; stderr %q", r.Code, len(got.rows), got.status, r.Stderr)
	}
}

// A window leaves the records that begin and end in it; files and frames that have none are
// not read, and it makes no difference.
func TestWindow(t *testing.T) {
	inUTC(t)
	dir := t.TempDir()
	archiveOf(t, dir, 4, "")() // records of 12:00:00 to 12:06:42.5
	all := filepath.Join(dir, "all.nf")
	check(t, os.WriteFile(all, []byte(well(t, "-R", nfcat("", "-R", dir))), 0o666))
	for _, c := range []struct {
		window      string
		first, last float64 // seconds after noon
	}{
		{"2026/11/24.12:01", 60, 1e9},
		{"2026/11/24.12:01:30-2026/11/24.12:02:00", 90, 120},
		{"2026/11/24.12:01:30-2026/11/24.12:02:00.500", 90, 120.5},
		{"2026/11/24.12:01:40.001-2026/11/24.12:02", 100.001, 120},
		{"2026/11/24", -43200, 1e9},
		{"2026/11", -1e9, 1e9},
		{"2026", -1e9, 1e9},
		{"2026/11/24.12-2026/11/24.13", 0, 3600},
		{"2026/11/24.12:03-2026/11/24.12:03", 180, 180},
		{"2026/11/24.12:03:00-2026/11/24.12:03:03", 180, 183},
		{"2027", 1e9, 2e9},
		{"2020-2021", -2e9, -1e9},
		{"+10", 0, 10},
		{"-10", 391.5, 401.5},
		{"+1000", 0, 1000},
	} {
		var want []int
		for i := range 400 {
			if i%7 != 3 && float64(i) >= c.first && float64(i)+2.5 <= c.last {
				want = append(want, i)
			}
		}
		for _, input := range []string{"-R " + dir, "-r " + all} {
			args := append(strings.Fields(input), "-t", c.window)
			out := well(t, c.window, nfcat("", args...))
			if got := ports(t, out); !slices.Equal(got, want) {
				t.Errorf("%s -t %s: %v, want %v", input, c.window, got, want)
			}
			if s := read(t, out, "csv:%sp").status; s != stream.Complete {
				t.Errorf("%s -t %s: %v", input, c.window, s)
			}
			if got := well(t, "--count", nfcat("", append(args, "--count")...)); got != fmt.Sprintln(len(want)) {
				t.Errorf("%s -t %s --count: %q, want %d", input, c.window, got, len(want))
			}
			r := piped(t, "", append(args, "--columns", "srcport")...)
			if got := ports(t, r.Stdout); !slices.Equal(got, want) {
				t.Errorf("%s -t %s --columns srcport: %v, want %v", input, c.window, got, want)
			}
		}
	}
	if got := ports(t, nfcat("", "-R", dir, "-t", "2026/11/24.12:01", "-c", "5").Stdout); !slices.Equal(got, []int{60, 61, 62, 63, 64}) {
		t.Errorf("-t and -c: %v", got)
	}
}

// Files outside of a window are left out by what their ends say, before anything is read.
func TestWindowSkipsFiles(t *testing.T) {
	inUTC(t)
	dir := t.TempDir()
	archiveOf(t, dir, 4, "")()
	files, err := archive.List(dir)
	check(t, err)
	b, err := os.ReadFile(files[3].Path)
	check(t, err)
	b[len(b)/2] ^= 1 // reading it would tell
	check(t, os.WriteFile(files[3].Path, b, 0o666))
	r := nfcat("", "-R", dir, "-t", "2026/11/24.12:00-2026/11/24.12:01", "--stats")
	if r.Code != cli.Done || !regexp.MustCompile(`records read +100\n`).MatchString(r.Stderr) {
		t.Errorf("code %d, stderr %q", r.Code, r.Stderr)
	}
	if r := nfcat("", "-R", dir, "-z", "s2"); r.Code != cli.Damaged {
		t.Errorf("the damaged file: code %d", r.Code)
	}
}

// What -I prints is nfdump's, from the ends of files, from frames, and from stdin.
func TestInfo(t *testing.T) {
	inUTC(t)
	dir := t.TempDir()
	archiveOf(t, dir, 2, "router-7")()
	var packets, flows [5]int
	for i := range 200 {
		class := []int{1, 2, 3, 4, 3}[i%5]
		packets[0] += i
		packets[class] += i
		flows[0]++
		flows[class]++
	}
	want := "Ident: router-7\n"
	for _, x := range []struct {
		name string
		n    [5]int
		unit int
	}{{"Flows", flows, 1}, {"Packets", packets, 1}, {"Bytes", packets, 100}} {
		for i, class := range []string{"", "_tcp", "_udp", "_icmp", "_other"} {
			want += fmt.Sprintf("%s%s: %d\n", x.name, class, x.n[i]*x.unit)
		}
	}
	end := fmt.Sprintf("First: %d\nLast: %d\nmsec_first: 0\nmsec_last: 500\nSequence failures: 6\n", noon.Unix(), noon.Unix()+200)
	for what, r := range map[string]clitest.Result{
		"ends": nfcat("", "-R", dir, "-I"), "stdin": nfcat(nfcat("", "-R", dir).Stdout, "-I"),
		"encoded again": nfcat(nfcat("", "-R", dir, "-y").Stdout, "--info"),
	} {
		if got := well(t, what, r); got != want+end {
			t.Errorf("%s:\n%swant\n%s", what, got, want+end)
		}
	}
	// dropped records do not count
	dropped := piped(t, "", "-R", dir, "-t", "2026/11/24.12:00-2026/11/24.12:00:05").Stdout
	if got := well(t, "a selection", nfcat(dropped, "-I")); !strings.Contains(got, "Flows: 3\n") || !strings.Contains(got, "Packets: 3\n") || !strings.Contains(got, "msec_last: 500\n") {
		t.Errorf("-I of a stream with dropped records:\n%s", got)
	}
	if got := well(t, "nothing", nfcat(made(t, 0, false), "-I")); !strings.HasPrefix(got, "Ident: none\nFlows: 0\n") || !strings.HasSuffix(got, "First: 0\nLast: 0\nmsec_first: 0\nmsec_last: 0\nSequence failures: 0\n") {
		t.Errorf("-I of no records:\n%s", got)
	}
	b := []byte(nfcat("", "-R", dir).Stdout)
	if r := nfcat(string(bytes.Clone(b[:len(b)-30])), "-I"); r.Code != cli.Damaged || !strings.Contains(r.Stdout, "Flows: 200\n") {
		t.Errorf("-I of a stream that is cut off: %+v", r)
	}
}
