package netflow

import (
	"encoding/binary"
	"fmt"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// fixed decodes a message of NetFlow v1, v5 or v7, whose records have one layout each.
func (x *Exporter) fixed(version uint16, p []byte) error {
	header := 24
	if version == 1 {
		header = 16
	}
	if len(p) < header {
		return errShort
	}
	count := int(binary.BigEndian.Uint16(p[2:]))
	m := &x.message
	*m = message{}
	rate := rate{}
	if version == 5 {
		m.engine = binary.BigEndian.Uint16(p[20:])
		rate = oneIn(uint64(binary.BigEndian.Uint16(p[22:]) & (1<<14 - 1))) // the upper two bits are the mode
	}
	m.domain = x.domain(version, uint32(m.engine))
	m.domain.rate = rate
	x.clock(m, p, binary.BigEndian.Uint32(p[12:]))
	t := x.layout(version, count, len(p)-header)
	fits := min(count, (len(p)-header)/t.size)
	if version != 1 {
		held := extent{uint32(count), uint32(count)}
		x.follow(m, sequenceRecords, binary.BigEndian.Uint32(p[16:]), held)
	}
	if err := x.data(m, t, p[header:header+fits*t.size]); err != nil {
		return err
	}
	if fits < count {
		return fmt.Errorf("%d records announced, %d there", count, fits)
	}
	return behind(p[header+fits*t.size:])
}

// layout is the records of a version. Those of v1 are 48 bytes, or 52 with more padding.
func (x *Exporter) layout(version uint16, count, size int) *template {
	key := version
	if version == 1 && size == 52*count {
		key = 0
	}
	t := x.layouts[key]
	if t == nil {
		var err error
		if t, err = newTemplate(minData, fixedFields(key), 0, false); err != nil {
			panic("netflow: " + err.Error()) // the layouts are constants
		}
		t.version5 = version == 5
		if x.layouts == nil {
			x.layouts = map[uint16]*template{}
		}
		x.layouts[key] = t
	}
	return t
}

const padding ie.ID = 210

// fixedFields lists the fields of v1 (0: of 52 bytes), v5 and v7 records.
func fixedFields(version uint16) []flow.Elem {
	pad := func(n uint16) flow.Elem { return flow.Elem{ID: padding, Len: n} }
	f := []flow.Elem{{ID: 8, Len: 4}, {ID: 12, Len: 4}, {ID: 15, Len: 4}, {ID: 10, Len: 2}, {ID: 14, Len: 2},
		{ID: 2, Len: 4}, {ID: 1, Len: 4}, {ID: 22, Len: 4}, {ID: 21, Len: 4}, {ID: 7, Len: 2}, {ID: 11, Len: 2}}
	switch version {
	case 0, 1:
		f = append(f, pad(2), flow.Elem{ID: 4, Len: 1}, flow.Elem{ID: 5, Len: 1}, flow.Elem{ID: 6, Len: 1}, pad(7))
		if version == 0 {
			f = append(f, pad(4))
		}
		return f
	}
	// What stands for padding in v7 tells which fields mean nothing, and those are 0.
	f = append(f, pad(1), flow.Elem{ID: 6, Len: 1}, flow.Elem{ID: 4, Len: 1}, flow.Elem{ID: 5, Len: 1},
		flow.Elem{ID: 16, Len: 2}, flow.Elem{ID: 17, Len: 2}, flow.Elem{ID: 9, Len: 1}, flow.Elem{ID: 13, Len: 1}, pad(2))
	if version == 7 {
		f = append(f, flow.Elem{ID: 43, Len: 4}) // the router that was bypassed
	}
	return f
}
