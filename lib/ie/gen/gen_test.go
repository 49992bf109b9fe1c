package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		in        string
		low, high uint64
		ok        bool
	}{
		{"", 0, 0, true}, {" ", 0, 0, true}, {"0-32", 0, 32, true}, {"1-65535", 1, 65535, true},
		{"0-0xFFFFF", 0, 0xfffff, true}, {"5", 0, 0, false}, {"a-b", 0, 0, false}, {"1-", 0, 0, false},
	} {
		low, high, err := parseRange(c.in)
		if low != c.low || high != c.high || (err == nil) != c.ok {
			t.Errorf("parseRange(%q) = %d, %d, %v, want %d, %d, ok %v", c.in, low, high, err, c.low, c.high, c.ok)
		}
	}
}

func TestConstant(t *testing.T) {
	for in, want := range map[string]string{"unsigned8": "Unsigned8", "ipv4Address": "IPv4Address", "ipv6Address": "IPv6Address",
		"macAddress": "MACAddress", "snmpGauge": "SNMPGauge", "octetArray": "OctetArray", "default": "Default"} {
		if got := constant(in); got != want {
			t.Errorf("constant(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNewElement(t *testing.T) {
	e, err := newElement(9, 7, " name\n", " ipv6address ", " deltaCounter", "none")
	want := element{id: 9<<16 | 7, name: "name", typ: "ipv6Address", semantics: "deltaCounter"}
	if err != nil || e != want {
		t.Errorf("newElement = %+v, %v, want %+v", e, err, want)
	}
	if _, err := newElement(0, 1, "x", "unsigned128", "", ""); err == nil {
		t.Error("unsigned128 is taken for a data type")
	}
	if _, err := newElement(0, 1, "x", "unsigned8", "nonsense", ""); err == nil {
		t.Error("nonsense is taken for semantics")
	}
}

// TestBadInput: a registry that is missing, cut off or empty is an error, never
// a shorter table.
func TestBadInput(t *testing.T) {
	for _, content := range []string{"", "<registry>", "<registry></registry>",
		`<registry><registry id="ipfix-information-elements"><record><name>a</name><elementId>x</elementId><dataType>unsigned8</dataType></record></registry></registry>`,
		`<registry><registry id="ipfix-information-elements"><record><name>a</name><elementId>40000</elementId><dataType>unsigned8</dataType></record></registry></registry>`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "iana_ipfix.xml"), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := generate(dir, &out); err == nil || out.Len() > 0 {
			t.Errorf("%q: error %v, %d bytes written", content, err, out.Len())
		}
	}
	var out bytes.Buffer
	if err := generate(filepath.Join(t.TempDir(), "none"), &out); err == nil {
		t.Error("a directory that does not exist is no error")
	}
}
