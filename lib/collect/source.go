package collect

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/netflow"
	"nfpipe/lib/stream"
)

// Store keeps the records of a source. It is used by one goroutine.
type Store interface {
	// Write stores a frame: it is safe from the death of the process when Write has returned.
	Write(*stream.Frame) error
	Table(stream.Table) error
	Tick(stream.Tick) error
	// Rotate ends the slot; the next one begins at a time.
	Rotate(at time.Time, l stream.Losses) error
	Close(stream.End) error
}

// Source is where the records of some exporters go.
type Source struct {
	Ident string
	Store Store
	State string // file that keeps what the exporters said; "" is none

	mu     sync.Mutex
	tables sideTables
	slot   Slot
	all    Slot // of all slots that have ended

	restored map[netip.Addr][]netflow.State // of an earlier run
	booked   Losses                         // of slots that have ended and wait to be stored
	failing  error                          // why the latest frame could not be stored
	unsaved  bool                           // the state of exporters is newer than its file
	saved    uint64                         // the changes of tables that are in the file
}

// Slot counts what a source stored and lost.
type Slot struct {
	Frames uint64
	Totals flow.Totals
	Losses
	Failed  uint64 // records that could not be stored
	Dropped uint64 // records that a reader was too slow for
}

// Losses counts what exporters sent and what of it is missing.
type Losses struct {
	Packets uint64 // received
	Bad     uint64 // of which a part or all was refused
	Gaps    uint64 // in sequence numbers
	Lost    uint64 // records, or messages of NetFlow v9 and datagrams of sFlow, that the gaps stand for
	Unknown uint64 // data sets without a template
	Clamped uint64 // times out of range
}

func (l *Losses) add(o Losses) {
	l.Packets += o.Packets
	l.Bad += o.Bad
	l.Gaps += o.Gaps
	l.Lost += o.Lost
	l.Unknown += o.Unknown
	l.Clamped += o.Clamped
}

// minus is what l counts more than o, which of Lost may be less: what comes late is not lost.
func (l *Losses) minus(o Losses) Losses {
	less := func(a, b uint64) uint64 { return a - min(a, b) }
	return Losses{less(l.Packets, o.Packets), less(l.Bad, o.Bad), less(l.Gaps, o.Gaps), less(l.Lost, o.Lost), less(l.Unknown, o.Unknown), less(l.Clamped, o.Clamped)}
}

// stream is the losses as a stream's End tells them.
func (l *Losses) stream() stream.Losses {
	return stream.Losses{SequenceGaps: l.Lost, UnknownTemplates: l.Unknown}
}

// Tables are the side tables in force, for a segment that begins.
func (s *Source) Tables() []stream.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tables.All()
}

// Sources finds the source of a sender: one for all, one by prefixes, or a new one for each.
type Sources struct {
	One    *Source
	Static []Static
	// New makes the source of a sender; Max bounds how many there may be.
	New func(netip.Addr) (*Source, error)
	Max int

	mu      sync.Mutex
	dynamic map[netip.Addr]*Source
	failed  map[netip.Addr]failure
}

// failure is why there is no source for a sender, and since when.
type failure struct {
	err error
	at  time.Time
}

// tryAgain is how long a sender waits after New has failed for it.
const tryAgain = 3 * time.Second

// Static is a source for the senders in some prefixes.
type Static struct {
	Prefixes []netip.Prefix
	Source   *Source
}

var (
	errNoSource = errors.New("no source takes its address")
	errMany     = errors.New("too many sources")
)

func (s *Sources) find(a netip.Addr) (*Source, error) {
	if s.One != nil {
		return s.One, nil
	}
	for i := range s.Static {
		for _, p := range s.Static[i].Prefixes {
			if p.Contains(a.WithZone("")) {
				return s.Static[i].Source, nil
			}
		}
	}
	if s.New == nil {
		return nil, errNoSource
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if src := s.dynamic[a]; src != nil {
		return src, nil
	}
	was, again := s.failed[a]
	if again && time.Since(was.at) < tryAgain {
		return nil, was.err
	}
	if len(s.dynamic) >= s.Max || !again && len(s.failed) >= s.Max {
		return nil, errMany
	}
	src, err := s.New(a)
	if s.dynamic == nil {
		s.dynamic, s.failed = map[netip.Addr]*Source{}, map[netip.Addr]failure{}
	}
	if err != nil {
		s.failed[a] = failure{err, time.Now()}
		return nil, err
	}
	delete(s.failed, a)
	s.dynamic[a] = src
	return src, nil
}

// all are the sources so far, in a fixed order but for those that came by themselves.
func (s *Sources) all() []*Source {
	var out []*Source
	if s.One != nil {
		out = append(out, s.One)
	}
	for i := range s.Static {
		out = append(out, s.Static[i].Source)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, src := range s.dynamic {
		out = append(out, src)
	}
	return out
}
