package filter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// value is what one word of a comparison means as stored: the numbers that equal it, and the
// smallest and largest of the step that orders it (a time given to the day is equal to all of
// the day, but "> day" begins after its first millisecond, as in nfdump).
type value struct {
	eq     span
	lo, hi uint64
}

func exactly(x uint64) value { return value{span{x, x}, x, x} }

// reader reads the values of one kind of field.
type reader struct {
	what     string // "a port number"
	bottom   uint64 // the smallest and largest number that a field can hold
	top      uint64
	shift    uint8 // of the stored number, before it is compared
	read     func(s string) (value, error)
	noRanges bool // with -, which is a part of values
}

// readerOf chooses by the kind of field and its type.
func (p *parser) readerOf(f *ie.Field) reader {
	r := reader{top: math.MaxUint64}
	limit := func(what string, max uint64) reader {
		r.what = what
		r.read = func(s string) (value, error) { return number(s, max) }
		return r
	}
	switch f.Kind {
	case ie.Port:
		return limit("a port number", math.MaxUint16)
	case ie.Protocol:
		r.what, r.read = "a protocol name or number", protocol
		return r
	case ie.ICMPType, ie.ICMPCode, ie.TOS:
		return limit("a number", math.MaxUint8)
	case ie.PrefixLength:
		return limit("a prefix length", 128)
	case ie.VLAN:
		return limit("a VLAN number", math.MaxUint16)
	case ie.ASNumber:
		r.what, r.read = "an AS number", asNumber
		return r
	case ie.MAC:
		r.what, r.read, r.noRanges = "a MAC address", macAddress, true
		return r
	case ie.Duration, ie.DurationRaw:
		r.what = "a duration"
		r.read = func(s string) (value, error) { return duration(s, 1e6, 1e6, 1) }
		return r
	case ie.Latency:
		r.what = "a duration"
		r.read = func(s string) (value, error) { return duration(s, 1e3, 1e3, 1e3) }
		return r
	case ie.TimeLocal, ie.TimeUTC, ie.TimeRaw, ie.TimeMillis:
		loc := p.o.Location
		if f.Kind == ie.TimeUTC {
			loc = time.UTC
		}
		r.what = "a time such as 2026-11-23T06:57"
		r.read = func(s string) (value, error) { return instant(s, loc, f.Kind == ie.TimeMillis) }
		return r
	case ie.MPLS:
		r.shift = 4
		return limit("a label", 1<<20-1)
	case ie.ACL:
		return limit("a number", math.MaxUint32)
	}
	if names := namesOf(f); names != nil {
		r.what = "a number or a name such as " + names[0].name
		r.read = func(s string) (value, error) { return named(s, names, largest(f)) }
		return r
	}
	return r.byType(f)
}

func (r reader) byType(f *ie.Field) reader {
	r.what = "a number"
	if len(f.Elements) == 0 {
		r.read = func(s string) (value, error) { return number(s, math.MaxUint64) }
		return r
	}
	e, _ := ie.Lookup(f.Elements[0])
	switch e.Type.Class() {
	case ie.Int:
		r.read = signed
	case ie.Float:
		r.bottom, r.top = column.FromFloat(math.Inf(-1)), column.FromFloat(math.Inf(1))
		r.read = float
	default:
		if e.Type == ie.Boolean {
			r.what = "true or false"
			r.read = func(s string) (value, error) { return named(s, booleans, math.MaxUint8) }
			return r
		}
		r.read = func(s string) (value, error) { return number(s, largest(f)) }
	}
	return r
}

// largest is the largest number that the element of a field holds.
func largest(f *ie.Field) uint64 {
	e, _ := elementOf(f)
	if n := e.Type.Size(); n > 0 && n < 8 {
		return 1<<(8*n) - 1
	}
	return math.MaxUint64
}

// number reads a whole number: decimal, 0x hexadecimal, or with k, m, g, t for powers of 1000.
func number(s string, max uint64) (value, error) {
	n, err := whole(s)
	if err != nil {
		return value{}, err
	}
	if n > max {
		return value{}, fmt.Errorf("%s is too large, the largest is %d", s, max)
	}
	return exactly(n), nil
}

