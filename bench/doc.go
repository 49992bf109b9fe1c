// Command bench measures the tools of this project beside the peers that are installed
// (nfdump, nfpcapd, softflowd), on the same records and packets, and checks that the answers agree.
//
//	go run ./bench                      1 M records, 1 M packets, every query, 3 runs each
//	go run ./bench -n 10000000          the run whose numbers are worth quoting
//	go run ./bench --only csv --runs 5  the queries whose name matches
//	go run ./bench --only live --live 30  collectors under load, for half a minute each
//	go run ./bench gen -n 1000000       only make the data, report its shape, sizes and encoding time
//
// The data is made from a seed and kept under .bench/ until the parameters or the generator change.
// It is not shaped to be easy for a columnar format: bytes are drawn packet by packet and summed, what a
// router derives from a prefix (AS, mask, interface, next hop) has 2 % exceptions drawn at random for each
// column, and records come in the order of an exporter that scans its cache, not of their start.
//
// Beside it stands what a record of real captures takes, where ../shared/data with the test data is beside the
// checkout.
//
// The rows are there as export packets as well: what nfcap makes of the capture is held against them, record by record.
// Then the packets go to nfcap and to nfcapd over loopback, in turn and at several rates, from a sender in this
// process that shares the processors with them; each is ended when its sockets are empty, and its own reader counts
// what is in its files. What else ran on the machine is said, for it takes from the collector. Packets that the kernel
// dropped are a result; a record that reached nfcap and is in no file, or twice, is a failure.
//
// Each command line runs by sh -c, so that every process start counts. CPU time is what wait4 reports of the
// shell and all that it reaped. Peak memory is the sum over the processes of a pipeline of their peak resident
// sets; it is taken in the warm-up run, whose output is the one compared, so that watching costs no timed run.
//
// The exit code is 0 when all answers agree, 1 when one differs or a command fails, 2 for wrong usage.
package main
