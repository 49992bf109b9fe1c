package archive

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// in makes a zone the local one for a test.
func in(t *testing.T, zone string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	check(t, err)
	old := time.Local
	time.Local = loc
	t.Cleanup(func() { time.Local = old })
	return loc
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var zones = []string{"UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"}

// The directories are those of strftime, as date(1) has it.
func TestLayouts(t *testing.T) {
	formats := []string{"", "%Y/%m/%d", "%Y/%m/%d/%H", "%Y/%W/%u", "%Y/%W/%u/%H", "%Y/%j", "%Y/%j/%H", "%F", "%F/%H"}
	if len(formats) != MaxLayout+1 {
		t.Fatalf("%d layouts", len(formats))
	}
	if _, err := exec.LookPath("date"); err != nil {
		t.Skip("date is missing: the layouts are compared with it")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		check(t, err)
		times := []int64{1767225600, 1767225599, 1798675200, 1609459200, 1777777777} // turns of years
		for range 40 {
			times = append(times, r.Int64N(2_500_000_000))
		}
		var input, want strings.Builder
		for _, s := range times {
			fmt.Fprintf(&input, "@%d\n", s)
			for layout := range formats {
				n := naming{time.Minute, layout, loc}
				want.WriteString(n.subdir(time.Unix(s, 0)) + " ")
			}
			n := naming{time.Second, 0, loc}
			want.WriteString(n.base(time.Unix(s, 0)) + "\n")
		}
		c := exec.Command("date", "-f", "-", "+"+strings.Join(formats, " ")+" nfcap.%Y%m%d%H%M%S")
		c.Env = append(os.Environ(), "TZ="+zone)
		c.Stdin = strings.NewReader(input.String())
		got, err := c.Output()
		check(t, err)
		ours := strings.Split(want.String(), "\n")
		for i, line := range strings.Split(string(got), "\n") {
			if line != ours[i] {
				t.Fatalf("%s, %d: %q, date prints %q", zone, times[i], ours[i], line)
			}
		}
	}
}

// What a slot is called reads back as its start, in every zone, for slots of every length, and
// no two slots that follow each other get the same name.
func TestNamesReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		check(t, err)
		for _, interval := range []time.Duration{time.Second, 7 * time.Second, 30 * time.Second, time.Minute, 90 * time.Second, 5 * time.Minute, time.Hour, 24 * time.Hour} {
			n := naming{interval, r.IntN(MaxLayout + 1), loc}
			taken := map[string]time.Time{}
			start := time.Unix(r.Int64N(2_000_000_000), 0).Truncate(interval)
			for i := range 500 {
				if i == 250 { // go on at the end of a summer time
					for range 200 {
						if _, next := start.In(loc).ZoneBounds(); !next.IsZero() {
							start = next.Truncate(interval).Add(-100 * interval)
						}
						if !start.Add(200 * interval).In(loc).IsDST() {
							break
						}
					}
				}
				start = start.Add(interval)
				path := freeName(&n, "/d", start, taken)
				x, ok := parseName(filepath.Base(path))
				if !ok || !slices.ContainsFunc(x.starts(loc), start.Equal) {
					t.Fatalf("%s, slots of %v: %v is %s, which reads as %v", zone, interval, start.In(loc), path, x.starts(loc))
				}
				taken[path] = start
			}
		}
	}
}

// freeName is the first name that is not taken.
func freeName(n *naming, dir string, start time.Time, taken map[string]time.Time) string {
	for path := range n.names(dir, start, func(path string) (time.Time, bool) { s, ok := taken[path]; return s, ok }) {
		if _, ok := taken[path]; !ok {
			return path
		}
	}
	return ""
}

