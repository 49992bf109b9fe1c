package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// blocks makes files of so many bytes below a directory.
func blocks(t *testing.T, dir string, size int, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o777))
		check(t, os.WriteFile(path, make([]byte, size), 0o666))
	}
}

// hours are names of slots at so many hours after noon, with a layout of directories by hour.
func hours(from, to int) []string {
	n := naming{time.Hour, 2, time.UTC}
	var names []string
	for i := from; i < to; i++ {
		start := noon.Add(time.Duration(i) * time.Hour)
		names = append(names, filepath.Join(n.subdir(start), n.base(start)))
	}
	return names
}

func TestExpire(t *testing.T) {
	in(t, "UTC")
	const size = 10000
	probe := filepath.Join(t.TempDir(), "x")
	check(t, os.WriteFile(probe, make([]byte, size), 0o666))
	info, err := os.Stat(probe)
	check(t, err)
	each := sizeOnDisk(info) // whole blocks
	if each == size {
		t.Fatalf("a file of %d bytes takes %d", size, each)
	}
	others := []string{".nfcap.state", "2026/11/24/12/notes.txt", "nfcap.current.1764000000.1"}
	for _, c := range []struct {
		what   string
		limits Limits
		now    int // hours after noon
		left   int // the first of 20 slots that is left
	}{
		{"no limits", Limits{}, 1000, 0},
		{"a watermark alone", Limits{Watermark: 10}, 1000, 0},
		{"size not passed", Limits{MaxSize: 20 * each}, 20, 0},
		{"size passed", Limits{MaxSize: 20*each - 1}, 20, 2},
		{"size passed, all of it", Limits{MaxSize: 20*each - 1, Watermark: 100}, 20, 1},
		{"size, half", Limits{MaxSize: 16 * each, Watermark: 50}, 20, 12},
		{"size, all of it", Limits{MaxSize: 16 * each, Watermark: 100}, 20, 4},
		{"size of one byte", Limits{MaxSize: 1}, 20, 20},
		{"age not passed", Limits{MaxAge: 20 * time.Hour}, 20, 0},
		{"age passed", Limits{MaxAge: 19 * time.Hour, Watermark: 100}, 20, 1},
		{"age, half", Limits{MaxAge: 19 * time.Hour, Watermark: 50}, 20, 11},
		{"age of all", Limits{MaxAge: time.Hour}, 1000, 20},
		{"both", Limits{MaxAge: 19 * time.Hour, MaxSize: 17 * each, Watermark: 100}, 20, 3},
		{"both, the other", Limits{MaxAge: 14 * time.Hour, MaxSize: 17 * each, Watermark: 100}, 20, 6},
	} {
		dir := t.TempDir()
		names := hours(0, 20)
		blocks(t, dir, size, names...)
		blocks(t, dir, size, others...)
		done, err := Expire(dir, c.limits, noon.Add(time.Duration(c.now)*time.Hour))
		check(t, err)
		want := append([]string{others[0]}, others[1])
		want = append(want, names[c.left:]...)
		want = append(want, others[2])
		got := tree(t, dir)
		if c.left == 0 {
			want = append(append([]string{others[0], names[0]}, others[1]), append(names[1:20:20], others[2])...)
		}
		same(t, c.what, got, want)
		same(t, c.what+": deleted", done, fmt.Sprintf("{%d %d}", c.left, int64(c.left)*each))
		entries, err := os.ReadDir(filepath.Join(dir, "2026/11/24"))
		check(t, err)
		if hours := 1 + max(0, 11-max(0, c.left-1)); len(entries) != hours {
			t.Errorf("%s: %d directories of the first day are left, want %d", c.what, len(entries), hours)
		}
	}
}

// Files of nfdump's collectors expire with ours, and the archive itself stays.
func TestExpireOthers(t *testing.T) {
	dir := t.TempDir()
	blocks(t, dir, 1, "nfcapd.202611240900", "a/nfpcapd.202611240901", "a/b/nfcap.202611240902+0100", "nfcap.202611240903.2")
	blocks(t, dir, 1, "x/nfcapd.202611240900.gz", "y/nfcapd.current.17", "z/.hidden/nfcap.202611240900")
	_, err := Expire(dir, Limits{MaxAge: time.Hour}, noon.Add(100*time.Hour))
	check(t, err)
	same(t, "files", tree(t, dir), "[x/nfcapd.202611240900.gz y/nfcapd.current.17 z/.hidden/nfcap.202611240900]")
	_, err = Expire(filepath.Join(dir, "none"), Limits{MaxAge: time.Hour}, noon)
	if err == nil {
		t.Error("no directory is no error")
	}
}

