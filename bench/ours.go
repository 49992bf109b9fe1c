package main

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// The elements of the modelled router's templates, in the order of its records, and the exporter's address and the
// time of arrival, which the collector adds. ICMP records have type and code instead of ports.
var (
	ipv4Elements  = []ie.ID{152, 153, 8, 12, 7, 11, 6, 4, 5, 2, 1, 10, 14, 16, 17, 9, 13, 15, 258, 130}
	ipv6Elements  = []ie.ID{152, 153, 27, 28, 7, 11, 6, 4, 5, 2, 1, 10, 14, 16, 17, 29, 30, 62, 258, 130}
	icmp4Elements = []ie.ID{152, 153, 8, 12, 32, 6, 4, 5, 2, 1, 10, 14, 16, 17, 9, 13, 15, 258, 130}
	icmp6Elements = []ie.ID{152, 153, 27, 28, 139, 6, 4, 5, 2, 1, 10, 14, 16, 17, 29, 30, 62, 258, 130}
)

// encoder writes rows as a flow stream, in one goroutine.
type encoder struct {
	out      *stream.Writer
	comp     column.Comp
	builder  *flow.Builder
	layouts  [4]*flow.Layout // IPv4, IPv6, then their ICMP
	frames   int
	heads    int // octets of frame headers
	columns  map[flow.Key]*columnSize
	shapes   int
	seconds  float64       // of CPU, rows to file
	encoding time.Duration // of that in EncodeFrame
	err      error
}

// columnSize is what a column took over all frames, and how it was encoded.
type columnSize struct {
	octets    int
	encodings map[string]int
}

func newEncoder(w io.Writer, comp column.Comp) (*encoder, error) {
	e := &encoder{out: stream.NewWriter(w), comp: comp, builder: flow.NewBuilder(), columns: map[flow.Key]*columnSize{}}
	for i, ids := range [][]ie.ID{ipv4Elements, ipv6Elements, icmp4Elements, icmp6Elements} {
		l, ok := e.builder.Layout(flow.ShapeOf(ids...))
		if !ok {
			return nil, fmt.Errorf("no room for shape %v", ids)
		}
		e.layouts[i] = l
	}
	return e, e.out.Head(stream.Head{})
}

// Rows adds rows; a full batch is encoded and written.
func (e *encoder) Rows(rows []Row) {
	for i := range rows {
		e.row(&rows[i])
		if e.builder.Full() {
			e.flush()
		}
	}
}

const nanoseconds = 1_000_000 // of the rows' milliseconds

func (e *encoder) row(r *Row) {
	which := 0
	if r.Src.Is6() {
		which = 1
	}
	if r.isICMP() {
		which += 2
	}
	l := e.layouts[which]
	l.Next()
	c := l.Cols
	c[0].PutInt(uint64(r.Start) * nanoseconds)
	c[1].PutInt(uint64(r.End) * nanoseconds)
	putAddr(c[2], r.Src)
	putAddr(c[3], r.Dst)
	if c = c[4:]; which < 2 {
		c[0].PutInt(uint64(r.SrcPort))
		c[1].PutInt(uint64(r.DstPort))
		c = c[2:]
	} else {
		c[0].PutInt(uint64(r.nfdumpPort()))
		c = c[1:]
	}
	for i, v := range [...]uint64{
		uint64(r.Flags), uint64(r.Proto), uint64(r.Tos), r.Packets, r.Bytes, uint64(r.In), uint64(r.Out),
		uint64(r.SrcAS), uint64(r.DstAS), uint64(r.SrcMask), uint64(r.DstMask),
	} {
		c[i].PutInt(v)
	}
	putAddr(c[11], r.NextHop)
	c[12].PutInt(uint64(r.Received) * nanoseconds)
	putAddr(c[13], exporter)
}

func putAddr(c *column.Builder, a netip.Addr) {
	if a.Is4() {
		b := a.As4()
		c.Put4(binary.BigEndian.Uint32(b[:]))
		return
	}
	b := a.As16()
	c.Put16(b[:])
}

func (e *encoder) flush() {
	if e.builder.Len() == 0 {
		return
	}
	b := e.builder.Batch()
	start := processTime()
	f, err := stream.EncodeFrame(b, e.comp, false)
	e.encoding += processTime() - start
	if err == nil {
		err = e.out.Write(f)
	}
	e.err = firstError(e.err, err)
	if err == nil {
		e.count(b, f)
	}
	b.Release()
	e.builder.Reset()
}

func (e *encoder) count(b *flow.Batch, f *stream.Frame) {
	e.frames++
	e.heads += len(f.Head)
	e.shapes += len(b.Codes.Block.Data)
	for i := range b.Cols {
		c := &b.Cols[i]
		s := e.columns[c.Key]
		if s == nil {
			s = &columnSize{encodings: map[string]int{}}
			e.columns[c.Key] = s
		}
		s.octets += len(c.Block.Data)
		s.encodings[fmt.Sprint(c.Block.Enc)]++
	}
}

