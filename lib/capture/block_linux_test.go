package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nfpipe/lib/packet"
)

// inBlock is a packet as the kernel would lay it into a block.
type inBlock struct {
	hardware, protocol uint16
	kind               uint8
	link, data         string // hexadecimal: the link header and what is behind it
	orig               int    // 0: the length
	tag                uint32 // with its EtherType, which is 0 where the kernel does not tell it
}

// makeBlock lays packets into a block of a size.
func makeBlock(size int, packets ...inBlock) []byte {
	o := binary.NativeEndian
	b := make([]byte, blockHeader)
	o.PutUint32(b, unix.TPACKET_V3)
	o.PutUint32(b[blockStatus:], unix.TP_STATUS_USER)
	o.PutUint32(b[12:], uint32(len(packets)))
	o.PutUint32(b[16:], blockHeader)
	for i, p := range packets {
		link, _ := hex.DecodeString(strings.ReplaceAll(p.link, " ", ""))
		data, _ := hex.DecodeString(strings.ReplaceAll(p.data, " ", ""))
		net := (packetHeader + max(len(link), 16) + 15) &^ 15
		mac := net - len(link)
		h := make([]byte, mac)
		o.PutUint32(h[4:], 1700000000)
		o.PutUint32(h[8:], uint32(i))
		o.PutUint32(h[12:], uint32(len(link)+len(data)))
		if o.PutUint32(h[16:], uint32(p.orig)); p.orig == 0 {
			o.PutUint32(h[16:], uint32(len(link)+len(data)))
		}
		if p.tag != 0 {
			status := uint32(unix.TP_STATUS_VLAN_VALID)
			if p.tag>>16 != 0 {
				status |= unix.TP_STATUS_VLAN_TPID_VALID
			}
			o.PutUint32(h[20:], unix.TP_STATUS_USER|status)
			o.PutUint32(h[32:], p.tag&0xffff)
			o.PutUint16(h[36:], uint16(p.tag>>16))
		}
		o.PutUint16(h[24:], uint16(mac))
		o.PutUint16(h[26:], uint16(net))
		o.PutUint16(h[48:], unix.AF_PACKET)
		binary.BigEndian.PutUint16(h[50:], p.protocol)
		o.PutUint32(h[52:], uint32(1000+i))
		o.PutUint16(h[56:], p.hardware)
		h[58], h[59] = p.kind, 6
		copy(h[60:], "\x02\x00\x00\x00\x00\x09\x00\x00")
		h = append(append(h, link...), data...)
		h = append(h, make([]byte, -len(h)&7)...)
		if i < len(packets)-1 {
			o.PutUint32(h, uint32(len(h)))
		}
		b = append(b, h...)
	}
	return append(b, make([]byte, max(size-len(b), 0))...)
}

const (
	addresses = "020000000001 020000000002"
	udp4      = "45000020 00000000 40110000 0a000001 0a000002 1388 1770 000c 0000 01020304"
)

