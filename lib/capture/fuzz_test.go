package capture_test

import (
	"bytes"
	"testing"
	"testing/iotest"

	"nfpipe/lib/capture"
	"nfpipe/lib/packet"
)

// fuzz reads a file at once and in halves, which must not differ.
func fuzz(t *testing.T, in []byte) {
	whole, err := all(bytes.NewReader(in))
	halves, err2 := all(iotest.HalfReader(bytes.NewReader(in)))
	if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
		t.Fatalf("error %v at once, %v in halves", err, err2)
	}
	check(t, "in halves", halves, whole)
	sum := 0
	var q packet.Parser
	var out packet.Packet
	for _, p := range whole {
		sum += len(p.Data)
		if p.Time < 0 || p.OrigLen < len(p.Data) && p.OrigLen < 0 {
			t.Fatalf("packet %+v", p)
		}
		q.Parse(p.LinkType, p.Data, p.OrigLen, &out)
	}
	if sum > len(in) {
		t.Fatalf("%d bytes of packets from %d of input", sum, len(in))
	}
}

func FuzzPcap(f *testing.F) {
	for _, o := range orders {
		for _, magic := range []uint32{0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34} {
			b := pcapHeader(o, magic, 2, 4)
			b = pcapRecord(o, b, 1, 2, 14, 60, make([]byte, 22))
			f.Add(pcapRecord(o, b, 1, 2, 0, 0, nil))
		}
	}
	f.Fuzz(fuzz)
}

func FuzzPcapng(f *testing.F) {
	for _, o := range orders {
		f.Add(join(section(o), interfaceBlock(o, 1, 96, option(o, 9, 9), option(o, 14, i64(o, 5)...)),
			enhanced(o, 0, 1e9, 5, "hello"), simple(o, 9, "hi"), block(o, 5, make([]byte, 8)), section(o)))
	}
	f.Fuzz(fuzz)
}

// FuzzFeed holds that counts add up, whatever the link type.
func FuzzFeed(f *testing.F) {
	f.Add(uint16(1), []byte("\x45\x00\x00\x14"))
	f.Add(uint16(113), bytes.Repeat([]byte{8}, 60))
	f.Fuzz(func(t *testing.T, link uint16, data []byte) {
		data = data[:min(len(data), 4096)]
		o := orders[0]
		b := pcapHeader(o, 0xa1b2c3d4, 2, 4)
		o.PutUint32(b[20:], uint32(link))
		for range 3 {
			b = pcapRecord(o, b, 1, 2, uint32(len(data)), uint32(len(data)), data)
		}
		r, err := capture.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		got := uint64(0)
		c, err := capture.Feed(r, &packet.Parser{Decap: 8}, func(list []packet.Packet) error {
			got += uint64(len(list))
			return nil
		})
		if err != nil || c.Frames != 3 || got+c.NotIP+c.Short+c.Malformed+c.UnknownLink != 3 {
			t.Fatalf("%d packets, counts %+v, error %v", got, c, err)
		}
	})
}
