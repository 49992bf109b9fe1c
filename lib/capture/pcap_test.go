package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"nfpipe/lib/capture"
)

func TestPcap(t *testing.T) {
	want := func(nanos int64) []capture.Packet {
		return []capture.Packet{
			{Time: 5e9 + 7*nanos, Data: []byte("abc"), OrigLen: 3, LinkType: 1},
			{Time: 6e9, Data: nil, OrigLen: 9, LinkType: 1},
			{Time: 4294967295e9 + 999999*nanos, Data: []byte("defgh"), OrigLen: 1 << 20, LinkType: 1},
		}
	}
	for _, o := range orders {
		for _, c := range []struct {
			name         string
			magic        uint32
			major, minor uint16
			nanos        int64
			swap         bool // original length first
			extra        int  // bytes more in a record header
		}{
			{"micro", 0xa1b2c3d4, 2, 4, 1000, false, 0},
			{"nano", 0xa1b23c4d, 2, 4, 1, false, 0},
			{"modified", 0xa1b2cd34, 2, 4, 1000, false, 8},
			{"version 2.2", 0xa1b2c3d4, 2, 2, 1000, true, 0},
			{"version 2.3", 0xa1b2c3d4, 2, 3, 1000, false, 0},
			{"version 2.3 swapped", 0xa1b2c3d4, 2, 3, 1000, true, 0},
			{"version 543.0", 0xa1b2c3d4, 543, 0, 1000, true, 0},
		} {
			b := pcapHeader(o, c.magic, c.major, c.minor)
			add := func(sec, frac, n, orig uint32, data string) {
				if c.swap {
					n, orig = orig, n
				}
				b = pcapRecord(o, b, sec, frac, n, orig, append(make([]byte, c.extra), data...))
			}
			add(5, 7, 3, 3, "abc")
			add(6, 0, 0, 9, "")
			add(4294967295, 999999, 5, 1<<20, "defgh")
			name := fmt.Sprint(o, " ", c.name)
			got, err := all(bytes.NewReader(b))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			check(t, name, got, want(c.nanos))
			got, err = all(iotest.OneByteReader(bytes.NewReader(b)))
			if err != nil {
				t.Fatalf("%s by bytes: %v", name, err)
			}
			check(t, name+" by bytes", got, want(c.nanos))
		}
	}
}

// TestCut cuts a file of each format at every byte: what is whole is given, and
// only an end between records is a clean one.
func TestCut(t *testing.T) {
	o := orders[0]
	head := pcapHeader(o, 0xa1b2c3d4, 2, 4)
	rec := pcapRecord(o, nil, 1, 2, 4, 4, []byte("data"))
	idb := interfaceBlock(o, 1, 0)
	epb := enhanced(o, 0, 1e6, 4, "data")
	for _, c := range []struct {
		name  string
		parts [][]byte // what NewReader needs, then records
		skip  int      // of them, those that are no packets
	}{
		{"pcap", [][]byte{head, rec, rec}, 0},
		{"pcapng", [][]byte{section(o), idb, epb, epb}, 1},
	} {
		whole := join(c.parts...)
		ends := map[int]int{len(c.parts[0]): 0}
		at := len(c.parts[0])
		for i, p := range c.parts[1:] {
			at += len(p)
			ends[at] = max(0, i+1-c.skip)
		}
		packets := 0
		for n := range len(whole) + 1 {
			got, err := all(bytes.NewReader(whole[:n]))
			if k, clean := ends[n]; clean {
				packets = k
				if err != nil {
					t.Errorf("%s cut at %d: %v", c.name, n, err)
				}
			} else if n == 0 {
				if err == nil || !errors.Is(err, io.EOF) {
					t.Errorf("%s cut at 0: error %v, want io.EOF", c.name, err)
				}
			} else if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "offset") {
				t.Errorf("%s cut at %d: error %v, want io.ErrUnexpectedEOF with the offset", c.name, n, err)
			}
			if len(got) != packets {
				t.Errorf("%s cut at %d: %d packets, want %d", c.name, n, len(got), packets)
			}
		}
	}
}

func TestPcapRefused(t *testing.T) {
	o := orders[0]
	head := pcapHeader(o, 0xa1b2c3d4, 2, 4)
	for _, c := range []struct {
		name, want string
		in         []byte
		packets    int
	}{
		{"no capture", "not a pcap", []byte("hello, world, this is text"), 0},
		{"version 1", "version 1.0", pcapHeader(o, 0xa1b2c3d4, 1, 0), 0},
		{"packet too long", "at most 262144", join(head,
			pcapRecord(o, nil, 1, 1, 1, 1, []byte("x")), pcapRecord(o, nil, 1, 1, 1<<18+1, 1, make([]byte, 1<<18+1))), 1},
		{"absurd length", "offset 24", pcapRecord(o, head, 1, 1, 1<<32-1, 1, nil), 0},
	} {
		got, err := all(bytes.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
		if len(got) != c.packets {
			t.Errorf("%s: %d packets, want %d", c.name, len(got), c.packets)
		}
	}
	if _, err := capture.NewReader(strings.NewReader("hello, world")); !errors.Is(err, capture.ErrFormat) {
		t.Errorf("text: error %v, want ErrFormat", err)
	}
}

// TestLargest reads packets of the largest size across the buffer's end.
func TestLargest(t *testing.T) {
	o := orders[0]
	b := pcapHeader(o, 0xa1b2c3d4, 2, 4)
	data := bytes.Repeat([]byte{7}, 1<<18)
	for range 9 {
		b = pcapRecord(o, b, 1, 1, 1<<18, 1<<18, data)
	}
	got, err := all(bytes.NewReader(b))
	if err != nil || len(got) != 9 {
		t.Fatalf("%d packets, error %v", len(got), err)
	}
	for i, p := range got {
		if !bytes.Equal(p.Data, data) {
			t.Errorf("packet %d differs", i)
		}
	}
}

func TestReadError(t *testing.T) {
	b := pcapRecord(orders[0], pcapHeader(orders[0], 0xa1b2c3d4, 2, 4), 1, 1, 1, 1, []byte("x"))
	broken := errors.New("broken")
	got, err := all(io.MultiReader(bytes.NewReader(b), iotest.ErrReader(broken)))
	if len(got) != 1 || !errors.Is(err, broken) {
		t.Errorf("%d packets, error %v; want 1 and the reader's error", len(got), err)
	}
}
