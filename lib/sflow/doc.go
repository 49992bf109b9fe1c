// Package sflow decodes sFlow datagrams of versions 5 (sflow.org), 4 and 2 (RFC 3176) into flow
// records.
//
// An Exporter is what is known of one sender. Each flow sample, compact or expanded, that holds a
// sampled header or the sampled Ethernet, IPv4 or IPv6 fields of a packet makes one record of
// one packet, whether the packet is IP or not. A sampled header says more than the other forms
// and goes before them. Counter samples are passed over and counted, and so are notices of
// discarded packets: such a packet may also have been sampled, and would count twice.
//
// # What a record says
//
// Counters are raw, and the sampling rate stands beside them as interval 1 and space rate-1,
// absent where the rate is 1 or unknown. Bytes (octetDeltaCount) are the length of the sampled
// frame as sFlow announces it, with link headers and FCS: what sfcapd stores after multiplying,
// and what the interface counters of the device count. The length of the IP packet is kept as
// ipTotalLength. A sample that has IP fields alone, without a frame, gives its IP length to both.
//
// A record starts and ends when its datagram arrived, for sFlow has no other clock. Its exporter
// is the agent that the datagram names, or the sender if it names none, and its observation
// domain is the sub-agent. The output interface is present where there is just one: of a packet
// that left by several their number is the multicastReplicationFactor (0 if it is not known),
// and of one that was dropped the reason is the forwardingStatus.
//
// The VLANs before and after the device come from extended_switch where it is sent; the tag of
// the frame is the VLAN where it is not, and dot1qVlanId where it differs. The second tag is
// dot1qCustomerVlanId. An empty AS path leads to the device's own AS: destination AS and next AS
// are 0 then. Path and communities are basicLists (RFC 6313) of bgpDestinationAsNumber,
// ordered if the path has no sets, and bgpCommunity, with the 0 before them that tells that a
// list needs no templates.
//
// No column is made of VLAN priorities, the device's own AS, local preference, outgoing MPLS
// labels, user, URL, tunnel, 802.11, socket and host structures, and what other enterprises
// define. Whole structures of that kind are counted.
//
// # Trust
//
// Every length is checked against what is left of the sample that it stands in before it is
// used, and no loop runs on a count: each turn takes bytes from the datagram. A structure of
// version 5 that contradicts itself costs itself alone; one that does not fit into its sample
// costs the structures behind it, and a sample that does not fit costs the rest of the datagram.
// Versions 2 and 4 have no lengths to go on by, so there the rest is refused at any fault.
// Nothing is allocated by a length from the wire. Agents, sources and shapes that are remembered
// are bounded by constants; when there is no more room, they are learnt anew.
package sflow
