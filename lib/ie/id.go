package ie

import (
	"strconv"
	"strings"
)

// ID identifies an information element: the private enterprise number in the
// upper bits, the element number in the lower 16. IANA's own elements have
// enterprise number 0, so their ID is their number.
type ID uint64

const (
	// ReversePEN is the enterprise number that marks the reverse direction
	// of an IANA element (RFC 5103 section 6.1).
	ReversePEN = 29305

	// ProjectPEN holds the elements that IANA lacks. It never appears in an
	// exported message.
	ProjectPEN = 4294967280

	// CERTPEN reverses its elements by a bit of the element number instead.
	CERTPEN = 6871

	certReverseBit    = 0x4000
	reverse        ID = ReversePEN << 16
)

// New joins an enterprise number and an element number.
func New(pen uint32, num uint16) ID { return ID(pen)<<16 | ID(num) }

// PEN is the private enterprise number, 0 for IANA.
func (id ID) PEN() uint32 { return uint32(id >> 16) }

// Num is the element number within its enterprise.
func (id ID) Num() uint16 { return uint16(id) }

// String is a name that [ByName] resolves to the same element: the IANA name,
// reverse names and project names included, else "pen/num".
func (id ID) String() string {
	switch id >> 16 {
	case 0, ReversePEN, ProjectPEN:
		// Numbers beyond IANA's have names that are not theirs alone.
		if int(id.Num()) >= len(ianaIndex) {
			break
		}
		if e, ok := Lookup(id); ok {
			return e.Name
		}
	}
	return strconv.FormatUint(uint64(id>>16), 10) + "/" + strconv.FormatUint(uint64(id.Num()), 10)
}

// parseNumeric reads the "pen/num" form.
func parseNumeric(s string) (ID, bool) {
	p, n, ok := strings.Cut(s, "/")
	if !ok {
		return 0, false
	}
	pen, err := strconv.ParseUint(p, 10, 32)
	if err != nil {
		return 0, false
	}
	num, err := strconv.ParseUint(n, 10, 16)
	if err != nil {
		return 0, false
	}
	return New(uint32(pen), uint16(num)), true
}

// Reverse returns the element that carries id for the reverse direction of a
// biflow, and false if there is none.
func (id ID) Reverse() (ID, bool) {
	switch {
	case id < 1<<15:
		return reverse | id, true
	case id.PEN() == CERTPEN && id.Num()&certReverseBit == 0 && id.Num() < certReverseBit:
		return id | certReverseBit, true
	}
	return 0, false
}

// Forward returns the element of which id is the reverse direction, and false
// if id is no reverse element.
func (id ID) Forward() (ID, bool) {
	switch {
	case id>>16 == ReversePEN && id.Num() < 1<<15:
		return ID(id.Num()), true
	case id.PEN() == CERTPEN && id.Num()&certReverseBit != 0 && id.Num() < 2*certReverseBit:
		return id &^ certReverseBit, true
	}
	return 0, false
}
