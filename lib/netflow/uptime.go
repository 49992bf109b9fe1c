package netflow

import "math"

// uptimeClock makes the two clocks of NetFlow's headers: the time, and the milliseconds since the
// exporter was started, to which the times of flows are relative. Both are whole seconds apart, so
// that what a receiver computes of them is exact to the millisecond. When the exporter was started
// is chosen before the first flow, and again only when 32 bits cannot hold the distance.
type uptimeClock struct {
	boot int64 // milliseconds since the epoch, whole seconds
	set  bool
}

const (
	msSecond  = 1000
	msBefore  = 24 * 3600 * msSecond // how long before the first flow the exporter was started
	maxUptime = math.MaxUint32
	maxAge    = math.MaxInt32 - 2*msSecond // some receivers look at the distance as a signed number
	maxTime32 = math.MaxUint32 * msSecond  // headers have seconds in 32 bits
)

// at is for a message sent at a time, of flows from first to last, all in milliseconds since the
// epoch. exported is whole seconds. When flows lie so far back that the counter does not reach from
// them to now, the message says that it was sent when the last of them ended, or earlier if one
// flow alone lasts that long.
func (c *uptimeClock) at(now, first, last int64) (exported, boot int64) {
	last = max(first, last)
	exported = up(now)
	if exported-first > maxAge {
		if exported = up(last); exported-first > maxAge {
			exported = down(first + maxAge)
		}
	}
	if !c.set || first < c.boot || exported < c.boot || max(exported, last)-c.boot > maxUptime {
		c.set = true
		c.boot = max(down(min(first, exported))-msBefore, 0)
		if max(exported, last)-c.boot > maxUptime {
			c.boot = down(first)
		}
	}
	return exported, c.boot
}

func up(ms int64) int64 { return min((ms+msSecond-1)/msSecond*msSecond, maxTime32) }

func down(ms int64) int64 { return ms / msSecond * msSecond }
