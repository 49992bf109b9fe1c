package filter

import "nfpipe/lib/spell"

// nearest is the word of the list that differs least from s, "" if none is near.
func nearest(s string, list []string) string {
	best, limit := "", 1
	if len(s) > 4 {
		limit = 2
	}
	if s == "" || len(s) > 40 {
		return ""
	}
	for _, w := range list {
		if w == s || len(w)-len(s) > limit || len(s)-len(w) > limit || len(s) < 3 && w[0] != s[0] {
			continue
		}
		if d := spell.Distance(s, w); d <= limit && (best == "" || d < spell.Distance(s, best)) {
			best = w
		}
	}
	return best
}
