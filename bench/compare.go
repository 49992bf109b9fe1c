package main

import (
	"bufio"
	"fmt"
	"hash/maphash"
	"os"
	"regexp"
	"slices"
	"strings"
)

// rule is one exact difference between outputs that is allowed.
type rule struct {
	name    string
	pattern *regexp.Regexp
	with    string
	drop    bool
}

// textRules make nfdump's texts of different versions comparable with ours.
var textRules = []rule{
	{name: "timing is never the same", pattern: regexp.MustCompile(`^Sys: `), drop: true},
	{name: "blocks and octets are those of another file format",
		pattern: regexp.MustCompile(`, Blocks skipped: \d+, Bytes read: \d+$`)},
	{name: "1.7.1 says flows where later versions say records",
		pattern: regexp.MustCompile(`^Total (flows|records) processed`), with: "Total processed"},
	{name: "nfdump's time window is the file's, ours that of the records that passed",
		pattern: regexp.MustCompile(`^Time window: `), drop: true},
	{name: "a number and its unit are one field", pattern: regexp.MustCompile(`(\d) ([MGT])\b`), with: "$1$2"},
	{name: "a share and its number are one field", pattern: regexp.MustCompile(`\( +`), with: "("},
}

// csvRules turn comma separated rows into one form.
var csvRules = []rule{
	{name: "names of columns", pattern: regexp.MustCompile(`^(ts|firstSeen),`), drop: true},
	{name: "blanks that fill a column", pattern: regexp.MustCompile(` *, *`), with: ","},
}

// tidy applies the rules to a line, and false means that the line does not count.
func tidy(line string, rules []rule) (string, bool) {
	line = strings.TrimRight(line, " \r")
	for i := range rules {
		r := &rules[i]
		if r.drop {
			if r.pattern.MatchString(line) {
				return "", false
			}
			continue
		}
		line = r.pattern.ReplaceAllString(line, r.with)
	}
	return strings.TrimSpace(line), line != ""
}

// verdict is the outcome of one comparison.
type verdict struct {
	same    bool
	spacing bool // equal but for blanks within lines
	ties    int  // rows at the cut that differ in a way that the order leaves open
	detail  []string
}

func (v verdict) String() string {
	switch {
	case !v.same:
		return "DIFFERS"
	case v.ties > 0:
		return fmt.Sprintf("equal, %d tied", v.ties)
	case v.spacing:
		return "equal but for blanks"
	}
	return "equal"
}

// eachLine calls f for the tidied lines of a file.
func eachLine(name string, rules []rule, f func(string)) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	s.Buffer(make([]byte, 1<<16), 1<<24)
	for s.Scan() {
		if line, ok := tidy(s.Text(), rules); ok {
			f(line)
		}
	}
	return s.Err()
}

func readLines(name string, rules []rule) (lines []string, err error) {
	err = eachLine(name, rules, func(s string) { lines = append(lines, s) })
	return lines, err
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// compareOrdered compares a top list line by line. Rows of equal order value may be in any order, and of those
// at the cut any choice is right if the peer's longer list has them.
func compareOrdered(ours, theirs []string, rank int, longer func() ([]string, error)) (verdict, error) {
	v := verdict{same: true}
	if slices.Equal(ours, theirs) {
		return v, nil
	}
	squeezeAll(ours)
	squeezeAll(theirs)
	v.spacing = true
	if len(ours) != len(theirs) {
		return differ(ours, theirs), nil
	}
	for i := range ours {
		if ours[i] != theirs[i] && (orderValue(ours[i], rank) == "" || orderValue(ours[i], rank) != orderValue(theirs[i], rank)) {
			return differ(ours, theirs), nil
		}
	}
	extra := subtract(ours, theirs)
	v.ties = len(extra)
	if len(extra) == 0 {
		return v, nil
	}
	cut := lastRank(theirs, rank)
	more, err := longer()
	if err != nil {
		return v, err
	}
	squeezeAll(more)
	for _, line := range extra {
		if orderValue(line, rank) != cut || !slices.Contains(more, line) {
			return differ(ours, theirs), nil
		}
	}
	return v, nil
}

func squeezeAll(lines []string) {
	for i := range lines {
		lines[i] = squeeze(lines[i])
	}
}

var row = regexp.MustCompile(`^\d{4}-\d\d-\d\d `)

// orderValue is the field that a row is ordered by; "" for lines that are no rows.
func orderValue(line string, rank int) string {
	f := strings.Fields(line)
	if !row.MatchString(line) || len(f) < rank {
		return ""
	}
	value, _, _ := strings.Cut(f[len(f)-rank], "(")
	return value
}

// lastRank is the order value of the last row.
func lastRank(lines []string, rank int) string {
	for _, line := range slices.Backward(lines) {
		if v := orderValue(line, rank); v != "" {
			return v
		}
	}
	return ""
}

// subtract returns the lines of a that b lacks, counting repeats.
func subtract(a, b []string) (rest []string) {
	count := map[string]int{}
	for _, s := range b {
		count[s]++
	}
	for _, s := range a {
		if count[s]--; count[s] < 0 {
			rest = append(rest, s)
		}
	}
	return rest
}

func differ(ours, theirs []string) verdict {
	v := verdict{}
	for _, s := range firstOf(subtract(ours, theirs)) {
		v.detail = append(v.detail, "ours only:  "+s)
	}
	for _, s := range firstOf(subtract(theirs, ours)) {
		v.detail = append(v.detail, "peer only:  "+s)
	}
	if len(v.detail) == 0 {
		v.detail = []string{"same lines in another order"}
	}
	return v
}

func firstOf(lines []string) []string { return lines[:min(len(lines), 5)] }

// compareSets compares two files as sets of lines with repeats, blanks squeezed, by hashes: a line of millions costs
// eight octets.
func compareSets(ours, theirs string, ourRules, theirRules []rule) (verdict, error) {
	seed := maphash.MakeSeed()
	a, err := hashes(ours, ourRules, seed)
	if err != nil {
		return verdict{}, err
	}
	b, err := hashes(theirs, theirRules, seed)
	if err != nil {
		return verdict{}, err
	}
	if slices.Equal(a, b) {
		return verdict{same: true}, nil
	}
	v := verdict{detail: []string{fmt.Sprintf("%d lines and %d", len(a), len(b))}}
	for _, side := range []struct {
		name, file string
		rules      []rule
		other      []uint64
	}{{"ours only:  ", ours, ourRules, b}, {"peer only:  ", theirs, theirRules, a}} {
		found := 0
		err := eachLine(side.file, side.rules, func(s string) {
			if found == 5 {
				return
			}
			if _, there := slices.BinarySearch(side.other, maphash.String(seed, squeeze(s))); !there {
				v.detail = append(v.detail, side.name+s)
				found++
			}
		})
		if err != nil {
			return v, err
		}
	}
	return v, nil
}

func hashes(file string, rules []rule, seed maphash.Seed) (h []uint64, err error) {
	err = eachLine(file, rules, func(s string) { h = append(h, maphash.String(seed, squeeze(s))) })
	slices.Sort(h)
	return h, err
}
