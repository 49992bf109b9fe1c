#!/bin/bash
# Makes office.pcap: an office that resolves names, browses, pings and logs in,
# seen at its gateway. Real programs in three network namespaces of their own:
#
#   office 198.51.100.0/24 ── gateway ── servers 192.0.2.0/24
#          2001:db8:100::/64             2001:db8:2::/64
#
# Nothing leaves them, and they are gone when the script ends. Needs root and
# Debian's iproute2 ethtool tcpdump dnsmasq-base bind9-dnsutils nginx-light
# curl openssl iputils-ping openssh-server openssh-client.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/office.pcap}

for program in ip ethtool tcpdump dnsmasq dig nginx curl openssl ping sshd ssh ssh-keygen; do
	PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || {
		echo "make-capture.sh: $program is missing, see the top of this script" >&2
		exit 1
	}
done
PATH=$PATH:/usr/sbin:/sbin

tmp=$(mktemp -d)
chmod 755 "$tmp"
office=nfp-office-$$ gateway=nfp-gateway-$$ servers=nfp-servers-$$
at() { ip netns exec "$@"; }
started=()
# background starts a program that runs until the script ends
background() {
	ip netns exec "$@" &
	started+=($!)
}

cleanup() {
	for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	for ns in "$office" "$gateway" "$servers"; do ip netns del "$ns" 2>/dev/null || true; done
	rm -rf "$tmp"
}
trap cleanup EXIT

network() {
	for ns in "$office" "$gateway" "$servers"; do
		ip netns add "$ns"
		# addresses are usable at once, and nobody announces routers
		at "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
		at "$ns" ip link set lo up
	done
	ip link add lan netns "$office" type veth peer name lan netns "$gateway"
	ip link add dmz netns "$gateway" type veth peer name dmz netns "$servers"
	at "$gateway" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for end in "$office lan" "$gateway lan" "$gateway dmz" "$servers dmz"; do
		set -- $end
		# packets as they are on a wire: segmented, with checksums
		at "$1" ethtool -K "$2" tso off gso off gro off tx off >/dev/null
		at "$1" ip link set "$2" up
	done
	for host in 10 11 12; do
		at "$office" ip addr add "198.51.100.$host/24" dev lan
		at "$office" ip addr add "2001:db8:100::$host/64" dev lan
	done
	at "$gateway" ip addr add 198.51.100.1/24 dev lan
	at "$gateway" ip addr add 2001:db8:100::1/64 dev lan
	at "$gateway" ip addr add 192.0.2.1/24 dev dmz
	at "$gateway" ip addr add 2001:db8:2::1/64 dev dmz
	for host in 22 53 80; do
		at "$servers" ip addr add "192.0.2.$host/24" dev dmz
		at "$servers" ip addr add "2001:db8:2::$host/64" dev dmz
	done
	at "$office" ip route add default via 198.51.100.1
	at "$office" ip -6 route add default via 2001:db8:100::1
	at "$servers" ip route add default via 192.0.2.1
	at "$servers" ip -6 route add default via 2001:db8:2::1
}