func TestNamesWhenClocksChange(t *testing.T) {
	loc := in(t, "Europe/Zurich")
	for _, c := range []struct {
		interval time.Duration
		from     string
		want     string
	}{
		{20 * time.Minute, "2026-10-25T01:40:00+02:00", // the hour from 2 to 3 comes twice
			"202610250140 202610250200 202610250220 202610250240 202610250200+0100 202610250220+0100 202610250240+0100 202610250300"},
		{20 * time.Minute, "2026-03-29T01:20:00+01:00", // and once a year not at all
			"202603290120 202603290140 202603290300 202603290320"},
		{45 * time.Second, "2026-10-25T02:59:15+02:00",
			"20261025025915 20261025020000+0100"},
		{time.Minute, "2026-10-25T02:59:00+02:00", "202610250259 202610250200+0100"},
	} {
		start, err := time.Parse(time.RFC3339, c.from)
		check(t, err)
		n := naming{c.interval, 0, loc}
		taken := map[string]time.Time{"nfcap.202610250200": time.Unix(1792886400, 0), "nfcap.20261025020000": time.Unix(1792886400, 0)}
		if strings.Contains(c.want, " 202610250200 ") {
			clear(taken)
		}
		var got []string
		for range strings.Fields(c.want) {
			path := freeName(&n, "", start, taken)
			taken[path] = start
			got = append(got, strings.TrimPrefix(path, "nfcap."))
			start = start.Add(c.interval)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("from %s each %v:\n%s, want\n%s", c.from, c.interval, strings.Join(got, " "), c.want)
		}
	}
}

func TestParseName(t *testing.T) {
	for base, want := range map[string]string{
		"nfcap.202611240900":          "2026-11-24T09:00:00Z 1m0s",
		"nfcap.20261124090059":        "2026-11-24T09:00:59Z 1s",
		"nfcapd.202611240900":         "2026-11-24T09:00:00Z 1m0s",
		"nfpcapd.202611240900":        "2026-11-24T09:00:00Z 1m0s",
		"nfcap.202611240900+0100":     "2026-11-24T08:00:00Z 1m0s",
		"nfcapd.202611240900-0330":    "2026-11-24T12:30:00Z 1m0s",
		"nfcap.202611240900.2":        "2026-11-24T09:00:00Z 1m0s",
		"nfcap.202611240900+0100.17":  "2026-11-24T08:00:00Z 1m0s",
		"nfcap.202602290900":          "", // no such day
		"nfcap.202611242400":          "",
		"nfcap.20261124090060":        "",
		"nfcap.2026112409":            "",
		"nfcap.2026112409000":         "",
		"nfcap.202611240900.1":        "",
		"nfcap.202611240900.02":       "",
		"nfcap.202611240900.":         "",
		"nfcap.202611240900.gz":       "",
		"nfcap.202611240900+01":       "",
		"nfcap.202611240900+0100x":    "",
		"nfcap.202611240900+9900":     "",
		"nfcap.":                      "",
		"nfcap.current.1764000000.17": "",
		"nfcapd.current.1234":         "",
		"nfcapX.202611240900":         "",
		"sfcapd.202611240900":         "",
		".nfcap.new.1764000000.17":    "",
		"202611240900":                "",
	} {
		got := ""
		if x, ok := parseName(base); ok {
			got = fmt.Sprint(x.starts(time.UTC)[0].UTC().Format(time.RFC3339), " ", x.length)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
	}
	for base, want := range map[string]int64{
		"nfcap.current.1764000000.17": 1764000000, "nfcap.current.0.x": 0, "nfcap.current.5.17-2": 5,
		"nfcap.current.1764000000": -1, "nfcap.current.-1.2": -1, "nfcap.current.x.2": -1, "nfcapd.current.17.1": -1, "nfcap.202611240900": -1,
		"nfcap.current.99999999999999999.1": -1,
	} {
		s, ok := openStart(base)
		if ok != (want >= 0) || ok && s.Unix() != want {
			t.Errorf("%s: %v %v, want %d", base, s, ok, want)
		}
	}
}

// When clocks are turned back a name means two times, when forward one that no clock shows.
func TestStarts(t *testing.T) {
	loc := in(t, "America/New_York")
	for base, want := range map[string]string{
		"nfcap.202611010030": "04:30",
		"nfcap.202611010130": "05:30 06:30",
		"nfcap.202611010200": "07:00",
		"nfcap.202603080230": "06:30 or 07:30",
		"nfcap.202607010000": "04:00",
	} {
		x, _ := parseName(base)
		var got []string
		for _, s := range x.starts(loc) {
			got = append(got, s.UTC().Format("15:04"))
		}
		if text := strings.Join(got, " "); text != want && !slices.Contains(strings.Split(want, " or "), text) {
			t.Errorf("%s: %v, want %s", base, got, want)
		}
	}
}
