// Package clitest runs a tool inside a test: its run function with buffers for
// the three streams. Whole processes and pipelines are the business of the
// scripts in testdata/script.
package clitest

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"nfpipe/lib/cli"
)

// Result is what a run left behind.
type Result struct {
	Code   int
	Stdout string
	Stderr string
}

// Run calls a tool's run function with these arguments, stdin holding input.
func Run(run func(*cli.Env) int, tool, input string, args ...string) Result {
	var out, said bytes.Buffer
	env := &cli.Env{
		Tool:   tool,
		Args:   args,
		Stdin:  strings.NewReader(input),
		Stdout: &out,
		Stderr: &said,
		Getenv: func(string) string { return "" },
	}
	code := run(env)
	return Result{Code: code, Stdout: out.String(), Stderr: said.String()}
}

var long = regexp.MustCompile(`--[a-z][a-z-]*`)

// Manners checks what every tool must do with -h, -V, --completion and an
// unknown option, and that the help text has every option that completion
// offers.
func Manners(t *testing.T, run func(*cli.Env) int, tool string) {
	t.Helper()
	help := Run(run, tool, "", "-h")
	if help.Code != cli.Done || help.Stderr != "" || !strings.Contains(help.Stdout, tool) {
		t.Errorf("%s -h: code %d, stdout %q, stderr %q", tool, help.Code, help.Stdout, help.Stderr)
	}
	if r := Run(run, tool, "", "--version"); r.Code != cli.Done || r.Stdout != tool+" "+cli.Version+"\n" || r.Stderr != "" {
		t.Errorf("%s --version: %+v", tool, r)
	}
	for _, bad := range []string{"--no-such-option", "-\x01"} {
		r := Run(run, tool, "", bad)
		if r.Code != cli.Usage || r.Stdout != "" || strings.Count(r.Stderr, "\n") != 2 ||
			!strings.HasPrefix(r.Stderr, tool+": ") || !strings.Contains(r.Stderr, "\nhint: ") {
			t.Errorf("%s %q: %+v", tool, bad, r)
		}
	}
	completion := Run(run, tool, "", "--completion", "bash")
	if completion.Code != cli.Done {
		t.Errorf("%s --completion bash: %+v", tool, completion)
	}
	shown, defined := options(help.Stdout), options(completion.Stdout)
	for name := range defined {
		if !shown[name] {
			t.Errorf("%s -h does not mention %s", tool, name)
		}
	}
}

func options(text string) map[string]bool {
	found := map[string]bool{}
	for _, name := range long.FindAllString(text, -1) {
		found[name] = true
	}
	return found
}
