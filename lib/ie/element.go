package ie

import "strings"

// Element is one information element as its registry describes it.
type Element struct {
	ID        ID
	Name      string
	Type      Type
	Semantics Semantics
	Unit      string // as in the registry: "octets", "milliseconds"; "" if none

	// RangeLow and RangeHigh are the allowed values, inclusive; both are 0 if
	// the registry names no range.
	RangeLow, RangeHigh uint64
}

// Lookup finds an element by its number. Reverse elements come from the
// forward ones, so they are known exactly when those are.
func Lookup(id ID) (Element, bool) {
	if e := find(id); e != nil {
		return *e, true
	}
	if fwd, ok := id.Forward(); ok {
		if e := find(fwd); e != nil {
			r := *e
			r.ID, r.Name = id, reverseName(e.Name)
			return r, true
		}
	}
	return Element{}, false
}

// find returns the table's own row for id, nil if it has none.
func find(id ID) *Element {
	if id < ID(len(ianaIndex)) {
		// Position 0 is taken by element 1, so 0 can say "unassigned".
		if i := ianaIndex[id]; i != 0 {
			return &registry[i-1]
		}
		return nil
	}
	if id>>16 == ProjectPEN {
		return search(projectElements[:], id)
	}
	if e := search(registry[ianaCount:], id); e != nil {
		return e
	}
	return search(vendorElements[:], id)
}

// search looks id up in elements sorted by ID.
func search(elements []Element, id ID) *Element {
	lo, hi := 0, len(elements)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if elements[m].ID < id {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(elements) && elements[lo].ID == id {
		return &elements[lo]
	}
	return nil
}

// ByName finds an element by its registry name, in any case, by "pen/num", or
// by "reverse" and the name of an IANA element. A name that several
// enterprises use is that of the lowest enterprise number, so IANA's first.
// The form "pen/num" is accepted for elements that no registry describes too:
// such an element is an octetArray without a name.
func ByName(name string) (Element, bool) {
	if id, ok := parseNumeric(name); ok {
		if e, ok := Lookup(id); ok {
			return e, true
		}
		return Element{ID: id, Type: OctetArray}, true
	}
	if e := findName(name); e != nil {
		return *e, true
	}
	const prefix = "reverse"
	if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
		if e := findName(name[len(prefix):]); e != nil {
			if id, ok := e.ID.Reverse(); ok {
				return Lookup(id)
			}
		}
	}
	return Element{}, false
}

// findName returns the row whose name equals name but for case.
func findName(name string) *Element {
	if i := nameStart(name); i < len(nameIndex) {
		if e := &registry[nameIndex[i]]; compareFold(e.Name, name) == 0 {
			return e
		}
	}
	for i := range projectElements {
		if compareFold(projectElements[i].Name, name) == 0 {
			return &projectElements[i]
		}
	}
	for i := range vendorElements {
		if compareFold(vendorElements[i].Name, name) == 0 {
			return &vendorElements[i]
		}
	}
	return nil
}

// nameStart is the first position in nameIndex whose name is not before name.
func nameStart(name string) int {
	lo, hi := 0, len(nameIndex)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if compareFold(registry[nameIndex[m]].Name, name) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// compareFold orders names as if ASCII letters were all lower case, which is
// the order of nameIndex.
func compareFold(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// reverseName is the name of the reverse element (RFC 5103 section 6.1).
func reverseName(name string) string {
	if name == "" {
		return ""
	}
	c := name[0]
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return "reverse" + string(c) + name[1:]
}

// Additive reports whether values of several records may be added: counts of
// what happened since the last report. Totals since the flow began repeat what
// was reported before, and the registry's per-interval delays are no counts
// although it calls them that.
func (e Element) Additive() bool {
	id := e.ID
	if fwd, ok := id.Forward(); ok {
		id = fwd
	}
	switch id {
	case 530, 531, 532: // mean, smallest and largest path delay
		return false
	}
	return e.Semantics == DeltaCounter
}
