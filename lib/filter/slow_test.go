package filter

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// The oracle: random filters are written together with a function that decides one record the
// slow way. It shares neither parser nor columns with the filter.

type record map[ie.ID]any // uint64, netip.Addr or []byte, by the element that was sent

// first is the value of the first element that the record has, nil if it has none.
func (r record) first(ids ...ie.ID) any {
	for _, id := range ids {
		if v, ok := r[id]; ok {
			return v
		}
	}
	return nil
}

func (r record) number(ids ...ie.ID) (uint64, bool) {
	x, ok := r.first(ids...).(uint64)
	return x, ok
}

// scaled is a counter times the sampling rate.
func (r record) scaled(ids ...ie.ID) (uint64, bool) {
	x, ok := r.number(ids...)
	i, ok1 := r.number(ie.SamplingInterval)
	s, ok2 := r.number(ie.SamplingSpace)
	if !ok || !ok1 || !ok2 || i == 0 {
		return x, ok
	}
	n := new(big.Int).SetUint64(x)
	n.Mul(n, new(big.Int).SetUint64(s))
	n.Div(n, new(big.Int).SetUint64(i))
	n.Add(n, new(big.Int).SetUint64(x))
	if !n.IsUint64() {
		return 1<<64 - 1, true
	}
	return n.Uint64(), true
}

// millis is the duration.
func (r record) millis() (uint64, bool) {
	a, ok1 := r.number(156, 154, 152, 150)
	b, ok2 := r.number(157, 155, 153, 151)
	if !ok1 || !ok2 {
		return 0, false
	}
	return (max(a, b) - a) / 1e6, true
}

// shapes that the batches mix. Elements of one field differ from shape to shape.
var shapes = [][]ie.ID{
	{4, 7, 11, 6, 8, 12, 1, 2, 85, 152, 153, 16, 17, 9, 13, 10, 14, 5, 58, 243, 56, 80, 3},
	{4, 7, 11, 6, 27, 28, 1, 2, 152, 153, 29, 30, 139, 16, 17, 15, 371},
	{4, 182, 183, 8, 12, 85, 86, 32, 150, 151, 243, 55, 61, 18},
	{4, 176, 177, 8, 28, 231, 298, 156, 157, 130, 62, 128, 129, 371},
	{4, 7, 11, 8, 12, 1, 2, 23, 24, 154, 155, ie.SamplingInterval, ie.SamplingSpace},
	{27, 12, 3, 192, 70, 60},
	{4, 27, 8, 12, 28, 9, 29, 32, 139, 1, 2}, // both members of pairs
}

// world draws values; small ones repeat values so that comparisons hit and dictionaries form.
type world struct {
	*rand.Rand
	small bool
}

func (w *world) pick(x ...uint64) uint64 { return x[w.IntN(len(x))] }

func (w *world) v4() netip.Addr {
	if w.small {
		return netip.AddrFrom4([4]byte{10, 0, byte(w.IntN(2)), byte(w.IntN(4))})
	}
	return netip.AddrFrom4([4]byte{byte(w.pick(10, 10, 172, 192, 0, 255)), byte(w.IntN(3)), byte(w.IntN(256)), byte(w.IntN(256))})
}

func (w *world) v6() netip.Addr {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(w.IntN(4))}
	if !w.small {
		a[7], a[8], a[14] = byte(w.IntN(3)), byte(w.IntN(256)), byte(w.IntN(256))
	}
	if w.IntN(8) == 0 { // looks like IPv4, and is not
		b := w.v4().As4()
		return netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: b[0], 13: b[1], 14: b[2], 15: b[3]})
	}
	return netip.AddrFrom16(a)
}

const dayStart = 1_795_392_000 // 2026-11-23T00:00:00Z

