package meter

import "nfpipe/lib/packet"

// Latency is how long the sides of a TCP connection took to answer at its beginning, in
// nanoseconds, as seen at the point of capture.
type Latency struct {
	Client int64 // from SYN and ACK to ACK
	Server int64 // from SYN to SYN and ACK
	App    int64 // from the first data of the client to the first data that answer
	stage  stage
}

// stage is how far a connection has come.
type stage uint8

const (
	unknown   stage = iota
	opened          // SYN
	accepted        // SYN and ACK from the other end
	shaken          // ACK
	requested       // data from the client
	answered        // data from the server
)

// Shaken tells whether Client and Server are known.
func (l *Latency) Shaken() bool { return l.stage >= shaken }

// Answered tells whether App is known as well.
func (l *Latency) Answered() bool { return l.stage == answered }

// known is shaken or answered, or 0.
func (l *Latency) known() stage {
	switch {
	case l.Answered():
		return answered
	case l.Shaken():
		return shaken
	}
	return unknown
}

func micros(d int64) uint64 { return uint64(d / 1000) }

// handshake follows a connection through its stages.
type handshake struct {
	Latency
	client uint8 // direction of the SYN
	last   int64 // time of the packet that the next stage is measured from
}

// handshake is that of an entry.
func (m *Meter) handshake(n uint32) *handshake {
	for int(n>>chunkBits) >= len(m.shakes) {
		m.shakes = append(m.shakes, make([]handshake, chunkSize))
	}
	return &m.shakes[n>>chunkBits][n&(chunkSize-1)]
}

// add looks at a packet of direction d. Of segments that were sent again the first counts.
func (h *handshake) add(p *packet.Packet, d int) {
	if h.stage == answered || p.Flags&packet.HasTCP == 0 {
		return
	}
	flags, client := p.TCPFlags&(tcpSYN|tcpACK|tcpRST), d == int(h.client)
	data := p.Payload > uint32(p.TCPHeader)
	next := func(to stage) int64 {
		span := max(p.Time-h.last, 0)
		h.stage, h.last = to, p.Time
		return span
	}
	switch {
	case h.stage == unknown:
		if flags == tcpSYN {
			h.client = uint8(d)
			next(opened)
		}
		return
	case h.stage == opened:
		if flags == tcpSYN|tcpACK && !client {
			h.Server = next(accepted)
		}
		return
	case h.stage == accepted:
		if flags != tcpACK || !client {
			return
		}
		h.Client = next(shaken)
	}
	switch {
	case h.stage == shaken && client && data:
		next(requested)
	case h.stage == requested && !client && data:
		h.App = next(answered)
	}
}

// latency is what a record tells.
func (h *handshake) latency() Latency {
	if !h.Shaken() {
		return Latency{}
	}
	return h.Latency
}
