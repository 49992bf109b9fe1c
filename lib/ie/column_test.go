package ie

import (
	"slices"
	"testing"
)

func TestColumn(t *testing.T) {
	for _, c := range []struct {
		id, col ID
		fam     Family
	}{
		{8, 8, IPv4}, {27, 8, IPv6},
		{12, 12, IPv4}, {28, 12, IPv6},
		{15, 15, IPv4}, {62, 15, IPv6},
		{18, 18, IPv4}, {63, 18, IPv6},
		{130, 130, IPv4}, {131, 130, IPv6},
		{225, 225, IPv4}, {281, 225, IPv6},
		{226, 226, IPv4}, {282, 226, IPv6},
		{9, 9, IPv4}, {29, 9, IPv6},
		{13, 13, IPv4}, {30, 13, IPv6},
		{32, 32, IPv4}, {139, 32, IPv6},
		{150, 156, AnyFamily}, {152, 156, AnyFamily}, {154, 156, AnyFamily}, {156, 156, AnyFamily},
		{151, 157, AnyFamily}, {153, 157, AnyFamily}, {155, 157, AnyFamily}, {157, 157, AnyFamily},
		{322, 325, AnyFamily}, {323, 325, AnyFamily}, {324, 325, AnyFamily}, {325, 325, AnyFamily},
		{258, 258, AnyFamily}, {1, 1, AnyFamily}, {176, 176, AnyFamily}, {178, 178, AnyFamily},
		{New(ReversePEN, 27), New(ReversePEN, 8), IPv6}, {New(ReversePEN, 152), New(ReversePEN, 156), AnyFamily},
		{New(ReversePEN, 599), New(ReversePEN, 599), AnyFamily},
		{New(9, 27), New(9, 27), AnyFamily}, {New(ProjectPEN, 27), New(ProjectPEN, 27), AnyFamily},
		{TunnelSrcIPv6, TunnelSrcIPv4, IPv6}, {TunnelDstIPv4, TunnelDstIPv4, IPv4},
		{1<<64 - 1, 1<<64 - 1, AnyFamily},
	} {
		if col, fam := Column(c.id); col != c.col || fam != c.fam {
			t.Errorf("Column(%v) = %v, %v, want %v, %v", c.id, col, fam, c.col, c.fam)
		}
	}
}

// TestMembers: Members is the inverse of Column, over everything known.
func TestMembers(t *testing.T) {
	want := make(map[ID][]ID)
	for _, e := range allElements() {
		col, _ := Column(e.ID)
		want[col] = append(want[col], e.ID)
		if e.ID < 1<<15 {
			rcol, _ := Column(reverse | e.ID)
			want[rcol] = append(want[rcol], reverse|e.ID)
		}
	}
	for col, ids := range want {
		got := slices.Clone(Members(col))
		if len(got) == 0 || got[0] != col {
			t.Errorf("Members(%v) = %v, does not start with the column", col, got)
		}
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) {
			t.Errorf("Members(%v) = %v, want %v", col, got, ids)
		}
		for _, id := range ids {
			if id != col && Members(id) != nil {
				t.Errorf("Members(%v) = %v, want none: its column is %v", id, Members(id), col)
			}
		}
	}
}

// TestGroupsAgree: members of a column are kept the same way and mean the same.
func TestGroupsAgree(t *testing.T) {
	for _, g := range groups {
		first, _ := Lookup(g.col)
		for i, id := range g.members {
			e, ok := Lookup(id)
			if !ok || e.Type.Class() != first.Type.Class() || e.Semantics != first.Semantics {
				t.Errorf("column %v: %+v differs from %+v", g.col, e, first)
			}
			_, fam := Column(id)
			wantFam := AnyFamily
			if g.pair {
				wantFam = []Family{IPv4, IPv6}[i]
			}
			if fam != wantFam {
				t.Errorf("column %v: %v is of family %v, want %v", g.col, id, fam, wantFam)
			}
		}
		if IsPair(g.col) != g.pair || g.col < 1<<16 && IsPair(reverse|g.col) != g.pair {
			t.Errorf("IsPair(%v) is not %v", g.col, g.pair)
		}
	}
	for f, want := range map[Family]string{AnyFamily: "any", IPv4: "IPv4", IPv6: "IPv6", 9: "family 9"} {
		if f.String() != want {
			t.Errorf("family %d is %q, want %q", uint8(f), f, want)
		}
	}
}

func BenchmarkColumn(b *testing.B) {
	b.ReportAllocs()
	var sum ID
	for b.Loop() {
		for id := ID(0); id < 512; id++ {
			col, _ := Column(id)
			sum += col
		}
	}
	if sum == 0 {
		b.Fatal("no columns")
	}
}