// An archive expires what it is told to as its slots close, never the open one.
func TestExpireAsSlotsClose(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: noon}
	o := options(t, c)
	o.Expire = Limits{MaxAge: 12 * time.Minute, Watermark: 100}
	a := open(t, dir, o)
	for range 6 {
		check(t, a.Rotate(c.set(a.Until())))
	}
	check(t, a.Write(frame(t, 0, 10)))
	check(t, a.Close())
	same(t, "files", tree(t, dir), "[nfcap.202611241220 nfcap.202611241225 nfcap.202611241230]")
}

func TestRange(t *testing.T) {
	in(t, "UTC")
	dir := t.TempDir()
	day := func(n int) string { return fmt.Sprintf("arc/2026/11/%02d/nfcap.202611%02d1200", n, n) }
	blocks(t, dir, 1, day(1), day(2), day(3), day(28), "arc/2026/12/01/nfcap.202612010000", "arc/2026/12/01/nfcap.202612010000.2",
		"arc/2026/11/02/.nfcap.new.1.1", "arc/2026/11/02/nfcap.202611021200.gz", "arc/2026/11/02/README", "arc/.x/nfcap.202611021201",
		"arc/nfcap.current.1796000000.7", "arc/2026/11/03/nfcapd.202611031159", "arc/2026/11/03/nfcapd.current.12")
	blocks(t, dir, 1, "flat/a/nfcapd.202611240900", "flat/a/nfcapd.202611240905", "flat/a/nfcapd.202611240910", "flat/a/nfcapd.20261124091001", "flat/a/mine.nf")
	blocks(t, dir, 1, "flat/b/nfcapd.202611240900", "flat/b/nfcapd.202611240910", "flat/with:colon/nfcapd.202611240905")
	blocks(t, dir, 1, "hours/2026/11/24/09/nfcap.202611240930", "hours/2026/11/24/10/nfcap.202611241000", "hours/2026/11/24/11/nfcap.202611241100")
	for _, c := range []struct{ spec, want string }{
		{"arc/2026", "arc/2026/11/01/nfcap.202611011200 arc/2026/11/02/nfcap.202611021200 arc/2026/11/03/nfcapd.202611031159 arc/2026/11/03/nfcap.202611031200 arc/2026/11/28/nfcap.202611281200 arc/2026/12/01/nfcap.202612010000 arc/2026/12/01/nfcap.202612010000.2"},
		{"flat/a", "flat/a/nfcapd.202611240900 flat/a/nfcapd.202611240905 flat/a/nfcapd.202611240910 flat/a/nfcapd.20261124091001"},
		{"flat/a/", "flat/a/nfcapd.202611240900 flat/a/nfcapd.202611240905 flat/a/nfcapd.202611240910 flat/a/nfcapd.20261124091001"},
		{"flat/a/nfcapd.202611240905", "flat/a/nfcapd.202611240905 flat/a/nfcapd.202611240910 flat/a/nfcapd.20261124091001"},
		{"flat/a/nfcapd.202611240905:nfcapd.202611240910", "flat/a/nfcapd.202611240905 flat/a/nfcapd.202611240910 flat/a/nfcapd.20261124091001"},
		{"flat/a/nfcapd.202611240901:nfcapd.202611240909", "flat/a/nfcapd.202611240905"}, // names that are not there
		{"flat/a/nfcap.202611240901:nfcap.202611240909", "flat/a/nfcapd.202611240905"},
		{"flat/a/mine.nf", "flat/a/mine.nf"},
		{"flat/with:colon", "flat/with:colon/nfcapd.202611240905"},
		{"flat/with:colon/nfcapd.202611240900:nfcapd.202611241000", "flat/with:colon/nfcapd.202611240905"},
		{"arc/2026/11/02/nfcap.202611021200:2026/11/28/nfcap.202611281200", "arc/2026/11/02/nfcap.202611021200 arc/2026/11/03/nfcapd.202611031159 arc/2026/11/03/nfcap.202611031200 arc/2026/11/28/nfcap.202611281200"},
		{"arc/nfcap.202611021200:2026/11/03/nfcap.202611031159", "arc/2026/11/02/nfcap.202611021200 arc/2026/11/03/nfcapd.202611031159"},
		{"arc/2026/11/02/nfcap.202611021200:nfcap.202611031159", "arc/2026/11/02/nfcap.202611021200 arc/2026/11/03/nfcapd.202611031159"},
		{"arc/2026/11/03/nfcap.202611031200", "arc/2026/11/03/nfcap.202611031200"},
		{"hours/2026/11/24/09/nfcap.202611240930:2026/11/24/10/nfcap.202611241000", "hours/2026/11/24/09/nfcap.202611240930 hours/2026/11/24/10/nfcap.202611241000"},
		{"hours/2026/11/24/09/nfcap.202611240930:nfcap.202611241000", "hours/2026/11/24/09/nfcap.202611240930 hours/2026/11/24/10/nfcap.202611241000"},
		{"hours/nfcap.202611240945:nfcap.202611241200", "hours/2026/11/24/10/nfcap.202611241000 hours/2026/11/24/11/nfcap.202611241100"},
		{"arc/nfcap.current.1796000000.7", "arc/nfcap.current.1796000000.7"},
	} {
		files, err := Range(filepath.Join(dir) + "/" + c.spec)
		check(t, err)
		same(t, c.spec, paths(dir, files), "["+c.want+"]")
	}
	all, err := Range(dir)
	check(t, err)
	if last := all[len(all)-1]; len(all) != 18 || !last.Open || all[len(all)-2].Open {
		t.Errorf("all: %q", paths(dir, all))
	}
	for spec, says := range map[string]string{
		"none":                         "none: no such file or directory",
		"flat/a/nfcapd.202611240906":   "no such file or directory",
		"flat/a/x:y":                   "x is no name of a slot",
		"flat/a/nfcapd.202611240900:y": "y is no name of a slot",
		"flat/a/nfcapd.202611240910:nfcapd.202611240905":              "no files of an archive",
		"flat/a/nfcapd.202701010000:nfcapd.202702010000":              "no files of an archive",
		"arc/2026/11/02/README/nfcap.202611021200:nfcap.202611021300": "not a directory",
	} {
		if files, err := Range(dir + "/" + spec); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "open ") || strings.Contains(err.Error(), "stat ") {
			t.Errorf("%s: %q, %v; want %q", spec, paths(dir, files), err, says)
		}
	}
}

