package flow

import (
	"fmt"
	"math"
	"math/bits"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// field is a lookup of a name that the registry surely has.
func field(name string) *ie.Field {
	f, ok := ie.FieldByName(name)
	if !ok {
		panic("flow: no field " + name)
	}
	return f
}

var samplingInterval = &ie.Field{Name: "samplinginterval", Elements: []ie.ID{ie.SamplingInterval}}
var samplingSpace = &ie.Field{Name: "samplingspace", Elements: []ie.ID{ie.SamplingSpace}}

// Sampled tells whether the batch has a sampling rate, so that Scaled differs from Field.
func (b *Batch) Sampled() bool { return b.Find(Key{ID: ie.SamplingInterval}) >= 0 }

// Scaled lays out a counter multiplied by the sampling rate of its record,
// (interval+space)/interval, rounded down and limited to 64 bits. Other fields, and
// counters of batches without a rate, are as Field gives them. Flow counts never scale.
func (b *Batch) Scaled(f *ie.Field) (View, error) {
	v, err := b.Field(f)
	if err != nil || f.Kind != ie.Counter || v.Vec == nil || v.Vec.Kind != column.Int || !b.Sampled() {
		return v, err
	}
	interval, err := b.Field(samplingInterval)
	if err != nil {
		return v, err
	}
	space, err := b.Field(samplingSpace)
	if err != nil || interval.None() || space.None() {
		return v, err
	}
	out := b.numbers()
	xs, of, over := b.ints(v.Vec), b.ints(interval.Vec), b.ints(space.Vec)
	for i, x := range xs {
		if interval.Has(i) && space.Has(i) {
			x = scale(x, of[i], over[i])
		}
		out.Ints[i] = x
	}
	return View{out, v.Present}, nil
}

// numbers is a vector for a number a record.
func (b *Batch) numbers() *column.Vec {
	v := b.scratch(column.Int)
	v.N, v.Ints = b.N, grow(v.Ints, b.N)
	return v
}

// ints is the number of each record, of an Int column laid out by record.
func (b *Batch) ints(v *column.Vec) []uint64 {
	if v.Form == column.Plain {
		return v.Ints
	}
	out := b.numbers().Ints
	if v.Form == column.Const {
		for i := range out {
			out[i] = v.Ints[0]
		}
		return out
	}
	for i, c := range v.Codes {
		out[i] = v.Ints[c]
	}
	return out
}

// scale is x*(interval+space)/interval in 128 bits.
func scale(x, interval, space uint64) uint64 {
	if interval == 0 || space == 0 {
		return x
	}
	hi, lo := bits.Mul64(x, space)
	if hi >= interval {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, interval)
	if sum := x + q; sum >= x {
		return sum
	}
	return math.MaxUint64
}

// derived computes fields that no exporter sends: durations and rates, as nfdump does:
// duration is last-first, never negative; a rate over no time is 0.
func (b *Batch) derived(f *ie.Field) (View, error) {
	if len(f.From) < 2 || len(f.From) > 3 || f.Kind != ie.Duration && f.Kind != ie.DurationRaw && f.Kind != ie.Rate {
		return View{}, fmt.Errorf("field %s cannot be computed from a record", f.Name)
	}
	from := make([]View, len(f.From))
	var err error
	for i, name := range f.From {
		if from[i], err = b.Scaled(field(name)); err != nil || from[i].None() {
			return View{}, err
		}
	}
	present := b.common(from)
	if present != nil && present.Count() == 0 {
		return View{}, nil
	}
	var in [3][]uint64
	for i, v := range from {
		in[i] = b.ints(v.Vec)
	}
	out := b.numbers()
	switch {
	case f.Kind != ie.Rate:
		for i, first := range in[0] {
			out.Ints[i] = elapsed(first, in[1][i])
		}
	case len(from) == 2: // bytes a packet
		for i, x := range in[0] {
			out.Ints[i] = 0
			if p := in[1][i]; p > 0 {
				out.Ints[i] = x / p
			}
		}
	default:
		unit := uint64(1)
		if b0 := field(f.From[0]); len(b0.Elements) > 0 && isOctets(b0.Elements[0]) {
			unit = 8
		}
		for i, x := range in[0] {
			out.Ints[i] = PerSecond(x, unit, elapsed(in[1][i], in[2][i]))
		}
	}
	return View{out, present}, nil
}

func isOctets(id ie.ID) bool {
	e, ok := ie.Lookup(id)
	return ok && e.Unit == "octets"
}

func elapsed(first, last uint64) uint64 {
	if last > first {
		return last - first
	}
	return 0
}

// PerSecond is unit*x over a duration in nanoseconds, at nfdump's resolution of a
// millisecond; 0 where the duration is.
func PerSecond(x, unit, duration uint64) uint64 {
	ms := duration / 1e6
	if ms == 0 {
		return 0
	}
	hi, lo := bits.Mul64(x, unit*1000)
	if hi >= ms {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, ms)
	return q
}

// common is where all views are present; nil means everywhere.
func (b *Batch) common(vs []View) Bitmap {
	var m Bitmap
	for _, v := range vs {
		if v.Present == nil {
			continue
		}
		if m == nil {
			m = append(m, v.Present...)
		} else {
			m.And(v.Present)
		}
	}
	return m
}