func (w *world) value(id ie.ID) any {
	switch id {
	case 4:
		return w.pick(1, 6, 6, 6, 17, 17, 58, 47, 132)
	case 7, 11, 182, 183:
		if w.small {
			return w.pick(22, 53, 80, 443, 8080)
		}
		return w.Uint64N(1 << 16)
	case 6:
		return w.pick(2, 0x12, 0x10, 0x18, 0x1b, 4, 0x102, w.Uint64N(512))
	case 8, 12, 15, 18, 130:
		return w.v4()
	case 27, 28, 62:
		return w.v6()
	case 1, 2, 85, 86, 231, 298, 23, 24:
		if w.small {
			return w.pick(0, 1, 40, 1500, 100000)
		}
		return w.Uint64() >> w.IntN(64)
	case 3:
		return w.pick(0, 1, 1, 2, 5)
	case 150, 151:
		return (dayStart + w.Uint64N(100000)) * 1e9
	case 152, 153:
		return (dayStart*1000 + w.Uint64N(1e8)) * 1e6
	case 154, 155, 156, 157:
		return (dayStart*1e6 + w.Uint64N(1e11)) * 1e3
	case 16, 17, 128, 129:
		return w.pick(0, 3320, 64512, 65536, w.Uint64N(1<<32))
	case 9, 13, 29, 30:
		return w.Uint64N(33)
	case 10, 14:
		return w.pick(0, 1, 5, 300, w.Uint64N(1<<32))
	case 32, 139:
		return w.pick(0, 0x800, 0x0303, 0x8000, 0x0b01)
	case 176, 177:
		return w.pick(0, 3, 8, 11)
	case 5, 55, 60, 61, 192:
		return w.pick(0, 1, 4, 6, 64, 255)
	case 58, 243:
		return w.pick(0, 1, 100, 4095)
	case 56, 80:
		return w.pick(0, 0x0200_0000_0001, 0x0200_0000_0002)
	case ie.SamplingInterval:
		return w.pick(0, 1, 1, 3)
	case ie.SamplingSpace:
		return w.pick(0, 9, 999)
	case 371:
		return []byte([]string{"", "alice", "bob", "in", "a much longer name than sixteen"}[w.IntN(5)])
	case 70:
		x := w.pick(0x000641, 0x0001f5, 0xffffff)
		return []byte{byte(x >> 16), byte(x >> 8), byte(x)}
	}
	panic(id)
}

// batch makes n random records and their batch, its columns encoded or not.
func (w *world) batch(n int) ([]record, *flow.Batch) {
	kinds := 1 + w.IntN(len(shapes))
	if w.IntN(3) == 0 {
		kinds = 1
	}
	use := w.Perm(len(shapes))[:kinds]
	fixed := map[ie.ID]any{}
	for _, s := range use {
		for _, id := range shapes[s] {
			// Batches with one sampling rate are the rule.
			if w.IntN(4) == 0 || id.PEN() == ie.ProjectPEN && w.IntN(2) == 0 {
				fixed[id] = w.value(id)
			}
		}
	}
	b := flow.NewBuilder()
	var recs []record
	run, s := 0, 0
	for range n {
		if run == 0 {
			run, s = 1+w.IntN(1+w.IntN(200)), use[w.IntN(kinds)]
		}
		run--
		l, _ := b.Layout(flow.ShapeOf(shapes[s]...))
		l.Next()
		r := record{}
		for i, id := range shapes[s] {
			v, ok := fixed[id]
			if !ok {
				v = w.value(id)
			}
			r[id] = v
			switch v := v.(type) {
			case uint64:
				l.Cols[i].PutInt(v)
			case []byte:
				l.Cols[i].PutBytes(v)
			case netip.Addr:
				if v.Is4() {
					l.Cols[i].Put4(uint32(v4Of(v)))
				} else {
					p := v.As16()
					l.Cols[i].Put16(p[:])
				}
			}
		}
		recs = append(recs, r)
	}
	return recs, w.encoded(b.Batch())
}

