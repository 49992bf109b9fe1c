package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// everyFrame is a small stream that has a frame of each kind and most encodings.
func everyFrame(t testing.TB) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(21, 22))
	sel := someBatch(r, 9)
	sel.Sel = flow.NewBitmap(9)
	sel.Sel.Set(1)
	sel.Sel.Set(7)
	var out bytes.Buffer
	w := NewWriter(&out)
	h := Head{Features: FeatureSelection, Created: 5}
	h.History.Add(Entry{Tool: "nfcap", Version: "1", Args: []string{"-p", "9995"}})
	h.History.Add(Entry{Tool: "nffilter", Args: []string{"port 53"}, Port: "pass"})
	check(t, w.Head(h))
	check(t, w.Table(Table{Name: TableInterfaces, Keys: 2, Batch: names(1, "eth1", 2, "eth2")}))
	check(t, w.Tick(Tick{Clock: 1 << 60, Dropped: 300}))
	for _, f := range []struct {
		b    *flow.Batch
		comp column.Comp
	}{{sel, column.None}, {someBatch(r, 7), column.None}, {someBatch(r, 90), column.Zstd}, {someBatch(r, 90), column.S2}} {
		frame, err := EncodeFrame(f.b, f.comp, true)
		check(t, err)
		check(t, w.Write(frame))
	}
	check(t, w.Side(0xf0, []byte("unknown"), []byte("body")))
	check(t, w.End(End{Reason: "none", Losses: Losses{1, 2, 3}, Counts: []Count{{0, 1, 2, 3}, {1, 4, 5, 6}}}))
	return out.Bytes()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// layout is where a frame lies in a stream.
type layout struct {
	kind                Kind
	start, header, body int // body is where it starts
	end                 int
}

func layouts(raw []byte) []layout {
	var out []layout
	for at := 0; at < len(raw); {
		p, err := parsePrefix(raw[at:])
		if err != nil {
			panic(err)
		}
		f := layout{p.kind, at, at + prefixLen, at + prefixLen + p.header, at + prefixLen + p.header + p.body}
		out = append(out, f)
		at = f.end
	}
	return out
}

// mend makes the checksums of a frame right again as far as its lengths allow.
func mend(raw []byte, f layout) {
	header := raw[f.header:f.body]
	if f.kind == KindSide {
		c := cursor{b: header}
		c.text()
		c.uvarint()
		header = c.b
	}
	if f.kind == KindRecords || f.kind == KindSide {
		mendRows(header, raw[f.body:f.end])
	}
	n := int(binary.LittleEndian.Uint32(raw[f.start+8:]))
	if n < 0 || n > len(raw)-f.header {
		n = 0
	}
	binary.LittleEndian.PutUint32(raw[f.start+16:], checksum(raw[f.start:f.start+16], raw[f.header:f.header+n]))
}

func mendRows(header, body []byte) {
	if len(header) < fixedIn {
		return
	}
	at := fixedIn
	for range binary.LittleEndian.Uint16(header[fixedIn-4:]) {
		if at+2 > len(header) {
			return
		}
		at += 2 + 8*int(binary.LittleEndian.Uint16(header[at:]))
	}
	off := 0
	for ; at+rowLen <= len(header); at += rowLen {
		n := int(binary.LittleEndian.Uint32(header[at+16:]))
		if n < 0 || n > len(body)-off {
			return
		}
		binary.LittleEndian.PutUint32(header[at+24:], column.Checksum(body[off:off+n]))
		off += n
	}
}

