package sflow_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"nfpipe/lib/ie"
)

// flowLine is a flow sample as tcpdump prints it, agentLine the header of a datagram.
var (
	flowLine  = regexp.MustCompile(`flow sample \(\d+\), length \d+, seqnum \d+, type \d+, idx \d+, rate (\d+), pool \d+, drops \d+, input (\d+)(?: \(\d+\))?,? output (\d+)(?: \((\d+)\))?`)
	agentLine = regexp.MustCompile(`sFlowv5, IPv[46] agent ([^,]+), agent-id (\d+),`)
)

// TestTcpdump compares with what tcpdump's own tests expect of two captures.
func TestTcpdump(t *testing.T) {
	compared := 0
	for _, c := range oracleCases(t) {
		name := strings.TrimSuffix(c["files"], ".pcap") + ".tcpdump.out"
		out, err := os.ReadFile(filepath.Join(shared, name))
		if err != nil {
			continue
		}
		rows, _ := c.decode(t)
		agent, sub := "", ""
		for line := range strings.Lines(string(out)) {
			if m := agentLine.FindStringSubmatch(line); m != nil {
				agent, sub = m[1], m[2]
			}
			m := flowLine.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if len(rows) == 0 {
				t.Fatalf("%s: tcpdump has more samples", c["case"])
			}
			row := rows[0]
			rows = rows[1:]
			compared++
			got := fmt.Sprint(row[130]+row[131], " ", row[149], " ", rate(row), " ", row[10])
			if want := fmt.Sprint(agent, " ", sub, " ", m[1], " ", m[2]); got != want {
				t.Errorf("%s: agent, sub-agent, rate and input are %s, want %s", c["case"], got, want)
			}
		}
		if len(rows) > 0 {
			t.Errorf("%s: tcpdump lacks %d samples", c["case"], len(rows))
		}
	}
	if compared != 15 {
		t.Errorf("%d samples compared, want 15", compared)
	}
}

// telegrafNames are the fields that are compared; in_snmp, direction and type are not: telegraf
// puts the data source in the place of the input, and gives the first next header for IPv6.
var telegrafNames = map[string]func(map[ie.ID]string) string{
	"l2_bytes": zero("", 1), "ipv4_total_len": zero("", 224), "ttl": zero("", 192), "src_tos": zero("", 5),
	"src": address(8, 27), "dst": address(12, 28), "src_port": zero("", 7), "dst_port": zero("", 11),
	"out_snmp": zero("", 14), "vlan_src": zero("", 58), "vlan_dst": zero("", 59),
	"in_src_mac": macOf(56), "out_dst_mac": macOf(80), "agent_ip": address(130), "agent_subid": zero("", 149),
	"sampling_interval": func(row map[ie.ID]string) string { return fmt.Sprint(rate(row)) },
}

// TestTelegraf compares with what telegraf's own test expects; its lines are in no order.
func TestTelegraf(t *testing.T) {
	compared := 0
	for _, c := range oracleCases(t) {
		out, err := os.ReadFile(filepath.Join(shared, c["expected"]))
		if err != nil || !strings.HasPrefix(c["case"], "telegraf/") {
			continue
		}
		rows, _ := c.decode(t)
		for line := range strings.Lines(string(out)) {
			fields := telegrafFields(line)
			if fields["sampling_interval"] == "" {
				continue // counters
			}
			compared++
			row := find(rows, fields)
			if row == nil {
				t.Errorf("%s: no record from %s to %s", c["case"], fields["src"], fields["dst"])
				continue
			}
			for name, read := range telegrafNames {
				if got, want := read(row), fields[name]; got != want && (want != "" || name == "out_snmp") {
					t.Errorf("%s: %s to %s: %s is %s, want %s", c["case"], fields["src"], fields["dst"], name, got, want)
				}
			}
		}
	}
	if compared != 6 {
		t.Errorf("%d samples compared, want 6", compared)
	}
}

// find returns the record with the addresses and length of a line.
func find(rows []map[ie.ID]string, fields map[string]string) map[ie.ID]string {
	for _, row := range rows {
		if address(8, 27)(row) == fields["src"] && address(12, 28)(row) == fields["dst"] && row[1] == fields["l2_bytes"] {
			return row
		}
	}
	return nil
}

// telegrafFields takes a line of its protocol apart: measurement and tags, fields, time.
func telegrafFields(line string) map[string]string {
	_, rest, _ := strings.Cut(line, " ")
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, v, _ := strings.Cut(part, "=")
		v, _, _ = strings.Cut(v, " ")
		fields[name] = strings.TrimSuffix(strings.Trim(v, `"`), "u")
	}
	return fields
}
