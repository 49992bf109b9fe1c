package filter

import (
	"errors"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/flow"
)

// FuzzParse: any text is a filter or an *Error that can be shown, and a filter can be
// evaluated; its complement matches the other records.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"any", "dst port 53", "src ip in [10.0.0.0/8 2001:db8::/32, 1.2.3.4-1.2.3.9] and not (udp or flags =SA)",
		"duration > 10s or first seen 2026-11", "bytes 1.5k && !icmp-type 8 # comment", "username 'x y' or payload regex 'a+' i",
		"@include two", "ip in [@include nets]", "src or dst port != 80-90", "mpls label1 > 5", "mac 02:00:00:00:00:01", "defined srcas", "(((", "0/4 tcp",
	} {
		f.Add(s)
	}
	b := batchOf(people)
	f.Fuzz(func(t *testing.T, s string) {
		x, err := Parse(s, Options{Includes: testOptions.Includes, Location: time.UTC})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Pos < 0 || e.Len < 0 || strings.Count(e.Show(), "\n") != 2 {
				t.Fatalf("%q: bad error %#v\n%s", s, err, err)
			}
			return
		}
		if _, err := x.Packet(); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: %v", s, err)
			}
			_ = e.Show()
		}
		y, err := Parse("not ("+s+"\n)", Options{Includes: testOptions.Includes, Location: time.UTC})
		if err != nil {
			return // an empty filter, or one that ends the parentheses
		}
		p, q := flow.NewBitmap(b.N), flow.NewBitmap(b.N)
		m, err1 := x.Eval(b, p)
		n, err2 := y.Eval(b, q)
		if err1 != nil || err2 != nil {
			t.Fatalf("%q: %v, %v", s, err1, err2)
		}
		if want := (map[Match]Match{All: None, None: All, Some: Some})[m]; n != want || m == Some && p[0]^q[0] != 1<<b.N-1 {
			t.Fatalf("%q: %v and its complement %v, %b %b", s, m, n, p[0], q[0])
		}
	})
}
