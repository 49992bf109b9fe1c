//go:build unix

package nfpipe_test

import (
	"bytes"
	"context"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// tellings are the three places that tell which options a tool has: the option
// set itself, as completion gives it, the usage text, and the manual page.
type tellings struct{ set, usage, page map[string]bool }

// eachPage runs a test for every tool that exists, with its usage text and page.
func eachPage(t *testing.T, f func(t *testing.T, tool, usage, page string)) {
	for _, tool := range tools {
		t.Run(tool, func(t *testing.T) {
			needs(t, tool)
			page, err := os.ReadFile(filepath.Join(tool, tool+".1"))
			if err != nil {
				t.Fatal(err)
			}
			f(t, tool, string(shell(t, tool+" -h").run(nil).well(t, "-h").stdout), string(page))
		})
	}
}

var (
	fishLong   = regexp.MustCompile(`(?m) -l ([a-z0-9-]+)`)
	fishLetter = regexp.MustCompile(`(?m) -s (\S)`)
	// an entry of the usage text: "  -r, --read FILE  …" or "      --count  …"
	usageEntry = regexp.MustCompile(`(?m)^(?:  (-\S)(?:, (--[a-z0-9-]+))?|      (--[a-z0-9-]+))[ =]`)
	// an entry of the page: ".It Fl r Ar file , Fl -read Ar file"
	pageEntry = regexp.MustCompile(`(?m)^\.It Fl .*$`)
	pageFlag  = regexp.MustCompile(`\bFl (-?[A-Za-z0-9][a-z0-9-]*)`)
	anyFlag   = regexp.MustCompile(`\bFl ([^\s].*)`)
)

// tellingsOf reads the options of a tool out of the three places.
func tellingsOf(t *testing.T, tool, usage, page string) tellings {
	t.Helper()
	all := tellings{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	completion := string(shell(t, tool+" --completion fish").run(nil).well(t, "--completion fish").stdout)
	for _, m := range fishLong.FindAllStringSubmatch(completion, -1) {
		all.set["--"+m[1]] = true
	}
	for _, m := range fishLetter.FindAllStringSubmatch(completion, -1) {
		all.set["-"+m[1]] = true
	}
	for _, m := range usageEntry.FindAllStringSubmatch(usage, -1) {
		for _, name := range m[1:] {
			all.usage[name] = true
		}
	}
	delete(all.usage, "")
	options := section(page, "OPTIONS")
	for _, entry := range pageEntry.FindAllString(options, -1) {
		for _, m := range pageFlag.FindAllStringSubmatch(entry, -1) {
			all.page["-"+m[1]] = true
		}
	}
	return all
}

// section is the text of a section of a page.
func section(page, name string) string {
	_, text, _ := strings.Cut(page, "\n.Sh "+name+"\n")
	text, _, _ = strings.Cut(text, "\n.Sh ")
	return text
}

// Every option is in the usage text and in the page, and nothing else is.
func TestManualHasEveryOption(t *testing.T) {
	eachPage(t, func(t *testing.T, tool, usage, page string) {
		all := tellingsOf(t, tool, usage, page)
		if len(all.set) < 10 {
			t.Fatalf("completion knows only %q", slices.Sorted(maps.Keys(all.set)))
		}
		for name := range all.set {
			if !all.usage[name] {
				t.Errorf("%s -h has no entry for %s", tool, name)
			}
			if !all.page[name] {
				t.Errorf("%s.1 has no entry for %s", tool, name)
			}
		}
		for name := range all.usage {
			if !all.set[name] {
				t.Errorf("%s -h has %s, which is no option", tool, name)
			}
		}
		for name := range all.page {
			if !all.set[name] {
				t.Errorf("%s.1 has %s, which is no option", tool, name)
			}
		}
	})
}

// The options in the page's text, outside the list, exist too.
func TestManualSpeaksOfOptionsThatExist(t *testing.T) {
	eachPage(t, func(t *testing.T, tool, usage, page string) {
		set := tellingsOf(t, tool, usage, page).set
		for _, line := range anyFlag.FindAllStringSubmatch(page, -1) {
			for _, word := range strings.FieldsFunc(strings.ReplaceAll(line[1], " Fl ", " "), func(r rune) bool { return r == ' ' || r == '|' }) {
				// up to the first macro that is none: ".Fl h | V | -completion Ar shell"
				if len(word) == 2 && word[0] >= 'A' && word[0] <= 'Z' && word[1] >= 'a' || word == "," || strings.HasPrefix(word, ",") {
					break
				}
				if letters := strings.TrimRight(word, ".;"); !known(set, letters) {
					t.Errorf("%s.1: %q in %q is no option", tool, letters, line[0])
				}
			}
		}
	})
}

// known takes "-read" for --read and "yc5" for -y -c 5.
func known(set map[string]bool, word string) bool {
	if strings.HasPrefix(word, "-") {
		return set["-"+word]
	}
	for _, letter := range strings.TrimRight(word, "0123456789") {
		if !set["-"+string(letter)] {
			return false
		}
	}
	return true
}

func TestManualHasItsSections(t *testing.T) {
	eachPage(t, func(t *testing.T, tool, usage, page string) {
		at := 0
		for _, name := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES", "SEE ALSO"} {
			next := strings.Index(page, "\n.Sh "+name+"\n")
			if next < at {
				t.Errorf("%s.1: section %s is missing or out of place", tool, name)
			}
			at = max(at, next)
		}
		environment := section(page, "ENVIRONMENT")
		for _, name := range []string{"NFPIPE_HISTORY", "TZ"} {
			if name == "NFPIPE_HISTORY" && tool == "nfexp" {
				continue // it writes no stream
			}
			if !strings.Contains(environment, ".It Ev "+name+"\n") {
				t.Errorf("%s.1: ENVIRONMENT lacks %s", tool, name)
			}
		}
		for _, code := range []string{"0", "1", "2", "3"} {
			if !strings.Contains(section(page, "EXIT STATUS"), "\n.It "+code+"\n") {
				t.Errorf("%s.1: EXIT STATUS lacks %s", tool, code)
			}
		}
	})
}

// Usage texts fit a terminal.
func TestUsageIsEightyColumnsWide(t *testing.T) {
	for _, tool := range tools {
		t.Run(tool, func(t *testing.T) {
			needs(t, tool)
			usage := string(shell(t, tool+" -h").run(nil).well(t, "-h").stdout)
			for i, line := range strings.Split(usage, "\n") {
				if n := utf8.RuneCountInString(line); n > 80 {
					t.Errorf("line %d is %d columns wide: %s", i+1, n, line)
				}
			}
		})
	}
}

// What the pages and the usage texts call examples can be pasted: the commands
// run on files of the names that they use. tcpdump needs rights, so the
// capture that it would write stands in for it.
func TestExamplesOfManualsRun(t *testing.T) {
	needs(t, "nfcat", "nffilter", "nfagg", "nfpcap")
	dir := t.TempDir()
	capture, err := os.ReadFile("testdata/office.pcap")
	if err != nil {
		t.Fatal(err)
	}
	made := shell(t, "nfpcap").run(capture).well(t, "nfpcap").stdout
	packed := exec.Command("gzip", "-c")
	packed.Stdin = bytes.NewReader(capture)
	gz, err := packed.Output()
	if err != nil {
		t.Fatalf("gzip: %v", err)
	}
	export, err := os.ReadFile("testdata/export.pcap")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"a.nf": made, "b.nf": made, "broken.nf": made, "x.pcap": capture, "x.pcapng.gz": gz, "export.pcap": export,
		"netflow/nfcap.202611240900": made, "netflow/nfcap.202611241000": made}
	if err := os.Mkdir(filepath.Join(dir, "netflow"), 0o777); err != nil {
		t.Fatal(err)
	}
	eachPage(t, func(t *testing.T, tool, usage, page string) {
		commands := examplesOfPage(page)
		for _, line := range examplesOfUsage(usage, tool) {
			if !slices.Contains(commands, line) {
				commands = append(commands, line)
			}
		}
		if len(commands) < 4 {
			t.Fatalf("only %d examples: %q", len(commands), commands)
		}
		for _, line := range commands {
			for name, b := range files {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			run := strings.Replace(line, "tcpdump -w - -c 1000", "cat x.pcap", 1)
			stores := false
			switch {
			case tool == "nfcap":
				run, stores = onLoopback(t, run)
			case tool == "nfexp":
				run = toLoopback(t, run)
			case device.MatchString(run):
				run = onDevice(run)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			c := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", run)
			c.Dir, c.Stdin, c.WaitDelay = dir, bytes.NewReader(made), time.Second
			var said bytes.Buffer
			c.Stderr = &said
			out, err := c.Output()
			cancel()
			complaints := slotLines.ReplaceAllString(said.String(), "")
			if err != nil || complaints != "" || tool == "nfcap" && stores != (said.Len() > 0) ||
				len(out) == 0 && !stores && tool != "nfexp" && !strings.Contains(line, ">") && !strings.Contains(line, "-Z") {
				t.Errorf("%s\n%v, stdout of %d bytes, stderr %q", run, err, len(out), &said)
			}
		}
	})
}

var (
	// of a slot, and of a receive buffer that only root may have
	// and of what a version has no room for
	slotLines   = regexp.MustCompile(`(?m)^(nfcap: (Ident: '|Total packets received: |.*the kernel gives a receive buffer )|hint: sysctl |nfexp: \d+ IPv6 records were left out).*\n`)
	collectorAt = regexp.MustCompile(`192\.0\.2\.\d+:\d+`)
	portOption  = regexp.MustCompile(`-p \d+`)
	tcpEndpoint = regexp.MustCompile(`tcp://:\d+`)
	target      = regexp.MustCompile(`10\.\d+\.\d+\.\d+:\d+`)
	flowsDir    = regexp.MustCompile(`(/var/log/netflow|/flows)\b`)
)

// device is a command that captures on an interface.
var device = regexp.MustCompile(`^nfpcap -i \w+`)

// onDevice captures on loopback for half a second, while packets pass there; without the rights
// for that, a capture stands in for it.
func onDevice(line string) string {
	if os.Getuid() != 0 {
		return device.ReplaceAllString(line, "nfpcap -r x.pcap")
	}
	return device.ReplaceAllString(line, "{ sleep 0.2; echo x > /dev/udp/127.0.0.1/9; } & "+
		"timeout --foreground --preserve-status -s INT 0.5 nfpcap -i lo")
}

// onLoopback makes a collector's command one that can be run anywhere: on free ports of loopback,
// with directories of the test, for half a second. It tells whether files are stored.
func onLoopback(t *testing.T, line string) (run string, stores bool) {
	t.Helper()
	port := func() string { return freePort(t) }
	if stores = flowsDir.MatchString(line); stores {
		dir := t.TempDir()
		for _, sub := range []string{"core", "edge"} {
			if err := os.Mkdir(filepath.Join(dir, sub), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		line = flowsDir.ReplaceAllLiteralString(line, dir)
	}
	line = strings.Replace(line, "'index ", "'test -f ", 1)
	if strings.Contains(line, "nfcap -f ") {
		return line, stores
	}
	if os.Getuid() != 0 {
		line = strings.Replace(line, " -A", "", 1)
	}
	if !portOption.MatchString(line) {
		line = strings.Replace(line, "nfcap ", "nfcap -p 9995 ", 1)
	}
	line = strings.Replace(line, " -b 10.10.10.2", "", 1)
	line = portOption.ReplaceAllStringFunc(line, func(string) string { return "-p " + port() })
	line = tcpEndpoint.ReplaceAllStringFunc(line, func(string) string { return "tcp://:" + port() })
	line = target.ReplaceAllStringFunc(line, func(string) string { return "127.0.0.1:" + port() })
	return strings.Replace(line, "nfcap ", "timeout --foreground --preserve-status -s INT 0.5 nfcap -b 127.0.0.1 ", 1), stores
}

// toLoopback makes an exporter's command one that can be run anywhere: to a collector of the test,
// and for half a second if it meters an interface, which is that of loopback.
func toLoopback(t *testing.T, line string) string {
	t.Helper()
	port, dir := freePort(t), t.TempDir()
	c := exec.Command("nfcap", "-b", "127.0.0.1", "-p", port, "--listen", "tcp://127.0.0.1:"+port, "-l", dir)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
	})
	for range 100 { // until it listens
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	line = collectorAt.ReplaceAllLiteralString(line, "127.0.0.1:"+port)
	const begin, control = "timeout --foreground --preserve-status -s INT 0.7 nfexp ", "-c ctl "
	live := strings.Contains(line, " -i ") || strings.Contains(line, " --ctl ")
	if live && os.Getuid() != 0 {
		t.Logf("not run without root: %s", line)
		return "true"
	}
	line = strings.Replace(line, "-i eth0", "-i lo", 1)
	switch {
	case strings.Contains(line, " --ctl "):
		return begin + control + "-i lo -d -n 127.0.0.1:" + port + " & sleep 0.4; " + strings.Replace(line, "nfexp ", "nfexp "+control, 1) + " && wait"
	case live:
		line = strings.Replace(line, "nfexp ", begin+control, 1)
		if !strings.Contains(line, " -d") {
			line = strings.Replace(line, "-i lo", "-i lo -d", 1)
		}
	}
	return line
}

// freePort is a port of 127.0.0.1 that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return port
}

// examplesOfPage are the displayed lines of the section.
func examplesOfPage(page string) []string {
	var lines []string
	for _, line := range strings.Split(section(page, "EXAMPLES"), "\n") {
		if text, ok := strings.CutPrefix(line, ".Dl "); ok {
			lines = append(lines, strings.ReplaceAll(text, `\&`, ""))
		}
	}
	return lines
}

// examplesOfUsage are the lines below "Examples:" up to their remarks, which
// are three blanks or more to the right, but for those that are wrong on purpose.
func examplesOfUsage(usage, tool string) []string {
	_, text, _ := strings.Cut(usage, "\nExamples:\n")
	text, _, _ = strings.Cut(text, "\n\n")
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "   ")
		if !strings.Contains(line, "dst prot") {
			lines = append(lines, line)
		}
	}
	return lines
}

// The pages are mdoc(7) without fault. References to pages that are not
// installed are none.
func TestManualIsLintedMdoc(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		if os.Getenv("NFPIPE_REQUIRE") == "all" {
			t.Fatal("mandoc is missing: apt-get install mandoc")
		}
		t.Skip("mandoc is missing: apt-get install mandoc")
	}
	eachPage(t, func(t *testing.T, tool, _, _ string) {
		said, _ := exec.Command("mandoc", "-Tlint", filepath.Join(tool, tool+".1")).CombinedOutput()
		for _, line := range strings.Split(strings.TrimSpace(string(said)), "\n") {
			if line != "" && !strings.Contains(line, "referenced manual not found") && !strings.Contains(line, "outdated mandoc.db") {
				t.Error(line)
			}
		}
	})
}
