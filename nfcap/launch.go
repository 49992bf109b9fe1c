package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"nfpipe/lib/archive"
)

// splitWords splits a command as a shell does: blanks divide words, quotes and backslashes keep
// them together. There is no shell: nothing else is special.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun := false
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'' && c != '\'' || quote == '"' && c != '"' && c != '\\':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case c == '\\':
			if i++; i == len(s) {
				return nil, fmt.Errorf("-x %s: nothing follows the backslash", s)
			}
			word.WriteByte(s[i])
			begun = true
		case c == ' ' || c == '\t' || c == '\n':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("-x %s: the quote is not closed", s)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

// maxCommands is how many commands run at a time; a slot that ends while so many do gets none.
const maxCommands = 16

// launcher runs the command of -x for each file.
type launcher struct {
	words []string
	slots chan struct{}
	logf  func(format string, a ...any)
}

func newLauncher(words []string, logf func(string, ...any)) *launcher {
	return &launcher{words: words, slots: make(chan struct{}, maxCommands), logf: logf}
}

// run starts the command for a file that was closed.
func (l *launcher) run(dir, ident string, s archive.Slot) {
	if len(l.words) == 0 || s.Err != nil {
		return
	}
	select {
	case l.slots <- struct{}{}:
	default:
		l.logf("-x: %d commands are still running: none for %s", maxCommands, s.Path)
		return
	}
	args := expand(l.words, dir, ident, s)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr // stdout is for data
	err := cmd.Start()                            // at once: nfcap may end after its last slot
	go func() {
		defer func() { <-l.slots }()
		if err == nil {
			err = cmd.Wait()
		}
		if err != nil {
			l.logf("-x: %s: %v", strings.Join(args, " "), err)
		}
	}()
}

// expand puts the values of the tokens into each word; a value never makes another word.
func expand(words []string, dir, ident string, s archive.Slot) []string {
	file := s.Path
	if rel, err := filepath.Rel(dir, s.Path); err == nil {
		file = rel
	}
	r := strings.NewReplacer("%%", "%", "%d", dir, "%f", file, "%t", s.Start.Format("200601021504"),
		"%u", strconv.FormatInt(s.Start.Unix(), 10), "%i", ident)
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = r.Replace(w)
	}
	return out
}
