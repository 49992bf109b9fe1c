// Package filter is the filter language: nfdump's, and more. Parse turns text into a Filter,
// Eval decides for a whole batch which of its records match.
//
// Meaning. A comparison with a value that the record lacks is false; not is the plain
// complement, so "x != v" is "not x = v" and is true where x is absent. A record without a
// flow count counts as one flow. Counters are compared scaled by their sampling rate. A field
// that stands for several (port, ip, as) matches when any of them does. ICMP types and codes
// are never ports. Prefixes ignore host bits, an IPv4 prefix holds no IPv6 address.
//
// Names. Everything that terms.go lists, and every name that ie.FieldByName knows:
// "srcip 10.0.0.1", "octetDeltaCount > 1k", "29305/1 > 0".
//
// Eval decides as early as it can: by the smallest and largest value of the encoded columns,
// without decoding; then by the entries of a dictionary; then by value. Columns that cannot
// change the result any more are never decoded.
//
// A filter is untrusted text: nesting, included files and their sizes are bounded, errors name
// the place. The package never touches the operating system: files and host names come
// through Options.
//
// A Filter does not change and may be used by several goroutines, each with its own batch.
package filter