// encoded encodes some of the columns, and gives some numbers a dictionary.
func (w *world) encoded(b *flow.Batch) *flow.Batch {
	out := &flow.Batch{N: b.N, Shapes: b.Shapes, Codes: b.Codes}
	if v, _ := b.ShapeCodes(); w.IntN(2) == 0 {
		out.Codes = flow.Column{Block: column.Encode(v), Ref: -1}
	}
	for i := range b.Cols {
		v, _ := b.Vec(i)
		c := flow.Column{Key: b.Cols[i].Key, Ref: -1}
		if v.Kind == column.Int && v.Form == column.Plain && w.IntN(2) == 0 {
			v = dictionary(v)
		}
		if w.IntN(3) == 0 {
			c.SetVec(v)
		} else {
			c.Block = column.Encode(v)
		}
		out.Cols = append(out.Cols, c)
	}
	if err := out.Link(); err != nil {
		panic(err)
	}
	return out
}

func dictionary(v *column.Vec) *column.Vec {
	d := &column.Vec{Kind: column.Int, Form: column.Dict, N: v.N}
	d.Ints = make([]uint64, 0, v.N)
	d.Ints = append(d.Ints, normalSingles(v.Ints)...)
	code := map[uint64]uint16{}
	for i, x := range d.Ints {
		code[x] = uint16(i)
	}
	for _, x := range v.Ints {
		d.Codes = append(d.Codes, code[x])
	}
	if len(d.Ints) == 1 {
		d.Form, d.Codes = column.Const, nil
	}
	return d
}

// decide is the oracle's half of a random filter.
type decide func(record) bool

var operatorsOf = []struct {
	words []string
	holds func(a, b uint64) bool
}{
	{[]string{"", "=", "==", "eq", "EQ"}, func(a, b uint64) bool { return a == b }},
	{[]string{">", "gt"}, func(a, b uint64) bool { return a > b }},
	{[]string{"<", "lt"}, func(a, b uint64) bool { return a < b }},
	{[]string{">=", "ge", "Ge"}, func(a, b uint64) bool { return a >= b }},
	{[]string{"<=", "le"}, func(a, b uint64) bool { return a <= b }},
}

// numbers writes a comparison of numbers; get lists the values of which any may match.
func (w *world) numbers(words string, draw func() uint64, show func(uint64) string, get func(record) []uint64) (string, decide) {
	any := func(ok func(uint64) bool) decide {
		return func(r record) bool {
			for _, x := range get(r) {
				if ok(x) {
					return true
				}
			}
			return false
		}
	}
	a, b := draw(), draw()
	switch w.IntN(5) {
	case 0:
		a, b = min(a, b), max(a, b)
		to := "-"
		if strings.Contains(show(a), ":") || w.IntN(2) == 0 {
			to = ".."
		}
		return fmt.Sprintf("%s %s%s%s", words, show(a), to, show(b)), any(func(x uint64) bool { return x >= a && x <= b })
	case 1:
		list := make([]uint64, 1+w.IntN(12))
		var text []string
		for i := range list {
			list[i] = draw()
			text = append(text, show(list[i]))
		}
		sep := []string{" ", ", ", ",", "\n"}[w.IntN(4)]
		return fmt.Sprintf("%s in [%s]", words, strings.Join(text, sep)), any(func(x uint64) bool {
			for _, y := range list {
				if x == y {
					return true
				}
			}
			return false
		})
	case 2:
		d := any(func(x uint64) bool { return x == a })
		return fmt.Sprintf("%s %s %s", words, []string{"!=", "ne"}[w.IntN(2)], show(a)), func(r record) bool { return !d(r) }
	}
	o := operatorsOf[w.IntN(len(operatorsOf))]
	return fmt.Sprintf("%s %s %s", words, o.words[w.IntN(len(o.words))], show(a)), any(func(x uint64) bool { return o.holds(x, a) })
}

func decimal(x uint64) string { return fmt.Sprint(x) }

