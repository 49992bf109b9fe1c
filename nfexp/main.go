// Nfexp exports flow records as NetFlow v1, v5, v9 or IPFIX: those of a stream, or those that it
// meters from packets.
package main

import (
	"os"

	"nfpipe/lib/cli"
)

const usage = `
Usage: nfexp -n HOST:PORT [-v VERSION] [-r FILE]... [options]
       nfexp -i IF -n HOST:PORT [-v VERSION] [options] [PACKET FILTER]
       nfexp --ctl COMMAND

Sends flow records to collectors as NetFlow v1, v5, v9 or IPFIX. It takes them
from a flow stream, or makes them of packets: of a capture, or of an interface
as softflowd does.

Examples:
  nfcat -r a.nf | nfexp -v 9 -n 192.0.2.3:2055
  nfcat -r a.nf | nffilter 'proto tcp' | nfexp -v 10 -P tcp -n 192.0.2.3:4739
  nfexp -r x.pcap -v 9 -A milli -n 192.0.2.3:2055,192.0.2.4:2055
  nfexp -r a.nf --replay=1000 -v 9 -n 192.0.2.3:2055
  nfexp -i eth0 -v 9 -n 192.0.2.3:2055 -t maxlife=5m -t udp=30s -d
  nfexp -i eth0 -v 10 -n tcp://192.0.2.3:4739 'not port 22'
  nfexp --ctl statistics

Where to:
  -n, --to HOST:PORT   a collector; several are divided by commas, or given by
                       several -n; tcp://, tls:// or sctp:// may stand before it
                       (port 9995; IPFIX 4739, over TLS 4740)
  -P, --transport NAME  udp, tcp, tls or sctp, where no URL says it (udp)
  -l, --in-turn        each message to one of them in turn, not to all
  -v, --netflow VERSION  1, 5, 9, or 10 for IPFIX (5)
  -A, --times UNIT     flow times in sec, milli, micro or nano seconds (v9:
                       relative to the uptime; IPFIX: as they came)
      --pps N          messages a second at most; 0 is no bound (UDP: 60000)
      --rate BITS      bits a second at most, as in 10M
      --replay=SPEED   keep the pace of the records, so many times faster (1)
      --spoof          UDP: from the address of the exporter of each record;
                       needs root
  -e, --from ADDRESS   send from this local address
  -S, --device IF      send by this interface
  -L, --hops N         routers that multicast packets may pass (1)
      --tls-ca FILE    authority of the collectors; the system's, if not given
      --tls-cert FILE  certificate to show, and
      --tls-key FILE   its key
      --tls-name NAME  name in the collector's certificate, if not HOST
      --insecure       take any certificate

Where from:
  -r, --read FILE      read a flow stream, pcap or pcapng, compressed or not;
                       may be repeated; - is stdin, as is none at all
  -i, --interface [N:]IF  meter the packets of an interface, or of any; N is
                       the number of the interface in the records

Metering (the names and values of softflowd):
  -t, --timeout NAME=TIME  tcp (1h), tcp.rst (2m), tcp.fin (5m), udp (5m),
                       icmp (5m), general (1h), maxlife (7d), expint (60s); may
                       be repeated
  -m, --max-flows N    flows in the cache at most (1048576)
  -s, --sample N       look at one packet of N
  -b, --biflow         IPFIX: one record for both directions (RFC 5103)
  -T, --track LEVEL    what tells flows apart besides addresses: ip, proto,
                       port, vlan or ether (port)
  -x, --labels N       send N labels of an MPLS stack at most (10)
      --tunnel WHICH   the header that makes the flow: outer or inner (outer)
  -C, --snaplen N      bytes of a packet to look at
  -B, --buffer SIZE    memory for packets that wait (64M)
  -N, --no-promisc     only packets for this machine
  -a, --adjust-time    as softflowd's: the clock is that of the packets, always
  -6, --track-ipv6     as softflowd's: IPv6 is metered, always

Running:
  -d, --foreground     stay in the foreground; without it nfexp -i detaches
  -D, --debug          the same, and tell of each flow that is exported
  -p, --pidfile FILE   where the process id is written (-i: /var/run/nfexp.pid)
  -c, --control PATH   control socket of -i, or none (/var/run/nfexp.ctl)
      --ctl COMMAND    tell a running nfexp what to do; help lists the commands
  -u, --user NAME      drop rights when all is open
  -g, --group NAME
      --stats          say on stderr what was read and sent
  -h, --help           show this help
  -V, --version        show the version
      --completion SHELL  print the completion script of bash, zsh or fish

IPv6 records do not fit into NetFlow v1 and v5 and are left out and counted.
SIGINT and SIGTERM send what is in the cache.

Exit status: 0 done, 1 failed, or records could not be sent; 2 wrong usage or
filter; 3 done, but the input was cut off or damaged.
`

func main() { os.Exit(run(cli.OS())) }

func run(env *cli.Env) int {
	c, ok := parse(env)
	if !ok {
		return env.Close()
	}
	if c.command != "" {
		control(env, c.control, c.command)
		return env.Close()
	}
	ready := func() error { return nil }
	if c.device != "" && !c.foreground {
		if ready, ok = env.Detach(); !ok {
			return env.Close()
		}
	}
	(&runner{config: c, env: env}).run(ready)
	return env.Close()
}
