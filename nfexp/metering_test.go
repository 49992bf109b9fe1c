package main

import (
	"testing"

	"nfpipe/lib/flow"
	"nfpipe/lib/packet"
)

// Records have the interface of their packets, unless another number was asked for, or none.
func TestInterfaceOfRecords(t *testing.T) {
	for _, c := range []struct{ asked, system, want int }{
		{-1, 0, 5}, // any
		{-1, 5, 5},
		{7, 7, 7},
		{0, 0, 0},
	} {
		got := 0
		g := newMetering(&config{index: c.asked}, c.system, func(b *flow.Batch) error {
			if at := b.Find(flow.Key{ID: 10}); at >= 0 {
				v, err := b.Vec(at)
				if err != nil {
					return err
				}
				got = int(v.Ints[0])
			}
			return nil
		})
		err := g.add([]packet.Packet{{Time: 1, Interface: 5, Family: 4, Proto: packet.ProtoESP}})
		if err == nil {
			err = g.finish()
		}
		if got != c.want || err != nil {
			t.Errorf("asked for %d, the system has %d: interface %d, want %d, %v", c.asked, c.system, got, c.want, err)
		}
	}
}
