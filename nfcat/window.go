package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/filter"
	"nfpipe/lib/flow"
	"nfpipe/lib/source"
	"nfpipe/lib/stream"
)

// window is the time that -t leaves: records that begin and end in it, its ends included.
type window struct {
	first, last time.Time // last is zero without an end
	filter      *filter.Filter
}

// windowOf reads -t. A window that counts from the beginning or end of all flows needs the
// inputs, which it then reads the headers of.
func windowOf(env *cli.Env, spec string, names []string) (*window, bool) {
	var w window
	var err error
	if strings.HasPrefix(spec, "+") || strings.HasPrefix(spec, "-") {
		err = w.relative(spec, names)
	} else {
		err = w.absolute(spec)
	}
	if err != nil {
		env.Usagef("-t %s: %v", spec, err)
		env.Hintf("-t 2026/11/24.09:00:00-2026/11/24.09:30, -t 2026/11/24, -t +60 or -t -60")
		return nil, false
	}
	const form = "2006-01-02T15:04:05.000Z"
	text := "first >= " + w.first.UTC().Format(form)
	if !w.last.IsZero() {
		text += " and last <= " + w.last.UTC().Format(form)
	}
	if w.filter, err = filter.Parse(text, filter.Options{}); err != nil {
		env.Error(err)
		return nil, false
	}
	return &w, true
}

// absolute reads a time, and perhaps another behind a minus.
func (w *window) absolute(spec string) error {
	first, last, two := strings.Cut(spec, "-")
	var err error
	if w.first, err = moment(first); err == nil && two {
		w.last, err = moment(last)
	}
	if err == nil && two && w.last.Before(w.first) {
		err = errors.New("ends before it begins")
	}
	return err
}

// moment reads a time of day as nfdump writes it, whose end may be missing.
func moment(s string) (time.Time, error) {
	for _, form := range []string{"2006", "2006/01", "2006/01/02", "2006/01/02.15", "2006/01/02.15:04", "2006/01/02.15:04:05"} {
		if t, err := time.ParseInLocation(form, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", s)
}

// relative reads a number of seconds: from the beginning of all flows on, or up to their end.
func (w *window) relative(spec string, names []string) error {
	n, err := strconv.ParseInt(spec[1:], 10, 32)
	if err != nil || n <= 0 {
		return errors.New("not a number of seconds")
	}
	if slices.Contains(names, "-") {
		return errors.New("stdin cannot be read twice, name files")
	}
	all := flow.Totals{}
	for _, name := range names {
		t := spanOf(name)
		all.Add(&t)
	}
	w.first, w.last = time.Unix(0, int64(all.First)), time.Unix(0, int64(all.Last))
	if spec[0] == '+' {
		w.last = w.first.Add(time.Duration(n) * time.Second)
	} else {
		w.first = w.last.Add(-time.Duration(n) * time.Second)
	}
	return nil
}

// spanOf is what the records of a file, or the headers of its frames, span. What is wrong with
// the file is said when it is read.
func spanOf(name string) flow.Totals {
	var all flow.Totals
	if ends, ok := endsOf(name); ok {
		for i := range ends {
			all.Add(&ends[i].Totals)
		}
		return all
	}
	in, err := source.Open(name, nil)
	if err != nil {
		return all
	}
	defer in.Close()
	var r io.Reader = in
	if f := in.File(); f != nil {
		r = f
	}
	stream.NewReader(r, stream.Options{Name: name, Lazy: true}).Each(func(b *flow.Batch) error {
		all.Add(&b.Totals)
		return nil
	})
	return all
}

// files leaves out those that cannot have a record of the window, by their ends. One is kept,
// for what is written must be a stream.
func (w *window) files(names []string) []string {
	kept := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		ends, ok := endsOf(name)
		return ok && !slices.ContainsFunc(ends, func(e stream.End) bool { return w.meets(&e.Totals) })
	})
	if len(kept) == 0 {
		return names[:1]
	}
	return kept
}

// meets tells whether some of the records may be in the window.
func (w *window) meets(t *flow.Totals) bool {
	if t.First == 0 && t.Last == 0 || time.Unix(0, int64(t.Last)).Before(w.first) {
		return false
	}
	return w.last.IsZero() || !time.Unix(0, int64(t.First)).Truncate(time.Millisecond).After(w.last)
}

// match leaves the records of the window selected; false when there are none.
func (w *window) match(b *flow.Batch) (bool, error) {
	bits := flow.NewBitmap(b.N)
	m, err := w.filter.Eval(b, bits)
	if err != nil || m == filter.None {
		return false, err
	}
	if m == filter.Some {
		b.Sel = bits
	}
	return true, nil
}
