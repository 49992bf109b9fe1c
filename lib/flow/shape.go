package flow

import (
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// MaxRecords, MaxShapes and MaxColumns bound a batch.
const (
	MaxRecords = column.MaxValues
	MaxShapes  = 64
	MaxColumns = 512
	// MaxElements bounds one shape.
	MaxElements = 512
	// MaxLean is how many columns may have to be decoded before one that leans on them.
	MaxLean = 3
)

// Elem is one element of a shape as it was sent: its id on the wire and its length there
// (Variable for variable length). The unit of a time follows from its id.
type Elem struct {
	ID  ie.ID
	Len uint16
}

// Variable is the length of an element whose records carry their own (RFC 7011 §7).
const Variable = 0xffff

// Shape is the elements of a record in the order sent.
type Shape []Elem

// Equal tells whether both list the same elements in the same order and length.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Key names a column: the element under which its group is stored, and which of several
// elements of that name in one record (0 for the first).
type Key struct {
	ID  ie.ID
	Occ uint8
}

// maxOcc is the last occurrence that a key can tell; elements beyond it share its key.
const maxOcc = 255

// Keys appends the column of each element of s to dst.
func (s Shape) Keys(dst []Key) []Key {
	base := len(dst)
	for _, e := range s {
		id, _ := ie.Column(e.ID)
		k := Key{ID: id}
		for _, o := range dst[base:] {
			if o.ID == id {
				k.Occ = min(o.Occ, maxOcc-1) + 1
			}
		}
		dst = append(dst, k)
	}
	return dst
}

// KindOf is how the values of an element are stored; elements of unknown type are octets.
func KindOf(id ie.ID) column.Kind {
	e, ok := ie.Lookup(id)
	if !ok {
		return column.Bytes
	}
	switch e.Type.Class() {
	case ie.Bytes:
		return column.Bytes
	case ie.Addr:
		return column.Addr
	}
	return column.Int
}

// rank orders columns so that a filter decides early: proto, ports, flags, addresses,
// counters, times, the rest.
func rank(id ie.ID) int {
	switch id {
	case 4:
		return 0
	case 7, 11, 180, 181, 182, 183, 32, 176, 177, 178, 179:
		return 1
	case 6:
		return 2
	case 8, 12:
		return 3
	case 1, 2, 3, 23, 24, 85, 86:
		return 4
	case 156, 157, 258, 325:
		return 5
	}
	return 6
}
