package aggregate

import (
	"fmt"
	"strings"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Metric is what an order compares.
type Metric uint8

const (
	None Metric = iota // groups: by start; records: as they came
	Flows
	Packets
	Bytes
	PPS
	BPS
	BPP
	First
	Last
	Duration
	metrics
)

var metricNames = [metrics]string{"none", "flows", "packets", "bytes", "pps", "bps", "bpp", "tstart", "tend", "duration"}

func (m Metric) String() string { return metricNames[min(m, metrics-1)] }

// Side says which counters of two directions a metric counts.
type Side uint8

const (
	Both Side = iota // their sum, as nfdump's plain words have it
	In
	Out
)

// Order is a metric, the side of its counters, and a direction.
type Order struct {
	By        Metric
	Side      Side
	Ascending bool
}

// orderWords are nfdump's; it spells some differently for -s and for -O, here both go.
var orderWords = []struct {
	word string
	by   Metric
	side Side
}{
	{"flows", Flows, Both}, {"fl", Flows, Both},
	{"packets", Packets, Both}, {"ipackets", Packets, In}, {"ipkg", Packets, In}, {"ipkt", Packets, In},
	{"opackets", Packets, Out}, {"opkg", Packets, Out}, {"opkt", Packets, Out}, {"pkt", Packets, Both},
	{"bytes", Bytes, Both}, {"ibytes", Bytes, In}, {"ibyte", Bytes, In}, {"ibyt", Bytes, In},
	{"obytes", Bytes, Out}, {"obyte", Bytes, Out}, {"obyt", Bytes, Out}, {"byt", Bytes, Both},
	{"pps", PPS, Both}, {"ipps", PPS, In}, {"opps", PPS, Out},
	{"bps", BPS, Both}, {"ibps", BPS, In}, {"obps", BPS, Out},
	{"bpp", BPP, Both}, {"ibpp", BPP, In}, {"obpp", BPP, Out},
	{"tstart", First, Both}, {"first", First, Both}, {"tend", Last, Both}, {"last", Last, Both},
	{"duration", Duration, Both}, {"td", Duration, Both},
}

// String is the order as ParseOrder reads it.
func (o Order) String() string {
	s := o.By.String()
	for _, w := range orderWords {
		if w.by == o.By && w.side == o.Side {
			s = w.word
			break
		}
	}
	if o.Ascending != o.By.ascends() {
		if o.Ascending {
			return s + ":a"
		}
		return s + ":d"
	}
	return s
}

// ascends is the direction of a metric when none is given: times ascend.
func (m Metric) ascends() bool { return m == First || m == Last || m == None }

// ParseOrder reads "bytes", "tstart:d": nfdump's -O.
func ParseOrder(s string) (Order, error) {
	name, direction, has := strings.Cut(s, ":")
	var words []string
	for _, w := range orderWords {
		words = append(words, w.word)
		if !strings.EqualFold(w.word, name) {
			continue
		}
		o := Order{w.by, w.side, w.by.ascends()}
		switch {
		case !has:
		case direction == "a":
			o.Ascending = true
		case direction == "d":
			o.Ascending = false
		default:
			return o, fmt.Errorf("order %q: a direction is :a (ascending) or :d (descending)", s)
		}
		return o, nil
	}
	hint := nearest(name, words)
	if hint == "" {
		hint = "; there are flows, packets, bytes, pps, bps, bpp (each also with i or o in front), tstart, tend, duration"
	}
	return Order{}, fmt.Errorf("unknown order %q%s", name, hint)
}

// Fields are the fields that a record needs for the order.
func (o Order) Fields() []*ie.Field {
	var names []string
	switch o.By {
	case Flows:
		names = []string{"flows"}
	case Packets:
		names = []string{"packets", "opackets"}
	case Bytes:
		names = []string{"bytes", "obytes"}
	case PPS:
		names = []string{"packets", "opackets", "first", "last"}
	case BPS:
		names = []string{"bytes", "obytes", "first", "last"}
	case BPP:
		names = []string{"packets", "opackets", "bytes", "obytes"}
	case First, Last, Duration:
		names = []string{"first", "last"}
	}
	out := make([]*ie.Field, len(names))
	for i, n := range names {
		out[i] = named(n)
	}
	return out
}

// Stat is one statistic of nfdump's -s.
type Stat struct {
	Record bool // ranks records grouped by the 5-tuple or another key, not by Key
	Key    Key
	Proto  bool // each protocol counts apart
	Orders []Order
}

// ParseStat reads "element[/prefix][:p][/order[:a|:d]]...", "srcip/bytes/flows:a". Without an
// order it ranks by flows.
func ParseStat(s string) (Stat, error) {
	words := strings.Split(s, "/")
	var st Stat
	at := 1
	if words[0] != "" && words[0][0] >= '0' && words[0][0] <= '9' && len(words) > 1 {
		words[1] = words[0] + "/" + words[1] // enterprise/number
		words = words[1:]
	}
	element, option, has := strings.Cut(words[0], ":")
	if has && option != "p" {
		return st, fmt.Errorf("statistic %q: after the element comes :p (by protocol), not :%s", s, option)
	}
	st.Proto = has
	if len(words) > 1 && words[1] != "" && strings.Trim(words[1], "0123456789") == "" {
		element += "/" + words[1]
		at = 2
	}
	if element == "" {
		return st, fmt.Errorf("statistic %q: an element is missing, as in srcip/bytes", s)
	}
	var err error
	if strings.EqualFold(element, "record") {
		st.Record = true
	} else if st.Key, err = parseKey(element); err != nil {
		return st, err
	} else if _, err = compile(st.Keys(nil)); err != nil {
		return st, err
	}
	for _, w := range words[at:] {
		o, err := ParseOrder(w)
		if err != nil {
			return st, fmt.Errorf("statistic %q: %w", s, err)
		}
		st.Orders = append(st.Orders, o)
	}
	if len(st.Orders) == 0 {
		st.Orders = []Order{{By: Flows}}
	}
	return st, nil
}

// Keys are the keys of the statistic's groups; record is that of -A, nil for the 5-tuple.
func (s Stat) Keys(record []Key) []Key {
	var keys []Key
	switch {
	case !s.Record:
		keys = []Key{s.Key}
	case record != nil:
		keys = append(keys, record...)
	default:
		keys = Tuple()
	}
	if s.Proto {
		proto := named("proto")
		for _, k := range keys {
			if k.Field == proto {
				return keys
			}
		}
		keys = append(keys, whole(proto))
	}
	return keys
}

// counters is what a metric is computed from.
type counters struct {
	packets, bytes, flows, first, last, opackets, obytes uint64
}

// value is the number that o compares, complemented if it descends, so that the smallest
// comes first. A missing start is the largest number and a missing end 0.
func (o Order) value(c *counters) uint64 {
	packets, bytes := c.packets, c.bytes
	switch o.Side {
	case Both:
		packets, bytes = saturated(packets, c.opackets), saturated(bytes, c.obytes)
	case Out:
		packets, bytes = c.opackets, c.obytes
	}
	elapsed := uint64(0)
	if c.last > c.first {
		elapsed = c.last - c.first
	}
	x := uint64(0)
	switch o.By {
	case None, First:
		x = c.first
	case Flows:
		x = c.flows
	case Packets:
		x = packets
	case Bytes:
		x = bytes
	case PPS:
		x = flow.PerSecond(packets, 1, elapsed)
	case BPS:
		x = flow.PerSecond(bytes, 8, elapsed)
	case BPP:
		if packets > 0 {
			x = bytes / packets
		}
	case Last:
		x = c.last
	case Duration:
		x = elapsed
	}
	if !o.Ascending && o.By != None {
		return ^x
	}
	return x
}
