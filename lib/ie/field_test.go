package ie

import (
	"slices"
	"strings"
	"testing"
)

// words splits the lists of names that the manual of nfdump has.
func words(s string) []string { return strings.Fields(s) }

func TestFieldNames(t *testing.T) {
	for _, s := range words(`
		proto srcport dstport tos srctos dsttos flags srcip4 dstip4 srcip6 dstip6 srcip dstip srcnet dstnet
		xsrcip xdstip xsrcport xdstport next bgpnext router insrcmac outdstmac indstmac outsrcmac srcas dstas
		srcasn dstasn nextas prevas inif outif srcmask dstmask mpls1 mpls2 mpls3 mpls4 mpls5 mpls6 mpls7 mpls8
		mpls9 mpls10 srcvlan dstvlan odid opid exp srcgeo dstgeo ethertype minttl maxttl
		ip port dir as asn if mask vlan srcmac dstmac inmac outmac mac nhip nhbip tunproto geo cl sl al nbar ja3
		ja4 ja4s event xevent nat natsrcip natdstip natip natsrcport natdstport natport iacl eacl ivrf evrf
		flows packets ipkg opkg bytes ibyte obyte pps ipps opps bps ibps obps bpp ibpp obpp
		ipackets opackets ibytes obytes tstart tend duration
		first last received direction fwdstat endreason icmptype icmpcode ttl engine-type engine-id ident count
		username flowid mpls tls sni label distinct mean quantile percent bin receivedorder`) {
		for _, s := range []string{s, strings.ToUpper(s)} {
			if f, ok := FieldByName(s); !ok || f == nil {
				t.Errorf("FieldByName(%q) finds nothing", s)
			}
		}
	}
	for _, s := range []string{"", "%sa", "src ip", "nothing", "mpls0", "mpls11", "1/", "srcip "} {
		if f, ok := FieldByName(s); ok {
			t.Errorf("FieldByName(%q) = %s, want nothing", s, f.Name)
		}
	}
}

func TestFieldTokens(t *testing.T) {
	for _, tok := range words(`
		nfv cnt idt eng exp ts tfs tsr tsg te ter teg tr trr trg td tds pkt ipkt byt ibyt opkt obyt fl sp dp it ic
		pr flg fwd tos stos dtos bps pps bpp sa da sap dap gsa gda gsap gdap in out inam onam smk dmk sn dn dir
		bfd end svln dvln sas das nas pas sasn dasn nh nhb ra gra mpls1 mpls2 mpls3 mpls4 mpls5 mpls6 mpls7 mpls8
		mpls9 mpls10 mpls ismc odmc idmc osmc cl sl al tevt msec evt xevt nfc xsa xda nsa nda xsp xdp nsp ndp xsap
		xdap nsap ndap iacl eacl uname pbstart pbend pbstep pbsize nbid nbnam ipl opl odid opid ivrf vrf evrf
		ivrfnam evrfnam pfifn pfact pfrea pfdir pfrule flid isid osid nats ja3 ja4 sni tls sc dc sloc dloc stor
		dtor lbl ttl minttl maxttl frag eth nevt`) {
		f, ok := FieldByToken(tok)
		if !ok || f.Token != tok && !slices.Contains(f.Tokens, tok) {
			t.Errorf("FieldByToken(%q) finds nothing", tok)
		}
	}
	for _, tok := range []string{"", "SA", "%sa", "n", "nothing"} {
		if f, ok := FieldByToken(tok); ok {
			t.Errorf("FieldByToken(%q) = %s, want nothing", tok, f.Name)
		}
	}
}

// TestFieldTable checks the table against itself and against the registry.
func TestFieldTable(t *testing.T) {
	names, tokens := make(map[string]string), make(map[string]string)
	for _, f := range Fields() {
		for _, n := range append([]string{f.Name}, f.Aliases...) {
			if n != strings.ToLower(n) || strings.ContainsAny(n, " \t%,/:") {
				t.Errorf("%s: name %q cannot be typed", f.Name, n)
			}
			if other, dup := names[n]; dup {
				t.Errorf("%q means %s and %s", n, other, f.Name)
			}
			names[n] = f.Name
			// A word of IANA's means IANA's element.
			if e, ok := ByName(n); ok && e.ID < 1<<15 && int(e.ID) < len(ianaIndex) {
				if col, _ := Column(e.ID); len(f.Elements) == 0 || f.Elements[0] != col {
					t.Errorf("%s: %q is also element %d of IANA", f.Name, n, e.ID)
				}
			}
		}
		for _, tok := range append([]string{f.Token}, f.Tokens...) {
			if other, dup := tokens[tok]; dup && tok != "" {
				t.Errorf("%%%s means %s and %s", tok, other, f.Name)
			}
			tokens[tok] = f.Name
		}
		checkField(t, &f)
	}
}

