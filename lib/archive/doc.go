// Package archive keeps flow streams in files by time: a file for each slot, such as five
// minutes, under a directory. It names them as nfcapd does, writes, repairs and expires them,
// and lists those of a range, nfdump's among them.
//
// Promises of an Archive:
//
//   - When Write has returned nil, the records of the frame are in a file and survive the
//     death of the process; they survive a loss of power once Sync has passed.
//   - A record is in one file once, whatever ends the process at whatever time. No file is
//     ever overwritten.
//   - Write waits for write(2) alone. Ending a slot, joining its short frames, renaming,
//     expiring and fdatasync happen on other goroutines.
//
// The open slot is nfcap.current.START.PID in the base directory, START being the start of the
// slot in seconds since the epoch. Its writer holds a flock on it, and one on the directory, for
// two writers would take each other's slots. A reader tells by the lock whether the slot is
// still being written (Writing) or was left by a crash.
//
// A file comes into being whole: with its Head under a hidden name that begins with .nfcap.new.
// When its short frames were joined, the new file first replaces the open slot under the slot's
// own name and then gets the final name, so that at no time there are two. What hidden files
// hold is always somewhere else too; Open removes them.
//
// Open goes on with the slot that is current: it renames the finished file of that slot back,
// or takes the one that a crash left, and appends a segment. Other slots that a crash left are
// cut behind their last whole frame, ended as aborted, and get their names. Created in the Head
// of each segment is the start of its slot, by which files are told apart whose names are the
// same: when summer time ends, the later one has the zone appended (nfcap.202610250200+0100).
//
// An Archive may be used by several goroutines.
package archive
