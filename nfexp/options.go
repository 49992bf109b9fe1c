package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"nfpipe/lib/capture"
	"nfpipe/lib/cli"
	"nfpipe/lib/export"
	"nfpipe/lib/meter"
	"nfpipe/lib/netflow"
	"nfpipe/lib/packet"
	"nfpipe/lib/transport"
)

// config is what the command line says.
type config struct {
	to       []export.Destination
	inTurn   bool
	encoding netflow.Encoding
	pace     export.Pace
	unpaced  bool
	speed    float64 // of a replay; 0 is none
	spoof    bool

	names        []string
	device       string
	index        int // of the interface, as -i says; -1: the system's
	meter        meter.Config
	decap        int
	mac          bool
	labels       int
	snaplen      int
	buffer       cli.Size
	noPromisc    bool
	foreground   bool
	debug, stats bool

	pidfile, control string
	command          string
	user, group      string
}

// raw are the options whose values are read after all were parsed.
type raw struct {
	to, read, timeouts                                  *[]string
	network, version, times, replay, rate, from, device *string
	track, tunnel, iface                                *string
	pps                                                 *float64
	hops                                                *int
	send                                                transport.SendOptions
	ignored                                             bool
}

const (
	defaultPidfile = "/var/run/nfexp.pid"
	defaultControl = "/var/run/nfexp.ctl"
)

func parse(env *cli.Env) (*config, bool) {
	o := env.Options(usage)
	c := &config{index: -1, buffer: 64 << 20}
	r := c.options(o)
	instead(o)
	if !o.Parse() {
		return nil, false
	}
	if c.command != "" {
		return c, o.NoArgs("nfexp --ctl help")
	}
	for _, part := range []struct {
		read func(*cli.Options, *raw) error
		hint string
	}{
		{c.readSource, "nfexp -i eth0, or nfexp -r FILE"},
		{c.readEncoding, "nfexp -v 9 -A milli"},
		{c.readDestinations, "nfcat -r FILE | nfexp -v 9 -n 192.0.2.3:2055"},
		{c.readPace, "nfexp --pps 10000, nfexp --rate 100M, nfexp --replay=2"},
		{c.readMetering, "nfexp -t udp=30s -t tcp.fin=10 -T port"},
	} {
		if err := part.read(o, r); err != nil {
			env.Usagef("%v", err)
			env.Hintf("%s", part.hint)
			return nil, false
		}
	}
	if c.device == "" {
		var ok bool
		if c.names, ok = env.Inputs(*r.read); !ok {
			return nil, false
		}
	}
	var ok bool
	c.meter.Filter, ok = env.PacketFilter(o.Args())
	return c, ok
}

func (c *config) options(o *cli.Options) *raw {
	r := &raw{}
	r.to = o.StringArrayP("to", "n", nil, "a collector, `HOST:PORT`")
	r.network = o.StringP("transport", "P", "udp", "`NAME`: udp, tcp, tls or sctp")
	o.BoolVarP(&c.inTurn, "in-turn", "l", false, "each message to one collector in turn")
	r.version = o.StringP("netflow", "v", "5", "`VERSION`: 1, 5, 9 or 10")
	r.times = o.StringP("times", "A", "", "`UNIT` of flow times: sec, milli, micro or nano")
	r.pps = o.Float64("pps", 0, "messages a second at most, `N`")
	r.rate = o.String("rate", "", "bits a second at most, `BITS`")
	r.replay = o.Optional("replay", "", "", "1", nil, "keep the pace of the records, or one `SPEED` times faster")
	o.BoolVar(&c.spoof, "spoof", false, "from the address of the exporter of each record")
	r.from = o.StringP("from", "e", "", "send from this local `ADDRESS`")
	r.device = o.StringP("device", "S", "", "send by this interface, `IF`")
	r.hops = o.IntP("hops", "L", 0, "routers that multicast packets may pass, `N`")
	o.StringVar(&r.send.CA, "tls-ca", "", "authority of the collectors, `FILE`")
	o.StringVar(&r.send.Cert, "tls-cert", "", "certificate to show, `FILE`")
	o.StringVar(&r.send.Key, "tls-key", "", "its key, `FILE`")
	o.StringVar(&r.send.ServerName, "tls-name", "", "`NAME` in the collector's certificate")
	o.BoolVar(&r.send.Insecure, "insecure", false, "take any certificate")

	r.read = o.StringArrayP("read", "r", nil, "read a flow stream or a capture, `FILE`")
	r.iface = o.StringP("interface", "i", "", "meter the packets of an interface, `[N:]IF`")
	r.timeouts = o.StringArrayP("timeout", "t", nil, "a timeout, `NAME=TIME`")
	o.IntVarP(&c.meter.MaxFlows, "max-flows", "m", meter.DefaultMaxFlows, "at most `N` flows in the cache")
	o.Uint32VarP(&c.meter.Sample, "sample", "s", 0, "look at one packet of `N`")
	o.BoolVarP(&c.meter.Biflow, "biflow", "b", false, "one record for both directions")
	r.track = o.StringP("track", "T", "port", "what tells flows apart, `LEVEL`")
	o.IntVarP(&c.labels, "labels", "x", packet.MaxLabels, "send at most `N` MPLS labels")
	r.tunnel = o.String("tunnel", "outer", "the header that makes the flow, `WHICH`: outer or inner")
	o.IntVarP(&c.snaplen, "snaplen", "C", 0, "look at `N` bytes of a packet")
	o.VarP(&c.buffer, "buffer", "B", "memory for packets that wait, `SIZE`")
	o.BoolVarP(&c.noPromisc, "no-promisc", "N", false, "only packets for this machine")

	o.BoolVarP(&c.foreground, "foreground", "d", false, "stay in the foreground")
	o.BoolVarP(&c.debug, "debug", "D", false, "the same, and tell of each flow")
	o.StringVarP(&c.pidfile, "pidfile", "p", "", "write the process id to `FILE`")
	o.StringVarP(&c.control, "control", "c", defaultControl, "control socket, `PATH` or none")
	o.StringVar(&c.command, "ctl", "", "tell a running nfexp what to do, `COMMAND`")
	o.StringVarP(&c.user, "user", "u", "", "drop rights to `NAME`")
	o.StringVarP(&c.group, "group", "g", "", "drop rights to `NAME`")
	o.BoolVar(&c.stats, "stats", false, "say what was read and sent")
	// What softflowd is told and nfexp does by itself.
	o.BoolVarP(&r.ignored, "adjust-time", "a", false, "the clock is that of the packets: always")
	o.BoolVarP(&r.ignored, "track-ipv6", "6", false, "meter IPv6: always")
	return r
}

