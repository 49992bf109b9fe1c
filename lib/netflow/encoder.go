package netflow

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// TimeUnit is how the start and the end of a flow are sent.
type TimeUnit uint8

const (
	TimesDefault      TimeUnit = iota // IPFIX: as in the shape; NetFlow v9: TimesUptime
	TimesSeconds                      // elements 150 and 151
	TimesMilliseconds                 // 152 and 153
	TimesMicroseconds                 // 154 and 155
	TimesNanoseconds                  // 156 and 157
	TimesUptime                       // NetFlow v9: 22 and 21
)

// Encoding is how messages are made.
type Encoding struct {
	Version    uint16 // 1, 5, 9, or 10 for IPFIX
	Size       int    // bytes of a message at most, if its one record is not larger; 0: 1400
	Times      TimeUnit
	NoExporter bool // leave out whose a record is: its sender tells
	// Started is when metering began, nanoseconds since the epoch, which IPFIX announces; 0: not
	// known. It is for records metered here: uptimes of another exporter would be taken for relative
	// to it.
	Started int64
}

const (
	defaultSize  = 1400
	headerX      = 16 // RFC 7011 §3.1
	header9      = 20 // RFC 3954 §5.1
	header5      = 24
	header1      = 16
	setHeader    = 4
	maxMessage   = 65535
	maxTemplates = 4096 // of a domain
	maxOrigins   = 1 << 16
)

// EncoderStats counts what was encoded and what a version cannot carry.
type EncoderStats struct {
	Records  uint64 // taken
	Sent     uint64 // records in messages: of a biflow two, of a split counter several
	Messages uint64

	IPv6       uint64 // records left out: no room for their addresses in v1 and v5
	NoAddress  uint64 // records left out: v1 and v5 have nothing but flows between addresses
	TooMany    uint64 // records left out: more templates or domains than there may be
	Nothing    uint64 // records left out: a version has none of their elements
	TooLong    uint64 // records left out: no message holds them
	Elements   uint64 // values left out: of enterprises, which NetFlow has not; of lists that do not parse
	Project    uint64 // values left out that are never sent: results of aggregation, latencies
	Clamped    uint64 // numbers and times that did not fit, and were sent as the nearest that does
	Scaled     uint64 // records whose sampling rate cannot be announced: counters are scaled
	TableRows  uint64 // rows of side tables announced
	TableLimit uint64 // rows left out: more than may be announced
}

// LeftOut says what of the records was not sent, a line each.
func (s EncoderStats) LeftOut() (lines []string) {
	add := func(n uint64, format string) {
		if n > 0 {
			lines = append(lines, fmt.Sprintf(format, n))
		}
	}
	add(s.IPv6, "%d IPv6 records were left out: NetFlow v1 and v5 have no room for their addresses")
	add(s.NoAddress, "%d records without addresses were left out")
	add(s.TooMany, "%d records were left out: too many templates or exporters")
	add(s.Nothing, "%d records were left out: nothing of them can be sent")
	add(s.TooLong, "%d records were left out: they are longer than a message")
	return lines
}

// Message is an export message. Its Data is valid during the call that it came with; the
// sequence number in it is still 0.
type Message struct {
	Data     []byte
	Exporter netip.Addr // who exported the records first; not valid if that is not known
	Domain   uint32     // observation domain or source id; engine type and id of v5
	Records  int        // of flows and of options data
	// Needs is what the receiver has to know before. While nothing changes it is the same slice.
	Needs []*Announcement
}

// SetSequence puts the sequence number into a message of any version.
func SetSequence(p []byte, n uint32) {
	if at := [...]int{5: 16, 9: 12, 10: 8}[binary.BigEndian.Uint16(p)]; at > 0 {
		binary.BigEndian.PutUint32(p[at:], n)
	}
}

// SetSequence puts the sequence number into the message.
func (m *Message) SetSequence(n uint32) { SetSequence(m.Data, n) }

// Advance is by how much the message makes the sequence number of its domain grow: NetFlow v9
// counts messages, v5 and IPFIX records, of options data too. A message has the number of what
// was sent before it.
func (m *Message) Advance() uint32 {
	if binary.BigEndian.Uint16(m.Data) == 9 {
		return 1
	}
	return uint32(m.Records)
}

// Encoder makes messages of batches. It is for one goroutine.
type Encoder struct {
	Encoding
	stats   EncoderStats
	clock   uptimeClock
	origins map[origin]*source
	taken   map[uint32]uint32 // domains on the wire, and one above each from which on to look for a free one
	plans   map[string]*sendPlan
	needed  int // announcements in the lists of needs
	rows    int // of side tables, and their bytes
	rowSize int

	// Of the batch at hand.
	b       *flow.Batch
	now     int64
	emit    func(*Message) error
	cols    []sendColumn
	ranks   map[uint64][]int32
	groups  []*group
	index   map[groupKey]*group
	spare   []*group
	buf     []byte
	value   []byte   // a list as it is sent
	nums    []uint64 // a field of the records of a message
	unused  [][]int32
	message Message
	fixed   fixedViews
}

// origin is the exporter and the domain that records came from.
type origin struct {
	exporter netip.Addr
	domain   uint32
}

// source is an origin as it is sent.
type source struct {
	origin
	wire      uint32 // its domain on the wire
	templates map[string]*sendTemplate
	next      int             // number of the next template
	common    []*Announcement // of the whole domain, and where they are by their keys
	at        map[string]int
	version   int  // of what its messages need
	rates     bool // it has had a rate
	rated     map[rated][]*Announcement
	samplers  map[sampler]bool
	heads     map[string][]inner // templates of lists
}

