package ie

// Words lists the words for the values of a field from 0 on, nil for most fields: the actions,
// reasons and directions of OpenBSD's packet filter (net/pfvar.h).
func (f *Field) Words() []string {
	switch f.Name {
	case "pfaction":
		return pfActions[:]
	case "pfreason":
		return pfReasons[:]
	case "pfdir":
		return pfDirections[:]
	}
	return nil
}

var (
	pfActions = [...]string{"pass", "block", "scrub", "noscrub", "nat", "nonat", "binat", "nobinat", "rdr", "nordr",
		"synproxy", "defer", "match", "divert", "rt", "afrt"}
	pfReasons = [...]string{"match", "bad-offset", "fragment", "short", "normalize", "memory", "bad-timestamp", "congestion",
		"ip-option", "proto-cksum", "state-mismatch", "state-insert", "state-limit", "src-limit", "synproxy"}
	pfDirections = [...]string{"inout", "in", "out"}
)
