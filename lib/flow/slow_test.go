package flow_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// The oracle: a record is the list of what was sent, and every question is answered by looking
// through that list. A value is a uint64, a netip.Addr or a string.

type record struct {
	shape flow.Shape
	vals  []any
}

// of lists the values that were sent in the column of id, in order, and the elements that
// carried them.
func (r *record) of(col ie.ID) (vals []any, ids []ie.ID) {
	for i, e := range r.shape {
		if c, _ := ie.Column(e.ID); c == col {
			vals, ids = append(vals, r.vals[i]), append(ids, e.ID)
		}
	}
	return
}

func (r *record) nth(k flow.Key) any {
	if vals, _ := r.of(k.ID); int(k.Occ) < len(vals) {
		return vals[k.Occ]
	}
	return nil
}

// field is the value of a field, nil if the record has none.
func (r *record) field(f *ie.Field) any {
	if f.Derived {
		return r.derived(f)
	}
	for _, id := range f.Elements {
		vals, ids := r.of(id)
		if len(vals) == 0 {
			continue
		}
		// Of an element pair, the one of the family is looked for among the first two.
		at, found := 0, f.Family == ie.AnyFamily
		for i := 0; i < min(2, len(ids)) && !found; i++ {
			if _, sent := ie.Column(ids[i]); sent == f.Family {
				at, found = i, true
			}
		}
		switch v := vals[at].(type) {
		case netip.Addr:
			if f.Family == ie.IPv4 && !v.Is4() || f.Family == ie.IPv6 && v.Is4() {
				return nil
			}
			return v
		case uint64:
			if !found {
				continue
			}
			if id == 32 && f.Kind == ie.ICMPType {
				return v / 256 % 256
			}
			if id == 32 && f.Kind == ie.ICMPCode {
				return v % 256
			}
			return v
		default:
			return v
		}
	}
	return nil
}

func (r *record) scaled(f *ie.Field) any {
	v := r.field(f)
	interval, space := r.nth(flow.Key{ID: ie.SamplingInterval}), r.nth(flow.Key{ID: ie.SamplingSpace})
	if v == nil || f.Derived || f.Kind != ie.Counter || interval == nil || space == nil || interval == uint64(0) {
		return v
	}
	x := number(v)
	x.Mul(x, new(big.Int).Add(number(interval), number(space)))
	return narrow(x.Div(x, number(interval)))
}

func number(v any) *big.Int { return new(big.Int).SetUint64(v.(uint64)) }

func narrow(x *big.Int) uint64 {
	if x.IsUint64() {
		return x.Uint64()
	}
	return math.MaxUint64
}

func (r *record) derived(f *ie.Field) any {
	var from []*big.Int
	for _, name := range f.From {
		v := r.scaled(named(name))
		if v == nil {
			return nil
		}
		from = append(from, number(v))
	}
	since := func(first, last *big.Int) *big.Int {
		d := new(big.Int).Sub(last, first)
		if d.Sign() < 0 {
			return new(big.Int)
		}
		return d
	}
	over := func(x, y *big.Int) uint64 {
		if y.Sign() == 0 {
			return 0
		}
		return narrow(new(big.Int).Div(x, y))
	}
	switch f.Name {
	case "duration", "durationraw":
		return narrow(since(from[0], from[1]))
	case "bpp", "obpp":
		return over(from[0], from[1])
	case "pps", "opps":
		x := new(big.Int).Mul(from[0], big.NewInt(1000))
		return over(x, since(from[1], from[2]).Div(since(from[1], from[2]), big.NewInt(1e6)))
	case "bps", "obps":
		x := new(big.Int).Mul(from[0], big.NewInt(8000))
		return over(x, since(from[1], from[2]).Div(since(from[1], from[2]), big.NewInt(1e6)))
	}
	panic("no oracle for " + f.Name)
}

func sum(records []record) flow.Totals {
	t := flow.Totals{Records: uint64(len(records))}
	for i := range records {
		r := &records[i]
		class := flow.Other
		switch r.scaled(named("proto")) {
		case uint64(6):
			class = flow.TCP
		case uint64(17):
			class = flow.UDP
		case uint64(1), uint64(58):
			class = flow.ICMP
		}
		add := func(sum *[flow.Classes]uint64, v any, absent uint64) {
			x := new(big.Int).SetUint64(absent)
			if v != nil {
				x = number(v)
			}
			sum[class] = narrow(x.Add(x, new(big.Int).SetUint64(sum[class])))
		}
		add(&t.Packets, r.scaled(named("packets")), 0)
		add(&t.Bytes, r.scaled(named("bytes")), 0)
		add(&t.Flows, r.scaled(named("flows")), 1)
		for _, v := range []any{r.field(named("first")), r.field(named("last"))} {
			if v == nil || v == uint64(0) {
				continue
			}
			if x := v.(uint64); t.First == 0 || x < t.First {
				t.First = x
			}
			t.Last = max(t.Last, v.(uint64))
		}
	}
	return t
}

var fields = map[string]*ie.Field{}

func named(name string) *ie.Field {
	f, ok := fields[name]
	if !ok {
		if f, ok = ie.FieldByName(name); !ok {
			panic("no field " + name)
		}
		fields[name] = f
	}
	return f
}