// devour reads a stream and does all that tools do with a batch. Every error must be damage.
func devour(t testing.TB, what string, raw []byte, o Options) (Status, []string) {
	x := NewReader(bytes.NewReader(raw), o)
	for {
		it, err := x.Next()
		if err == io.EOF {
			return x.Status()
		}
		if err == nil {
			if err = use(it); err != nil {
				err = x.Lost(it, err)
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func use(it *Item) error {
	if it.Kind == KindSide {
		var s Tables
		if err := s.Add(*it.Table); err != nil {
			return err
		}
		var again Tables
		for _, t := range s.All() {
			if err := again.Add(t); err != nil {
				return fmt.Errorf("a second time: %v", err)
			}
		}
		return nil
	}
	if it.Kind != KindRecords {
		return nil
	}
	defer it.Batch.Release()
	return useBatch(it.Batch)
}

// useBatch ends at the first error, as tools do.
func useBatch(b *flow.Batch) error {
	for _, name := range []string{"srcip", "srcip4", "dstport", "bytes", "packets", "duration", "pps", "icmptype", "first"} {
		if f, ok := ie.FieldByName(name); ok {
			if _, err := b.Scaled(f); err != nil {
				return err
			}
		}
	}
	if _, err := b.Sum(); err != nil {
		return err
	}
	for i := range b.Cols {
		if _, err := b.Vec(i); err != nil {
			return err
		}
	}
	if b.Sel == nil {
		b.Sel = flow.NewBitmap(b.N)
		for i := 0; i < b.N; i += 3 {
			b.Sel.Set(i)
		}
	}
	_, err := b.Compact()
	return err
}

// TestLyingFields overwrites every field of every frame with extremes and makes the checksums
// right again: nothing may panic, take long or much memory. Places, widths and values are
// combined in turn; FuzzReader and its like have the rest.
func TestLyingFields(t *testing.T) {
	raw := everyFrame(t)
	if s, p := devour(t, "unharmed", raw, Options{}); s != Complete {
		t.Fatal(s, p)
	}
	bad := make([]byte, len(raw))
	options := []Options{{Name: "x"}, {Name: "x", Recover: true}, {Name: "x", Lazy: true}}
	const limit = maxBody + maxHeader + 8<<20
	start, n, lies, silent := time.Now(), 0, 0, 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, f := range layouts(raw) {
		for at := f.start + 4; at < f.end; at++ {
			for _, v := range []uint64{0, 1, math.MaxUint64, math.MaxUint64 >> 1, 1 << 26} {
				width := 1 << (n % 4)
				n++
				if n%7 != 0 || at+width > f.end || width == 1 && v == 1<<26 {
					continue
				}
				lies++
				copy(bad, raw)
				lie(bad[at:], width, v)
				mend(bad, f)
				what := fmt.Sprintf("%s frame at %d: byte %d, width %d: %x", f.kind, f.start, at-f.start, width, v)
				s, problems := devour(t, what, bad, options[n%len(options)])
				if s == Complete {
					silent++ // a value that may as well be true
				}
				for _, p := range problems {
					if !strings.Contains(p, "offset") && !strings.Contains(p, "truncated after") && !strings.Contains(p, "its input was damaged") &&
						!strings.Contains(p, "still being") && !strings.HasSuffix(p, ": none") {
						t.Fatalf("%s: %q names no offset", what, p)
					}
				}
				runtime.ReadMemStats(&after)
				if got := after.TotalAlloc - before.TotalAlloc; got > limit {
					t.Errorf("%s: %d bytes allocated", what, got)
				}
				before = after
			}
		}
	}
	t.Logf("%d lies, %d of them passed for true, in %v", lies, silent, time.Since(start))
}

func lie(p []byte, width int, v uint64) {
	switch width {
	case 1:
		p[0] = byte(v)
		if v == math.MaxUint64>>1 {
			p[0] = 0x7f
		}
	case 2:
		if v == math.MaxUint64>>1 {
			v = math.MaxInt16
		}
		binary.LittleEndian.PutUint16(p, uint16(v))
	case 4:
		if v == math.MaxUint64>>1 {
			v = math.MaxInt32
		}
		binary.LittleEndian.PutUint32(p, uint32(v))
	default:
		binary.LittleEndian.PutUint64(p, v)
	}
}

// TestLargestClaims: headers that claim as much as they may do not cost more than that.
func TestLargestClaims(t *testing.T) {
	head := appendFrame(nil, KindHead, (&Head{}).append(nil), 0)
	args := binary.AppendUvarint(make([]byte, 16, maxHeader), 1) // one entry
	args = append(args, 0, 0, 0)
	args = binary.AppendUvarint(args, maxHeader-100)
	args = append(args, make([]byte, maxHeader-100+2)...)
	for name, in := range map[string][]byte{
		"a million arguments":  appendFrame(nil, KindHead, args, 0),
		"a body that is not":   append(bytes.Clone(head), appendFrame(nil, KindRecords, nil, maxBody)...),
		"an unknown kind":      append(bytes.Clone(head), appendFrame(nil, 0xf0, nil, maxBody)...),
		"a table that is not":  append(bytes.Clone(head), appendFrame(nil, KindSide, []byte{1, 'x', 0}, maxBody)...),
		"shapes without end":   append(bytes.Clone(head), appendFrame(nil, KindRecords, bytes.Repeat([]byte{0xff, 1, 0, 0}, maxHeader/4), 0)...),
		"a thousand endless":   append(bytes.Clone(head), bytes.Repeat(appendFrame(nil, KindRecords, nil, maxBody)[:19], 1000)...),
		"an enormous dropping": append(bytes.Clone(head), appendFrame(nil, KindTick, append(make([]byte, 8), 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255), 0)...),
	} {
		for _, o := range []Options{{}, {Recover: true}, {Lazy: true}} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			devour(t, name, in, o)
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > maxBody+64*maxHeader {
				t.Errorf("%s, %+v: %d bytes allocated", name, o, got)
			}
		}
	}
}

// TestLooksLikeFrames: a file full of magics and large claims does not take for ever.
func TestLooksLikeFrames(t *testing.T) {
	one := appendFrame(nil, KindRecords, make([]byte, 4), 0)
	binary.LittleEndian.PutUint32(one[8:], maxHeader)
	in := bytes.Repeat(one, 200000)
	start := time.Now()
	s, p := devour(t, "claims", in, Options{Recover: true})
	if took := time.Since(start); s != Partial || took > 20*time.Second {
		t.Errorf("%d bytes took %v: %s %q", len(in), took, s, p)
	}
}

func TestLongHistory(t *testing.T) {
	var h Head
	for i := range 300 {
		h.History.Add(Entry{Tool: "nfcat", Args: []string{fmt.Sprint(i), strings.Repeat("x", 1000), strings.Repeat("y", 9000)}})
	}
	for _, tool := range []string{"nfcat", strings.Repeat("z", maxHeader)} {
		h.History.Entries[7].Tool = tool
		var out bytes.Buffer
		w := NewWriter(&out)
		check(t, w.Head(h))
		check(t, w.End(End{Reason: strings.Repeat("r", 1<<21), Counts: make([]Count, 2000)}))
		x := NewReader(&out, Options{})
		it, err := x.Next()
		check(t, err)
		if n := len(it.Head.History.Entries); uint64(n)+it.Head.History.More != 300 || n != maxHistory {
			t.Errorf("%d entries and %d more", n, it.Head.History.More)
		}
		if a := it.Head.History.Entries[9].Args; len(a) != 3 || a[2] != "… 1 more" {
			t.Errorf("arguments %.80q", a)
		}
		if _, _, err := read(t, x); err != nil {
			t.Error(err)
		}
		if s, p := x.Status(); s != Complete {
			t.Errorf("%s %q", s, p)
		}
	}
}
