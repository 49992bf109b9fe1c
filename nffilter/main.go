// Nffilter keeps the flow records that match a filter.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/column"
	"nfpipe/lib/filter"
	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
)

const usage = `
Usage: nffilter [options] FILTER

Reads a flow stream and passes on the records that match FILTER, in the filter
language of nfdump; at a terminal it shows them as lines.

Examples:
  nfcat -r a.nf | nffilter 'dst port 53' | nfagg -A srcip,dstip
  nffilter -r a.nf 'src net 10.0.0.0/8 and bytes > 1m' > big.nf
  nfcat -r a.nf | nffilter -v 'proto tcp'         all but TCP
  nffilter -Z 'dst prot 53'                       check a filter

Options:
  -r, --read FILE     read FILE instead of stdin; may be repeated
  -f, --filter FILE   read the filter from FILE
  -v, --invert        pass on the records that do not match
  -c, --limit N       stop after N matching records
      --compact       leave out for good what does not match; without it, a pipe
                      carries whole frames with a mark for each matching record,
                      which is faster. Use it before data leaves your hands
      --count         print the number of matching records instead
  -Z, --check         only check the filter: exit 0 if it is right, 2 if not
      --no-history    do not say in the output how it was made
      --reproducible  equal input gives equal bytes: no time, no history
      --stats         say on stderr what was read, decided and passed on
      --help-fields   list the fields
  -h, --help          show this help
  -V, --version       show the version
      --completion SHELL  print the completion script of bash, zsh or fish

The filter: any · ip, host, net · port · proto, tcp, udp, icmp · src, dst ·
packets, bytes, flows, duration, pps, bps, bpp · flags · = != < > <= >= ·
in [ a b c ] · and or not ( ) · any field of --help-fields · @include FILE

Exit status: 0 done (also if nothing matched), 1 failed, 2 wrong usage or
filter, 3 done, but the input was damaged.
`

func main() {
	cli.ShortLived()
	os.Exit(run(cli.OS()))
}

type config struct {
	read                                                   *[]string
	file                                                   *string
	limit                                                  *uint64
	invert, compact, count, check, noHistory, plain, stats *bool
}

func run(env *cli.Env) int {
	o := env.Options(usage)
	var c config
	c.read = o.StringArrayP("read", "r", nil, "read `FILE` instead of stdin")
	c.file = o.StringP("filter", "f", "", "read the filter from `FILE`")
	c.invert = o.BoolP("invert", "v", false, "pass on what does not match")
	c.limit = o.Uint64P("limit", "c", 0, "stop after `N` matching records")
	c.compact = o.Bool("compact", false, "leave out for good what does not match")
	c.count = o.Bool("count", false, "print the number of matching records")
	c.check = o.BoolP("check", "Z", false, "only check the filter")
	c.noHistory = o.Bool("no-history", false, "do not say how the output was made")
	c.plain = o.Bool("reproducible", false, "no time, no history")
	c.stats = o.Bool("stats", false, "say what was read, decided and passed on")
	o.Printer("help-fields", "", "list the fields", cli.HelpFields)
	if !o.Parse() {
		return env.Close()
	}
	f, ok := parse(env, &c, o.Args())
	if !ok || *c.check {
		return env.Close()
	}
	names, ok := env.Inputs(*c.read)
	if !ok {
		return env.Close()
	}
	defer env.Drain()()
	w := &work{filter: f, invert: *c.invert}
	switch {
	case *c.count:
		w.count(env, names, *c.limit)
	case env.StdoutIsTerminal():
		w.show(env, names, *c.limit)
	default:
		w.pass(env, names, &c)
	}
	return env.Close()
}

// parse takes the filter from the arguments or from -f.
func parse(env *cli.Env, c *config, args []string) (*filter.Filter, bool) {
	text := strings.Join(args, " ")
	if *c.file != "" {
		if text != "" {
			env.Usagef("a filter in -f %s and another as argument", *c.file)
			env.Hintf("give one of them")
			return nil, false
		}
		b, err := os.ReadFile(*c.file)
		if err != nil {
			env.Error(err)
			return nil, false
		}
		text = string(b)
	} else if len(args) == 0 {
		env.Usagef("no filter")
		env.Hintf("nffilter 'dst port 53'; nffilter any passes everything")
		return nil, false
	}
	f, err := filter.Parse(text, filter.Options{Includes: files{}, Resolve: resolve, Location: time.Local})
	var wrong *filter.Error
	if errors.As(err, &wrong) {
		env.Usagef("%s", strings.TrimRight("filter:\n"+wrong.Show(), "\n"))
		return nil, false
	}
	return f, true
}

