package format

import "time"

// A clock writes times in one zone. It remembers the date that it wrote last and until when
// the zone keeps its distance from UTC, so that most times cost no calendar.
type clock struct {
	loc      *time.Location
	from, to int64 // seconds since the epoch between which offset holds
	offset   int64
	day      int64 // local day of date
	date     [10]byte
	known    bool
}

func newClock(loc *time.Location) clock {
	if loc == nil {
		loc = time.UTC
	}
	return clock{loc: loc}
}

// zone finds the distance from UTC at s.
func (c *clock) zone(s int64) {
	t := time.Unix(s, 0).In(c.loc)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	c.offset, c.from, c.to = int64(offset), -1<<63, 1<<63-1
	if !start.IsZero() {
		c.from = start.Unix()
	}
	if !end.IsZero() {
		c.to = end.Unix()
	}
	c.known = true
}

// local splits a second into local day and second of the day, and keeps date in step.
func (c *clock) local(s int64) (rest uint64) {
	if !c.known || s < c.from || s >= c.to {
		c.zone(s)
		c.day = -1 << 62
	}
	s += c.offset
	day := s / 86400
	if r := s - day*86400; r >= 0 {
		rest = uint64(r)
	} else {
		rest = uint64(r + 86400)
		day--
	}
	if day != c.day {
		c.day = day
		time.Unix(day*86400, 0).UTC().AppendFormat(c.date[:0], time.DateOnly)
	}
	return rest
}

// append writes date, separator and time of day, without fraction.
func (c *clock) append(dst []byte, s int64, sep byte) []byte {
	at := len(dst)
	dst = extend(dst, 19)
	c.put((*[19]byte)(dst[at:]), s, sep)
	return dst
}

func (c *clock) put(b *[19]byte, s int64, sep byte) {
	r := c.local(s)
	d := &c.date
	b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9] = d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9]
	b[10] = sep
	putTime((*[8]byte)(b[11:]), r)
}

// appendMilli writes a time in nanoseconds as YYYY-mm-dd HH:MM:SS.mmm.
func (c *clock) appendMilli(dst []byte, ns uint64) []byte {
	s := ns / 1e9
	ms := (ns - s*1e9) / 1e6
	at := len(dst)
	dst = extend(dst, 23)
	b := (*[23]byte)(dst[at:])
	c.put((*[19]byte)(b[:19]), int64(s), ' ')
	r := ms % 100
	b[19], b[20], b[21], b[22] = '.', byte('0'+ms/100), pairs[2*r], pairs[2*r+1]
	return dst
}

// appendISO writes RFC 3339 with the distance from UTC in figures, and as many groups of
// three decimals as the value has, at least one.
func (c *clock) appendISO(dst []byte, ns uint64) []byte {
	s := ns / 1e9
	dst = c.append(dst, int64(s), 'T')
	frac := ns - s*1e9
	dst = append3(append(dst, '.'), frac/1e6)
	if frac %= 1e6; frac != 0 {
		dst = append3(dst, frac/1e3)
		if frac %= 1e3; frac != 0 {
			dst = append3(dst, frac)
		}
	}
	off, sign := c.offset, byte('+')
	if off < 0 {
		off, sign = -off, '-'
	}
	dst = append(append2(append(dst, sign), uint64(off/3600%100)), ':')
	return append2(dst, uint64(off%3600/60))
}