func checkField(t *testing.T, f *Field) {
	if f.Help == "" || strings.HasSuffix(f.Help, ".") {
		t.Errorf("%s: help %q", f.Name, f.Help)
	}
	if f.Header == "" {
		t.Errorf("%s has no header", f.Name)
	}
	if f.Kind >= numKinds || f.Kind.String() == "" {
		t.Errorf("%s: kind %d", f.Name, f.Kind)
	}
	sources := 0
	for _, has := range []bool{len(f.Elements) > 0, f.Derived, len(f.Either) > 0} {
		if has {
			sources++
		}
	}
	if sources != 1 {
		t.Errorf("%s: want one of elements, derivation and either, has %d", f.Name, sources)
	}
	for _, s := range slices.Concat(f.From, f.Either) {
		if g, ok := FieldByName(s); !ok || g.Name != s || len(g.Either) > 0 {
			t.Errorf("%s stands on %q, which is no field of the table with a value of its own", f.Name, s)
		}
	}
	var class Class
	for i, id := range f.Elements {
		e, ok := Lookup(id)
		if col, _ := Column(id); !ok || col != id && f.Family == AnyFamily && id>>16 == 0 {
			t.Errorf("%s: element %v is not known or is kept in another column", f.Name, id)
		}
		if i == 0 {
			class = e.Type.Class()
		} else if e.Type.Class() != class {
			t.Errorf("%s: %v is of class %v, the first element of class %v", f.Name, id, e.Type.Class(), class)
		}
	}
	if f.Additive && f.Kind != Counter && f.Kind != FlowCount {
		t.Errorf("%s: additive, but a %v", f.Name, f.Kind)
	}
}

func TestFieldElements(t *testing.T) {
	r := func(n ID) ID { return New(ReversePEN, uint16(n)) }
	for _, c := range []struct {
		name     string
		field    string
		elements []ID // the first of them
		family   Family
		kind     Kind
	}{
		{"srcip", "srcip", []ID{8}, AnyFamily, Address},
		{"srcip4", "srcip4", []ID{8}, IPv4, Address},
		{"dstip6", "dstip6", []ID{12}, IPv6, Address},
		{"sourceIPv4Address", "sourceIPv4Address", []ID{8}, IPv4, Address},
		{"sourceipv6address", "sourceIPv6Address", []ID{8}, IPv6, Address},
		{"reverseSourceIPv6Address", "reverseSourceIPv6Address", []ID{r(8)}, IPv6, Address},
		{"srcAddr", "srcip", []ID{8}, AnyFamily, Address},
		{"src6_addr", "srcip", []ID{8}, AnyFamily, Address},
		{"srcport", "srcport", []ID{7, 180, 182}, AnyFamily, Port},
		{"packets", "packets", []ID{2, 86, 298}, AnyFamily, Counter},
		{"bytes", "bytes", []ID{1, 85, 231}, AnyFamily, Counter},
		{"opackets", "opackets", []ID{24, r(2)}, AnyFamily, Counter},
		{"obytes", "obytes", []ID{23, r(1)}, AnyFamily, Counter},
		{"flows", "flows", []ID{3}, AnyFamily, FlowCount},
		{"first", "first", []ID{156}, AnyFamily, TimeLocal},
		{"flowStartMilliseconds", "flowStartMilliseconds", []ID{156}, AnyFamily, TimeLocal},
		{"reverseFlowEndSeconds", "reverseFlowEndSeconds", []ID{r(157)}, AnyFamily, TimeLocal},
		{"received", "received", []ID{258}, AnyFamily, TimeLocal},
		{"6871/18", "6871/18", []ID{New(CERTPEN, 18)}, AnyFamily, Octets},
		{"4711/12", "4711/12", []ID{New(4711, 12)}, AnyFamily, Octets},
		{"tcpWindowSizeMin", "tcpWindowSizeMin", []ID{37083, New(9, 4315)}, AnyFamily, Number},
		{"9/4315", "9/4315", []ID{New(9, 4315)}, AnyFamily, Number},
		{"samplingInterval", "samplingInterval", []ID{34}, AnyFamily, Number},
		{"minimumTTL", "minimumTTL", []ID{52}, AnyFamily, Number},
		{"droppedOctetDeltaCount", "droppedOctetDeltaCount", []ID{132}, AnyFamily, Counter},
		{"staMacAddress", "staMacAddress", []ID{365}, AnyFamily, MAC},
		{"absoluteError", "absoluteError", []ID{320}, AnyFamily, Real},
		{"interfaceName", "interfaceName", []ID{82}, AnyFamily, Text},
	} {
		f, ok := FieldByName(c.name)
		if !ok || f.Name != c.field || len(f.Elements) < len(c.elements) ||
			!slices.Equal(f.Elements[:len(c.elements)], c.elements) || f.Family != c.family || f.Kind != c.kind {
			t.Errorf("FieldByName(%q) = %+v, want %+v", c.name, f, c)
		}
	}
	// The name of a field finds the field again.
	for _, e := range allElements() {
		for _, s := range []string{e.Name, e.ID.String()} {
			f, ok := FieldByName(s)
			if !ok {
				t.Errorf("FieldByName(%q) finds nothing", s)
				continue
			}
			if again, ok := FieldByName(f.Name); !ok || again.Name != f.Name || !slices.Equal(again.Elements, f.Elements) {
				t.Errorf("FieldByName(%q) is %+v, by its name %+v", s, f, again)
			}
		}
	}
	// What a port matches is never an ICMP type.
	for _, name := range []string{"srcport", "dstport"} {
		f, _ := FieldByName(name)
		for _, id := range f.Elements {
			if slices.Contains([]ID{32, 176, 177, 178, 179}, id) {
				t.Errorf("%s may be %v", name, id)
			}
		}
	}
}

