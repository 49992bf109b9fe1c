//go:build unix

package nfpipe_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// subject is one way of running a tool that reads its input from stdin or -r.
type subject struct {
	tool  string
	args  string // without -r
	input string // "stream", "pcap" or, of export packets, "export"
	text  bool   // whether it prints text
}

// subjects are what the standing cases are run on. Streams are compared by
// what nfagg prints of them, for History differs with the arguments.
var subjects = []subject{
	{"nfpcap", "nfpcap", "pcap", false},
	{"nfcap", "nfcap -f -", "export", false},
	{"nfcat", "nfcat", "stream", false},
	{"nffilter", "nffilter any", "stream", false},
	{"nffilter", "nffilter -v any", "stream", false},
	{"nfagg", "nfagg -A proto", "stream", true},
	{"nfagg", "nfagg -s srcip/bytes", "stream", true},
	{"nfagg", "nfagg -o csv", "stream", true},
}

// each runs a test for every subject whose tool exists.
func each(t *testing.T, f func(t *testing.T, s subject, input []byte)) {
	for _, s := range subjects {
		t.Run(strings.ReplaceAll(s.args, " ", "_"), func(t *testing.T) {
			needs(t, s.tool)
			if s.input == "stream" {
				needs(t, "nfpcap")
			}
			f(t, s, sample(t, s.input))
		})
	}
}

var streams = sync.OnceValues(func() ([]byte, error) {
	r := (&pipeline{stages: [][]string{{"nfpcap", "-r", smallCapture}}}).run(nil)
	if r.err != nil || join(r.codes) != "0" {
		return nil, fmt.Errorf("nfpcap -r %s: %v, %s %s", smallCapture, r.err, join(r.codes), r.stderr)
	}
	return r.stdout, nil
})

const smallCapture = "testdata/crafted/20_dns.pcap"

// sample is a small input that is whole.
func sample(t *testing.T, kind string) []byte {
	t.Helper()
	read := streams
	if kind == "pcap" {
		read = func() ([]byte, error) { return os.ReadFile(smallCapture) }
	}
	if kind == "export" {
		read = func() ([]byte, error) { return os.ReadFile("testdata/export.pcap") }
	}
	b, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// well fails the test unless the run went without a word.
func (r result) well(t *testing.T, what string) result {
	t.Helper()
	if r.err != nil || slices.ContainsFunc(r.codes, func(c int) bool { return c != 0 && c != sigpipe }) || len(r.stderr) > 0 {
		t.Fatalf("%s: %v, exit codes %s, stderr %q", what, r.err, join(r.codes), r.stderr)
	}
	return r
}

// said fails the test unless the tool ended with one of codes and a message of
// the form that all messages have.
func (r result) said(t *testing.T, what string, s subject, codes ...int) {
	t.Helper()
	if r.err != nil || !slices.Contains(codes, r.codes[0]) {
		t.Errorf("%s: %v, exit codes %s, not of %v; stderr %q", what, r.err, join(r.codes), codes, r.stderr)
	}
	if !bytes.HasPrefix(r.stderr, []byte(s.tool+": ")) || bytes.Contains(r.stderr, []byte("goroutine ")) {
		t.Errorf("%s: stderr %q", what, r.stderr)
	}
}

func TestEmptyInput(t *testing.T) {
	each(t, func(t *testing.T, s subject, _ []byte) {
		shell(t, s.args).run([]byte{}).said(t, "no input", s, 3)
	})
}

// A stream that ends early is never taken for whole; a capture that is cut
// between two packets cannot be told from a whole one.
func TestCutAtEveryByte(t *testing.T) {
	each(t, func(t *testing.T, s subject, input []byte) {
		for n := range cuts(len(input)) {
			r := shell(t, s.args).run(input[:n])
			what := fmt.Sprintf("%d of %d bytes", n, len(input))
			switch {
			case s.input == "stream":
				r.said(t, what, s, 3)
			case r.codes[0] == 0:
				r.well(t, what)
			default:
				r.said(t, what, s, 1, 3)
			}
			if t.Failed() {
				return
			}
		}
	})
}

// A flipped bit of a stream is always noticed.
// A flipped bit is noticed wherever it is read. A tool that prints passes over the columns that
// it does not need, in a pipe as in a file; then its answer must be that of the whole input.
func TestFlippedBit(t *testing.T) {
	each(t, func(t *testing.T, s subject, input []byte) {
		whole := timeless(shell(t, s.args).run(input).well(t, "whole").stdout)
		for n := range cuts(len(input)) {
			broken := bytes.Clone(input)
			broken[n] ^= 1 << (n % 8)
			r := shell(t, s.args).run(broken)
			what := fmt.Sprintf("bit %d of byte %d of %d", n%8, n, len(input))
			switch {
			case s.text && r.codes[0] == 0 && bytes.Equal(timeless(r.stdout), whole):
			case s.input == "stream":
				r.said(t, what, s, 1, 3)
			case r.codes[0] != 0:
				r.said(t, what, s, 1, 3)
			}
			if t.Failed() {
				return
			}
		}
	})
}

// timeless takes off a summary's line of times.
func timeless(text []byte) []byte {
	return regexp.MustCompile(`(?m)^Sys: .*\n`).ReplaceAll(text, nil)
}

// cuts are the places in an input of n bytes that are tried, each with a
// process of its own: about 150, with -short 20, all under NFPIPE_REQUIRE=all.
// (The tests of lib/stream try all, without processes.)
func cuts(n int) func(func(int) bool) {
	step := 1 + n/150
	if testing.Short() {
		step = 1 + n/20
	}
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		step = 1
	}
	return func(yield func(int) bool) {
		for i := 0; i < n; i += step {
			if !yield(i) {
				return
			}
		}
	}
}

