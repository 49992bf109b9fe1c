// Nfpcap turns captured packets into flow records.
package main

import (
	"os"
	"time"

	"nfpipe/lib/cli"
	"nfpipe/lib/format"
	"nfpipe/lib/stream"
)

const usage = `
Usage: nfpcap [-r FILE]... [options] [PACKET FILTER]
       nfpcap -i INTERFACE [options] [PACKET FILTER]

Reads captured packets, or those of an interface until Ctrl-C, and writes the
flows that they make to stdout as a flow stream; at a terminal it shows them as
lines.

Examples:
  nfpcap -r x.pcap > x.nf
  nfpcap -r x.pcap | nffilter 'dst port 53' | nfagg -A srcip,dstip
  nfpcap -r x.pcapng.gz -e 60,15 'net 10.0.0.0/8 and not port 22'
  nfpcap -i eth0 -e 60,15 | nffilter 'proto udp' | nfagg -s port
  tcpdump -w - -c 1000 | nfpcap -r - | nfagg -s port

Options:
  -r, --read FILE      read a pcap or pcapng file, compressed or not; may be
                       repeated; - is stdin, as is none at all
  -i, --interface NAME capture on an interface, or on all of them: any
  -N, --no-promisc     capture only what is for this host
      --snaplen N      look at so many bytes of a packet (256)
      --buffer SIZE    memory for packets that wait (64M)
      --flush TIME     age of a record when it is written at last (1s)
  -e, --expire A,I     active and idle timeout in seconds (300,60)
  -t, --timeout NAME=TIME  a timeout of softflowd: tcp, tcp.rst, tcp.fin, udp,
                       icmp, general, maxlife; TIME as in 1h30m; may be repeated
  -m, --max-flows N    flows in the cache at most (1048576)
  -b, --biflow         one record for both directions (RFC 5103)
  -T, --track LEVEL    what tells flows apart besides addresses: ip, proto,
                       port, vlan or ether (port)
  -s, --sample N       count one packet in N; the output says so
      --tunnel WHICH   the header that makes the flow: outer or inner (outer)
  -o, --options LIST   fat: keep MAC addresses, and how long TCP took to answer
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

Exit status: 0 done, also by Ctrl-C, 1 failed, 2 wrong usage or filter, 3 done,
but a capture was cut off or damaged.
`

func main() {
	cli.ShortLived()
	os.Exit(run(cli.OS()))
}

func run(env *cli.Env) int {
	c, ok := parse(env)
	if !ok {
		return env.Close()
	}
	if c.live.Interface != "" {
		meterLive(env, c)
		return env.Close()
	}
	names, ok := env.Inputs(*c.read)
	if !ok {
		return env.Close()
	}
	defer env.Drain()()
	if out, ok := newOutput(env, c, func(h stream.Head) sink { return newFile(env.Stdout, h) }); ok {
		meterAll(env, c, names, out)
	}
	return env.Close()
}

// newOutput is lines at a terminal, and else a stream into what to makes. What is wrong it has
// said.
func newOutput(env *cli.Env, c *config, to func(stream.Head) sink) (output, bool) {
	if env.StdoutIsTerminal() {
		p, err := format.New("line", format.Options{Location: time.Local})
		if err != nil {
			env.Error(err)
			return nil, false
		}
		return newLines(env, p), true
	}
	comp, ok := env.Compression(c.compress)
	if !ok {
		return nil, false
	}
	return newFrames(to(head(env, c)), comp, c.columns), true
}

// head begins the stream.
func head(env *cli.Env, c *config) (h stream.Head) {
	if c.plain {
		return h
	}
	h.Created = cli.Now()
	if env.Keeps(c.noHistory) {
		h.History.Add(env.History())
	}
	return h
}
