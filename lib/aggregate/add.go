package aggregate

import (
	"nfpipe/lib/flow"
)

// choose lists the rows that count.
func (w *work) choose(b *flow.Batch) {
	w.rows = w.rows[:0]
	w.whole = b.Sel == nil
	if b.Sel != nil {
		w.rows = b.Sel.Rows(w.rows)
		return
	}
	for i := range int32(b.N) {
		w.rows = append(w.rows, i)
	}
}

// count adds the rows, which stand for all that count, to the totals.
func (t *Table) count(w *work, rows []int32) {
	s := Totals{Records: uint64(len(w.rows)), First: ^uint64(0)}
	in := &w.in
	for _, r := range rows {
		s.Flows = saturated(s.Flows, in.flows[r])
		s.Packets = saturated(s.Packets, in.packets[r])
		s.Bytes = saturated(s.Bytes, in.bytes[r])
		s.First = min(s.First, in.first[r])
		s.Last = max(s.Last, in.last[r])
	}
	if in.opackets != nil {
		for _, r := range rows {
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
		rows := t.condense(w, w.rows)
		t.count(w, rows)
		return t.addKeys(w, rows)
	}
	t.count(w, w.rows)
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
	w.keys[several] = none()
	return t.addRows(w, rest)
}

// addRows counts rows under the keys of w. It may change w.in and w.keys.
func (t *Table) addRows(w *work, rows []int32) error {
	if len(rows) == 0 {
		return nil
	}
	return t.addKeys(w, t.condense(w, rows))
}

// addKeys counts rows class by class.
func (t *Table) addKeys(w *work, rows []int32) error {
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
	size := 1 + t.fixed + c.words
	if cap(w.records) < size*len(rows) {
		w.records = make([]uint64, size*stretch)
	}
	w.scatter(c, &ends, size, rows, t.out)
	begin := int32(0)
	for s := range shards {
		if end := ends[s]; end > begin {
			if err := t.insert(w, c, &c.shards[s], w.records[int(begin)*size:int(end)*size], size); err != nil {
				return err
			}
			begin = end
		}
	}
	return nil
}

// scatter writes each row as a record, its hash and then what an entry has, to the part of
// w.records that belongs to its shard; ends has where those begin, and then where they end.
// What follows reads one stretch of memory instead of a dozen.
func (w *work) scatter(c *class, ends *[shards + 1]int32, size int, rows []int32, out bool) {
	in := &w.in
	records := w.records[:size*len(rows)]
	packets, bytes, flows, first, last := in.packets, in.bytes, in.flows, in.first, in.last
	hashes := w.hashes[:len(rows)]
	for j, r := range rows {
		h := hashes[j]
		s := h >> (64 - shardBits)
		at := int(ends[s]) * size
		ends[s]++
		rec := records[at : at+size : at+size]
		a := (*[6]uint64)(rec)
		a[0], a[1], a[2], a[3], a[4], a[5] = h, packets[r], bytes[r], flows[r], first[r], last[r]
		if in.opackets != nil {
			rec[6], rec[7] = in.opackets[r], in.obytes[r]
		} else if out {
			rec[6], rec[7] = 0, 0
		}
		if in.marks != nil {
			rec[c.key] = in.marks[r]
		}
		key := rec[1+c.key:]
		//lint:ignore S1001 a call of memmove costs more than a word or two
		for k, x := range w.words[j*c.words : (j+1)*c.words] {
			key[k] = x
		}
	}
}
