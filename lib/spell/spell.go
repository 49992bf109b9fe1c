// Package spell measures how far a word is from one that was meant, for hints such as
// "did you mean dstport?".
package spell

// Far is the distance of words too long to be compared.
const Far = 64

// Distance is the number of letters to insert, drop, change, or swap with their neighbour to
// make b of a.
func Distance(a, b string) int {
	if len(a) >= Far || len(b) >= Far {
		return Far
	}
	var rows [3][Far]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d := min(above[j]+1, row[j-1]+1, above[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
		}
	}
	return rows[len(a)%3][len(b)]
}
