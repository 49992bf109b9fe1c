package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"

	"nfpipe/lib/packet"
)

// Datagram is the payload of a UDP packet, or of the fragments of one.
type Datagram struct {
	Time     int64 // of the last fragment, nanoseconds since the epoch
	Src, Dst netip.AddrPort
	Payload  []byte
}

// Bounds of reassembly.
const (
	maxReassembly = 64 // datagrams at a time; the oldest is given up for one more
	maxDatagram   = 1 << 16
)

type fragmentKey struct {
	src, dst [16]byte
	id       uint32
}

// fragments are the parts of a datagram that are there.
type fragments struct {
	key   fragmentKey
	data  []byte
	have  int // bytes, if none overlap
	total int // 0 until the last part is there
}

// Datagrams reads r to its end and gives the UDP datagrams in it to use; a payload is valid
// until use returns. Counts.Short counts those that the capture has not whole.
func Datagrams(r *Reader, use func(*Datagram) error) (Counts, error) {
	var counts Counts
	var q packet.Parser
	var in Packet
	var p packet.Packet
	var open []*fragments
	for {
		if err := r.Next(&in); err != nil {
			counts.Short += uint64(len(open))
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return counts, err
		}
		counts.Frames++
		p.Time = in.Time
		if q.Parse(in.LinkType, in.Data, in.OrigLen, &p) != packet.IP {
			counts.NotIP++
			continue
		}
		if p.Proto != packet.ProtoUDP {
			continue
		}
		b := q.Behind()
		if p.Fragment() {
			if len(in.Data) < in.OrigLen {
				continue // cut off, so that the datagram is never whole
			}
			b = reassemble(&open, &p, b, &counts)
		}
		if b == nil {
			continue
		}
		d, ok := datagram(&p, b)
		if !ok {
			counts.Short++
			continue
		}
		if err := use(&d); err != nil {
			return counts, err
		}
	}
}

// datagram reads the UDP header (RFC 768): ports, length, checksum.
func datagram(p *packet.Packet, b []byte) (Datagram, bool) {
	if len(b) < 8 {
		return Datagram{}, false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < 8 || n > len(b) {
		return Datagram{}, false
	}
	address := func(a *[16]byte, port uint16) netip.AddrPort {
		if p.Family == 4 {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[:4])), port)
		}
		return netip.AddrPortFrom(netip.AddrFrom16(*a), port)
	}
	return Datagram{Time: p.Time, Payload: b[8:n],
		Src: address(&p.Src, binary.BigEndian.Uint16(b)), Dst: address(&p.Dst, binary.BigEndian.Uint16(b[2:]))}, true
}

// reassemble adds a fragment and returns the datagram once it is whole.
func reassemble(open *[]*fragments, p *packet.Packet, b []byte, counts *Counts) []byte {
	key := fragmentKey{p.Src, p.Dst, p.ID}
	at := 0
	for at < len(*open) && (*open)[at].key != key {
		at++
	}
	if at == len(*open) {
		if at == maxReassembly {
			*open = append((*open)[:0], (*open)[1:]...)
			counts.Short++
			at--
		}
		*open = append(*open, &fragments{key: key})
	}
	f := (*open)[at]
	end := int(p.FragOffset) + len(b)
	if end > maxDatagram {
		return nil
	}
	if len(f.data) < end {
		f.data = append(f.data, make([]byte, end-len(f.data))...)
	}
	f.have += copy(f.data[p.FragOffset:], b)
	if p.Flags&packet.MoreFragments == 0 {
		f.total = end
	}
	if f.total == 0 || f.have < f.total {
		return nil
	}
	*open = append((*open)[:at], (*open)[at+1:]...)
	return f.data[:f.total]
}
