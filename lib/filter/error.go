package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is what is wrong with a filter, and where.
type Error struct {
	File     string // the included file, "" for the filter itself
	Pos, Len int    // of the token, in bytes of the text
	Msg      string
	Hint     string // what could be written instead, "" if nothing comes to mind

	text string
}

// Error is one line without the place in the text, since a filter is short.
func (e *Error) Error() string {
	s := e.Msg
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	if e.File != "" {
		s = fmt.Sprintf("%s line %d: %s", e.File, 1+strings.Count(e.text[:min(e.Pos, len(e.text))], "\n"), s)
	}
	return "filter: " + s
}

// maxShown is how many characters of a line are shown on each side of the token.
const maxShown = 60

// Show is three lines: the line of the filter, a caret under the token, and the message. No
// newline ends it.
//
//	dst prto 53
//	    ^~~~
//	unknown word "prto"; did you mean "proto"?
func (e *Error) Show() string {
	pos := min(e.Pos, len(e.text))
	start := strings.LastIndexByte(e.text[:pos], '\n') + 1
	end := len(e.text)
	if i := strings.IndexByte(e.text[pos:], '\n'); i >= 0 {
		end = pos + i
	}
	stop := max(pos, min(pos+e.Len, end))
	before, token, after := e.text[start:pos], e.text[pos:stop], e.text[stop:end]
	if r := []rune(before); len(r) > maxShown {
		before = "…" + string(r[len(r)-maxShown:])
	}
	if r := []rune(after); len(r) > maxShown {
		after = string(r[:maxShown]) + "…"
	}
	if r := []rune(token); len(r) > 2*maxShown {
		token, after = string(r[:2*maxShown]), "…"
	}
	var s strings.Builder
	s.WriteString("  " + printable(before+token+after) + "\n  ")
	s.WriteString(strings.Repeat(" ", utf8.RuneCountInString(before)) + "^")
	s.WriteString(strings.Repeat("~", max(utf8.RuneCountInString(token)-1, 0)) + "\n")
	s.WriteString(strings.TrimPrefix(e.Error(), "filter: "))
	return s.String()
}

// printable replaces what would move the caret or the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ', r == 0x7f, r >= 0x80 && r < 0xa0, r == utf8.RuneError:
			return '?'
		}
		return r
	}, s)
}
