package netflow

import (
	"encoding/binary"
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
func (w *work) times(o *op, out []uint64, from int) {
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
			out[i] = w.nanos(w.ntp(x, unit), 1)
		}
	case formUptime:
		w.uptimes(out, from)
	case formDelta:
		for i, x := range out {
			out[i] = w.nanos(w.m.exported*1000-int64(min(x, math.MaxInt64)), 1000)
		}
	case formAfter:
		for i, x := range out {
			hi, d := bits.Mul64(x, o.unit())
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
			hi, d := bits.Mul64(x, o.unit())
			if end := w.numbers[o.other][i]; hi == 0 && d <= end {
				out[i] = end - d
				continue
			}
			w.x.Stats.Clamped++
			out[i] = 0
		}
	}
}

// unit is that of a duration, in nanoseconds.
func (o *op) unit() uint64 {
	if o.micros {
		return 1e3
	}
	return 1e6
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
		out[i] = w.nanos(w.sinceBoot(w.clock(from+i), uint32(x)), 1e6)
	}
}

// sinceBoot is the time of an uptime of 32 bits: that next to the time of the message.
func (w *work) sinceBoot(boot int64, uptime uint32) int64 {
	t := boot + int64(uptime)
	if w.m.exported > 0 {
		t += (w.m.exported - t + 1<<31) >> 32 << 32
	}
	return t
}

// ntpEpoch is 1970 in the seconds of NTP (RFC 5905 §6).
const ntpEpoch = 2208988800

// ntp turns an NTP timestamp (RFC 7011 §6.1.9) into nanoseconds since the epoch. Some exporters
// write plain units since 1970 instead, which as NTP would be decades away: what is nearest to
// the time of arrival is meant. Zero is no time in either.
func (w *work) ntp(x, unit uint64) int64 {
	if x == 0 {
		return 0
	}
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
	return best
}

// maxMillis is about the year 2261.
const maxMillis = math.MaxInt64/1_000_000 - 1<<33

// wild tells that a time among n records is out of range.
func (w *work) wild(n int) bool {
	p := w.t.plan
	if (p.uptimes || p.deltas) && w.m.exported < 1<<32 && (w.m.hasUptime || p.deltas || p.init >= 0) {
		return true
	}
	for _, f := range p.wide {
		switch form := formOf(w.t.fields[f]); form {
		case formMillis:
			if w.above(f, n, maxMillis) {
				return true
			}
		case formSeconds:
			if w.above(f, n, maxMillis/1000) {
				return true
			}
		case formMicros, formNanos:
			for r := range n {
				if unit := [2]uint64{1000, 1}[form-formMicros]; w.ntp(w.number(f, r), unit) < 0 {
					return true
				}
			}
		default: // a delta
			if w.above(f, n, uint64(w.m.exported)*1000) {
				return true
			}
		}
	}
	return false
}

// above tells that a number among n is above a limit.
func (w *work) above(f, n int, limit uint64) bool {
	if w.t.varies || w.t.fields[f].Len != 8 {
		for r := range n {
			if w.number(f, r) > limit {
				return true
			}
		}
		return false
	}
	at := int(w.t.plan.off[f])
	for range n {
		if binary.BigEndian.Uint64(w.data[at:at+8]) > limit {
			return true
		}
		at += w.t.size
	}
	return false
}
