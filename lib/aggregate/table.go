package aggregate

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// DefaultMemory bounds a table whose Spec names no limit.
const DefaultMemory = 8 << 30

// Spec says what a table keeps.
type Spec struct {
	Keys   []Key
	Out    bool  // sums packets and bytes of the other direction too
	Flags  bool  // joins TCP flags, unless they are in the key
	TOS    bool  // keeps the type of service of the earliest record, unless it is in the key
	Memory int64 // bytes that groups may take; 0: DefaultMemory

	// Alloc, if not nil, gives zeroed memory for the groups, by the dozen of MiB. It is for
	// callers that can have large pages.
	Alloc func(words int) []uint64
}

// Table is a set of groups.
type Table struct {
	spec    Spec
	sources []source
	out     bool
	marks   bool
	fixed   int // words of an entry before its key
	either  int // sides of a record that count, 1 if each counts once

	seedA, seedB uint64
	memory       atomic.Int64
	saw          atomic.Uint32
	strings      interner
	arena        arena

	mu      sync.RWMutex
	classes map[uint64]*class

	sums struct {
		sync.Mutex
		Totals
	}
	pool sync.Pool
}

// Counters that some record had.
const (
	sawPackets = 1 << iota
	sawBytes
	sawOPackets
	sawOBytes
)

// Totals is what all records that were added sum up to, each counted once.
type Totals struct {
	Records, Flows, Packets, Bytes uint64
	OutPackets, OutBytes           uint64 // of tables with Spec.Out
	First, Last                    uint64 // 0 and 0 when no record has a time
}

// New returns an empty table.
func New(s Spec) (*Table, error) {
	if len(s.Keys) == 0 {
		return nil, fmt.Errorf("no fields to aggregate by")
	}
	sources, err := compile(s.Keys)
	if err != nil {
		return nil, err
	}
	if s.Memory <= 0 {
		s.Memory = DefaultMemory
	}
	t := &Table{sources: sources, out: s.Out, either: 1, fixed: 5,
		seedA: rand.Uint64(), seedB: rand.Uint64() | 1, classes: map[uint64]*class{}}
	for i := range sources {
		if n := len(sources[i].fields); n > 1 {
			if t.either > 1 {
				return nil, fmt.Errorf("%s: only one field of several values can be ranked at a time", sources[i].name)
			}
			t.either = n
		}
		switch sources[i].v4 {
		case flagsField.Elements[0]:
			s.Flags = false
		case tosField.Elements[0]:
			s.TOS = false
		}
	}
	if t.out {
		t.fixed += 2
	}
	if t.marks = s.Flags || s.TOS; t.marks {
		t.fixed++
	}
	t.spec = s
	t.strings.memory = &t.memory
	t.arena.alloc = s.Alloc
	t.pool.New = func() any { return new(work) }
	return t, nil
}

// Fields lists the fields of a record that the table reads.
func (t *Table) Fields() []*ie.Field {
	out := []*ie.Field{packetsField, bytesField, flowsField, firstField, lastField}
	for i := range t.sources {
		out = append(out, t.sources[i].fields...)
		if m := t.sources[i].mask; m != nil {
			out = append(out, m)
		}
	}
	if t.out {
		out = append(out, opacketsField, obytesField)
	}
	if t.spec.Flags {
		out = append(out, flagsField)
	}
	if t.spec.TOS {
		out = append(out, tosField)
	}
	return out
}

// Totals sums up all records added.
func (t *Table) Totals() Totals { return t.sums.Totals }

// Groups is the number of groups.
func (t *Table) Groups() int {
	n := 0
	for _, c := range t.classes {
		for i := range c.shards {
			n += c.shards[i].n
		}
	}
	return n
}

// Memory is the number of bytes that the groups take.
func (t *Table) Memory() int64 { return t.memory.Load() }

// charge accounts for memory about to be taken.
func (t *Table) charge(n int) error {
	if t.memory.Add(int64(n)) > t.spec.Memory {
		return t.full()
	}
	return nil
}

func (t *Table) full() error {
	return fmt.Errorf("the groups need more than %d MiB of memory: aggregate by fewer fields or shorter prefixes, filter first, or raise the limit",
		t.spec.Memory>>20)
}

// Add counts the selected records of b. After an error the table is of no use.
func (t *Table) Add(b *flow.Batch) error {
	if b.N == 0 {
		return nil
	}
	if err := mergeable(b); err != nil {
		return err
	}
	w := t.pool.Get().(*work)
	defer t.pool.Put(w)
	w.used, w.used16 = 0, 0
	if err := t.load(w, b); err != nil {
		return err
	}
	w.select_(b)
	t.count(w)
	return t.addSides(w, b)
}

// mergeable refuses results that say nothing about the records that they stand for.
func mergeable(b *flow.Batch) error {
	for i := range b.Cols {
		if id := b.Cols[i].Key.ID; !id.Mergeable() {
			return fmt.Errorf("records have %s, which cannot be aggregated again: aggregate the original records", id)
		}
	}
	return nil
}

// select_ lists the rows that count.
func (w *work) select_(b *flow.Batch) {
	w.rows = w.rows[:0]
	if b.Sel != nil {
		w.rows = b.Sel.Rows(w.rows)
		return
	}
	for i := range int32(b.N) {
		w.rows = append(w.rows, i)
	}
}

