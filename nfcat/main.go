// Nfcat reads files of flow records and writes them as one stream.
package main

import (
	"os"
	"strings"

	"nfpipe/lib/cli"
	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

const usage = `
Usage: nfcat [-r FILE | -R RANGE]... [options]

Reads files of flow records and writes them to stdout as one flow stream; at a
terminal it shows them as lines, with --columns those fields.

Examples:
  nfcat -r a.nf | nffilter 'dst port 53' | nfagg -A srcip,dstip
  nfcat -r a.nf -r b.nf > both.nf            join files
  nfcat -r a.nf -z zstd > small.nf           compress
  nfcat -r a.nf --columns srcip,dstip,bytes | nfagg -s srcip/bytes
  nfcat -r broken.nf --recover > whole.nf    keep what is whole of damaged data
  nfcat -r a.nf --count                      how many records
  nfcat -R netflow/nfcap.202611240900:nfcap.202611241000 | nfagg -s srcip
  nfcat -R netflow -t 2026/11/24.09:10-2026/11/24.09:20 > some.nf
  nfcat -R netflow -I                        what there is, as nfdump -I says

Options:
  -r, --read FILE      read FILE; may be repeated; - is stdin, as is none at all
  -R, --range RANGE    read slots of an archive: DIR is all of them, DIR/A those
                       from A on, DIR/A:B those from A to B; may be repeated
  -M, --dirs D/A:B:C   the same -r or -R in each of the directories D/A, D/B, ..
  -t, --time WINDOW    only records that begin and end in
                       YYYY/MM/DD.hh:mm:ss[-YYYY/MM/DD.hh:mm:ss], whose ends may
                       be missing; +N, -N: the first, last N seconds of all
  -I, --info           print what the files add up to instead
  -c, --limit N        stop after N records
      --columns LIST   keep only these fields (see --help-fields)
  -z, --compress=WHAT  encode again, compressed: none, s2 or zstd; lz4, lzo and
                       bz2 of nfdump mean zstd. Not at a terminal
  -y, --compress-default  the same as -z=s2
      --compact        leave out for good what a filter dropped
      --recover        read on after damage, and say what was lost
      --count          print the number of records instead
      --no-history     do not say in the output how it was made
      --reproducible   equal input gives equal bytes: no time, no history
      --stats          say on stderr what was read and written
      --help-fields    list the fields
  -h, --help           show this help
  -V, --version        show the version
      --completion SHELL  print the completion script of bash, zsh or fish

Exit status: 0 done, 1 failed, 2 wrong usage, 3 done, but the input was damaged.
`

type config struct {
	read, ranges                          *[]string
	limit                                 *uint64
	dirs, columns, compress               *string
	compact, recover, count, plain, stats *bool
	noHistory                             *bool
	window                                *window // of -t
}

func main() {
	cli.ShortLived()
	os.Exit(run(cli.OS()))
}

func run(env *cli.Env) int {
	o := env.Options(usage)
	var c config
	c.read = o.StringArrayP("read", "r", nil, "read `FILE`")
	c.ranges = o.StringArrayP("range", "R", nil, "read the slots of `RANGE`")
	c.dirs = o.StringP("dirs", "M", "", "read from each of the `DIRECTORIES`")
	span := o.StringP("time", "t", "", "only records of the `WINDOW`")
	sums := o.BoolP("info", "I", false, "print what the files add up to")
	c.limit = o.Uint64P("limit", "c", 0, "stop after `N` records")
	c.columns = o.String("columns", "", "keep only the fields of `LIST`")
	c.compress = o.Optional("compress", "z", "", "s2", cli.Compressions, "encode again, compressed as `WHAT`")
	y := o.BoolP("compress-default", "y", false, "the same as -z=s2")
	c.compact = o.Bool("compact", false, "leave out for good what a filter dropped")
	c.recover = o.Bool("recover", false, "read on after damage")
	c.count = o.Bool("count", false, "print the number of records")
	c.noHistory = o.Bool("no-history", false, "do not say how the output was made")
	c.plain = o.Bool("reproducible", false, "no time, no history")
	c.stats = o.Bool("stats", false, "say what was read and written")
	o.Printer("help-fields", "", "list the fields", cli.HelpFields)
	if !o.Parse() || !o.NoFilter(false) {
		return env.Close()
	}
	if *sums && *span != "" {
		env.Usagef("-I adds up whole files, and -t takes parts of them")
		env.Hintf("nfcat -t ... | nfcat -I")
		return env.Close()
	}
	if *y && *c.compress == "" {
		*c.compress = "s2"
	}
	names, ok := inputs(env, &c)
	if ok && *span != "" {
		if c.window, ok = windowOf(env, *span, names); ok {
			names = c.window.files(names)
		}
	}
	if !ok {
		return env.Close()
	}
	defer env.Drain()()
	switch {
	case *sums:
		info(env, names, &c)
	case *c.count:
		count(env, names, &c)
	case env.StdoutIsTerminal():
		show(env, names, &c)
	default:
		copyAll(env, names, &c)
	}
	return env.Close()
}

// copyAll writes all inputs to stdout, untouched unless an option changes them.
func copyAll(env *cli.Env, names []string, c *config) {
	t := stream.Transform{W: stream.NewWriter(env.Stdout), Copy: env.CopyRange, Plain: *c.plain, Now: cli.Now}
	if env.Keeps(*c.noHistory) {
		t.Entry = env.History()
	}
	t.Limited, t.Limit = *c.limit > 0, *c.limit
	if *c.compress != "" {
		comp, ok := env.Compression(*c.compress)
		if !ok {
			return
		}
		t.Comp = comp
	}
	keys, _, ok := columns(env, *c.columns)
	if !ok {
		return
	}
	keepSelection := env.StdoutIsPipe() && !*c.compact
	if keys != nil || *c.compress != "" || !keepSelection || c.window != nil {
		t.Work = work(c.window, keys, *c.compress != "", t.Comp, keepSelection)
	}
	s := env.Stats(*c.stats)
	env.Streams(names, stream.Options{Recover: *c.recover, Lazy: true}, t.Run)
	s.Add("records read", int64(t.Stats.Read))
	s.Add("records written", int64(t.Stats.Written))
	s.Add("frames passed untouched", int64(t.Stats.Passed))
	s.Add("frames encoded again", int64(t.Stats.Encoded))
	s.Print()
}

// work changes a frame as the options say, or passes it.
func work(w *window, keys []flow.Key, encode bool, comp column.Comp, keepSelection bool) func(*flow.Batch) (stream.Verdict, error) {
	return func(b *flow.Batch) (stream.Verdict, error) {
		if w != nil {
			if some, err := w.match(b); !some || err != nil {
				return stream.Verdict{Drop: true}, err
			}
		}
		if keys == nil && !encode && (b.Sel == nil || keepSelection) {
			return stream.Verdict{}, nil
		}
		if keys != nil {
			if err := b.Project(keys); err != nil {
				return stream.Verdict{}, err
			}
		}
		if encode {
			if err := b.Decode(); err != nil {
				return stream.Verdict{}, err
			}
		}
		f, err := stream.EncodeFrame(b, comp, keepSelection)
		return stream.Verdict{Frame: f}, err
	}
}

// columns reads the list of --columns: the columns of a stream, nil for all, and the output mode
// of the lines at a terminal. Of a field that stands for several the lines have each.
func columns(env *cli.Env, list string) (keys []flow.Key, mode string, ok bool) {
	if list == "" {
		return nil, "line", true
	}
	keys = []flow.Key{}
	var tokens []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		f, ok := ie.FieldByName(name)
		if !ok {
			env.Usagef("unknown field %q in --columns", name)
			env.Hintf("nfcat --help-fields lists the fields")
			return nil, "", false
		}
		keys = append(keys, flow.KeysOf(f)...)
		if len(f.Either) == 0 {
			tokens = append(tokens, "%{"+name+"}")
		}
		for _, one := range f.Either {
			tokens = append(tokens, "%{"+one+"}")
		}
	}
	return keys, "fmt:" + strings.Join(tokens, " "), true
}
