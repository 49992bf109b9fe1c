package netflow

import (
	"encoding/binary"

	"nfpipe/lib/flow"
)

// layout is what a template says of its records, and what was made of it to decode them.
type layout struct {
	fields []flow.Elem // as they were sent, but for those of no length, which say nothing
	scope  int         // of options, the first so many fields say what a record is about
	opts   bool
	size   int // bytes of a record; the least if it varies
	varies bool

	version5 bool // of NetFlow v5
	lists    []listField
	plan     *plan // made when data come
	programs []*program
	last     *program // the one used last
}

// Layouts lets exporters that one goroutine decodes share what was made of equal templates:
// most routers of a network send the same ones.
type Layouts struct {
	of   map[string]*layout
	size int // fields of the layouts, and ops of their programs
}

// Bounds of what is shared; beyond one of them it is begun anew.
const (
	maxLayouts     = 4096
	maxLayoutsSize = 1 << 20
)

// shared is a layout like l, of exporters that have an IPv6 address or not.
func (s *Layouts) shared(l *layout, is6 bool) *layout {
	if s == nil {
		return l
	}
	key := make([]byte, 0, 8+10*len(l.fields))
	for i, set := range []bool{is6, l.opts, l.version5} {
		if set {
			key = append(key, byte(i))
		}
	}
	key = binary.LittleEndian.AppendUint32(key, uint32(l.scope))
	for _, f := range l.fields {
		key = binary.LittleEndian.AppendUint64(key, uint64(f.ID))
		key = binary.LittleEndian.AppendUint16(key, f.Len)
	}
	if have := s.of[string(key)]; have != nil {
		return have
	}
	s.grow(len(l.fields))
	if s.of == nil || len(s.of) >= maxLayouts {
		*s = Layouts{of: map[string]*layout{}, size: len(l.fields)}
	}
	s.of[string(key)] = l
	return l
}

// grow counts what is added to the layouts.
func (s *Layouts) grow(n int) {
	if s == nil {
		return
	}
	if s.size += n; s.size > maxLayoutsSize {
		*s = Layouts{size: n}
	}
}
