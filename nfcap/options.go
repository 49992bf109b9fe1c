package main

import (
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"nfpipe/lib/archive"
	"nfpipe/lib/cli"
	"nfpipe/lib/column"
	"nfpipe/lib/transport"
)

// config is what the command line says.
type config struct {
	endpoints []transport.Endpoint
	family    transport.Family
	group     netip.Addr
	buffer    cli.Size
	workers   int
	allow     []netip.Prefix
	exporters int
	lifetime  time.Duration
	tls       tlsFiles

	rate, force uint32
	tunnel      bool
	read        string
	relay       []string
	spoof       bool

	dir, dynamic string
	static       []staticSource
	maxSources   int
	ident        string
	interval     time.Duration
	align, utc   bool
	layout       int
	comp         column.Comp
	sync         time.Duration
	expire       archive.Limits
	exec         []string
	noHistory    bool

	daemon       bool
	pidfile      string
	user, group_ string
	metricsAt    string
	memory       cli.Size
	flush        time.Duration
}

type tlsFiles struct{ cert, key, ca string }

// staticSource is a -n.
type staticSource struct {
	ident, dir string
	prefixes   []netip.Prefix
}

// stores tells that records go to files.
func (c *config) stores() bool { return c.dir != "" || c.dynamic != "" || len(c.static) > 0 }

// raw are the options whose values are read after all were parsed.
type raw struct {
	ports, listen, allow, static, relay     *[]string
	bind, group, sampling, tunnel, compress *string
	maxAge, exec                            *string
	maxSize                                 cli.Size
	ipv4, ipv6, compressed, expire          *bool
	interval                                *int
}

func parse(env *cli.Env) (*config, bool) {
	o := env.Options(usage)
	c := &config{buffer: 64 << 20, memory: 256 << 20}
	r := c.options(o)
	c.instead(o)
	if !o.Parse() || !o.NoFilter(false) {
		return nil, false
	}
	for _, part := range []struct {
		read func(*cli.Options, *raw) error
		hint string
	}{
		{c.readEndpoints, "nfcap -p 9995 -b 10.0.0.1"},
		{c.readRelay, "nfcap -p 9995 -l /var/log/netflow -R 10.0.0.9:2055 -A"},
		{c.readSenders, "nfcap --allow 10.0.0.0/8 -s 1000"},
		{c.readSources, "nfcap -l /var/log/netflow, or -n core,10.0.0.1,/flows/core"},
		{c.readStoring, "nfcap -l /var/log/netflow -t 300 -S 1 -w"},
	} {
		if err := part.read(o, r); err != nil {
			env.Usagef("%v", err)
			env.Hintf("%s", part.hint)
			return nil, false
		}
	}
	if c.read == "-" && env.StdinIsTerminal() {
		env.Usagef("stdin is a terminal, there is nothing to read")
		env.Hintf("nfcap -f FILE reads a file; or pipe one in")
		return nil, false
	}
	word := *r.compress
	if *r.compressed && !o.Changed("compress") {
		word = "s2"
	}
	var ok bool
	c.comp, ok = env.Compression(word)
	return c, ok
}

