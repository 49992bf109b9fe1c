package flow

// Sink takes records of many shapes, from sources that know nothing of batches: when the
// builder at hand is full, or has no room for another shape, take gets it and gives an empty
// one. A sink is used by one goroutine.
type Sink struct {
	b    *Builder
	take func(*Builder) *Builder
	turn uint64 // counts builders, from 1
}

// NewSink returns a sink with its first builder.
func NewSink(b *Builder, take func(*Builder) *Builder) *Sink {
	return &Sink{b: b, take: take, turn: 1}
}

// Binding remembers the layout of a shape in a sink's builder. The zero value is ready.
type Binding struct {
	sink   *Sink
	turn   uint64
	layout *Layout
}

// Begin starts up to n records of shape s and tells how many: for each a value must be put into
// every column of the layout. It gives 0 for a shape that no batch can hold.
func (s *Sink) Begin(shape Shape, at *Binding, n int) (*Layout, int) {
	if s.b.Full() {
		s.Flush()
	}
	if at.sink != s || at.turn != s.turn {
		l, ok := s.b.Layout(shape)
		if !ok {
			s.Flush()
			s.b.Clear()
			if l, ok = s.b.Layout(shape); !ok {
				return nil, 0
			}
		}
		*at = Binding{s, s.turn, l}
	}
	n = min(n, MaxRecords-s.b.n)
	at.layout.NextN(n)
	return at.layout, n
}

// Flush gives the builder away if it holds records.
func (s *Sink) Flush() {
	if s.b.n > 0 {
		s.b = s.take(s.b)
	}
	s.turn++
}

// Len is the number of records since the last Flush.
func (s *Sink) Len() int { return s.b.n }
