package filter

import (
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

type op uint8

const (
	opAny op = iota
	opAnd
	opOr
	opNot
	opTest
)

// node is one step of a filter.
type node struct {
	op   op
	kids []*node
	test *test
	cost int
	id   int // position in the evaluator's state
}

// form is what a test looks at.
type form uint8

const (
	onInts  form = iota // (value >> shift & mask) in set
	onAddrs             // in ips
	onBytes             // match(value)
	onPresence
)

// test is one predicate on one field.
type test struct {
	form   form
	field  *ie.Field
	slot   int // of the field in Filter.fields
	absent bool

	shift uint8
	mask  uint64
	set   spans

	ips addrs

	match    func([]byte) bool
	prefixes []column.Bound // of the only values that match, nil if there is no such list
	slow     bool           // match is expensive

	word token // what was written, for messages
	lex  *lexer
}

const allBits = ^uint64(0)

func leaf(t *test) *node { return &node{op: opTest, test: t} }

func not(n *node) *node {
	if n.op == opNot {
		return n.kids[0]
	}
	return &node{op: opNot, kids: []*node{n}}
}

// join is the conjunction or disjunction of nodes, without needless levels.
func join(o op, kids ...*node) *node {
	if len(kids) == 1 {
		return kids[0]
	}
	n := &node{op: o}
	for _, k := range kids {
		if k.op == o {
			n.kids = append(n.kids, k.kids...)
		} else {
			n.kids = append(n.kids, k)
		}
	}
	return n
}

// merge joins tests of one field under the same parent into one test, so that a column is
// walked once: "port 80 or port 443" looks for both at once.
func (n *node) merge() {
	for _, k := range n.kids {
		k.merge()
	}
	if n.op != opAnd && n.op != opOr {
		return
	}
	var out []*node
	var grown []*test
next:
	for _, k := range n.kids {
		for _, o := range out {
			if k.op == opTest && o.op == opTest && o.test.absorb(k.test, n.op) {
				grown = append(grown, o.test)
				continue next
			}
		}
		if k.op == opTest {
			own := *k.test // other parents may hold the test, and other tests its set
			own.set, own.ips = slices.Clip(own.set), addrs{slices.Clip(own.ips.v4), slices.Clip(own.ips.v6)}
			k = leaf(&own)
		}
		out = append(out, k)
	}
	for i, t := range grown {
		if i == 0 || grown[i-1] != t {
			t.set = normal(t.set)
			t.ips.normal()
		}
	}
	if len(out) == 1 {
		*n = *out[0]
		return
	}
	n.kids = out
}

// absorb makes t the disjunction or conjunction of t and o, if one test can be that. Sets are
// left to be brought into order.
func (t *test) absorb(o *test, how op) bool {
	if t.field != o.field || t.form != o.form || t.shift != o.shift || t.mask != o.mask {
		return false
	}
	switch {
	case t.form == onInts && how == opOr:
		t.set = append(t.set, o.set...)
		t.absent = t.absent || o.absent
	case t.form == onInts && how == opAnd:
		t.set = both(t.set, o.set)
		t.absent = t.absent && o.absent
	case t.form == onAddrs && how == opOr:
		t.ips.v4 = append(t.ips.v4, o.ips.v4...)
		t.ips.v6 = append(t.ips.v6, o.ips.v6...)
	default:
		return false
	}
	return true
}

// order puts what is cheap to decide first.
func (n *node) order() {
	n.cost = 0
	for _, k := range n.kids {
		k.order()
		n.cost += k.cost
	}
	switch n.op {
	case opAnd, opOr:
		slices.SortStableFunc(n.kids, func(a, b *node) int { return a.cost - b.cost })
	case opTest:
		n.cost = n.test.price()
	}
}

// price ranks fields as the columns lie in a frame; decoding is most of the work.
func (t *test) price() int {
	if t.form == onPresence {
		return 0
	}
	if t.slow {
		return 60
	}
	if t.field.Derived {
		return 40
	}
	switch t.field.Kind {
	case ie.Protocol:
		return 1
	case ie.Port, ie.ICMPType, ie.ICMPCode, ie.TCPFlags, ie.TOS, ie.Direction:
		return 2
	case ie.Address:
		return 6
	case ie.Counter:
		return 10
	case ie.TimeLocal, ie.TimeUTC, ie.TimeRaw, ie.TimeMillis:
		return 12
	}
	if t.form == onBytes {
		return 20
	}
	return 4
}

// walk visits all tests.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, k := range n.kids {
		k.walk(visit)
	}
}
