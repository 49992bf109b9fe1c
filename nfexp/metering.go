package main

import (
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
)

// metering makes batches of records of packets.
type metering struct {
	m     *meter.Meter
	cols  *meter.Columns
	since time.Time // the oldest record in cols was made
	write func(*flow.Batch) error
	tell  func(*meter.Record) // nil: nobody is told of records
	err   error               // of write

	unnumbered bool // records have no interface
}

// newMetering meters what comes by an interface; 0 is that of each packet, if it has one.
func newMetering(c *config, index int, write func(*flow.Batch) error) *metering {
	o := meter.ColumnOptions{MAC: c.mac, Sample: c.meter.Sample, Interface: uint32(index), MaxLabels: c.labels}
	if c.labels == 0 {
		o.MaxLabels = -1
	}
	g := &metering{cols: meter.NewColumns(o), write: write, unnumbered: c.index == 0}
	g.m = meter.New(c.meter, g.record)
	return g
}

func (g *metering) record(r *meter.Record) {
	if g.tell != nil {
		g.tell(r)
	}
	if g.unnumbered {
		r.Interface = 0
	}
	if g.cols.Len() == 0 {
		g.since = time.Now()
	}
	for g.err == nil && !g.cols.Add(r) {
		g.flush()
	}
}

// add meters packets.
func (g *metering) add(ps []packet.Packet) error {
	g.m.Add(ps)
	return g.err
}

// flush writes the records that there are.
func (g *metering) flush() {
	if g.cols.Len() == 0 || g.err != nil {
		return
	}
	b := g.cols.Batch()
	g.err = g.write(b)
	b.Release()
	g.cols.Reset()
}

// finish writes the flows in the cache, as at the end of the packets.
func (g *metering) finish() error {
	g.m.Flush()
	g.flush()
	return g.err
}
