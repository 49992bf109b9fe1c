package cli

import (
	"fmt"
	"io"
	"strings"

	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// Rows prints records of streams as text, over as many inputs as come.
type Rows struct {
	Printer *format.Printer
	Limit   uint64 // records; 0 is all
	// Select, when set, decides which records of a batch count, by its Sel; false drops it.
	Select func(*flow.Batch) (bool, error)
	// Want lists the columns that are printed; nil when they depend on the records.
	Want []flow.Key
	// Sum, when set, adds up the records printed; it runs on several goroutines.
	Sum func(*flow.Batch) error
	// Seen, when set, is told of every item before it is printed, in the order of the stream.
	Seen func(*stream.Item) error

	printed uint64
}

// Run prints the records of one stream. With rows as its method value it is what Streams wants.
func (p *Rows) Run(e *Env, r *stream.Reader) error {
	out := e.Out()
	base := p.printed
	return stream.Parallel(r, func(it *stream.Item) ([]byte, error) {
		if it.Kind != stream.KindRecords {
			return nil, nil
		}
		text, err := p.rows(it, base)
		if err != nil {
			return nil, r.Lost(it, err)
		}
		return text, nil
	}, func(it *stream.Item, text []byte) error {
		if it.Kind == stream.KindRecords {
			defer it.Batch.Release()
		}
		n := uint64(0)
		if it.Kind == stream.KindRecords && text != nil {
			n = uint64(it.Batch.Selected())
		}
		if p.Limit > 0 && n > 0 && p.printed+n >= p.Limit {
			it.Batch.First(p.Limit - p.printed)
			var err error
			if text, err = p.Printer.Batch(text[:0], it.Batch, p.printed); err != nil {
				return r.Lost(it, err)
			}
			n = p.Limit - p.printed
		}
		if p.Limit > 0 && n > 0 && p.Sum != nil { // only here it is known which records count
			if err := p.Sum(it.Batch); err != nil {
				return r.Lost(it, err)
			}
		}
		if p.Seen != nil {
			if err := p.Seen(it); err != nil {
				return err
			}
		}
		if text == nil {
			return nil
		}
		p.printed += n
		if _, err := out.Write(text); err != nil {
			return err
		}
		if p.Limit > 0 && p.printed >= p.Limit {
			return stream.ErrLimit
		}
		return out.Flush()
	})
}

func (p *Rows) rows(it *stream.Item, base uint64) ([]byte, error) {
	if p.Select != nil {
		if ok, err := p.Select(it.Batch); !ok {
			return nil, err
		}
	}
	b, err := it.Batch.Narrow(p.Want)
	if err != nil {
		return nil, err
	}
	if b != it.Batch {
		defer b.Release()
	}
	text, err := p.Printer.Batch(make([]byte, 0, 128*b.Selected()), b, base+it.Before)
	if err == nil && p.Sum != nil && p.Limit == 0 {
		err = p.Sum(b)
	}
	return text, err
}

// Printed is the number of records so far.
func (p *Rows) Printed() uint64 { return p.printed }

// Print prints all records of the inputs, with header and footer.
func (e *Env) Print(names []string, o stream.Options, p *Rows) {
	out := e.Out()
	if err := p.Printer.Header(out); err != nil {
		e.Errorf("stdout: %w", Cause(err))
		return
	}
	if e.Streams(names, o, func(r *stream.Reader) error { return p.Run(e, r) }) {
		if err := p.Printer.Footer(out); err != nil {
			e.Errorf("stdout: %w", Cause(err))
		}
	}
}

// HelpFields prints what --help-fields shows: every field, its other names and what it is.
func HelpFields(w io.Writer) error {
	for _, f := range ie.Fields() {
		token := ""
		if f.Token != "" {
			token = "%" + f.Token
		}
		names := strings.Join(append([]string{f.Name}, f.Aliases...), ", ")
		if _, err := fmt.Fprintf(w, "%-34s %-9s %s\n", names, token, f.Help); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "Any name of the IANA IPFIX registry is a field too, and PEN/NUMBER is any element.\n")
	return err
}
