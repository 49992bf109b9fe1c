package spell

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"port", "port", 0}, {"prot", "port", 1},
		{"dstprt", "dstport", 1}, {"srcipp", "srcip", 1}, {"bites", "bytes", 1}, {"kitten", "sitting", 3},
		{strings.Repeat("a", Far), "a", Far},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
