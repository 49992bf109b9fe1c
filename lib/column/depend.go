package column

import (
	"encoding/binary"
)

// Encodings that lean on one other column of the same records. Both columns hold a value for
// the same records, in the same order.
//
//	mapped      entries, ints (which entry, for each entry of the other column),
//	            uvarint exceptions, ints positions (ascending), ints entries
//	shared      a bit for each entry of the other column: it is an entry here too; entries that
//	            it lacks; codes (of all entries in order)
//	quotient    ints quotients, bit stream of the remainders
//	difference  u8 0 (value = other + d) or 1 (value = other - d), ints d

// EncodeMapped encodes v as a function of the entries of ref, or reports that too many
// records are exceptions. ref must be a dictionary or a constant. The vector returned is v as
// it will be decoded: a dictionary, on which other columns may lean.
func EncodeMapped(v, ref *Vec) (Block, *Vec, bool) {
	if ref.Form == Plain || v.N != ref.N || v.N == 0 || v.Form == Const || v.Kind == Bytes && v.Form == Plain {
		return Block{}, nil, false
	}
	d := v
	if v.Form == Plain {
		d = toDict(v)
	}
	table := getInts(ref.Entries())
	defer putInts(table)
	majority(*table, d.Codes, ref)
	pos, exc, ok := exceptions(d.Codes, *table, ref)
	if !ok {
		return Block{}, nil, false
	}
	body := appendEntries([]byte{byte(EncMapped)}, d)
	body = appendInts(body, *table, 1)
	body = binary.AppendUvarint(body, uint64(len(pos)))
	body = appendInts(body, pos, 1)
	body = appendInts(body, exc, 1)
	return finish(d, body), d, true
}

// toDict gives an Int column its dictionary form.
func toDict(v *Vec) *Vec {
	d := &Vec{Kind: Int, Form: Dict, N: v.N, Codes: make([]uint16, v.N)}
	if lo, hi := minMax(v.Ints); hi-lo < histogramSpan {
		seen := make([]uint16, hi-lo+1) // 1, then the code
		for _, x := range v.Ints {
			seen[x-lo] = 1
		}
		for i, s := range seen {
			if s != 0 {
				seen[i] = uint16(len(d.Ints))
				d.Ints = append(d.Ints, lo+uint64(i))
			}
		}
		for i, x := range v.Ints {
			d.Codes[i] = seen[x-lo]
		}
		return d
	}
	t := newIntTable(1024)
	for i, x := range v.Ints {
		d.Codes[i] = t.code(x)
	}
	d.Ints = sortedCopy(t.keys())
	renumber := make([]uint16, len(d.Ints))
	for e, x := range d.Ints {
		c, _ := t.get(x)
		renumber[c] = uint16(e)
	}
	for i, c := range d.Codes {
		d.Codes[i] = renumber[c]
	}
	return d
}

// EncodeShared encodes the addresses of v with a dictionary that is mostly ref's. Of ref only
// the entries matter.
func EncodeShared(v, ref *Vec) (Block, bool) {
	if v.Kind != Addr || ref.Kind != Addr || v.Form != Dict || ref.Entries() == 0 {
		return Block{}, false
	}
	own := Vec{Kind: Addr}
	common := make([]byte, (ref.Entries()+7)/8)
	i := 0
	for _, a := range v.V4 {
		for i < len(ref.V4) && ref.V4[i] < a {
			i++
		}
		if i < len(ref.V4) && ref.V4[i] == a {
			common[i>>3] |= 1 << (i & 7)
		} else {
			own.V4 = append(own.V4, a)
		}
	}
	i = 0
	for _, a := range v.V6 {
		for i < len(ref.V6) && ref.V6[i].Compare(a) < 0 {
			i++
		}
		if i < len(ref.V6) && ref.V6[i] == a {
			e := len(ref.V4) + i
			common[e>>3] |= 1 << (e & 7)
		} else {
			own.V6 = append(own.V6, a)
		}
	}
	body := append([]byte{byte(EncShared)}, common...)
	body = binary.AppendUvarint(body, uint64(own.Entries()))
	body = appendAddrs(body, &own)
	return finish(v, appendCodes(body, v.Codes, v.Entries(), 0)), true
}

// sharedEntries puts a dictionary together from ref's and its own entries.
func (c *cursor) sharedEntries(b *Block, v, ref *Vec) {
	common := c.take((ref.Entries() + 7) / 8)
	var own Vec
	n := c.count(b.N, "entries")
	c.addrs(&own, n)
	if c.err != nil {
		return
	}
	has := func(e int) bool { return common[e>>3]>>(e&7)&1 != 0 }
	j := 0
	for e, a := range ref.V4 {
		if !has(e) {
			continue
		}
		for j < len(own.V4) && own.V4[j] < a {
			v.V4 = append(v.V4, own.V4[j])
			j++
		}
		v.V4 = append(v.V4, a)
	}
	v.V4 = append(v.V4, own.V4[j:]...)
	j = 0
	for e, a := range ref.V6 {
		if !has(len(ref.V4) + e) {
			continue
		}
		for j < len(own.V6) && own.V6[j].Compare(a) < 0 {
			v.V6 = append(v.V6, own.V6[j])
			j++
		}
		v.V6 = append(v.V6, a)
	}
	v.V6 = append(v.V6, own.V6[j:]...)
	if v.Entries() > MaxValues {
		c.fail("%d entries", v.Entries())
		return
	}
	v.Form = Dict
}

