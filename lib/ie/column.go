package ie

import "strconv"

// Family is the address family of an element, or of the part of a column that
// a name means.
type Family uint8

const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

var familyNames = [...]string{"any", "IPv4", "IPv6"}

func (f Family) String() string {
	if int(f) < len(familyNames) {
		return familyNames[f]
	}
	return "family " + strconv.Itoa(int(f))
}

// groups lists the elements that are one thing in different clothes. The first
// number names the column.
var groups = [...]struct {
	col     ID
	pair    bool // IPv4 member, then IPv6 member
	members []ID
}{
	{8, true, []ID{8, 27}},
	{9, true, []ID{9, 29}},
	{12, true, []ID{12, 28}},
	{13, true, []ID{13, 30}},
	{15, true, []ID{15, 62}},
	{18, true, []ID{18, 63}},
	{32, true, []ID{32, 139}},
	{130, true, []ID{130, 131}},
	{156, false, []ID{156, 150, 152, 154}},
	{157, false, []ID{157, 151, 153, 155}},
	{225, true, []ID{225, 281}},
	{226, true, []ID{226, 282}},
	{325, false, []ID{325, 322, 323, 324}},
	{TunnelSrcIPv4, true, []ID{TunnelSrcIPv4, TunnelSrcIPv6}},
	{TunnelDstIPv4, true, []ID{TunnelDstIPv4, TunnelDstIPv6}},
}

// Column tells which column holds the values of id, and of which family the
// values of id are. IPv4 and IPv6 members of a pair share the column of the
// IPv4 member; times that differ in unit only share that of the nanoseconds,
// since every time is int64 nanoseconds in memory. Other elements are columns
// of their own.
func Column(id ID) (col ID, fam Family) {
	if id>>16 == ReversePEN {
		col, fam = forwardColumn(id & 0xffff)
		return reverse | col, fam
	}
	return forwardColumn(id)
}

func forwardColumn(id ID) (ID, Family) {
	switch id {
	case 8, 9, 12, 13, 15, 18, 32, 130, 225, 226, TunnelSrcIPv4, TunnelDstIPv4:
		return id, IPv4
	case 27:
		return 8, IPv6
	case 28:
		return 12, IPv6
	case 29:
		return 9, IPv6
	case 30:
		return 13, IPv6
	case 62:
		return 15, IPv6
	case 63:
		return 18, IPv6
	case 131:
		return 130, IPv6
	case 139:
		return 32, IPv6
	case 150, 152, 154, 156:
		return 156, AnyFamily
	case 151, 153, 155, 157:
		return 157, AnyFamily
	case 281:
		return 225, IPv6
	case 282:
		return 226, IPv6
	case 322, 323, 324, 325:
		return 325, AnyFamily
	case TunnelSrcIPv6:
		return TunnelSrcIPv4, IPv6
	case TunnelDstIPv6:
		return TunnelDstIPv4, IPv6
	}
	return id, AnyFamily
}

// Members lists the elements whose values are in column col: of a pair the
// IPv4 member first, of a group of times the nanoseconds. A column without a
// group has itself, and an element that is not the name of its column nothing.
func Members(col ID) []ID {
	if col>>16 == ReversePEN {
		forward := Members(col & 0xffff)
		if forward == nil {
			return nil
		}
		m := make([]ID, len(forward))
		for i, id := range forward {
			m[i] = reverse | id
		}
		return m
	}
	for i := range groups {
		if groups[i].col == col {
			return groups[i].members
		}
	}
	if c, _ := Column(col); c != col {
		return nil
	}
	return []ID{col}
}

// IsPair reports whether column col holds values of two address families.
func IsPair(col ID) bool {
	if col>>16 == ReversePEN {
		col &= 0xffff
	}
	_, fam := forwardColumn(col)
	return fam == IPv4
}
