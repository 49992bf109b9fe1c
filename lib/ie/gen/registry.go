package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// element is an information element as it goes into the table. The generator
// does not import package ie, so that it builds when the table is missing.
type element struct {
	id        uint64 // enterprise number << 16 | element number
	name      string
	typ       string // a word of typeNames
	semantics string // a word of semanticsNames
	unit      string
	low, high uint64
}

func (e element) pen() uint64 { return e.id >> 16 }
func (e element) num() uint16 { return uint16(e.id) }

var typeNames = []string{"octetArray", "unsigned8", "unsigned16", "unsigned32", "unsigned64",
	"signed8", "signed16", "signed32", "signed64", "float32", "float64", "boolean", "macAddress",
	"string", "dateTimeSeconds", "dateTimeMilliseconds", "dateTimeMicroseconds",
	"dateTimeNanoseconds", "ipv4Address", "ipv6Address", "basicList", "subTemplateList",
	"subTemplateMultiList", "unsigned256"}

var semanticsNames = []string{"default", "quantity", "totalCounter", "deltaCounter", "identifier",
	"flags", "list", "snmpCounter", "snmpGauge"}

// ianaRecord is an entry of a registry in IANA's XML form.
type ianaRecord struct {
	Name      string `xml:"name"`
	ElementID string `xml:"elementId"`
	DataType  string `xml:"dataType"`
	Semantics string `xml:"dataTypeSemantics"`
	Units     string `xml:"units"`
	Range     string `xml:"range"`
	Value     string `xml:"value"`
}

// ianaFile has its records one level down, in the sub-registries.
type ianaFile struct {
	Registries []struct {
		ID      string       `xml:"id,attr"`
		Records []ianaRecord `xml:"record"`
	} `xml:"registry"`
}

// libfdsFile is a registry in the XML form of libfds: one scope a file.
type libfdsFile struct {
	Scope struct {
		PEN uint32 `xml:"pen"`
	} `xml:"scope"`
	Elements []struct {
		ID        uint16 `xml:"id"`
		Name      string `xml:"name"`
		DataType  string `xml:"dataType"`
		Semantics string `xml:"dataSemantics"`
		Units     string `xml:"units"`
	} `xml:"element"`
}

// enterpriseFiles are read in this order. Of two descriptions of an element
// the first counts, so the fuller registries come first.
var enterpriseFiles = []struct {
	name string
	pen  uint32 // for the files that do not name it
}{
	{"netgauze_huawei.xml", 2011},
	{"netgauze_nokia.xml", 637},
	{"netgauze_vmware.xml", 6876},
	{"libfds_vmware.xml", 0},
	{"libfds_cert.xml", 0},
	{"libfds_cesnet.xml", 0},
	{"libfds_cisco.xml", 0},
	{"libfds_flowmon.xml", 0},
	{"libfds_netscaler.xml", 0},
	{"libfds_netflow.xml", 0},
	{"libfds_netflowExtra.xml", 0},
}

// libfds keeps the field types of NetFlow v9 that IPFIX has no room for under
// two enterprise numbers of its own. Here they keep their number, under 0.
const (
	libfdsNetFlow      = 1<<32 - 2
	libfdsNetFlowExtra = 1<<32 - 1
)

