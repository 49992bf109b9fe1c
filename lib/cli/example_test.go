package cli_test

import (
	"io"
	"os"
	"strings"

	"nfpipe/lib/cli"
)

const usage = `
Usage: upper [-x] [FILE]
Examples:
  upper notes.txt
Options:
  -x, --extra   add a mark
`

// A whole tool: options, work, and Close on every path.
func Example() {
	run := func(env *cli.Env) int {
		opts := env.Options(usage)
		extra := opts.BoolP("extra", "x", false, "add a mark")
		if !opts.Parse() {
			return env.Close()
		}
		text, err := io.ReadAll(env.Stdin)
		if err != nil {
			env.Errorf("stdin: %w", cli.Cause(err))
			return env.Close()
		}
		out := env.Out()
		out.WriteString(strings.ToUpper(string(text)))
		if *extra {
			out.WriteString("!\n")
		}
		return env.Close()
	}
	run(&cli.Env{Tool: "upper", Args: []string{"-x"}, Stdin: strings.NewReader("flow"), Stdout: keepOpen{os.Stdout}, Stderr: os.Stderr})
	// Output: FLOW!
}

// keepOpen hides Close, for the example must not close the test's stdout.
type keepOpen struct{ io.Writer }
