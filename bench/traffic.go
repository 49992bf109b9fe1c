package main

var (
	acks     = mix(part{700, 52, 52}, part{100, 40, 40}, part{60, 64, 72}, part{100, 100, 600}, part{64, 601, 1460})
	content  = mix(part{130, 52, 52}, part{20, 40, 40}, part{90, 90, 700}, part{120, 701, 1400}, part{60, 1420, 1420}, part{40, 1440, 1492}, part{564, 1500, 1500})
	balanced = mix(part{350, 52, 52}, part{60, 40, 40}, part{200, 60, 200}, part{150, 201, 800}, part{100, 801, 1499}, part{164, 1500, 1500})
	question = mix(part{800, 56, 78}, part{200, 79, 110}, part{24, 111, 190})
	answer   = mix(part{300, 72, 130}, part{400, 131, 260}, part{250, 261, 512}, part{74, 513, 1420})
	quicUp   = mix(part{600, 61, 90}, part{150, 91, 400}, part{150, 401, 1250}, part{124, 1278, 1278})
	quicDown = mix(part{150, 53, 120}, part{120, 121, 900}, part{700, 1278, 1278}, part{54, 901, 1392})
	voice    = mix(part{700, 200, 200}, part{324, 60, 240})
	clock    = mix(part{1024, 76, 76})
	syn      = mix(part{500, 40, 40}, part{300, 44, 44}, part{150, 52, 52}, part{74, 60, 60})
	ping     = mix(part{700, 84, 84}, part{200, 60, 60}, part{124, 28, 1500})
	tunnel   = mix(part{300, 80, 140}, part{300, 141, 1000}, part{424, 1001, 1500})
	control  = mix(part{1024, 48, 120})
)

// app is one kind of conversation.
type app struct {
	proto    uint8
	port     uint16 // of the server; 0: any high port
	weight   float64
	silent   int // of 1024: no answer
	inbound  int // of 1024: from the internet to a customer's server
	least    float64
	alpha    float64 // tail of the packet count; 0: always the least
	ratio    float64 // packets back per packet
	gap      float64 // median milliseconds between packets
	up, down *sizes
}

var apps = []app{
	{protoUDP, 53, 100, 30, 150, 1, 3.5, 1, 2, question, answer},
	{protoUDP, 443, 26, 20, 150, 4, 1.15, 1.6, 12, quicUp, quicDown},
	{protoUDP, 123, 7, 60, 300, 1, 4, 1, 900, clock, clock},
	{protoUDP, 5060, 2, 100, 300, 2, 1.6, 1, 500, balanced, balanced},
	{protoUDP, 161, 2, 200, 100, 1, 1.8, 1, 100, question, answer},
	{protoUDP, 51820, 1, 100, 200, 3, 1.05, 1.2, 40, tunnel, tunnel},
	{protoUDP, 3478, 2, 100, 100, 1, 1.5, 1, 100, question, question},
	{protoUDP, 0, 12, 350, 400, 1, 1.2, 1, 25, voice, voice},
	{protoTCP, 443, 205, 15, 200, 5, 1.15, 1.3, 8, acks, content},
	{protoTCP, 80, 42, 20, 300, 4, 1.25, 1.2, 8, acks, content},
	{protoTCP, 22, 8, 80, 500, 6, 1.1, 1.1, 60, balanced, balanced},
	{protoTCP, 25, 6, 60, 500, 7, 1.5, 0.8, 30, content, acks},
	{protoTCP, 993, 5, 20, 300, 5, 1.3, 1.1, 100, acks, balanced},
	{protoTCP, 587, 2, 20, 400, 7, 1.4, 0.8, 40, content, acks},
	{protoTCP, 445, 3, 500, 500, 3, 1.2, 1.1, 5, balanced, balanced},
	{protoTCP, 3389, 1.2, 400, 700, 5, 1.1, 1.4, 30, acks, balanced},
	{protoTCP, 8080, 6, 50, 400, 4, 1.25, 1.2, 8, acks, content},
	{protoTCP, 8443, 4, 30, 300, 5, 1.25, 1.3, 8, acks, content},
	{protoTCP, 3306, 2, 30, 500, 4, 1.2, 1.2, 10, balanced, content},
	{protoTCP, 1883, 3, 10, 400, 2, 1.5, 1, 4000, control, control},
	{protoTCP, 0, 24, 250, 450, 2, 1.1, 1, 20, balanced, balanced},
	{protoICMP, 0, 14, 350, 450, 1, 1.6, 1, 700, ping, ping},
	{47, 0, 0.6, 100, 400, 5, 1.05, 1, 30, tunnel, tunnel},
	{50, 0, 1.6, 100, 400, 5, 1.05, 1, 30, tunnel, tunnel},
	{132, 2905, 0.4, 50, 400, 4, 1.4, 1, 400, balanced, balanced},
	{89, 0, 0.3, 1024, 500, 1, 2, 1, 5000, control, control},
	{4, 0, 0.2, 100, 400, 2, 1.1, 1, 30, tunnel, tunnel},
}

