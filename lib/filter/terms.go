package filter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nfpipe/lib/ie"
)

// term is one entry of the language: the words that begin it, and what they mean. Without
// parse, a comparison with the value of the fields follows.
type term struct {
	words  string // alternatives are separated by "|"
	fields string // names that ie knows, separated by blanks; any of them may match
	parse  func(p *parser, s *subject) (*node, error)
}

// maxWords is the number of words of the longest entry.
const maxWords = 3

// terms returns the language. It is a function so that nothing is built at start-up.
// Words that ie.FieldByName knows need no entry unless they mean more here.
func terms() []term {
	return []term{
		{words: "any", parse: (*parser).anything},
		{words: "ipv4|inet", parse: (*parser).ipv4},
		{words: "ipv6|inet6", parse: (*parser).ipv6},
		{words: "defined|present", parse: (*parser).defined},

		// Addresses.
		{words: "ip|host|addr", fields: "ip"},
		{words: "src ip|src host|src addr", fields: "srcip"},
		{words: "dst ip|dst host|dst addr", fields: "dstip"},
		{words: "net", fields: "ip", parse: (*parser).net},
		{words: "src net", fields: "srcip", parse: (*parser).net},
		{words: "dst net", fields: "dstip", parse: (*parser).net},
		{words: "next ip|next hop|nexthop ip|next host", fields: "next"},
		{words: "next net", fields: "next", parse: (*parser).net},
		{words: "bgp next ip|bgpnext ip|bgp next|bgp nexthop|bgp next hop", fields: "bgpnext"},
		{words: "bgp next net", fields: "bgpnext", parse: (*parser).net},
		{words: "router ip|exporter ip|router host|exporter host", fields: "router"},
		{words: "router net|exporter net", fields: "router", parse: (*parser).net},
		{words: "nat ip|xlate ip|nat host|xlate host|nip", fields: "natip"},
		{words: "src nat ip|src xlate ip|nat src ip|xlate src ip|src nat host|src xlate host|src xip|src nip", fields: "natsrcip"},
		{words: "dst nat ip|dst xlate ip|nat dst ip|xlate dst ip|dst nat host|dst xlate host|dst xip|dst nip", fields: "natdstip"},
		{words: "nat net|xlate net|xnet", fields: "natip", parse: (*parser).net},
		{words: "src nat net|nat src net|src xlate net|src xnet", fields: "natsrcip", parse: (*parser).net},
		{words: "dst nat net|nat dst net|dst xlate net|dst xnet", fields: "natdstip", parse: (*parser).net},
		{words: "tun ip|tun host", fields: "tunip"},
		{words: "src tun ip|tun src ip|src tun host", fields: "tunsrcip"},
		{words: "dst tun ip|tun dst ip|dst tun host", fields: "tundstip"},
		{words: "tun net", fields: "tunip", parse: (*parser).net},
		{words: "src tun net", fields: "tunsrcip", parse: (*parser).net},
		{words: "dst tun net", fields: "tundstip", parse: (*parser).net},

		// Transport.
		{words: "proto|protocol", fields: "proto"},
		{words: "tun proto", fields: "tunproto"},
		{words: "port", fields: "port"},
		{words: "src port", fields: "srcport"},
		{words: "dst port", fields: "dstport"},
		{words: "nat port|xlate port|nport", fields: "natport"},
		{words: "src nat port|nat src port|src xlate port|src xport|src nport", fields: "natsrcport"},
		{words: "dst nat port|nat dst port|dst xlate port|dst xport|dst nport", fields: "natdstport"},
		{words: "flags|tcp flags|tcpflags", fields: "flags"},
		{words: "icmp type|icmp-type|icmptype", fields: "icmptype"},
		{words: "icmp code|icmp-code|icmpcode", fields: "icmpcode"},
		{words: "src tos", fields: "srctos"},
		{words: "dst tos", fields: "dsttos"},
		{words: "min ttl", fields: "minttl"},
		{words: "max ttl", fields: "maxttl"},

		// Counters and times.
		{words: "in packets|in pkts", fields: "ipackets"},
		{words: "out packets|out pkts", fields: "opackets"},
		{words: "in bytes", fields: "ibytes"},
		{words: "out bytes", fields: "obytes"},
		{words: "in pps", fields: "pps"},
		{words: "in bps", fields: "bps"},
		{words: "in bpp", fields: "bpp"},
		{words: "out pps", fields: "opps"},
		{words: "out bps", fields: "obps"},
		{words: "out bpp", fields: "obpp"},
		{words: "first seen", fields: "first"},
		{words: "last seen", fields: "last"},
		{words: "received seen", fields: "received"},
		{words: "client latency", fields: "clientlatency"},
		{words: "server latency", fields: "serverlatency"},
		{words: "app latency|application latency", fields: "applatency"},
		{words: "latency", fields: "clientlatency serverlatency applatency"},

		// Routing and the link layer.
		{words: "if|interface", fields: "if"},
		{words: "in if|input if|in interface", fields: "inif"},
		{words: "out if|output if|out interface", fields: "outif"},
		{words: "src as", fields: "srcas"},
		{words: "dst as", fields: "dstas"},
		{words: "prev as|previous as", fields: "prevas"},
		{words: "next as", fields: "nextas"},
		{words: "src mask", fields: "srcmask"},
		{words: "dst mask", fields: "dstmask"},
		{words: "src vlan", fields: "srcvlan"},
		{words: "dst vlan", fields: "dstvlan"},
		{words: "src mac", fields: "srcmac"},
		{words: "dst mac", fields: "dstmac"},
		{words: "in mac", fields: "inmac"},
		{words: "out mac", fields: "outmac"},
		{words: "in src mac", fields: "insrcmac"},
		{words: "in dst mac", fields: "indstmac"},
		{words: "out src mac", fields: "outsrcmac"},
		{words: "out dst mac", fields: "outdstmac"},
		{words: "mpls", fields: "mpls", parse: (*parser).mpls},
		{words: "vrf", fields: "ingressvrf egressvrf"},
		{words: "ingress vrf", fields: "ingressvrf"},
		{words: "egress vrf", fields: "egressvrf"},

		// Events, and where the record comes from.
		{words: "nat event", fields: "natevent"},
		{words: "asa event", fields: "event"},
		{words: "asa xevent|asa denied", fields: "xevent"},
		{words: "asa user", fields: "username"},
		{words: "ingress acl", fields: "ingressacl"},
		{words: "egress acl", fields: "egressacl"},
		{words: "nat pblock start|pblock start", fields: "pbstart"},
		{words: "nat pblock end|pblock end", fields: "pbend"},
		{words: "nat pblock step|pblock step", fields: "pbstep"},
		{words: "nat pblock size|pblock size", fields: "pbsize"},
		{words: "pf rule", fields: "pfrule"},
		{words: "pf dir", fields: "pfdir"},
		{words: "pf action", fields: "pfaction"},
		{words: "pf reason", fields: "pfreason"},
		{words: "pf interface", fields: "pfinterface"},
		{words: "observation domain id|observation domain", fields: "odid"},
		{words: "observation point id|observation point", fields: "opid"},
		{words: "engine type|engine-type", fields: "enginetype"},
		{words: "engine id|engine-id", fields: "engineid"},
		{words: "exporter id|exporter sysid", fields: "exporter"},
		{words: "payload content", fields: "ipayload opayload", parse: (*parser).content},
		{words: "payload regex", fields: "ipayload opayload", parse: (*parser).regex},

		// What nfdump has and this language has not.
		{words: "count|cnt", parse: unsupported},
		{words: "ttl equal", parse: unsupported},
		{words: "geo|src geo|dst geo|nat geo|tun geo|src tun geo|dst tun geo|src nat geo|dst nat geo", parse: unsupported},
		{words: "tz|src tz|dst tz", parse: unsupported},
		{words: "ip tor|src ip tor|dst ip tor", parse: unsupported},
		{words: "payload dns|payload ssl|payload tls|payload ja3|payload ja4|payload ja4s", parse: unsupported},
	}
}

