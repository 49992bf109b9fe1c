package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/archive"
)

func TestSplitWords(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
		says string
	}{
		{"", nil, ""},
		{" \t\n ", nil, ""},
		{"index %d/%f", []string{"index", "%d/%f"}, ""},
		{"  a  b\tc\n", []string{"a", "b", "c"}, ""},
		{"'a  b' \"c  d\"", []string{"a  b", "c  d"}, ""},
		{"a'b c'd", []string{"ab cd"}, ""},
		{"'' \"\"", []string{"", ""}, ""},
		{"x''", []string{"x"}, ""},
		{`a\ b \'c\" \\`, []string{"a b", `'c"`, `\`}, ""},
		{`'a\b' "a\"b" "it's"`, []string{`a\b`, `a"b`, "it's"}, ""},
		{"a|b;c>d $HOME *", []string{"a|b;c>d", "$HOME", "*"}, ""},
		{"é 'ü ß'", []string{"é", "ü ß"}, ""},
		{"'a", nil, "the quote is not closed"},
		{`a "b\"`, nil, "the quote is not closed"},
		{`a\`, nil, "nothing follows the backslash"},
	} {
		got, err := splitWords(c.in)
		if !slices.Equal(got, c.want) || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %q, %v, want %q, %q", c.in, got, err, c.want, c.says)
		}
	}
}

func TestExpand(t *testing.T) {
	slot := archive.Slot{Path: "/flows/a b/2026/11/24/nfcap.202611241005", Start: time.Date(2026, 11, 24, 10, 5, 0, 0, time.FixedZone("", 3600))}
	for _, c := range []struct{ word, want string }{
		{"%d", "/flows/a b"},
		{"%f", "2026/11/24/nfcap.202611241005"},
		{"%d/%f", "/flows/a b/2026/11/24/nfcap.202611241005"},
		{"%t", "202611241005"},
		{"%u", "1795511100"},
		{"%i", "%d'; rm -rf"},
		{"%%d 100%", "%d 100%"},
		{"%x%q", "%x%q"},
		{"", ""},
	} {
		got := expand([]string{"cmd", c.word}, "/flows/a b", "%d'; rm -rf", slot)
		if !slices.Equal(got, []string{"cmd", c.want}) {
			t.Errorf("%q: %q, want %q", c.word, got, c.want)
		}
	}
	// a directory that is named relatively
	slot.Path = "flows/nfcap.202611241005"
	if got := expand([]string{"%d", "%f"}, "flows", "x", slot); !slices.Equal(got, []string{"flows", "nfcap.202611241005"}) {
		t.Errorf("%q", got)
	}
}

func TestParsePrefixes(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"10.0.0.1", "10.0.0.1/32"},
		{"10.1.2.3/16", "10.1.0.0/16"},
		{"2001:db8::1;10.0.0.0/8", "2001:db8::1/128 10.0.0.0/8"},
		{"10.0.0.1,10.0.0.2 10.0.0.3;;", "10.0.0.1/32 10.0.0.2/32 10.0.0.3/32"},
		{"0.0.0.0/0;::/0", "0.0.0.0/0 ::/0"},
		{"::ffff:10.0.0.1", "10.0.0.1/32"}, // senders are never IPv4-mapped
		{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
		{"", "!"}, {" ; ", "!"}, {"10.0.0", "!"}, {"10.0.0.0/33", "!"}, {"10.0.0.1;router", "!"}, {"fe80::1%eth0/64", "!"},
	} {
		got, err := parsePrefixes(c.in)
		text := ""
		for i, p := range got {
			if i > 0 {
				text += " "
			}
			text += p.String()
		}
		if err != nil {
			text = "!"
		}
		if text != c.want {
			t.Errorf("%q: %s, %v, want %s", c.in, text, err, c.want)
		}
	}
	all, err := parsePrefixes("0.0.0.0/0")
	check(t, err)
	if !all[0].Contains(netip.MustParseAddr("192.0.2.1")) || all[0].Contains(netip.MustParseAddr("::1")) {
		t.Error("0.0.0.0/0 is all of IPv4 and nothing else")
	}
}

func TestParseAge(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		in   string
		want time.Duration // -1: an error
	}{
		{"", 0},
		{"30d", 30 * day},
		{"12w", 84 * day},
		{"6H", 6 * time.Hour},
		{"6h", 6 * time.Hour},
		{"90M", 90 * time.Minute},
		{"90m", 90 * time.Minute},
		{"45s", 45 * time.Second},
		{"1.5d", 36 * time.Hour},
		{"1h30m", 90 * time.Minute},
		{"0d", -1}, {"-1d", -1}, {"d", -1}, {"30", -1}, {"soon", -1}, {"1y", -1},
		{"infd", -1}, {"nand", -1}, {"1e300w", -1}, {"100000000000w", -1}, {"9999999h", -1}, {"20000w", -1},
	} {
		got, err := parseAge(c.in)
		if c.want < 0 && err == nil || c.want >= 0 && (err != nil || got != c.want) {
			t.Errorf("%q: %v, %v, want %v", c.in, got, err, c.want)
		}
	}
}

func TestNextSlot(t *testing.T) {
	at := time.Date(2026, 11, 24, 10, 3, 7, 500, time.UTC)
	for _, c := range []struct {
		seconds int
		align   bool
		want    time.Time
	}{
		{300, true, time.Date(2026, 11, 24, 10, 5, 0, 0, time.UTC)},
		{60, true, time.Date(2026, 11, 24, 10, 4, 0, 0, time.UTC)},
		{1, true, time.Date(2026, 11, 24, 10, 3, 8, 0, time.UTC)},
		{7, true, time.Unix((at.Unix()/7+1)*7, 0)},
		{86400, true, time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)},
		{300, false, at.Add(300 * time.Second)},
		{1, false, at.Add(time.Second)},
	} {
		r := &runner{config: &config{interval: time.Duration(c.seconds) * time.Second, align: c.align}}
		got := r.nextSlot(at)
		if !got.Equal(c.want) {
			t.Errorf("-t %d, aligned %v: %v, want %v", c.seconds, c.align, got, c.want)
		}
		if c.align && !r.nextSlot(got).Equal(got.Add(r.interval)) {
			t.Errorf("-t %d: the slot after %v ends at %v", c.seconds, got, r.nextSlot(got))
		}
	}
}
