package meter

import (
	"encoding/binary"
	"testing"

	"nfpipe/lib/packet"
)

// FuzzMeter makes packets of twelve bytes each. Whatever they are, records hold
// every packet and byte once, and no flow ends before it began.
func FuzzMeter(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Add([]byte("\x06\x01\x02\x03\x04\x00\x02\x00\x00\x00\x00\x10\x06\x02\x01\x04\x03\x00\x11\x00\x00\x00\x01\x10"), uint8(1))
	f.Add([]byte("\x11\x01\x02\x03\x04\x01\x00\x01\x00\x00\x00\x10\x11\x01\x02\x03\x04\x00\x00\x02\x00\x00\x01\x10"), uint8(0x13))
	f.Add([]byte("\x01\x01\x02\x03\x04\x00\x00\x00\xff\xff\xff\xff\x3a\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00\x01"), uint8(0xff))
	f.Fuzz(func(t *testing.T, in []byte, options uint8) {
		c := Config{
			Biflow: options&1 != 0, Track: Track(options >> 1 & 7 % 6), MaxFlows: int(options>>4) * 3,
			Timeouts: activeIdle(30*dur(second), 6*dur(second)),
		}
		var packets, bytes, outPackets, outBytes uint64
		m := New(c, func(r *Record) {
			for _, d := range []*Direction{&r.Direction, &r.Reverse} {
				outPackets += d.Packets
				outBytes += d.Bytes
				if d.Packets > 0 && (d.First > d.Last || d.MinTTL > d.MaxTTL) {
					t.Fatalf("direction %+v", *d)
				}
			}
			if r.Packets == 0 || r.End < Idle || r.End > LackOfResources {
				t.Fatalf("record %+v", *r)
			}
		})
		now := int64(1_700_000_000) * second
		list := make([]packet.Packet, 0, 64)
		for ; len(in) >= 12; in = in[12:] {
			now += int64(int32(binary.BigEndian.Uint32(in[8:]))) * 1000
			p := packet.Packet{Time: now, Proto: in[0], Family: 4 + in[1]>>7*2, Bytes: uint32(in[7])<<8 | uint32(in[8])}
			p.Src[3], p.Dst[3] = in[1]&3, in[2]&3
			p.TTL, p.VLAN[0], p.SrcMAC[0] = in[4], uint16(in[2]>>6), in[3]>>6
			p.ID = uint32(in[4] >> 6)
			p.FragOffset = uint16(in[5]&3) * 8
			p.Flags = packet.Flags(in[5] >> 4 & 15)
			p.MPLSDepth = in[5] >> 2 & 3
			if p.FragOffset == 0 {
				p.SrcPort, p.DstPort, p.TCPFlags = uint16(in[3]&3), uint16(in[4]&3), uint16(in[6])
			}
			packets++
			bytes += uint64(p.Bytes)
			if list = append(list, p); len(list) == cap(list) {
				m.Add(list)
				list = list[:0]
			}
		}
		m.Add(list)
		m.Flush()
		if packets != outPackets || bytes != outBytes {
			t.Fatalf("%d packets of %d bytes in, %d of %d out", packets, bytes, outPackets, outBytes)
		}
		if s := m.Stats(); s.Packets != packets || s.Active != 0 {
			t.Fatalf("stats %+v after %d packets", s, packets)
		}
	})
}
