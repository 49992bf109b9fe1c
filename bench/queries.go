package main

import (
	"fmt"
	"strings"
)

// command is one way to answer a query.
type command struct {
	who   string
	needs []string // programs
	line  string   // what is timed; {n} stands for the number of rows asked for
	check string   // what is compared, if that is not the output of line
	fresh string   // a directory to be made anew before each run
	tidy  []rule   // on the output that is compared
	blind string   // why the output cannot be compared
	files string   // pattern of the files that it wrote, whose octets a record are told
}

// query is one job and the commands that do it, ours first.
type query struct {
	name     string
	commands []command
	// rank is the position from the right of the field that a top list is ordered by; 0: the order of rows is not
	// defined, they are compared as a set.
	rank int
	rows int
	// right is a command whose output is the right one; without it the last command's is.
	right   string
	records int // that the commands store in files
}

const fields = "%ts,%td,%pr,%sa,%sp,%da,%dp,%pkt,%byt,%fl"

// flowQuery has a pipeline of ours, the same read from the file by the last tool, and nfdump's.
func flowQuery(name, filter, options string, rank int) query {
	ours := "nfcat -r " + fileOurs
	needs := []string{"nfcat", "nfagg"}
	direct := "nfagg -r " + fileOurs + " " + options
	if filter != "" {
		ours += " | nffilter '" + filter + "'"
		needs = append(needs, "nffilter")
		direct = "nffilter -r " + fileOurs + " '" + filter + "' | nfagg " + options
	}
	peer := "nfdump -r " + fileNfdump + " " + options
	if filter != "" {
		peer += " '" + filter + "'"
	}
	return query{name: name, rank: rank, rows: 10, commands: []command{
		{who: "nfpipe", needs: needs, line: ours + " | nfagg " + options, tidy: textRules},
		{who: "nfpipe -r", needs: needs[1:], line: direct, tidy: textRules},
		{who: "nfdump", needs: []string{"nfdump"}, line: peer, tidy: textRules},
	}}
}

// queries lists every query. Ranks: in a list by -A the bytes are the fourth field from the right (bytes, bps, bpp,
// flows), in line output the second, in a statistic the fourth, where flows are the sixth.
func queries(d *data) []query {
	list := []query{
		flowQuery("pairs of dst port 53 by bytes", "dst port 53", "-A srcip,dstip -O bytes -n {n}", 4),
		flowQuery("sources of dst port 3389", "dst port 3389", "-A srcip -o 'fmt:%ts , %te , %sa' -q", 0),
		flowQuery("srcip/bytes", "", "-s srcip/bytes -n {n}", 4),
		flowQuery("ip/flows", "", "-s ip/flows -n {n}", 6),
		flowQuery("pairs by bytes", "", "-A srcip,dstip -O bytes -n {n}", 4),
		flowQuery("5-tuples by bytes", "", "-a -O bytes -n {n} -o line", 2),
		flowQuery("records by bytes", "", "-O bytes -n {n} -o line", 2),
		flowQuery("selective list", "src net 10.0.0.0/24 and proto tcp and bytes > 1000000", "-o line", 0),
		csvQuery(),
		meterQuery(),
		storeQuery("store export packets", "-t 86400", &d.Export),
		storeQuery("store them in slots of 5 min", "-t 300 -w", &d.Export),
		sparseQuery(&d.Sparse),
	}
	return list
}

// csvQuery: nfdump 1.7.1 has 48 columns of its own and times in seconds, so that what is compared is its fmt: output.
func csvQuery() query {
	q := flowQuery("csv of proto udp", "proto udp", "-o csv", 0)
	for i := range q.commands {
		c := &q.commands[i]
		c.tidy = csvRules
		if c.who == "nfdump" {
			c.check = strings.Replace(c.line, "-o csv", "-q -N -6 -o 'fmt:"+fields+"'", 1)
		}
	}
	return q
}

func meterQuery() query {
	const key = "-A proto,srcip,srcport,dstip,dstport -q -N -6 -o 'fmt:%pr,%sa,%sp,%da,%dp,%pkt,%byt'"
	return query{name: "packets to flows", commands: []command{
		{who: "nfpipe", needs: []string{"nfpcap", "nfagg"}, line: "nfpcap -r " + fileCapture,
			check: "nfpcap -r " + fileCapture + " | nfagg " + key, tidy: csvRules},
		{who: "nfpcapd", needs: []string{"nfpcapd", "nfdump"}, line: "nfpcapd -r " + fileCapture + " -w pcapd",
			check: "nfdump -R pcapd " + key, fresh: "pcapd", tidy: csvRules},
		{who: "softflowd", needs: []string{"softflowd"},
			line:  "softflowd -r " + fileCapture + " -d -6 -v 9 -m 4000000 -c none -p out/softflowd.pid",
			blind: "sends, keeps no file"},
	}}
}

// everyField is what the modelled router sends, and what the collector adds.
const everyField = "%ts,%te,%tr,%pr,%sa,%sp,%da,%dp,%flg,%tos,%pkt,%byt,%in,%out,%sas,%das,%smk,%dmk,%nh,%ra"

// storeQuery decodes export packets into files. Their records are held against the rows: counts and sums of all, and
// an eighth of them, with all ICMP, field by field. The nfcapd of Debian cannot read a capture.
func storeQuery(name, options string, packets *ExportStats) query {
	check := func(read string) string {
		return read + " | nfagg -A proto -q -N -o 'fmt:%pr,%fl,%pkt,%byt' && " + read +
			" | nffilter 'src net 10.0.0.0/13 or src net 2001:db8::/45 or proto icmp or proto icmp6'" +
			" | nfagg -q -N -6 -o 'fmt:" + everyField + "'"
	}
	return query{name: name, right: check("nfcat -r " + fileOurs), records: packets.Records, commands: []command{
		{who: "nfpipe", needs: []string{"nfcap", "nfcat", "nffilter", "nfagg"}, line: "nfcap -f " + fileExport + " -l stored " + options,
			fresh: "stored", check: check("cat stored/nfcap.2*"), tidy: csvRules, files: "stored/nfcap.2*"},
	}}
}

func sparseQuery(packets *ExportStats) query {
	return query{name: "store 5 min of 100 flows/s", right: fmt.Sprint("echo ", packets.Records), records: packets.Records, commands: []command{
		{who: "nfpipe", needs: []string{"nfcap", "nfcat"}, line: "nfcap -f " + fileSparse + " -l stored -t 86400", fresh: "stored",
			check: "cat stored/nfcap.2* | nfcat --count", files: "stored/nfcap.2*"},
	}}
}
