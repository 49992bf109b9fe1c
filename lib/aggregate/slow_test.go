package aggregate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// slowGroup is a group as the oracle has it: a map from printed keys.
type slowGroup struct {
	counters
	flags uint64
	tos   int64
}

// show prints the value of row i, "-" if it is absent, cut as the key says.
func show(t *testing.T, b *flow.Batch, k Key, i int) string {
	t.Helper()
	f := k.Field
	if f.Kind == ie.Network {
		a, m := viewOf(t, b, named(f.From[0])), viewOf(t, b, named(f.From[1]))
		if !a.Has(i) || !m.Has(i) {
			return "-"
		}
		addr := a.Vec.AddrEntry(a.Vec.Entry(i))
		p, err := addr.Prefix(int(min(m.Vec.Int(i), uint64(addr.BitLen()))))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s/%d", p.Addr(), m.Vec.Int(i))
	}
	v := viewOf(t, b, f)
	if !v.Has(i) {
		return "-"
	}
	e := v.Vec.Entry(i)
	switch v.Vec.Kind {
	case column.Int:
		return fmt.Sprint(v.Vec.Ints[e])
	case column.Bytes:
		return fmt.Sprintf("%q", v.Vec.BytesEntry(e))
	}
	a := v.Vec.AddrEntry(e)
	n := k.Prefix4
	if a.Is6() {
		n = k.Prefix6
	}
	if n >= 0 {
		p, err := a.Prefix(n)
		if err != nil {
			t.Fatal(err)
		}
		a = p.Addr()
	}
	return a.String()
}

type viewKey struct {
	b *flow.Batch
	f string
}

// views remembers what viewOf laid out.
var views = map[viewKey]flow.View{}

func viewOf(t *testing.T, b *flow.Batch, f *ie.Field) flow.View {
	t.Helper()
	k := viewKey{b, f.Name}
	v, ok := views[k]
	if !ok {
		var err error
		if v, err = b.Scaled(f); err != nil {
			t.Fatalf("field %s: %v", f.Name, err)
		}
		views[k] = v
	}
	return v
}

// slow groups batches one record at a time.
func slow(t *testing.T, keys []Key, batches []*flow.Batch) map[string]*slowGroup {
	t.Helper()
	out := map[string]*slowGroup{}
	for _, b := range batches {
		number := func(name string, i int, missing uint64) uint64 {
			if v := viewOf(t, b, named(name)); v.Has(i) {
				return v.Vec.Int(i)
			}
			return missing
		}
		for i := range b.N {
			if b.Sel != nil && !b.Sel.Get(i) {
				continue
			}
			for _, key := range slowKeys(t, b, keys, i) {
				g := out[key]
				if g == nil {
					g = &slowGroup{tos: -1}
					g.first = math.MaxUint64
					out[key] = g
				}
				first := number("first", i, math.MaxUint64)
				g.packets += number("packets", i, 0)
				g.bytes += number("bytes", i, 0)
				g.flows += number("flows", i, 1)
				g.opackets += number("opackets", i, 0)
				g.obytes += number("obytes", i, 0)
				g.flags |= number("flags", i, 0)
				tos := int64(-1)
				if v := viewOf(t, b, named("srctos")); v.Has(i) {
					tos = int64(v.Vec.Int(i))
				}
				if first < g.first || first == g.first && tos >= 0 && (g.tos < 0 || tos < g.tos) {
					g.tos = tos
				}
				g.first = min(g.first, first)
				g.last = max(g.last, number("last", i, 0))
			}
		}
	}
	return out
}

// slowKeys are the keys under which record i counts.
func slowKeys(t *testing.T, b *flow.Batch, keys []Key, i int) []string {
	t.Helper()
	out := []string{""}
	for _, k := range keys {
		var values []string
		if len(k.Field.Either) == 0 {
			values = append(values, show(t, b, k, i))
		} else {
			for _, name := range k.Field.Either {
				if s := show(t, b, Key{named(name), k.Prefix4, k.Prefix6}, i); s != "-" {
					values = append(values, s)
				}
			}
			if len(values) == 0 {
				values = append(values, "-")
			}
		}
		var next []string
		for _, o := range out {
			for _, v := range values {
				next = append(next, o+v+" ")
			}
		}
		out = next
	}
	return out
}

