package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReportReal: the table has a row for a capture, with as many records as the stream has and what its file takes.
func TestReportReal(t *testing.T) {
	bin := t.TempDir()
	for _, tool := range []string{"nfpcap", "nfcat"} {
		if out, err := exec.Command("go", "build", "-o", bin, "../"+tool).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	c := &config{bin: bin, root: ".."}
	tools, _, err := findTools(c)
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{config: c, tools: tools, dir: t.TempDir()}
	if err := h.makeOutputDir(); err != nil {
		t.Fatal(err)
	}
	captures, err := filepath.Abs("../testdata")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := h.reportReal(&out, captures, []string{"office.pcap"}); err != nil {
		t.Fatal(err)
	}
	size, err := fileSize(filepath.Join(h.dir, "out", "real.nf"))
	if err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf(`(?m)^office.pcap +82 +%.2f +82 +\d+\.\d\d +`, float64(size)/82)
	if h.tools.have["nfpcapd"] && h.tools.have["nfdump"] {
		row += `\d+ +\d+\.\d\d$`
	} else {
		row += `- +-$`
	}
	if !regexp.MustCompile(row).MatchString(out.String()) {
		t.Errorf("no row %q in\n%s", row, out.String())
	}
	out.Reset()
	if err := h.reportReal(&out, filepath.Join(captures, "none"), realCaptures); err != nil || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("without captures: %v, %q", err, out.String())
	}
}
