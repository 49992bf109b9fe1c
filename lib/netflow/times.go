package netflow

import (
	"math"
	"math/bits"
)

// nanos is x units of so many nanoseconds since the epoch. Times that do not fit, before 1970 or
// after 2261, are the nearest that do, and counted.
func (w *work) nanos(x, unit int64) uint64 {
	if x < 0 {
		w.x.Stats.Clamped++
		return 0
	}
	if x > math.MaxInt64/unit {
		w.x.Stats.Clamped++
		return math.MaxInt64
	}
	return uint64(x * unit)
}

// times turns the numbers of a field into nanoseconds since the epoch.
func (w *work) times(g *program, o *op, out []uint64, from int) {
	switch o.form {
	case formSeconds:
		for i, x := range out {
			out[i] = w.nanos(int64(min(x, math.MaxInt64)), 1e9)
		}
	case formMillis:
		for i, x := range out {
			out[i] = w.nanos(int64(min(x, math.MaxInt64)), 1e6)
		}
	case formMicros, formNanos:
		unit := uint64(1)
		if o.form == formMicros {
			unit = 1000
		}
		for i, x := range out {
			out[i] = w.ntp(x, unit)
		}
	case formUptime:
		w.uptimes(out, from)
	case formDelta:
		for i, x := range out {
			out[i] = w.nanos(w.m.exported*1000-int64(min(x, math.MaxInt64)), 1000)
		}
	case formAfter:
		for i, x := range out {
			hi, d := bits.Mul64(x, o.unit)
			start := w.numbers[o.other][i]
			if hi != 0 || start+d < start || start+d > math.MaxInt64 {
				w.x.Stats.Clamped++
				out[i] = math.MaxInt64
				continue
			}
			out[i] = start + d
		}
	case formBefore:
		for i, x := range out {
			hi, d := bits.Mul64(x, o.unit)
			if end := w.numbers[o.other][i]; hi == 0 && d <= end {
				out[i] = end - d
				continue
			}
			w.x.Stats.Clamped++
			out[i] = 0
		}
	}
}

// uptimes turns milliseconds of uptime into times. The counter of NetFlow wraps after 49 days:
// of a record's time only the distance to that of its message is sure.
func (w *work) uptimes(out []uint64, from int) {
	if w.t.plan.init < 0 && w.m.hasUptime {
		for i, x := range out {
			out[i] = w.nanos(w.m.exported-int64(int32(w.m.uptime-uint32(x))), 1e6)
		}
		return
	}
	for i, x := range out {
		out[i] = w.nanos(w.clock(from+i)+int64(uint32(x)), 1e6)
	}
}

// ntpEpoch is 1970 in the seconds of NTP (RFC 5905 §6).
const ntpEpoch = 2208988800

// ntp turns an NTP timestamp (RFC 7011 §6.1.9) into nanoseconds. Some exporters write plain
// units since 1970 instead, which as NTP would be decades away: what is nearest to the time of
// arrival is meant.
func (w *work) ntp(x, unit uint64) uint64 {
	sec, frac := int64(x>>32), x&(1<<32-1)
	nanos := int64((frac*1e9 + 1<<31) >> 32) // below 2^62: no overflow
	if unit == 1000 {
		nanos = (nanos + 500) / 1000 * 1000
	}
	now := w.x.now
	best, distance := int64(0), int64(math.MaxInt64)
	offer := func(t int64) {
		if d := max(t-now, now-t); d >= 0 && d < distance {
			best, distance = t, d
		}
	}
	offer((sec-ntpEpoch)*1e9 + nanos)
	offer((sec-ntpEpoch+1<<32)*1e9 + nanos) // the next era of NTP begins in 2036
	if x <= math.MaxInt64/unit {
		offer(int64(x * unit))
	}
	return w.nanos(best, 1)
}