// count adds the rows to the totals.
func (t *Table) count(w *work) {
	s := Totals{Records: uint64(len(w.rows)), First: ^uint64(0)}
	in := &w.in
	for _, r := range w.rows {
		s.Flows = saturated(s.Flows, in.flows[r])
		s.Packets = saturated(s.Packets, in.packets[r])
		s.Bytes = saturated(s.Bytes, in.bytes[r])
		s.First = min(s.First, in.first[r])
		s.Last = max(s.Last, in.last[r])
	}
	if in.opackets != nil {
		for _, r := range w.rows {
			s.OutPackets = saturated(s.OutPackets, in.opackets[r])
			s.OutBytes = saturated(s.OutBytes, in.obytes[r])
		}
	}
	t.sums.Lock()
	defer t.sums.Unlock()
	o := &t.sums.Totals
	if s.First != ^uint64(0) && (o.First == 0 || s.First < o.First) {
		o.First = s.First
	}
	o.Last = max(o.Last, s.Last)
	o.Records = saturated(o.Records, s.Records)
	o.Flows = saturated(o.Flows, s.Flows)
	o.Packets = saturated(o.Packets, s.Packets)
	o.Bytes = saturated(o.Bytes, s.Bytes)
	o.OutPackets = saturated(o.OutPackets, s.OutPackets)
	o.OutBytes = saturated(o.OutBytes, s.OutBytes)
}

// addSides counts each record once, or under each of the values that a field like ip stands
// for. A record that has two equal ones counts twice, as nfdump 1.7.1 has it (a packet from
// 127.0.0.1 to itself: 2 flows, 200 %), so that a share reads alike for all hosts. A record
// that has none of them counts once, as absent; nfdump counts it under 0 for each side.
func (t *Table) addSides(w *work, b *flow.Batch) error {
	w.keys = w.keys[:0]
	several := -1
	for i := range t.sources {
		s := &t.sources[i]
		k, err := t.keyColumn(w, b, s, s.fields[0])
		if err != nil {
			return err
		}
		if len(s.fields) > 1 {
			several = i
		}
		w.keys = append(w.keys, k)
	}
	if several < 0 {
		return t.addRows(w, w.rows)
	}
	s := &t.sources[several]
	sides := []keyColumn{w.keys[several]}
	for _, f := range s.fields[1:] {
		k, err := t.keyColumn(w, b, s, f)
		if err != nil {
			return err
		}
		sides = append(sides, k)
	}
	counted := flow.NewBitmap(b.N)
	in := w.in
	keys := append([]keyColumn(nil), w.keys...)
	for i := range sides {
		side := &sides[i]
		rows := w.rows
		if !side.same || side.which == absent {
			rows = rows[:0:0]
			for _, r := range w.rows {
				if side.of(r) != absent {
					rows = append(rows, r)
				}
			}
		}
		for _, r := range rows {
			counted.Set(int(r))
		}
		w.in = in
		w.keys = append(w.keys[:0], keys...)
		w.keys[several] = *side
		if err := t.addRows(w, rows); err != nil {
			return err
		}
	}
	var rest []int32
	for _, r := range w.rows {
		if !counted.Get(int(r)) {
			rest = append(rest, r)
		}
	}
	w.in = in
	w.keys = append(w.keys[:0], keys...)
	w.keys[several] = keyColumn{state: []uint8{absent}, hi: []uint64{0}, lo: []uint64{0}, same: true}
	return t.addRows(w, rest)
}

// addRows counts rows under the keys of w. It may change w.in and w.keys.
func (t *Table) addRows(w *work, rows []int32) error {
	if len(rows) == 0 {
		return nil
	}
	rows = t.condense(w, rows)
	if w.classify(rows) == 1 {
		return t.addClass(w, w.local[0], rows)
	}
	begin := int32(0)
	for i, end := range w.byClass(rows) {
		if err := t.addClass(w, w.local[i], w.perm[begin:end]); err != nil {
			return err
		}
		begin = end
	}
	return nil
}

// class is the class of a code, made when it is new.
func (t *Table) class(code uint64) (*class, error) {
	t.mu.RLock()
	c := t.classes[code]
	t.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c = t.classes[code]; c == nil {
		if err := t.charge(shards * 128); err != nil {
			return nil, err
		}
		c = t.newClass(code)
		t.classes[code] = c
	}
	return c, nil
}

// stretch is how many rows are packed, hashed and inserted at a time: what they need stays in
// the processor's cache.
const stretch = 1 << 13

// addClass counts rows of one class.
func (t *Table) addClass(w *work, code uint64, rows []int32) error {
	c, err := t.class(code)
	if err != nil {
		return err
	}
	for len(rows) > 0 {
		n := min(len(rows), stretch)
		if err := t.addStretch(w, c, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// addStretch counts rows shard by shard.
func (t *Table) addStretch(w *work, c *class, rows []int32) error {
	t.pack(w, c, rows)
	var ends [shards + 1]int32
	for _, h := range w.hashes {
		ends[h>>(64-shardBits)+1]++
	}
	for s := range shards {
		ends[s+1] += ends[s]
	}
	order := w.order[:len(rows)]
	for j, h := range w.hashes {
		s := h >> (64 - shardBits)
		order[ends[s]] = int32(j)
		ends[s]++
	}
	begin := int32(0)
	for s := range shards {
		if end := ends[s]; end > begin {
			if err := t.insert(w, c, &c.shards[s], rows, order[begin:end]); err != nil {
				return err
			}
			begin = end
		}
	}
	return nil
}