func resolve(host string) ([]netip.Addr, error) {
	ips, err := net.LookupIP(host)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, ip := range ips {
		if a, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, a.Unmap())
		}
	}
	return out, nil
}

// work decides about batches on several goroutines.
type work struct {
	filter *filter.Filter
	invert bool
}

// match leaves the records of b selected that are to be passed on.
func (w *work) match(b *flow.Batch) (filter.Match, error) {
	bits := flow.NewBitmap(b.N)
	m, err := w.filter.Eval(b, bits)
	if err != nil {
		return m, err
	}
	if w.invert {
		switch m {
		case filter.None:
			m = filter.All
		case filter.All:
			m = filter.None
		default:
			bits.Not(b.N)
			if b.Sel != nil {
				bits.And(b.Sel)
			}
		}
	}
	if m == filter.Some {
		b.Sel = bits
	}
	return m, nil
}

func (w *work) pass(env *cli.Env, names []string, c *config) {
	keep := env.StdoutIsPipe() && !*c.compact
	t := stream.Transform{W: stream.NewWriter(env.Stdout), Copy: env.CopyRange, Plain: *c.plain, Now: cli.Now}
	if env.Keeps(*c.noHistory) {
		t.Entry = env.History()
	}
	t.Limited, t.Limit = *c.limit > 0, *c.limit
	t.Work = func(b *flow.Batch) (stream.Verdict, error) {
		m, err := w.match(b)
		switch {
		case err != nil || m == filter.None:
			return stream.Verdict{Drop: true}, err
		case keep || b.Sel == nil: // the frame as it came, with its selection
			return stream.Verdict{}, nil
		}
		f, err := stream.EncodeFrame(b, column.None, false)
		return stream.Verdict{Frame: f}, err
	}
	s := env.Stats(*c.stats)
	in := stream.Options{Lazy: true}
	if keep && !t.Limited {
		in.Leave, in.Want = true, flow.KeysOfAll(w.filter.Fields())
	}
	env.Streams(names, in, t.Run)
	s.Add("records read", int64(t.Stats.Read))
	s.Add("records passed on", int64(t.Stats.Written))
	s.Add("frames dropped", int64(t.Stats.Dropped))
	s.Add("frames passed untouched", int64(t.Stats.Passed))
	s.Add("frames written anew", int64(t.Stats.Encoded))
	s.Print()
}

func (w *work) show(env *cli.Env, names []string, limit uint64) {
	p, err := format.New("line", format.Options{Location: time.Local})
	if err != nil {
		env.Error(err)
		return
	}
	env.Print(names, stream.Options{Lazy: true}, &cli.Rows{Printer: p, Limit: limit, Select: func(b *flow.Batch) (bool, error) {
		m, err := w.match(b)
		return m != filter.None, err
	}})
}

func (w *work) count(env *cli.Env, names []string, limit uint64) {
	var n uint64
	env.Streams(names, stream.Options{Lazy: true}, func(r *stream.Reader) error {
		return stream.Parallel(r, func(it *stream.Item) (uint64, error) {
			if it.Kind != stream.KindRecords {
				return 0, nil
			}
			defer it.Batch.Release()
			m, err := w.match(it.Batch)
			if err != nil || m == filter.None {
				if err != nil {
					err = r.Lost(it, err)
				}
				return 0, err
			}
			return uint64(it.Batch.Selected()), nil
		}, func(_ *stream.Item, k uint64) error {
			n += k
			if limit > 0 && n >= limit {
				n = limit
				return stream.ErrLimit
			}
			return nil
		})
	})
	if _, err := fmt.Fprintln(env.Out(), n); err != nil {
		env.Errorf("stdout: %w", cli.Cause(err))
	}
}