func whole(s string) (uint64, error) {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		n, err := strconv.ParseUint(s[2:], 16, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a number", s)
		}
		return n, nil
	}
	digits, unit := s, uint64(1)
	if s != "" {
		if i := strings.IndexByte("kmgt", s[len(s)-1]|0x20); i >= 0 {
			digits = s[:len(s)-1]
			for range i + 1 {
				unit *= 1000
			}
		}
	}
	n, rest, err := fixed(digits, unit)
	if err != nil {
		return 0, fmt.Errorf("%q %w", s, err)
	}
	if rest {
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

// fixed is a decimal number with or without fraction times unit, rounded down; rest tells
// that something was lost.
func fixed(s string, unit uint64) (n uint64, rest bool, err error) {
	in, frac, dot := strings.Cut(s, ".")
	if in == "" || dot && frac == "" {
		return 0, false, fmt.Errorf("is not a number")
	}
	n, err = strconv.ParseUint(in, 10, 64)
	if err != nil || in[0] == '+' {
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return 0, false, fmt.Errorf("is too large")
		}
		return 0, false, fmt.Errorf("is not a number")
	}
	if unit > 1 && n > math.MaxUint64/unit {
		return 0, false, fmt.Errorf("is too large")
	}
	n *= unit
	for i := range len(frac) {
		if frac[i] < '0' || frac[i] > '9' {
			return 0, false, fmt.Errorf("is not a number")
		}
		d := uint64(frac[i] - '0')
		if unit%10 != 0 {
			rest = rest || d != 0
			continue
		}
		unit /= 10
		if n > math.MaxUint64-d*unit {
			return 0, false, fmt.Errorf("is too large")
		}
		n += d * unit
	}
	return n, rest, nil
}

func signed(s string) (value, error) {
	if t, minus := strings.CutPrefix(s, "-"); minus {
		n, err := whole(t)
		if err != nil {
			return value{}, err
		}
		if n > 1<<63 {
			return value{}, fmt.Errorf("%s is too small", s)
		}
		return exactly(column.FromSigned(-int64(n))), nil
	}
	n, err := whole(s)
	if err != nil {
		return value{}, err
	}
	if n > math.MaxInt64 {
		return value{}, fmt.Errorf("%s is too large", s)
	}
	return exactly(column.FromSigned(int64(n))), nil
}

func float(s string) (value, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) {
		n, err := whole(s)
		if err != nil {
			return value{}, fmt.Errorf("%q is not a number", s)
		}
		x = float64(n)
	}
	v := exactly(column.FromFloat(x))
	if x == 0 { // both zeros are equal
		v.eq = span{column.FromFloat(math.Copysign(0, -1)), column.FromFloat(0)}
		v.lo, v.hi = v.eq.lo, v.eq.hi
	}
	return v, nil
}

// protocol knows names by the whole name alone.
func protocol(s string) (value, error) {
	if n, ok := ie.ProtoNumber(s); ok {
		return exactly(uint64(n)), nil
	}
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		return number(s, math.MaxUint8)
	}
	var names []string
	for n := range 256 {
		names = append(names, strings.ToLower(ie.ProtoName(uint8(n))))
	}
	if near := nearest(strings.ToLower(s), names); near != "" {
		return value{}, fmt.Errorf("unknown protocol %q; did you mean %q?", s, near)
	}
	return value{}, fmt.Errorf("unknown protocol %q", s)
}

// asNumber reads 64512, AS64512 and 1.10 (RFC 5396).
func asNumber(s string) (value, error) {
	t := s
	if len(t) > 2 && strings.EqualFold(t[:2], "as") {
		t = t[2:]
	}
	if hi, lo, ok := strings.Cut(t, "."); ok {
		h, err := strconv.ParseUint(hi, 10, 16)
		l, err2 := strconv.ParseUint(lo, 10, 16)
		if err == nil && err2 == nil {
			return exactly(h<<16 | l), nil
		}
	}
	return number(t, math.MaxUint32)
}

// macAddress reads twelve hexadecimal digits, in pairs or fours with : - . between them.
func macAddress(s string) (value, error) {
	bad := fmt.Errorf("%q is not a MAC address", s)
	sep, size := byte(':'), 2
	switch {
	case strings.Contains(s, "."):
		sep, size = '.', 4
	case strings.Contains(s, "-"):
		sep = '-'
	}
	groups := strings.Split(s, string(sep))
	if len(groups)*size != 12 {
		return value{}, bad
	}
	x := uint64(0)
	for _, g := range groups {
		n, err := strconv.ParseUint(g, 16, 4*size)
		if err != nil || len(g) > size {
			return value{}, bad
		}
		x = x<<(4*size) | n
	}
	return exactly(x), nil
}

