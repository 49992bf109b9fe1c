// Package capture reads packets from pcap and pcapng files.
//
// A Reader takes any io.Reader: a file, a pipe, a decompressor. It reads through
// one large buffer and hands out packets that point into it, so a packet's Data
// is valid only until the next call of Next. Formats: pcap with microsecond and
// nanosecond magic and with the longer record header of the old "modified"
// libpcap, pcapng with any number of sections and interfaces; both byte orders.
//
// Times are nanoseconds since the epoch. What lies outside 1970-2261 is clamped.
// A packet that carries no time (pcapng's simple packet block) has the time of
// the packet before it.
//
// Hostile input: a packet may hold at most 256 KiB; a longer one is an error, and
// nothing is allocated by a length before it was checked. Blocks that are not
// packets are skipped without being held in memory, of any length. A section
// has at most 65,536 interfaces. A file that ends inside a record gives all
// whole packets first and then an error that wraps io.ErrUnexpectedEOF and names
// the offset; every error repeats on further calls.
//
// A Reader is for one goroutine.
package capture