// The same range in several directories comes in the order of the slots.
func TestSeveralDirectories(t *testing.T) {
	in(t, "UTC")
	dir := t.TempDir()
	blocks(t, dir, 1, "a/nfcapd.202611240900", "a/nfcapd.202611240905", "b/nfcapd.202611240900", "b/nfcapd.202611240910", "a/nfcap.current.1796000000.1")
	for spec, want := range map[string]string{
		"nfcapd.202611240900:nfcapd.202611240905": "a/nfcapd.202611240900 b/nfcapd.202611240900 a/nfcapd.202611240905",
		".": "a/nfcapd.202611240900 b/nfcapd.202611240900 a/nfcapd.202611240905 b/nfcapd.202611240910 a/nfcap.current.1796000000.1",
	} {
		var all []File
		for _, d := range Dirs(filepath.Join(dir, "a:b")) {
			files, err := Range(filepath.Join(d, spec))
			check(t, err)
			all = append(all, files...)
		}
		Sort(all)
		same(t, spec, paths(dir, all), "["+want+"]")
	}
	same(t, "Dirs", Dirs("/d/a:b:/e/c:f/g"), "[/d/a /d/b /e/c /d/f/g]")
	same(t, "Dirs", Dirs("a:b"), "[a b]")
}

func paths(dir string, files []File) []string {
	found := []string{}
	for _, f := range files {
		rel, _ := filepath.Rel(dir, f.Path)
		found = append(found, rel)
	}
	return found
}

// An archive that is named in UTC is listed in order on a machine in another zone, also in the
// hour that its clocks do not have.
func TestListUTC(t *testing.T) {
	in(t, "Europe/Zurich")
	dir := t.TempDir()
	start := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	c := &clock{t: start}
	o := options(t, c)
	o.Interval = 15 * time.Minute
	a := open(t, dir, o)
	for range 12 {
		check(t, a.Rotate(c.set(a.Until())))
	}
	check(t, a.Close())
	files, err := List(dir)
	check(t, err)
	for i, f := range files {
		if !f.Start.Equal(start.Add(time.Duration(i) * o.Interval)) {
			t.Errorf("file %d is %s of %v", i, f.Path, f.Start)
		}
	}
	same(t, "files", len(files), 13)
}
