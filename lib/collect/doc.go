// Package collect is the engine of nfcap: export packets in, frames of records out.
//
// A packet is decoded by the worker that received it, into the open batch of its source; the
// worker of an exporter is always the same, so that its templates are there. What a worker gives
// away, full batches or those that are a second old, is encoded by other goroutines and stored
// by one, in the order in which it came. So a slow disk or the end of a slot never holds up
// receiving, until the memory for what waits is spent.
//
// Exporters are known by their address. State for one exists only after a packet of a known
// version came from an address that a source takes. When there are too many, the one heard least
// recently goes, those first that were never heard again. Templates, samplers and side tables are
// kept in a file beside the records, so that a restart loses nothing.
//
// Losses are counted by source: gaps in sequence numbers, data without a template, damaged
// packets. A record counts as stored when its store says so.
package collect