// instead says what to do where softflowd and nfreplay have an option that nfexp has not.
func instead(o *cli.Options) {
	o.Instead("H", "nfexp -n HOST:PORT")
	o.Instead("R", "nfcap -p PORT receives; nfexp sends")
	o.Instead("M", "nfexp uses all processors by itself")
	o.Instead("I", "nfexp keeps uptimes in 32 bits by itself")
	o.Instead("z", "nfexp --replay=SPEED")
	o.Instead("j", "nfexp -n GROUP:PORT -L HOPS")
	o.Instead("w", "nfexp sends; nfpcap -i IF > FILE.nf stores")
	o.Instead("o", "nfexp sends all that a record has")
}

func (c *config) readSource(o *cli.Options, r *raw) error {
	if *r.iface == "" {
		return nil
	}
	if len(*r.read) > 0 {
		return errors.New("-i and -r: an interface or files, not both")
	}
	c.device, c.meter.Clocked = *r.iface, true
	if number, name, ok := strings.Cut(c.device, ":"); ok {
		if n, err := strconv.ParseUint(number, 10, 16); err == nil {
			c.index, c.device = int(n), name
		}
	}
	c.foreground = c.foreground || c.debug
	if !c.foreground && !o.Changed("pidfile") {
		c.pidfile = defaultPidfile
	}
	return nil
}

func (c *config) readEncoding(o *cli.Options, r *raw) error {
	switch *r.version {
	case "1", "5", "9", "10":
		n, _ := strconv.Atoi(*r.version)
		c.encoding.Version = uint16(n)
	case "ipfix", "IPFIX":
		c.encoding.Version = 10
	default:
		return fmt.Errorf("-v %s: want 1, 5, 9, or 10 for IPFIX", *r.version)
	}
	units := map[string]netflow.TimeUnit{"": netflow.TimesDefault, "sec": netflow.TimesSeconds, "milli": netflow.TimesMilliseconds,
		"micro": netflow.TimesMicroseconds, "nano": netflow.TimesNanoseconds}
	unit, ok := units[*r.times]
	if !ok {
		return fmt.Errorf("-A %s: want sec, milli, micro or nano", *r.times)
	}
	if c.encoding.Times = unit; unit != netflow.TimesDefault && c.encoding.Version < 9 {
		return fmt.Errorf("-A %s: times of NetFlow v%d are milliseconds of uptime", *r.times, c.encoding.Version)
	}
	return nil
}

