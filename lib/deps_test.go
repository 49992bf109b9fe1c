// Package lib_test holds the layers: which package may import which.
package lib_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "nfpipe"

// layers are the packages of lib, lowest first. A package imports only from
// lower lines, never a neighbour. A directory inside a package's directory
// belongs to its layer and may import it.
var layers = [][]string{
	{"ie", "ipset", "column", "spell"},
	{"flow", "packet", "source"},
	{"netflow", "sflow", "filter", "aggregate", "meter", "format"},
	{"stream", "nfdump", "capture", "transport"},
	{"archive", "collect", "export"},
	{"cli"},
}

// tools and checks are the programs outside of lib: they import what they
// like, and nothing imports them.
var programs = []string{"nfcap", "nfexp", "nfcat", "nffilter", "nfagg", "nfpcap", "bench"}

// pure packages never touch the operating system: what they open comes to
// them as a value.
var pure = []string{"ie", "spell", "ipset", "column", "flow", "packet", "netflow", "sflow", "filter", "aggregate", "format"}

// outside is what a pure package must not import, itself and all below it.
var outside = []string{"os", "syscall", "net", "golang.org/x/sys", "golang.org/x/term"}

// harmless is what begins like one of outside and is not it.
var harmless = []string{"net/netip", "net/url"}

func TestLayers(t *testing.T) {
	for pkg, imports := range packages(t) {
		owner, layer := place(pkg)
		if owner == "" {
			t.Errorf("%s has no layer: put it into the table of this test, and where it belongs", pkg)
			continue
		}
		for _, imported := range imports {
			if !strings.HasPrefix(imported, module+"/") {
				if slices.Contains(pure, owner) && pkg == module+"/lib/"+owner && isOutside(imported) {
					t.Errorf("%s imports %s: it must not touch the operating system", pkg, imported)
				}
				continue
			}
			other, below := place(imported)
			switch {
			case other == owner:
			case below == len(layers):
				t.Errorf("%s imports %s: nothing imports a program", pkg, imported)
			case below >= layer:
				t.Errorf("%s (layer %d) imports %s (layer %d): only lower layers", pkg, layer, imported, below)
			}
		}
	}
}

// place is the owner of a package, that is the directory under lib or the
// program that it lies in, and its layer; programs are above all layers.
func place(pkg string) (owner string, layer int) {
	path := strings.TrimPrefix(pkg, module+"/")
	if pkg == module {
		return module, len(layers) // the tests at the top
	}
	first, rest, _ := strings.Cut(path, "/")
	if first != "lib" {
		if slices.Contains(programs, first) {
			return first, len(layers)
		}
		return "", 0
	}
	owner, _, _ = strings.Cut(rest, "/")
	if owner == "" {
		return "lib", len(layers) // this test
	}
	for i, names := range layers {
		if slices.Contains(names, owner) {
			return owner, i
		}
	}
	return "", 0
}

func isOutside(path string) bool {
	return slices.ContainsFunc(outside, func(o string) bool { return path == o || strings.HasPrefix(path, o+"/") }) &&
		!slices.Contains(harmless, path)
}

// packages are the packages of the module with what their code, without its
// tests, imports.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		found[words[0]] = words[1:]
	}
	if len(found) < 2 {
		t.Fatalf("go list found %d packages", len(found))
	}
	return found
}
