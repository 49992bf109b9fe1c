package filter

// nearest is the word of the list that differs least from s, "" if none is near.
func nearest(s string, list []string) string {
	best, limit := "", 1
	if len(s) > 4 {
		limit = 2
	}
	if len(s) > 40 {
		return ""
	}
	for _, w := range list {
		if w == s || len(w)-len(s) > limit || len(s)-len(w) > limit || len(s) < 3 && w[0] != s[0] {
			continue
		}
		if d := distance(s, w); d <= limit && (best == "" || d < distance(s, best)) {
			best = w
		}
	}
	return best
}

// distance counts the letters to add, drop, change or swap with their neighbour.
func distance(a, b string) int {
	var rows [3][64]int
	if len(b) >= 64 {
		return 64
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur, prev, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d := min(prev[j]+1, cur[j-1]+1, prev[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			cur[j] = d
		}
	}
	return rows[len(a)%3][len(b)]
}
