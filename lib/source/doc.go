// Package source opens a file or stdin, undoes one layer of gzip, zstd, xz,
// lz4 or bzip2, and says what it holds. Both are told by content, never by
// name: a file and the same bytes through a pipe are the same input.
//
// An uncompressed regular file stays seekable: Input.File is the file itself,
// so that a reader can skip what it does not need.
//
// Hostile input: decompression streams, so memory does not depend on what the
// input claims or expands to. A zstd window or an xz dictionary may be 128 MiB
// at most; larger ones are refused before anything is allocated for them. No
// more is read ahead than the first bytes need, so a live pipe does not wait.
//
// An Input belongs to one goroutine; Consumed may be called from any.
package source
