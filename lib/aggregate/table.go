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
	w.used, w.used16, w.states = 0, 0, w.states[:0]
	if err := t.load(w, b); err != nil {
		return err
	}
	w.choose(b)
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
