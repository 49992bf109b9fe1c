// Package export is the engine of nfexp: records in, export messages out to any number of
// destinations.
//
// An Exporter encodes batches once, whatever the number of destinations, and gives each
// destination a queue and a goroutine of its own, so that a slow or a dead one never stops the
// others. Of a source that can wait, such as a file, a destination is waited for while it takes
// messages; one that has taken none for some seconds, or is not there, loses what its queue has
// no room for. A live source never waits. What is lost is counted, and the sequence numbers go on
// over it, so that the receiver knows as well.
//
// What a receiver must know before it can read a message (templates, sampling rates, names) is
// sent before the first message that needs it: over UDP, where it may be lost, again from time to
// time; over TCP, TLS and SCTP once a connection (RFC 7011 §8.1). A connection that ends is made
// again, with pauses that grow, and the first message that was not taken whole is the next one to
// go out.
//
// Sequence numbers are those of a destination and observation domain, and of a connection.
//
// Packets of UDP are spread over time, at most 60,000 a second unless told otherwise, since
// nothing says when a receiver has no room for more.
//
// An Exporter is for one goroutine, but for Stats.
package export
