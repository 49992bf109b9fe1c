package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/pflag"
)

const usage = `bench measures the tools beside the peers that are installed, on the same data.

  go run ./bench                        every query at 1 M records and 1 M packets, 3 runs each
  go run ./bench -n 10000000            the same at 10 M
  go run ./bench --only 'port|csv'      the queries whose name matches
  go run ./bench gen -n 1000000         make the data; report its shape, sizes and encoding time

Options:
  -n, --records N    flow records (1000000)
  -p, --packets N    packets of the capture (as many as records)
      --runs N       timed runs of each command, after one that warms up and is checked (3)
      --live N       seconds that export packets are sent to a collector (3)
      --only REGEX   run only these queries; "real captures" is the table of their sizes
      --seed N       of the data (1)
      --dir DIR      where data and outputs are kept (.bench)
      --bin DIR      tools to run; empty: build them into bin/
  -h, --help
`

// config is what the command line asks for.
type config struct {
	records, packets, runs int
	live                   int // seconds
	seed                   uint64
	only                   *regexp.Regexp
	dir, bin, root         string
	generateOnly           bool
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	c, err := parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Print(usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\nbench -h shows the options\n", err)
		return 2
	}
	same, err := bench(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	if !same {
		return 1
	}
	return 0
}

func parse(args []string) (*config, error) {
	c := &config{}
	f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	f.Usage = func() {}
	f.IntVarP(&c.records, "records", "n", 1_000_000, "")
	f.IntVarP(&c.packets, "packets", "p", 0, "")
	f.IntVar(&c.runs, "runs", 3, "")
	f.IntVar(&c.live, "live", 3, "")
	f.Uint64Var(&c.seed, "seed", 1, "")
	f.StringVar(&c.dir, "dir", "", "")
	f.StringVar(&c.bin, "bin", "", "")
	only := f.String("only", "", "")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() == 1 && f.Arg(0) == "gen":
		c.generateOnly = true
	case f.NArg() > 0:
		return nil, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if c.packets == 0 {
		c.packets = c.records
	}
	if c.records < 1 || c.packets < 1 || c.runs < 1 || c.live < 1 {
		return nil, errors.New("records, packets, runs and seconds are at least 1")
	}
	var err error
	if c.only, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	if c.root, err = moduleRoot(); err != nil {
		return nil, err
	}
	if c.dir == "" {
		c.dir = filepath.Join(c.root, ".bench")
	}
	return c, nil
}

// moduleRoot is the nearest directory upwards that holds go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("not inside the module: no go.mod in any directory upwards")
		}
		dir = up
	}
}

// bench makes the data, runs the queries and prints; it reports whether all answers agreed.
func bench(c *config) (bool, error) {
	d, err := prepare(c)
	if err != nil {
		return false, err
	}
	d.report(os.Stdout)
	if c.generateOnly {
		return true, nil
	}
	t, broken, err := findTools(c)
	if err != nil {
		return false, err
	}
	t.versions(os.Stdout)
	h := &harness{config: c, tools: t, dir: d.dir}
	if err := h.makeOutputDir(); err != nil {
		return false, err
	}
	if c.only.MatchString(realName) {
		if err := h.reportReal(os.Stdout, filepath.Join(c.root, "..", "shared", "data", "pcap"), realCaptures); err != nil {
			return false, fmt.Errorf("%s: %w", realName, err)
		}
	}
	same := true
	for _, q := range queries(d) {
		if !c.only.MatchString(q.name) {
			continue
		}
		ok, err := h.run(os.Stdout, &q)
		if err != nil {
			return false, fmt.Errorf("query %s: %w", q.name, err)
		}
		same = same && ok
	}
	h.summary(os.Stdout, same)
	stored, err := h.reportLive(os.Stdout, d)
	if err != nil {
		return false, fmt.Errorf("live: %w", err)
	}
	exported, err := h.reportExports(os.Stdout)
	if err != nil {
		return false, fmt.Errorf("export: %w", err)
	}
	return same && stored && exported && !broken, nil
}
