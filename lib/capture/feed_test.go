package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"nfpipe/lib/capture"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
)

// synthetic is a pcap file of n TCP packets of 84 IP bytes between so many flows.
func synthetic(n, flows int) []byte {
	o := binary.LittleEndian
	b := pcapHeader(o, 0xa1b2c3d4, 2, 4)
	frame := make([]byte, 98)
	frame[12], frame[13] = 8, 0
	frame[14], frame[17], frame[22], frame[23] = 0x45, 84, 64, packet.ProtoTCP
	frame[46], frame[47] = 0x50, 0x10
	x := uint32(2463534242)
	for i := range n {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		flow := x % uint32(flows)
		binary.BigEndian.PutUint32(frame[26:], 10<<24|flow)
		binary.BigEndian.PutUint32(frame[30:], 172<<24|flow*2654435761>>8)
		binary.BigEndian.PutUint16(frame[34:], uint16(flow*40503))
		binary.BigEndian.PutUint16(frame[36:], 443)
		b = pcapRecord(o, b, uint32(1_700_000_000+i/100_000), uint32(i%100_000*10), 98, 98, frame)
	}
	return b
}

func open(t testing.TB, b []byte) *capture.Reader {
	r, err := capture.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFeed(t *testing.T) {
	const n = 10_000
	b := synthetic(n, 100)
	next := int64(0)
	c, err := capture.Feed(open(t, b), &packet.Parser{}, func(list []packet.Packet) error {
		for _, p := range list {
			if want := 1_700_000_000e9 + next*10_000; p.Time != want {
				t.Fatalf("packet %d has time %d, want %d", next, p.Time, want)
			}
			next++
		}
		return nil
	})
	if err != nil || next != n || c != (capture.Counts{Frames: n}) {
		t.Errorf("%d packets, counts %+v, error %v; want %d", next, c, err, n)
	}
}

func TestFeedTruncated(t *testing.T) {
	const n = 1000
	b := synthetic(n, 100)
	got := 0
	_, err := capture.Feed(open(t, b[:len(b)-1]), &packet.Parser{}, func(list []packet.Packet) error {
		got += len(list)
		return nil
	})
	if got != n-1 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d packets, error %v; want %d and io.ErrUnexpectedEOF", got, err, n-1)
	}
}

func TestFeedStopped(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	_, err := capture.Feed(open(t, synthetic(100_000, 100)), &packet.Parser{}, func([]packet.Packet) error {
		if calls++; calls == 3 {
			return stop
		}
		return nil
	})
	if calls != 3 || err != stop {
		t.Errorf("%d calls, error %v; want 3 and the callback's error", calls, err)
	}
}

func BenchmarkScan(b *testing.B) {
	in := synthetic(1_000_000, 1000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r := open(b, in)
		var p capture.Packet
		for r.Next(&p) == nil {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/packet")
}

// BenchmarkMeter is the whole way from a file's bytes to records: four million
// packets of 400,000 flows.
func BenchmarkMeter(b *testing.B) {
	const n = 4_000_000
	in := synthetic(n, n/10)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		m := meter.New(meter.Config{}, func(*meter.Record) {})
		_, err := capture.Feed(open(b, in), &packet.Parser{}, func(list []packet.Packet) error {
			m.Add(list)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		m.Flush()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/packet")
}
