package filter

import (
	"fmt"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Match says how many records match.
type Match uint8

const (
	Some Match = iota // or not known yet
	None
	All
)

func (m Match) String() string { return [...]string{"some", "none", "all", "?"}[min(m, 3)] }

// Eval decides which records of b match. Only selected records count (b.Sel): None means that
// none of them matches, All that all of them do, and for Some the bits of those that match are
// in dst. dst has at least one bit a record and is garbage unless the answer is Some.
func (f *Filter) Eval(b *flow.Batch, dst flow.Bitmap) (Match, error) {
	if b.N == 0 {
		return None, nil
	}
	words := (b.N + 63) / 64
	if len(dst) < words {
		return None, fmt.Errorf("filter: bitmap of %d words for %d records", len(dst), b.N)
	}
	dst = dst[:words]
	e := f.evaluator()
	m, err := e.decide(f.root, b, dst)
	f.give(e)
	if err != nil {
		return None, fmt.Errorf("filter: %w", err)
	}
	return m, nil
}

// decide evaluates the filter over the selected records.
func (e *evaluator) decide(root *node, b *flow.Batch, dst flow.Bitmap) (Match, error) {
	e.begin(b)
	m := e.bounds(root)
	if m == Some {
		var err error
		if m, err = e.eval(root, dst); err != nil {
			return None, err
		}
	}
	if m != Some || b.Sel == nil {
		return m, nil
	}
	all, some := true, false
	for i, s := range b.Sel[:len(dst)] {
		all = all && s&^dst[i] == 0
		dst[i] &= s
		some = some || dst[i] != 0
	}
	switch {
	case !some:
		return None, nil
	case all:
		return All, nil
	}
	return Some, nil
}

// source is a column that carries a field for the records of some shapes.
type source struct {
	col    int
	shapes uint64
	match  Match // by the bounds of the column
	whole  bool  // all records have the column and take the field from it
	shift  uint8
	mask   uint64 // 0: no part
	scaled bool   // set is the test's, for values that are not scaled yet
	set    spans
}

// state is what an evaluator knows about one node for the batch at hand.
type state struct {
	match    Match
	computed bool     // the field is computed, not looked up in its columns
	sources  []source // of a test
	covered  uint64   // shapes that have the field
}

// evaluator is the memory of one evaluation.
type evaluator struct {
	filter *Filter
	batch  *flow.Batch
	shapes uint64 // all of the batch
	states []state
	views  []view // by slot
	free   []flow.Bitmap
	runs   []run   // entries of a dictionary that match
	table  []uint8 // by entry or by value: 1 if it matches
}

type view struct {
	flow.View
	have bool
}

func (f *Filter) evaluator() *evaluator {
	if e, ok := f.pool.Get().(*evaluator); ok {
		return e
	}
	return &evaluator{filter: f, states: make([]state, f.nodes), views: make([]view, len(f.fields)), table: make([]uint8, 1<<16)}
}

func (f *Filter) give(e *evaluator) {
	e.batch = nil
	clear(e.views)
	f.pool.Put(e)
}

func (e *evaluator) begin(b *flow.Batch) {
	e.batch = b
	e.shapes = ^uint64(0)
	if n := len(b.Shapes); n < 64 {
		e.shapes = 1<<n - 1
	}
	clear(e.views)
}

// scratch lends a bitmap for the batch, to be given back with give.
func (e *evaluator) scratch(n int) flow.Bitmap {
	words := (n + 63) / 64
	if k := len(e.free); k > 0 {
		m := e.free[k-1]
		e.free = e.free[:k-1]
		return m[:words]
	}
	return make(flow.Bitmap, flow.MaxRecords/64)[:words]
}

func (e *evaluator) give(m flow.Bitmap) { e.free = append(e.free, m[:cap(m)]) }

// eval decides a node that the bounds left open. For Some, dst has the records.
func (e *evaluator) eval(n *node, dst flow.Bitmap) (Match, error) {
	switch n.op {
	case opAny:
		return All, nil
	case opNot:
		m, err := e.eval(n.kids[0], dst)
		switch m {
		case None:
			return All, err
		case All:
			return None, err
		}
		dst.Not(e.batch.N)
		return Some, err
	case opTest:
		return e.test(n, dst)
	}
	return e.series(n, dst)
}

// series evaluates "and" and "or", until the result is known.
func (e *evaluator) series(n *node, dst flow.Bitmap) (Match, error) {
	neutral, final := All, None
	if n.op == opOr {
		neutral, final = None, All
	}
	have := false
	for i, k := range n.kids {
		if e.states[k.id].match == neutral {
			continue
		}
		if have && n.op == opAnd {
			m, done, err := e.ofFew(n.kids[i:], dst)
			if done || err != nil {
				return m, err
			}
		}
		out := dst
		if have {
			out = e.scratch(e.batch.N)
		}
		m, err := e.eval(k, out)
		if err == nil && m == Some && have {
			if n.op == opAnd {
				dst.And(out)
			} else {
				dst.Or(out)
			}
			m = tally(dst, e.batch.N)
		}
		if have {
			e.give(out)
		}
		if err != nil || m == final {
			return m, err
		}
		have = have || m == Some
	}
	if !have {
		return neutral, nil
	}
	return Some, nil
}

// test evaluates one predicate, column by column.
func (e *evaluator) test(n *node, dst flow.Bitmap) (Match, error) {
	t, st := n.test, &e.states[n.id]
	if st.computed {
		return e.computed(t, dst)
	}
	if len(st.sources) == 1 && st.sources[0].whole {
		v, err := e.batch.Vec(st.sources[0].col)
		if err == nil && v.N != e.batch.N {
			err = fmt.Errorf("%w: %d values for %d records", column.ErrCorrupt, v.N, e.batch.N)
		}
		if err != nil {
			return None, err
		}
		return e.run(t, v, &st.sources[0], dst)
	}
	clear(dst)
	for i := range st.sources {
		if err := e.partial(t, &st.sources[i], dst); err != nil {
			return None, err
		}
	}
	if t.absent {
		present, err := e.batch.Presence(st.covered)
		if err != nil {
			return None, err
		}
		orNot(dst, present, e.batch.N)
	}
	return tally(dst, e.batch.N), nil
}

// partial adds the matching records of a column that not all records have.
func (e *evaluator) partial(t *test, s *source, dst flow.Bitmap) error {
	if s.match == None {
		return nil
	}
	counted, err := e.batch.Presence(s.shapes)
	if err != nil {
		return err
	}
	if s.match == All || t.form == onPresence {
		or(dst, counted, e.batch.N)
		return nil
	}
	v, err := e.batch.Vec(s.col)
	if err != nil {
		return err
	}
	present, err := e.batch.Presence(e.batch.Cols[s.col].Shapes)
	if err != nil {
		return err
	}
	n := e.batch.N
	if present != nil {
		n = present.Count()
	}
	if v.N != n {
		return fmt.Errorf("%w: %d values for %d records", column.ErrCorrupt, v.N, n)
	}
	if n == 0 {
		return nil
	}
	compact := e.scratch(n)
	defer e.give(compact)
	m, err := e.run(t, v, s, compact)
	if err != nil || m == None {
		return err
	}
	if m == All {
		or(dst, counted, e.batch.N)
		return nil
	}
	switch {
	case present != nil:
		deposit(dst, compact, present, counted)
	case counted == nil:
		dst.Or(compact)
	default:
		for i, w := range counted {
			dst[i] |= compact[i] & w
		}
	}
	return nil
}

// computed evaluates a predicate on a field that flow computes: durations, rates, and
// counters of sampled records.
func (e *evaluator) computed(t *test, dst flow.Bitmap) (Match, error) {
	v := &e.views[t.slot]
	if !v.have {
		var err error
		if v.View, err = e.batch.Scaled(t.field); err != nil {
			return None, err
		}
		v.have = true
	}
	if v.None() {
		return None, nil
	}
	m := All
	if t.form != onPresence {
		var err error
		if m, err = e.run(t, v.Vec, &source{}, dst); err != nil {
			return None, err
		}
	}
	if v.Present == nil || m == None {
		return m, nil
	}
	if m == All {
		copy(dst, v.Present)
	} else {
		dst.And(v.Present)
	}
	return tally(dst, e.batch.N), nil
}

// resolve finds the columns that carry the field of a test: of its elements, the first that a
// shape has counts. Of a pair any that it has may match.
func (e *evaluator) resolve(t *test, st *state) {
	b := e.batch
	st.sources, st.covered, st.computed = st.sources[:0], 0, false
	if t.field.Derived {
		st.computed = true
		return
	}
	for _, id := range t.field.Elements {
		col, _ := ie.Column(id)
		open := e.shapes &^ st.covered
		for i := range b.Cols {
			if k := b.Cols[i].Key; k.ID == col && k.Occ < flow.Occurrences(col) {
				e.take(t, st, id, i, open)
			}
		}
	}
	if t.field.Kind == ie.Counter && t.form == onInts && b.Sampled() {
		for i := range st.sources {
			if !e.unscale(t, &st.sources[i]) {
				st.computed = true
			}
		}
	}
}

// take makes column i, of element id, a source of a test, for those of the open shapes that have it.
func (e *evaluator) take(t *test, st *state, id ie.ID, i int, open uint64) {
	c := &e.batch.Cols[i]
	shapes := c.Shapes & open
	if t.field.Family != ie.AnyFamily && c.Block.Kind == column.Int {
		shapes &= e.batch.Sent(c.Key, t.field.Family)
	}
	if shapes == 0 {
		return
	}
	st.covered |= shapes
	s := source{col: i, shapes: shapes, whole: shapes == e.shapes}
	if shift, width := t.field.Part(id); width > 0 && c.Block.Kind == column.Int {
		s.shift, s.mask = shift, 1<<width-1
	}
	st.sources = append(st.sources, s)
}
