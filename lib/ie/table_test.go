package ie

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// skip ends the test for want of something, which is a failure where
// everything is required to be there.
func skip(t *testing.T, missing string) {
	t.Helper()
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		t.Fatalf("missing: %s", missing)
	}
	t.Skipf("missing: %s", missing)
}

// registryDir is beside the checkout.
func registryDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../shared/reference/iana")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "iana_ipfix.xml")); err != nil {
		skip(t, "the registry files in ../shared/reference/iana beside the checkout")
	}
	return dir
}

func TestTableIsGenerated(t *testing.T) {
	dir := registryDir(t)
	cmd := exec.Command("go", "run", "./gen", dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("go run ./gen: %v\n%s", err, stderr.Bytes())
	}
	want, err := os.ReadFile("registry_table.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("registry_table.go is not what the generator makes; run go generate ./lib/ie")
	}
}

// TestTableAgainstTSV checks the table against another form of the registry,
// which the generator does not read.
func TestTableAgainstTSV(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(registryDir(t), "iana_ipfix.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		rows++
		col := strings.Split(strings.TrimRight(line, "\n"), "\t")
		e, ok := ByName("0/" + col[0])
		semantics := col[3]
		if semantics == "" {
			semantics = "default"
		}
		unit := col[4]
		if unit == "none" {
			unit = ""
		}
		if !ok || e.Name != col[1] || e.Type.String() != col[2] || e.Semantics.String() != semantics || e.Unit != unit {
			t.Errorf("%s: have %+v", strings.TrimSpace(line), e)
		}
	}
	if rows != ianaCount {
		t.Errorf("the table has %d elements of IANA, the registry %d", ianaCount, rows)
	}
}

// TestNoInit: all data is laid out by the compiler, since every tool pays for
// what runs at start-up.
func TestNoInit(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=nfpipe/lib/ie=-S", "nfpipe/lib/ie").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("\nnfpipe/lib/ie.registry SDATA")) {
		t.Fatal("the compiler's listing does not show the table")
	}
	start := regexp.MustCompile(`(?m)^nfpipe/lib/ie\.(map\.)?init.* STEXT .*size=(\d+)`)
	for _, m := range start.FindAllSubmatch(out, -1) {
		// An init of one instruction says that the packages which this one
		// imports have one; the linker drops it.
		if size, err := strconv.Atoi(string(m[2])); err != nil || size > 16 {
			t.Errorf("runs at start-up: %s", m[0])
		}
	}
}
