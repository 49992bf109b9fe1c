package packet

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// raw makes bytes of hexadecimal parts; blanks are free.
func raw(parts ...string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// v4 is an IPv4 packet from 10.0.0.1 to 10.0.0.2.
func v4(proto uint8, payload []byte) []byte {
	b := raw("45 b8 0000 1234 4000 40 00 0000 0a000001 0a000002")
	b[9] = proto
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	return append(b, payload...)
}

// v6 is an IPv6 packet from 2001:db8::1 to 2001:db8::2.
func v6(next uint8, payload []byte) []byte {
	b := raw("6 b8 12345 0000 00 3f", "20010db8000000000000000000000001", "20010db8000000000000000000000002")
	b[6] = next
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	return append(b, payload...)
}

func udp(src, dst uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

var (
	tcp  = raw("1389 1770 00000001 00000002 5 0 12 2000 0000 0000")
	mac  = raw("020000000001 020000000002")
	ip4  = v4(ProtoTCP, tcp)
	ip6  = v6(ProtoTCP, tcp)
	eth4 = cat(mac, raw("0800"), ip4)
	snap = raw("aaaa03 000000 0800")
)

// isInner checks that p is the packet in ip4 or ip6.
func isInner(t *testing.T, name string, s Status, p *Packet) {
	t.Helper()
	size := uint32(40)
	if p.Family == 6 {
		size = 60
	}
	if s != IP || p.Proto != ProtoTCP || p.SrcPort != 5001 || p.DstPort != 6000 || p.TCPFlags != 0x12 ||
		p.Seq != 1 || p.Ack != 2 || p.Window != 0x2000 || p.Bytes != size || p.TOS != 0xb8 || p.Payload != 20 {
		t.Errorf("%s: %v, %+v", name, s, *p)
	}
}
