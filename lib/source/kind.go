package source

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Kind is what an input holds, told by its first bytes.
type Kind uint8

const (
	Unknown Kind = iota // none of the others
	Empty               // not one byte
	Stream              // a flow stream of this project
	Pcap                // a capture of packets
	Pcapng              // a capture of packets, next generation
	Nfdump              // a file of nfdump, layout 1, 2 or 3
	Text                // text: CSV, JSON, a filter, a web page…
)

var kindNames = [...]string{
	Unknown: "unknown data",
	Empty:   "empty",
	Stream:  "flow stream",
	Pcap:    "pcap capture",
	Pcapng:  "pcapng capture",
	Nfdump:  "nfdump file",
	Text:    "text",
}

// String is for messages: "x.bin is a pcap capture, not a flow stream".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown data"
}

// StreamMagic begins every segment of a flow stream. Its first byte is above
// 127 and no UTF-8 text begins with it.
const StreamMagic = "\x8eNFS"

// magics are the first bytes by which a kind is known. The pcap magic comes in
// both byte orders, for microseconds, nanoseconds, and Kuznetzov's variant.
var magics = []struct {
	prefix string
	kind   Kind
}{
	{StreamMagic, Stream},
	{"\xa1\xb2\xc3\xd4", Pcap}, {"\xd4\xc3\xb2\xa1", Pcap},
	{"\xa1\xb2\x3c\x4d", Pcap}, {"\x4d\x3c\xb2\xa1", Pcap},
	{"\xa1\xb2\xcd\x34", Pcap}, {"\x34\xcd\xb2\xa1", Pcap},
	{"\x0a\x0d\x0d\x0a", Pcapng},
	// u16 magic 0xa50c and u16 layout, in the writer's byte order.
	{"\x0c\xa5\x01\x00", Nfdump}, {"\x0c\xa5\x02\x00", Nfdump}, {"\x0c\xa5\x03\x00", Nfdump},
	{"\xa5\x0c\x00\x01", Nfdump}, {"\xa5\x0c\x00\x02", Nfdump}, {"\xa5\x0c\x00\x03", Nfdump},
}

// KindOf tells the kind of data that begins with head.
func KindOf(head []byte) Kind {
	if len(head) == 0 {
		return Empty
	}
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			return m.kind
		}
	}
	if strings.HasPrefix(StreamMagic, string(head)) {
		return Stream // cut off at once, which is for its reader to say
	}
	if isText(head) {
		return Text
	}
	return Unknown
}

// isText allows a last rune that is cut off by the end of head.
func isText(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(head)
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' {
			return false
		}
		head = head[n:]
	}
	return true
}