// NewEncoder returns an encoder.
func NewEncoder(e Encoding) (*Encoder, error) {
	switch e.Version {
	case 1, 5, 9, 10:
	default:
		return nil, fmt.Errorf("version %d cannot be sent", e.Version)
	}
	if e.Size == 0 {
		e.Size = defaultSize
	}
	if e.Times == TimesDefault && e.Version == 9 {
		e.Times = TimesUptime
	}
	e.Size = min(max(e.Size, 128), maxMessage)
	return &Encoder{
		Encoding: e, origins: map[origin]*source{}, taken: map[uint32]uint32{}, plans: map[string]*sendPlan{},
		ranks: map[uint64][]int32{}, index: map[groupKey]*group{},
	}, nil
}

// Stats counts since the beginning.
func (e *Encoder) Stats() EncoderStats { return e.stats }

// group is the records of a batch that share messages: of one origin, shape and rate.
type group struct {
	groupKey
	source *source
	rows   []int32
}

type groupKey struct {
	origin
	rate
	sampler
	shape  uint8
	mirror bool // the reverse directions of biflows
}

// Encode makes messages of the selected records of b, at a time in nanoseconds since the epoch,
// and gives them to emit, whose error ends it. Records of one exporter, domain, shape and rate
// keep their order. An error that wraps column.ErrCorrupt is of the batch: of its records some may
// have been given away.
func (e *Encoder) Encode(b *flow.Batch, now int64, emit func(*Message) error) error {
	e.b, e.now, e.emit = b, max(now, 0), emit
	defer e.done()
	if err := e.split(); err != nil {
		return err
	}
	if e.Version < 9 {
		if err := e.loadFixed(); err != nil {
			return err
		}
	}
	for _, g := range e.groups {
		var err error
		if e.Version < 9 {
			err = e.sendFixed(g)
		} else {
			err = e.send(g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxUnused bounds what is kept for the next batch, each of a number for every record at most.
const maxUnused = 32

// done forgets the batch.
func (e *Encoder) done() {
	e.b, e.emit = nil, nil
	clear(e.cols)
	clear(e.index)
	for _, rank := range e.ranks {
		if len(e.unused) < maxUnused {
			e.unused = append(e.unused, rank)
		}
	}
	clear(e.ranks)
	for _, g := range e.groups {
		if g.rows = g.rows[:0]; len(e.spare) < maxUnused {
			e.spare = append(e.spare, g)
		}
	}
	clear(e.groups)
	e.groups = e.groups[:0]
	e.fixed = fixedViews{}
}

// sendColumn is a column of the batch at hand, laid out by its own values.
type sendColumn struct {
	vec  *column.Vec
	rank []int32 // the value of each record; nil: record i has value i
}

// column decodes column i of the batch.
func (e *Encoder) column(i int) (*sendColumn, error) {
	if len(e.cols) < len(e.b.Cols) {
		e.cols = make([]sendColumn, flow.MaxColumns)
	}
	c := &e.cols[i]
	if c.vec != nil {
		return c, nil
	}
	col := &e.b.Cols[i]
	vec, err := e.b.Vec(i)
	if err != nil {
		return nil, err
	}
	if vec.Kind != flow.KindOf(col.Key.ID) {
		return nil, fmt.Errorf("column %s: %w: stored as %s", col.Key.ID, column.ErrCorrupt, vec.Kind)
	}
	rank, n, err := e.rank(col.Shapes)
	if err != nil {
		return nil, err
	}
	if vec.N != n {
		return nil, fmt.Errorf("column %s: %w: %d values for %d records", col.Key.ID, column.ErrCorrupt, vec.N, n)
	}
	c.vec, c.rank = vec, rank
	return c, nil
}

// rank numbers the records that have one of some shapes, and counts them.
func (e *Encoder) rank(shapes uint64) ([]int32, int, error) {
	present, err := e.b.Presence(shapes)
	if err != nil || present == nil {
		return nil, e.b.N, err
	}
	if rank, ok := e.ranks[shapes]; ok {
		return rank[:e.b.N], int(rank[e.b.N]), nil
	}
	rank, n := []int32(nil), int32(0)
	if last := len(e.unused) - 1; last >= 0 {
		rank, e.unused = e.unused[last], e.unused[:last]
	}
	rank = grown(rank, e.b.N+1)
	for i := range e.b.N {
		rank[i] = n
		if present.Get(i) {
			n++
		}
	}
	rank[e.b.N] = n
	e.ranks[shapes] = rank
	return rank[:e.b.N], int(n), nil
}

// give hands a message on.
func (e *Encoder) give(s *source, p []byte, records int, needs []*Announcement) error {
	e.stats.Messages++
	e.stats.Sent += uint64(records)
	m := &e.message
	*m = Message{Data: p, Exporter: s.exporter, Domain: s.wire, Records: records, Needs: needs}
	return e.emit(m)
}

var (
	keyExporter = flow.Key{ID: 130}
	keyDomain   = flow.Key{ID: 149}
	keyInterval = flow.Key{ID: ie.SamplingInterval}
	keySpace    = flow.Key{ID: ie.SamplingSpace}
	keySampler  = flow.Key{ID: 48}
	keySelector = flow.Key{ID: 302}
	keyEngine   = flow.Key{ID: 38}
	keyEngineID = flow.Key{ID: 39}
)
