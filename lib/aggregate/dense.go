package aggregate

// dense sums rows up by the codes of their dictionaries before they go into the table, where
// that leaves far fewer of them: each entry is then hashed once a batch, not once a record.
type dense struct {
	sums  []uint64 // eight words a code
	seen  []uint8
	codes []uint16
	rows  []int32
}

const (
	maxDense  = 1 << 16
	denseSize = 8
)

// condense replaces the rows of w by one row for each combination of dictionary entries, if
// there are few, and returns the rows to go on with.
func (t *Table) condense(w *work, rows []int32) []int32 {
	product := 1
	for i := range w.keys {
		k := &w.keys[i]
		if k.plain != nil {
			return rows
		}
		product *= len(k.state)
		if product > maxDense || 2*product > 3*len(rows) {
			return rows
		}
	}
	d := &w.dense
	codes := d.combine(w.keys, rows)
	if cap(d.sums) < product*denseSize {
		d.sums = make([]uint64, product*denseSize)
		d.seen = make([]uint8, product)
	}
	sums, seen := d.sums[:product*denseSize], d.seen[:product]
	clear(sums)
	clear(seen)
	in := &w.in
	for j, r := range rows {
		c := int(codes[j])
		e := sums[c*denseSize : c*denseSize+denseSize]
		if seen[c] == 0 {
			seen[c] = 1
			e[3] = ^uint64(0)
		}
		in.add(e, r)
	}
	return w.unfold(product, t.fixed)
}

// combine numbers the combination of entries of each row, the first column highest.
func (d *dense) combine(keys []keyColumn, rows []int32) []uint16 {
	if cap(d.codes) < len(rows) {
		d.codes = make([]uint16, max(len(rows), 1<<12))
	}
	out := d.codes[:len(rows)]
	first := true
	for i := range keys {
		k := &keys[i]
		if k.codes == nil {
			continue // one entry
		}
		if first {
			for j, r := range rows {
				out[j] = k.codes[r]
			}
			first = false
			continue
		}
		n := uint16(len(k.state))
		for j, r := range rows {
			out[j] = out[j]*n + k.codes[r]
		}
	}
	if first {
		clear(out)
	}
	return out
}

// unfold makes the sums the rows of w.
func (w *work) unfold(product, fixed int) []int32 {
	d := &w.dense
	w.perm = w.perm[:0]
	for c, s := range d.seen[:product] {
		if s != 0 {
			w.perm = append(w.perm, int32(c))
		}
	}
	n := len(w.perm)
	in := &w.in
	columns := []*[]uint64{&in.packets, &in.bytes, &in.flows, &in.first, &in.last}
	if in.opackets != nil {
		columns = append(columns, &in.opackets, &in.obytes)
	}
	if in.marks != nil {
		columns = append(columns, &in.marks)
	}
	for at, col := range columns {
		out := w.buffer(n)
		for j, c := range w.perm {
			out[j] = d.sums[int(c)*denseSize+at]
		}
		*col = out
	}
	below := 1
	for i := len(w.keys) - 1; i >= 0; i-- {
		k := &w.keys[i]
		if k.codes == nil {
			continue
		}
		size := len(k.state)
		codes := w.buffer16(n)
		for j, c := range w.perm {
			codes[j] = uint16(int(c) / below % size)
		}
		k.codes = codes
		below *= size
	}
	d.rows = d.rows[:0]
	for j := range n {
		d.rows = append(d.rows, int32(j))
	}
	return d.rows
}
