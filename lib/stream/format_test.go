package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// TestFormatExample holds the annotated example of FORMAT.md to what is written.
func TestFormatExample(t *testing.T) {
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.ShapeOf(8, 12, 4, 7, 11, 2, 1))
	l.Next()
	put(l, uint32(0x0a000001), uint32(0x0a000002), uint64(17), uint64(53), uint64(40000), uint64(2), uint64(200))
	f, err := EncodeFrame(b.Batch(), column.None, false)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, err := range []error{w.Head(Head{Features: FeatureSelection}), w.Write(f), w.End(End{})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	text := annotate(out.Bytes())
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		before, rest, _ := strings.Cut(string(page), "`--reproducible`:\n\n")
		_, after, _ := strings.Cut(rest, "\n## Changing")
		page = []byte(before + "`--reproducible`:\n\n" + text + "\n## Changing" + after)
		if err := os.WriteFile("FORMAT.md", page, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(string(page), text) {
		t.Errorf("the example of FORMAT.md is not what is written, which is\n%s", text)
	}
}

// annotate is a hex dump of a stream of one frame of records, with what each part is.
func annotate(p []byte) string {
	var s strings.Builder
	at := 0
	show := func(n int, what string, a ...any) {
		for line := p[at : at+n]; ; what = "" {
			k := min(len(line), 16)
			fmt.Fprintf(&s, "    %04x  %-47s", at, fmt.Sprintf("% x", line[:k]))
			if what != "" {
				fmt.Fprintf(&s, "  "+what, a...)
			}
			s.WriteString("\n")
			at += k
			if line = line[k:]; len(line) == 0 {
				return
			}
		}
	}
	frame := func(kind string) (header int) {
		header = int(binary.LittleEndian.Uint32(p[at+8:]))
		show(8, "%s frame: magic, version 1, kind", kind)
		show(12, "header of %d bytes, body of %d, checksum", header, binary.LittleEndian.Uint32(p[at+4:]))
		return header
	}
	frame("Head")
	show(16, "required features: selection; no time")
	show(2, "no history")
	frame("Records")
	b, dir, err := parseRecords(p[at:at+int(binary.LittleEndian.Uint32(p[at-12:]))], int(binary.LittleEndian.Uint32(p[at-8:])))
	if err != nil {
		return err.Error()
	}
	show(8, "1 record, 1 counts")
	show(112, "totals: flows, packets, octets by class; no times")
	show(4, "1 shape, %d rows", len(dir.rows))
	show(2, "%d elements", len(b.Shapes[0]))
	for _, e := range b.Shapes[0] {
		show(8, "%s, %d bytes", e.ID, e.Len)
	}
	for _, r := range dir.rows {
		name := r.key.ID.String()
		if r.key.ID == shapeRow {
			name = "shapes"
		}
		show(16, "%s: %s, %s", name, r.block.Kind, r.block.Enc)
		show(12, "%d bytes stored, %d raw, checksum", r.len, r.block.Raw)
		show(4, "")
		show(32, "smallest and largest value")
	}
	for _, r := range dir.rows {
		show(r.len, "block of %s", r.key.ID)
	}
	n := frame("End")
	show(2, "complete, no reason")
	show(8, "1 record")
	show(113, "totals")
	show(n-2-8-113-16, "nothing lost, no counts")
	show(16, "segment of %d bytes, End of %d, magic", len(p), n+prefixLen)
	return s.String()
}