var inBlocks = []struct {
	name string
	in   inBlock
	link uint16
	data string
	orig int
	echo bool
}{
	{"Ethernet", inBlock{hardware: 1, protocol: 0x800, link: addresses + "0800", data: udp4}, packet.LinkEthernet,
		addresses + "0800" + udp4, 46, false},
	{"cut short", inBlock{hardware: 1, protocol: 0x800, link: addresses + "0800", data: udp4, orig: 1514}, packet.LinkEthernet,
		addresses + "0800" + udp4, 1514, false},
	{"sent by the host", inBlock{hardware: 1, kind: unix.PACKET_OUTGOING, protocol: 0x800, link: addresses + "0800", data: udp4},
		packet.LinkEthernet, addresses + "0800" + udp4, 46, false},
	{"a tag", inBlock{hardware: 1, protocol: 0x800, link: addresses + "0800", data: udp4, tag: 0x8100e064}, packet.LinkEthernet,
		addresses + "8100e064 0800" + udp4, 50, false},
	{"a tag of unknown type", inBlock{hardware: 1, protocol: 0x800, link: addresses + "0800", data: udp4, tag: 0x64}, packet.LinkEthernet,
		addresses + "81000064 0800" + udp4, 50, false},
	{"an outer tag", inBlock{hardware: 1, protocol: 0x8100, link: addresses + "8100", data: "0064 0800" + udp4, tag: 0x88a8012c},
		packet.LinkEthernet, addresses + "88a8012c 81000064 0800" + udp4, 54, false},
	{"loopback", inBlock{hardware: 772, protocol: 0x800, link: addresses + "0800", data: udp4}, packet.LinkEthernet,
		addresses + "0800" + udp4, 46, false},
	{"loopback, sending", inBlock{hardware: 772, kind: unix.PACKET_OUTGOING, protocol: 0x800, link: addresses + "0800", data: udp4},
		packet.LinkEthernet, addresses + "0800" + udp4, 46, true},
	{"tun", inBlock{hardware: 0xfffe, protocol: 0x800, data: udp4}, packet.LinkRaw, udp4, 32, false},
	{"tun, any protocol", inBlock{hardware: 0xfffe, protocol: 3, data: udp4}, packet.LinkRaw, udp4, 32, false},
	{"ppp with a header", inBlock{hardware: 512, protocol: 0x800, link: "ff03 0021", data: udp4}, packet.LinkRaw, udp4, 32, false},
	{"InfiniBand", inBlock{hardware: 32, protocol: 0x800, link: "0800 0000", data: udp4, tag: 0x81000007}, packet.LinkSLL,
		"0000 0020 0006 0200000000090000 81000007 0800" + udp4, 52, false},
	{"MPLS in a tunnel", inBlock{hardware: 778, kind: 4, protocol: 0x8847, link: udp4, data: "00010140" + udp4}, packet.LinkSLL,
		"0004 030a 0006 0200000000090000 8847 00010140" + udp4, 52, false},
	{"netlink", inBlock{hardware: 824, protocol: 0, data: "0011"}, packet.LinkSLL, "0000 0338 0006 0200000000090000 0000 0011", 18, false},
	{"radio", inBlock{hardware: 803, protocol: 4, link: "0000 0800 00000000", data: "08"}, packet.LinkRadiotap, "0000 0800 00000000 08", 9, false},
	{"nothing", inBlock{hardware: 1}, packet.LinkEthernet, "", 0, false},
}

func TestBlock(t *testing.T) {
	var in []inBlock
	for _, c := range inBlocks {
		in = append(in, c.in)
	}
	r, err := newBlockReader(makeBlock(blockSize, in...))
	if err != nil {
		t.Fatal(err)
	}
	var f frame
	for i, c := range inBlocks {
		if ok, err := r.next(&f); !ok || err != nil {
			t.Fatalf("%s: %v, error %v", c.name, ok, err)
		}
		want, _ := hex.DecodeString(strings.ReplaceAll(c.data, " ", ""))
		if f.link != c.link || !bytes.Equal(f.data, want) || f.orig != c.orig || f.echo != c.echo || f.time != 1_700_000_000e9+int64(i) || f.on != uint32(1000+i) {
			t.Errorf("%s: link %d, %x of %d, echo %v, time %d, interface %d; want link %d, %x of %d, echo %v",
				c.name, f.link, f.data, f.orig, f.echo, f.time, f.on, c.link, want, c.orig, c.echo)
		}
	}
	if ok, err := r.next(&f); ok || err != nil {
		t.Errorf("behind the last: %v, error %v", ok, err)
	}
}

