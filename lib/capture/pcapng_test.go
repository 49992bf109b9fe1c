package capture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"nfpipe/lib/capture"
)

func TestPcapng(t *testing.T) {
	for _, o := range orders {
		packet := o.AppendUint16(nil, 1)                      // the obsolete block: interface
		packet = append(packet, 0, 0)                         // drops
		packet = append(packet, o.AppendUint32(nil, 0)...)    // time
		packet = append(packet, o.AppendUint32(nil, 3e6)...)  //
		packet = append(packet, o.AppendUint32(nil, 2)...)    // captured
		packet = append(packet, o.AppendUint32(nil, 2000)...) // original
		packet = append(packet, "pb"...)
		other := orders[0]
		if o == other {
			other = orders[1]
		}
		in := join(
			section(o),
			interfaceBlock(o, 1, 4),
			block(o, 5, make([]byte, 40)),        // statistics
			block(o, 4, make([]byte, 12)),        // names
			block(o, 0xbad, make([]byte, 3<<20)), // custom, larger than any buffer
			interfaceBlock(o, 101, 0, option(o, 2, 'e', 't', 'h'), option(o, 9, 9), option(o, 0), option(o, 9, 3)),
			enhanced(o, 0, 1_500_000, 9, "micro"),
			enhanced(o, 1, 1_500_000_001, 4, "nano"),
			simple(o, 900, "simple"),
			block(o, 2, packet),
			section(other),
			interfaceBlock(other, 113, 0, option(other, 9, 0x80|10), option(other, 14, i64(other, 100)...)),
			enhanced(other, 0, 3<<10|512, 1, "x"),
		)
		got, err := all(bytes.NewReader(in))
		if err != nil {
			t.Fatalf("%v: %v", o, err)
		}
		check(t, fmt.Sprint(o), got, []capture.Packet{
			{Time: 1.5e9, Data: []byte("micro"), OrigLen: 9, LinkType: 1},
			{Time: 1.5e9 + 1, Data: []byte("nano"), OrigLen: 4, LinkType: 101, Interface: 1},
			{Time: 1.5e9 + 1, Data: []byte("simp"), OrigLen: 900, LinkType: 1},
			{Time: 3e6, Data: []byte("pb"), OrigLen: 2000, LinkType: 101, Interface: 1},
			{Time: 103.5e9, Data: []byte("x"), OrigLen: 1, LinkType: 113, Interface: 2},
		})
	}
}

func i64(o order, v int64) []byte { return o.AppendUint64(nil, uint64(v)) }

func TestPcapngTimes(t *testing.T) {
	o := orders[0]
	for _, c := range []struct {
		resol  byte
		offset int64
		time   uint64
		want   int64
	}{
		{6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000},
		{0, 0, 1_700_000_000, 1_700_000_000e9},
		{9, 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789},
		{12, 0, 1_700_000_000_999, 1_700_000_000},
		{19, 0, math.MaxUint64, 1_844_674_407},
		{20, 0, math.MaxUint64, 184_467_440},
		{127, 0, math.MaxUint64, 0},
		{0x80, 0, 77, 77e9},
		{0x80 | 20, 0, 5<<20 | 1<<19, 5.5e9},
		{0x80 | 64, 0, math.MaxUint64, 999_999_999},
		{0x80 | 65, 0, math.MaxUint64, 0},
		{6, 60, 1_000_000, 61e9},
		{6, -60, 61_000_000, 1e9},
		{6, -60, 1_000_000, 0},
		{6, math.MinInt64, 1, 0},
		{6, math.MaxInt64, 1, math.MaxInt64},
		{9, 9_000_000_000, 5e18, math.MaxInt64},
		{6, 0, math.MaxUint64, math.MaxInt64},
		{9, 0, math.MaxInt64 + 1, math.MaxInt64},
	} {
		in := join(section(o), interfaceBlock(o, 1, 0, option(o, 9, c.resol), option(o, 14, i64(o, c.offset)...)),
			enhanced(o, 0, c.time, 1, "x"))
		got, err := all(bytes.NewReader(in))
		if err != nil || len(got) != 1 || got[0].Time != c.want {
			t.Errorf("resolution %#x, offset %d, time %d: got %v, error %v; want %d", c.resol, c.offset, c.time, got, err, c.want)
		}
	}
}

func TestPcapngRefused(t *testing.T) {
	o := orders[0]
	head := join(section(o), interfaceBlock(o, 1, 0))
	edit := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	good := enhanced(o, 0, 1, 4, "abcd")
	for _, c := range []struct {
		name, want string
		in         []byte
	}{
		{"no byte order", "byte order", edit(section(o), 8, 1)},
		{"version 3", "version 3.0", edit(section(o), 12, 3)},
		{"lengths differ", "in front", join(head, edit(good, len(good)-4, 40))},
		{"length not aligned", "length 35", join(head, edit(good, 4, 35))},
		{"length below 12", "length 8", join(head, edit(good, 4, 8))},
		{"no interface", "no description", join(head, edit(good, 8, 1))},
		{"before any interface", "no description", join(section(o), good)},
		{"simple before any", "before any", join(section(o), simple(o, 1, "x"))},
		{"captured above block", "packet of 5 bytes", join(head, edit(good, 20, 5))},
		{"packet block too long", "packet block of", join(head, enhanced(o, 0, 1, 4, strings.Repeat("x", 1<<19)))},
		{"huge skipped block", "unexpected EOF", join(head, edit(block(o, 99, nil), 4, 1<<32-4))},
		{"section length 24", "section header of 24", edit(section(o), 4, 24)},
		{"short interface", "description of 16", join(section(o), block(o, 1, make([]byte, 4)))},
		{"short packet", "only 8 bytes", join(head, block(o, 6, make([]byte, 8)))},
		{"short simple", "only 0 bytes", join(head, block(o, 3, nil))},
	} {
		_, err := all(bytes.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "offset") {
			t.Errorf("%s: error %v, want one with %q and the offset", c.name, err, c.want)
		}
	}
}

func TestManyInterfaces(t *testing.T) {
	o := orders[0]
	one := interfaceBlock(o, 1, 0)
	_, err := all(bytes.NewReader(join(section(o), bytes.Repeat(one, 1<<16))))
	if err != nil {
		t.Errorf("65536 interfaces: %v", err)
	}
	_, err = all(bytes.NewReader(join(section(o), bytes.Repeat(one, 1<<16+1))))
	if err == nil || !strings.Contains(err.Error(), "more than 65536 interfaces") {
		t.Errorf("65537 interfaces: error %v", err)
	}
}
