package ie

import "strconv"

// Type is the abstract data type of an element, numbered as in IANA's
// registry "IPFIX Information Element Data Types" (RFC 5610 section 3.1).
type Type uint8

const (
	OctetArray Type = iota
	Unsigned8
	Unsigned16
	Unsigned32
	Unsigned64
	Signed8
	Signed16
	Signed32
	Signed64
	Float32
	Float64
	Boolean
	MACAddress
	String
	DateTimeSeconds
	DateTimeMilliseconds
	DateTimeMicroseconds
	DateTimeNanoseconds
	IPv4Address
	IPv6Address
	BasicList
	SubTemplateList
	SubTemplateMultiList
	Unsigned256
	numTypes
)

// typeInfo is one row a Type, in its order.
var typeInfo = [numTypes]struct {
	name  string
	class Class
	size  uint8
}{
	{"octetArray", Bytes, 0},
	{"unsigned8", Uint, 1},
	{"unsigned16", Uint, 2},
	{"unsigned32", Uint, 4},
	{"unsigned64", Uint, 8},
	{"signed8", Int, 1},
	{"signed16", Int, 2},
	{"signed32", Int, 4},
	{"signed64", Int, 8},
	{"float32", Float, 4},
	{"float64", Float, 8},
	{"boolean", Uint, 1},
	{"macAddress", Uint, 6},
	{"string", Bytes, 0},
	{"dateTimeSeconds", Time, 4},
	{"dateTimeMilliseconds", Time, 8},
	{"dateTimeMicroseconds", Time, 8},
	{"dateTimeNanoseconds", Time, 8},
	{"ipv4Address", Addr, 4},
	{"ipv6Address", Addr, 16},
	{"basicList", Bytes, 0},
	{"subTemplateList", Bytes, 0},
	{"subTemplateMultiList", Bytes, 0},
	// Wider than a machine word, and only ever a set of bits.
	{"unsigned256", Bytes, 32},
}

// String is IANA's name of the type.
func (t Type) String() string {
	if t < numTypes {
		return typeInfo[t].name
	}
	return "type " + strconv.Itoa(int(t))
}

// Class is how values of a type are kept in memory and compared.
type Class uint8

const (
	Bytes Class = iota // strings, octets, lists, unsigned256: as sent
	Uint               // unsigned numbers, booleans (false is 0), MAC addresses (48 bits)
	Int                // signed numbers
	Float              // float32 widened to float64
	Time               // int64 nanoseconds since the epoch, UTC, whatever unit was sent
	Addr               // IPv4 and IPv6 addresses
)

var classNames = [...]string{"bytes", "uint", "int", "float", "time", "addr"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class " + strconv.Itoa(int(c))
}

// Class tells how values of t are kept. A type that is not in the registry is
// bytes.
func (t Type) Class() Class {
	if t < numTypes {
		return typeInfo[t].class
	}
	return Bytes
}

// Size is the natural length of t on the wire in octets (RFC 7011 section
// 6.1), 0 if it varies. Reduced-size encoding (section 6.2) may send numbers
// shorter.
func (t Type) Size() int {
	if t < numTypes {
		return int(typeInfo[t].size)
	}
	return 0
}

// IsList reports whether values are structured data (RFC 6313).
func (t Type) IsList() bool { return t >= BasicList && t <= SubTemplateMultiList }

// Semantics says what may be done with a number, numbered as in IANA's
// registry "IPFIX Information Element Semantics" (RFC 5610 section 3.2).
type Semantics uint8

const (
	Default Semantics = iota
	Quantity
	TotalCounter
	DeltaCounter
	Identifier
	Flags
	List
	SNMPCounter
	SNMPGauge
	numSemantics
)

var semanticsNames = [numSemantics]string{"default", "quantity", "totalCounter", "deltaCounter",
	"identifier", "flags", "list", "snmpCounter", "snmpGauge"}

// String is IANA's name of the semantics.
func (s Semantics) String() string {
	if s < numSemantics {
		return semanticsNames[s]
	}
	return "semantics " + strconv.Itoa(int(s))
}
