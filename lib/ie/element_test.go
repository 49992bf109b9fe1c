package ie

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// allElements is every row of the three tables.
func allElements() []Element {
	var all []Element
	all = append(all, registry[:]...)
	all = append(all, vendorElements[:]...)
	return append(all, projectElements[:]...)
}

func TestTablesSorted(t *testing.T) {
	for name, table := range map[string][]Element{
		"registry": registry[:], "vendor": vendorElements[:], "project": projectElements[:],
	} {
		for i := 1; i < len(table); i++ {
			if table[i-1].ID >= table[i].ID {
				t.Errorf("%s: %s is before %s", name, table[i-1].Name, table[i].Name)
			}
		}
	}
	for i := 1; i < len(nameIndex); i++ {
		a, b := registry[nameIndex[i-1]], registry[nameIndex[i]]
		x, y := strings.ToLower(a.Name), strings.ToLower(b.Name)
		if x > y || x == y && a.ID >= b.ID {
			t.Errorf("nameIndex: %s (%d) is before %s (%d)", a.Name, a.ID, b.Name, b.ID)
		}
	}
	if len(nameIndex) != len(registry) {
		t.Errorf("nameIndex has %d entries, registry %d", len(nameIndex), len(registry))
	}
	for _, e := range projectElements {
		if e.ID.PEN() != ProjectPEN {
			t.Errorf("%s has enterprise number %d", e.Name, e.ID.PEN())
		}
	}
}

// TestLookupOracle compares Lookup with a scan for all IDs near those in the
// tables, and for random ones.
func TestLookupOracle(t *testing.T) {
	slow := make(map[ID]Element)
	for _, e := range allElements() {
		if _, dup := slow[e.ID]; dup {
			t.Errorf("%d is in two tables", e.ID)
		}
		slow[e.ID] = e
	}
	check := func(id ID) {
		got, ok := Lookup(id)
		want, known := slow[id]
		if !known {
			if fwd, isReverse := id.Forward(); isReverse {
				if want, known = slow[fwd]; known {
					want.ID, want.Name = id, "reverse"+strings.ToUpper(want.Name[:1])+want.Name[1:]
				}
			}
		}
		if ok != known || got != want {
			t.Errorf("Lookup(%d/%d) = %+v, %v, want %+v, %v", id.PEN(), id.Num(), got, ok, want, known)
		}
	}
	for id := range slow {
		for d := ID(0); d < 3; d++ {
			check(id + d - 1)
		}
		check(reverse | id&0xffff)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		check(ID(r.Uint64()))
		check(ID(r.Uint64N(1 << 17)))
	}
	for id := range ID(1 << 16) {
		check(id)
	}
}

func TestLookupKnown(t *testing.T) {
	for _, want := range []Element{
		{ID: 1, Name: "octetDeltaCount", Type: Unsigned64, Semantics: DeltaCounter, Unit: "octets"},
		{ID: 6, Name: "tcpControlBits", Type: Unsigned16, Semantics: Flags},
		{ID: 9, Name: "sourceIPv4PrefixLength", Type: Unsigned8, Unit: "bits", RangeHigh: 32},
		{ID: 27, Name: "sourceIPv6Address", Type: IPv6Address},
		{ID: 56, Name: "sourceMacAddress", Type: MACAddress},
		{ID: 152, Name: "flowStartMilliseconds", Type: DateTimeMilliseconds, Unit: "milliseconds"},
		{ID: 292, Name: "subTemplateList", Type: SubTemplateList, Semantics: List},
		{ID: 439, Name: "mibObjectValueCounter", Type: Unsigned64, Semantics: SNMPCounter},
		{ID: 515, Name: "ipv6ExtensionHeadersFull", Type: Unsigned256, Semantics: Flags},
		{ID: 533, Name: "pathDelaySumDeltaMicroseconds", Type: Unsigned64, Semantics: DeltaCounter},
		{ID: New(ReversePEN, 2), Name: "reversePacketDeltaCount", Type: Unsigned64, Semantics: DeltaCounter, Unit: "packets"},
		{ID: New(CERTPEN, 18), Name: "payload", Type: OctetArray},
		{ID: New(CERTPEN, 16402), Name: "reversePayload", Type: OctetArray},
		{ID: New(637, 93), Name: "aluNatSubString", Type: String, Semantics: Identifier},
		{ID: New(9, 12236), Name: "clientIPv4Address", Type: IPv4Address, Semantics: Identifier},
		{ID: 33000, Name: "ingressAclId", Type: OctetArray},
		{ID: 40000, Name: "userName", Type: String},
		{ID: 40001, Name: "postNATSourceIPv4AddressASA", Type: IPv4Address},
		{ID: SamplingInterval, Name: "resolvedSamplingInterval", Type: Unsigned32, Semantics: Quantity, Unit: "packets"},
	} {
		got, ok := Lookup(want.ID)
		if !ok || got != want {
			t.Errorf("Lookup(%d/%d) = %+v, %v, want %+v", want.ID.PEN(), want.ID.Num(), got, ok, want)
		}
	}
	for _, id := range []ID{0, 65, 97, 105, 599, 32767, 65535, 1 << 16, New(ReversePEN, 599), New(ProjectPEN, 0),
		New(ProjectPEN, 65535), New(1<<32-1, 65535), 1<<64 - 1} {
		if e, ok := Lookup(id); ok {
			t.Errorf("Lookup(%d/%d) = %+v, want nothing", id.PEN(), id.Num(), e)
		}
	}
}