func (c *config) options(o *cli.Options) *raw {
	r := &raw{}
	r.ports = o.StringArrayP("port", "p", nil, "UDP `PORT`")
	r.bind = o.StringP("bind", "b", "", "`HOST` to listen on")
	r.listen = o.StringArray("listen", nil, "also listen on `URL`")
	r.group = o.StringP("multicast", "J", "", "join a `GROUP`")
	r.ipv4 = o.BoolP("ipv4", "4", false, "IPv4 only")
	r.ipv6 = o.BoolP("ipv6", "6", false, "IPv6 only")
	o.VarP(&c.buffer, "buffer", "B", "receive buffer `SIZE`")
	o.IntVarP(&c.workers, "workers", "W", 0, "`N` sockets for a port")
	r.allow = o.StringArray("allow", nil, "take packets from `PREFIX` only")
	o.IntVar(&c.exporters, "exporters", 10000, "remember `N` exporters")
	o.DurationVar(&c.lifetime, "template-lifetime", 30*time.Minute, "of templates of an earlier run, `TIME`")
	o.StringVar(&c.tls.cert, "tls-cert", "", "certificate `FILE`")
	o.StringVar(&c.tls.key, "tls-key", "", "key `FILE`")
	o.StringVar(&c.tls.ca, "tls-ca", "", "authority of clients, `FILE`")
	r.sampling = o.StringP("sampling", "s", "", "sampling `RATE`")
	r.tunnel = o.String("tunnel", "outer", "`WHICH` header makes the flow: outer or inner")
	o.StringVarP(&c.read, "read", "f", "", "read export packets from `FILE`")
	r.relay = o.StringArrayP("relay", "R", nil, "send packets on to `TARGET`")
	o.BoolVarP(&c.spoof, "spoof", "A", false, "with the address of their sender")

	o.StringVarP(&c.dir, "dir", "l", "", "store in `DIR`")
	r.static = o.StringArrayP("source", "n", nil, "`IDENT,ADDRESSES,DIR`")
	o.StringVarP(&c.dynamic, "sources-dir", "M", "", "a directory for each sender under `DIR`")
	o.IntVar(&c.maxSources, "max-sources", 1024, "at most `N` of those")
	o.StringVarP(&c.ident, "ident", "I", "none", "`IDENT` of the source")
	r.interval = o.IntP("interval", "t", 300, "length of a slot in `SECONDS`")
	o.BoolVarP(&c.align, "align", "w", false, "begin slots at multiples of it")
	o.IntVarP(&c.layout, "layout", "S", 0, "directories by date, `N`")
	r.compress = o.Optional("compress", "z", "none", "s2", cli.Compressions, "compress as `WHAT`")
	r.compressed = o.BoolP("compress-default", "y", false, "the same as -z=s2")
	o.BoolVar(&c.utc, "utc", false, "names in UTC")
	o.DurationVar(&c.sync, "sync", 5*time.Second, "to the disk every `TIME`")
	r.expire = o.BoolP("expire", "e", false, "delete the oldest files")
	o.Var(&r.maxSize, "max-size", "`SIZE` that files take at most")
	r.maxAge = o.String("max-age", "", "`TIME` that files are kept")
	o.IntVar(&c.expire.Watermark, "watermark", 95, "percent of the limit that is left, `N`")
	r.exec = o.StringP("exec", "x", "", "run `COMMAND` for each file")
	o.BoolVar(&c.noHistory, "no-history", false, "do not say how the output was made")

	o.BoolVarP(&c.daemon, "daemon", "D", false, "detach")
	o.StringVarP(&c.pidfile, "pidfile", "P", "", "write the process id to `FILE`")
	o.StringVarP(&c.user, "user", "u", "", "drop rights to `NAME`")
	o.StringVarP(&c.group_, "group", "g", "", "drop rights to `NAME`")
	o.StringVar(&c.metricsAt, "metrics", "", "Prometheus metrics at `ADDRESS`")
	o.Var(&c.memory, "memory", "`SIZE` of what waits")
	o.DurationVar(&c.flush, "flush", time.Second, "write records of `TIME` at last")
	return r
}

// instead says what to do where nfcapd has an option that nfcap has not.
func (c *config) instead(o *cli.Options) {
	o.Instead("j", "nfcap knows none, s2 and zstd: nfcap -z=zstd")
	o.Instead("T", "nfcap stores every element that an exporter sends")
	o.Instead("X", "nfcap stores every element that an exporter sends; nfcat --columns leaves some out")
	o.Instead("Z", "nfcap adds the time zone to a name where two would be the same; --utc is free of that")
	o.Instead("m", "nfcap --metrics :9100")
	o.Instead("i", "nfcap --metrics :9100")
	o.Instead("C", "nfcap has no configuration file: all is said by options")
	o.Instead("E", "nfcap -p 9995 | nfagg -o long")
	o.Instead("v", "nfcap -p 9995 | nfagg -o long")
	o.Instead("d", "tcpdump -w - -i IF udp port 9995 | nfcap -f -")
	o.Instead("Y", "nfcap --listen tcp://:4739, and yaf --out host --ipfix tcp")
	o.Instead("H", "nfcap -R HOST:PORT sends packets on")
}

