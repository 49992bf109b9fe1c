// Nfpcap turns captured packets into flow records.
package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/filter"
	"nfpipe/lib/format"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
)

const usage = `
Usage: nfpcap [-r FILE]... [options] [PACKET FILTER]

Reads captured packets and writes the flows that they make to stdout as a flow
stream; at a terminal it shows them as lines.

Examples:
  nfpcap -r x.pcap > x.nf
  nfpcap -r x.pcap | nffilter 'dst port 53' | nfagg -A srcip,dstip
  nfpcap -r x.pcapng.gz -e 60,15 'net 10.0.0.0/8 and not port 22'
  tcpdump -w - -c 1000 | nfpcap -r - | nfagg -s port

Options:
  -r, --read FILE      read a pcap or pcapng file, compressed or not; may be
                       repeated; - is stdin, as is none at all
  -e, --expire A,I     active and idle timeout in seconds (300,60)
  -t, --timeout NAME=TIME  a timeout of softflowd: tcp, tcp.rst, tcp.fin, udp,
                       icmp, general, maxlife; TIME as in 1h30m; may be repeated
  -m, --max-flows N    flows in the cache at most (1048576)
  -b, --biflow         one record for both directions (RFC 5103)
  -T, --track LEVEL    what tells flows apart besides addresses: ip, proto,
                       port, vlan or ether (port)
      --tunnel WHICH   the header that makes the flow: outer or inner (outer)
  -o, --options LIST   fat: keep MAC addresses
  -z, --compress=WHAT  none, s2 or zstd (none)
  -y, --compress-default  the same as -z=s2
      --no-history     do not say in the output how it was made
      --reproducible   equal input gives equal bytes: no time, no history
      --stats          say on stderr what was read and metered
  -h, --help           show this help
  -V, --version        show the version
      --completion SHELL  print the completion script of bash, zsh or fish

The packet filter is the part of the filter language that a packet can answer:
ip, net, port, proto, vlan, flags, and or not ( ).

Exit status: 0 done, 1 failed, 2 wrong usage or filter, 3 done, but a capture
was cut off or damaged.
`

type config struct {
	read                    *[]string
	meter                   meter.Config
	decap                   int
	columns                 meter.ColumnOptions
	noHistory, plain, stats bool
	compress                string
}

func main() {
	cli.ShortLived()
	os.Exit(run(cli.OS()))
}

func run(env *cli.Env) int {
	c, ok := parse(env)
	if !ok {
		return env.Close()
	}
	names, ok := env.Inputs(*c.read)
	if !ok {
		return env.Close()
	}
	defer env.Drain()()
	var out output
	if env.StdoutIsTerminal() {
		p, err := format.New("line", format.Options{Location: time.Local})
		if err != nil {
			env.Error(err)
			return env.Close()
		}
		out = newLines(env, p)
	} else {
		s, ok := newFrames(env, c)
		if !ok {
			return env.Close()
		}
		out = s
	}
	meterAll(env, c, names, out)
	return env.Close()
}

func parse(env *cli.Env) (*config, bool) {
	o := env.Options(usage)
	c := &config{}
	c.read = o.StringArrayP("read", "r", nil, "read a pcap or pcapng `FILE`")
	expire := o.StringP("expire", "e", "", "active and idle timeout in seconds, `A,I`")
	timeouts := o.StringArrayP("timeout", "t", nil, "a timeout of softflowd, `NAME=TIME`")
	o.IntVarP(&c.meter.MaxFlows, "max-flows", "m", meter.DefaultMaxFlows, "at most `N` flows in the cache")
	o.BoolVarP(&c.meter.Biflow, "biflow", "b", false, "one record for both directions")
	track := o.StringP("track", "T", "port", "what tells flows apart, `LEVEL`")
	tunnel := o.String("tunnel", "outer", "the header that makes the flow, `WHICH`: outer or inner")
	fat := o.StringP("options", "o", "", "`LIST`: fat")
	compress := o.Optional("compress", "z", "none", "s2", cli.Compressions, "compress as `WHAT`")
	y := o.BoolP("compress-default", "y", false, "the same as -z=s2")
	o.BoolVar(&c.noHistory, "no-history", false, "do not say how the output was made")
	o.BoolVar(&c.plain, "reproducible", false, "no time, no history")
	o.BoolVar(&c.stats, "stats", false, "say what was read and metered")
	o.Instead("w", "nfpcap writes to stdout: nfpcap -r FILE > FILE.nf")
	o.Instead("i", "reading an interface is not there yet: tcpdump -w - -i IF | nfpcap -r -")
	o.Instead("v", "nfpcap has no -v; --stats prints statistics")
	if !o.Parse() {
		return nil, false
	}
	if c.compress = *compress; *y && !o.Changed("compress") {
		c.compress = "s2"
	}
	var err error
	if c.meter.Timeouts, err = meter.ParseTimeouts(meter.DefaultTimeouts(), *expire, *timeouts); err != nil {
		env.Usagef("%v", err)
		env.Hintf("nfpcap -e 300,60 -t udp=30s -t tcp.fin=10")
		return nil, false
	}
	if c.meter.MaxFlows <= 0 {
		env.Usagef("-m %d: the cache needs room for at least one flow", c.meter.MaxFlows)
		env.Hintf("nfpcap -m %d", meter.DefaultMaxFlows)
		return nil, false
	}
	return c, c.words(env, *track, *tunnel, *fat) && c.filter(env, o.Args())
}

// words reads the options whose values are words.
func (c *config) words(env *cli.Env, track, tunnel, fat string) bool {
	levels := map[string]meter.Track{"ip": meter.TrackIP, "proto": meter.TrackProto, "port": meter.TrackPort,
		"full": meter.TrackPort, "vlan": meter.TrackVLAN, "ether": meter.TrackEther}
	level, ok := levels[track]
	if !ok {
		env.Usagef("-T %s: no such level", track)
		env.Hintf("ip, proto, port, vlan or ether")
		return false
	}
	c.meter.Track = level
	switch tunnel {
	case "outer":
	case "inner":
		c.decap = packet.MaxDecap
	default:
		env.Usagef("--tunnel %s: no such header", tunnel)
		env.Hintf("outer or inner")
		return false
	}
	for _, word := range strings.FieldsFunc(fat, func(r rune) bool { return r == ',' }) {
		if word != "fat" {
			env.Usagef("-o %s: no such option", word)
			env.Hintf("-o fat keeps MAC addresses")
			return false
		}
		c.columns.MAC = true
	}
	return true
}

// filter reads the packet filter.
func (c *config) filter(env *cli.Env, args []string) bool {
	if len(args) == 0 {
		return true
	}
	f, err := filter.Parse(strings.Join(args, " "), filter.Options{Location: time.Local})
	if err == nil {
		c.meter.Filter, err = f.Packet()
	}
	var wrong *filter.Error
	switch {
	case errors.As(err, &wrong):
		env.Usagef("%s", strings.TrimRight("filter:\n"+wrong.Show(), "\n"))
	case err != nil:
		env.Usagef("%v", err)
		env.Hintf("a packet filter knows ip, net, port, proto, vlan, flags, and or not; nffilter knows the rest")
	}
	return err == nil
}
