package collect

import (
	"container/list"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"nfpipe/lib/flow"
	"nfpipe/lib/netflow"
	"nfpipe/lib/sflow"
	"nfpipe/lib/stream"
)

// worker decodes the packets of its exporters. Its lock is held for a batch of packets at a
// time; nobody waits for it long, and it waits for nobody but the queue.
type worker struct {
	c  *Collector
	mu sync.Mutex

	exporters map[netip.Addr]*exporter
	sessions  map[uint64]*exporter
	fresh     *list.List // of exporters, the last heard first...
	settled   *list.List // ...and of those that are not new
	sinks     map[*Source]*sink
	gone      map[*Source]Losses // of exporters that had to go
	layouts   netflow.Layouts
	refused   uint64
	now       int64

	bad, redefined uint64 // templates of exporters that had to go
}

// settleAfter is when a sender that is heard again is no longer new, in nanoseconds. New ones
// have to go first: a flood of forged senders pushes out itself.
const settleAfter = 1e9

// sink is the open batch of a source.
type sink struct {
	*flow.Sink
	source *Source
	free   chan *flow.Builder
	since  int64 // arrival of the first record
}

// exporter is a sender.
type exporter struct {
	addr    netip.Addr
	source  *Source
	sink    *sink
	netflow *netflow.Exporter
	sflow   *sflow.Exporter
	seen    Losses // at the end of the last slot
	since   int64  // when it was heard first
	settled bool
	place   *list.Element
	errors  limiter

	saved uint64 // what netflow had changed when its state was last looked at
}

func newWorker(c *Collector) *worker {
	return &worker{c: c, exporters: map[netip.Addr]*exporter{}, sessions: map[uint64]*exporter{},
		fresh: list.New(), settled: list.New(), sinks: map[*Source]*sink{}, gone: map[*Source]Losses{}}
}

// packet decodes a packet that arrived now.
func (w *worker) packet(p []byte, from netip.Addr, now int64) {
	w.now = now
	x := w.exporters[from]
	if x == nil {
		if x = w.admit(p, from); x == nil {
			return
		}
	} else {
		w.heard(x)
	}
	if x.sink.Len() == 0 {
		x.sink.since = now
	}
	if err := w.decode(x, p, now); err != nil {
		w.complain(x, err)
	}
}

// complain logs what was wrong with a packet of an exporter, a few times in a while.
func (w *worker) complain(x *exporter, err error) {
	if x.errors.allow(w.now) && w.c.errors.allow(w.now) {
		w.c.logf("%s: %v", x.addr, err)
	}
}

// heard moves an exporter to the front of its list.
func (w *worker) heard(x *exporter) {
	switch {
	case x.settled:
		w.settled.MoveToFront(x.place)
	case w.now-x.since < settleAfter:
		w.fresh.MoveToFront(x.place)
	default:
		w.fresh.Remove(x.place)
		x.place, x.settled = w.settled.PushFront(x), true
	}
}

func (w *worker) decode(x *exporter, p []byte, now int64) error {
	if isSflow(p) {
		if x.sflow == nil {
			x.sflow = sflow.NewExporter(x.addr, sflow.Config{Sink: x.sink.Sink, Tunnel: w.c.config.Tunnel, Rate: w.c.config.Rate, Force: w.c.config.Force})
		}
		return x.sflow.Decode(p, now)
	}
	if x.netflow == nil {
		x.netflow = netflow.NewExporter(x.addr, w.netflow(x, false))
		w.restore(x, now)
	}
	return x.netflow.Decode(p, now)
}

// netflow is the configuration of a decoder.
func (w *worker) netflow(x *exporter, reliable bool) netflow.Config {
	return netflow.Config{Sink: x.sink.Sink, Rate: w.c.config.Rate, Force: w.c.config.Force, Reliable: reliable, Layouts: &w.layouts,
		Lifetime: int64(w.c.config.Lifetime), Limits: w.c.config.Limits.Exporter,
		Table: func(name string, keys int, b *flow.Batch) {
			w.table(x.source, stream.Table{Name: name, Keys: keys, Batch: b})
		},
		Redefined: func(domain uint32, id uint16, before, after []flow.Elem) {
			w.complain(x, fmt.Errorf("template %d of domain %d was redefined: %s, before %s", id, domain, layout(after), layout(before)))
		}}
}

// layout is the fields of a template, each an element and its length; of many the first.
func layout(fields []flow.Elem) string {
	const most = 64
	var b strings.Builder
	for i, f := range fields[:min(len(fields), most)] {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%v(%d)", f.ID, f.Len)
	}
	if n := len(fields) - most; n > 0 {
		fmt.Fprintf(&b, " and %d more", n)
	}
	return b.String()
}