// mixed shows numbers as decimal, hexadecimal or with a suffix.
func (w *world) mixed(x uint64) string {
	switch {
	case w.IntN(4) == 0:
		return fmt.Sprintf("%#x", x)
	case x%100 == 0 && x > 0 && x < 1e15 && w.IntN(2) == 0:
		return fmt.Sprintf("%d.%dk", x/1000, x%1000/100)
	}
	return decimal(x)
}

// values joins what several fields have.
func values(fields ...[]ie.ID) func(record) []uint64 {
	return func(r record) []uint64 {
		var out []uint64
		for _, ids := range fields {
			if x, ok := r.number(ids...); ok {
				out = append(out, x)
			}
		}
		return out
	}
}

func counters(ids ...ie.ID) func(record) []uint64 {
	return func(r record) []uint64 {
		if x, ok := r.scaled(ids...); ok {
			return []uint64{x}
		}
		return nil
	}
}

var (
	srcPorts = []ie.ID{7, 180, 182}
	dstPorts = []ie.ID{11, 181, 183}
	srcIPs   = []ie.ID{8, 27}
	dstIPs   = []ie.ID{12, 28}
	octets   = []ie.ID{1, 85, 231, 352, 353}
	pkts     = []ie.ID{2, 86, 298}
)

func (w *world) term() (string, decide) {
	from := func(id ie.ID) func() uint64 { return func() uint64 { return w.value(id).(uint64) } }
	switch w.IntN(26) {
	case 0:
		return w.numbers("src port", from(7), w.mixed, values(srcPorts))
	case 1:
		return w.numbers("DST Port", from(7), w.mixed, values(dstPorts))
	case 2:
		return w.numbers("port", from(7), decimal, values(srcPorts, dstPorts))
	case 3:
		s := []struct {
			text string
			n    uint64
		}{{"tcp", 6}, {"UDP", 17}, {"proto TCP", 6}, {"proto 0x11", 17}, {"icmp6", 58}, {"gre", 47}, {"proto sctp", 132}, {"protocolIdentifier 1", 1}}[w.IntN(8)]
		return s.text, func(r record) bool { x, ok := r.number(4); return ok && x == s.n }
	case 4:
		return w.numbers("bytes", from(1), w.mixed, counters(octets...))
	case 5:
		return w.numbers("in packets", from(1), decimal, counters(pkts...))
	case 6:
		return w.numbers("out bytes", from(1), decimal, counters(23))
	case 7:
		return w.numbers("flows", from(3), decimal, func(r record) []uint64 {
			if x, ok := r.number(3); ok {
				return []uint64{x}
			}
			return []uint64{1}
		})
	case 8:
		return w.numbers("duration", func() uint64 { return w.Uint64N(1e8) }, decimal, func(r record) []uint64 {
			if x, ok := r.millis(); ok {
				return []uint64{x}
			}
			return nil
		})
	case 9:
		return w.rate()
	case 10:
		return w.flags()
	case 11:
		return w.numbers("src as", from(16), decimal, values([]ie.ID{16}))
	case 12:
		return w.numbers("as", from(16), w.mixed, values([]ie.ID{16}, []ie.ID{17}))
	case 13:
		return w.numbers("prev as", from(16), decimal, values([]ie.ID{129}))
	case 14:
		return w.numbers("mask", from(9), decimal, values([]ie.ID{9}, []ie.ID{29}, []ie.ID{13}, []ie.ID{30}))
	case 15:
		return w.numbers("sourceIPv6PrefixLength", from(9), decimal, values([]ie.ID{29}))
	case 16:
		return w.numbers("in if", from(10), decimal, values([]ie.ID{10}))
	case 17:
		return w.numbers("tos", from(5), decimal, values([]ie.ID{5}, []ie.ID{55}))
	case 18:
		return w.numbers("vlan", from(58), decimal, values([]ie.ID{58, 243}))
	case 19:
		return w.icmp()
	case 20:
		return w.moment()
	case 21:
		return w.defined()
	case 22:
		return w.text()
	case 23:
		return w.numbers("mac", from(56), func(x uint64) string {
			return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", x>>40, x>>32&255, x>>24&255, x>>16&255, x>>8&255, x&255)
		}, values([]ie.ID{56}, []ie.ID{80}))
	}
	return w.address()
}

