package filter

import (
	"fmt"
	"strings"

	"nfpipe/lib/ie"
)

// name is a word for a number.
type name struct {
	name   string
	number uint16
}

var booleans = []name{{"false", 0}, {"true", 1}, {"no", 0}, {"yes", 1}}

// namesOf lists the words for the values of a field, as nfdump's users write them, nil if it has
// none.
func namesOf(f *ie.Field) []name {
	switch f.Kind {
	case ie.Direction:
		return []name{{"ingress", 0}, {"egress", 1}, {"in", 0}, {"out", 1}, {"i", 0}, {"e", 1}}
	case ie.FwdStatus: // RFC 7270 section 4.12
		return []name{{"forw", 64}, {"ukwn", 0}, {"frag", 65}, {"notfrag", 66}, {"drop", 128}, {"dacld", 129}, {"daclp", 130},
			{"noroute", 131}, {"dadj", 132}, {"dfrag", 133}, {"dbadh", 134}, {"dbadtlen", 135}, {"dbadhlen", 136},
			{"dbadttl", 137}, {"dpolicy", 138}, {"dwred", 139}, {"drpf", 140}, {"dforus", 141}, {"dbadof", 142},
			{"dhw", 143}, {"term", 192}, {"tadj", 193}, {"tincadj", 194}, {"tforus", 195}}
	case ie.FirewallEvent: // IANA, firewallEvent
		return []name{{"create", 1}, {"ignore", 0}, {"delete", 2}, {"denied", 3}, {"alert", 4}, {"update", 5}, {"term", 2}, {"deny", 3}}
	case ie.NATEvent: // IANA, natEvent
		return []name{{"add", 1}, {"invalid", 0}, {"delete", 2}, {"exhaust", 3}, {"add44", 4}, {"del44", 5}, {"add64", 6},
			{"del64", 7}, {"add44bib", 8}, {"del44bib", 9}, {"add64bib", 10}, {"del64bib", 11}, {"pexhaust", 12},
			{"quotaexh", 13}, {"addaddr", 14}, {"deladdr", 15}, {"addpblk", 16}, {"delpblk", 17}, {"threshld", 18}}
	case ie.EndReason: // IANA, flowEndReason
		return []name{{"idle", 1}, {"active", 2}, {"end", 3}, {"forced", 4}, {"lack", 5}}
	}
	if f.Name == "xevent" { // Cisco's reasons to deny a flow
		return []name{{"ingress", 1001}, {"egress", 1002}, {"interface", 1003}, {"nosyn", 1004}, {"access", 1003},
			{"i-acl", 1001}, {"e-acl", 1002}, {"deny", 1003}}
	}
	var names []name
	for x, word := range f.Words() {
		names = append(names, name{word, uint16(x)})
	}
	return names
}

// named reads one of the names, by the whole name in any case, or a number.
func named(s string, names []name, max uint64) (value, error) {
	for _, n := range names {
		if strings.EqualFold(n.name, s) {
			return exactly(uint64(n.number)), nil
		}
	}
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		return number(s, max)
	}
	var words []string
	for _, n := range names {
		words = append(words, n.name)
	}
	return value{}, fmt.Errorf("%q is none of %s", s, strings.Join(words, " "))
}
