package aggregate

import (
	"strings"

	"nfpipe/lib/ie"
	"nfpipe/lib/spell"
)

// suggest is a hint that names the field nearest to a word that is none, or "".
func suggest(word string) string {
	var names []string
	fields := ie.Fields()
	for i := range fields {
		names = append(names, fields[i].Name)
		names = append(names, fields[i].Aliases...)
	}
	return nearest(word, names)
}

// nearest is a hint that names the word of the list that takes fewest changes, if few do.
func nearest(word string, list []string) string {
	word = strings.ToLower(word)
	if len(word) > 64 {
		return ""
	}
	best, least := "", 1+len(word)/3
	for _, s := range list {
		if d := spell.Distance(word, s); d < least || d == least && best == "" {
			best, least = s, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}
