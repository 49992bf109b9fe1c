// Package netflow decodes the export packets of NetFlow v1, v5, v7 and v9 (RFC 3954) and the
// messages of IPFIX (RFC 7011) into flow records, and makes such messages of records.
//
// An Exporter is what is known of one sender: its templates, samplers, sequence numbers, and data
// that came before its template. A template is compiled once into a program that copies the
// values of a set, column by column, into the batch that is being filled; decoding allocates
// nothing for a record. What a record gets beyond what was sent: the exporter's address, its
// observation domain, the time of arrival and the sampling rate in force.
//
// Nothing that was sent is lost. Elements that no registry knows are columns of octets, an
// element whose length does not fit its type is kept as octets under Raw, lists (RFC 6313) carry
// the templates of their content, and options data are rows of side tables. Times are absolute,
// whichever form was sent; uptimes without a known start of the clock stay as they are, and a
// time that had to be clamped stays beside as it was sent. Type and code of ICMP are elements of
// their own, wherever an exporter puts them.
//
// Every length is checked against what is left before it is used, and state has bounds (see
// Limits): the least recently used template or domain goes first. A damaged set costs itself,
// one whose length is wrong also what follows it in its message. A template that is refused
// leaves the one before it in force. A datagram has one message: what stands behind it is
// refused, but for padding.
//
// Losses are counted as sequence numbers tell, which some exporters give after a message rather
// than before it, with options data or without. What comes late is no loss, nor what came twice,
// nor data whose template is not known.
//
// An Encoder makes messages of batches: in IPFIX a template for each shape, with the elements that
// were sent, known or not, in their order and length; in NetFlow v9 the same without elements of
// enterprises and lists, strings at a fixed length that holds the longest of the batch (512 bytes at
// most); in v1 and v5 what has a place there. What a version has no room for is left out and counted
// (EncoderStats). Lists name templates of the encoder's own; they, and octets that do not fit their
// element's type and are of an enterprise, go out at variable length. One that does not parse goes
// out empty and is counted.
//
// Counters go out as they were sent, with the sampling rate announced, and scaled where it cannot
// be; those of v1 and v5 that need more than 32 bits are several records. Records that name their
// sampler (elements 48 and 302) have its rate announced under that, others that of their domain,
// again whenever it changes: messages must arrive in their order. Once a domain has had a rate,
// records without one are announced as one packet in one. Side tables are announced without rates.
//
// A biflow is one record in IPFIX (RFC 5103) and two elsewhere, the second of which has the
// endpoints exchanged and, of what belongs to one direction, what the reverse elements say. Times
// relative to the uptime are exact to the millisecond; flows too far apart for 32 bits of them do
// not share a message, and of two starts that a record has the finer goes out where only one can.
//
// Records of different exporters are of different domains, and IPFIX and v9 carry the exporter's
// address; the time of arrival is left to the next collector. Templates, rates, the start of
// metering and rows of side tables are Announcements, which messages name as what they need: who
// sends them says when, and sets the sequence numbers. Batches may be damaged; that costs an error.
package netflow