func (e *encoder) close() error {
	e.flush()
	return firstError(e.err, e.out.End(stream.End{}))
}

// counter counts octets on their way to nowhere.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// encoded is what our format made of the rows.
type encoded struct {
	file        *encoder
	zstd        *encoder // only by bench gen
	zstdSize    counter
	sparse      *encoder // a slot of five minutes at 100 records a second
	sparseSize  counter
	sparseRows  int
	sparsePeer  int64
	rows        int
	size        int64
	withDetails bool
}

const (
	sparseStep  = 100    // every so many rows, to get 100 records a second
	sparseLimit = 30_000 // records of five minutes
)

// encodeOurs writes the rows to a file of our format; for bench gen it measures what else there is to know.
func encodeOurs(c *config, name string) (*encoded, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	e := &encoded{rows: c.records, withDetails: c.generateOnly}
	if e.file, err = newEncoder(file, column.None); err != nil {
		return nil, err
	}
	if e.file.seconds = timed(c.seed, c.records, e.file.Rows); e.file.err == nil {
		err = e.file.close()
	}
	if err = firstError(e.file.err, err, file.Close()); err != nil {
		return nil, err
	}
	if e.size, err = fileSize(name); err != nil || !c.generateOnly {
		return e, err
	}
	if e.zstd, err = newEncoder(&e.zstdSize, column.Zstd); err != nil {
		return nil, err
	}
	e.zstd.seconds = timed(c.seed, c.records, e.zstd.Rows)
	if err := e.zstd.close(); err != nil {
		return nil, err
	}
	return e, e.thin(c, name)
}

// thin writes every hundredth row, in our format and in nfdump's.
func (e *encoded) thin(c *config, name string) error {
	var rows []Row
	n := 0
	Generate(c.seed, min(c.records, sparseStep*sparseLimit), func(r *Row) {
		if n++; n%sparseStep == 0 {
			rows = append(rows, *r)
		}
	})
	peer := name + ".sparse"
	w, err := createNfdump(peer, codecLZ4)
	if err != nil {
		return err
	}
	for i := range rows {
		w.Row(&rows[i])
	}
	if err := w.Close(); err != nil {
		return err
	}
	if e.sparsePeer, err = fileSize(peer); err != nil {
		return err
	}
	if e.sparse, err = newEncoder(&e.sparseSize, column.None); err != nil {
		return err
	}
	e.sparse.Rows(rows)
	e.sparseRows = len(rows)
	return firstError(e.sparse.close(), os.Remove(peer))
}

func (e *encoded) report(w io.Writer, line func(name string, size int64, seconds float64)) {
	line("nfpipe", e.size, e.file.seconds)
	if !e.withDetails {
		return
	}
	line("nfpipe zstd", int64(e.zstdSize), e.zstd.seconds)
	if n := float64(e.sparseRows); n > 0 {
		fmt.Fprintf(w, "%d records at 100 a second: nfpipe %.2f B/record, nfdump lz4 %.2f\n",
			e.sparseRows, float64(e.sparseSize)/n, float64(e.sparsePeer)/n)
	}
	fmt.Fprintf(w, "of the time per record in EncodeFrame: nfpipe %.0f ns, zstd %.0f ns; the rest puts rows into columns\n",
		float64(e.file.encoding)/float64(e.rows), float64(e.zstd.encoding)/float64(e.rows))
	fmt.Fprintf(w, "\n%-34s %10s %10s  %s\n", "column", "B/record", "with zstd", "encodings, by frames")
	keys := slices.SortedFunc(maps.Keys(e.file.columns), func(a, b flow.Key) int {
		return cmp.Or(cmp.Compare(e.file.columns[b].octets, e.file.columns[a].octets), cmp.Compare(a.ID, b.ID))
	})
	n := float64(e.rows)
	for _, k := range keys {
		s, z := e.file.columns[k], e.zstd.columns[k]
		fmt.Fprintf(w, "%-34s %10.3f %10.3f  %s\n", k.ID, float64(s.octets)/n, float64(z.octets)/n, s.how())
	}
	fmt.Fprintf(w, "%-34s %10.3f %10.3f\n", "shapes", float64(e.file.shapes)/n, float64(e.zstd.shapes)/n)
	fmt.Fprintf(w, "%-34s %10.3f %10.3f  %d frames\n", "frame headers", float64(e.file.heads)/n, float64(e.zstd.heads)/n, e.file.frames)
}

// how lists the encodings of a column, the most frequent first.
func (s *columnSize) how() string {
	names := slices.SortedFunc(maps.Keys(s.encodings), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.encodings[b], s.encodings[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, s.encodings[name])
	}
	return strings.Join(names, ", ")
}