func (c *config) readDestinations(o *cli.Options, r *raw) error {
	send := &r.send
	if send.Device, send.Hops, send.Spoof = *r.device, *r.hops, c.spoof; send.Hops < 0 || send.Hops > 255 {
		return fmt.Errorf("-L %d: want 0 to 255", send.Hops)
	}
	if *r.from != "" {
		var err error
		if send.From, err = netip.ParseAddr(*r.from); err != nil {
			return fmt.Errorf("-e %s: no address", *r.from)
		}
	}
	if (send.Cert == "") != (send.Key == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	for _, list := range *r.to {
		for s := range strings.SplitSeq(list, ",") {
			e, err := c.destination(s, *r.network)
			if err != nil {
				return fmt.Errorf("-n %w", err)
			}
			if c.spoof && e.Network != "udp" {
				return fmt.Errorf("--spoof is for packets of UDP, not for %s", e)
			}
			c.to = append(c.to, export.Destination{Endpoint: e, Options: *send})
		}
	}
	if len(c.to) == 0 {
		return errors.New("-n is missing: no collector to send to")
	}
	c.encoding.NoExporter = c.spoof
	return nil
}

// destination reads HOST[:PORT], with or without a transport before it.
func (c *config) destination(s, network string) (transport.Endpoint, error) {
	if !strings.Contains(s, "://") {
		s = network + "://" + s
	}
	e, err := transport.ParseEndpoint(s)
	switch {
	case err != nil:
		return e, err
	case e.Host == "":
		return e, fmt.Errorf("%q: no host", s)
	case e.Port == 0:
		return e, fmt.Errorf("%q: port 0", s)
	}
	if e.Network == "udp" && c.encoding.Version == 10 && !hasPort(s) {
		e.Port = transport.DefaultTCP // RFC 7011 §10.1: the same for UDP
	}
	return e, nil
}

// hasPort tells whether a port is written in an endpoint.
func hasPort(s string) bool {
	_, host, _ := strings.Cut(s, "://")
	at := strings.LastIndexByte(host, ':')
	return at > strings.LastIndexByte(host, ']') && (host[0] == '[' || strings.Count(host, ":") == 1)
}

func (c *config) readPace(o *cli.Options, r *raw) error {
	if o.Changed("pps") {
		if *r.pps < 0 || *r.pps > 1e9 {
			return fmt.Errorf("--pps %v: want messages a second, or 0 for no bound", *r.pps)
		}
		c.pace.Messages, c.unpaced = *r.pps, *r.pps == 0
	}
	if *r.rate != "" {
		var err error
		if c.pace.Bits, err = parseBits(*r.rate); err != nil {
			return fmt.Errorf("--rate %s: want bits a second, such as 10M", *r.rate)
		}
	}
	if !o.Changed("replay") {
		return nil
	}
	var err error
	if c.speed, err = strconv.ParseFloat(*r.replay, 64); err != nil || !(c.speed > 0 && c.speed <= 1e9) {
		return fmt.Errorf("--replay=%s: want how many times faster, such as 2 or 0.5", *r.replay)
	}
	if c.device != "" {
		return errors.New("--replay: an interface has its own pace")
	}
	return nil
}

// parseBits reads a number of bits, in thousands as networks count them.
func parseBits(s string) (float64, error) {
	scale := 1.0
	if i := strings.IndexByte("KMG", strings.ToUpper(s)[len(s)-1]); i >= 0 {
		s = s[:len(s)-1]
		scale = [...]float64{1e3, 1e6, 1e9}[i]
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0 && n*scale <= 1e15) {
		return 0, strconv.ErrRange
	}
	return n * scale, nil
}

func (c *config) readMetering(o *cli.Options, r *raw) error {
	var err error
	if c.meter.Timeouts, err = meter.ParseTimeouts(meter.SoftflowdTimeouts(), "", *r.timeouts); err != nil {
		return err
	}
	var ok bool
	if c.meter.Track, ok = meter.TrackOf(*r.track); !ok {
		return fmt.Errorf("-T %s: no such level: want ip, proto, port, vlan or ether", *r.track)
	}
	c.mac = c.meter.Track == meter.TrackEther
	switch *r.tunnel {
	case "outer":
	case "inner":
		c.decap = packet.MaxDecap
	default:
		return fmt.Errorf("--tunnel %s: want outer or inner", *r.tunnel)
	}
	switch {
	case c.meter.MaxFlows <= 0:
		return fmt.Errorf("-m %d: the cache needs room for at least one flow", c.meter.MaxFlows)
	case c.labels < 0 || c.labels > packet.MaxLabels:
		return fmt.Errorf("-x %d: want 0 to %d", c.labels, packet.MaxLabels)
	case o.Changed("snaplen") && (c.snaplen < 64 || c.snaplen > capture.MaxSnaplen):
		return fmt.Errorf("-C %d: want 64 to %d bytes of a packet", c.snaplen, capture.MaxSnaplen)
	case c.buffer < 1<<20 || c.buffer > 1<<30:
		return errors.New("-B: want 1M to 1G")
	}
	c.meter.Biflow = c.meter.Biflow && c.encoding.Version == 10 // the others have one direction a record
	return nil
}
