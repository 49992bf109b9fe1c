package archive

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxLayout is the last of nfdump's directory layouts, which are, of the start of a slot:
//
//	0  no directories    3  %Y/%W/%u       6  %Y/%j/%H
//	1  %Y/%m/%d          4  %Y/%W/%u/%H    7  %F
//	2  %Y/%m/%d/%H       5  %Y/%j          8  %F/%H
const MaxLayout = 8

const (
	prefix  = "nfcap."
	current = prefix + "current."
	hidden  = ".nfcap.new."

	toMinute = "200601021504"
	toSecond = "20060102150405"
)

// prefixes are those of the files that are taken for slots: ours, nfcapd's and nfpcapd's.
var prefixes = []string{prefix, "nfcapd.", "nfpcapd."}

// naming gives slots their names.
type naming struct {
	interval time.Duration
	layout   int
	zone     *time.Location
}

// subdir is the directory of a slot below the base directory, "" for none.
func (n *naming) subdir(start time.Time) string {
	t := start.In(n.zone)
	switch n.layout {
	case 1:
		return t.Format("2006/01/02")
	case 2:
		return t.Format("2006/01/02/15")
	case 3, 4:
		weekday := (int(t.Weekday()) + 6) % 7 // Monday is 0, and begins a week
		week := (t.YearDay() + 6 - weekday) / 7
		dir := fmt.Sprintf("%04d/%02d/%d", t.Year(), week, weekday+1)
		if n.layout == 4 {
			dir += t.Format("/15")
		}
		return dir
	case 5:
		return t.Format("2006/002")
	case 6:
		return t.Format("2006/002/15")
	case 7:
		return t.Format("2006-01-02")
	case 8:
		return t.Format("2006-01-02/15")
	}
	return ""
}

// base is the first choice for a slot's name, without directories.
func (n *naming) base(start time.Time) string {
	form := toMinute
	if n.interval%time.Minute != 0 {
		form = toSecond
	}
	return prefix + start.In(n.zone).Format(form)
}

// names are the choices for a slot's name, best first, below dir: the plain name; if that is
// taken by a slot of another distance from UTC, the name with the zone; if by another slot of
// the same minute, the name with seconds; then numbered names, without end. startOf tells which
// slot a file that exists belongs to.
func (n *naming) names(dir string, start time.Time, startOf func(path string) (time.Time, bool)) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		path := filepath.Join(dir, n.subdir(start), n.base(start))
		if !yield(path) {
			return
		}
		t := start.In(n.zone)
		if other, ok := startOf(path); ok {
			_, ours := t.Zone()
			_, theirs := other.In(n.zone).Zone()
			switch {
			case ours != theirs:
				path += t.Format("-0700")
			case !other.Equal(start):
				path = filepath.Join(filepath.Dir(path), prefix+t.Format(toSecond))
			}
			if !yield(path) {
				return
			}
		}
		for i := 2; yield(path + "." + strconv.Itoa(i)); i++ {
		}
	}
}

// name is what the name of a slot's file says.
type name struct {
	wall   time.Time     // what its digits read, as if in UTC
	length time.Duration // a minute or a second: how exact they are
	offset int           // distance from UTC in seconds
	zoned  bool          // offset is known
}

// parseName reads the name of a file, without directories: nfcap., nfcapd. or nfpcapd., 12 or
// 14 digits, perhaps a zone, perhaps a number behind a dot.
func parseName(base string) (name, bool) {
	var x name
	at := slices.IndexFunc(prefixes, func(p string) bool { return strings.HasPrefix(base, p) })
	if at < 0 {
		return x, false
	}
	rest := base[len(prefixes[at]):]
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	form := toMinute
	x.length = time.Minute
	if digits == len(toSecond) {
		form, x.length = toSecond, time.Second
	}
	if digits != len(form) {
		return x, false
	}
	var err error
	if x.wall, err = time.Parse(form, rest[:digits]); err != nil {
		return x, false
	}
	rest = rest[digits:]
	if len(rest) >= 5 && (rest[0] == '+' || rest[0] == '-') {
		t, err := time.Parse("-0700", rest[:5])
		if err != nil {
			return x, false
		}
		_, x.offset = t.Zone()
		x.zoned, rest = true, rest[5:]
	}
	return x, rest == "" || isNumber(rest)
}

// isNumber is true for ".2" and the like.
func isNumber(s string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "."))
	return err == nil && n >= 2 && s == "."+strconv.Itoa(n)
}

// starts are the times that a name can mean in a zone, in order: one, two when clocks were
// turned back, one that is not on the clock when they were turned forward.
func (x *name) starts(zone *time.Location) []time.Time {
	if x.zoned {
		return []time.Time{x.wall.Add(-time.Duration(x.offset) * time.Second)}
	}
	y, m, d := x.wall.Date()
	guess := time.Date(y, m, d, x.wall.Hour(), x.wall.Minute(), x.wall.Second(), 0, zone)
	found := []time.Time{}
	from, to := guess.ZoneBounds()
	for _, t := range []time.Time{from.Add(-time.Nanosecond), guess, to} {
		if t.IsZero() || t.Year() < 1 { // no change of the clocks there
			continue
		}
		_, offset := t.In(zone).Zone()
		s := x.wall.Add(-time.Duration(offset) * time.Second)
		if _, back := s.In(zone).Zone(); back == offset && !slices.ContainsFunc(found, s.Equal) {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		found = append(found, guess.UTC())
	}
	slices.SortFunc(found, time.Time.Compare)
	return found
}

// IsOpen tells by the name of a file whether it is an open slot, or was one when its writer
// crashed.
func IsOpen(path string) bool {
	_, ok := openStart(filepath.Base(path))
	return ok
}

// openStart reads the name of an open slot.
func openStart(base string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(base, current)
	seconds, _, more := strings.Cut(rest, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || !more || err != nil || n < 0 || n > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(n, 0), true
}