func (w *world) rate() (string, decide) {
	names := []string{"pps", "bps", "bpp"}
	k := w.IntN(3)
	return w.numbers(names[k], func() uint64 { return w.Uint64() >> w.IntN(64) }, decimal, func(r record) []uint64 {
		p, ok1 := r.scaled(pkts...)
		b, ok2 := r.scaled(octets...)
		ms, ok3 := r.millis()
		var over, by *big.Int
		switch {
		case k == 2 && ok1 && ok2:
			over, by = new(big.Int).SetUint64(b), new(big.Int).SetUint64(p)
		case k == 0 && ok1 && ok3:
			over, by = new(big.Int).SetUint64(p), new(big.Int).SetUint64(ms)
			over.Mul(over, big.NewInt(1000))
		case k == 1 && ok2 && ok3:
			over, by = new(big.Int).SetUint64(b), new(big.Int).SetUint64(ms)
			over.Mul(over, big.NewInt(8000))
		default:
			return nil
		}
		if by.Sign() == 0 {
			return []uint64{0}
		}
		over.Div(over, by)
		if !over.IsUint64() {
			return []uint64{1<<64 - 1}
		}
		return []uint64{over.Uint64()}
	})
}

func (w *world) flags() (string, decide) {
	set := w.Uint64N(256)
	text := ""
	for i := range 8 {
		if set>>i&1 != 0 {
			c := flagLetters[i : i+1]
			if w.IntN(2) == 0 {
				text = strings.ToLower(c) + text
			} else {
				text += c
			}
		}
	}
	if set == 0 || w.IntN(4) == 0 {
		return w.numbers("flags", func() uint64 { return w.value(6).(uint64) }, decimal, values([]ie.ID{6}))
	}
	tcp := func(r record, ok func(uint64) bool) bool {
		p, has := r.number(4)
		x, has2 := r.number(6)
		return has && has2 && p == 6 && ok(x)
	}
	switch w.IntN(3) {
	case 0:
		return "flags =" + text, func(r record) bool { return tcp(r, func(x uint64) bool { return x&255 == set }) }
	case 1:
		return "flags S/" + text + "s", func(r record) bool { return tcp(r, func(x uint64) bool { return x&(set|2) == 2 }) }
	}
	return "flags " + text, func(r record) bool { return tcp(r, func(x uint64) bool { return x&set == set }) }
}

func (w *world) icmp() (string, decide) {
	words, shift, own := "icmp-type", 8, ie.ID(176)
	if w.IntN(2) == 0 {
		words, shift, own = "icmp code", 0, 177
	}
	draw := func() uint64 { return w.pick(0, 1, 3, 8, 11, 128) }
	return w.numbers(words, draw, decimal, func(r record) []uint64 {
		if p, ok := r.number(4); !ok || p != 1 && p != 58 {
			return nil
		}
		if x, ok := r.number(own); ok {
			return []uint64{x}
		}
		var both []uint64
		for _, id := range []ie.ID{32, 139} {
			if x, ok := r.number(id); ok {
				both = append(both, x>>shift&255)
			}
		}
		return both
	})
}

func (w *world) moment() (string, decide) {
	words, ids := "first seen", []ie.ID{156, 154, 152, 150}
	if w.IntN(2) == 0 {
		words, ids = "last seen", []ie.ID{157, 155, 153, 151}
	}
	t := uint64(dayStart*1000 + w.Uint64N(1e8))
	o := operatorsOf[w.IntN(len(operatorsOf))]
	text := fmt.Sprintf("%s %s %s", words, o.words[w.IntN(len(o.words))], time.UnixMilli(int64(t)).UTC().Format("2006-01-02T15:04:05.000"))
	return text, func(r record) bool {
		x, ok := r.number(ids...)
		return ok && o.holds(x/1e6, t)
	}
}

