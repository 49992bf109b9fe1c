package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExecute: CPU and memory of every process of a pipeline count.
func TestExecute(t *testing.T) {
	tools := &tools{path: os.Getenv("PATH")}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	c, err := tools.execute(dir, "dd if=/dev/zero bs=32M count=8 2>&- | dd bs=16M iflag=fullblock 2>&- | wc -c", out, true)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil || strings.TrimSpace(string(b)) != "268435456" {
		t.Errorf("output %q, %v", b, err)
	}
	if c.cpu < 5*time.Millisecond || c.wall < 5*time.Millisecond {
		t.Errorf("cpu %v, wall %v", c.cpu, c.wall)
	}
	if c.peak < 48<<20 || c.peak > 100<<20 {
		t.Errorf("peak %d, want a little over the 48 MiB of both buffers", c.peak)
	}
	if _, err := tools.execute(dir, "echo no such luck >&2; exit 3", out, false); err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("a failing command gives %v", err)
	}
}

func TestMedian(t *testing.T) {
	if m := median([]time.Duration{9, 1, 5}); m != 5 {
		t.Errorf("median of 9 1 5 is %d", m)
	}
}