func (g *slowGroup) String() string {
	return fmt.Sprintf("packets %d bytes %d flows %d first %d last %d out %d %d flags %#x tos %d",
		g.packets, g.bytes, g.flows, g.first, g.last, g.opackets, g.obytes, g.flags, g.tos)
}

// printed is what the fast table gives out, by key.
func printed(t *testing.T, keys []Key, batches []*flow.Batch) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, g := range slow(t, keys, batches) {
		out[strings.TrimSpace(key)] = g.String()
	}
	return out
}

// randomBatch has n records of mixed shapes; few values each, so that groups repeat.
func randomBatch(r *rand.Rand, n int, wild bool) *flow.Batch {
	build := flow.NewBuilder()
	shapes := []flow.Shape{
		flow.ShapeOf(8, 12, 7, 11, 4, 2, 1, 156, 157, 6, 5, 16, 17, 9, 13),
		flow.ShapeOf(27, 28, 7, 11, 4, 2, 1, 3, 156, 157, 29, 30, 10, 14),
		flow.ShapeOf(8, 12, 4, 176, 177, 2, 1, 152, 153),
		flow.ShapeOf(27, 12, 4, 139, 86, 85, ie.SamplingInterval, ie.SamplingSpace, 153),
		flow.ShapeOf(4, 24, 23, 3, 371, 82, 56),
		flow.ShapeOf(8, 7, 10, 95, 2, 150, 5, 371),
	}
	if !wild {
		shapes = shapes[:1+r.IntN(2)]
	}
	for range n {
		l, ok := build.Layout(shapes[r.IntN(len(shapes))])
		if !ok {
			panic("no room")
		}
		l.Next()
		for i, e := range l.Shape {
			randomValue(r, l.Cols[i], e.ID)
		}
	}
	return build.Batch()
}

func randomValue(r *rand.Rand, c *column.Builder, id ie.ID) {
	few := uint64(r.IntN(5))
	switch id {
	case 8, 12:
		c.Put4(0x0a000000 | uint32(few)<<uint(r.IntN(3)*8))
	case 27, 28:
		c.Put6(column.V6{Hi: few << uint(r.IntN(3)*20), Lo: few * uint64(r.IntN(2))})
	case 371, 82, 95:
		c.PutBytes([]byte([]string{"", "z", "alice", "bob", "a\x00b"}[few]))
	case 1, 2, 23, 24, 85, 86:
		c.PutInt(uint64(r.IntN(100000)))
	case 3, ie.SamplingInterval:
		c.PutInt(few)
	case ie.SamplingSpace:
		c.PutInt(100 * few)
	case 150, 152, 156:
		c.PutInt(1_700_000_000_000_000_000 + few*1_000_000)
	case 151, 153, 157:
		c.PutInt(1_700_000_001_000_000_000 + few*1_000_000)
	case 4:
		c.PutInt([]uint64{1, 6, 17, 58, 300}[few]) // 300 is wider than the element
	case 9, 13, 29, 30:
		c.PutInt(few * 8)
	case 7, 11:
		c.PutInt([]uint64{53, 443, 80, 65535, 70000}[few])
	default:
		c.PutInt(few)
	}
}

// encoded is b as it comes from a file.
func encoded(t testing.TB, b *flow.Batch) *flow.Batch {
	t.Helper()
	out := &flow.Batch{N: b.N, Shapes: b.Shapes, Sel: b.Sel}
	codes, err := b.ShapeCodes()
	if err != nil {
		t.Fatal(err)
	}
	out.Codes = flow.Column{Block: column.Encode(codes), Ref: -1}
	for i := range b.Cols {
		v, err := b.Vec(i)
		if err != nil {
			t.Fatal(err)
		}
		out.Cols = append(out.Cols, flow.Column{Key: b.Cols[i].Key, Block: column.Encode(v), Ref: -1})
	}
	if err := out.Link(); err != nil {
		t.Fatal(err)
	}
	return out
}

