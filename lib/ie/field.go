package ie

import (
	"strings"
)

// Kind says how a field is shown and compared.
type Kind uint8

const (
	Number        Kind = iota // plain number
	Counter                   // number that scales with sampling and is shown with M, G, T
	FlowCount                 // number of flows: never scaled; absent counts as 1
	Address                   // IP address
	AddressPort               // two fields, address:port
	Network                   // two fields, address masked to its prefix length
	TimeLocal                 // point in time, local time with date
	TimeUTC                   // the same in UTC
	TimeRaw                   // the same as seconds since the epoch
	TimeMillis                // the same as milliseconds since the epoch
	Duration                  // difference of two times, HH:MM:SS.mmm
	DurationRaw               // the same in seconds
	Rate                      // per second, or per packet
	Port                      // transport port
	Protocol                  // IP protocol number
	TCPFlags                  // TCP control bits
	ICMPType                  // ICMP type, see Part
	ICMPCode                  // ICMP code, see Part
	TOS                       // type of service or traffic class
	ASNumber                  // autonomous system
	Interface                 // SNMP interface index
	PrefixLength              // bits of a prefix
	VLAN                      // VLAN number
	MAC                       // MAC address
	MPLS                      // label stack entry, label-exp-eos
	Direction                 // 0 ingress, 1 egress
	FwdStatus                 // forwarding status
	EndReason                 // flow end reason
	FirewallEvent             // ASA event
	NATEvent                  // NAT event
	Latency                   // microseconds, shown as milliseconds
	Hex                       // number shown in hexadecimal
	FragmentFlags             // DF, MF
	ACL                       // three 32-bit words
	Text                      // string
	Octets                    // bytes without a text form of their own
	Real                      // floating point
	Resolved                  // text found in a table or database, from another field
	numKinds
)

var kindNames = [numKinds]string{"number", "counter", "flows", "address", "address and port", "network",
	"time", "UTC time", "raw time", "time in ms", "duration", "raw duration", "rate", "port", "protocol",
	"TCP flags", "ICMP type", "ICMP code", "TOS", "AS", "interface", "prefix length", "VLAN", "MAC",
	"MPLS label", "direction", "forwarding status", "end reason", "firewall event", "NAT event", "latency",
	"hexadecimal", "fragment flags", "ACL", "text", "octets", "real", "resolved"}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return "unknown"
}

// Field is what a user's word means.
type Field struct {
	Name    string   // the word itself, lower case
	Aliases []string // other words for it
	Help    string   // one line for the list of fields

	Token  string   // output token without its % sign, "" if it has none
	Tokens []string // other tokens for it
	Header string   // column header of text output, padded to the column's width
	CSV    string   // header of CSV output, "" if CSV cannot have it
	JSON   string   // key of JSON output, of the IPv4 part if the keys differ
	JSON6  string   // key of the IPv6 part, "" if it is the same

	// Elements are columns, as Column names them, best first: the value is
	// that of the first that the record has.
	Elements []ID
	Family   Family // the only family that counts
	Kind     Kind
	Additive bool // sums over records mean something; see Element.Additive for one element

	// Derived fields have no element. They are computed from the fields
	// named in From, or looked up with them.
	Derived bool
	From    []string

	// Either names the fields of which any one will do: a filter on this
	// field tests them all, a statistic counts a record under each. Output
	// shows the first.
	Either []string
}

// Part tells which bits of a value of element id are the field's: the value
// shifted right, and the number of bits kept, 0 for the whole. It matters for
// the ICMP type and code, which elements 32 and 139 send in one number.
func (f *Field) Part(id ID) (shift, bits uint8) {
	if fwd, ok := id.Forward(); ok {
		id = fwd
	}
	if id != 32 && id != 139 {
		return 0, 0
	}
	switch f.Kind {
	case ICMPType:
		return 8, 8
	case ICMPCode:
		return 0, 8
	}
	return 0, 0
}

// Fields lists all fields that have a word of their own, grouped by subject.
func Fields() []Field { return fields[:] }

// FieldByName finds a field by a user's word in any case: its name or alias,
// then its name in nfdump's CSV or JSON, then what [ByName] knows. The name of
// one element of a pair means the values of that family alone.
func FieldByName(s string) (*Field, bool) {
	if s == "" {
		return nil, false
	}
	for i := range fields {
		f := &fields[i]
		if strings.EqualFold(f.Name, s) {
			return f, true
		}
		for _, a := range f.Aliases {
			if strings.EqualFold(a, s) {
				return f, true
			}
		}
	}
	e, ok := ByName(s)
	// IANA's names are exact, nfdump's output names only habit: the former
	// win where both say the same word.
	if !ok || e.ID.PEN() != 0 {
		for i := range fields {
			f := &fields[i]
			if strings.EqualFold(f.CSV, s) || strings.EqualFold(f.JSON, s) || strings.EqualFold(f.JSON6, s) {
				return f, true
			}
		}
	}
	if !ok {
		return nil, false
	}
	f := fieldOf(e)
	if !strings.Contains(s, "/") {
		f.addNamesakes(e)
	}
	return f, true
}

// FieldByToken finds a field by its output token, without the % sign. Tokens
// are case-sensitive, as they are to nfdump.
func FieldByToken(tok string) (*Field, bool) {
	if tok == "" {
		return nil, false
	}
	for i := range fields {
		f := &fields[i]
		if f.Token == tok {
			return f, true
		}
		for _, t := range f.Tokens {
			if t == tok {
				return f, true
			}
		}
	}
	return nil, false
}

// fieldOf makes the field of one element.
func fieldOf(e Element) *Field {
	col, fam := Column(e.ID)
	name := e.ID.String()
	return &Field{Name: name, Header: name, CSV: name, JSON: name, Elements: []ID{col}, Family: fam,
		Kind: kindOf(e), Additive: e.Additive()}
}

// addNamesakes makes f, the field of e, that of every element of e's name that
// is of the same kind: vendors repeat names of IANA and of their own NetFlow v9
// types, and a user who writes one means them all.
func (f *Field) addNamesakes(e Element) {
	f.Name, f.Header, f.CSV, f.JSON = e.Name, e.Name, e.Name, e.Name
	for _, i := range nameIndex[nameStart(e.Name):] {
		same := &registry[i]
		if compareFold(same.Name, e.Name) != 0 {
			break
		}
		if same.ID != e.ID && same.Type.Class() == e.Type.Class() && same.Unit == e.Unit && f.Family == AnyFamily {
			f.Elements = append(f.Elements, same.ID)
		}
	}
}

// kindOf tells how to show an element: as the field that shows it first, else
// by its type.
func kindOf(e Element) Kind {
	col, _ := Column(e.ID)
	if fwd, ok := col.Forward(); ok && col>>16 == ReversePEN {
		col = fwd
	}
	for i := range fields {
		f := &fields[i]
		if len(f.Elements) > 0 && f.Elements[0] == col && !f.Derived {
			return f.Kind
		}
	}
	switch e.Type.Class() {
	case Addr:
		return Address
	case Time:
		return TimeLocal
	case Float:
		return Real
	case Bytes:
		if e.Type == String {
			return Text
		}
		return Octets
	}
	switch {
	case e.Type == MACAddress:
		return MAC
	case e.Semantics == DeltaCounter || e.Semantics == TotalCounter:
		if e.Unit == "packets" || e.Unit == "octets" {
			return Counter
		}
	}
	return Number
}