func TestConcatenatedStreams(t *testing.T) {
	each(t, func(t *testing.T, s subject, input []byte) {
		if s.input != "stream" {
			t.Skip("two captures in one file are no capture")
		}
		twice := shell(t, s.args).run(slices.Concat(input, input)).well(t, "twice")
		if once := shell(t, s.args).run(input).well(t, "once"); !strings.Contains(s.args, "-v") && bytes.Equal(once.stdout, twice.stdout) {
			t.Errorf("the same came of one and of two:\n%s", once.stdout)
		}
	})
}

func TestFileRedirectionAndPipeGiveTheSame(t *testing.T) {
	each(t, func(t *testing.T, s subject, input []byte) {
		path := filepath.Join(t.TempDir(), "input")
		if err := os.WriteFile(path, input, 0o666); err != nil {
			t.Fatal(err)
		}
		show := ""
		if !s.text {
			needs(t, "nfagg")
			show = " | nfagg -o csv"
		}
		want := ""
		for i, form := range []string{" -r " + path + show, show + " < " + path, " -r -" + show + " < " + path, ""} {
			line := s.args + form
			if s.tool == "nfcap" { // has -f in place of -r, and would listen without it
				line = strings.Replace(line, " -f - -r", " -f", 1)
			}
			var r result
			if form == "" {
				line = "cat " + path + " | " + s.args + show
			}
			r = shell(t, line).run(nil).well(t, line)
			if i == 0 {
				want = steady(string(r.stdout))
			} else if steady(string(r.stdout)) != want {
				t.Errorf("%s prints\n%s\nand by -r\n%s", line, r.stdout, want)
			}
		}
	})
}

func TestReaderThatStops(t *testing.T) {
	each(t, func(t *testing.T, s subject, input []byte) {
		many := bytes.Repeat(input, 200)
		if s.input != "stream" {
			many = input
		}
		r := shell(t, s.args+" | head -c 1").run(many)
		if r.err != nil || r.codes[0] != 0 && r.codes[0] != sigpipe || len(r.stderr) > 0 {
			t.Errorf("%v, exit codes %s, stderr %q", r.err, join(r.codes), r.stderr)
		}
	})
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("this system has no /dev/full")
	}
	each(t, func(t *testing.T, s subject, input []byte) {
		r := shell(t, s.args+" > /dev/full").run(input)
		r.said(t, "> /dev/full", s, 1)
		if n := bytes.Count(r.stderr, []byte("no space left on device")); n != 1 {
			t.Errorf("stderr %q", r.stderr)
		}
	})
}

func TestHelpAndVersion(t *testing.T) {
	for _, tool := range tools {
		t.Run(tool, func(t *testing.T) {
			needs(t, tool)
			for _, option := range []string{"-h", "--help", "-V", "--version"} {
				if r := shell(t, tool+" "+option).run(nil).well(t, option); !bytes.Contains(r.stdout, []byte(tool)) {
					t.Errorf("%s prints %q", option, r.stdout)
				}
			}
			for _, option := range []string{"--no-such-option", "-@"} {
				r := shell(t, tool+" "+option).run(nil)
				if r.codes[0] != 2 || len(r.stdout) > 0 || bytes.Count(r.stderr, []byte("\n")) != 2 ||
					!bytes.HasPrefix(r.stderr, []byte(tool+": ")) || !bytes.Contains(r.stderr, []byte("\nhint: ")) {
					t.Errorf("%s: exit code %d, stdout %q, stderr %q", option, r.codes[0], r.stdout, r.stderr)
				}
			}
			for _, name := range []string{"bash", "zsh", "fish"} {
				shell(t, tool+" --completion "+name).run(nil).well(t, name)
			}
		})
	}
}
