// Nfagg aggregates, ranks and formats flow records.
package main

import (
	"os"
	"time"

	"nfpipe/lib/aggregate"
	"nfpipe/lib/cli"
	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

const usage = `
Usage: nfagg [options]

Reads a flow stream and prints it: record by record, or grouped, ranked and
summed up, with the options of nfdump.

Examples:
  nfcat -r a.nf | nffilter 'dst port 53' | nfagg -A srcip,dstip
  nfcat -r a.nf | nfagg -s srcip/bytes -n 10       top talkers
  nfagg -r a.nf -s dstport/flows/bytes             two rankings in one pass
  nfagg -r a.nf -A srcip4/24,dstport -O bytes -n 20 -o csv
  nfagg -r a.nf -a -O bytes -n 10 -o long          largest connections
  nfagg -r a.nf -o 'fmt:%ts , %te , %sa' -q

Options:
  -r, --read FILE      read FILE instead of stdin, and only the columns that are
                       needed; may be repeated
  -A, --aggregate LIST group by these fields (see --help-fields); addresses may
                       have a prefix length: srcip4/24,srcip6/64,dstport
  -a, --aggregate-5tuple  group by addresses, ports and protocol
  -s, --stat STAT      rank the values of a field: FIELD[:p][/ORDER]..., as in
                       srcip/bytes, port:p/flows, record/bytes; may be repeated
  -O, --order ORDER    sort by flows, packets, bytes, pps, bps, bpp, tstart,
                       tend or duration; :a ascending, :d descending
  -n, --top N          the first N rows (10 for -s, all otherwise; 0 is all)
  -c, --limit N        look at the first N records only
  -o, --output MODE    line, long, extended, biline, bilong, csv, json, ndjson,
                       null, fmt:..., csv:... with %tokens (see --help-fields);
                       a 6 behind a mode shows IPv6 in full
  -q, --quiet          no header and no summary
  -N, --plain          plain numbers, unscaled
  -6, --full-ipv6      IPv6 addresses in full
      --raw            counters as sent, not scaled by the sampling rate
      --stats          say on stderr what was read and decoded
      --help-fields    list the fields and tokens
  -h, --help           show this help
  -V, --version        show the version
      --completion SHELL  print the completion script of bash, zsh or fish

Groups without -O are sorted by their start; ties are always ordered by key.

Exit status: 0 done (also if there was no record), 1 failed, 2 wrong usage, 3
done, but the input was damaged.
`

func main() {
	cli.ShortLived()
	os.Exit(run(cli.OS()))
}

// job is what the options ask for.
type job struct {
	env   *cli.Env
	names []string
	limit uint64
	stats *cli.Stats

	keys  []aggregate.Key // nil: records are not grouped
	stat  []aggregate.Stat
	order aggregate.Order // By None: as they come, groups by start
	top   int

	mode   string
	format format.Options

	before uint64 // records of the inputs before this one
	meter  usageMeter
}

func run(env *cli.Env) int {
	j := &job{env: env}
	if j.parse() {
		defer env.Drain()()
		j.meter.start()
		j.run()
		j.stats.Print()
	}
	return env.Close()
}

func (j *job) parse() bool {
	o := j.env.Options(usage)
	read := o.StringArrayP("read", "r", nil, "read `FILE` instead of stdin")
	list := o.StringP("aggregate", "A", "", "group by the fields of `LIST`")
	tuple := o.BoolP("aggregate-5tuple", "a", false, "group by the 5-tuple")
	stats := o.StringArrayP("stat", "s", nil, "rank the values of a field: `STAT`")
	order := o.StringP("order", "O", "", "sort by `ORDER`")
	o.IntVarP(&j.top, "top", "n", -1, "the first `N` rows")
	o.Uint64VarP(&j.limit, "limit", "c", 0, "look at the first `N` records only")
	o.StringVarP(&j.mode, "output", "o", "", "`MODE` of the output")
	o.BoolVarP(&j.format.Quiet, "quiet", "q", false, "no header and no summary")
	o.BoolVarP(&j.format.Plain, "plain", "N", false, "plain numbers")
	o.BoolVarP(&j.format.Full, "full-ipv6", "6", false, "IPv6 addresses in full")
	o.BoolVar(&j.format.Raw, "raw", false, "counters as they were sent")
	wanted := o.Bool("stats", false, "say what was read and decoded")
	o.Printer("help-fields", "", "list the fields and tokens", cli.HelpFields)
	if !o.Parse() || !o.NoFilter(true) {
		return false
	}
	j.format.Location = time.Local
	j.stats = j.env.Stats(*wanted)
	var ok bool
	if j.names, ok = j.env.Inputs(*read); !ok {
		return false
	}
	return j.parseKeys(*list, *tuple) && j.parseStats(*stats) && j.parseOrder(*order)
}

func (j *job) usage(err error, hint string) bool {
	j.env.Usagef("%v", err)
	j.env.Hintf("%s", hint)
	return false
}

func (j *job) parseKeys(list string, tuple bool) bool {
	if list == "" {
		if tuple {
			j.keys = aggregate.Tuple()
		}
		return true
	}
	keys, err := aggregate.ParseKeys(list)
	if err != nil {
		return j.usage(err, "nfagg -A srcip,dstip; --help-fields lists the fields")
	}
	j.keys = keys
	if j.mode == "" && !tuple {
		j.mode = format.Aggregated(fieldsOf(keys))
	} else if j.mode == "csv" {
		j.mode = format.AggregatedCSV(fieldsOf(keys))
	}
	return true
}

func fieldsOf(keys []aggregate.Key) []*ie.Field {
	fields := make([]*ie.Field, len(keys))
	for i, k := range keys {
		fields[i] = k.Field
	}
	return fields
}

func (j *job) parseStats(words []string) bool {
	for _, w := range words {
		s, err := aggregate.ParseStat(w)
		if err != nil {
			return j.usage(err, "nfagg -s srcip/bytes; --help-fields lists the fields")
		}
		j.stat = append(j.stat, s)
	}
	return true
}

func (j *job) parseOrder(word string) bool {
	if j.top < 0 {
		j.top = 0
		if len(j.stat) > 0 {
			j.top = 10
		}
	}
	if word == "" {
		return true
	}
	if len(j.stat) > 0 {
		j.env.Usagef("-O does not go with -s")
		j.env.Hintf("the order belongs to the statistic: -s srcip/%s", word)
		return false
	}
	var err error
	if j.order, err = aggregate.ParseOrder(word); err != nil {
		return j.usage(err, "nfagg -O bytes")
	}
	return true
}

func (j *job) run() {
	switch {
	case len(j.stat) > 0:
		j.statistics()
	case j.keys != nil:
		j.groups()
	case j.order.By != aggregate.None:
		j.ranked()
	default:
		j.records()
	}
}

// each gives every batch to add, on several goroutines, and counts what it read. Of the
// columns only those of the fields are read, if fields are given.
func (j *job) each(fields []*ie.Field, add func(*stream.Item) error) bool {
	var left *uint64
	if j.limit > 0 {
		left = &j.limit
	}
	o := stream.Options{Lazy: true}
	if fields != nil {
		o.Want = flow.KeysOfAll(fields)
	}
	return j.env.Streams(j.names, o, func(r *stream.Reader) error {
		j.before = j.meter.passed
		return stream.Parallel(r, func(it *stream.Item) (struct{}, error) {
			if it.Kind != stream.KindRecords || left != nil {
				return struct{}{}, nil
			}
			if err := narrowed(it, o.Want, add); err != nil {
				return struct{}{}, r.Lost(it, err)
			}
			return struct{}{}, nil
		}, func(it *stream.Item, _ struct{}) error {
			return j.count(r, it, left, add)
		})
	})
}

// narrowed gives add a batch of the selected records alone when they are few.
func narrowed(it *stream.Item, want []flow.Key, add func(*stream.Item) error) error {
	whole := it.Batch
	b, err := whole.Narrow(want)
	if err != nil || b == whole {
		if err == nil {
			err = add(it)
		}
		return err
	}
	it.Batch = b
	err = add(it)
	it.Batch = whole
	b.Release()
	return err
}

// count keeps the numbers of the summary, in the order of the stream; a limited run adds here.
func (j *job) count(r *stream.Reader, it *stream.Item, left *uint64, add func(*stream.Item) error) error {
	last := false
	if it.Kind == stream.KindRecords {
		defer it.Batch.Release()
		if left != nil {
			if *left <= uint64(it.Batch.Selected()) {
				it.Batch.First(*left)
				last = true
			}
			*left -= uint64(it.Batch.Selected())
			if err := add(it); err != nil {
				if err := r.Lost(it, err); err != nil {
					return err
				}
			}
		}
	}
	j.meter.item(it)
	if last {
		return stream.ErrLimit
	}
	return nil
}