// bareProtocols are the protocols whose name alone is a term.
const bareProtocols = " tcp udp icmp icmp6 icmpv6 ipv6-icmp igmp sctp dccp esp ah gre ipip ospf eigrp pim vrrp rsvp l2tp udplite "

// subject is what a comparison is about.
type subject struct {
	at     token
	fields []*ie.Field // without those that stand for others
	all    bool        // every field must match, not just one
}

// name is the words that were written.
func (s *subject) name(p *parser) string { return p.text[s.at.pos:s.at.end] }

// addField adds a field, or those that it stands for.
func (s *subject) addField(name string) error {
	f, ok := ie.FieldByName(name)
	if !ok {
		return fmt.Errorf("there is no field %q", name)
	}
	if len(f.Either) == 0 {
		s.fields = append(s.fields, f)
	}
	for _, e := range f.Either {
		if err := s.addField(e); err != nil {
			return err
		}
	}
	return nil
}

// phrase finds the longest entry whose words come next, and how many words that is. prefix
// comes before them.
func (p *parser) phrase(prefix string, from int) (*term, int, error) {
	var joined []string
	s := prefix
	for i := range maxWords {
		t, err := p.peek(from + i)
		if err != nil {
			if i == 0 {
				return nil, 0, err
			}
			break
		}
		if t.kind != tokWord {
			break
		}
		if s != "" {
			s += " "
		}
		s += strings.ToLower(t.text)
		joined = append(joined, s)
	}
	list := terms()
	for n := len(joined); n > 0; n-- {
		for i := range list {
			if !strings.Contains(list[i].words, joined[n-1]) {
				continue
			}
			for w := range strings.SplitSeq(list[i].words, "|") {
				if w == joined[n-1] {
					return &list[i], n, nil
				}
			}
		}
	}
	return nil, 0, nil
}