const (
	scanWeight  = 62 // a scanner's probes, one packet each, few answered
	repeatShare = 640
)

var scanPorts = []uint16{23, 22, 80, 443, 445, 8080, 3389, 5555, 2323, 81, 8443, 6379, 5900, 1433, 21, 25, 8081, 37215, 60023, 110}

// talk is a conversation between a client and a server, before it is cut into records or packets.
type talk struct {
	app            *app
	client, server host
	sport, dport   uint16
	up, down       uint64 // packets each way
	v6             bool
	scan           bool
}

// source draws conversations.
type source struct {
	net    *network
	pick   sampler
	recent [1 << 17]talk // what clients come back to
	count  int
}

func newSource(r *random) *source {
	s := &source{net: newNetwork(r)}
	w := make([]float64, 0, len(apps)+1)
	for i := range apps {
		w = append(w, apps[i].weight)
	}
	s.pick = newSampler(append(w, scanWeight))
	return s
}

var scanApp = app{proto: protoTCP, silent: 900, inbound: 1024, least: 1, ratio: 1, gap: 50, up: syn, down: syn}

// next draws a conversation whose packet counts stay at or below limit.
func (s *source) next(r *random, limit float64) talk {
	var t talk
	if s.count > len(s.recent) && r.chance(repeatShare) {
		t = s.recent[r.below(len(s.recent))]
	} else {
		t = s.fresh(r)
		s.recent[s.count%len(s.recent)] = t
		s.count++
	}
	if t.app.proto == protoTCP || t.app.proto == protoUDP || t.app.proto == 132 {
		t.sport = uint16(r.between(1024, 65535))
		if r.chance(600) {
			t.sport = uint16(r.between(32768, 60999))
		}
	}
	t.countPackets(r, limit)
	return t
}

func (s *source) fresh(r *random) talk {
	t := talk{v6: r.chance(143)}
	n, f := s.net, 0
	if i := s.pick.draw(r); i < len(apps) {
		t.app = &apps[i]
	} else {
		t.app, t.scan, t.v6 = &scanApp, true, false
		at := n.customer[0][0] + r.below(n.customer[0][1]-n.customer[0][0])
		t.client, t.server = n.scanners.draw(r), host{n.randomHost(r, at), int32(at)}
		t.dport = scanPorts[min(r.below(len(scanPorts)), r.below(len(scanPorts)))]
		return t
	}
	if t.v6 {
		f = 1
	}
	t.dport = t.app.port
	if t.dport == 0 && (t.app.proto == protoTCP || t.app.proto == protoUDP) {
		t.dport = uint16(r.between(1024, 65535))
	}
	switch {
	case r.chance(40): // between customers
		t.client, t.server = n.clients[f].draw(r), n.servers[f].draw(r)
	case r.chance(t.app.inbound):
		t.client, t.server = n.visitors[f].draw(r), n.servers[f].draw(r)
	case t.app.port == 53:
		t.client, t.server = n.clients[f].draw(r), n.resolvers[f].draw(r)
	default:
		t.client, t.server = n.clients[f].draw(r), n.internet[f].draw(r)
	}
	return t
}

func (t *talk) countPackets(r *random, limit float64) {
	a := t.app
	up := a.least
	if a.alpha > 0 {
		up *= r.pareto(a.alpha, limit/a.least)
	}
	t.up, t.down = uint64(up), 0
	if !r.chance(a.silent) {
		t.down = max(1, uint64(min(limit, up*a.ratio*(0.6+0.8*r.unit()))))
		if t.up == 1 && a.ratio == 1 {
			t.down = 1
		}
	} else if a.proto == protoTCP {
		t.up = uint64(r.between(1, 4)) // a SYN and its repeats
	}
}
