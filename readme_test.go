//go:build unix

package nfpipe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// example is a command of a page and what the page says that it prints.
type example struct {
	line    int
	command string
	want    string
}

// examplesOf are the commands in the ```console blocks of a page: a line that
// begins with "$ " is a command, lines ending in \ go on, and what follows up
// to the next command is its output.
func examplesOf(text string) []example {
	var found []example
	console, more := false, false
	for i, line := range strings.Split(text, "\n") {
		last := len(found) - 1
		switch {
		case strings.HasPrefix(line, "```"):
			console = line == "```console"
			more = false
		case !console:
		case more:
			found[last].command += "\n" + line
			more = strings.HasSuffix(line, `\`)
		case strings.HasPrefix(line, "$ "):
			found = append(found, example{line: i + 1, command: line[2:]})
			more = strings.HasSuffix(line, `\`)
		case last >= 0:
			found[last].want += line + "\n"
		}
	}
	return found
}

var (
	runTimes  = regexp.MustCompile(`(?m)^Sys: .*$`)
	received  = regexp.MustCompile(`(?m)^(nfcap: Total packets received: \d+) avg: [0-9.]+/s `)
	bytesRead = regexp.MustCompile(`, Bytes read: [1-9][0-9]+\n`)
)

// steady takes out of a text what differs from run to run: nfdump's line of
// processor times, and nfcapd's packets a second.
func steady(text string) string {
	text = received.ReplaceAllString(text, "$1 avg: …/s ")
	return runTimes.ReplaceAllString(text, "Sys: …")
}

// settled takes out as well what a better encoding changes: how many bytes
// were read, as long as it is some.
func settled(text string) string {
	return bytesRead.ReplaceAllString(steady(text), ", Bytes read: …\n")
}

// TestReadme runs the examples of README.md in order, in one directory that
// has the captures of testdata, and compares all that they print.
func TestReadme(t *testing.T) {
	needs(t, "nfcat", "nffilter", "nfagg", "nfpcap")
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "testdata"), filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	examples := examplesOf(string(page))
	if len(examples) < 6 {
		t.Fatalf("README.md has %d examples", len(examples))
	}
	for _, e := range examples {
		// what needs the source tree, not the tools, is tried by other tests
		if strings.HasPrefix(e.command, "make") {
			continue
		}
		c := exec.Command("bash", "-o", "pipefail", "-c", e.command)
		c.Dir = dir
		got, err := c.CombinedOutput()
		if err != nil || settled(string(got)) != settled(e.want) {
			t.Errorf("README.md:%d: %s\n%v, prints\n%s\nthe page says\n%s", e.line, e.command, err, got, e.want)
		}
	}
}

// TestDemo runs what make demo shows.
func TestDemo(t *testing.T) {
	needs(t, "nfcat", "nffilter", "nfagg", "nfpcap")
	out, err := exec.Command("testdata/demo.sh").CombinedOutput()
	if err != nil || strings.Count(string(out), "\n$ ") < 6 {
		t.Errorf("%v\n%s", err, out)
	}
}