// term = words [ comparison ].
func (p *parser) term() (*node, error) {
	first, err := p.peek(0)
	if err != nil {
		return nil, err
	}
	if first.kind != tokWord {
		e := p.errorf(first, "%s where a term should stand", first)
		if first.kind == tokEnd {
			e.Msg = "the filter ends where a term should follow"
		}
		return nil, e
	}
	if n, err := p.twoWay(first); n != nil || err != nil {
		return n, err
	}
	t, words, err := p.phrase("", 0)
	if err != nil {
		return nil, err
	}
	s := &subject{at: first}
	if t == nil {
		return p.fieldTerm(s)
	}
	last, _ := p.peek(words - 1)
	s.at.end = last.end
	p.drop(words)
	for name := range strings.FieldsSeq(t.fields) {
		if err := s.addField(name); err != nil {
			return nil, p.errorf(s.at, "%v", err)
		}
	}
	if t.parse != nil {
		return t.parse(p, s)
	}
	return p.compare(s)
}

// twoWay reads "src or dst port 80", "src and dst net 10/8".
func (p *parser) twoWay(first token) (*node, error) {
	var t [2]token
	for i := range t {
		var err error
		if t[i], err = p.peek(i + 1); err != nil {
			return nil, nil // found again, and reported, by whoever needs the token
		}
	}
	if !(first.is("src") && t[1].is("dst") || first.is("dst") && t[1].is("src")) {
		return nil, nil
	}
	all := t[0].is("and") || t[0].is("&&")
	if !all && !t[0].is("or") && !t[0].is("||") {
		return nil, nil
	}
	src, words, err := p.phrase("src", 3)
	if err != nil {
		return nil, err
	}
	dst, words2, _ := p.phrase("dst", 3)
	if src == nil || dst == nil || words != words2 {
		return nil, p.errorf(t[1], `"%s %s %s" must be followed by ip, net, port, as, mask, vlan, mac or tos`, first.text, t[0].text, t[1].text)
	}
	last, _ := p.peek(2 + words)
	s := &subject{at: token{kind: tokWord, pos: first.pos, end: last.end}, all: all}
	p.drop(3 + words)
	for name := range strings.FieldsSeq(src.fields + " " + dst.fields) {
		if err := s.addField(name); err != nil {
			return nil, p.errorf(s.at, "%v", err)
		}
	}
	if src.parse != nil {
		return src.parse(p, s)
	}
	return p.compare(s)
}

