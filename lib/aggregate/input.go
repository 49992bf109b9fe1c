package aggregate

import (
	"fmt"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// The state of a record in one column of the key.
const (
	absent = iota
	narrow // an IPv4 address, a number of the element's width, a string's number
	wide   // an IPv6 address, a larger number
	states
)

// keyColumn is one column of the key laid out by row: entries and codes, or a number each.
type keyColumn struct {
	codes  []uint16 // nil: every row has entry 0
	state  []uint8  // by entry
	hi, lo []uint64 // by entry; hi of IPv6 alone

	plain   []uint64 // when not nil there are no entries
	present flow.Bitmap
	bits    uint // of narrow numbers

	same  bool  // all rows have the state...
	which uint8 // ...of this
}

// none is a column that no row has.
func none() keyColumn { return keyColumn{state: []uint8{absent}, lo: []uint64{0}, same: true} }

// of is the state of row r.
func (k *keyColumn) of(r int32) uint8 {
	switch {
	case k.plain == nil && k.codes == nil:
		return k.state[0]
	case k.plain == nil:
		return k.state[k.codes[r]]
	case k.present != nil && !k.present.Get(int(r)):
		return absent
	case k.bits < 64 && k.plain[r]>>k.bits != 0:
		return wide
	}
	return narrow
}

// counterColumns are the counters laid out by row. The last three are nil unless asked for.
type counterColumns struct {
	packets, bytes, flows, first, last []uint64
	opackets, obytes, marks            []uint64
}

// marks of a group: the TCP flags, and the start's type of service above them.
const (
	markFlags = 1<<16 - 1
	markTOS   = 16
	hasFlags  = 1 << 32
	hasTOS    = 1 << 33
)

// numbers lays a view out as one number a row; missing is the index of constants that rows
// without a value get.
func (w *work) numbers(v *flow.View, missing, n int) ([]uint64, error) {
	if v.None() {
		return w.fixed(missing, n), nil
	}
	if v.Vec.Kind != column.Int {
		return nil, fmt.Errorf("a counter or time is stored as %s", v.Vec.Kind)
	}
	if v.Vec.Form == column.Plain && v.Present == nil {
		return v.Vec.Ints, nil
	}
	out := w.buffer(n)
	switch v.Vec.Form {
	case column.Plain:
		copy(out, v.Vec.Ints)
	case column.Dict:
		ints := v.Vec.Ints
		for i, c := range v.Vec.Codes {
			out[i] = ints[c]
		}
	default:
		for i := range out {
			out[i] = v.Vec.Ints[0]
		}
	}
	if v.Present != nil {
		for i := range out {
			if !v.Present.Get(i) {
				out[i] = constants[missing]
			}
		}
	}
	return out, nil
}

var (
	packetsField  = named("packets")
	bytesField    = named("bytes")
	flowsField    = named("flows")
	firstField    = named("first")
	lastField     = named("last")
	opacketsField = named("opackets")
	obytesField   = named("obytes")
	flagsField    = named("flags")
	tosField      = named("srctos")
)

// load lays out the counters of b.
func (t *Table) load(w *work, b *flow.Batch) error {
	var err error
	saw := uint32(0)
	get := func(f *ie.Field, missing int, bit uint32) []uint64 {
		if err != nil {
			return nil
		}
		var v flow.View
		if v, err = b.Scaled(f); err != nil {
			return nil
		}
		if !v.None() {
			saw |= bit
		}
		var out []uint64
		if out, err = w.numbers(&v, missing, b.N); err != nil {
			err = fmt.Errorf("field %s: %w", f.Name, err)
		}
		return out
	}
	w.in = counterColumns{
		packets: get(packetsField, 0, sawPackets),
		bytes:   get(bytesField, 0, sawBytes),
		flows:   get(flowsField, 1, 0),
		first:   get(firstField, 2, 0),
		last:    get(lastField, 0, 0),
	}
	if t.out {
		w.in.opackets = get(opacketsField, 0, sawOPackets)
		w.in.obytes = get(obytesField, 0, sawOBytes)
		if saw&(sawOPackets|sawOBytes) == 0 && !t.marks { // as most exporters: one direction a record
			w.in.opackets, w.in.obytes = nil, nil
		}
	}
	if err == nil && t.marks {
		err = t.loadMarks(w, b)
	}
	if err == nil {
		t.saw.Or(saw)
	}
	return err
}

func (t *Table) loadMarks(w *work, b *flow.Batch) error {
	out := w.buffer(b.N)
	clear(out)
	put := func(f *ie.Field, shift uint, mask, has uint64) error {
		v, err := b.Field(f)
		if err != nil || v.None() {
			return err
		}
		if v.Vec.Kind != column.Int {
			return fmt.Errorf("field %s: stored as %s", f.Name, v.Vec.Kind)
		}
		for i := range out {
			if v.Has(i) {
				out[i] |= v.Vec.Int(i)&mask<<shift | has
			}
		}
		return nil
	}
	if t.spec.Flags {
		if err := put(flagsField, 0, markFlags, hasFlags); err != nil {
			return err
		}
	}
	if t.spec.TOS {
		if err := put(tosField, markTOS, 0xff, hasTOS); err != nil {
			return err
		}
	}
	w.in.marks = out
	return nil
}

// keyColumn lays out one column of the key.
func (t *Table) keyColumn(w *work, b *flow.Batch, s *source, f *ie.Field) (keyColumn, error) {
	v, err := b.Field(f)
	if err != nil {
		return keyColumn{}, err
	}
	if v.None() {
		return none(), nil
	}
	if v.Vec.Kind != s.kind {
		return keyColumn{}, fmt.Errorf("field %s: stored as %s, not %s", f.Name, v.Vec.Kind, s.kind)
	}
	if s.mask != nil {
		if v, err = network(b, &v, s.mask); err != nil {
			return keyColumn{}, err
		}
	}
	if v.Vec.Form == column.Plain {
		return t.plainColumn(w, &v, s)
	}
	n := v.Vec.Entries()
	k := keyColumn{state: w.bufferStates(n + 1)[:n], lo: w.buffer(n + 1)[:n], codes: v.Vec.Codes}
	if len(v.Vec.V6) > 0 {
		k.hi = w.buffer(n + 1)[:n]
	}
	switch s.kind {
	case column.Int:
		for e, x := range v.Vec.Ints {
			k.lo[e] = x
			k.state[e] = narrow
			if s.bits < 64 && x>>s.bits != 0 {
				k.state[e] = wide
			}
		}
	case column.Addr:
		k.addresses(v.Vec, s)
	default:
		if err := t.strings.entries(k.lo, v.Vec); err != nil {
			return k, err
		}
		for e := range k.state {
			k.state[e] = narrow
		}
	}
	if v.Vec.Form == column.Const {
		k.codes = nil
	}
	if v.Present != nil {
		w.addAbsent(&k, v.Present, v.Vec.N)
	}
	k.same, k.which = true, k.state[0]
	for _, s := range k.state {
		k.same = k.same && s == k.which
	}
	return k, nil
}

func (k *keyColumn) addresses(v *column.Vec, s *source) {
	mask := ^uint32(0)
	if s.prefix4 >= 0 {
		mask = uint32(^uint64(0) << (32 - uint(s.prefix4)))
	}
	for e, a := range v.V4 {
		k.state[e], k.lo[e] = narrow, uint64(a&mask)
	}
	hi, lo := masks6(s.prefix6)
	base := len(v.V4)
	for e, a := range v.V6 {
		k.state[base+e], k.hi[base+e], k.lo[base+e] = wide, a.Hi&hi, a.Lo&lo
	}
}

// masks6 are the halves of an IPv6 mask of n bits; -1 keeps all.
func masks6(n int) (hi, lo uint64) {
	switch {
	case n < 0:
		return ^uint64(0), ^uint64(0)
	case n <= 64:
		return ^uint64(0) << (64 - uint(n)), 0
	}
	return ^uint64(0), ^uint64(0) << (128 - uint(n))
}

// addAbsent gives the rows without a value an entry of their own.
func (w *work) addAbsent(k *keyColumn, present flow.Bitmap, n int) {
	missing := uint16(len(k.state)) // fewer entries than rows have a value, and some row has none
	if len(k.state) > 0xffff {
		return
	}
	k.state, k.lo = append(k.state, absent), append(k.lo, 0)
	codes := w.buffer16(n)
	if k.codes == nil {
		clear(codes)
	} else {
		copy(codes, k.codes)
	}
	for i := range codes {
		if !present.Get(i) {
			codes[i] = missing
		}
	}
	k.codes = codes
}

func (t *Table) plainColumn(w *work, v *flow.View, s *source) (keyColumn, error) {
	k := keyColumn{plain: v.Vec.Ints, present: v.Present, bits: s.bits}
	if s.kind == column.Bytes {
		k.plain = w.buffer(v.Vec.N)
		if err := t.strings.entries(k.plain, v.Vec); err != nil {
			return k, err
		}
	}
	if v.Present == nil {
		all := uint64(0)
		if s.bits < 64 {
			for _, x := range k.plain {
				all |= x
			}
		}
		k.same, k.which = s.bits == 64 || all>>s.bits == 0, narrow
	}
	return k, nil
}

// network cuts each address to the prefix length of its record; a record without a length has
// no network.
func network(b *flow.Batch, v *flow.View, mask *ie.Field) (flow.View, error) {
	m, err := b.Field(mask)
	if err != nil || m.None() {
		return flow.View{}, err
	}
	if m.Vec.Kind != column.Int {
		return flow.View{}, fmt.Errorf("field %s: stored as %s", mask.Name, m.Vec.Kind)
	}
	var col column.Builder
	col.Reset(column.Addr)
	present := flow.NewBitmap(b.N)
	for i := range b.N {
		if !v.Has(i) || !m.Has(i) {
			col.Put4(0)
			continue
		}
		present.Set(i)
		e, n := v.Vec.Entry(i), int(min(m.Vec.Int(i), 128))
		if e < len(v.Vec.V4) {
			col.Put4(v.Vec.V4[e] & uint32(^uint64(0)<<(32-uint(min(n, 32)))))
			continue
		}
		hi, lo := masks6(n)
		a := v.Vec.V6[e-len(v.Vec.V4)]
		col.Put6(column.V6{Hi: a.Hi & hi, Lo: a.Lo & lo})
	}
	return flow.View{Vec: col.Vec(), Present: present}, nil
}