func TestIDString(t *testing.T) {
	for _, c := range []struct {
		id   ID
		want string
	}{
		{8, "sourceIPv4Address"},
		{599, "0/599"},
		{0, "0/0"},
		{40000, "0/40000"},
		{New(CERTPEN, 18), "6871/18"},
		{New(ReversePEN, 8), "reverseSourceIPv4Address"},
		{New(ReversePEN, 599), "29305/599"},
		{New(1<<32-1, 65535), "4294967295/65535"},
		{DistinctCount, "distinctCount"},
		{New(ProjectPEN, 999), "4294967280/999"},
	} {
		if got := c.id.String(); got != c.want {
			t.Errorf("ID(%d/%d).String() = %q, want %q", c.id.PEN(), c.id.Num(), got, c.want)
		}
	}
}

// TestStringResolves: what String prints, ByName reads.
func TestStringResolves(t *testing.T) {
	ids := []ID{0, 599, 65535, New(4711, 12), New(ReversePEN, 40000), New(ReversePEN, 0)}
	for _, e := range allElements() {
		ids = append(ids, e.ID, New(ReversePEN, e.ID.Num()))
	}
	for _, id := range ids {
		for _, s := range []string{id.String(), strings.ToUpper(id.String()), strings.ToLower(id.String())} {
			if e, ok := ByName(s); !ok || e.ID != id {
				t.Errorf("ByName(%q) = %d/%d, %v, want %d/%d", s, e.ID.PEN(), e.ID.Num(), ok, id.PEN(), id.Num())
			}
		}
	}
}

// TestByNameOracle: each name gives the element of the lowest ID that has it.
func TestByNameOracle(t *testing.T) {
	lowest := make(map[string]ID)
	for _, e := range allElements() {
		n := strings.ToLower(e.Name)
		if id, ok := lowest[n]; !ok || e.ID < id {
			lowest[n] = e.ID
		}
	}
	for n, id := range lowest {
		if e, ok := ByName(n); !ok || e.ID != id {
			t.Errorf("ByName(%q) = %v, %v, want %v", n, e.ID, ok, id)
		}
	}
	for _, s := range []string{"", "/", "0/", "/8", "a/b", "0/65536", "4294967296/1", "-1/1", "+1/1", " 0/1", "0/1/2",
		"reverse", "reverseNothing", "sourceIPv4Addres", "sourceIPv4Addresss", "zzzz", "\xff", "reversereversesourceIPv4Address"} {
		if e, ok := ByName(s); ok {
			t.Errorf("ByName(%q) = %+v, want nothing", s, e)
		}
	}
}

func TestReverse(t *testing.T) {
	for _, c := range []struct {
		fwd, rev ID
		ok       bool
	}{
		{1, New(ReversePEN, 1), true},
		{599, New(ReversePEN, 599), true},
		{New(CERTPEN, 18), New(CERTPEN, 16402), true},
		{New(CERTPEN, 16402), 0, false},
		{New(CERTPEN, 0x8001), 0, false},
		{New(9, 12236), 0, false},
		{New(ReversePEN, 1), 0, false},
		{New(ReversePEN, 40000), 0, false},
		{40000, 0, false}, // a NetFlow v9 number has no room for an enterprise
	} {
		rev, ok := c.fwd.Reverse()
		if rev != c.rev || ok != c.ok {
			t.Errorf("(%v).Reverse() = %v, %v, want %v, %v", c.fwd, rev, ok, c.rev, c.ok)
		}
		if !ok {
			continue
		}
		if fwd, ok := rev.Forward(); !ok || fwd != c.fwd {
			t.Errorf("(%v).Forward() = %v, %v, want %v", rev, fwd, ok, c.fwd)
		}
		if _, ok := c.fwd.Forward(); ok {
			t.Errorf("%v has a forward element", c.fwd)
		}
	}
}

