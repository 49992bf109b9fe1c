package sflow

import (
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// TestElements says that every element is stored as emit puts it, and has one place.
func TestElements(t *testing.T) {
	seen := map[ie.ID]bool{}
	check := func(id ie.ID, want column.Kind) {
		if got := flow.KindOf(id); got != want {
			t.Errorf("%s is stored as %s, put as %s", id, got, want)
		}
		if seen[id] {
			t.Errorf("%s has two places", id)
		}
		seen[id] = true
	}
	for _, id := range numbers {
		check(id, column.Int)
	}
	for _, pair := range addresses {
		check(pair[0], column.Addr)
		check(pair[1], column.Addr)
	}
	for i := range ie.ID(10) {
		check(firstLabel+i, column.Bytes)
	}
	for _, id := range lists {
		check(id, column.Bytes)
	}
}

func TestSharedShapes(t *testing.T) {
	for i := range uint64(3 * maxKnown) {
		if s := sharedShape(traits{numbers: i}); len(s) > 14 || i == 1 && s[0].ID != numbers[0] {
			t.Fatalf("shape %v of %b", s, i)
		}
		if n := len(known.shapes); n > maxKnown {
			t.Fatalf("%d shapes", n)
		}
	}
	all := traits{numbers: 1<<numberCount - 1, addrs: 1<<(2*addrCount) - 1, labels: 10, lists: 1<<listCount - 1}
	b := flow.NewBuilder()
	if _, ok := b.Layout(sharedShape(all)); !ok {
		t.Error("a batch has no room for a shape of everything")
	}
}
