// Package ie knows the information elements: number, name, data type,
// semantics and unit of everything that a flow record can hold, which elements
// are one column in memory, and the names that users give to them.
//
// An element is identified by an [ID], enterprise number and element number in
// one integer. The IANA registry and the enterprise registries that exporters
// use are in a generated table (registry_table.go, made by lib/ie/gen); the
// elements that IANA lacks are in project.go. NetFlow v9 field types above
// 32767, which IPFIX cannot express, are elements of enterprise 0 with their
// 16-bit number. Elements of enterprise 29305 (RFC 5103) are the reverse
// direction of the IANA element of the same number and need no entries.
//
// [Column] tells under which number the values of an element are kept: IPv4
// and IPv6 variants share a column, and so do the variants of a time that
// differ only in unit. [FieldByName] and [FieldByToken] join the words of
// nfdump's users (srcip, %sa) to elements.
//
// Everything is static data: nothing runs at start-up, and look-ups allocate
// only what they must make up, which is the names of reverse elements, Members
// of a reverse column, and the Field of an element that the list of fields
// lacks. Slices and pointers that are handed out point into that data and must
// not be written to. All functions are safe for concurrent use.
//
// Any ID and any string may be passed to any function: what is not known is
// reported as such, whatever the bytes.
package ie

//go:generate go run ./gen -o registry_table.go ../../../shared/reference/iana
