package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Stats is what --stats prints at the end of a run: one line a number, on
// stderr, in the order in which they were added.
type Stats struct {
	env     *Env
	started time.Time
	rows    [][2]string
}

// Stats begins the statistics of a run. wanted is the tool's --stats option:
// when it is false nothing is kept and nothing printed.
func (e *Env) Stats(wanted bool) *Stats {
	if !wanted {
		return nil
	}
	return &Stats{env: e, started: time.Now()}
}

// Add keeps one number under its label, such as "records read".
func (s *Stats) Add(label string, n int64) { s.Addf(label, "%s", Count(n)) }

// AddBytes is Add for a size.
func (s *Stats) AddBytes(label string, n int64) { s.Addf(label, "%s", Bytes(n)) }

// Addf keeps one line of any form.
func (s *Stats) Addf(label, format string, args ...any) {
	if s != nil {
		s.rows = append(s.rows, [2]string{label, fmt.Sprintf(format, args...)})
	}
}

// Print writes the lines, aligned, and the time, processor time and memory
// that the run took.
func (s *Stats) Print() {
	if s == nil {
		return
	}
	s.Addf("time", "%.3f s", time.Since(s.started).Seconds())
	if cpu, peak, ok := usage(); ok {
		s.Addf("processor time", "%.3f s", cpu.Seconds())
		s.AddBytes("memory at most", peak)
	}
	width := 0
	for _, row := range s.rows {
		width = max(width, len(row[0]))
	}
	var b strings.Builder
	for _, row := range s.rows {
		fmt.Fprintf(&b, "%s: %-*s  %s\n", s.env.Tool, width, row[0], row[1])
	}
	s.env.mu.Lock()
	defer s.env.mu.Unlock()
	s.env.print(b.String())
}

// Count writes a number with commas between its thousands.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// Bytes writes a size in the largest unit that leaves at least one whole one:
// 512 B, 1.5 MiB, 64 MiB.
func Bytes(n int64) string {
	const units = "KMGTPE"
	size, unit := float64(n), -1
	for size >= 1024 && unit < len(units)-1 {
		size /= 1024
		unit++
	}
	if unit < 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	digits := 1
	if size >= 100 || size == float64(int64(size)) {
		digits = 0
	}
	return strconv.FormatFloat(size, 'f', digits, 64) + " " + units[unit:unit+1] + "iB"
}
