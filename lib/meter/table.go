package meter

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"nfpipe/lib/packet"
)

// key identifies a conversation: the two ends ordered, so that both directions
// have the same.
type key struct {
	a0, a1, b0, b1 uint64 // addresses of the two ends
	ports          uint32 // of a in the upper half, of b in the lower
	proto, family  uint8
	swap           uint8 // 1: the packet goes from b to a
	known          uint8 // 1: ports are known
	hash           uint32
}

// entry is one conversation in the cache. Its first cache line is all that a
// look-up needs, each direction is another.
type entry struct {
	a0, a1, b0, b1 uint64
	ports          uint32
	proto, family  uint8
	class          class
	state          state
	next, prev     uint32 // in a slot of the wheel; next is also the free list
	first, last    int64
	dir            [2]Direction // forward, reverse
}

type state uint8

const (
	flipped    state = 1 << iota // forward is from b to a
	finForward                   // FIN in dir[0]
	finReverse                   // FIN in dir[1]
	reset                        // RST
	portsKnown
	labelled // has MPLS labels in the side table
)

const finBoth = finForward | finReverse

// table finds entries by key. Slots of open addressing hold the upper bits of
// the hash beside the entry's number, so that growing never touches an entry.
type table struct {
	slots  []uint64 // hash<<32 | entry+1, 0 is empty
	shift  uint     // a hash's first slot is hash>>shift
	used   int
	chunks [][]entry
	free   uint32 // number+1 of the first free entry
	made   uint32 // entries ever made
	track  Track
	secret [5]uint64
}

const (
	chunkBits = 11
	chunkSize = 1 << chunkBits
	minSlots  = 1 << 12
)

func newTable(track Track) table {
	t := table{track: track}
	for i := range t.secret {
		t.secret[i] = rand.Uint64() | 1
	}
	t.resize(minSlots)
	return t
}

func (t *table) at(i uint32) *entry { return &t.chunks[i>>chunkBits][i&(chunkSize-1)] }

// keyOf builds p's key.
func (t *table) keyOf(p *packet.Packet, k *key) {
	s0, s1 := binary.LittleEndian.Uint64(p.Src[:]), binary.LittleEndian.Uint64(p.Src[8:])
	d0, d1 := binary.LittleEndian.Uint64(p.Dst[:]), binary.LittleEndian.Uint64(p.Dst[8:])
	src, dst, proto := uint32(p.SrcPort), uint32(p.DstPort), p.Proto
	if p.ICMPType|p.ICMPCode != 0 {
		src, dst = 0, uint32(p.ICMPType)<<8|uint32(p.ICMPCode)
	}
	k.known = uint8(p.Flags & packet.HasPorts / packet.HasPorts)
	if t.track < TrackPort {
		src, dst, k.known = 0, 0, 0
		if t.track < TrackProto {
			proto = 0
		}
	}
	k.proto, k.family = proto, p.Family
	if s0 > d0 || s0 == d0 && (s1 > d1 || s1 == d1 && src > dst) {
		k.a0, k.a1, k.b0, k.b1, k.ports, k.swap = d0, d1, s0, s1, dst<<16|src, 1
	} else {
		k.a0, k.a1, k.b0, k.b1, k.ports, k.swap = s0, s1, d0, d1, src<<16|dst, 0
	}
	var extra uint64
	if t.track >= TrackVLAN {
		extra = t.extra(p.VLAN, p.SrcMAC, p.DstMAC)
	}
	k.hash = t.hash(k.a0, k.a1, k.b0, k.b1, k.ports, k.proto, k.family, extra)
}

// extra is what VLANs and MAC addresses add to the hash, the same both ways.
func (t *table) extra(vlan [2]uint16, src, dst [6]byte) uint64 {
	x := uint64(vlan[0])<<16 | uint64(vlan[1])
	if t.track >= TrackEther {
		x += mac(src) + mac(dst)
	}
	return x << 16
}

