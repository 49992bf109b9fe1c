package filter

import (
	"fmt"
	"strings"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokWord
	tokString // quoted
	tokOp
)

type token struct {
	kind     tokenKind
	text     string // without quotes
	pos, end int
}

// is tells whether t is an operator or an unquoted word of that text, in any case.
func (t token) is(s string) bool {
	return t.kind == tokOp && t.text == s || t.kind == tokWord && strings.EqualFold(t.text, s)
}

func (t token) String() string {
	if t.kind == tokEnd {
		return "the end"
	}
	return fmt.Sprintf("%q", t.text)
}

// lexer cuts one text, the filter or an included file, into tokens.
type lexer struct {
	file  string
	text  string
	at    int
	ahead []token
}

func (l *lexer) errorf(at token, format string, a ...any) *Error {
	return &Error{File: l.file, Pos: at.pos, Len: at.end - at.pos, Msg: fmt.Sprintf(format, a...), text: l.text}
}

// operators by length, so that the longest is found first. The last ones are none of ours
// and are known for the message alone.
var operators = [...]string{"==", "!=", ">=", "<=", "&&", "||", "=>", "=<", "<>",
	"=", ">", "<", "!", "(", ")", "[", "]", "{", "}", ",", "&", "|"}

// wordByte tells which bytes make words: addresses, prefixes, times, names, ranges and flags
// are single words.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 ||
		strings.IndexByte("_.:-/+%@*~", c) >= 0
}

func (l *lexer) skip() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			l.at++
		case c == '#':
			i := strings.IndexByte(l.text[l.at:], '\n')
			if i < 0 {
				l.at = len(l.text)
				return
			}
			l.at += i + 1
		default:
			return
		}
	}
}

// scan reads the next token from the text.
func (l *lexer) scan() (token, error) {
	l.skip()
	t := token{kind: tokEnd, pos: l.at, end: l.at}
	if l.at == len(l.text) {
		return t, nil
	}
	rest := l.text[l.at:]
	switch c := rest[0]; {
	case c == '\'' || c == '"':
		i := strings.IndexByte(rest[1:], c)
		if i < 0 {
			t.end = len(l.text)
			return t, l.errorf(t, "the closing %c is missing", c)
		}
		t.kind, t.text, t.end = tokString, rest[1:1+i], l.at+i+2
	case wordByte(c):
		n := 1
		for n < len(rest) && wordByte(rest[n]) {
			n++
		}
		t.kind, t.text, t.end = tokWord, rest[:n], l.at+n
	default:
		t.end++
		for _, op := range operators {
			if strings.HasPrefix(rest, op) {
				t.kind, t.text, t.end = tokOp, op, l.at+len(op)
				break
			}
		}
		if t.kind == tokEnd {
			return t, l.errorf(t, "character %q has no meaning here", rest[0])
		}
	}
	l.at = t.end
	return t, nil
}

// peek looks n tokens ahead; 0 is the next. After an error the text counts as ended.
func (l *lexer) peek(n int) (token, error) {
	for len(l.ahead) <= n {
		if k := len(l.ahead); k > 0 && l.ahead[k-1].kind == tokEnd {
			return l.ahead[k-1], nil
		}
		t, err := l.scan()
		if err != nil {
			return t, err
		}
		l.ahead = append(l.ahead, t)
	}
	return l.ahead[n], nil
}

// drop consumes n tokens that were looked at.
func (l *lexer) drop(n int) { l.ahead = append(l.ahead[:0], l.ahead[n:]...) }

// fileName reads the name after @include, which ends at white space or a closing bracket
// and may be quoted. No token may have been looked at.
func (l *lexer) fileName() (token, error) {
	l.skip()
	if l.at < len(l.text) && (l.text[l.at] == '"' || l.text[l.at] == '\'') {
		return l.scan()
	}
	n := strings.IndexAny(l.text[l.at:], " \t\r\n\f\v)]}")
	if n < 0 {
		n = len(l.text) - l.at
	}
	t := token{kind: tokString, text: l.text[l.at : l.at+n], pos: l.at, end: l.at + n}
	l.at = t.end
	return t, nil
}
