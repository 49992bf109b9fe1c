package aggregate

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Ranker orders single records, the best n or all. Records of equal rank stay in the order in
// which they came.
type Ranker struct {
	order  Order
	n      int
	limit  int64
	memory atomic.Int64
	worst  atomic.Uint64 // value that a record must not exceed

	mu   sync.Mutex
	heap []record
	held map[int]*flow.Batch // copies, by sequence number
	all  map[int][]uint64    // without a limit: the values of their rows
	rows int                 // of them all
	pool sync.Pool
}

// record is a row of a held batch.
type record struct {
	value uint64
	seq   int // of the batch
	at    int32
	row   int32 // in the copy
}

func (a record) compare(b record) int {
	return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.seq, b.seq), cmp.Compare(a.at, b.at))
}

// NewRanker returns a ranker of the first n records by o, of all if n is 0, that takes at most
// memory bytes (0: DefaultMemory).
func NewRanker(o Order, n int, memory int64) *Ranker {
	if memory <= 0 {
		memory = DefaultMemory
	}
	r := &Ranker{order: o, n: n, limit: memory, held: map[int]*flow.Batch{}, all: map[int][]uint64{}}
	r.worst.Store(math.MaxUint64)
	r.pool.New = func() any { return new(work) }
	return r
}

// Add ranks the selected records of b, whose place in the input is seq: another number for
// each batch. Nothing of b is kept; it may be released.
func (r *Ranker) Add(b *flow.Batch, seq int) error {
	if b.N == 0 || r.n > 0 && r.hopeless(b) {
		return nil
	}
	w := r.pool.Get().(*work)
	defer r.pool.Put(w)
	w.used = 0
	w.choose(b)
	values, err := r.values(w, b)
	if err != nil {
		return err
	}
	if r.n == 0 {
		return r.keep(b, seq, w.rows, values)
	}
	list := r.candidates(w.rows, values, seq)
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		list[i].row = int32(i)
	}
	copied, err := copyOf(b, list)
	if err != nil {
		return err
	}
	return r.merge(copied, seq, list)
}

// candidates are the rows that may be among the best n.
func (r *Ranker) candidates(rows []int32, values []uint64, seq int) []record {
	var list []record
	worst := r.worst.Load()
	for _, row := range rows {
		if values[row] <= worst {
			list = append(list, record{values[row], seq, row, 0})
		}
	}
	if len(list) > r.n {
		slices.SortFunc(list, record.compare)
		list = list[:r.n]
		slices.SortFunc(list, func(a, b record) int { return cmp.Compare(a.at, b.at) })
	}
	return list
}

// keep holds all the rows.
func (r *Ranker) keep(b *flow.Batch, seq int, rows []int32, values []uint64) error {
	list := make([]record, len(rows))
	kept := make([]uint64, len(rows))
	for i, row := range rows {
		list[i].at = row
		kept[i] = values[row]
	}
	if len(rows) == 0 {
		return nil
	}
	copied, err := copyOf(b, list)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[seq], r.all[seq] = copied, kept
	r.rows += len(rows)
	return r.charge(size(copied) + 40*int64(len(rows))) // with what sorting takes
}

// values is the rank of each record.
func (r *Ranker) values(w *work, b *flow.Batch) ([]uint64, error) {
	in := counterColumns{}
	for _, c := range []struct {
		f       *ie.Field
		missing int
		to      *[]uint64
	}{
		{packetsField, 0, &in.packets}, {bytesField, 0, &in.bytes}, {flowsField, 1, &in.flows}, {firstField, 2, &in.first},
		{lastField, 0, &in.last}, {opacketsField, 0, &in.opackets}, {obytesField, 0, &in.obytes},
	} {
		var v flow.View
		if slices.Contains(r.order.Fields(), c.f) {
			var err error
			if v, err = b.Scaled(c.f); err != nil {
				return nil, err
			}
		}
		var err error
		if *c.to, err = w.numbers(&v, c.missing, b.N); err != nil {
			return nil, fmt.Errorf("field %s: %w", c.f.Name, err)
		}
	}
	out := w.buffer(b.N)
	for i := range out {
		n := counters{in.packets[i], in.bytes[i], in.flows[i], in.first[i], in.last[i], in.opackets[i], in.obytes[i]}
		out[i] = r.order.value(&n)
	}
	return out, nil
}

// hopeless tells from the bounds of the encoded columns that no record of b ranks high
// enough, so that nothing needs to be decoded.
func (r *Ranker) hopeless(b *flow.Batch) bool {
	worst := r.worst.Load()
	if worst == math.MaxUint64 || b.Sampled() || r.order.Ascending {
		return false
	}
	switch r.order.By {
	case Flows, Packets, Bytes, Last:
	default:
		return false
	}
	best := uint64(1) // flows of a record without a count
	sum := uint64(0)
	for _, f := range r.order.Fields() {
		if r.order.By == Last && f != lastField {
			continue
		}
		high := uint64(0)
		for _, key := range flow.KeysOf(f) {
			i := b.Find(key)
			if i < 0 {
				continue
			}
			if !b.Cols[i].Encoded() || b.Cols[i].Block.Kind != column.Int {
				return false
			}
			high = max(high, b.Cols[i].Block.Hi.Lo)
		}
		sum = saturated(sum, high)
	}
	return ^max(best, sum) > worst
}