func TestAdditive(t *testing.T) {
	for id, want := range map[ID]bool{1: true, 2: true, 3: true, 23: true, 85: false, 86: false, 171: false, 231: true,
		298: true, 8: false, 530: false, 531: false, 532: false, 533: true, 352: true, 353: false,
		New(ReversePEN, 1): true, New(ReversePEN, 85): false, New(ReversePEN, 530): false} {
		e, ok := Lookup(id)
		if !ok || e.Additive() != want {
			t.Errorf("%v: Additive = %v, want %v", id, e.Additive(), want)
		}
	}
	for id, want := range map[ID]bool{DistinctCount: false, Mean: false, Quantile: false, Percent: false, 1: true, 85: true, Bin: true} {
		if got := id.Mergeable(); got != want {
			t.Errorf("%v: Mergeable = %v, want %v", id, got, want)
		}
	}
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		typ   Type
		name  string
		num   uint8
		class Class
		size  int
	}{
		{OctetArray, "octetArray", 0, Bytes, 0},
		{Unsigned8, "unsigned8", 1, Uint, 1},
		{Unsigned64, "unsigned64", 4, Uint, 8},
		{Signed8, "signed8", 5, Int, 1},
		{Signed64, "signed64", 8, Int, 8},
		{Float32, "float32", 9, Float, 4},
		{Float64, "float64", 10, Float, 8},
		{Boolean, "boolean", 11, Uint, 1},
		{MACAddress, "macAddress", 12, Uint, 6},
		{String, "string", 13, Bytes, 0},
		{DateTimeSeconds, "dateTimeSeconds", 14, Time, 4},
		{DateTimeNanoseconds, "dateTimeNanoseconds", 17, Time, 8},
		{IPv4Address, "ipv4Address", 18, Addr, 4},
		{IPv6Address, "ipv6Address", 19, Addr, 16},
		{BasicList, "basicList", 20, Bytes, 0},
		{SubTemplateMultiList, "subTemplateMultiList", 22, Bytes, 0},
		{Unsigned256, "unsigned256", 23, Bytes, 32},
		{24, "type 24", 24, Bytes, 0},
		{255, "type 255", 255, Bytes, 0},
	} {
		if uint8(c.typ) != c.num || c.typ.String() != c.name || c.typ.Class() != c.class || c.typ.Size() != c.size {
			t.Errorf("type %d: %q %v %d, want %d %q %v %d", c.typ, c.typ, c.typ.Class(), c.typ.Size(), c.num, c.name, c.class, c.size)
		}
	}
	for s, name := range map[Semantics]string{Default: "default", Flags: "flags", SNMPGauge: "snmpGauge", 9: "semantics 9"} {
		if s.String() != name {
			t.Errorf("semantics %d is %q, want %q", uint8(s), s, name)
		}
	}
	if SNMPGauge != 8 || List != 6 || TotalCounter != 2 {
		t.Errorf("semantics are numbered %d %d %d", SNMPGauge, List, TotalCounter)
	}
	for typ, want := range map[Type]bool{String: false, IPv6Address: false, BasicList: true, SubTemplateList: true, SubTemplateMultiList: true, Unsigned256: false} {
		if typ.IsList() != want {
			t.Errorf("%v: IsList = %v", typ, !want)
		}
	}
}

func FuzzByName(f *testing.F) {
	for _, s := range []string{"", "sourceIPv4Address", "6871/18", "reverseOctetDeltaCount", "0/99999999999999999999", "srcip", "%\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, ok := ByName(s)
		if fld, found := FieldByName(s); ok && !found || found && fld == nil {
			t.Errorf("%q: element %v, field %v", s, ok, found)
		}
		if !ok {
			return
		}
		if again, ok := ByName(e.ID.String()); !ok || again != e {
			t.Errorf("%q is %+v, whose name %q is %+v", s, e, e.ID.String(), again)
		}
	})
}

var sinkElement Element

func BenchmarkLookup(b *testing.B) {
	for _, c := range []struct {
		name string
		id   ID
	}{{"iana", 152}, {"enterprise", New(39499, 26)}, {"reverse", New(ReversePEN, 2)}, {"unknown", New(4711, 1)}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sinkElement, _ = Lookup(c.id)
			}
		})
	}
}

func BenchmarkByName(b *testing.B) {
	for _, name := range []string{"sourceIPv4Address", "SOURCEIPV4ADDRESS", "6871/18", "nothing"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sinkElement, _ = ByName(name)
			}
		})
	}
}

func TestNoAllocation(t *testing.T) {
	var members []ID
	if n := testing.AllocsPerRun(100, func() {
		sinkElement, _ = Lookup(New(39499, 26))
		sinkElement, _ = ByName("sourceIPv4Address")
		members = Members(8)
		_, _ = FieldByName("srcip")
		_, _ = FieldByToken("sa")
	}); n != 0 || len(members) != 2 {
		t.Errorf("%v allocations a run", n)
	}
}
