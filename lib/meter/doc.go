// Package meter turns packets into flow records.
//
// The flow cache holds one entry a conversation. A packet is first checked
// against its entry: if the idle, active or end-of-connection timeout has passed,
// judged by the packets' own clock, the entry is exported and the packet opens a
// new one. So a file and a live interface split alike. Entries without further
// packets are exported by a timer wheel of quarter seconds, of which only what is
// due is touched. A SYN after RST, or after FIN in both directions, opens a new
// flow.
//
// Each direction of an entry becomes one Record, or with Config.Biflow both
// become one. Bytes are IP total length. Start and end are the smallest and
// largest time, in whatever order packets came.
//
// With Config.Latency an entry of TCP tells how long its sides took to answer: from
// SYN to SYN and ACK, from that to ACK, and from the first data of the client to
// the first of the server. All records of the entry have the same.
//
// Later fragments of a datagram count to the flow of its first, which has the
// ports; those that come before it wait for at most 15 seconds of the packets'
// clock, then they count to a flow with ports 0. Every packet given to Add is in
// exactly one record, unless the filter refused it or sampling passed it over.
//
// Advance moves the clock where no packets do, or, with Config.Clocked, in place of the packets: a
// flow leaves at the begin of the quarter second after its timeout has passed, or of the interval
// if Timeouts have one.
//
// Hostile input: the number of entries is bounded by Config.MaxFlows, fragmented
// datagrams and waiting fragments by constants; what would exceed them evicts the
// entry that was seen longest ago. The hash is keyed anew for each Meter. A clock that
// jumps ahead exports early, one that stays far behind is followed after 1024
// packets; no time makes a duration negative.
//
// A Meter is for one goroutine.
package meter
