package stream

import (
	"encoding/binary"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// Names of side tables. Others may come; a tool passes on what it does not know.
const (
	TableExporters    = "exporters"
	TableSamplers     = "samplers"
	TableInterfaces   = "interfaces"
	TableVRFs         = "vrfs"
	TableApplications = "applications"
	TableOptions      = "options" // options data that no rule reads, as it was sent
)

// maxName bounds the name of a table.
const maxName = 255

// Table is a side frame: what is about records, such as the names of interfaces. It holds
// for its segment; of rows with equal keys the last counts.
type Table struct {
	Name  string
	Keys  int // so many elements at the start of each shape are the key (the scope)
	Batch *flow.Batch
}

// Table writes a side frame.
//
//	text    name
//	uvarint elements of the key
//	        a records header
//
// The body is that of a frame of records.
func (w *Writer) Table(t Table) error {
	if len(t.Name) > maxName || t.Keys < 0 || t.Keys > flow.MaxElements {
		return corrupt("table %.40q with %d keys", t.Name, t.Keys)
	}
	f, err := EncodeFrame(t.Batch, column.None, false)
	if err != nil {
		return err
	}
	header := binary.AppendUvarint(appendText(nil, t.Name), uint64(t.Keys))
	header = append(header, f.Head[prefixLen:]...)
	size := f.Len() - len(f.Head)
	if !w.inside() {
		return w.err
	}
	w.put(appendFrame(nil, KindSide, header, size))
	for _, p := range f.Body {
		w.put(p)
	}
	return w.err
}

// parseTable reads a side frame. Its columns are decoded when they are asked for and alias the
// body.
func parseTable(header, body []byte) (*Table, error) {
	c := cursor{b: header}
	t := &Table{Name: c.text(), Keys: c.count(flow.MaxElements)}
	if c.err != nil {
		return nil, c.err
	}
	if len(t.Name) > maxName {
		return nil, corrupt("table name of %d bytes", len(t.Name))
	}
	b, dir, err := parseRecords(c.b, len(body))
	if err != nil {
		return nil, err
	}
	for _, s := range b.Shapes {
		if len(s) < t.Keys {
			return nil, corrupt("table %.40q: shape of %d elements, %d are keys", t.Name, len(s), t.Keys)
		}
	}
	if dir.selected != b.N {
		return nil, corrupt("table %.40q with a selection", t.Name)
	}
	t.Batch = b
	return t, dir.attach(b, body)
}

// Tick is the clock of a live source, in its place among the frames: all that arrived before
// it has been written.
type Tick struct {
	Clock   uint64 // nanoseconds since the epoch
	Dropped uint64 // records dropped so far because the reader was too slow
}

// Tick writes a tick frame.
//
//	8       clock
//	uvarint records dropped
func (w *Writer) Tick(t Tick) error {
	header := binary.AppendUvarint(binary.LittleEndian.AppendUint64(nil, t.Clock), t.Dropped)
	return w.Side(KindTick, header, nil)
}

func parseTick(b []byte) (Tick, error) {
	c := cursor{b: b}
	return Tick{Clock: c.u64(), Dropped: c.uvarint()}, c.err
}
