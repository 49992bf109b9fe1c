// Package column holds one column of flow records: its values in memory (Vec), its
// encodings, and nothing else. It knows neither elements nor frames.
//
// A column has one of three kinds. Int is any value of up to 64 bits (integers, times,
// MAC addresses, booleans, and the order-preserving images of signed numbers and floats:
// see FromSigned and FromFloat). Addr is an IPv4 or IPv6 address; both live in one column and IPv4
// sorts first. Bytes is a string or octet array of any length.
//
// A Vec keeps what an encoding knows: a constant is one entry, a dictionary column is its
// sorted entries and a 16-bit code a value. Consumers decide once an entry, not once a record.
//
// Encoding chooses by exact or sampled size, never by the clock, and is deterministic: equal
// values give equal bytes. The bit layouts are drawn in lib/stream/FORMAT.md.
//
// Decode trusts nothing: every length, width, count and code is checked before use, memory is
// bounded by the number of values (at most MaxValues) and the block's stated raw length (at
// most MaxRaw). Damaged input is an error wrapping ErrCorrupt, never a panic.
//
// Functions are pure; values are not safe for concurrent mutation.
package column
