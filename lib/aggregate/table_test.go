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

// rows are the groups that a table gives out, as text in their order.
func rows(t *testing.T, table *Table, keys []Key, o Order, n int) []string {
	t.Helper()
	var out []string
	err := table.Batches(o, n, func(b *flow.Batch) error {
		clear(views)
		for i := range b.N {
			var s strings.Builder
			for _, k := range outputKeys(keys) {
				s.WriteString(show(t, b, k, i) + " ")
			}
			for _, f := range []*ie.Field{packetsField, bytesField, flowsField, firstField, lastField} {
				s.WriteString(show(t, b, whole(f), i) + " ")
			}
			out = append(out, strings.TrimSpace(s.String()))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// build makes a batch of records, each a shape and its numbers; addresses are their low bits.
func build(t testing.TB, records ...[]uint64) *flow.Batch {
	t.Helper()
	b := flow.NewBuilder()
	for _, r := range records {
		var ids []ie.ID
		for i := 0; i < len(r); i += 2 {
			ids = append(ids, ie.ID(r[i]))
		}
		l, ok := b.Layout(flow.ShapeOf(ids...))
		if !ok {
			t.Fatal("no room for a shape")
		}
		l.Next()
		for i, id := range ids {
			switch x := r[2*i+1]; id {
			case 8, 12:
				l.Cols[i].Put4(uint32(x))
			case 27, 28:
				l.Cols[i].Put6(column.V6{Lo: x})
			default:
				l.Cols[i].PutInt(x)
			}
		}
	}
	return b.Batch()
}

func expect(t *testing.T, name string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestSums(t *testing.T) {
	for seed := range uint64(20) {
		batches := randomBatches(t, seed)
		keys := mustKeys(t, "srcip,dstport,proto")
		table := group(t, Spec{Keys: keys, Out: true}, batches, 2)
		var sum, all flow.Totals
		for _, b := range batches {
			s, err := b.Sum()
			if err != nil {
				t.Fatal(err)
			}
			all.Add(&s)
		}
		err := table.Batches(Order{By: BPS}, 0, func(b *flow.Batch) error {
			s, err := b.Sum()
			sum.Add(&s)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		got := table.Totals()
		for _, c := range []struct {
			what         string
			groups, want uint64
			totals       uint64
		}{
			{"flows", flow.Sum(&sum.Flows), flow.Sum(&all.Flows), got.Flows},
			{"packets", flow.Sum(&sum.Packets), flow.Sum(&all.Packets), got.Packets},
			{"bytes", flow.Sum(&sum.Bytes), flow.Sum(&all.Bytes), got.Bytes},
		} {
			if c.groups != c.want || c.totals != c.want {
				t.Errorf("seed %d: %s: groups have %d, totals %d, records %d", seed, c.what, c.groups, c.totals, c.want)
			}
		}
		if got.Records != all.Records {
			t.Errorf("seed %d: %d records, want %d", seed, got.Records, all.Records)
		}
	}
}

func TestDeterminism(t *testing.T) {
	orders := []string{"", "flows", "bytes", "tstart", "tend:d", "bps", "packets:a"}
	for _, list := range []string{"srcip,dstip", "proto", "username,srcip", "srcip,dstip,srcport,dstport,proto"} {
		keys := mustKeys(t, list)
		for seed := range uint64(3) {
			batches := randomBatches(t, seed)
			for _, word := range orders {
				var o Order
				if word != "" {
					o, _ = ParseOrder(word)
				}
				want := rows(t, group(t, Spec{Keys: keys}, batches, 1), keys, o, 0)
				backwards := slices.Clone(batches)
				slices.Reverse(backwards)
				for _, workers := range []int{1, 2, 5} {
					table := group(t, Spec{Keys: keys}, backwards, workers)
					expect(t, fmt.Sprintf("%s -O %s seed %d, %d workers", list, word, seed, workers), rows(t, table, keys, o, 0), want)
					for _, n := range []int{1, 7} {
						expect(t, fmt.Sprintf("%s -O %s -n %d seed %d", list, word, n, seed), rows(t, table, keys, o, n), want[:min(n, len(want))])
					}
				}
			}
		}
	}
}

// TestManyTies has more groups of equal rank than are sorted by comparing.
func TestManyTies(t *testing.T) {
	b := flow.NewBuilder()
	l4, _ := b.Layout(flow.ShapeOf(8, 12, 371))
	l6, _ := b.Layout(flow.ShapeOf(27, 28))
	r := rand.New(rand.NewPCG(3, 3))
	for range 20000 {
		if r.IntN(3) == 0 {
			l6.Next()
			l6.Cols[0].Put6(column.V6{Hi: r.Uint64N(50), Lo: r.Uint64N(50)})
			l6.Cols[1].Put6(column.V6{Hi: r.Uint64N(3), Lo: r.Uint64N(3)})
			continue
		}
		l4.Next()
		l4.Cols[0].Put4(r.Uint32N(100))
		l4.Cols[1].Put4(r.Uint32N(100))
		l4.Cols[2].PutBytes([]byte(fmt.Sprint(r.IntN(20))))
	}
	keys := mustKeys(t, "username,srcip,dstip")
	table := group(t, Spec{Keys: keys}, []*flow.Batch{b.Batch()}, 1)
	ranks := table.newRanking(Order{By: Duration})
	list := ranks.all()
	if len(list) != table.Groups() || len(list) < 5000 {
		t.Fatalf("%d groups listed of %d", len(list), table.Groups())
	}
	for i := 1; i < len(list); i++ {
		a, b := list[i-1], list[i]
		a.value, b.value = 0, 0
		if ranks.compare(a, b) >= 0 {
			t.Fatalf("group %d is not before group %d", i-1, i)
		}
	}
}

func TestAbsentIsNotZero(t *testing.T) {
	keys := mustKeys(t, "srcas")
	table := group(t, Spec{Keys: keys}, []*flow.Batch{build(t, []uint64{16, 0, 1, 10}, []uint64{8, 1, 1, 5}, []uint64{16, 0, 1, 1})}, 1)
	expect(t, "srcas", rows(t, table, keys, Order{}, 0), []string{"- - 5 1 - -", "0 - 11 2 - -"})
}

// TestPeersDefects has what nfdump 1.7.8 gets wrong.
func TestPeersDefects(t *testing.T) {
	long := mustKeys(t, "srcip4,dstip4,srcport,dstport,proto,inif,outif")
	record := func(in, out uint64) []uint64 {
		return []uint64{8, 1, 12, 2, 7, 3, 11, 4, 4, 6, 10, in, 14, out, 1, 1}
	}
	table := group(t, Spec{Keys: long}, []*flow.Batch{build(t, record(1, 1), record(1, 2), record(2, 1), record(1, 2))}, 1)
	expect(t, "a long key is compared whole", rows(t, table, long, Order{}, 0), []string{
		"0.0.0.1 0.0.0.2 3 4 6 1 1 - 1 1 - -", "0.0.0.1 0.0.0.2 3 4 6 1 2 - 2 2 - -", "0.0.0.1 0.0.0.2 3 4 6 2 1 - 1 1 - -"})

	two := mustKeys(t, "inif,outif")
	table = group(t, Spec{Keys: two}, []*flow.Batch{build(t, []uint64{10, 5, 1, 1}, []uint64{14, 5, 1, 1})}, 1)
	expect(t, "keys of different shapes do not collide", rows(t, table, two, Order{}, 0), []string{"- 5 - 1 1 - -", "5 - - 1 1 - -"})

	net := mustKeys(t, "srcip4/24")
	table = group(t, Spec{Keys: net}, []*flow.Batch{build(t, []uint64{8, 0x01020304, 1, 1}, []uint64{27, 7, 1, 2}, []uint64{27, 8, 1, 4})}, 1)
	expect(t, "srcip4/24 leaves IPv6 out", rows(t, table, net, Order{}, 0), []string{"- - 6 2 - -", "1.2.3.0 - 1 1 - -"})

	both := mustKeys(t, "srcip/24")
	table = group(t, Spec{Keys: both}, []*flow.Batch{build(t, []uint64{8, 1, 1, 1}, []uint64{27, 1, 1, 2}, []uint64{8, 2, 1, 8})}, 1)
	expect(t, "::1 is not 0.0.0.1", rows(t, table, both, Order{}, 0), []string{"0.0.0.0 - 9 2 - -", ":: - 2 1 - -"})

	st, err := ParseStat("port")
	if err != nil {
		t.Fatal(err)
	}
	ports := st.Keys(nil)
	table = group(t, Spec{Keys: ports}, []*flow.Batch{build(t, []uint64{7, 53, 11, 53, 1, 1}, []uint64{7, 53, 1, 2}, []uint64{8, 1, 1, 4})}, 1)
	expect(t, "missing sides do not count as 0; equal sides count twice, as nfdump has it",
		rows(t, table, ports, Order{}, 0), []string{"- - 4 1 - -", "53 - 4 3 - -"})
}

func TestICMP(t *testing.T) {
	b := build(t,
		[]uint64{8, 1, 12, 2, 4, 1, 176, 8, 177, 0, 1, 1},
		[]uint64{8, 1, 12, 2, 4, 1, 176, 0, 177, 0, 1, 2},
		[]uint64{8, 1, 12, 2, 4, 1, 32, 0x0800, 1, 4},
		[]uint64{27, 1, 28, 2, 4, 58, 178, 128, 179, 0, 1, 8})
	table := group(t, Spec{Keys: Tuple()}, []*flow.Batch{b}, 1)
	expect(t, "-a tells ICMP types apart", rows(t, table, Tuple(), Order{}, 0), []string{
		"0.0.0.1 0.0.0.2 - - 1 0 0 - 2 1 - -", "0.0.0.1 0.0.0.2 - - 1 8 0 - 5 2 - -", "::1 ::2 - - 58 128 0 - 8 1 - -"})
	err := table.Batches(Order{}, 0, func(b *flow.Batch) error {
		for _, id := range []ie.ID{176, 177, 178, 179} {
			if b.Find(flow.Key{ID: id}) < 0 {
				t.Errorf("no column %s", id)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSaturation(t *testing.T) {
	keys := mustKeys(t, "proto")
	big := uint64(math.MaxUint64 - 1)
	table := group(t, Spec{Keys: keys}, []*flow.Batch{build(t, []uint64{4, 6, 1, big, 2, 7}, []uint64{4, 6, 1, big, 2, 8})}, 1)
	expect(t, "sums stop at the largest number", rows(t, table, keys, Order{}, 0), []string{"6 15 18446744073709551615 2 - -"})
}

func TestMemoryLimit(t *testing.T) {
	table, err := New(Spec{Keys: mustKeys(t, "srcip"), Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b := flow.NewBuilder()
	l, _ := b.Layout(flow.ShapeOf(8))
	for i := range 60000 {
		l.Next()
		l.Cols[0].Put4(uint32(i))
	}
	if err := table.Add(b.Batch()); err == nil || !strings.Contains(err.Error(), "more than 1 MiB") {
		t.Errorf("60,000 groups in 1 MiB: %v", err)
	}
	if table.Memory() > 2<<20 {
		t.Errorf("%d bytes taken, 1 MiB allowed", table.Memory())
	}
}

func TestNotMergeable(t *testing.T) {
	table, err := New(Spec{Keys: mustKeys(t, "proto")})
	if err != nil {
		t.Fatal(err)
	}
	b := build(t, []uint64{4, 6, uint64(ie.DistinctCount), 3})
	if err := table.Add(b); err == nil || !strings.Contains(err.Error(), "distinctCount") {
		t.Errorf("a distinct count is aggregated again: %v", err)
	}
}

func TestStopsAtError(t *testing.T) {
	table := group(t, Spec{Keys: mustKeys(t, "srcip")}, randomBatches(t, 1), 1)
	stop := fmt.Errorf("enough")
	if err := table.Batches(Order{}, 0, func(*flow.Batch) error { return stop }); err != stop {
		t.Errorf("yield's error comes back as %v", err)
	}
}

func TestEmpty(t *testing.T) {
	table, err := New(Spec{Keys: Tuple()})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 10} {
		if err := table.Batches(Order{By: Bytes}, n, func(*flow.Batch) error { return fmt.Errorf("a batch of nothing") }); err != nil {
			t.Error(err)
		}
	}
}

// TestLongOutput has more groups than a batch holds, so that they are built in parallel.
func TestLongOutput(t *testing.T) {
	table, err := New(Spec{Keys: mustKeys(t, "srcip,srcport")})
	if err != nil {
		t.Fatal(err)
	}
	const n = 200_000
	b := flow.NewBuilder()
	for at := range n {
		ids := []ie.ID{8, 7, 1}
		if at%5 == 0 {
			ids[0] = 27
		}
		l, _ := b.Layout(flow.ShapeOf(ids...))
		l.Next()
		if at%5 == 0 {
			l.Cols[0].Put6(column.V6{Lo: uint64(at)})
		} else {
			l.Cols[0].Put4(uint32(at))
		}
		l.Cols[1].PutInt(uint64(at % 60000))
		l.Cols[2].PutInt(uint64(at))
		if b.Full() || at == n-1 {
			if err := table.Add(b.Batch()); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	next := uint64(0)
	err = table.Batches(Order{By: Bytes, Ascending: true}, 0, func(b *flow.Batch) error {
		v, err := b.Field(bytesField)
		for i := range b.N {
			if v.Vec.Int(i) != next {
				return fmt.Errorf("%d bytes, want %d", v.Vec.Int(i), next)
			}
			next++
		}
		return err
	})
	if err != nil || next != n {
		t.Errorf("after %d groups: %v", next, err)
	}
	stop, batches := fmt.Errorf("enough"), 0
	err = table.Batches(Order{}, 0, func(*flow.Batch) error {
		if batches++; batches == 2 {
			return stop
		}
		return nil
	})
	if err != stop || batches != 2 {
		t.Errorf("after %d batches: %v", batches, err)
	}
}
