package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTidy(t *testing.T) {
	for _, c := range []struct {
		name     string
		rules    []rule
		in, want string
		keep     bool
	}{
		{"timing", textRules, "Sys: 0.0034s User: 0.0000s Wall: 0.0011s flows/second: 12071.3 Runtime: 0.0011s", "", false},
		{"processed in 1.7.1", textRules, "Total flows processed: 7, passed: 3, Blocks skipped: 0, Bytes read: 128", "Total processed: 7, passed: 3", true},
		{"processed in 1.7.8", textRules, "Total records processed: 7, passed: 3, Blocks skipped: 0, Bytes read: 1680", "Total processed: 7, passed: 3", true},
		{"window in 1.7.1", textRules, "Time window: 2026-03-02 08:58:45 - 2026-03-02 09:01:42", "", false},
		{"window in 1.7.8", textRules, "Time window: 2026-03-02 08:58:45.157 - 2026-03-02 09:01:42.826, Duration:    00:02:57.669", "", false},
		{"units", textRules, "any   10.4.0.246    11961( 1.2)   158230( 0.9)  154.8 M( 1.3)      989    7.7 M   978", "any   10.4.0.246    11961(1.2)   158230(0.9)  154.8M(1.3)      989    7.7M   978", true},
		{"a summary counts", textRules, "Summary: total flows: 13", "Summary: total flows: 13", true},
		{"empty line", textRules, "   ", "", false},
		{"csv blanks", csvRules, "17   ,   10.34.0.191,  7387,   80.255.0.209,    53,       1,      75", "17,10.34.0.191,7387,80.255.0.209,53,1,75", true},
		{"csv header", csvRules, "ts,td,pr,sa", "", false},
	} {
		have, keep := tidy(c.in, c.rules)
		if keep != c.keep || keep && have != c.want {
			t.Errorf("%s: %q becomes %q, %v; want %q, %v", c.name, c.in, have, keep, c.want, c.keep)
		}
	}
}

func TestCompareOrdered(t *testing.T) {
	const head = "Date first seen Bytes Flows"
	line := func(key, bytes string) string { return "2026-03-02 09:00:00.000 " + key + " " + bytes + " 1" }
	list := func(rows ...string) []string { return append([]string{head}, rows...) }
	a, b, c, d := line("a", "9"), line("b", "5"), line("c", "5"), line("d", "5")
	long := list(a, b, c, d, line("e", "4"))
	for _, x := range []struct {
		name         string
		ours, theirs []string
		same         bool
		ties         int
	}{
		{"equal", list(a, b), list(a, b), true, 0},
		{"blanks", list(strings.ReplaceAll(a, " ", "  ")), list(a), true, 0},
		{"tied rows swapped", list(a, b, c), list(a, c, b), true, 0},
		{"another choice at the cut", list(a, b), list(a, c), true, 1},
		{"a row at the cut that the peer lacks", list(a, line("x", "5")), list(a, b), false, 0},
		{"wrong value", list(a, line("b", "6")), list(a, b), false, 0},
		{"wrong above the cut", list(line("x", "9"), b), list(a, b), false, 0},
		{"missing row", list(a), list(a, b), false, 0},
		{"order", list(b, a), list(a, b), false, 0},
		{"another header", append([]string{"Date"}, a), list(a), false, 0},
		{"a repeat", list(a, b, b), list(a, b, c), false, 0},
	} {
		longer := long
		if x.name == "a repeat" {
			longer = list(a, c)
		}
		v, err := compareOrdered(x.ours, x.theirs, 2, func() ([]string, error) { return longer, nil })
		if err != nil {
			t.Fatal(err)
		}
		if v.same != x.same || v.same && v.ties != x.ties {
			t.Errorf("%s: %q against %q: %v with %d ties, want %v with %d", x.name, x.ours, x.theirs, v.same, v.ties, x.same, x.ties)
		}
		if !v.same && len(v.detail) == 0 {
			t.Errorf("%s: no detail", x.name)
		}
	}
}

func TestCompareSets(t *testing.T) {
	for _, c := range []struct {
		ours, theirs string
		same         bool
	}{
		{"a\nb\n", "b\na\n", true},
		{"a\na\nb\n", "a\nb\nb\n", false},
		{"a\n", "a\nb\n", false},
		{"", "", true},
		{"ts,td\n1,2\n", "1 ,  2\n", true},
	} {
		dir := t.TempDir()
		x, y := filepath.Join(dir, "x"), filepath.Join(dir, "y")
		if err := firstError(os.WriteFile(x, []byte(c.ours), 0o666), os.WriteFile(y, []byte(c.theirs), 0o666)); err != nil {
			t.Fatal(err)
		}
		v, err := compareSets(x, y, csvRules, csvRules)
		if err != nil {
			t.Fatal(err)
		}
		if v.same != c.same || !v.same && len(v.detail) == 0 {
			t.Errorf("%q against %q: %+v, want %v", c.ours, c.theirs, v, c.same)
		}
	}
}
