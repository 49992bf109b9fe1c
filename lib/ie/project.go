package ie

// The elements that IANA lacks: results of aggregation, and what nfdump's
// files hold beyond the registry. Numbers are part of the file format: they
// are never reused, new ones are added at the end of their section.
const project ID = ProjectPEN << 16

const (
	// Results of aggregation. None of the first four can be merged with
	// another of its kind, see [Mergeable].
	DistinctCount ID = project | 1 // number of different values
	Mean          ID = project | 2 // arithmetic mean
	Quantile      ID = project | 3 // value below which a fraction of the values lies
	Percent       ID = project | 4 // share of the total, 0 to 100
	Bin           ID = project | 5 // start of the time bin
	Label         ID = project | 6 // name from a prefix or value map

	// The sampling rate in force for a record, resolved at decoding from
	// options data, header or option: of interval+space packets, interval
	// were seen, so counters scale by (interval+space)/interval.
	SamplingInterval ID = project | 7
	SamplingSpace    ID = project | 8

	ReceivedOrder ID = project | 9 // position among the records received

	// What nfdump's records hold and no registry has.
	TunnelSrcIPv4 ID = project | 32 // outer addresses of a tunnelled packet
	TunnelSrcIPv6 ID = project | 33
	TunnelDstIPv4 ID = project | 34
	TunnelDstIPv6 ID = project | 35
	TunnelProto   ID = project | 36
	ClientLatency ID = project | 40 // TCP set-up and answer times, microseconds
	ServerLatency ID = project | 41
	AppLatency    ID = project | 42
	PfAction      ID = project | 48 // OpenBSD pflog
	PfReason      ID = project | 49
	PfDirection   ID = project | 50
	PfRewritten   ID = project | 51
	PfRule        ID = project | 52
	PfSubrule     ID = project | 53
	PfUID         ID = project | 54
	PfPID         ID = project | 55
	PfInterface   ID = project | 56
	ExporterID    ID = project | 64 // nfdump's internal number of the exporter
	Ident         ID = project | 65 // name of the source that a file belongs to
	RecordFlags   ID = project | 66 // nfdump's flags: 1 event, 2 sampled, 4 anonymised
	ExportVersion ID = project | 67 // nfdump's number of the export protocol
)

// projectElements is sorted by ID.
var projectElements = [...]Element{
	{ID: DistinctCount, Name: "distinctCount", Type: Unsigned64, Semantics: Quantity},
	{ID: Mean, Name: "mean", Type: Float64, Semantics: Quantity},
	{ID: Quantile, Name: "quantile", Type: Float64, Semantics: Quantity},
	{ID: Percent, Name: "percent", Type: Float64, Semantics: Quantity},
	{ID: Bin, Name: "bin", Type: DateTimeNanoseconds},
	{ID: Label, Name: "label", Type: String},
	{ID: SamplingInterval, Name: "resolvedSamplingInterval", Type: Unsigned32, Semantics: Quantity, Unit: "packets"},
	{ID: SamplingSpace, Name: "resolvedSamplingSpace", Type: Unsigned32, Semantics: Quantity, Unit: "packets"},
	{ID: ReceivedOrder, Name: "receivedOrder", Type: Unsigned64, Semantics: Identifier},
	{ID: TunnelSrcIPv4, Name: "tunnelSourceIPv4Address", Type: IPv4Address},
	{ID: TunnelSrcIPv6, Name: "tunnelSourceIPv6Address", Type: IPv6Address},
	{ID: TunnelDstIPv4, Name: "tunnelDestinationIPv4Address", Type: IPv4Address},
	{ID: TunnelDstIPv6, Name: "tunnelDestinationIPv6Address", Type: IPv6Address},
	{ID: TunnelProto, Name: "tunnelProtocolIdentifier", Type: Unsigned8, Semantics: Identifier},
	{ID: ClientLatency, Name: "clientLatency", Type: Unsigned64, Semantics: Quantity, Unit: "microseconds"},
	{ID: ServerLatency, Name: "serverLatency", Type: Unsigned64, Semantics: Quantity, Unit: "microseconds"},
	{ID: AppLatency, Name: "applicationLatency", Type: Unsigned64, Semantics: Quantity, Unit: "microseconds"},
	{ID: PfAction, Name: "pfAction", Type: Unsigned8, Semantics: Identifier},
	{ID: PfReason, Name: "pfReason", Type: Unsigned8, Semantics: Identifier},
	{ID: PfDirection, Name: "pfDirection", Type: Unsigned8, Semantics: Identifier},
	{ID: PfRewritten, Name: "pfRewritten", Type: Unsigned8, Semantics: Flags},
	{ID: PfRule, Name: "pfRule", Type: Unsigned32, Semantics: Identifier},
	{ID: PfSubrule, Name: "pfSubrule", Type: Unsigned32, Semantics: Identifier},
	{ID: PfUID, Name: "pfUserId", Type: Unsigned32, Semantics: Identifier},
	{ID: PfPID, Name: "pfProcessId", Type: Unsigned32, Semantics: Identifier},
	{ID: PfInterface, Name: "pfInterfaceName", Type: String},
	{ID: ExporterID, Name: "exporterId", Type: Unsigned32, Semantics: Identifier},
	{ID: Ident, Name: "ident", Type: String},
	{ID: RecordFlags, Name: "recordFlags", Type: Unsigned8, Semantics: Flags},
	{ID: ExportVersion, Name: "exportVersion", Type: Unsigned8, Semantics: Identifier},
}

