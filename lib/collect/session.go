package collect

import (
	"net/netip"
	"time"

	"nfpipe/lib/netflow"
)

// Sessions are connections of IPFIX (RFC 7011 §10.4): each has templates of its own, which end
// with it. They share a worker.

// Message decodes a message of a session.
func (c *Collector) Message(session uint64, p []byte, from netip.Addr, arrived int64) {
	w := c.workers[0]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = arrived
	c.packets.Add(1)
	x := w.sessions[session]
	if x == nil {
		source, err := c.config.Sources.find(from)
		if err != nil || !c.allowed(from) {
			w.refuse(from, "not allowed")
			return
		}
		x = &exporter{addr: from, source: source, sink: w.sink(source)}
		x.netflow = netflow.NewExporter(from, w.netflow(x, true))
		w.sessions[session] = x
	}
	if x.sink.Len() == 0 {
		x.sink.since = arrived
	}
	if err := x.netflow.Decode(p, arrived); err != nil {
		w.complain(x, err)
	}
}

// Complain logs what was wrong with a sender, a few times in a while.
func (c *Collector) Complain(format string, a ...any) {
	if c.errors.allow(time.Now().UnixNano()) {
		c.logf(format, a...)
	}
}

// EndSession forgets a session.
func (c *Collector) EndSession(session uint64) {
	w := c.workers[0]
	w.mu.Lock()
	defer w.mu.Unlock()
	if x := w.sessions[session]; x != nil {
		delete(w.sessions, session)
		w.addGone(x)
	}
}
