package cli

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"nfpipe/lib/archive"
	"nfpipe/lib/column"
	"nfpipe/lib/source"
	"nfpipe/lib/stream"
)

// Streams gives the reader of each input to read, one after the other, and reports what was
// wrong with them: damage makes the exit code 3, an input that cannot be read 1, and the
// others are read all the same. An error of read, such as a full disk, ends it; then, and
// only then, Streams is false. stream.ErrLimit ends it silently.
func (e *Env) Streams(names []string, o stream.Options, read func(*stream.Reader) error) bool {
	for _, name := range names {
		in := e.OpenInput(name)
		if in == nil {
			continue
		}
		if more, ok := e.Stream(name, in, o, read); !more {
			return ok
		}
	}
	return true
}

// OpenInput opens an input; what is wrong with it is reported and nil returned.
func (e *Env) OpenInput(name string) *source.Input {
	in, err := e.openInput(name)
	if errors.Is(err, source.ErrCorrupt) {
		e.Damagedf("%w", err)
		return nil
	} else if err != nil {
		e.Error(err)
		return nil
	}
	return in
}

// Stream is Streams for one input, opened under a name, which it closes. more is false when no
// other is to be read.
func (e *Env) Stream(name string, in *source.Input, o stream.Options, read func(*stream.Reader) error) (more, ok bool) {
	if in.Kind != source.Stream && in.Kind != source.Empty && !o.Recover {
		e.Errorf("%s is %s, not a flow stream", in.Name, article(in.Kind))
		if hint := hintFor(in.Kind, name); hint != "" {
			e.Hintf("%s", hint)
		}
		in.Close()
		return true, true
	}
	o.Name, o.Open = in.Name, isOpenSlot(name, in)
	var r *stream.Reader
	packed := &endsWhenCorrupt{in: in}
	if f := in.File(); f != nil && o.Lazy && atStart(f) {
		r = stream.NewReader(f, o)
	} else if in.Compression != "" {
		r = stream.NewReader(packed, o)
	} else {
		r = stream.NewReader(in, o)
	}
	err := read(r)
	status, problems := r.Status()
	for _, p := range problems {
		switch {
		case status > stream.Open:
			e.Damagedf("%s", p)
		case e.StderrIsTerminal(): // no fault, and cron is not to send mail about it
			e.Warnf("%s", p)
		}
	}
	if packed.err != nil {
		e.Damagedf("%w", packed.err)
	}
	if cerr := in.Close(); err == nil && cerr != nil {
		e.Error(cerr)
	}
	if errors.Is(err, stream.ErrLimit) {
		return false, true
	}
	if err != nil {
		e.Errorf("%w", Cause(err))
		return false, false
	}
	return true, true
}

// openInput opens an input; instead of a slot that was closed since it was listed, the file that
// it has become.
func (e *Env) openInput(name string) (*source.Input, error) {
	in, err := source.Open(name, e.Stdin)
	if errors.Is(err, fs.ErrNotExist) {
		if path, ok := archive.Moved(name); ok {
			return source.Open(path, e.Stdin)
		}
	}
	return in, err
}

// isOpenSlot tells whether an input is a slot that a collector is writing.
func isOpenSlot(name string, in *source.Input) bool {
	return archive.IsOpen(name) && in.File() != nil && archive.Writing(in.File())
}

// endsWhenCorrupt makes a compressed file whose rest cannot be unpacked a stream
// that was cut off there, so that what came before is used.
type endsWhenCorrupt struct {
	in  *source.Input
	err error
}

func (c *endsWhenCorrupt) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if errors.Is(err, source.ErrCorrupt) {
		c.err, err = err, io.EOF
	}
	return n, err
}

func atStart(f io.Seeker) bool {
	at, err := f.Seek(0, io.SeekCurrent)
	return err == nil && at == 0
}

func article(k source.Kind) string {
	switch k {
	case source.Unknown, source.Text:
		return k.String()
	case source.Nfdump:
		return "an " + k.String()
	}
	return "a " + k.String()
}

func hintFor(k source.Kind, name string) string {
	arg := ""
	if name != "-" {
		arg = " " + Quote(name)
	}
	if k == source.Pcap || k == source.Pcapng {
		return "nfpcap -r" + arg + " makes flow records of packets"
	}
	return ""
}

// History is the entry of this run for the streams that it writes.
func (e *Env) History() stream.Entry {
	return stream.Entry{Tool: e.Tool, Version: Version, Args: e.Args}
}

// Keeps tells whether the history is written: not with --no-history, nor with NFPIPE_HISTORY=0.
func (e *Env) Keeps(noHistory bool) bool { return !noHistory && e.Getenv("NFPIPE_HISTORY") != "0" }

// Compressions are the words that -z knows.
var Compressions = []string{"none", "s2", "zstd", "lz4", "lzo", "bz2"}

// Compression reads a word of -z, with or without a level. The names of nfdump's other codecs
// mean zstd.
func (e *Env) Compression(word string) (column.Comp, bool) {
	name, _, _ := strings.Cut(word, ":")
	switch name {
	case "none":
		return column.None, true
	case "s2":
		return column.S2, true
	case "lz4", "lzo", "bz2":
		e.Warnf("-z %s: compressed with zstd instead", name)
		return column.Zstd, true
	case "zstd":
		return column.Zstd, true
	}
	e.Usagef("unknown compression %q", word)
	e.Hintf("-z none, -z s2 or -z zstd")
	return 0, false
}

// Now is the time of creation for the streams that this run writes.
func Now() uint64 { return uint64(time.Now().UnixNano()) }

// CopyRange copies part of a file to stdout without taking it into memory where the kernel
// can do so.
func (e *Env) CopyRange(f io.ReaderAt, off, n int64) error {
	off, n, err := spliceRange(f, e.Stdout, off, n)
	if err != nil || n == 0 {
		return err
	}
	_, err = io.Copy(e.Stdout, io.NewSectionReader(f, off, n))
	return err
}