func (w *world) defined() (string, decide) {
	c := []struct {
		name string
		ids  []ie.ID
	}{{"src port", srcPorts}, {"bytes", octets}, {"prev as", []ie.ID{129}}, {"srcip4", []ie.ID{8}}, {"sourceIPv6Address", []ie.ID{27}},
		{"port", append(dstPorts, srcPorts...)}, {"flows", []ie.ID{3}}, {"username", []ie.ID{371}}, {"bgp next ip", []ie.ID{18, 63}},
		{"nextHeaderIPv6", nil}}[w.IntN(10)]
	return "defined " + c.name, func(r record) bool { return r.first(c.ids...) != nil }
}

func (w *world) text() (string, decide) {
	if w.IntN(3) == 0 {
		return w.numbers("mpls label1", func() uint64 { return w.pick(0, 31, 100, 1<<20-1) }, decimal, func(r record) []uint64 {
			if b, ok := r.first(70).([]byte); ok {
				return []uint64{uint64(b[0])<<12 | uint64(b[1])<<4 | uint64(b[2])>>4}
			}
			return nil
		})
	}
	name := w.value(371).([]byte)
	has := func(r record) bool { b, ok := r.first(371).([]byte); return ok && bytes.Equal(b, name) }
	switch w.IntN(3) {
	case 0:
		return fmt.Sprintf("username != %q", name), func(r record) bool { return !has(r) }
	case 1:
		return fmt.Sprintf("userName in ['nobody' %q]", name), has
	}
	return fmt.Sprintf("username '%s'", name), has
}

func (w *world) address() (string, decide) {
	words := []struct {
		name string
		ids  [][]ie.ID
		all  bool
	}{{"ip", [][]ie.ID{srcIPs, dstIPs}, false}, {"src ip", [][]ie.ID{srcIPs}, false}, {"dst host", [][]ie.ID{dstIPs}, false},
		{"src and dst ip", [][]ie.ID{srcIPs, dstIPs}, true}, {"next ip", [][]ie.ID{{15, 62}}, false}, {"srcip6", [][]ie.ID{{27}}, false},
		{"sourceIPv4Address", [][]ie.ID{{8}}, false}, {"bgp next ip", [][]ie.ID{{18, 63}}, false}, {"router ip", [][]ie.ID{{130}}, false}}[w.IntN(9)]
	var set []netip.Prefix
	draw := func() string {
		a := w.v4()
		if w.IntN(2) == 0 {
			a = w.v6()
		}
		if w.IntN(2) == 0 {
			set = append(set, netip.PrefixFrom(a, a.BitLen()))
			return a.String()
		}
		n := w.IntN(a.BitLen() + 1)
		set = append(set, netip.PrefixFrom(a, n))
		return fmt.Sprintf("%s/%d", a, n)
	}
	d := func(r record) bool {
		hits := 0
		for _, ids := range words.ids {
			if slices.ContainsFunc(ids, func(id ie.ID) bool { return r.within(id, set) }) {
				hits++
			}
		}
		return hits == len(words.ids) || hits > 0 && !words.all
	}
	switch w.IntN(4) {
	case 0:
		n := []string{"ipv4", "ipv6"}
		k := w.IntN(2)
		return n[k], func(r record) bool {
			if v, ok := r.number(60); ok && v == uint64(4+2*k) {
				return true
			}
			for _, id := range append(srcIPs, dstIPs...) {
				if a, ok := r[id].(netip.Addr); ok && a.Is4() == (k == 0) {
					return true
				}
			}
			return false
		}
	case 1:
		return words.name + " " + draw(), d
	case 2:
		return words.name + " != " + draw(), func(r record) bool { return !d(r) }
	}
	var list []string
	for range 1 + w.IntN(40) {
		list = append(list, draw())
	}
	return fmt.Sprintf("%s in [ %s ]", words.name, strings.Join(list, []string{" ", ", "}[w.IntN(2)])), d
}