func readXML(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readElements returns all elements sorted by ID, and how many are IANA's.
func readElements(dir string) (all []element, iana int, err error) {
	all, err = readIANA(filepath.Join(dir, "iana_ipfix.xml"), 0)
	if err != nil {
		return nil, 0, err
	}
	iana = len(all)
	seen := make(map[uint64]bool)
	for _, e := range all {
		seen[e.id] = true
	}
	for _, f := range enterpriseFiles {
		read := readLibfds
		if f.pen != 0 {
			read = readIANA
		}
		elements, err := read(filepath.Join(dir, f.name), f.pen)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range elements {
			if !seen[e.id] {
				seen[e.id] = true
				all = append(all, e)
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].id < all[j].id })
	return all, iana, nil
}

func readIANA(path string, pen uint32) ([]element, error) {
	var file ianaFile
	if err := readXML(path, &file); err != nil {
		return nil, err
	}
	var elements []element
	for _, r := range file.Registries {
		if r.ID != "ipfix-information-elements" {
			continue
		}
		for _, rec := range r.Records {
			if strings.TrimSpace(rec.DataType) == "" {
				continue // reserved or unassigned
			}
			num, err := strconv.ParseUint(strings.TrimSpace(rec.ElementID), 10, 15)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, rec.Name, err)
			}
			e, err := newElement(pen, uint16(num), rec.Name, rec.DataType, rec.Semantics, rec.Units)
			if err == nil {
				e.low, e.high, err = parseRange(rec.Range)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: element %d: %w", path, num, err)
			}
			elements = append(elements, e)
		}
	}
	if len(elements) == 0 {
		return nil, fmt.Errorf("%s: no elements", path)
	}
	return elements, nil
}

func readLibfds(path string, _ uint32) ([]element, error) {
	var file libfdsFile
	if err := readXML(path, &file); err != nil {
		return nil, err
	}
	var elements []element
	for _, rec := range file.Elements {
		pen, num := file.Scope.PEN, rec.ID
		switch pen {
		case libfdsNetFlow:
			pen = 0
		case libfdsNetFlowExtra:
			pen, num = 0, num+1<<15
		}
		e, err := newElement(pen, num, rec.Name, rec.DataType, rec.Semantics, rec.Units)
		if err != nil {
			return nil, fmt.Errorf("%s: element %d: %w", path, rec.ID, err)
		}
		elements = append(elements, e)
	}
	if len(elements) == 0 {
		return nil, fmt.Errorf("%s: no elements", path)
	}
	return elements, nil
}

func newElement(pen uint32, num uint16, name, typ, semantics, unit string) (element, error) {
	e := element{id: uint64(pen)<<16 | uint64(num), name: strings.TrimSpace(name), unit: strings.TrimSpace(unit)}
	if e.unit == "none" {
		e.unit = ""
	}
	if semantics = strings.TrimSpace(semantics); semantics == "" {
		semantics = "default"
	}
	if e.typ = canonical(typ, typeNames); e.typ == "" {
		return e, fmt.Errorf("%s: unknown data type %q", name, typ)
	}
	if e.semantics = canonical(semantics, semanticsNames); e.semantics == "" {
		return e, fmt.Errorf("%s: unknown semantics %q", name, semantics)
	}
	return e, nil
}

// canonical finds word among words in any case, since files differ in it.
func canonical(word string, words []string) string {
	for _, w := range words {
		if strings.EqualFold(w, strings.TrimSpace(word)) {
			return w
		}
	}
	return ""
}

// parseRange reads "low-high", decimal or 0x. IANA writes 0-0 where it means
// no range.
func parseRange(s string) (low, high uint64, err error) {
	if s = strings.TrimSpace(s); s == "" {
		return 0, 0, nil
	}
	a, b, _ := strings.Cut(s, "-")
	if low, err = strconv.ParseUint(strings.TrimSpace(a), 0, 64); err == nil {
		high, err = strconv.ParseUint(strings.TrimSpace(b), 0, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("range %q: %w", s, err)
	}
	return low, high, nil
}

// readProtocols returns IANA's keyword for each IP protocol number, empty for
// those without one.
func readProtocols(path string) (names [256]string, err error) {
	var file ianaFile
	if err := readXML(path, &file); err != nil {
		return names, err
	}
	for _, r := range file.Registries {
		for _, rec := range r.Records {
			n, err := strconv.ParseUint(strings.TrimSpace(rec.Value), 10, 8)
			if err != nil {
				continue // a range of unassigned numbers
			}
			name := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rec.Name), "(deprecated)"))
			if name != "Reserved" {
				names[n] = strings.Join(strings.Fields(name), "-")
			}
		}
	}
	if names[6] != "TCP" {
		return names, fmt.Errorf("%s: protocol 6 is %q, not TCP", path, names[6])
	}
	return names, nil
}