// exceptions lists the records whose entry is not what the table says, up to an eighth of all.
func exceptions(codes []uint16, table []uint64, ref *Vec) (pos, exc []uint64, ok bool) {
	limit := len(codes) / 8
	at := codesOf(ref)
	for i, x := range codes {
		e := uint16(0)
		if at != nil {
			e = at[i]
		}
		if table[e] == uint64(x) {
			continue
		}
		if len(pos) == limit {
			return nil, nil, false
		}
		pos = append(pos, uint64(i))
		exc = append(exc, uint64(x))
	}
	return pos, exc, true
}

// codesOf is the entry of each value; nil for a constant.
func codesOf(v *Vec) []uint16 {
	if v.Form == Dict {
		return v.Codes[:v.N]
	}
	return nil
}

// majority finds a likely value for each entry by the vote of Boyer and Moore; entries that
// no record uses take the value of the entry before, which keeps runs long.
func majority(table []uint64, codes []uint16, ref *Vec) {
	type ballot struct {
		value uint16
		votes int32
		seen  bool
	}
	box := make([]ballot, len(table))
	at := codesOf(ref)
	for i, x := range codes {
		e := uint16(0)
		if at != nil {
			e = at[i]
		}
		b := &box[e]
		b.seen = true
		if b.value == x {
			b.votes++
		} else if b.votes--; b.votes < 0 {
			b.value, b.votes = x, 1
		}
	}
	last := uint64(0)
	for e := range box {
		if box[e].seen {
			last = uint64(box[e].value)
		}
		table[e] = last
	}
	// An entry of a single record takes its neighbours' value when both agree: a lone exception
	// in the middle of a prefix must not break the run.
	for e := 1; e+1 < len(table); e++ {
		if box[e].votes <= 1 && table[e-1] == table[e+1] {
			table[e] = table[e-1]
		}
	}
}

// EncodeQuotient encodes v as quotient and remainder by ref, both Int.
func EncodeQuotient(v, ref *Vec) (Block, bool) {
	if v.Kind != Int || ref.Kind != Int || v.N != ref.N || v.N == 0 || v.Form == Const {
		return Block{}, false
	}
	q, xs, ds := getInts(v.N), getInts(v.N), getInts(v.N)
	defer putInts(q)
	defer putInts(xs)
	defer putInts(ds)
	plainInts(*xs, v)
	plainInts(*ds, ref)
	var w bitWriter
	for i, x := range *xs {
		d := (*ds)[i]
		if d <= 1 {
			(*q)[i] = x
			continue
		}
		(*q)[i] = x / d
		w.add(x%d, remainderBits(d))
	}
	body := appendInts([]byte{byte(EncQuotient)}, *q, 0)
	return finish(v, append(body, w.bytes()...)), true
}

// EncodeDifference encodes v as its distance from ref, both Int.
func EncodeDifference(v, ref *Vec) (Block, bool) {
	if v.Kind != Int || ref.Kind != Int || v.N != ref.N || v.N == 0 || v.Form == Const {
		return Block{}, false
	}
	above, below := true, true
	d, ys := getInts(v.N), getInts(v.N)
	defer putInts(d)
	defer putInts(ys)
	plainInts(*d, v)
	plainInts(*ys, ref)
	for i, y := range *ys {
		x := (*d)[i]
		above = above && x >= y
		below = below && x <= y
		(*d)[i] = x - y
	}
	sign := byte(0)
	switch {
	case above:
	case below:
		sign = 1
		for i, x := range *d {
			(*d)[i] = -x
		}
	default:
		return Block{}, false
	}
	return finish(v, appendInts([]byte{byte(EncDifference), sign}, *d, 0)), true
}

// plainInts fills dst with the values of an Int column.
func plainInts(dst []uint64, v *Vec) {
	switch v.Form {
	case Plain:
		copy(dst, v.Ints)
	case Dict:
		for i, c := range v.Codes {
			dst[i] = v.Ints[c]
		}
	default:
		for i := range dst {
			dst[i] = v.Ints[0]
		}
	}
}

// bitWriter packs fields of changing width, lowest bit first.
type bitWriter struct {
	out  []byte
	acc  uint64
	have uint
}

func (w *bitWriter) add(x uint64, n uint) {
	w.acc |= x << w.have
	w.have += n
	if w.have >= 64 {
		w.out = binary.LittleEndian.AppendUint64(w.out, w.acc)
		w.have -= 64
		w.acc = x >> (n - w.have)
	}
}

func (w *bitWriter) bytes() []byte {
	tail := binary.LittleEndian.AppendUint64(w.out, w.acc)
	return tail[:len(w.out)+int(w.have+7)/8]
}

