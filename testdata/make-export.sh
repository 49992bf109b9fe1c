#!/bin/bash
# Makes export.pcap: what a gateway exports of the traffic in office.pcap, as IPFIX, on its way to
# a collector that is not there. Debian's softflowd meters the capture in a network namespace of
# its own, whose only link leads nowhere. Nothing leaves it, and it is gone when the script ends.
# Needs root and Debian's iproute2 tcpdump softflowd.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/export.pcap}
PATH=$PATH:/usr/sbin:/sbin

for program in ip tcpdump softflowd; do
	command -v "$program" >/dev/null || {
		echo "make-export.sh: $program is missing, see the top of this script" >&2
		exit 1
	}
done

tmp=$(mktemp -d)
gateway=nfp-export-$$
recorder=
cleanup() {
	[ -z "$recorder" ] || kill "$recorder" 2>/dev/null || true
	wait 2>/dev/null || true
	ip netns del "$gateway" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT

ip netns add "$gateway"
at() { ip netns exec "$gateway" "$@"; }
at sysctl -qw net.ipv6.conf.all.disable_ipv6=1
at ip link add lan type veth peer name nowhere
at ip link set nowhere up
at ip link set lan up
at ip addr add 198.51.100.1/24 dev lan
at ip neigh add 198.51.100.99 lladdr 02:00:00:00:00:99 dev lan nud permanent

ip netns exec "$gateway" tcpdump -i lan -s 0 -U --immediate-mode -Z root -w "$tmp/export.pcap" udp dst port 4739 2>"$tmp/tcpdump.log" &
recorder=$!
for _ in $(seq 100); do
	grep -q listening "$tmp/tcpdump.log" && break
	sleep 0.05
done
# It exports the name of its file as that of the interface.
(cd "$here" && at softflowd -r office.pcap -a -v 10 -A milli -n 198.51.100.99:4739 -d -c none -p "$tmp/pid" >"$tmp/softflowd.log" 2>&1)
sleep 0.5
kill "$recorder" # not -INT, which a program in the background does not get
wait "$recorder" || true
recorder=
cp "$tmp/export.pcap" "$out"
chmod 644 "$out"
echo "$out: $(stat -c %s "$out") bytes"