// value is entry e of v as the oracle has it.
func value(v *column.Vec, e int) any {
	switch v.Kind {
	case column.Int:
		return v.Ints[e]
	case column.Addr:
		return v.AddrEntry(e)
	}
	return string(v.BytesEntry(e))
}

// Random records.

// pool is what shapes are drawn from: pairs, elements that carry one field, numbers of all
// types, strings, elements of enterprises known and unknown.
var pool = []ie.ID{8, 27, 12, 28, 8, 27, 9, 29, 32, 139, 176, 177, 7, 180, 182, 11, 4, 4, 6, 2, 86, 1, 85, 23, 24, 3,
	156, 150, 152, 154, 157, 151, 153, 325, 322, ie.SamplingInterval, ie.SamplingSpace, 82, 82, 210, 313, 434, 311,
	ie.Mean, 10, 16, 17, 14, 15, 62, ie.New(9, 12236), ie.New(9, 12238), ie.New(12345, 7), ie.New(ie.ReversePEN, 2), 192, 52}

func randomShape(r *rand.Rand) flow.Shape {
	ids := make([]ie.ID, r.IntN(24))
	for i := range ids {
		ids[i] = pool[r.IntN(len(pool))]
	}
	s := flow.ShapeOf(ids...)
	if len(s) > 0 && r.IntN(4) == 0 {
		s[0].Len = 1 // reduced-size encoding: another shape of the same columns
	}
	return s
}

// world says how varied the values of each column are.
type world struct {
	r     *rand.Rand
	limit map[ie.ID]uint64
}

func (w *world) upTo(col ie.ID) uint64 {
	n, ok := w.limit[col]
	if !ok {
		n = []uint64{1, 2, 9, 300, 70000, 1 << 40}[w.r.IntN(6)]
		w.limit[col] = n
	}
	return w.r.Uint64N(n)
}

func (w *world) value(id ie.ID, src uint64) any {
	r := w.r
	col, fam := ie.Column(id)
	switch flow.KindOf(id) {
	case column.Addr:
		x := w.upTo(col)
		if e, _ := ie.Lookup(id); (e.Type == ie.IPv6Address || fam == ie.IPv6) != (r.IntN(50) == 0) {
			p := [16]byte{0: 0x20, 1: 1, 14: byte(x >> 8), 15: byte(x)}
			if x%5 == 0 {
				p = [16]byte{10: 0xff, 11: 0xff, 15: byte(x)}
			}
			return netip.AddrFrom16(p)
		}
		return netip.AddrFrom4([4]byte{10, byte(x >> 16), byte(x >> 8), byte(x)})
	case column.Bytes:
		x := w.upTo(col)
		return fmt.Sprintf("%.*s%d", x%30, "a value that has some more text", x%1000)
	}
	switch e, _ := ie.Lookup(id); {
	case col == 4:
		return []uint64{6, 17, 1, 58, 47}[r.IntN(5)]
	case col == ie.SamplingInterval:
		return []uint64{0, 1, 1, 7, math.MaxUint64}[r.IntN(5)]
	case col == ie.SamplingSpace:
		return []uint64{0, 99, 1023, math.MaxUint64}[r.IntN(4)]
	case e.Type.Class() == ie.Int:
		return column.FromSigned(int64(w.upTo(col)) - 3)
	case e.Type.Class() == ie.Float:
		return column.FromFloat(float64(int64(w.upTo(col))-3) / 8)
	case e.Type.Class() == ie.Time:
		if r.IntN(40) == 0 {
			return uint64(0)
		}
		return 1700000000e9 + w.upTo(col)*1e6
	case col == 9 || col == 16 || col == 10:
		return src / 7 // a function of the address, as an encoding expects it
	case r.IntN(200) == 0:
		return uint64(math.MaxUint64) - w.upTo(col)
	}
	return w.upTo(col)
}

// randomRecords makes n records of up to shapes shapes.
func randomRecords(r *rand.Rand, n, shapes int) []record {
	w := &world{r: r, limit: map[ie.ID]uint64{}}
	list := make([]flow.Shape, 1+r.IntN(shapes))
	for i := range list {
		list[i] = randomShape(r)
	}
	out := make([]record, n)
	s := 0
	for i := range out {
		if r.IntN(3) == 0 {
			s = r.IntN(len(list))
		}
		rec := record{shape: list[s]}
		src := uint64(0)
		for _, e := range rec.shape {
			v := w.value(e.ID, src)
			if a, ok := v.(netip.Addr); ok && src == 0 {
				p := a.As16()
				src = uint64(p[14])<<8 | uint64(p[15])
			}
			rec.vals = append(rec.vals, v)
		}
		out[i] = rec
	}
	return out
}

// put appends a record to a builder; it reports false when the builder has no room.
func put(b *flow.Builder, r *record) bool {
	l, ok := b.Layout(r.shape)
	if !ok {
		return false
	}
	l.Next()
	for i, v := range r.vals {
		switch v := v.(type) {
		case uint64:
			l.Cols[i].PutInt(v)
		case string:
			l.Cols[i].PutBytes([]byte(v))
		case netip.Addr:
			if v.Is4() {
				p := v.As4()
				l.Cols[i].Put4(uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3]))
			} else {
				p := v.As16()
				l.Cols[i].Put16(p[:])
			}
		}
	}
	return true
}
