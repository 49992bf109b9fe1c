package netflow

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// opinion is who is right where two oracles disagree about a case, and why: the first of them,
// the second, or both, if they show the same thing in two ways.
type opinion struct{ right, why string }

const (
	apart = "type and code of ICMP are apart from the ports with tshark, and in the destination port with nfdump; here they are elements of their own"
	raw5  = "nfdump multiplies by the sampling rate when it collects; counters stay raw here and the rate beside them gives nfdump's"
	few   = "the oracle lists some of the records"
	total = "telegraf has 85 and 86 under other names than 1 and 2"
	files = "the file holds two messages of IPFIX, of which a datagram would carry one; beats reads on"
)

var opinions = map[[2]string]opinion{
	{"logstash/Netflow_5_valid_01", "tshark/nfdump"}:                         {"tshark", "the file holds twelve export packets, of which a datagram would carry one; its header counts 2 records"},
	{"logstash/Netflow_5_invalid_01", "tshark/nfdump"}:                       {"tshark", "the header counts more records than there are; those that are there are whole"},
	{"logstash/Netflow_9_valid_01", "tshark/nfdump"}:                         {"both", apart},
	{"logstash/Netflow_9_Cisco_ASA", "tshark/nfdump"}:                        {"both", "the ports hold an identifier, and type and code are sent beside them: both are kept"},
	{"logstash/Netflow_9_Cisco_ASA", "tshark/logstash"}:                      {"tshark", few},
	{"logstash/Netflow_9_Cisco_ASA", "nfdump/logstash"}:                      {"nfdump", few},
	{"logstash/Netflow_9_multiple_netflow_exporters", "tshark/nfdump"}:       {"both", apart},
	{"beats/IPFIX", "tshark/beats"}:                                          {"tshark", files},
	{"beats/IPFIX", "nfdump/beats"}:                                          {"nfdump", files},
	{"beats/Netflow_9_valid_01", "tshark/nfdump"}:                            {"both", apart},
	{"beats/Netflow_9_valid_01", "nfdump/beats"}:                             {"both", apart},
	{"beats/Netflow_9_Cisco_ASA", "nfdump/beats"}:                            {"both", apart},
	{"beats/Netflow_9_multiple_netflow_exporters", "nfdump/beats"}:           {"both", apart},
	{"telegraf/ipfix_example", "tshark/telegraf"}:                            {"both", total},
	{"telegraf/ipfix_example", "nfdump/telegraf"}:                            {"both", total},
	{"telegraf/ipfix_pen_35632", "tshark/telegraf"}:                          {"both", "both have one packet, which stands last in the line of telegraf"},
	{"telegraf/ipfix_pen_35632", "nfdump/telegraf"}:                          {"both", "both have one packet, which stands last in the line of telegraf"},
	{"graylog-plugin/netflow5.pcap", "tshark/nfdump"}:                        {"both", raw5},
	{"graylog-plugin/netflow9.pcap", "tshark/nfdump"}:                        {"nfdump", "the first message has two template sets, of which tshark reads one"},
	{"netgauze/unit_ipfix-vmware", "tshark/nfdump"}:                          {"tshark", "nfdump takes a source port for type and code, byte for byte swapped"},
	{"vflow/netflow_v5_decoder_test.go_TestV5FlowPacket32", "tshark/nfdump"}: {"both", raw5},
	{"bitkeks/nf1", "tshark/nfdump"}:                                         {"both", apart},
	{"bitkeks/nf5", "tshark/nfdump"}:                                         {"both", apart},
	{"mikemiles/L12", "tshark/nfdump"}:                                       {"tshark", "NetFlow v7 has no sampling rate where v5 has one"},
}

// TestDisagreements has an opinion about every disagreement between the oracles, and as many
// records as the one that is right. That the fields agree, TestTshark, TestNfdump and
// TestExpected show.
func TestDisagreements(t *testing.T) {
	counts := map[string]int{}
	for _, c := range cases(t) {
		if strings.HasPrefix(c["protocol"], "sflow") {
			continue
		}
		batches, _ := decodeAll(t, c.packets(t), Config{})
		for _, b := range batches {
			counts[c["case"]] += b.N
		}
	}
	b, err := os.ReadFile(filepath.Join(sharedData, "netflow/DISAGREEMENTS.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(b)), "\n")[1:]
	seen := map[[2]string]bool{}
	for _, l := range rows {
		f := strings.Split(l, "\t")
		key := [2]string{f[0], f[1]}
		seen[key] = true
		o, ok := opinions[key]
		if !ok {
			t.Errorf("%s: no opinion about %s (%s)", f[0], f[1], f[len(f)-1])
			continue
		}
		first, second, _ := strings.Cut(f[1], "/")
		for i, oracle := range []string{first, second} {
			n, err := strconv.Atoi(f[2+i])
			if err != nil || (o.right == oracle || o.right == "both") && counts[f[0]] != n {
				t.Errorf("%s: %d records, %s has %s", f[0], counts[f[0]], oracle, f[2+i])
			}
		}
		if o.right != "both" && o.right != first && o.right != second {
			t.Errorf("%s: nobody is called %s", f[0], o.right)
		}
	}
	for key := range opinions {
		if !seen[key] {
			t.Errorf("%s: nobody disagrees any more about %s", key[0], key[1])
		}
	}
}
