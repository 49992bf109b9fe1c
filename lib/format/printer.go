package format

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// Options are what holds for every mode.
type Options struct {
	Plain    bool           // -N: counters in full, protocols as numbers, durations in seconds
	Quiet    bool           // -q: no header, no summary
	Full     bool           // -6: IPv6 addresses in full
	Raw      bool           // counters as sent, not scaled by the sampling rate
	Location *time.Location // of local times; nil is UTC
}

// family says what goes around the rows.
type family uint8

const (
	familyText family = iota
	familyCSV
	familyJSON // an array
	familyLines
	familyNull
)

// Printer writes records in one mode. It does not change: several goroutines may call Batch.
type Printer struct {
	o      Options
	family family
	items  []item
	header string

	style   jsonStyle // JSON only, which has no fixed items
	members []member

	pool sync.Pool
}

// New compiles a mode: a name, the name and "6" for full IPv6 addresses, or fmt: or csv:
// with tokens.
func New(mode string, o Options) (*Printer, error) {
	p := &Printer{o: o}
	p.pool.New = func() any {
		return &work{local: newClock(o.Location), utc: newClock(nil), views: map[viewKey]flow.View{}}
	}
	if err := p.compile(mode); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Printer) compile(mode string) error {
	if spec, ok := strings.CutPrefix(mode, "fmt:"); ok {
		return p.compileTokens(spec)
	}
	if spec, ok := strings.CutPrefix(mode, "csv:"); ok {
		return p.compileCSV(spec)
	}
	name := mode
	if name == "" {
		name = "line"
	}
	if n, ok := strings.CutSuffix(name, "6"); ok {
		name, p.o.Full = n, true
	}
	if spec, ok := textModes[name]; ok {
		return p.compileTokens(spec)
	}
	switch name {
	case "csv":
		return p.compileCSV(csvMode)
	case "csv-fast":
		p.compileFast()
		return nil
	case "json", "ndjson":
		p.compileJSON(name == "json")
		return nil
	case "null":
		p.family = familyNull
		return nil
	case "raw", "pipe":
		return fmt.Errorf("output mode %q is not supported: ndjson shows all of a record", name)
	}
	return fmt.Errorf("unknown output mode %q: use line, long, extended, biline, bilong, nsel, nat, csv, csv-fast, json, ndjson, null, fmt:… or csv:…", mode)
}

// Titled tells whether titles belong above the rows, and an empty line behind each of several
// lists.
func (p *Printer) Titled() bool { return !p.o.Quiet && p.family == familyText }

// Summarised tells whether a summary belongs behind the rows.
func (p *Printer) Summarised() bool { return p.Titled() || !p.o.Quiet && p.family == familyNull }

// NoMatch is what a run that printed no row may say, "" if nothing. It is no data: it goes
// to standard error.
func (p *Printer) NoMatch() string {
	if p.Titled() {
		return "No matching flows"
	}
	return ""
}

// Header writes what comes before the first row.
func (p *Printer) Header(w io.Writer) error {
	if p.header == "" {
		return nil
	}
	_, err := io.WriteString(w, p.header)
	return err
}

// Footer writes what comes behind the last row, the summary not included.
func (p *Printer) Footer(w io.Writer) error {
	if p.family != familyJSON {
		return nil
	}
	_, err := io.WriteString(w, "\n]\n")
	return err
}

// Batch appends the selected records of b to dst. printed is the number of rows before the
// batch, over all batches. The batch may be released when the call has returned.
func (p *Printer) Batch(dst []byte, b *flow.Batch, printed uint64) ([]byte, error) {
	if p.family == familyNull || b.N == 0 {
		return dst, nil
	}
	w := p.pool.Get().(*work)
	defer p.pool.Put(w)
	w.number = printed
	defer w.forget()
	items, omit := p.items, false
	if p.family == familyJSON || p.family == familyLines {
		var err error
		if items, err = p.objects(w, b); err != nil {
			return dst, err
		}
		omit = true
	}
	if err := w.bind(b, items, omit); err != nil {
		return dst, err
	}
	return w.rows(dst, b), nil
}

// Fields lists the fields whose values are printed; nil when they depend on the records.
func (p *Printer) Fields() []*ie.Field {
	if p.family == familyJSON || p.family == familyLines {
		return nil
	}
	fields := []*ie.Field{}
	for i := range p.items {
		fields = append(fields, p.items[i].sources...)
	}
	return fields
}