// timeUnits by suffix, in nanoseconds, longest first.
var timeUnits = [...]struct {
	name string
	ns   uint64
}{{"min", 60e9}, {"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"h", 3600e9}, {"d", 86400e9}}

// duration reads a number in the default unit or one of timeUnits and returns it in units of
// scale nanoseconds. Durations are compared in steps of at most step: those of a flow that
// lasted 5.4 ms are equal to 5, as in nfdump.
func duration(s string, unit, step, scale uint64) (value, error) {
	text := s
	for _, u := range timeUnits {
		if t, ok := strings.CutSuffix(strings.ToLower(s), u.name); ok && t != "" && (t[len(t)-1] <= '9') {
			text, unit = t, u.ns
			break
		}
	}
	if n := len(s); n > 1 && (s[n-1] == 'm' || s[n-1] == 'M') {
		return value{}, fmt.Errorf("%s can be read as minutes or as millions; write %smin, or the number in full", s, s[:n-1])
	}
	var ns uint64
	var err error
	if len(text) == len(s) && s != "" {
		k := uint64(1)
		if i := strings.IndexByte("kmgt", s[len(s)-1]|0x20); i >= 0 {
			text = s[:len(s)-1]
			for range i + 1 {
				k *= 1000
			}
		}
		if k > math.MaxUint64/unit {
			return value{}, fmt.Errorf("%q is too large", s)
		}
		unit *= k
	}
	ns, rest, err := fixed(text, unit)
	if err != nil {
		return value{}, fmt.Errorf("%q %w", s, err)
	}
	if rest {
		return value{}, fmt.Errorf("%q is finer than a nanosecond", s)
	}
	for step > 1 && ns%step != 0 {
		step /= 1000
	}
	step = max(step, scale)
	if ns%scale != 0 {
		return value{}, fmt.Errorf("%q is finer than the values are", s)
	}
	lo, hi := ns, ns+step-1
	if hi < lo {
		hi = math.MaxUint64
	}
	lo, hi = lo/scale, hi/scale
	return value{span{lo, hi}, lo, hi}, nil
}

// instant reads the beginning of an ISO 8601 time, "2026", "2026-11-23", "2026-11-23T06:57:17.5",
// with Z behind it for UTC; or the seconds since 1970, told by nine digits or more.
func instant(s string, loc *time.Location, millis bool) (value, error) {
	if n := strings.IndexByte(s+".", '.'); n >= 9 && strings.Trim(s, "0123456789.") == "" {
		unit, step := uint64(1e9), uint64(1e9)
		if millis {
			unit, step = 1e6, 1e6
		}
		ns, _, err := fixed(s, unit)
		if err != nil || ns > math.MaxInt64 {
			return value{}, fmt.Errorf("%q is no time", s)
		}
		for range len(s) - n - 1 {
			step = max(step/10, 1)
		}
		return moment(ns, ns+step-1, step), nil
	}
	text := s
	if t, ok := strings.CutSuffix(s, "Z"); ok && len(s) > 4 {
		text, loc = t, time.UTC
	}
	for _, f := range [...]struct {
		layout string
		next   func(time.Time) time.Time
	}{
		{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
		{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
		{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
		{"2006-01-02T15", func(t time.Time) time.Time { return t.Add(time.Hour) }},
		{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	} {
		whole, frac, dot := text, "", false
		if len(f.layout) == 19 {
			whole, frac, dot = strings.Cut(text, ".")
		}
		whole = strings.Replace(whole, " ", "T", 1)
		t, err := time.ParseInLocation(f.layout, whole, loc)
		if err != nil || dot && (frac == "" || len(frac) > 9 || strings.Trim(frac, "0123456789") != "") {
			continue
		}
		if t.Year() < 1970 || t.Year() > 2261 {
			return value{}, fmt.Errorf("%s is not between 1970 and 2261", s)
		}
		end := f.next(t)
		lo, hi := uint64(max(t.UnixNano(), 0)), uint64(max(end.UnixNano(), 1))-1
		if !dot {
			return moment(lo, hi, 1e6), nil
		}
		step := uint64(1e9)
		for range len(frac) {
			step /= 10
		}
		n, _ := strconv.ParseUint(frac, 10, 64)
		lo += n * step
		return moment(lo, lo+step-1, step), nil
	}
	return value{}, fmt.Errorf("%q is no time", s)
}

// moment is a stretch of time that orders by its first millisecond, or less if it is shorter.
func moment(lo, hi, step uint64) value {
	return value{span{lo, hi}, lo, lo + min(step, 1e6) - 1}
}