// copyOf is an encoded copy of the listed rows of b, which ascend.
func copyOf(b *flow.Batch, list []record) (*flow.Batch, error) {
	from := *b
	from.Cols = slices.Clone(b.Cols)
	if len(list) < b.N {
		from.Sel = flow.NewBitmap(b.N)
		for i := range list {
			from.Sel.Set(int(list[i].at))
		}
		few, err := from.Compact()
		if err != nil {
			return nil, err
		}
		defer few.Release()
		from = *few
	}
	out := &flow.Batch{N: from.N, Shapes: slices.Clone(from.Shapes)}
	codes, err := from.ShapeCodes()
	if err != nil {
		return nil, err
	}
	out.Codes = flow.Column{Block: column.Encode(codes), Ref: -1}
	for i := range from.Cols {
		c := flow.Column{Key: from.Cols[i].Key, Ref: -1}
		if err := from.Cols[i].Load(); err != nil {
			return nil, err
		}
		if b := &from.Cols[i]; b.Encoded() && b.Ref < 0 {
			c.Block = b.Block
			c.Block.Data = bytes.Clone(b.Block.Data)
		} else {
			v, err := from.Vec(i)
			if err != nil {
				return nil, err
			}
			c.Block = column.Encode(v)
		}
		out.Cols = append(out.Cols, c)
	}
	return out, out.Link()
}

func size(b *flow.Batch) int64 {
	n := int64(len(b.Codes.Block.Data)) + 256
	for i := range b.Cols {
		n += int64(len(b.Cols[i].Block.Data)) + 256
	}
	return n
}

func (r *Ranker) charge(n int64) error {
	if r.memory.Add(n) > r.limit {
		return fmt.Errorf("the records to sort need more than %d MiB of memory: filter first, ask for the first ones only (-n), or raise the limit", r.limit>>20)
	}
	return nil
}

// merge puts the rows of one batch among the others.
func (r *Ranker) merge(copied *flow.Batch, seq int, list []record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.charge(size(copied) + 24*int64(len(list))); err != nil {
		return err
	}
	r.held[seq] = copied
	r.rows += copied.N
	r.heap = append(r.heap, list...)
	// Sorting now and then is as good as a heap, and simpler.
	if len(r.heap) > r.n+r.n/2 || len(r.heap) >= r.n && r.worst.Load() == math.MaxUint64 {
		return r.cut()
	}
	return nil
}

// cut keeps the best n, and makes the copies small again when most of what they hold is out.
func (r *Ranker) cut() error {
	if r.n == 0 {
		return nil
	}
	slices.SortFunc(r.heap, record.compare)
	r.charge(-24 * int64(len(r.heap)-min(len(r.heap), r.n)))
	r.heap = r.heap[:min(len(r.heap), r.n)]
	if len(r.heap) == r.n {
		r.worst.Store(r.heap[r.n-1].value)
	}
	if r.rows < 2*len(r.heap)+1024 {
		return nil
	}
	bySeq := map[int][]*record{}
	for i := range r.heap {
		bySeq[r.heap[i].seq] = append(bySeq[r.heap[i].seq], &r.heap[i])
	}
	r.rows = 0
	for seq, old := range r.held {
		live := bySeq[seq]
		r.charge(-size(old))
		if len(live) == 0 {
			delete(r.held, seq)
			continue
		}
		slices.SortFunc(live, func(a, b *record) int { return cmp.Compare(a.row, b.row) })
		rows := make([]record, len(live))
		for i, x := range live {
			rows[i].at = x.row
			x.row = int32(i)
		}
		fewer, err := copyOf(old, rows)
		if err != nil {
			return err
		}
		old.Release()
		r.held[seq] = fewer
		r.rows += fewer.N
		r.charge(size(fewer))
	}
	return nil
}

// Fields lists the fields that the order needs.
func (r *Ranker) Fields() []*ie.Field { return r.order.Fields() }

// Batches gives the records out in order, whole as they came. A batch is valid until yield
// returns.
func (r *Ranker) Batches(yield func(*flow.Batch) error) error {
	if err := r.cut(); err != nil {
		return err
	}
	seqs := slices.Sorted(maps.Keys(r.held))
	list, err := r.sorted(seqs)
	if err != nil {
		return err
	}
	open := make([]*opened, len(seqs))
	for i, seq := range seqs {
		if open[i], err = r.open(r.held[seq]); err != nil {
			return err
		}
	}
	return inParts(len(list), func() partFunc {
		build := flow.NewBuilder()
		return func(from, to int, yield func(*flow.Batch) error) error {
			return replay(build, open, list[from:to], yield)
		}
	}, yield)
}

// sorted lists the records in order; ref is the place in seqs of the batch, and the row in it.
func (r *Ranker) sorted(seqs []int) ([]ranked, error) {
	if r.n == 0 {
		list := make([]ranked, 0, r.rows)
		for i, seq := range seqs {
			for row, v := range r.all[seq] {
				list = append(list, ranked{v, uint64(i)<<32 | uint64(row)})
			}
		}
		sortRanked(list, make([]ranked, len(list)))
		return list, nil
	}
	list := make([]ranked, 0, len(r.heap))
	for i := range r.heap {
		at, _ := slices.BinarySearch(seqs, r.heap[i].seq)
		list = append(list, ranked{r.heap[i].value, uint64(at)<<32 | uint64(r.heap[i].row)})
	}
	return list, nil
}

// Memory is the number of bytes that the records take.
func (r *Ranker) Memory() int64 { return r.memory.Load() }
