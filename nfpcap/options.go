package main

import (
	"fmt"
	"strings"
	"time"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
)

type config struct {
	read                    *[]string
	live                    capture.LiveConfig
	flush                   time.Duration
	meter                   meter.Config
	decap                   int
	columns                 meter.ColumnOptions
	noHistory, plain, stats bool
	compress                string
}

func parse(env *cli.Env) (*config, bool) {
	o := env.Options(usage)
	c := &config{}
	c.read = o.StringArrayP("read", "r", nil, "read a pcap or pcapng `FILE`")
	devices := o.StringArrayP("interface", "i", nil, "capture on the interface `NAME`, or on any")
	o.BoolVarP(&c.live.NoPromiscuous, "no-promisc", "N", false, "capture only what is for this host")
	o.IntVar(&c.live.Snaplen, "snaplen", capture.DefaultSnaplen, "look at `N` bytes of a packet")
	buffer := cli.Size(capture.DefaultBuffer)
	o.Var(&buffer, "buffer", "memory of `SIZE` for packets that wait")
	o.DurationVar(&c.flush, "flush", time.Second, "write records of `TIME` at last")
	o.Uint32VarP(&c.meter.Sample, "sample", "s", 1, "count one packet in `N`")
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
	c.live.Buffer = int(min(buffer, maxBuffer+1))
	c.columns.Sample = c.meter.Sample
	if !c.device(env, *devices, o.Changed) || !c.words(env, *track, *tunnel, *fat) {
		return nil, false
	}
	var ok bool
	c.meter.Filter, ok = env.PacketFilter(o.Args())
	return c, ok
}

const (
	minSnaplen = 64
	minBuffer  = 1 << 20
	maxBuffer  = 1 << 30
	minFlush   = 10 * time.Millisecond
)

// device checks what goes with -i.
func (c *config) device(env *cli.Env, names []string, changed func(string) bool) bool {
	wrong := func(hint, format string, args ...any) bool {
		env.Usagef(format, args...)
		env.Hintf("%s", hint)
		return false
	}
	if c.meter.Sample == 0 {
		return wrong("nfpcap -s 100 counts one packet in 100, -s 1 all", "-s 0: no packet would be counted")
	}
	if len(names) == 0 {
		for _, name := range []string{"no-promisc", "snaplen", "buffer", "flush"} {
			if changed(name) {
				return wrong("nfpcap -i eth0 --"+name, "--%s is for an interface, and there is none", name)
			}
		}
		return true
	}
	switch c.live.Interface = names[0]; {
	case len(names) > 1:
		return wrong("nfpcap -i any captures on all", "-i %s -i %s: one interface, or any", names[0], names[1])
	case names[0] == "":
		return wrong("nfpcap -i eth0", "-i without a name")
	case len(*c.read) > 0:
		return wrong("nfpcap -i "+cli.Quote(names[0]), "either an interface or captures: -i or -r")
	case c.live.Snaplen < minSnaplen || c.live.Snaplen > capture.MaxSnaplen:
		return wrong(fmt.Sprintf("%d to %d bytes", minSnaplen, capture.MaxSnaplen), "--snaplen %d", c.live.Snaplen)
	case c.live.Buffer < minBuffer || c.live.Buffer > maxBuffer:
		return wrong("1M to 1G", "--buffer is too small or too large")
	case c.flush < minFlush:
		return wrong("nfpcap --flush 200ms", "--flush %v: at least %v", c.flush, minFlush)
	}
	return true
}

// words reads the options whose values are words.
func (c *config) words(env *cli.Env, track, tunnel, fat string) bool {
	var ok bool
	if c.meter.Track, ok = meter.TrackOf(track); !ok {
		env.Usagef("-T %s: no such level", track)
		env.Hintf("ip, proto, port, vlan or ether")
		return false
	}
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
			env.Hintf("-o fat keeps MAC addresses, and how long TCP took to answer")
			return false
		}
		c.columns.MAC, c.meter.Latency = true, true
	}
	return true
}