func mac(m [6]byte) uint64 {
	return uint64(binary.LittleEndian.Uint32(m[:])) | uint64(binary.LittleEndian.Uint16(m[4:]))<<32
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func (t *table) hash(a0, a1, b0, b1 uint64, ports uint32, proto, family uint8, extra uint64) uint32 {
	s := &t.secret
	h := mix(a0^s[0], b0^s[1])
	if a1|b1 != 0 {
		h = mix(h^a1, b1^s[2])
	}
	h = mix(h^s[3], uint64(ports)<<16^uint64(proto)<<8^uint64(family)^extra^s[4])
	return uint32(h>>32) ^ uint32(h)
}

func (t *table) hashOf(e *entry) uint32 {
	var extra uint64
	if t.track >= TrackVLAN {
		extra = t.extra(e.dir[0].VLAN, e.dir[0].SrcMAC, e.dir[0].DstMAC)
	}
	return t.hash(e.a0, e.a1, e.b0, e.b1, e.ports, e.proto, e.family, extra)
}

func (t *table) same(e *entry, k *key, p *packet.Packet) bool {
	if e.a0 != k.a0 || e.b0 != k.b0 || e.ports != k.ports || e.a1 != k.a1 || e.b1 != k.b1 ||
		e.proto != k.proto || e.family != k.family {
		return false
	}
	return t.track < TrackVLAN || t.sameLink(e, k, p)
}

func (t *table) sameLink(e *entry, k *key, p *packet.Packet) bool {
	d := &e.dir[0]
	if d.VLAN != p.VLAN {
		return false
	}
	if t.track < TrackEther {
		return true
	}
	if e.direction(k) == 0 {
		return d.SrcMAC == p.SrcMAC && d.DstMAC == p.DstMAC
	}
	return d.SrcMAC == p.DstMAC && d.DstMAC == p.SrcMAC
}

// direction is 0 if a packet with this key goes the way of the entry's first.
func (e *entry) direction(k *key) int { return int(k.swap ^ uint8(e.state&flipped)) }

// find returns the number of p's entry.
func (t *table) find(k *key, p *packet.Packet) (uint32, bool) {
	mask := uint32(len(t.slots) - 1)
	for i := k.hash >> t.shift; ; i++ {
		s := t.slots[i&mask]
		if s == 0 {
			return 0, false
		}
		if uint32(s>>32) == k.hash && t.same(t.at(uint32(s)-1), k, p) {
			return uint32(s) - 1, true
		}
	}
}

// touch reads what the later look-ups of the keys will need, first all slots,
// then all entries, so that their cache misses overlap.
func (t *table) touch(keys []key) uint64 {
	var sum uint64
	for i := range keys {
		sum ^= t.slots[keys[i].hash>>t.shift]
	}
	mask := uint32(len(t.slots) - 1)
	for i := range keys {
		h := keys[i].hash
		for at := h >> t.shift; ; at++ {
			s := t.slots[at&mask]
			if s == 0 {
				break
			}
			if uint32(s>>32) == h {
				e := t.at(uint32(s) - 1)
				sum ^= e.dir[e.direction(&keys[i])].Packets
				break
			}
		}
	}
	return sum
}

// insert makes an entry for k; the caller fills it.
func (t *table) insert(k *key) uint32 {
	if t.used >= len(t.slots)/2 {
		t.resize(len(t.slots) * 2)
	}
	var n uint32
	if t.free != 0 {
		n = t.free - 1
		t.free = t.at(n).next
	} else {
		n = t.made
		if int(n>>chunkBits) == len(t.chunks) {
			t.chunks = append(t.chunks, make([]entry, chunkSize))
		}
		t.made++
	}
	t.put(uint64(k.hash)<<32 | uint64(n+1))
	t.used++
	return n
}

func (t *table) put(s uint64) {
	mask := uint32(len(t.slots) - 1)
	i := uint32(s>>32) >> t.shift
	for t.slots[i&mask] != 0 {
		i++
	}
	t.slots[i&mask] = s
}

// remove takes an entry out. Slots behind it that it had displaced move up.
func (t *table) remove(n uint32) {
	e := t.at(n)
	mask := uint32(len(t.slots) - 1)
	i := t.hashOf(e) >> t.shift & mask
	for uint32(t.slots[i]) != n+1 {
		i = (i + 1) & mask
	}
	for j := i; ; {
		j = (j + 1) & mask
		s := t.slots[j]
		if s == 0 {
			break
		}
		if home := uint32(s>>32) >> t.shift; (j-home)&mask >= (j-i)&mask {
			t.slots[i] = s
			i = j
		}
	}
	t.slots[i] = 0
	t.used--
	e.family = 0 // which tells free entries
	e.next = t.free
	t.free = n + 1
}

// reset forgets all entries and keeps the memory.
func (t *table) reset() {
	clear(t.slots)
	t.used, t.free, t.made = 0, 0, 0
}

func (t *table) resize(n int) {
	old := t.slots
	t.slots = make([]uint64, n)
	t.shift = uint(32 - bits.TrailingZeros(uint(n)))
	for _, s := range old {
		if s != 0 {
			t.put(s)
		}
	}
}
