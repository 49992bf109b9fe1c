// Package filter is the filter language: nfdump's, and more. Parse turns text into a Filter,
// Eval decides for a whole batch which of its records match.
//
// Meaning. A comparison with a value that the record lacks is false; not is the plain
// complement, so "x != v" is "not x = v" and is true where x is absent. A record without a
// flow count counts as one flow. Counters are compared scaled by their sampling rate. A field
// that stands for several (port, ip, as) matches when any of them does. ICMP types and codes
// are never ports. Prefixes ignore host bits, an IPv4 prefix holds no IPv6 address.
//
// Grammar. Words are in any case, "#" begins a comment.
//
//	filter   = [ expr ]                          empty: any
//	expr     = expr ("or" | "||") expr | expr ("and" | "&&") expr
//	         | ("not" | "!") expr | "(" expr ")" | "@include" FILE | term
//	term     = words [ relation ] value          words: terms.go, or the name of a field
//	         | "any" | "ipv4" | "ipv6" | PROTOCOL | "defined" words
//	relation = "=" "==" "eq" "!=" "ne" "<" "lt" "<=" "le" ">" "gt" ">=" "ge"     none: equal
//	         | [ "not" ] "in"                    then a value, or values in [ ] or { },
//	                                             apart by blanks or commas, or @include FILE
//
// "not" binds closer than "and", "and" closer than "or". An included file is a whole of its
// own, as if it stood in parentheses. "src or dst" and "src and dst" may stand before words
// that take src and dst.
//
// Values. Numbers are decimal or 0x, with k, m, g, t for powers of 1000 (1.5k); 80-90 and 80..90 are
// ranges. Addresses: 10.0.0.1, 10.0.0.0/8, a-b, 2001:db8::/32, host names; with net also 10/8,
// 172.16, and an address and its mask. Durations are in milliseconds, or with ns us ms s min h d;
// like nfdump's they and times compare in whole milliseconds unless written finer. Times are the
// beginning of 2026-11-23T06:57:17.500, local unless Z follows: equal means within what was
// written, order starts from its first millisecond. Flags are letters (flags SA: these and others;
// flags = SA: these alone; flags S/SA: of S and A only S) or a number. Strings are words or quoted.
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
