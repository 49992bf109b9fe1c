package column

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// EncodeMapped encodes v as a function of the entries of ref, or reports that too many
// records are exceptions. ref must be a dictionary or a constant. The vector returned is v; if
// other columns are to lean on it, as it will be decoded: a dictionary.
func EncodeMapped(v, ref *Vec, leantOn bool) (Block, *Vec, bool) {
	if ref.Form == Plain || v.N != ref.N || v.N == 0 || v.Form == Const || v.Kind == Bytes && v.Form == Plain {
		return Block{}, nil, false
	}
	at := ref.Codes
	if ref.Form == Const {
		at = make([]uint16, v.N)
	}
	if v.Form == Dict {
		return encodeMapped(v, v.Codes[:v.N], at, ref.Entries(), leantOn)
	}
	return encodeMapped(v, v.Ints, at, ref.Entries(), leantOn)
}

// encodeMapped is EncodeMapped of codes or numbers; at is the entry leaned on of each.
func encodeMapped[T uint16 | uint64](v *Vec, vals []T, at []uint16, entries int, leantOn bool) (Block, *Vec, bool) {
	s, p := getInts(entries+v.N+1), getInts(v.N+1)
	defer putInts(s)
	defer putInts(p)
	table, exc := (*s)[:entries], (*s)[entries:]
	if !majority(table, vals, at) {
		return Block{}, nil, false
	}
	m := exceptions(*p, exc, table, vals, at)
	if m > v.N/8 {
		return Block{}, nil, false
	}
	pos, exc := (*p)[:m], exc[:m]
	d := v
	if v.Form == Plain {
		d = &Vec{Kind: Int, Form: Dict, N: v.N, Ints: numbered((*s)[:entries+m])}
	}
	body := appendEntries(append(newBody(), byte(EncMapped)), d)
	body = appendInts(body, table, 1)
	body = binary.AppendUvarint(body, uint64(m))
	body = appendInts(body, pos, 1)
	body = appendInts(body, exc, 1)
	b := finish(d, body)
	switch {
	case !leantOn:
		d = v
	case v.Form == Plain:
		d.Codes = make([]uint16, v.N)
		for i, e := range at {
			d.Codes[i] = uint16(table[e])
		}
		for i, p := range pos {
			d.Codes[p] = uint16(exc[i])
		}
	}
	return b, d, true
}

// numbered replaces numbers by their ranks and returns the distinct ones in ascending order.
func numbered(s []uint64) []uint64 {
	lo, hi := minMax(s)
	if hi-lo >= bitmapSpan {
		return numberedWide(s)
	}
	has := make([]uint64, (hi-lo)>>6+1)
	for _, x := range s {
		has[(x-lo)>>6] |= 1 << ((x - lo) & 63)
	}
	before := make([]uint16, len(has))
	n := 0
	for i, w := range has {
		before[i] = uint16(n)
		n += bits.OnesCount64(w)
	}
	distinct := make([]uint64, 0, n)
	for i, w := range has {
		for ; w != 0; w &= w - 1 {
			distinct = append(distinct, lo+uint64(i<<6+bits.TrailingZeros64(w)))
		}
	}
	for i, x := range s {
		w := (x - lo) >> 6
		s[i] = uint64(before[w]) + uint64(bits.OnesCount64(has[w]&(1<<((x-lo)&63)-1)))
	}
	return distinct
}

// bitmapSpan bounds the numbers for which there is a bit for each that is possible.
const bitmapSpan = 1 << 21

// numberedWide is numbered without a bound of the numbers.
func numberedWide(s []uint64) []uint64 {
	t := newIntTable(1024)
	for _, x := range s {
		t.put(x, 0)
	}
	distinct := t.keys()
	slices.Sort(distinct)
	for i, x := range distinct {
		t.put(x, uint16(i))
	}
	for i, x := range s {
		c, _ := t.get(x)
		s[i] = uint64(c)
	}
	return distinct
}

// majority finds a likely value for each entry by the vote of Boyer and Moore; entries that
// no record uses take the value of the entry before, which keeps runs long. It reports false
// when a value does not fit.
func majority[T uint16 | uint64](table []uint64, vals []T, at []uint16) bool {
	clear(table) // value+1, 0 without a vote, and votes, of 32 bits each
	top := uint64(0)
	for i, x := range vals[:len(at)] { // without branches: they could not be predicted
		b := table[at[i]]
		y := uint64(x) + 1
		top = max(top, uint64(x))
		value, votes := b>>32, b&(1<<32-1)
		if votes == 0 {
			value = y
		}
		next := votes - 1
		if value == y {
			next = votes + 1
		}
		table[at[i]] = value<<32 | next
	}
	last := uint64(0)
	for e, b := range table {
		if b != 0 {
			last = b>>32 - 1
		}
		table[e] = last
	}
	return top < 1<<32-1
}

// exceptions lists the records whose value is not what the table says, and returns how many.
func exceptions[T uint16 | uint64](pos, exc, table []uint64, vals []T, at []uint16) int {
	m := 0
	for i, x := range vals[:len(at)] { // without branches, as above
		pos[m], exc[m] = uint64(i), uint64(x)
		if table[at[i]] != uint64(x) {
			m++
		}
	}
	return m
}