// isSflow and isNetflow look at the version of a packet: a word of sFlow, half a word of the
// others.
func isSflow(p []byte) bool {
	return len(p) >= 28 && p[0] == 0 && p[1] == 0 && p[2] == 0 && (p[3] == 2 || p[3] == 4 || p[3] == 5)
}

func isNetflow(p []byte) bool {
	return len(p) >= 16 && p[0] == 0 && (p[1] == 1 || p[1] == 5 || p[1] == 7 || p[1] == 9 || p[1] == 10)
}

// admit makes the state of a sender, if its packet is one and a source takes it.
func (w *worker) admit(p []byte, from netip.Addr) *exporter {
	if !isSflow(p) && !isNetflow(p) {
		w.refuse(from, "no NetFlow, IPFIX or sFlow")
		return nil
	}
	if !w.c.allowed(from) {
		w.refuse(from, "not allowed")
		return nil
	}
	source, err := w.c.config.Sources.find(from)
	if err != nil {
		w.refuse(from, err.Error())
		return nil
	}
	if w.c.exporters.Add(1) > int64(w.c.config.Limits.Exporters) {
		w.evict()
	}
	x := &exporter{addr: from, source: source, sink: w.sink(source), since: w.now}
	x.place = w.fresh.PushFront(x)
	w.exporters[from] = x
	return x
}

func (w *worker) refuse(from netip.Addr, why string) {
	w.refused++
	if w.c.refusals.first(from, w.now) {
		w.c.logf("%s: packets are refused: %s", from, why)
	}
}

// evict forgets the exporter heard least recently, if there is one: those of other workers stay.
func (w *worker) evict() {
	from := w.fresh
	if from.Len() == 0 {
		from = w.settled
	}
	if from.Len() == 0 {
		return
	}
	x := from.Remove(from.Back()).(*exporter)
	delete(w.exporters, x.addr)
	w.c.exporters.Add(-1)
	w.addGone(x)
}

// addGone keeps what an exporter lost when its state goes.
func (w *worker) addGone(x *exporter) {
	l := w.gone[x.source]
	l.add(x.unseen())
	w.gone[x.source] = l
	if x.netflow != nil {
		w.bad += x.netflow.Stats.BadTemplates
		w.redefined += x.netflow.Stats.Redefined
	}
}

// unseen is what an exporter has sent and lost in this slot.
func (x *exporter) unseen() Losses {
	now := x.losses()
	return now.minus(x.seen)
}

// losses is what an exporter has sent and lost so far.
func (x *exporter) losses() Losses {
	var l Losses
	if x.netflow != nil {
		s := &x.netflow.Stats
		l = Losses{s.Messages, s.Bad, s.Gaps, s.LostRecords + s.LostMessages, s.Unknown, s.Clamped}
	}
	if x.sflow != nil {
		s := x.sflow.Stats()
		l.add(Losses{Packets: s.Datagrams, Bad: s.Bad, Gaps: s.Gaps, Lost: s.LostDatagrams})
	}
	return l
}

// sink is the open batch of a source in this worker.
func (w *worker) sink(source *Source) *sink {
	s := w.sinks[source]
	if s == nil {
		s = &sink{source: source, free: make(chan *flow.Builder, 4)}
		s.Sink = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
			w.c.queue.put(&job{source: source, builder: b, free: s.free})
			s.since = w.now
			select {
			case b := <-s.free:
				return b
			default:
				return flow.NewBuilder()
			}
		})
		w.sinks[source] = s
	}
	return s
}

// flush gives away the batches whose first record arrived before a time.
func (w *worker) flush(before int64) {
	for _, s := range w.sinks {
		if s.Len() > 0 && s.since < before {
			s.Flush()
		}
	}
}

// table takes a side table into those of the source, and stores it if it says something new.
func (w *worker) table(source *Source, t stream.Table) {
	source.mu.Lock()
	before := source.tables.Changes()
	err := source.tables.Add(t)
	changed := source.tables.Changes() != before
	source.mu.Unlock()
	if err != nil {
		if w.c.errors.allow(w.now) {
			w.c.logf("%s: options data: %v", source.Ident, err)
		}
		return
	}
	if !changed {
		return
	}
	var copied stream.Tables // the batch is gone when this returns
	if err := copied.Add(t); err == nil {
		for _, c := range copied.All() {
			w.c.queue.put(&job{source: source, what: taskTable, table: c})
		}
	}
}

// slot adds what each source lost since it was last asked.
func (w *worker) slot(into map[*Source]Losses) {
	for source, l := range w.gone {
		t := into[source]
		t.add(l)
		into[source] = t
	}
	clear(w.gone)
	w.each(func(x *exporter) {
		t, l := into[x.source], x.unseen()
		t.add(l)
		into[x.source] = t
		x.seen.add(l)
	})
}

func (w *worker) each(do func(*exporter)) {
	for _, x := range w.exporters {
		do(x)
	}
	for _, x := range w.sessions {
		do(x)
	}
}
