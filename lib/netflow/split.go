package netflow

import (
	"encoding/binary"
	"math"
	"net/netip"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// splitter reads what decides about the group of a record.
type splitter struct {
	e                                                                  *Encoder
	codes                                                              *column.Vec
	exporter, domain, interval, space, sampler, selector, engine, unit *sendColumn

	has       [flow.MaxShapes]uint8 // which of them a shape has
	addresses []netip.Addr          // of the exporter's entries
	plain     bool                  // the shape alone decides

	recent [64]*group // by what tells groups apart
}

const (
	hasExporter = 1 << iota
	hasDomain
	hasInterval
	hasSpace
	hasSampler
	hasSelector
	hasEngine
	hasUnit
)

// reverseCounters are the columns that tell whether the reverse direction of a biflow had packets,
// the first that a record has.
var reverseCounters = []flow.Key{
	{ID: ie.New(ie.ReversePEN, 2)}, {ID: ie.New(ie.ReversePEN, 86)}, {ID: ie.New(ie.ReversePEN, 1)}, {ID: ie.New(ie.ReversePEN, 85)},
}

// split puts the selected records into groups.
func (e *Encoder) split() error {
	s := splitter{e: e}
	if err := s.load(); err != nil {
		return err
	}
	var last [flow.MaxShapes]*group
	put := func(i int) {
		shape := uint8(s.codes.Int(i))
		g := last[shape]
		if g == nil || !s.plain {
			if k := s.key(i, shape); g == nil || g.groupKey != k {
				g = s.group(k)
				last[shape] = g
			}
		}
		g.rows = append(g.rows, int32(i))
	}
	if e.b.Sel == nil {
		for i := range e.b.N {
			put(i)
		}
	} else {
		for _, i := range e.b.Sel.Rows(make([]int32, 0, e.b.Selected())) {
			put(int(i))
		}
	}
	e.stats.Records += uint64(e.b.Selected())
	return e.mirrors()
}

// group finds or makes a group, one of late without a look into a map.
func (s *splitter) group(k groupKey) *group {
	b := k.exporter.As16()
	h := binary.LittleEndian.Uint32(b[12:]) ^ k.domain<<8 ^ k.interval ^ k.space<<4 ^ uint32(k.number)<<2 ^ uint32(k.shape)<<16
	recent := &s.recent[h*0x9e3779b1>>26]
	if *recent == nil || (*recent).groupKey != k {
		*recent = s.e.group(k)
	}
	return *recent
}

// group finds or makes a group.
func (e *Encoder) group(k groupKey) *group {
	if g := e.index[k]; g != nil {
		return g
	}
	g := &group{}
	if n := len(e.spare); n > 0 {
		g, e.spare = e.spare[n-1], e.spare[:n-1]
	}
	g.groupKey, g.source = k, e.source(k.origin)
	e.index[k] = g
	e.groups = append(e.groups, g)
	return g
}

func (s *splitter) load() error {
	e := s.e
	var err error
	if s.codes, err = e.b.ShapeCodes(); err != nil {
		return err
	}
	for _, f := range []struct {
		to  **sendColumn
		key flow.Key
		bit uint8
		on  bool
	}{
		{&s.exporter, keyExporter, hasExporter, true},
		{&s.domain, keyDomain, hasDomain, true},
		{&s.interval, keyInterval, hasInterval, true},
		{&s.space, keySpace, hasSpace, true},
		{&s.sampler, keySampler, hasSampler, e.Version >= 9},
		{&s.selector, keySelector, hasSelector, e.Version >= 9},
		{&s.engine, keyEngine, hasEngine, e.Version == 5},
		{&s.unit, keyEngineID, hasUnit, e.Version == 5},
	} {
		i := e.b.Find(f.key)
		if i < 0 || !f.on {
			continue
		}
		if *f.to, err = e.column(i); err != nil {
			return err
		}
		for shape := range e.b.Shapes {
			if e.b.Cols[i].Shapes>>shape&1 != 0 {
				s.has[shape] |= f.bit
			}
		}
	}
	if s.exporter != nil {
		for n := range s.exporter.vec.Entries() {
			s.addresses = append(s.addresses, s.exporter.vec.AddrEntry(n))
		}
	}
	s.plain = true
	for _, c := range []*sendColumn{s.exporter, s.domain, s.interval, s.space, s.sampler, s.selector, s.engine, s.unit} {
		s.plain = s.plain && (c == nil || c.vec.Form == column.Const)
	}
	return nil
}

// at is the value of record i.
func (c *sendColumn) at(i int) int {
	if c.rank != nil {
		i = int(c.rank[i])
	}
	return c.vec.Entry(i)
}

// int is the number of record i.
func (c *sendColumn) int(i int) uint64 { return c.vec.Ints[c.at(i)] }

func (s *splitter) key(i int, shape uint8) groupKey {
	k := groupKey{shape: shape}
	has := s.has[shape]
	if has&hasExporter != 0 {
		k.exporter = s.addresses[s.exporter.at(i)]
	}
	if has&hasDomain != 0 {
		k.domain = uint32(s.domain.int(i))
	}
	if has&(hasInterval|hasSpace) == hasInterval|hasSpace {
		k.interval = uint32(min(s.interval.int(i), math.MaxUint32))
		k.space = uint32(min(s.space.int(i), math.MaxUint32))
		if k.interval == 0 || k.space == 0 {
			k.rate = rate{}
		}
	}
	switch {
	case has&hasSelector != 0:
		k.sampler = sampler{302, s.selector.int(i)}
	case has&hasSampler != 0:
		k.sampler = sampler{48, s.sampler.int(i)}
	}
	if s.e.Version == 5 {
		engine := k.domain
		if has&(hasEngine|hasUnit) == hasEngine|hasUnit {
			engine = uint32(s.engine.int(i)&0xff<<8 | s.unit.int(i)&0xff)
		}
		k.domain = engine & 0xffff
	}
	if s.e.Version == 1 {
		k.origin = origin{}
	}
	return k
}

// mirrors adds, for versions whose records have one direction, groups of the reverse directions
// of biflows that have packets.
func (e *Encoder) mirrors() error {
	if e.Version == 10 {
		return nil
	}
	for _, g := range e.groups[:len(e.groups):len(e.groups)] {
		at := e.reverseCounter(g.shape)
		if at < 0 {
			continue
		}
		counter, err := e.column(at)
		if err != nil {
			return err
		}
		k := g.groupKey
		k.mirror = true
		var m *group
		for _, i := range g.rows {
			if counter.int(int(i)) > 0 {
				if m == nil {
					m = e.group(k)
				}
				m.rows = append(m.rows, i)
			}
		}
	}
	return nil
}

// reverseCounter is the column that tells whether records of a shape have a reverse direction, or
// -1.
func (e *Encoder) reverseCounter(shape uint8) int {
	for _, k := range reverseCounters {
		if at := e.b.Find(k); at >= 0 && e.b.Cols[at].Shapes>>shape&1 != 0 {
			return at
		}
	}
	return -1
}

// source is how an origin is sent. Domains of different exporters may have the same number: the
// one that comes first keeps it, another gets the next that is free. It is nil when there are too
// many.
func (e *Encoder) source(o origin) *source {
	if s := e.origins[o]; s != nil {
		return s
	}
	if len(e.origins) >= maxOrigins {
		return nil
	}
	s := &source{
		origin: o, wire: o.domain, templates: map[string]*sendTemplate{}, next: minData, at: map[string]int{},
		rated: map[rated][]*Announcement{}, samplers: map[sampler]bool{}, heads: map[string][]inner{},
	}
	if !e.NoExporter && e.Version > 1 {
		last := ^uint32(0)
		if e.Version == 5 {
			last = 0xffff
		}
		if len(e.taken) > int(last) {
			return nil
		}
		next, ok := e.taken[s.wire]
		for first := s.wire; ok; next, ok = e.taken[s.wire] {
			s.wire = next & last
			e.taken[first] = s.wire + 1 // all up to there are taken
		}
		e.taken[s.wire] = s.wire + 1
	}
	if e.Version == 10 && e.Started > 0 {
		s.announceStart(e.Started)
	}
	e.origins[o] = s
	return s
}
