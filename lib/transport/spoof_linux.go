package transport

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

var errFamilies = errors.New("a packet cannot go from an IPv4 to an IPv6 address or back with its sender's address")

// sendSpoofed sends all packets of a backlog with the addresses that they came from.
func (o *outlet) sendSpoofed(q *backlog) (done outcome) {
	n := 0
	for i := range q.items {
		data, from := q.at(i)
		switch {
		case from.Addr().Is4() != o.to.Addr().Is4():
			done.fail(errFamilies)
		case o.tooLong(len(data)):
			done.fail(unix.EMSGSIZE)
		case o.overhead(false)+len(data) > o.mtu:
			o.flush(n, &done)
			n = 0
			o.sendFragments(data, from, &done)
		default:
			if n == 0 {
				o.headers = o.headers[:0]
			}
			start := len(o.headers)
			o.nextID()
			o.appendIP(from.Addr(), udpHeader+len(data), 0, false)
			o.headers = appendUDP(o.headers, from, o.to, data)
			o.set(n, o.headers[start:], data)
			if n++; n == batchSize {
				o.flush(n, &done)
				n = 0
			}
		}
	}
	o.flush(n, &done)
	if errors.Is(done.err, unix.EMSGSIZE) { // the route may be another now
		o.updateMTU()
	}
	return done
}

// tooLong is for what the length in an IP header cannot say.
func (o *outlet) tooLong(n int) bool {
	n += udpHeader
	if o.to.Addr().Is4() {
		n += ip4Header
	}
	return n > maxDatagram
}

// overhead is the length of the headers of a packet.
func (o *outlet) overhead(fragment bool) int {
	switch {
	case o.to.Addr().Is4():
		return ip4Header + udpHeader
	case fragment:
		return ip6Header + ip6Segment + udpHeader
	}
	return ip6Header + udpHeader
}

func (o *outlet) appendIP(from netip.Addr, n, offset int, more bool) {
	if o.to.Addr().Is4() {
		o.headers = appendIP4(o.headers, from, o.to.Addr(), uint16(o.id), n, offset, more)
	} else {
		o.headers = appendIP6(o.headers, from, o.to.Addr(), o.id, n, offset, more)
	}
}

// nextID changes the number that fragments of one packet have in common: in IPv4
// routers may make some of any packet. For 0 the kernel would fill in its own.
func (o *outlet) nextID() {
	if o.id++; uint16(o.id) == 0 {
		o.id++
	}
}

// sendFragments sends a packet that is too long for the way, and counts it once.
// Lengths and offsets are those of UDP header and data together.
func (o *outlet) sendFragments(data []byte, from netip.AddrPort, done *outcome) {
	size := (o.mtu - o.overhead(true) + udpHeader) &^ 7
	length := udpHeader + len(data)
	if size <= udpHeader || (length+size-1)/size > maxPieces {
		done.fail(fmt.Errorf("%w: an MTU of %d", unix.EMSGSIZE, o.mtu))
		return
	}
	o.nextID()
	o.headers = o.headers[:0]
	n := 0
	for offset := 0; offset < length; offset += size {
		end := min(offset+size, length)
		start := len(o.headers)
		o.appendIP(from.Addr(), end-offset, offset, end < length)
		if offset == 0 {
			o.headers = appendUDP(o.headers, from, o.to, data)
		}
		o.set(n, o.headers[start:], data[max(offset-udpHeader, 0):end-udpHeader])
		n++
	}
	var pieces outcome
	o.flush(n, &pieces)
	if pieces.failed > 0 {
		done.fail(pieces.err)
		return
	}
	done.sent++
}
