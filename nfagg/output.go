package main

import (
	"io"
	"strings"

	"nfpipe/lib/aggregate"
	"nfpipe/lib/cli"
	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// records prints the records as they come.
func (j *job) records() {
	p, ok := j.printer()
	if !ok {
		return
	}
	rows := &cli.Rows{Printer: p, Limit: j.limit, Seen: func(it *stream.Item) error {
		j.meter.item(it)
		return nil
	}}
	if p.Summarised() {
		rows.Sum = j.meter.sum
	}
	o := stream.Options{Lazy: true}
	if fields := p.Fields(); fields != nil {
		o.Want = append(flow.KeysOfAll(fields), flow.SumKeys()...)
		rows.Want = o.Want
	}
	j.env.Print(j.names, o, rows)
	j.meter.passed = rows.Printed()
	if rows.Printed() == 0 {
		j.nothing(p)
	}
	j.stats.Add("records printed", int64(rows.Printed()))
	j.summary(p)
}

func (j *job) printer() (*format.Printer, bool) {
	p, err := format.New(j.mode, j.format)
	if err != nil {
		j.usage(err, "nfagg -o line, long, extended, csv, json, 'fmt:%ts %sa %byt'")
		return nil, false
	}
	return p, true
}

// groups aggregates by the keys.
func (j *job) groups() {
	p, ok := j.printer()
	if !ok {
		return
	}
	t, ok := j.table(j.keys)
	if !ok || !j.each(t.Fields(), func(it *stream.Item) error { return t.Add(it.Batch) }) {
		return
	}
	j.meter.table(t)
	j.stats.Add("groups", int64(t.Groups()))
	j.print(p, func(yield func(*flow.Batch) error) error { return t.Batches(j.order, j.top, yield) })
	j.summary(p)
}

func (j *job) table(keys []aggregate.Key) (*aggregate.Table, bool) {
	shows := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(j.mode, w) {
				return true
			}
		}
		return false
	}
	t, err := aggregate.New(aggregate.Spec{
		Keys:  keys,
		Out:   len(j.stat) > 0 || shows("biline", "bilong", "json", "%op", "%ob"),
		Flags: shows("long", "extended", "json", "%flg"),
		TOS:   shows("long", "extended", "json", "tos"),
	})
	if err != nil {
		return nil, j.usage(err, "--help-fields lists the fields")
	}
	return t, true
}

// ranked sorts records.
func (j *job) ranked() {
	p, ok := j.printer()
	if !ok {
		return
	}
	r := aggregate.NewRanker(j.order, j.top, 0)
	if !j.each(nil, func(it *stream.Item) error {
		if p.Summarised() {
			if err := j.meter.sum(it.Batch); err != nil {
				return err
			}
		}
		if it.Batch.Selected() == 0 {
			return nil
		}
		return r.Add(it.Batch, int(j.before+it.Before))
	}) {
		return
	}
	j.print(p, r.Batches)
	j.summary(p)
}

// print prints batches with header and footer.
func (j *job) print(p *format.Printer, batches func(func(*flow.Batch) error) error) {
	out := j.env.Out()
	printed := uint64(0)
	var text []byte
	err := p.Header(out)
	if err == nil {
		err = batches(func(b *flow.Batch) error {
			if text, err = p.Batch(text[:0], b, printed); err != nil {
				return err
			}
			printed += uint64(b.Selected())
			_, err = out.Write(text)
			return err
		})
	}
	if err == nil {
		err = p.Footer(out)
	}
	if err != nil {
		j.env.Errorf("%w", cli.Cause(err))
	}
	if printed == 0 {
		j.nothing(p)
	}
}

// nothing tells a person that no record came; it is no data and no error.
func (j *job) nothing(p *format.Printer) {
	if j.env.StderrIsTerminal() && p.NoMatch() != "" {
		j.env.Warnf("%s", strings.ToLower(p.NoMatch()))
	}
}

// statistics prints a table for each order of each -s.
func (j *job) statistics() {
	tables := make([]*aggregate.Table, len(j.stat))
	for i, s := range j.stat {
		var ok bool
		if tables[i], ok = j.table(s.Keys(j.keys)); !ok {
			return
		}
	}
	printers, ok := j.statPrinters()
	var fields []*ie.Field
	for _, t := range tables {
		fields = append(fields, t.Fields()...)
	}
	if !ok || !j.each(fields, func(it *stream.Item) error {
		for _, t := range tables {
			if err := t.Add(it.Batch); err != nil {
				return err
			}
		}
		return nil
	}) {
		return
	}
	j.meter.table(tables[0])
	out := j.env.Out()
	var last *format.Printer
	for i, s := range j.stat {
		what := "connections" // or what -A says: records have no one field
		if !s.Record {
			what = "values of " + s.Key.String()
		}
		j.stats.Add(what, int64(tables[i].Groups()))
		for k, o := range s.Orders {
			p := printers[i][k]
			if err := p.print(out, tables[i], o, j.top); err != nil {
				j.env.Errorf("%w", cli.Cause(err))
				return
			}
			last = p.printer()
		}
	}
	j.summary(last)
}

// ranking prints one order of one statistic: a table of values, or of records.
type ranking struct {
	title string
	table *format.Table
	rows  *format.Printer
}

func (r *ranking) printer() *format.Printer {
	if r.table != nil {
		return r.table.Printer
	}
	return r.rows
}

func (j *job) statPrinters() ([][]*ranking, bool) {
	out := make([][]*ranking, len(j.stat))
	for i, s := range j.stat {
		for _, o := range s.Orders {
			r := &ranking{}
			var err error
			if s.Record {
				if r.rows, err = format.New(j.mode, j.format); err == nil && r.rows.Titled() {
					r.title = format.Title(j.top, "flows", o.String())
				}
			} else {
				r.table, err = format.NewTable(format.Statistic{Key: s.Key.Field, Order: o.String(), Top: j.top, Split: s.Proto}, j.mode, j.format)
			}
			if err != nil {
				return nil, j.usage(err, "nfagg -s srcip/bytes -o csv")
			}
			out[i] = append(out[i], r)
		}
	}
	return out, true
}

func (r *ranking) print(out io.Writer, t *aggregate.Table, o aggregate.Order, top int) error {
	if _, err := io.WriteString(out, r.title); err != nil {
		return err
	}
	if err := r.printer().Header(out); err != nil {
		return err
	}
	sums := t.Totals()
	printed := uint64(0)
	err := t.Batches(o, top, func(b *flow.Batch) error {
		var text []byte
		var err error
		if r.table != nil {
			text, err = r.table.Batch(nil, b, printed, format.Sums{Flows: sums.Flows, Packets: sums.Packets, Bytes: sums.Bytes, OutPackets: sums.OutPackets, OutBytes: sums.OutBytes})
		} else {
			text, err = r.rows.Batch(nil, b, printed)
		}
		if err != nil {
			return err
		}
		printed += uint64(b.N)
		_, err = out.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	if err := r.printer().Footer(out); err != nil {
		return err
	}
	if r.printer().Titled() {
		_, err = io.WriteString(out, "\n")
	}
	return err
}
