package packet

// MaxLabels is how many MPLS labels of a stack are kept.
const MaxLabels = 10

// Flags of a packet.
type Flags uint8

const (
	DontFragment  Flags = 1 << iota // IPv4 DF
	MoreFragments                   // this fragment is not the last
	HasPorts                        // SrcPort and DstPort, or ICMPType and ICMPCode, were read
	HasTCP                          // the fixed part of a TCP header was read up to the window
)

// Packet is what one frame's headers say. Its zero value is a packet without IP.
type Packet struct {
	Time      int64  // nanoseconds since the epoch, set by the caller
	Interface uint32 // number of the interface that it was seen at, set by the caller; 0: none

	// Addresses in network order; an IPv4 address is in the first four
	// bytes and the others are zero.
	Src, Dst [16]byte

	Bytes   uint32 // IP total length, derived from the frame where the header has none
	SrcPort uint16
	DstPort uint16
	Family  uint8 // 4 or 6
	Proto   uint8 // the header behind all IPv6 extension headers
	TOS     uint8 // ToS or traffic class
	TTL     uint8 // TTL or hop limit

	ICMPType   uint8
	ICMPCode   uint8
	TCPFlags   uint16 // twelve bits, FIN is 1
	Flags      Flags
	Depth      uint8  // encapsulations that were removed
	Tunnel     uint8  // IP protocol of the last of them
	VLANs      uint8  // number of tags seen, at most two of them kept
	FragOffset uint16 // in bytes
	Window     uint16

	// Payload is what the IP packet has behind its IP headers, on the wire.
	// In a later fragment it is counted from the fixed header.
	Payload   uint32
	Seq, Ack  uint32
	FlowLabel uint32 // IPv6, 20 bits
	ID        uint32 // identification of a datagram's fragments; IPv4: always set

	SrcMAC, DstMAC [6]byte
	VLAN           [2]uint16 // VLAN id of the outermost and of the innermost tag
	EtherType      uint16    // of the IP header, or of what was found in its place

	TCPHeader uint8 // length of the TCP header with options, as it says
	MPLSDepth uint8 // labels in the stack, at most MaxLabels of them kept
	// Labels are as on the wire without the TTL: label, traffic class,
	// bottom bit, in 24 bits. Only the first MPLSDepth have meaning.
	Labels [MaxLabels]uint32
}

// Fragment tells whether p is part of a fragmented datagram.
func (p *Packet) Fragment() bool { return p.FragOffset > 0 || p.Flags&MoreFragments != 0 }

// Status is how far the parser came.
type Status uint8

const (
	IP          Status = iota // p has an IP header
	NotIP                     // a whole frame of something else
	Short                     // the snap length or the frame ends before the IP header does
	Malformed                 // a header contradicts itself
	UnknownLink               // no decoder for the link type
)

func (s Status) String() string {
	switch s {
	case IP:
		return "ip"
	case NotIP:
		return "not ip"
	case Short:
		return "short"
	case Malformed:
		return "malformed"
	}
	return "unknown link type"
}

// MaxDecap bounds Parser.Decap.
const MaxDecap = 8

// IP protocol numbers that have a meaning here.
const (
	ProtoHopByHop = 0
	ProtoICMP     = 1
	ProtoIPIP     = 4
	ProtoTCP      = 6
	ProtoUDP      = 17
	ProtoDCCP     = 33
	ProtoIPv6     = 41
	ProtoRouting  = 43
	ProtoFragment = 44
	ProtoGRE      = 47
	ProtoESP      = 50
	ProtoAH       = 51
	ProtoICMPv6   = 58
	ProtoNone     = 59
	ProtoDstOpts  = 60
	ProtoEtherIP  = 97
	ProtoPIM      = 103
	ProtoSCTP     = 132
	ProtoMobility = 135
	ProtoUDPLite  = 136
	ProtoMPLS     = 137
	ProtoHIP      = 139
	ProtoShim6    = 140
)

// EtherTypes.
const (
	typeIPv4       = 0x0800
	typeARP        = 0x0806
	typeVNTag      = 0x8926
	typeVLAN       = 0x8100
	typeTEB        = 0x6558
	typeIPv6       = 0x86dd
	typePPP        = 0x880b
	typeMPLS       = 0x8847
	typeMPLSUp     = 0x8848
	typePPPoE      = 0x8864
	typeQinQ       = 0x88a8
	typeFabricPath = 0x8903
	typeERSPAN2    = 0x88be
	typePBB        = 0x88e7
	typeERSPAN3    = 0x22eb
	typeQinQ91     = 0x9100
	typeQinQ92     = 0x9200
	typeETag       = 0x893f
	typeCMD        = 0x8909
	typeNSH        = 0x894f
)
