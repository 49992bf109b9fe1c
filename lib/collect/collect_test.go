package collect

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"nfpipe/lib/stream"
)

// memory is a Store that counts.
type memory struct {
	mu      sync.Mutex
	records []uint64 // of each slot
	tables  int
	closed  bool
	losses  []stream.Losses
	fail    error
}

func newMemory() *memory { return &memory{records: []uint64{0}} }

func (m *memory) Write(f *stream.Frame) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.records[len(m.records)-1] += uint64(f.Records)
	return nil
}
func (m *memory) Table(stream.Table) error { m.tables++; return nil }
func (m *memory) Tick(stream.Tick) error   { return nil }
func (m *memory) Rotate(_ time.Time, l stream.Losses) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records, m.losses = append(m.records, 0), append(m.losses, l)
	return nil
}
func (m *memory) Close(e stream.End) error {
	m.closed, m.losses = true, append(m.losses, e.Losses)
	return nil
}

// v5 is a packet of NetFlow v5 with so many records.
func v5(seq uint32, n int) []byte {
	p := make([]byte, 24+48*n)
	p[1], p[3] = 5, byte(n)
	p[16], p[17], p[18], p[19] = byte(seq>>24), byte(seq>>16), byte(seq>>8), byte(seq)
	for i := range n {
		r := p[24+48*i:]
		r[19], r[23], r[38] = 1, 40, 17
		r[3] = byte(i)
	}
	return p
}

func TestSlots(t *testing.T) {
	m := newMemory()
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: m}}, Workers: 2}, time.Unix(0, 0))
	a := netip.MustParseAddr("192.0.2.1")
	seq := uint32(0)
	for slot := range 3 {
		for range 100 * (slot + 1) {
			b := c.Begin(slot % 2)
			b.Packet(v5(seq, 30), a, 1e18)
			b.End()
			seq += 30
		}
		if slot == 2 {
			b := c.Begin(0)
			b.Packet(v5(seq+60, 30), a, 1e18)
			b.End()
		}
		if slot < 2 {
			c.Rotate(time.Unix(int64(slot+1)*300, 0))
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	want := []uint64{3000, 6000, 9030}
	for i, n := range want {
		if m.records[i] != n {
			t.Errorf("slot %d: %d records, want %d", i, m.records[i], n)
		}
	}
	if !m.closed || m.losses[2].SequenceGaps != 3060-3000+6000 {
		t.Errorf("closed %v, losses %+v", m.closed, m.losses)
	}
}

// All methods may be called side by side.
func TestTogether(t *testing.T) {
	m := newMemory()
	dir := t.TempDir()
	c := New(Config{Sources: &Sources{One: &Source{Ident: "x", Store: m, State: dir + "/state"}}, Workers: 3, Flush: time.Millisecond}, time.Unix(0, 0))
	c.Run()
	const packets = 300
	var running sync.WaitGroup
	for w := range 3 {
		running.Go(func() {
			for i := range packets {
				b := c.Begin(w)
				b.Packet(v5(uint32(10*i), 10), address(w), time.Now().UnixNano())
				b.Packet(v9(1000, uint32(i), i%10 == 0), address(10+w), time.Now().UnixNano())
				b.End()
			}
		})
	}
	running.Go(func() {
		for range 20 {
			c.Rotate(time.Now())
			c.SaveState()
		}
	})
	running.Go(func() {
		for range 100 {
			c.Counts()
			c.SaveState()
			if err := c.Health(); err != nil {
				t.Error(err)
			}
		}
	})
	running.Wait()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	sum := uint64(0)
	for _, n := range m.records {
		sum += n
	}
	if want := uint64(3 * packets * 11); sum != want || c.Counts().Sources[0].Totals.Records != want {
		t.Errorf("%d records in the slots, %d counted, want %d", sum, c.Counts().Sources[0].Totals.Records, want)
	}
}