// within tells whether an address of the record is in one of the prefixes.
func (r record) within(id ie.ID, set []netip.Prefix) bool {
	a, ok := r[id].(netip.Addr)
	return ok && slices.ContainsFunc(set, func(p netip.Prefix) bool {
		// netip holds that an IPv4-mapped address is in no prefix at all.
		return a.BitLen() == p.Addr().BitLen() && sameBits(a, p)
	})
}

func sameBits(a netip.Addr, p netip.Prefix) bool {
	x, y := a.AsSlice(), p.Addr().AsSlice()
	for i := range p.Bits() {
		if (x[i/8]^y[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}

// filter writes a random filter.
func (w *world) filter(depth int) (string, decide) {
	if depth == 0 || w.IntN(3) == 0 {
		return w.term()
	}
	a, fa := w.filter(depth - 1)
	if w.IntN(4) == 0 {
		return []string{"not (", "!(", "NOT ("}[w.IntN(3)] + a + ")", func(r record) bool { return !fa(r) }
	}
	b, fb := w.filter(depth - 1)
	if w.IntN(2) == 0 {
		return fmt.Sprintf("(%s) %s (%s)", a, []string{"and", "&&"}[w.IntN(2)], b), func(r record) bool { return fa(r) && fb(r) }
	}
	return fmt.Sprintf("(%s) %s (%s)", a, []string{"or", "||"}[w.IntN(2)], b), func(r record) bool { return fa(r) || fb(r) }
}

func normalSingles(v []uint64) []uint64 {
	seen := map[uint64]bool{}
	var set spans
	for _, x := range v {
		if !seen[x] {
			seen[x] = true
			set = append(set, span{x, x})
		}
	}
	var out []uint64
	for _, s := range normal(set) {
		for x := s.lo; ; x++ {
			out = append(out, x)
			if x == s.hi {
				break
			}
		}
	}
	return out
}

// TestRandom compares Eval with the oracle.
func TestRandom(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 60
	}
	counts := map[Match]int{}
	for seed := range rounds {
		w := &world{rand.New(rand.NewPCG(uint64(seed), 7)), seed%2 == 0}
		sizes := []int{1, 2, 63, 64, 65, 127, 128, 500, 1000, 3000}
		recs, b := w.batch(sizes[w.IntN(len(sizes))])
		for range 30 {
			text, want := w.filter(w.IntN(4))
			f, err := Parse(text, Options{Location: time.UTC})
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, text, err)
			}
			b.Sel = nil
			if w.IntN(3) == 0 {
				b.Sel = flow.NewBitmap(b.N)
				for i := range b.N {
					if w.IntN(3) == 0 {
						b.Sel.Set(i)
					}
				}
			}
			dst := flow.NewBitmap(b.N)
			for i := range dst {
				dst[i] = w.Uint64()
			}
			m, err := f.Eval(b, dst)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, text, err)
			}
			counts[m]++
			hits, selected := 0, 0
			for i, r := range recs {
				if b.Sel != nil && !b.Sel.Get(i) {
					if m == Some && dst.Get(i) {
						t.Fatalf("seed %d: %s: record %d matches and is not selected", seed, text, i)
					}
					continue
				}
				selected++
				if want(r) {
					hits++
				}
				if got := m == All || m == Some && dst.Get(i); got != want(r) {
					t.Fatalf("seed %d: %s\nrecord %d of %d: %v\ngot %v (%v)", seed, text, i, b.N, r, got, m)
				}
			}
			if m == Some && (hits == 0 || hits == selected) || m == Some && dst.Count() != hits {
				t.Fatalf("seed %d: %s: %v for %d of %d, %d bits", seed, text, m, hits, selected, dst.Count())
			}
		}
	}
	if counts[None] == 0 || counts[All] == 0 || counts[Some] == 0 {
		t.Errorf("answers %v: the test does not see all of them", counts)
	}
}