// Elements of enterprises that user names stand for: NetFlow v9 types of
// Cisco's ASA, Cisco AVC, Nokia, and CERT's payload.
const (
	asaSrcIP      ID = 40001
	asaDstIP      ID = 40002
	asaSrcPort    ID = 40003
	asaDstPort    ID = 40004
	asaEvent      ID = 40005
	asaIngACL     ID = 33000
	asaEgrACL     ID = 33001
	asaExtEvent   ID = 33002
	asaUser       ID = 40000
	cisco         ID = 9 << 16
	nokia         ID = 637 << 16
	cert          ID = CERTPEN << 16
	certPayload      = cert | 18
	certRPayload     = cert | certReverseBit | 18
	avcClientIP4     = cisco | 12236
	avcServerIP4     = cisco | 12237
	avcClientIP6     = cisco | 12238
	avcServerIP6     = cisco | 12239
	avcClientPort    = cisco | 12240
	avcServerPort    = cisco | 12241
)

// vendorElements are NetFlow v9 types that exporters use and no registry file
// lists: the event fields of ASA 8.4, and the latencies of nProbe. Sorted by ID.
var vendorElements = [...]Element{
	{ID: asaSrcIP, Name: "postNATSourceIPv4AddressASA", Type: IPv4Address},
	{ID: asaDstIP, Name: "postNATDestinationIPv4AddressASA", Type: IPv4Address},
	{ID: asaSrcPort, Name: "postNAPTSourceTransportPortASA", Type: Unsigned16, Semantics: Identifier},
	{ID: asaDstPort, Name: "postNAPTDestinationTransportPortASA", Type: Unsigned16, Semantics: Identifier},
	{ID: asaEvent, Name: "firewallEventASA", Type: Unsigned8, Semantics: Identifier},
	{ID: 57554, Name: "clientLatencySeconds", Type: Unsigned32, Semantics: Quantity, Unit: "seconds"},
	{ID: 57555, Name: "clientLatencyMicroseconds", Type: Unsigned32, Semantics: Quantity, Unit: "microseconds"},
	{ID: 57556, Name: "serverLatencySeconds", Type: Unsigned32, Semantics: Quantity, Unit: "seconds"},
	{ID: 57557, Name: "serverLatencyMicroseconds", Type: Unsigned32, Semantics: Quantity, Unit: "microseconds"},
	{ID: 57558, Name: "applicationLatencySeconds", Type: Unsigned32, Semantics: Quantity, Unit: "seconds"},
	{ID: 57559, Name: "applicationLatencyMicroseconds", Type: Unsigned32, Semantics: Quantity, Unit: "microseconds"},
}

// Mergeable reports whether results of this element from two inputs can be
// combined into the result of both. What cannot must not be aggregated again.
func (id ID) Mergeable() bool {
	switch id {
	case DistinctCount, Mean, Quantile, Percent:
		return false
	}
	return true
}
