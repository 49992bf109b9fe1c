// Package capture reads packets from pcap and pcapng files and from interfaces.
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
//
// A Live takes the packets of an interface, or of all, from rings of TPACKET_V3 that it shares
// with the kernel, on Linux alone. A packet is delivered within about 50 ms, also on a quiet
// link. Several rings share the flows among them; what they deliver is in order within a flow,
// and up to 50 ms out of order between flows. A VLAN tag that the kernel or the device took out
// is in its place again; of the loopback device's packets, which show twice, the one on its way
// out is left out. On "any", a packet that passes several devices shows once at each. What the
// device has merged (GRO, TSO) is one packet. Packets are lost when the rings are full, which
// Stats tells; nothing else waits in memory. Each offset in a ring is checked before it is used.
// Feed uses a goroutine a ring and calls back from the one that called it; the other methods may
// be called from any.
package capture