func TestPart(t *testing.T) {
	for _, c := range []struct {
		field       string
		id          ID
		shift, bits uint8
	}{
		{"icmptype", 32, 8, 8}, {"icmpcode", 32, 0, 8}, {"icmptype", 139, 8, 8}, {"icmpcode", 139, 0, 8},
		{"icmptype", New(ReversePEN, 32), 8, 8},
		{"icmptype", 176, 0, 0}, {"icmpcode", 179, 0, 0}, {"srcport", 32, 0, 0}, {"icmpTypeCodeIPv4", 32, 0, 0},
		{"icmptype", New(9, 32), 0, 0},
	} {
		f, ok := FieldByName(c.field)
		if !ok {
			t.Fatalf("no field %q", c.field)
		}
		if shift, bits := f.Part(c.id); shift != c.shift || bits != c.bits {
			t.Errorf("%s.Part(%v) = %d, %d, want %d, %d", c.field, c.id, shift, bits, c.shift, c.bits)
		}
	}
}

func TestProtocols(t *testing.T) {
	for n, want := range map[uint8]string{0: "0", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 47: "GRE", 50: "ESP",
		58: "ICMP6", 89: "OSPF", 132: "SCTP", 134: "134", 138: "138", 255: "255"} {
		if got := ProtoName(n); got != want {
			t.Errorf("ProtoName(%d) = %q, want %q", n, got, want)
		}
	}
	for name, want := range map[string]uint8{"tcp": 6, "UDP": 17, "icmp6": 58, "ipv6-icmp": 58, "icmpv6": 58, "ipip": 4,
		"IPv4": 4, "ipv6": 41, "hopopt": 0, "ospfigp": 89, "UDPLite": 136, "udp-l": 136, "manet": 138, "emcon": 14,
		"mobility-header": 135, "idpr": 35, "idpr-cmtp": 38, "argus": 13} {
		if got, ok := ProtoNumber(name); !ok || got != want {
			t.Errorf("ProtoNumber(%q) = %d, %v, want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "t", "i", "6", "tcp ", "xyz", "Reserved"} {
		if n, ok := ProtoNumber(name); ok {
			t.Errorf("ProtoNumber(%q) = %d, want nothing", name, n)
		}
	}
	for n := range 256 {
		name := ProtoName(uint8(n))
		got, ok := ProtoNumber(name)
		if protocolNames[n] != "" && (!ok || int(got) != n) && name != "IDPR" {
			t.Errorf("protocol %d is %q, which is protocol %d", n, name, got)
		}
	}
}

func BenchmarkFieldByName(b *testing.B) {
	for _, name := range []string{"srcip", "percent", "sourceIPv4Address"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := FieldByName(name); !ok {
					b.Fatalf("no field %q", name)
				}
			}
		})
	}
}
