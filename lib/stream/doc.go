// Package stream is the flow stream: one format for pipes and files, framed, columnar,
// self-describing and checksummed. FORMAT.md in this directory describes every byte.
//
// A stream is one segment or several, so `cat a.nf b.nf` is a stream. A segment is a Head
// frame, frames of records with side and tick frames among them, and an End frame that says
// how many records there were and how it ended. Input that stops without End was cut off.
//
// Reader gives the frames of records as batches whose columns are decoded when asked; from a
// regular file, columns that nobody asks for are never read. It delivers every whole frame
// before a damage, names file and offset of what it could not use, and ends with a Status.
// With Recover it reads on behind what it could not use. Side frames come as a Table, and
// Tables keeps those that are in force.
//
// Writer writes one segment. EncodeFrame is separate from Writer.Write so that workers can
// encode while one goroutine keeps the order; Parallel does that.
//
// Against hostile input: a header is at most 1 MiB, a body at most 64 MiB, both checked
// before anything is allocated; headers and columns have checksums, and column contents are
// checked again when decoded, for a checksum is no proof of good will. Looking for the next
// frame takes time proportional to the bytes passed over. Tables holds at most 64 tables,
// 65,536 rows each, and 64 MiB in all.
//
// A Reader or Writer is used by one goroutine; frames it has given out are independent, and
// Reader.Status and Reader.Lost may be called from any. When Parallel ends by an error, its
// reading goroutine stays until the read that it waits for returns.
package stream
