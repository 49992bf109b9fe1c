package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// longList is how many rows are asked of a peer when rows at the cut of a top list are tied.
const (
	longList   = 5000
	longSuffix = ".long"
)

// harness runs queries in a data directory.
type harness struct {
	*config
	tools  *tools
	dir    string
	ratios []ratio
	header bool
}

// ratio is what a peer took by what ours took.
type ratio struct{ wall, cpu, peak float64 }

// result is what one command took and where its output is.
type result struct {
	command
	walls, cpus []time.Duration
	peak        int64
	size        int64 // of the files that it wrote
	output      string
	missing     string
	failure     error
	verdict     string
}

// makeOutputDir makes the directory of the outputs that are compared.
func (h *harness) makeOutputDir() error { return os.MkdirAll(filepath.Join(h.dir, "out"), 0o777) }

// run measures one query, the commands in turn within each round, and prints its rows. It reports whether all
// answers that can be compared agree.
func (h *harness) run(w io.Writer, q *query) (bool, error) {
	results := make([]result, len(q.commands))
	for i := range q.commands {
		r := &results[i]
		r.command = q.commands[i]
		r.missing = h.missing(r.needs)
		r.output = h.output(q, r.who)
	}
	for round := range h.runs + 1 {
		for i := range results {
			if r := &results[i]; r.missing == "" && r.failure == nil {
				r.failure = h.once(q, r, round == 0)
			}
		}
	}
	same, detail, err := h.compare(q, results)
	if err != nil {
		return false, err
	}
	h.print(w, q, results, detail)
	if same {
		for i := range results { // hundreds of megabytes that nobody has to look at
			os.Remove(results[i].output)
			os.Remove(results[i].output + longSuffix)
		}
		os.Remove(h.output(q, "right"))
	}
	return same, nil
}

func (h *harness) output(q *query, who string) string {
	return filepath.Join(h.dir, "out", fileName(q.name+" "+who))
}

func (h *harness) missing(programs []string) string {
	for _, p := range programs {
		if !h.tools.have[p] {
			return p
		}
	}
	return ""
}

// once runs a command: the first time to warm up, to see its memory and to keep its output, then against the clock.
func (h *harness) once(q *query, r *result, first bool) error {
	if r.fresh != "" {
		dir := filepath.Join(h.dir, r.fresh)
		if err := firstError(os.RemoveAll(dir), os.Mkdir(dir, 0o777)); err != nil {
			return err
		}
	}
	line, out := r.at(q.rows), os.DevNull
	if first && r.check == "" {
		out = r.output
	}
	c, err := h.tools.execute(h.dir, line, out, first)
	if err != nil {
		return err
	}
	if !first {
		r.walls, r.cpus = append(r.walls, c.wall), append(r.cpus, c.cpu)
		return nil
	}
	r.peak = c.peak
	if r.check != "" {
		if _, err := h.tools.execute(h.dir, r.check, r.output, false); err != nil {
			return err
		}
	}
	if r.files != "" {
		r.size, err = totalSize(filepath.Join(h.dir, r.files))
	}
	return err
}

// totalSize is what the files of a pattern take together.
func totalSize(pattern string) (size int64, err error) {
	names, err := filepath.Glob(pattern)
	for _, name := range names {
		n, nerr := fileSize(name)
		size, err = size+n, firstError(err, nerr)
	}
	return size, err
}

// at is the line with the number of rows filled in.
func (c *command) at(rows int) string { return strings.ReplaceAll(c.line, "{n}", strconv.Itoa(rows)) }

// reference is the right output: that of the query's own command, or of the last one that ran and can be compared.
func (h *harness) reference(q *query, results []result) (reference *result, err error) {
	for i := range results {
		if r := &results[i]; r.missing == "" && r.blind == "" && r.failure == nil {
			reference = r
		}
	}
	if q.right == "" || reference == nil {
		return reference, nil
	}
	reference = &result{command: command{tidy: reference.tidy}, output: h.output(q, "right")}
	_, err = h.tools.execute(h.dir, q.right, reference.output, false)
	return reference, err
}