func randomBatches(t *testing.T, seed uint64) []*flow.Batch {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []*flow.Batch
	for i := range 1 + r.IntN(4) {
		b := randomBatch(r, 1+r.IntN(800), seed%3 != 0)
		if r.IntN(2) == 0 {
			b.Sel = flow.NewBitmap(b.N)
			for i := range b.N {
				if r.IntN(3) > 0 {
					b.Sel.Set(i)
				}
			}
		}
		if i%2 == 0 {
			b = encoded(t, b)
		}
		out = append(out, b)
	}
	return out
}

// copied keeps what Batches gives out.
func copied(t testing.TB, dst *[]*flow.Batch) func(*flow.Batch) error {
	return func(b *flow.Batch) error {
		if b.N == 0 || b.N > flow.MaxRecords {
			t.Errorf("a batch of %d records", b.N)
		}
		*dst = append(*dst, encoded(t, b))
		return nil
	}
}

func group(t *testing.T, s Spec, batches []*flow.Batch, workers int) *Table {
	t.Helper()
	table, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, workers)
	for w := range workers {
		go func() {
			for i := w; i < len(batches); i += workers {
				if err := table.Add(batches[i]); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range workers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	return table
}

var keyLists = []string{
	"srcip", "dstip", "srcip,dstip", "srcip4/24", "srcip6/64,dstip", "srcip/24", "srcip4/16,srcip6/48", "dstport", "proto",
	"srcip,dstip,srcport,dstport,proto", "srcnet", "srcnet,dstnet", "username", "username,applicationName,proto", "interfaceName",
	"srcas,dstas", "inif,outif,proto,flags", "tos", "proto,srcport,dstip", "icmptype,icmpcode", "insrcmac,srcip", "nbar",
	"srcip4,dstip4,srcport,dstport,proto,inif,outif", "sampinterval", "flags,tos",
}

func TestAgainstOracle(t *testing.T) {
	for _, list := range keyLists {
		keys, err := ParseKeys(list)
		if err != nil {
			t.Errorf("%s: %v", list, err)
			continue
		}
		for seed := range uint64(9) {
			checkOracle(t, fmt.Sprintf("%s seed %d", list, seed), keys, randomBatches(t, seed))
		}
	}
	for seed := range uint64(9) {
		checkOracle(t, fmt.Sprintf("-a seed %d", seed), Tuple(), randomBatches(t, seed))
	}
	for _, s := range []string{"ip", "port:p", "as", "if", "ip/24", "mask:p", "mac"} {
		st, err := ParseStat(s)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(9) {
			checkOracle(t, fmt.Sprintf("-s %s seed %d", s, seed), st.Keys(nil), randomBatches(t, seed))
		}
	}
}

// outputKeys read a table's output: what a field of several was counted under is given out as
// the first, and two families of one address as one column.
func outputKeys(keys []Key) []Key {
	out := slices.Clone(keys)
	for i := range out {
		if e := out[i].Field.Either; len(e) > 0 {
			out[i].Field = named(e[0])
		}
	}
	return out
}

func checkOracle(t *testing.T, name string, keys []Key, batches []*flow.Batch) {
	t.Helper()
	clear(views)
	want := printed(t, keys, batches)
	table := group(t, Spec{Keys: keys, Out: true, Flags: true, TOS: true}, batches, 2)
	var out []*flow.Batch
	if err := table.Batches(Order{}, 0, copied(t, &out)); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	keys = outputKeys(keys)
	got := printed(t, keys, out)
	compareGroups(t, name, got, want)
	if table.Groups() != len(want) {
		t.Errorf("%s: %d groups, want %d", name, table.Groups(), len(want))
	}
	again := group(t, Spec{Keys: keys, Out: true, Flags: true, TOS: true}, out, 1)
	var second []*flow.Batch
	if err := again.Batches(Order{}, 0, copied(t, &second)); err != nil {
		t.Fatal(err)
	}
	compareGroups(t, name+", aggregated again", printed(t, keys, second), want)
}

func compareGroups(t *testing.T, name string, got, want map[string]string) {
	t.Helper()
	bad := 0
	for k, w := range want {
		if got[k] != w {
			if bad++; bad > 3 {
				return
			}
			t.Errorf("%s: group %s:\n got %s\nwant %s", name, k, got[k], w)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			if bad++; bad > 3 {
				return
			}
			t.Errorf("%s: group %s: unexpected", name, k)
		}
	}
}
