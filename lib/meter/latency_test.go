package meter

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/packet"
)

// data is a segment with n bytes of payload.
func data(at float64, n uint32, back bool) packet.Packet {
	p := segment(at, tcpACK, back)
	p.TCPHeader, p.Payload = 20, 20+n
	return p
}

func TestLatency(t *testing.T) {
	const syn, ack, rst = tcpSYN, tcpACK, tcpRST
	whole := []packet.Packet{segment(1, syn, false), segment(1.03, syn|ack, true), segment(1.05, ack, false)}
	with := func(more ...packet.Packet) []packet.Packet { return append(slices.Clone(whole), more...) }
	for _, c := range []struct {
		name string
		list []packet.Packet
		want string // server, client, application in ms
	}{
		{"whole", whole, "30 20 -"},
		{"no SYN", whole[1:], "- - -"},
		{"no ACK", whole[:2], "- - -"},
		{"no answer", []packet.Packet{whole[0], whole[2]}, "- - -"},
		{"reset", []packet.Packet{whole[0], segment(1.01, rst|ack, true)}, "- - -"},
		{"SYN twice", []packet.Packet{whole[0], segment(1.02, syn, false), whole[1], whole[2]}, "30 20 -"},
		{"answer twice", []packet.Packet{whole[0], whole[1], segment(1.04, syn|ack, true), whole[2]}, "30 20 -"},
		{"ACK from the wrong side", []packet.Packet{whole[0], whole[1], segment(1.04, ack, true), whole[2]}, "30 20 -"},
		{"request alone", with(data(1.1, 5, false)), "30 20 -"},
		{"request and answer", with(data(1.1, 5, false), segment(1.11, ack, true), data(1.2, 7, true), data(1.3, 7, true)), "30 20 100"},
		{"the last ACK has the request", []packet.Packet{whole[0], whole[1], data(1.05, 3, false), data(1.1, 1, true)}, "30 20 50"},
		{"the server speaks first", with(data(1.1, 9, true), data(1.2, 5, false), data(1.25, 9, true)), "30 20 50"},
		{"out of order", []packet.Packet{whole[0], segment(0.9, syn|ack, true), segment(0.95, ack, false)}, "0 50 -"},
		{"a second connection", with(segment(2, rst, false), segment(3, syn, false), segment(3.001, syn|ack, true), segment(3.003, ack, false)), "30 20 -; 1 2 -"},
	} {
		var got []string
		m := New(Config{Biflow: true, Latency: true}, func(r *Record) {
			text := "- -"
			if r.Latency.Shaken() {
				text = fmt.Sprintf("%d %d", r.Latency.Server/1e6, r.Latency.Client/1e6)
			}
			if r.Latency.Answered() {
				got = append(got, fmt.Sprintf("%s %d", text, r.Latency.App/1e6))
			} else {
				got = append(got, text+" -")
			}
		})
		list := slices.Clone(c.list)
		for i := range list {
			list[i].Time = (list[i].Time + 500) / 1000 * 1000 // of seconds that no float has
			if list[i].TCPHeader == 0 {
				list[i].TCPHeader, list[i].Payload = 20, 20
			}
		}
		m.Add(list)
		m.Flush()
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// Latencies become columns of both records of a connection.
func TestColumnsOfLatency(t *testing.T) {
	cols := NewColumns(ColumnOptions{})
	m := New(Config{Latency: true}, func(r *Record) {
		if !cols.Add(r) {
			t.Error("a record was not taken")
		}
	})
	m.Add([]packet.Packet{segment(1, tcpSYN, false), segment(1.03, tcpSYN|tcpACK, true), segment(1.05, tcpACK, false), data(2, 5, false), data(3, 5, true)})
	m.Flush()
	b := cols.Batch()
	defer b.Release()
	for id, want := range map[ie.ID]uint64{ie.AppLatency: 1_000_000, ie.ServerLatency: 30_000, ie.ClientLatency: 20_000} {
		at := b.Find(flow.Key{ID: id})
		if at < 0 {
			t.Errorf("element %v has no column", id)
			continue
		}
		v, err := b.Vec(at)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Ints; !slices.Equal(got, []uint64{want, want}) {
			t.Errorf("element %v: %v, want %d twice", id, got, want)
		}
	}
}