// leans tells whether b can lean on ref, and fails if not.
func (c *cursor) leans(b *Block, ref *Vec) bool {
	if ref == nil {
		c.fail("%s without the column it leans on", b.Enc)
		return false
	}
	switch b.Enc {
	case EncMapped:
		if ref.Form == Plain {
			c.fail("mapped from a column without entries")
		}
	case EncShared, EncQuotient, EncDifference:
		kind := Int
		if b.Enc == EncShared {
			kind = Addr
		}
		if b.Kind != kind || ref.Kind != kind {
			c.fail("%s of %s by %s", b.Enc, b.Kind, ref.Kind)
		}
	default:
		c.fail("encoding %d", b.Enc)
	}
	return c.err == nil
}

func (c *cursor) dependent(b *Block, v, ref *Vec) {
	if !c.leans(b, ref) {
		return
	}
	if b.Enc != EncShared && ref.N != b.N {
		c.fail("%d values lean on a column of %d", b.N, ref.N)
		return
	}
	switch b.Enc {
	case EncShared:
		if c.sharedEntries(b, v, ref); c.err == nil {
			v.Codes = grow(v.Codes, b.N)
			c.codes(v.Codes, v.Entries(), 0)
		}
	case EncMapped:
		c.mapped(b, v, ref, nil)
	case EncQuotient:
		v.Ints = grow(v.Ints, b.N)
		c.ints(v.Ints, 0)
		c.remainders(v.Ints, ref)
	case EncDifference:
		sign := c.u8()
		v.Ints = grow(v.Ints, b.N)
		c.ints(v.Ints, 0)
		c.addDifference(v.Ints, ref, sign)
	}
}

// addDifference turns differences into values.
func (c *cursor) addDifference(d []uint64, ref *Vec, sign uint8) {
	if sign > 1 {
		c.fail("unknown form of difference")
	}
	if c.err != nil {
		return
	}
	flip := uint64(0) - uint64(sign)
	from, done := plainOf(ref)
	defer done()
	from = from[:len(d)]
	for i, x := range d {
		d[i] = from[i] + (x ^ flip - flip)
	}
}

// plainOf is the values of an Int column, one for each record, until done.
func plainOf(v *Vec) (p []uint64, done func()) {
	if v.Form == Plain {
		return v.Ints, func() {}
	}
	s := getInts(v.N)
	plainInts(*s, v)
	return *s, func() { putInts(s) }
}

func (c *cursor) remainders(q []uint64, ref *Vec) {
	if c.err != nil {
		return
	}
	plain, done := plainOf(ref)
	defer done()
	src := c.b
	off := uint(0)
	i := 0
	plain = plain[:len(q)]
	for ; i < len(q) && int(off>>3)+8 <= len(src); i++ { // no branches: d cannot be predicted
		d := plain[i]
		n := remainderBits(d)
		if n > maxWidth {
			break
		}
		r := binary.LittleEndian.Uint64(src[off>>3:]) >> (off & 7) & (1<<(n&63) - 1)
		q[i] = q[i]*max(d, 1) + r
		off += n
	}
	for ; i < len(q); i++ {
		d := plain[i]
		n := remainderBits(d)
		q[i] = q[i]*max(d, 1) + loadBits(src, off, n)
		off += n
	}
	c.take(int(off+7) / 8)
}

// mapped decodes the values at the positions at; nil is all.
func (c *cursor) mapped(b *Block, v, ref *Vec, at []int32) {
	entries := c.entries(v, b)
	table := getInts(ref.Entries())
	defer putInts(table)
	c.ints(*table, 1)
	m := c.count(b.N, "exceptions")
	pos, exc := getInts(m), getInts(m)
	defer putInts(pos)
	defer putInts(exc)
	c.ints(*pos, 1)
	c.ints(*exc, 1)
	if c.err != nil {
		return
	}
	for i, p := range *pos {
		if p >= uint64(b.N) || i > 0 && p <= (*pos)[i-1] {
			c.fail("exception %d, at value %d of %d, is out of order", i, p, b.N)
			return
		}
	}
	for _, s := range [2][]uint64{*table, *exc} {
		for _, x := range s {
			if x >= uint64(entries) {
				c.fail("mapped entry %d of %d", x, entries)
				return
			}
		}
	}
	v.Form = Dict
	v.Codes = grow(v.Codes, v.N)
	t := *table
	if ref.Form == Const {
		for i := range v.Codes {
			v.Codes[i] = uint16(t[0])
		}
	} else {
		for i, e := range ref.Codes {
			v.Codes[i] = uint16(t[e])
		}
	}
	if at == nil {
		for i, p := range *pos {
			v.Codes[p] = uint16((*exc)[i])
		}
		return
	}
	i := 0
	for k, p := range *pos {
		for i < len(at) && uint64(at[i]) < p {
			i++
		}
		if i < len(at) && uint64(at[i]) == p {
			v.Codes[i] = uint16((*exc)[k])
		}
	}
}
