// Nfcap receives NetFlow, IPFIX and sFlow, relays and stores it.
package main

import (
	"os"
	"runtime/debug"

	"nfpipe/lib/cli"
)

const usage = `
Usage: nfcap [-p PORT]... [-l DIR] [options]

Receives NetFlow v1, v5, v7, v9, IPFIX and sFlow on one port or several, and
stores the records in files of some minutes each. Without -l, -n or -M it
writes them to stdout as a flow stream; at a terminal it shows them as lines.

Examples:
  nfcap -p 9995 -l /var/log/netflow -wy
  nfcap -p 9995 -b 10.10.10.2 -l /var/log/netflow -t 60 -wy
  nfcap -p 9995 | nffilter 'dst port 53' | nfagg -o line
  nfcap -p 2055 -p 6343 --listen tcp://:4739 -M /var/log/netflow -S 1 -w
  nfcap -n core,10.0.0.1,/flows/core -n edge,10.1.0.0/16,/flows/edge -w
  nfcap -p 9995 -l /flows -w -R 10.0.0.9:2055 -A
  nfcap -f export.pcap -l /flows                 packets out of a capture

Receiving:
  -p, --port PORT      UDP port; may be repeated (9995)
  -b, --bind HOST      address or interface to listen on (all)
      --listen URL     also listen on udp://, tcp://, tls:// or
                       sctp://HOST:PORT; may be repeated
  -J, --multicast GROUP  join a multicast group; -b names the interface
  -4, --ipv4           IPv4 only
  -6, --ipv6           IPv6 only
  -B, --buffer SIZE    receive buffer of a socket (64M)
  -W, --workers N      sockets, and threads, for a UDP port (one a processor)
      --allow PREFIX   take packets of these senders only; may be repeated
      --exporters N    exporters that are remembered at most (10000)
      --template-lifetime TIME  how old a template of an earlier run may get
                       (30m)
      --tls-cert FILE  certificate for tls://
      --tls-key FILE   its key
      --tls-ca FILE    clients need a certificate of this authority
  -s, --sampling RATE  rate of exporters that announce none; -RATE for all
      --tunnel WHICH   header of an sFlow packet that makes the flow: outer or
                       inner (outer)
  -f, --read FILE      read export packets from a capture instead
  -R, --relay TARGET   send each packet on to HOST:PORT; may be repeated
  -A, --spoof          with the address of its sender

Storing:
  -l, --dir DIR        store what any sender sends
  -n, --source IDENT,ADDRESSES,DIR  store what these send; addresses and
                       prefixes are divided by ; and others are refused; may be
                       repeated
  -M, --sources-dir DIR  store what each sender sends in a directory of its own
      --max-sources N  at most so many of those (1024)
  -I, --ident IDENT    name of the source of -l (none)
  -t, --interval SECONDS  length of a slot (300)
  -w, --align          begin slots at multiples of it, not when nfcap begins
  -S, --layout N       directories by date, 0 to 8: 1 is 2026/11/24 (0)
  -z, --compress=WHAT  none, s2 or zstd (none)
  -y, --compress-default  the same as -z=s2
      --utc            names of files are in UTC
      --sync TIME      bring files to the disk so often (5s)
  -e, --expire         delete the oldest files at the end of a slot, by
      --max-size SIZE    what they take together
      --max-age TIME     their age, as in 30d or 12w
      --watermark N      percent of the limit that is left (95)
  -x, --exec COMMAND   run this for each file: %d directory, %f file in it,
                       %t slot as YYYYMMDDhhmm, %u in UNIX time, %i ident
      --no-history     do not say in the output how it was made

Running:
  -D, --daemon         detach; what is said goes to syslog
  -P, --pidfile FILE   write the process id
  -u, --user NAME      drop rights when the ports are open
  -g, --group NAME
      --metrics ADDRESS  Prometheus metrics and /healthz at this address (:9100)
      --memory SIZE    memory for records that wait to be stored (256M)
      --flush TIME     age of a record when it is written at last (1s)
  -h, --help           show this help
  -V, --version        show the version
      --completion SHELL  print the completion script of bash, zsh or fish

SIGHUP closes the slot and reads certificates again, SIGUSR1 closes the slot,
SIGINT and SIGTERM end nfcap when all is stored.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 done, but a capture was damaged.
`

func main() { os.Exit(run(cli.OS())) }

// gcPercent keeps the memory of ten thousand exporters near what their state takes: little is
// allocated beside it, so that collecting it more often costs next to nothing.
const gcPercent = 40

func run(env *cli.Env) int {
	c, ok := parse(env)
	if !ok {
		return env.Close()
	}
	debug.SetGCPercent(gcPercent)
	ready := func() error { return nil }
	if c.daemon {
		if ready, ok = env.Detach(); !ok {
			return env.Close()
		}
	}
	c.collect(env, ready)
	return env.Close()
}
