package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"nfpipe/lib/column"
)

func FuzzReader(f *testing.F) {
	r := rand.New(rand.NewPCG(17, 18))
	f.Add(write(f, column.None, false, someBatch(r, 20)))
	f.Add(write(f, column.Zstd, false, someBatch(r, 300)))
	f.Add(everyFrame(f))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, o := range []Options{{}, {Recover: true}, {Lazy: true}} {
			devour(t, "fuzz", in, o)
		}
	})
}

// FuzzRecordsHeader damages what a checksum would catch: header parsing trusts nothing either.
func FuzzRecordsHeader(f *testing.F) {
	b := someBatch(rand.New(rand.NewPCG(19, 20)), 50)
	fr, err := EncodeFrame(b, column.None, false)
	check(f, err)
	f.Add(fr.Head[prefixLen:], bytes.Join(fr.Body, nil))
	f.Fuzz(func(t *testing.T, header, body []byte) {
		fuzzFrame(t, KindRecords, header, body)
	})
}

func FuzzSide(f *testing.F) {
	for _, l := range layouts(everyFrame(f)) {
		if raw := everyFrame(f); l.kind == KindSide {
			f.Add(raw[l.header:l.body], raw[l.body:l.end])
		}
	}
	f.Fuzz(func(t *testing.T, header, body []byte) {
		fuzzFrame(t, KindSide, header, body)
	})
}

// fuzzFrame reads a frame of a header and a body with the checksums made right.
func fuzzFrame(t *testing.T, k Kind, header, body []byte) {
	if len(header) > maxHeader || len(body) > maxBody {
		return
	}
	raw := appendFrame(nil, KindHead, (&Head{}).append(nil), 0)
	at := len(raw)
	raw = append(appendFrame(raw, k, header, len(body)), body...)
	mend(raw, layout{k, at, at + prefixLen, at + prefixLen + len(header), len(raw)})
	for _, o := range []Options{{}, {Lazy: true}} {
		devour(t, k.String(), raw, o)
	}
}

// FuzzHead and FuzzEnd: what was understood is written again and understood the same.
func FuzzHead(f *testing.F) {
	h := Head{Features: 1, Created: 2}
	h.History.Add(Entry{Tool: "nfcap", Version: "1", Args: []string{"-p", "9995"}})
	h.History.Add(Entry{Tool: "nffilter", Port: "pass"})
	f.Add(h.append(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := parseHead(in)
		if err != nil {
			return
		}
		again, err := parseHead(h.append(nil))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(h) {
			t.Errorf("%+v read again: %+v %v", h, again, err)
		}
		for _, e := range []History{h.History, {}} {
			e.Merge(again.History)
			e.Add(Entry{Tool: "x"})
			e.Leaves()
		}
		devour(t, "head", appendFrame(nil, KindHead, in[:min(len(in), maxHeader)], 0), Options{})
	})
}

func FuzzEnd(f *testing.F) {
	tail := (&End{Status: Aborted, Reason: "x", HasTotals: true, Losses: Losses{1, 2, 3}, Counts: []Count{{1, 2, 3, 4}}}).appendFrame(99)
	f.Add(tail[prefixLen:])
	f.Add((&End{}).appendFrame(0)[prefixLen:])
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > maxHeader {
			return
		}
		if len(in) > endTail { // the length of the frame is right
			binary.LittleEndian.PutUint32(in[len(in)-8:], uint32(prefixLen+len(in)))
		}
		head := appendFrame(nil, KindHead, (&Head{}).append(nil), 0)
		devour(t, "end", append(head, appendFrame(nil, KindEnd, in, 0)...), Options{})
		e, err := parseEnd(in)
		if err != nil || len(e.Reason) > maxReason {
			return
		}
		again, err := parseEnd(e.appendFrame(0)[prefixLen:])
		e.Length, again.Length = 0, 0
		if err != nil || fmt.Sprint(again) != fmt.Sprint(e) {
			t.Errorf("%+v read again: %+v %v", e, again, err)
		}
	})
}