serve() {
	background "$servers" dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null \
		--pid-file --bind-interfaces --listen-address=192.0.2.53,2001:db8:2::53 --user=root \
		--local=/example/ \
		--host-record=www.example,192.0.2.80,2001:db8:2::80 \
		--host-record=shell.example,192.0.2.22,2001:db8:2::22 \
		--txt-record=big.example,"$(printf 'x%.0s' {1..200})" 2>"$tmp/dnsmasq.log"

	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=www.example \
		-keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
	mkdir "$tmp/www"
	head -c 900 /dev/zero | tr '\0' a >"$tmp/www/index.html"
	head -c 60000 /dev/zero | tr '\0' b >"$tmp/www/report"
	cat >"$tmp/nginx.conf" <<-END
		daemon off; master_process off; pid $tmp/nginx.pid; error_log $tmp/nginx.log;
		events {}
		http {
			access_log off; default_type text/plain;
			client_body_temp_path $tmp/b; proxy_temp_path $tmp/p; fastcgi_temp_path $tmp/f;
			uwsgi_temp_path $tmp/u; scgi_temp_path $tmp/s;
			server {
				listen 192.0.2.80:80; listen [2001:db8:2::80]:80;
				listen 192.0.2.80:443 ssl; listen [2001:db8:2::80]:443 ssl;
				ssl_certificate $tmp/cert.pem; ssl_certificate_key $tmp/key.pem;
				root $tmp/www;
				location /upload { client_max_body_size 1m; return 204; }
			}
		}
	END
	background "$servers" nginx -p "$tmp" -e "$tmp/nginx.log" -c "$tmp/nginx.conf"

	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$tmp/host"
	ssh-keygen -q -t ed25519 -N '' -f "$tmp/user"
	background "$servers" "$(command -v sshd)" -D -f /dev/null -h "$tmp/host" -p 22 -E "$tmp/sshd.log" \
		-o PidFile="$tmp/sshd.pid" -o AuthorizedKeysFile="$tmp/user.pub" -o StrictModes=no \
		-o UsePAM=no -o PermitRootLogin=yes -o ListenAddress=192.0.2.22 -o ListenAddress=2001:db8:2::22
}

# resolve HOST NAME TYPE: office host 10, 11 or 12 asks over IPv4, or with a
# colon before the number over IPv6
resolve() {
	case $1 in
	:*) at "$office" dig +short +tries=1 -b "2001:db8:100::${1#:}" @2001:db8:2::53 "${@:2}" ;;
	*) at "$office" dig +short +tries=1 -b "198.51.100.$1" @192.0.2.53 "${@:2}" ;;
	esac >/dev/null
}

# browse HOST URL…
browse() {
	at "$office" curl -sS --insecure --max-time 10 \
		--resolve www.example:80:192.0.2.80 --resolve www.example:443:192.0.2.80 \
		--interface "$@" >/dev/null
}

work() {
	local i
	for i in 1 2 3; do
		resolve 10 www.example A
		resolve 10 www.example AAAA
		browse 198.51.100.10 http://www.example/ http://www.example/report
		resolve :11 www.example AAAA
		browse 2001:db8:100::11 "https://[2001:db8:2::80]/" "https://[2001:db8:2::80]/report"
		resolve 12 www.example A
		browse 198.51.100.12 https://www.example/report
		resolve 11 "nowhere$i.example" A || true
		resolve 12 shell.example A
		sleep 2
	done
	resolve 10 +tcp big.example TXT
	head -c 20000 /dev/zero | browse 198.51.100.11 --data-binary @- https://www.example/upload
	at "$office" ping -q -c 4 -i 0.5 -I 198.51.100.10 192.0.2.80 >/dev/null
	at "$office" ping -6 -q -c 4 -i 0.5 -I 2001:db8:100::12 2001:db8:2::80 >/dev/null
	at "$office" ping -q -c 1 -W 1 -t 1 -I 198.51.100.10 192.0.2.80 >/dev/null || true # time exceeded
	local login=(ssh -q -i "$tmp/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes)
	at "$office" "${login[@]}" -b 198.51.100.12 root@192.0.2.22 'for i in 1 2 3; do date; sleep 1; done' >/dev/null
	at "$office" "${login[@]}" -b 2001:db8:100::10 root@2001:db8:2::22 'ls /' >/dev/null
	browse 198.51.100.11 http://192.0.2.80:8080/ 2>/dev/null || true                          # refused: RST
	at "$office" dig +tries=1 +time=1 -b 198.51.100.11 @192.0.2.80 www.example >/dev/null || true # ICMP unreachable
	browse 198.51.100.10 --limit-rate 20k https://www.example/report                          # slow
}

network
serve
sleep 1.5
background "$gateway" tcpdump -i lan -s 256 -U -Z root -w "$tmp/office.pcap" 'ip or ip6 or arp' 2>"$tmp/tcpdump.log"
recorder=$!
sleep 1
work
sleep 1
kill "$recorder" # not -INT, which a program in the background does not get
wait "$recorder" || true
mv "$tmp/office.pcap" "$out"
chmod 644 "$out"
echo "$out: $(stat -c %s "$out") bytes"