// compare holds the outputs of all commands against the reference.
func (h *harness) compare(q *query, results []result) (same bool, detail []string, err error) {
	same = true
	reference, err := h.reference(q, results)
	if err != nil {
		return false, nil, err
	}
	for i := range results {
		r := &results[i]
		switch {
		case r.missing != "":
			r.verdict = "no " + r.missing
			continue
		case r.failure != nil:
			r.verdict, same = "FAILED", false
			detail = append(detail, r.who+": "+r.failure.Error())
			continue
		case r.blind != "":
			r.verdict = r.blind
			continue
		case r == reference:
			continue
		}
		var v verdict
		if q.rank == 0 {
			v, err = compareSets(r.output, reference.output, r.tidy, reference.tidy)
		} else {
			v, err = h.compareLists(q, r, reference)
		}
		if err != nil {
			return false, nil, err
		}
		r.verdict = v.String()
		if r.files != "" {
			r.verdict += fmt.Sprintf(", %.2f B/record", float64(r.size)/float64(q.records))
		}
		same = same && v.same
		for _, d := range v.detail {
			detail = append(detail, r.who+": "+d)
		}
	}
	return same, detail, nil
}

func (h *harness) compareLists(q *query, r, reference *result) (verdict, error) {
	ours, err := readLines(r.output, r.tidy)
	if err != nil {
		return verdict{}, err
	}
	theirs, err := readLines(reference.output, reference.tidy)
	if err != nil {
		return verdict{}, err
	}
	return compareOrdered(ours, theirs, q.rank, func() ([]string, error) {
		name := reference.output + longSuffix
		if _, err := h.tools.execute(h.dir, reference.at(longList), name, false); err != nil {
			return nil, err
		}
		return readLines(name, reference.tidy)
	})
}

func fileName(s string) string {
	return strings.Map(func(c rune) rune {
		if c == ' ' || c == '/' {
			return '_'
		}
		return c
	}, s)
}

// print writes the rows of a query. A peer's ratios are against ours, the first command.
func (h *harness) print(w io.Writer, q *query, results []result, detail []string) {
	if !h.header {
		fmt.Fprintf(w, "%-32s %-10s %9s %9s %9s   %6s %6s %6s  %s\n", "query", "by", "wall s", "cpu s", "peak MB", "wall×", "cpu×", "mem×", "answer")
		h.header = true
	}
	own := &results[0]
	var best *ratio
	for i := range results {
		r := &results[i]
		name := q.name
		if i > 0 {
			name = ""
		}
		if r.missing != "" || r.failure != nil {
			fmt.Fprintf(w, "%-32s %-10s %9s %9s %9s   %6s %6s %6s  %s\n", name, r.who, "-", "-", "-", "", "", "", r.verdict)
			continue
		}
		ratios := fmt.Sprintf("%6s %6s %6s", "", "", "")
		if i > 0 && own.missing == "" && own.failure == nil {
			x := ratio{
				median(r.walls).Seconds() / median(own.walls).Seconds(),
				median(r.cpus).Seconds() / max(median(own.cpus).Seconds(), 1e-4),
				float64(r.peak) / float64(max(own.peak, 1)),
			}
			ratios = fmt.Sprintf("%6.2f %6.2f %6.2f", x.wall, x.cpu, x.peak)
			if !strings.HasPrefix(r.who, "nfpipe") && (best == nil || x.wall < best.wall) {
				best = &x
			}
		}
		fmt.Fprintf(w, "%-32s %-10s %9.3f %9.3f %9.1f   %s  %s\n", name, r.who,
			median(r.walls).Seconds(), median(r.cpus).Seconds(), float64(r.peak)/1e6, ratios, r.verdict)
	}
	for _, d := range detail {
		fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(d, "\n", "\n      "))
	}
	if best != nil {
		h.ratios = append(h.ratios, *best)
	}
}

// summary prints how the best peer of each query did by what ours took.
func (h *harness) summary(w io.Writer, same bool) {
	if len(h.ratios) > 0 {
		column := func(name string, f func(ratio) float64) {
			var v []float64
			for _, r := range h.ratios {
				v = append(v, f(r))
			}
			slices.Sort(v)
			fmt.Fprintf(w, "%-8s median %5.2f×  least %5.2f×  most %5.2f×\n", name, v[len(v)/2], v[0], v[len(v)-1])
		}
		fmt.Fprintf(w, "\nthe fastest peer of each of %d queries, by what ours took:\n", len(h.ratios))
		column("wall", func(r ratio) float64 { return r.wall })
		column("cpu", func(r ratio) float64 { return r.cpu })
		column("memory", func(r ratio) float64 { return r.peak })
	}
	if same {
		fmt.Fprintln(w, "all answers that were compared agree")
	} else {
		fmt.Fprintln(w, "ANSWERS DIFFER")
	}
}