// fieldTerm reads a term that begins with the name of a field, or a protocol alone.
func (p *parser) fieldTerm(s *subject) (*node, error) {
	word := s.at.text
	next, err := p.peek(1)
	if err != nil {
		return nil, err
	}
	if strings.Contains(bareProtocols, " "+strings.ToLower(word)+" ") {
		n, _ := ie.ProtoNumber(word)
		p.drop(1)
		if err := s.addField("proto"); err != nil {
			return nil, p.errorf(s.at, "%v", err)
		}
		if next.kind == tokWord && !next.is("and") && !next.is("or") {
			e := p.errorf(next, "unexpected %s", next)
			e.Hint = fmt.Sprintf("write %q", word+" and "+next.text)
			return nil, e
		}
		return p.ints(s, spans{{uint64(n), uint64(n)}}), nil
	}
	if err := s.addField(word); err != nil {
		return nil, p.unknown(s.at, next)
	}
	p.drop(1)
	return p.compare(s)
}

// unknown explains a word that begins no term.
func (p *parser) unknown(t, next token) *Error {
	if t.is("and") || t.is("or") {
		return p.errorf(t, "%s where a term should stand", t)
	}
	word := strings.ToLower(t.text)
	var follow []string
	list := terms()
	for i := range list {
		for w := range strings.SplitSeq(list[i].words, "|") {
			if rest, ok := strings.CutPrefix(w, word+" "); ok && list[i].fields != "" {
				follow = append(follow, rest)
			}
		}
	}
	if len(follow) > 0 {
		return p.incomplete(t, next, follow)
	}
	e := p.errorf(t, "unknown word %s", t)
	if s := nearest(word, vocabulary()); s != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", s)
	} else if noun := nounFor(t.text); noun != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", noun+" "+t.text)
	}
	return e
}

// incomplete explains a word that needs another one behind it.
func (p *parser) incomplete(t, next token, follow []string) *Error {
	if next.kind == tokWord {
		if s := nearest(strings.ToLower(next.text), follow); s != "" {
			e := p.errorf(next, "unknown word %s behind %s", next, t)
			e.Hint = fmt.Sprintf("did you mean %q?", t.text+" "+s)
			return e
		}
	}
	e := p.errorf(t, "%s needs another word behind it", t)
	if noun := nounFor(next.text); noun != "" && slices.Contains(follow, noun) {
		e.Hint = fmt.Sprintf("did you mean %q?", t.text+" "+noun+" "+next.text)
	} else {
		e.Hint = "such as " + strings.Join(follow[:min(5, len(follow))], ", ")
	}
	return e
}

// nounFor is the word that is missing before a value, "" if it looks like none.
func nounFor(value string) string {
	if _, err := strconv.ParseUint(value, 10, 16); err == nil {
		return "port"
	}
	if _, _, full, err := parsePrefix(value); err == nil && full {
		return "ip"
	} else if err == nil {
		return "net"
	}
	return ""
}

func unsupported(p *parser, s *subject) (*node, error) {
	return nil, p.errorf(s.at, "%q is not supported yet", s.name(p))
}

func (p *parser) anything(s *subject) (*node, error) { return &node{op: opAny}, nil }

