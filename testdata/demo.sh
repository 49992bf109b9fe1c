#!/bin/bash
# Shows what the tools do, on a small capture. Run by make demo.
set -euo pipefail
cd "$(dirname "$0")/.."
export TZ=UTC

step() {
	echo
	echo "# $1"
	echo "\$ $2"
	bash -o pipefail -c "$2"
}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export out

step "packets become flow records; a file holds the same bytes as a pipe" \
	'nfpcap -r testdata/office.pcap > $out/office.nf; ls -l $out/office.nf | cut -d" " -f5'
step "the records, one a line" \
	'nfcat -r $out/office.nf -c 8 | nfagg -o line -q'
step "who asked which name server" \
	'nfcat -r $out/office.nf | nffilter "dst port 53" | nfagg -A srcip,dstip -o line'
step "the top web clients" \
	'nfcat -r $out/office.nf | nffilter "dst port 443" | nfagg -s srcip/bytes'
step "in a form of your own" \
	'nffilter -r $out/office.nf "proto icmp or proto icmp6" | nfagg -A srcip -o "fmt:%ts , %te , %sa" -q'
step "all in one line, no file in between" \
	'nfpcap -r testdata/office.pcap | nffilter "dst port 443" | nfagg -A dstip -O bytes -o csv'
