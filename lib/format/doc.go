// Package format writes flow records as text: the output modes of nfdump (line, long,
// extended, biline, bilong, nsel, nat, each also with whole IPv6 addresses by a 6 behind the
// name; fmt: with tokens), CSV, JSON, and the tables of statistics and the summary.
//
// A mode is compiled once, by New or NewTable, into a list of items. For each batch an item
// is bound to the fields that it shows; what a dictionary or constant column holds is written
// once an entry, what does not change between two values once a batch. Batch appends to a
// slice and depends on nothing but the batch and the number of rows before it, so workers may
// format batches side by side and one writer puts them in order:
//
//	p, err := format.New("line", format.Options{Location: time.Local})
//	p.Header(w)
//	out, err = p.Batch(out[:0], batch, printed)
//	printed += uint64(batch.Selected())
//	p.Footer(w)
//
// What a record lacks prints in text as nfdump prints it (0, 0.0.0.0, 1 for the number of
// flows, and some words), as nothing in CSV, and without a key in JSON. Counters are those of
// the sampled traffic scaled up, unless Options.Raw is set.
//
// Text looks as that of nfdump 1.7.8: widths, titles, decimal M, G and T, condensed IPv6
// addresses. CSV quotes as RFC 4180 says; -q leaves its header out. JSON has every column of a
// record: under nfdump's key where it has one, else under the name of its element, the second
// of two equal elements with _2 behind it. Its times have the distance from UTC, and decimals
// down to the nanosecond where there are any. Names that would have to be looked up (countries,
// organisations, interfaces, TLS) print as absent.
//
// "No matching flows" is no data: NoMatch returns it for the modes in which nfdump says it,
// and the caller sends it to standard error. CSV and JSON stay empty, an array "[" "]".
//
// Batches may come from anywhere. Strings cannot forge rows, columns, keys or terminal
// commands: text escapes what is not printable. A column whose values are not of its element's
// kind is an error. A format has at most 1024 tokens; memory beyond the output is a few
// megabytes a goroutine and the text of a batch's distinct values, strings of more than 1 MiB
// excepted.
//
// Printer and Table do not change after they are made and are safe for concurrent use; the
// batch belongs to one call at a time. No clock and no operating system: times of a run come
// with Summary.
package format