func (c *config) readEndpoints(o *cli.Options, r *raw) error {
	switch {
	case *r.ipv4 && !*r.ipv6:
		c.family = transport.IPv4
	case *r.ipv6 && !*r.ipv4:
		c.family = transport.IPv6
	}
	ports := *r.ports
	if len(ports) == 0 && len(*r.listen) == 0 {
		ports = []string{"9995"}
	}
	for _, p := range ports {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("-p %s: not a port", p)
		}
		c.endpoints = append(c.endpoints, transport.Endpoint{Network: "udp", Host: *r.bind, Port: uint16(n), Family: c.family})
	}
	for _, l := range *r.listen {
		e, err := transport.ParseEndpoint(l)
		if err != nil {
			return fmt.Errorf("--listen %w", err)
		}
		e.Family = c.family
		if e.Host == "" {
			e.Host = *r.bind
		}
		c.endpoints = append(c.endpoints, e)
		if e.Network == "tls" && (c.tls.cert == "" || c.tls.key == "") {
			return fmt.Errorf("--listen %s needs --tls-cert and --tls-key", l)
		}
	}
	if *r.group != "" {
		var err error
		if c.group, err = netip.ParseAddr(*r.group); err != nil || !c.group.IsMulticast() {
			return fmt.Errorf("-J %s: not a multicast group", *r.group)
		}
	}
	if c.read != "" && (o.Changed("port") || o.Changed("listen") || o.Changed("bind")) {
		return fmt.Errorf("-f reads a capture, so nothing is listened on: leave -p, -b and --listen out")
	}
	return nil
}

func (c *config) readRelay(o *cli.Options, r *raw) error {
	if c.read != "" && len(*r.relay) > 0 {
		return fmt.Errorf("-R sends on what arrives: it does not go with -f")
	}
	for _, t := range *r.relay {
		if _, _, err := transport.ParseTarget(t); err != nil {
			return fmt.Errorf("-R %s: %w", t, err)
		}
	}
	if c.relay = *r.relay; c.spoof && len(c.relay) == 0 {
		return fmt.Errorf("-A is about a relay: name it with -R")
	}
	return nil
}

const maxRate = 10_000_000 // nfcapd's

func (c *config) readSenders(o *cli.Options, r *raw) error {
	for _, list := range *r.allow {
		prefixes, err := parsePrefixes(list)
		if err != nil {
			return fmt.Errorf("--allow %w", err)
		}
		c.allow = append(c.allow, prefixes...)
	}
	if o.Changed("sampling") {
		n, err := strconv.Atoi(*r.sampling)
		if err != nil || n == 0 || n > maxRate || n < -maxRate {
			return fmt.Errorf("-s %s: a sampling rate is 1 to %d, or less than 0 to be used for all", *r.sampling, maxRate)
		}
		if n > 0 {
			c.rate = uint32(n)
		} else {
			c.force = uint32(-n)
		}
	}
	switch *r.tunnel {
	case "outer":
	case "inner":
		c.tunnel = true
	default:
		return fmt.Errorf("--tunnel %s: outer or inner", *r.tunnel)
	}
	if c.exporters < 1 || c.workers < 0 || c.workers > 256 {
		return fmt.Errorf("--exporters %d, --workers %d: out of range", c.exporters, c.workers)
	}
	return nil
}

// parsePrefixes reads addresses and prefixes that are divided by semicolons or commas.
func parsePrefixes(list string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			a, e := netip.ParseAddr(word)
			if e != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%s: neither an address nor a prefix", word)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 { // senders are never IPv4-mapped
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q: no address", list)
	}
	return out, nil
}

