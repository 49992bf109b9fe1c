// Package packet parses the headers of one captured frame into a flat struct.
//
// A Parser walks from the link layer (Ethernet with VLAN, PBB, MPLS and PPPoE
// headers, Linux cooked, PPP, 802.11, raw IP and others, see LinkType) to the IP
// header and on to the ports. The packet's Bytes are the IP total length as the
// header says it, so padding does not count and a short snap length does not
// matter. With Decap above 0 the parser goes on through IP in IP, AH, GRE, ERSPAN,
// EtherIP, MPLS over IP or UDP, PIM registers, VXLAN, Geneve, GTP-U, LISP, AYIYA
// and Teredo, and the innermost IP header that it reached makes the flow; what
// cannot be decoded inside, or is fragmented, leaves the header around it.
//
// Hostile input: every length is checked before use, nothing is allocated, and
// a frame has at most 64 link headers and MaxDecap encapsulations; what is nested
// deeper is given up. Parse never panics.
//
// A Parser is for one goroutine; a Packet is a plain value that holds no
// reference to the frame.
package packet
