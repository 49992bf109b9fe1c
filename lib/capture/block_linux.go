package capture

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"nfpipe/lib/packet"
)

// A block of a TPACKET_V3 ring (packet(7), linux/if_packet.h), in the host's byte order:
//
//	0 version  4 offset of private data  8 status  12 packets  16 offset of the first
//	20 length  24 sequence (8 bytes)  32 times of the first and the last packet (16 bytes)
//
// and a packet, from whose begin all its offsets count:
//
//	 0 offset of the next  4 seconds  8 nanoseconds  12 captured  16 length on the wire
//	20 status  24 offset of the frame u16  26 offset of its network header u16  28 hash
//	32 VLAN tag  36 its EtherType u16  38 (10 bytes)
//	48 family u16  50 protocol u16, big-endian  52 interface  56 hardware type u16
//	58 packet type u8  59 address length u8  60 address (8 bytes)
const (
	blockStatus  = 8
	blockHeader  = 48
	packetHeader = 68
	maxNanos     = 1e9 - 1

	sllHeader = 16 // of a cooked frame
	vlanTag   = 4
)

// frame is one packet of a block. Its data lies in the block.
type frame struct {
	time int64
	data []byte
	orig int
	link uint16
	on   uint32 // number of the interface
	echo bool   // what the loopback device sends and then receives
}

// blockReader gives the packets of a block.
type blockReader struct {
	b    []byte // from the packet that comes next
	left uint32
	all  uint32
}

func newBlockReader(b []byte) (blockReader, error) {
	if len(b) < blockHeader {
		return blockReader{}, fmt.Errorf("block of %d bytes", len(b))
	}
	n, first := binary.NativeEndian.Uint32(b[12:]), binary.NativeEndian.Uint32(b[16:])
	if n == 0 {
		return blockReader{}, nil
	}
	if first < blockHeader || uint64(first) > uint64(len(b)) {
		return blockReader{}, fmt.Errorf("first packet at %d of a block of %d bytes", first, len(b))
	}
	return blockReader{b: b[first:], left: n, all: n}, nil
}

// next reads a packet; ok is false behind the last. After an error there are no more.
// It writes into the block: a VLAN tag that the kernel took out is put back.
func (r *blockReader) next(f *frame) (ok bool, err error) {
	if r.left == 0 {
		return false, nil
	}
	b := r.b
	if len(b) < packetHeader {
		return false, r.wrong("%d bytes left", len(b))
	}
	if r.left > 1 {
		next := binary.NativeEndian.Uint32(b)
		if next < packetHeader || uint64(next) > uint64(len(b)) {
			return false, r.wrong("the next after %d of %d bytes", next, len(b))
		}
		b, r.b = b[:next], b[next:]
	}
	mac, captured := int(binary.NativeEndian.Uint16(b[24:])), binary.NativeEndian.Uint32(b[12:])
	if mac < packetHeader || mac > len(b) || uint64(captured) > uint64(len(b)-mac) {
		return false, r.wrong("%d bytes at %d of %d", captured, mac, len(b))
	}
	r.left--
	f.read(b, mac, mac+int(captured))
	return true, nil
}

func (r *blockReader) wrong(format string, args ...any) error {
	n := r.all - r.left + 1
	r.left = 0
	return fmt.Errorf("packet %d of %d in a block: "+format, append([]any{n, r.all}, args...)...)
}

// read makes a frame of a packet whose bytes are b[mac:end].
func (f *frame) read(b []byte, mac, end int) {
	f.time = int64(binary.NativeEndian.Uint32(b[4:]))*1e9 + int64(min(binary.NativeEndian.Uint32(b[8:]), maxNanos))
	f.orig = int(min(binary.NativeEndian.Uint32(b[16:]), 1<<31-1))
	f.on = binary.NativeEndian.Uint32(b[52:])
	tag := vlan(b)
	hardware := binary.NativeEndian.Uint16(b[56:])
	f.echo = false
	switch hardware {
	case unix.ARPHRD_LOOPBACK:
		f.echo = b[58] == unix.PACKET_OUTGOING
		f.ethernet(b, mac, end, tag)
	case unix.ARPHRD_ETHER:
		f.ethernet(b, mac, end, tag)
	case unix.ARPHRD_IEEE80211:
		f.link, f.data = packet.Link80211, b[mac:end]
	case unix.ARPHRD_IEEE80211_PRISM:
		f.link, f.data = packet.LinkPrism, b[mac:end]
	case unix.ARPHRD_IEEE80211_RADIOTAP:
		f.link, f.data = packet.LinkRadiotap, b[mac:end]
	default:
		net := min(max(int(binary.NativeEndian.Uint16(b[26:])), mac), end)
		f.orig -= net - mac
		f.cooked(b, hardware, net, end, tag)
	}
}

// vlan is a tag as on the wire, EtherType first, 0 when the kernel took none out.
func vlan(b []byte) uint32 {
	status := binary.NativeEndian.Uint32(b[20:])
	if status&unix.TP_STATUS_VLAN_VALID == 0 {
		return 0
	}
	typ := uint32(0x8100)
	if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		typ = uint32(binary.NativeEndian.Uint16(b[36:]))
	}
	return typ<<16 | binary.NativeEndian.Uint32(b[32:])&0xffff
}

// ethernet moves the addresses to where the kernel leaves room, and puts the tag behind them.
func (f *frame) ethernet(b []byte, mac, end int, tag uint32) {
	const addresses = 12
	f.link = packet.LinkEthernet
	if tag != 0 && end-mac >= addresses && mac-vlanTag >= packetHeader {
		copy(b[mac-vlanTag:], b[mac:mac+addresses])
		mac -= vlanTag
		binary.BigEndian.PutUint32(b[mac+addresses:], tag)
		f.orig += vlanTag
	}
	f.data = b[mac:end]
}

// cooked is a packet of any other device, of whose link header only the kernel knows the form:
// it begins with the network header, and the kernel tells the protocol. What is not IP at once
// gets the header of LINKTYPE_LINUX_SLL.
func (f *frame) cooked(b []byte, hardware uint16, net, end int, tag uint32) {
	protocol := binary.BigEndian.Uint16(b[50:])
	ip := protocol == unix.ETH_P_IP || protocol == unix.ETH_P_IPV6
	n := sllHeader
	if tag != 0 {
		n += vlanTag
	}
	if tag == 0 && (ip || protocol < 0x600 && rawIP(hardware)) || net-n < packetHeader {
		f.link, f.data = packet.LinkRaw, b[net:end]
		return
	}
	h := b[net-n : net]
	binary.BigEndian.PutUint16(h, uint16(b[58]))
	binary.BigEndian.PutUint16(h[2:], hardware)
	binary.BigEndian.PutUint16(h[4:], uint16(b[59]))
	copy(h[6:14], b[60:packetHeader])
	if tag != 0 {
		binary.BigEndian.PutUint32(h[14:], tag)
	}
	binary.BigEndian.PutUint16(h[n-2:], protocol)
	f.link, f.data = packet.LinkSLL, b[net-n:end]
	f.orig += n
}

// rawIP tells whether a device carries nothing but IP.
func rawIP(hardware uint16) bool {
	switch hardware {
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_PPP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6,
		unix.ARPHRD_SIT, unix.ARPHRD_IPGRE, unix.ARPHRD_IP6GRE:
		return true
	}
	return false
}