func (p *parser) ipv4(s *subject) (*node, error) { return p.family(s, addrs{v4: every4}, 4) }
func (p *parser) ipv6(s *subject) (*node, error) { return p.family(s, addrs{v6: every6}, 6) }

// family matches records that have an address of a family, or say that they are of it.
func (p *parser) family(s *subject, ips addrs, version uint64) (*node, error) {
	for _, name := range [...]string{"srcip", "dstip", "ipversion"} {
		if err := s.addField(name); err != nil {
			return nil, p.errorf(s.at, "%v", err)
		}
	}
	var kids []*node
	for _, f := range s.fields {
		t := &test{form: onAddrs, field: f, ips: ips, word: s.at, lex: p.lexer}
		if f.Kind != ie.Address {
			t = &test{form: onInts, field: f, mask: allBits, set: spans{{version, version}}, word: s.at, lex: p.lexer}
		}
		kids = append(kids, leaf(t))
	}
	return join(opOr, kids...), nil
}

// defined reads "defined FIELD".
func (p *parser) defined(s *subject) (*node, error) {
	first, err := p.peek(0)
	if err != nil {
		return nil, err
	}
	if first.kind != tokWord {
		return nil, p.errorf(first, "%s where the name of a field should stand", first)
	}
	of := &subject{at: first}
	t, words, err := p.phrase("", 0)
	if err != nil {
		return nil, err
	}
	names := first.text
	if t != nil {
		if names = t.fields; names == "" {
			return nil, p.errorf(first, "%s is no field", first)
		}
		last, _ := p.peek(words - 1)
		of.at.end = last.end
	} else {
		words = 1
	}
	for name := range strings.FieldsSeq(names) {
		if err := of.addField(name); err != nil {
			next, _ := p.peek(1)
			return nil, p.unknown(first, next)
		}
	}
	p.drop(words)
	for _, f := range of.fields {
		if err := p.usable(of, f); err != nil {
			return nil, err
		}
	}
	return p.each(of, func(f *ie.Field) *test { return &test{form: onPresence} }), nil
}

// usable refuses fields that are no single value of a record.
func (p *parser) usable(s *subject, f *ie.Field) error {
	if f.Derived && f.Kind != ie.Rate && f.Kind != ie.Duration && f.Kind != ie.DurationRaw {
		e := p.errorf(s.at, "%q is not supported yet", s.name(p))
		if len(f.From) > 1 {
			e.Hint = "test " + strings.Join(f.From[:2], " and ") + " on their own"
		}
		return e
	}
	return nil
}

// each makes a test of every field of s.
func (p *parser) each(s *subject, make func(*ie.Field) *test) *node {
	var kids []*node
	for _, f := range s.fields {
		t := make(f)
		t.field, t.word, t.lex = f, s.at, p.lexer
		if t.form == onPresence && f.Family != ie.AnyFamily && f.Kind == ie.Address {
			t.form, t.ips = onAddrs, ofFamily(addrs{every4, every6}, f.Family)
		}
		kids = append(kids, leaf(t))
	}
	if s.all {
		return join(opAnd, kids...)
	}
	return join(opOr, kids...)
}

// ofFamily is the addresses of s that the field of one family can have.
func ofFamily(s addrs, f ie.Family) addrs {
	switch f {
	case ie.IPv4:
		s.v6 = nil
	case ie.IPv6:
		s.v4 = nil
	}
	return s
}

// vocabulary is the words that can begin a term.
func vocabulary() []string {
	var out []string
	list := terms()
	for i := range list {
		for w := range strings.SplitSeq(list[i].words, "|") {
			w, _, _ = strings.Cut(w, " ")
			out = append(out, w)
		}
	}
	out = append(out, strings.Fields(bareProtocols)...)
	fields := ie.Fields()
	for i := range fields {
		out = append(out, fields[i].Name)
	}
	return append(out, "and", "or", "not")
}