// Numbers that cannot be are errors that say where, after the packets before them.
func TestBlockLies(t *testing.T) {
	good := inBlock{hardware: 1, protocol: 0x800, link: addresses + "0800", data: udp4}
	size := len(makeBlock(0, good)) - blockHeader // of a packet
	second := blockHeader + size
	o := binary.NativeEndian
	for _, c := range []struct {
		name   string
		lie    func(b []byte)
		before int
		says   string
	}{
		{"nothing in it", func(b []byte) { o.PutUint32(b[12:], 0) }, 0, ""},
		{"begins in the header", func(b []byte) { o.PutUint32(b[16:], blockHeader-8) }, 0, "first packet at 40 of a block of 4096 bytes"},
		{"begins behind the end", func(b []byte) { o.PutUint32(b[16:], 4097) }, 0, "first packet at 4097 of"},
		{"begins far behind the end", func(b []byte) { o.PutUint32(b[16:], 1<<31) }, 0, "first packet at 2147483648 of"},
		{"begins at the end", func(b []byte) { o.PutUint32(b[16:], 4096) }, 0, "packet 1 of 3 in a block: 0 bytes left"},
		{"too many", func(b []byte) { o.PutUint32(b[12:], 4) }, 2, "packet 3 of 4 in a block: the next after 0 of "},
		{"next is this", func(b []byte) { o.PutUint32(b[second:], 0) }, 1, "packet 2 of 3 in a block: the next after 0 of "},
		{"next in this header", func(b []byte) { o.PutUint32(b[second:], packetHeader-1) }, 1, "the next after 67 of "},
		{"next behind the end", func(b []byte) { o.PutUint32(b[second:], 4096) }, 1, "the next after 4096 of "},
		{"next before", func(b []byte) { o.PutUint32(b[second:], ^uint32(0)) }, 1, "the next after 4294967295 of "},
		{"next cuts the data", func(b []byte) { o.PutUint32(b[second:], 90) }, 1, "packet 2 of 3 in a block: 46 bytes at 82 of 90"},
		{"data in the header", func(b []byte) { o.PutUint16(b[second+24:], packetHeader-1) }, 1, "46 bytes at 67 of "},
		{"data behind the end", func(b []byte) { o.PutUint16(b[second+24:], 5000) }, 1, "46 bytes at 5000 of "},
		{"longer than the block", func(b []byte) { o.PutUint32(b[second+size+12:], 8000) }, 2, "packet 3 of 3 in a block: 8000 bytes at 82 of "},
		{"much longer", func(b []byte) { o.PutUint32(b[second+12:], ^uint32(0)) }, 1, "4294967295 bytes at 82 of "},
	} {
		b := makeBlock(4096, good, good, good)
		c.lie(b)
		r, err := newBlockReader(b)
		var f frame
		n := 0
		for err == nil {
			var ok bool
			if ok, err = r.next(&f); !ok {
				break
			}
			n++
		}
		if n != c.before || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %d packets, then %v; want %d, %q", c.name, n, err, c.before, c.says)
		}
		if ok, err := r.next(&f); ok || err != nil {
			t.Errorf("%s: after the end: %v, %v", c.name, ok, err)
		}
	}
	if _, err := newBlockReader(make([]byte, blockHeader-1)); err == nil {
		t.Error("a block shorter than its header is none")
	}
}

// Where there is no room for a header before the data, it is left out.
func TestBlockWithoutRoom(t *testing.T) {
	o := binary.NativeEndian
	for _, c := range []struct {
		in   inBlock
		link uint16
	}{
		{inBlock{hardware: 1, protocol: 0x800, link: addresses + "0800", data: udp4, tag: 0x81000064}, packet.LinkEthernet},
		{inBlock{hardware: 32, protocol: 0x8847, data: udp4}, packet.LinkRaw},
	} {
		b := makeBlock(4096, c.in)
		o.PutUint16(b[blockHeader+24:], packetHeader+3)
		o.PutUint16(b[blockHeader+26:], packetHeader+3)
		r, err := newBlockReader(b)
		var f frame
		if ok, nextErr := r.next(&f); !ok || err != nil || nextErr != nil {
			t.Fatalf("%v, %v", err, nextErr)
		}
		if f.link != c.link || len(f.data) != f.orig {
			t.Errorf("link %d, %d bytes of %d", f.link, len(f.data), f.orig)
		}
	}
}

func FuzzBlock(f *testing.F) {
	for _, c := range inBlocks {
		f.Add(makeBlock(0, c.in, c.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := newBlockReader(b)
		var q packet.Parser
		var fr frame
		var p packet.Packet
		n := 0
		for ; err == nil; n++ {
			var ok bool
			if ok, err = r.next(&fr); !ok {
				break
			}
			q.Parse(fr.link, fr.data, fr.orig, &p)
		}
		if n > len(b)/packetHeader {
			t.Errorf("%d packets in %d bytes", n, len(b))
		}
	})
}

// Reading blocks allocates nothing.
func TestBlockAllocations(t *testing.T) {
	var in []inBlock
	for _, c := range inBlocks {
		in = append(in, c.in)
	}
	b := makeBlock(blockSize, in...)
	full, free := make(chan delivery, 4), make(chan []packet.Packet, 4)
	free <- make([]packet.Packet, feedBatch)
	w := &worker{full: full, free: free}
	if n := testing.AllocsPerRun(100, func() {
		w.block(b)
		w.send()
		d := <-full
		free <- d.packets
	}); n != 0 {
		t.Errorf("%v allocations a block", n)
	}
	if w.counts.Frames == 0 || w.counts.NotIP == 0 {
		t.Errorf("%+v", w.counts)
	}
}
