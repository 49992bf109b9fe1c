// Package aggregate groups, sums, ranks and sorts flow records: batches in, batches out.
//
// A Table holds one row a group. The key is any list of fields; an absent value is a value of
// its own, different from zero, and an IPv4 address never equals an IPv6 address. A group sums
// packets, bytes and flows (a record without a count is one flow), scaled by the sampling rate,
// keeps the first start and the last end, and on request the counters of the other direction,
// the TCP flags seen and the type of service of its earliest record. Sums stop at the largest
// number. Table.Batches gives the groups back as ordinary batches, so that whatever handles
// records handles groups, and aggregating them again by the same key changes nothing.
//
// A Ranker sorts records by an order, all of them or the best n.
//
// Results do not depend on how records were divided into batches or spread over goroutines:
// equal ranks are ordered by key, and groups without an order by their start, then key. Of
// keys, the sets of fields that are present are compared first (absent before IPv4 before
// IPv6, field by field), then the values.
//
// Memory grows with the number of groups and stops at the limit of the Spec with an error.
// Hashes are seeded anew in every process, so that records cannot be made to collide.
//
// Table.Add and Ranker.Add may be called by several goroutines, each with a batch of its own;
// nothing else may run at the same time.
package aggregate
