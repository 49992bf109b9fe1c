package stream

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// maxHistory is the number of entries kept; more are counted.
const maxHistory = 256

// Entry is one tool's run. Parents are indexes of earlier entries whose output it read.
type Entry struct {
	Tool    string
	Version string
	Args    []string
	Port    string // which output this is when a tool has several: pass, fail
	Parents []int
}

// History is the graph of runs that made a stream, parents before children.
type History struct {
	Entries []Entry
	More    uint64 // entries left out
}

func (e *Entry) equal(o *Entry) bool {
	return e.Tool == o.Tool && e.Version == o.Version && e.Port == o.Port &&
		slices.Equal(e.Args, o.Args) && slices.Equal(e.Parents, o.Parents)
}

// Merge adds the entries of o, joining equal ones, and returns where each of them went
// (-1: left out).
func (h *History) Merge(o History) []int {
	at := make([]int, len(o.Entries))
	h.More += o.More
	for i := range o.Entries {
		e := o.Entries[i]
		parents := make([]int, 0, len(e.Parents))
		for _, p := range e.Parents {
			if at[p] >= 0 && !slices.Contains(parents, at[p]) {
				parents = append(parents, at[p])
			}
		}
		e.Parents = parents
		at[i] = h.add(e)
	}
	return at
}

func (h *History) add(e Entry) int {
	if i := slices.IndexFunc(h.Entries, func(x Entry) bool { return x.equal(&e) }); i >= 0 {
		return i
	}
	if len(h.Entries) >= maxHistory {
		h.More++
		return -1
	}
	h.Entries = append(h.Entries, e)
	return len(h.Entries) - 1
}

// Leaves are the entries that no other names as parent: the runs that wrote the stream.
func (h *History) Leaves() []int {
	used := make([]bool, len(h.Entries))
	for i := range h.Entries {
		for _, p := range h.Entries[i].Parents {
			used[p] = true
		}
	}
	var out []int
	for i, u := range used {
		if !u {
			out = append(out, i)
		}
	}
	return out
}

// Add appends a run that read what the leaves wrote.
func (h *History) Add(e Entry) int {
	e.Parents = h.Leaves()
	return h.add(e)
}

// append appends uvarint entries, each: text tool, version, port; uvarint arguments and
// texts; uvarint parents and indexes; then uvarint entries left out.
func (h *History) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(h.Entries)))
	for i := range h.Entries {
		e := &h.Entries[i]
		dst = appendText(appendText(appendText(dst, e.Tool), e.Version), e.Port)
		dst = binary.AppendUvarint(dst, uint64(len(e.Args)))
		for _, a := range e.Args {
			dst = appendText(dst, a)
		}
		dst = binary.AppendUvarint(dst, uint64(len(e.Parents)))
		for _, p := range e.Parents {
			dst = binary.AppendUvarint(dst, uint64(p))
		}
	}
	return binary.AppendUvarint(dst, h.More)
}

// cut returns the history with at most so many bytes of texts an entry; 0 leaves all entries out.
func (h *History) cut(most int) History {
	if most == 0 {
		return History{More: h.More + uint64(len(h.Entries))}
	}
	out := History{More: h.More}
	for _, e := range h.Entries {
		room := most
		fit := func(s string) string {
			s = s[:min(len(s), room)]
			room -= len(s)
			return s
		}
		e.Tool, e.Version, e.Port = fit(e.Tool), fit(e.Version), fit(e.Port)
		var args []string
		for i, a := range e.Args {
			if room -= 4; len(a) > room {
				args = append(args, fmt.Sprintf("… %d more", len(e.Args)-i))
				break
			}
			args = append(args, fit(a))
		}
		e.Args = args
		out.Entries = append(out.Entries, e)
	}
	return out
}

func parseHistory(c *cursor) History {
	var h History
	for i := range c.count(maxHistory) {
		e := Entry{Tool: c.text(), Version: c.text(), Port: c.text()}
		for range c.count(maxHeader) {
			if e.Args = append(e.Args, c.text()); c.err != nil {
				return History{}
			}
		}
		for range c.count(maxHistory) {
			p := c.uvarint()
			if p >= uint64(i) {
				c.fail("history entry %d has parent %d", i, p)
				break
			}
			e.Parents = append(e.Parents, int(p))
		}
		h.Entries = append(h.Entries, e)
	}
	h.More = c.uvarint()
	if c.err != nil {
		return History{}
	}
	return h
}
