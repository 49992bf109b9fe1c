package meter

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"nfpipe/lib/packet"
)

// A flow leaves at most half a second after its timeout, though no packet comes any more and the
// clock is told in steps, and never before.
func TestIdleLeavesInTime(t *testing.T) {
	for _, start := range []float64{1e9, 1e9 + 0.001, 1e9 + 0.25, 1e9 + 0.999} {
		var left int64
		now := int64(0)
		m := New(Config{Clocked: true, Timeouts: Timeouts{UDP: 2 * time.Second, General: time.Minute}}, func(r *Record) {
			if left = now; r.End != Idle {
				t.Errorf("end reason %d, want %d", r.End, Idle)
			}
		})
		p := numbered(1, start)
		m.Add([]packet.Packet{p})
		for now = p.Time; now < p.Time+5*second; now += second / 10 {
			m.Advance(now)
		}
		if after := time.Duration(left - p.Time); after < 2*time.Second || after > 2500*time.Millisecond {
			t.Errorf("a packet at %v: its flow left after %v, want 2 s and at most half a second", start, after)
		}
	}
}

// With a clock of its own, packets from rings that are ahead do not end the flows of others.
func TestClocked(t *testing.T) {
	var out []string
	m := New(Config{Clocked: true, Timeouts: Timeouts{UDP: 2 * time.Second, General: time.Minute}}, func(r *Record) {
		out = append(out, fmt.Sprintf("%d:%d", r.SrcPort, r.Packets))
	})
	m.Add([]packet.Packet{numbered(1, 10), numbered(2, 15), numbered(1, 11.9)})
	if len(out) != 0 {
		t.Errorf("%v left before the clock was moved", out)
	}
	m.Advance(15 * second)
	if want := []string{"1:2"}; !slices.Equal(out, want) {
		t.Errorf("at 15 s %v left, want %v", out, want)
	}
	// the clock is set back
	m.Add([]packet.Packet{numbered(3, 20)})
	m.Advance(20 * second)
	out = nil
	m.Advance(8 * second)
	m.Add([]packet.Packet{numbered(4, 8)})
	m.Advance(11 * second)
	if want := []string{"4:1"}; !slices.Equal(out, want) {
		t.Errorf("after the clock was set back %v left, want %v", out, want)
	}
}

// Packets alone do not move a clock of its own, neither ahead nor back.
func TestClockedByAdvanceAlone(t *testing.T) {
	var out []uint16
	m := New(Config{Clocked: true, Timeouts: Timeouts{General: 2 * time.Second}}, func(r *Record) { out = append(out, r.SrcPort) })
	m.Advance(1000 * second)
	for i := range 2 * lateRuns {
		m.Add([]packet.Packet{numbered(1, 100), numbered(2, 2000+3*float64(i))})
	}
	if len(out) != 2*lateRuns-1 || slices.Contains(out, 1) {
		t.Errorf("%d records left with the packets", len(out))
	}
	out = nil
	m.Advance(1000*second + tick)
	if !slices.Equal(out, []uint16{1}) {
		t.Errorf("with the clock %v left", out)
	}
}
