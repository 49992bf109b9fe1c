package aggregate

// dense sums rows up by the codes of their dictionaries before they go into the table, where
// that leaves far fewer of them: each entry is then hashed once a batch, not once a record.
type dense struct {
	sums  []uint64 // of each code, what an entry has before its key
	seen  []uint8
	codes []uint16
	rows  []int32
}

const maxDense = 1 << 16

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
	codes := d.combine(w.keys, rows, w.whole)
	if cap(d.sums) < product*t.fixed {
		d.sums = make([]uint64, product*t.fixed)
	}
	if cap(d.seen) < product {
		d.seen = make([]uint8, product)
	}
	sums, seen := d.sums[:product*t.fixed], d.seen[:product]
	clear(seen)
	if w.in.opackets == nil && w.in.marks == nil {
		w.sumPlain(sums, seen, codes, rows, t.fixed)
	} else {
		t.sumExtra(w, sums, seen, codes, rows)
	}
	return w.unfold(product, t.fixed)
}

// sumPlain adds rows up by code that have nothing but the first five counters of an entry of n
// words.
func (w *work) sumPlain(sums []uint64, seen []uint8, codes []uint16, rows []int32, n int) {
	packets, bytes, flows, first, last := w.in.packets, w.in.bytes, w.in.flows, w.in.first, w.in.last
	codes = codes[:len(rows)]
	for j, r := range rows {
		c := int(codes[j])
		a := (*[5]uint64)(sums[c*n:])
		if seen[c] == 0 {
			seen[c] = 1
			for k := 5; k < n; k++ {
				sums[c*n+k] = 0
			}
			a[0], a[1], a[2], a[3], a[4] = packets[r], bytes[r], flows[r], first[r], last[r]
			continue
		}
		a[0] = saturated(a[0], packets[r])
		a[1] = saturated(a[1], bytes[r])
		a[2] = saturated(a[2], flows[r])
		a[3] = min(a[3], first[r])
		a[4] = max(a[4], last[r])
	}
}

// sumExtra does the same with all that a table may keep.
func (t *Table) sumExtra(w *work, sums []uint64, seen []uint8, codes []uint16, rows []int32) {
	var x [8]uint64
	in := &w.in
	n := t.fixed
	for j, r := range rows {
		x[0], x[1], x[2], x[3], x[4] = in.packets[r], in.bytes[r], in.flows[r], in.first[r], in.last[r]
		if in.opackets != nil {
			x[5], x[6] = in.opackets[r], in.obytes[r]
		}
		if in.marks != nil {
			x[n-1] = in.marks[r]
		}
		c := int(codes[j])
		e := sums[c*n : c*n+n]
		if seen[c] == 0 {
			seen[c] = 1
			copy(e, x[:n])
			continue
		}
		t.addExtra(e, x[:n])
	}
}

// combine numbers the combination of entries of each row, the first column highest.
// If the rows are the whole batch, the codes of a single column serve as they are.
func (d *dense) combine(keys []keyColumn, rows []int32, whole bool) []uint16 {
	var coded []*keyColumn
	for i := range keys {
		if keys[i].codes != nil {
			coded = append(coded, &keys[i])
		}
	}
	if len(coded) == 1 && whole && len(rows) == len(coded[0].codes) {
		return coded[0].codes
	}
	if cap(d.codes) < len(rows) {
		d.codes = make([]uint16, max(len(rows), 1<<12))
	}
	out := d.codes[:len(rows)]
	if len(coded) == 0 {
		clear(out)
		return out
	}
	for i, k := range coded {
		if i == 0 {
			for j, r := range rows {
				out[j] = k.codes[r]
			}
			continue
		}
		n := uint16(len(k.state))
		for j, r := range rows {
			out[j] = out[j]*n + k.codes[r]
		}
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
			out[j] = d.sums[int(c)*fixed+at]
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
