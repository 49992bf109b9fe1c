// Package transport is the endpoints of collectors and exporters: UDP, TCP, TLS
// and SCTP sockets that receive export messages or send them, and a relay that
// sends on what comes.
//
// ParseEndpoint reads what a user writes ("2055", "udp://[::1]:2055",
// "tls://:4740"). ListenUDP opens one socket for each worker; UDP.Receive hands
// out packets in batches, without an allocation for a packet. Packets of one
// source address reach one worker, so that a template is never overtaken by the
// data that needs it; UDP.BySource says whether the kernel does that. UDP.Buffer
// says how much receive buffer was granted and what to do for more, UDP.Drops how
// many packets the kernel dropped because it was full.
//
// Listen receives IPFIX by RFC 7011 over TCP, TLS and SCTP: whole messages, in
// the order of their session, with an event when a session begins and ends.
//
// Relay sends packets to other collectors as they came, if wanted with the
// original source address. It never makes its caller wait: what a target does
// not take in time is dropped and counted.
//
// Dial opens a Sender, the other end of all four: packets, or whole messages in a
// connection whose end by the receiver is noticed at once. It waits as long as the
// network does not take a message; Hurry ends that.
//
// Data in a Packet or a Message is valid only during the call that it came with.
// Addresses are never IPv4-mapped: ::ffff:192.0.2.1 is 192.0.2.1.
//
// Against hostile input: a UDP socket makes no state for a sender. A stream has
// caps on connections in all and for one peer, and on the time for a handshake,
// for silence, and for the rest of a message that has begun; its buffer grows
// with what was sent, up to 256 KiB. A length is checked before it is used, and a
// stream whose framing is lost is closed. Who may connect is asked before
// anything is kept for a connection.
//
// All methods may be called by any goroutine, but each worker number is for one
// call of UDP.Receive at a time. Elsewhere than on Linux there is one UDP worker
// that receives packet by packet, drops are unknown, and SCTP, listening by the
// name of an interface and spoofing are errors.
package transport