func (c *config) readSources(o *cli.Options, r *raw) error {
	for _, s := range *r.static {
		words := strings.Split(s, ",")
		if len(words) < 3 {
			return fmt.Errorf("-n %s: want IDENT,ADDRESSES,DIR", s)
		}
		n := staticSource{ident: words[0], dir: words[len(words)-1]}
		var err error
		if n.prefixes, err = parsePrefixes(strings.Join(words[1:len(words)-1], ";")); err != nil {
			return fmt.Errorf("-n %s: %w", s, err)
		}
		if err := checkIdent(n.ident); err != nil {
			return err
		}
		c.static = append(c.static, n)
	}
	given := 0
	for _, is := range []bool{c.dir != "", c.dynamic != "", len(c.static) > 0} {
		if is {
			given++
		}
	}
	if given > 1 {
		return fmt.Errorf("-l, -n and -M are three ways to store: take one")
	}
	if c.maxSources < 1 {
		return fmt.Errorf("--max-sources %d: at least 1", c.maxSources)
	}
	seen := map[string]bool{}
	for _, n := range c.static {
		if dir := filepath.Clean(n.dir); seen[dir] {
			return fmt.Errorf("-n: two sources in %s", n.dir)
		} else {
			seen[dir] = true
		}
	}
	return checkIdent(c.ident)
}

func checkIdent(s string) error {
	if s == "" || len(s) >= 128 {
		return fmt.Errorf("ident %q: 1 to 127 characters", s)
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7f {
			return fmt.Errorf("ident %q: no blanks", s)
		}
	}
	return nil
}

func (c *config) readStoring(o *cli.Options, r *raw) error {
	c.interval = time.Duration(*r.interval) * time.Second
	switch {
	case *r.interval < 1 || *r.interval > 366*86400:
		return fmt.Errorf("-t %d: a slot is a second or longer", *r.interval)
	case c.layout < 0 || c.layout > archive.MaxLayout:
		return fmt.Errorf("-S %d: 0 to %d", c.layout, archive.MaxLayout)
	case c.expire.Watermark < 1 || c.expire.Watermark > 100:
		return fmt.Errorf("--watermark %d: 1 to 100", c.expire.Watermark)
	case c.flush < 10*time.Millisecond:
		return fmt.Errorf("--flush %v: too short", c.flush)
	}
	for _, name := range []string{"align", "interval", "layout", "expire", "exec", "ident"} {
		if o.Changed(name) && !c.stores() {
			return fmt.Errorf("--%s is about files: name a directory with -l, -n or -M", name)
		}
	}
	if *r.expire {
		age, err := parseAge(*r.maxAge)
		if err != nil {
			return err
		}
		if c.expire.MaxAge, c.expire.MaxSize = age, int64(r.maxSize); age == 0 && r.maxSize == 0 {
			return fmt.Errorf("-e needs --max-size or --max-age")
		}
	} else if o.Changed("max-size") || o.Changed("max-age") || o.Changed("watermark") {
		return fmt.Errorf("--max-size, --max-age and --watermark are for -e")
	}
	var err error
	c.exec, err = splitWords(*r.exec)
	return err
}

// parseAge reads a time as nfexpire does: 30d, 12w, 6H, and what Go writes.
func parseAge(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	const day = 24 * time.Hour
	units := map[byte]time.Duration{'w': 7 * day, 'd': day, 'H': time.Hour, 'h': time.Hour, 'M': time.Minute, 'm': time.Minute, 's': time.Second}
	n, err := strconv.ParseFloat(s[:len(s)-1], 64)
	if d := n * float64(units[s[len(s)-1]]); err == nil && d >= 1 && d < math.MaxInt64 {
		return time.Duration(d), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("--max-age %s: want a time such as 30d or 12w", s)
	}
	return d, nil
}
