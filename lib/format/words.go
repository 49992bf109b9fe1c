package format

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"nfpipe/lib/ie"
)

// appendWord writes a word, or the number where it has none, right-aligned.
func appendWord(dst []byte, word string, x uint64, width int) []byte {
	if word == "" {
		return appendRight(dst, x, width)
	}
	start := len(dst)
	return padLeft(append(dst, word...), start, width)
}

func directionWord(x uint64) string {
	switch x {
	case 0:
		return "I"
	case 1:
		return "E"
	}
	return ""
}

// eventWord names the firewall events of element 233 as nfdump does.
func eventWord(x uint64) string {
	words := [...]string{"IGNORE", "CREATE", "DELETE", "DENIED", "ALERT", "UPDATE"}
	if x < uint64(len(words)) {
		return words[x]
	}
	return ""
}

// natWord names NAT events by what happens to the binding, IANA's numbers.
func natWord(x uint64) string {
	switch x {
	case 0:
		return "INVALID"
	case 1, 4, 6, 8, 10, 14, 16:
		return "ADD"
	case 2, 5, 7, 9, 11, 15, 17:
		return "DELETE"
	}
	return ""
}

func xeventWord(x uint64) string {
	switch x {
	case 0:
		return "Ignore"
	case 1001:
		return "I-ACL"
	case 1002:
		return "E-ACL"
	case 1003:
		return "Adap"
	case 1004:
		return "No Syn"
	}
	return ""
}

// wordsOf names the values of a field that has words, nil for other fields.
func wordsOf(f *ie.Field) func(x uint64) string {
	words := f.Words()
	if words == nil {
		return nil
	}
	return func(x uint64) string {
		if x < uint64(len(words)) {
			return words[x]
		}
		return ""
	}
}

// flagWords has the lower eight TCP control bits as text.
var flagWords = func() (t [256][8]byte) {
	for x := range t {
		for i := range t[x] {
			t[x][i] = '.'
			if x>>(7-i)&1 != 0 {
				t[x][i] = "CEUAPRSF"[i]
			}
		}
	}
	return
}()

func appendFlags(dst []byte, x uint64) []byte { return append(dst, flagWords[x&255][:]...) }

// appendFragment writes fragmentFlags: bit 6 is "do not fragment", bit 5 "more fragments".
func appendFragment(dst []byte, x uint64) []byte {
	b := [4]byte{'-', '-', '-', '-'}
	if x>>6&1 != 0 {
		b[0], b[1] = 'D', 'F'
	}
	if x>>5&1 != 0 {
		b[2], b[3] = 'M', 'F'
	}
	return append(dst, b[:]...)
}

// appendLabel writes a label stack entry of three bytes: label 20 bits, experimental 3, end of
// stack 1. Bytes behind them, the time to live, do not show.
func appendLabel(dst, s []byte, width int) []byte {
	x := uint64(0)
	for _, o := range s[:min(len(s), 3)] {
		x = x<<8 | uint64(o)
	}
	dst = append(appendRight(dst, x>>4, width), '-')
	return append(dst, byte('0'+x>>1&7), '-', byte('0'+x&1))
}

// appendVersion writes the export protocol; nfdump's number has bits for sFlow and packet
// captures.
func appendVersion(dst []byte, x uint64) []byte {
	letter := byte('N')
	switch {
	case x&0x80 != 0:
		letter = 'S'
	case x&0x40 != 0:
		letter = 'P'
	}
	return appendLeft(append(dst, letter, 'v'), x&0x3f, 2)
}

// appendACL writes the three words of an access list's identity.
func appendACL(dst, s []byte, decimal bool) []byte {
	var b [12]byte
	copy(b[:], s)
	for i := 0; i < 12; i += 4 {
		x := uint64(binary.BigEndian.Uint32(b[i:]))
		if decimal {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = appendRight(dst, x, 10)
			continue
		}
		start := len(dst)
		dst = appendHex(append(dst, "0x"...), x, 1)
		if dst = padRight(dst, start, 10); i < 8 {
			dst = append(dst, ' ')
		}
	}
	return dst
}

// appendNBAR writes an application id (RFC 6759): engine and selector.
func appendNBAR(dst, s []byte, width int) []byte {
	engine, selector := uint64(0), uint64(0)
	for i, o := range s {
		if i == 0 {
			engine = uint64(o)
		} else if selector < 1<<56 {
			selector = selector<<8 | uint64(o)
		}
	}
	dst = append(appendRight(dst, engine, width), ".."...)
	return appendUint(dst, selector)
}

func appendSigned(dst []byte, x int64) []byte { return strconv.AppendInt(dst, x, 10) }

// appendOctets writes bytes in hexadecimal.
func appendOctets(dst, s []byte) []byte {
	for _, o := range s {
		dst = append(dst, hexDigits[o>>4], hexDigits[o&15])
	}
	return dst
}

// appendPrintable writes a string that an exporter, or a client of a TLS server, chose: what
// could move a cursor or end a line is escaped.
func appendPrintable(dst, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, '\\', 'x', hexDigits[s[0]>>4], hexDigits[s[0]&15])
		case strconv.IsPrint(r):
			dst = append(dst, s[:n]...)
		default:
			q := strconv.AppendQuoteRuneToASCII(nil, r)
			dst = append(dst, q[1:len(q)-1]...)
		}
		s = s[n:]
	}
	return dst
}

// appendCSV writes a field of RFC 4180: in quotes where it has a comma, quote or line break.
func appendCSV(dst, s []byte) []byte {
	plain := true
	for _, o := range s {
		if o == ',' || o == '"' || o == '\n' || o == '\r' {
			plain = false
			break
		}
	}
	if plain {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, o := range s {
		if o == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, o)
	}
	return append(dst, '"')
}

// appendJSON writes a string in quotes; bytes that are no UTF-8 become U+FFFD.
func appendJSON(dst, s []byte) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		o := s[0]
		if o < utf8.RuneSelf {
			switch {
			case o == '"' || o == '\\':
				dst = append(dst, '\\', o)
			case o == '\n':
				dst = append(dst, '\\', 'n')
			case o == '\r':
				dst = append(dst, '\\', 'r')
			case o == '\t':
				dst = append(dst, '\\', 't')
			case o < 0x20 || o == 0x7f:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[o>>4], hexDigits[o&15])
			default:
				dst = append(dst, o)
			}
			s = s[1:]
			continue
		}
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, "\ufffd"...)
		} else {
			dst = append(dst, s[:n]...)
		}
		s = s[n:]
	}
	return append(dst, '"')
}

func appendSlashedACL(dst, s []byte) []byte {
	var b [12]byte
	copy(b[:], s)
	for i := 0; i < 12; i += 4 {
		if i > 0 {
			dst = append(dst, '/')
		}
		dst = appendHex(append(dst, "0x"...), uint64(binary.BigEndian.Uint32(b[i:])), 1)
	}
	return dst
}
