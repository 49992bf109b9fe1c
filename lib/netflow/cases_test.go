package netflow

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nfpipe/lib/capture"
	"nfpipe/lib/flow"
)

// datum is an export packet of a case, and who sent it.
type datum struct {
	from netip.Addr
	body []byte
}

const sharedData = "../../../shared/data"

// caseRow is a row of CASES.tsv by its column names.
type caseRow map[string]string

func (c caseRow) number(name string) int {
	n, err := strconv.Atoi(c[name])
	if err != nil {
		return -1
	}
	return n
}

// cases reads the catalogue of real export packets.
func cases(t *testing.T) []caseRow {
	b, err := os.ReadFile(filepath.Join(sharedData, "netflow/CASES.tsv"))
	if err != nil {
		if os.Getenv("NFPIPE_REQUIRE") == "all" {
			t.Fatal(err)
		}
		t.Skip("the collection of real export packets is not here:", err)
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	names := strings.Split(lines[0], "\t")
	var out []caseRow
	for _, l := range lines[1:] {
		c := caseRow{}
		for i, v := range strings.Split(l, "\t") {
			c[names[i]] = v
		}
		out = append(out, c)
	}
	return out
}

// packets are the export packets of a case in their order.
func (c caseRow) packets(t *testing.T) []datum {
	t.Helper()
	var out []datum
	local := netip.MustParseAddr("127.0.0.1")
	for _, name := range strings.Fields(c["files"]) {
		path := filepath.Join(sharedData, name)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := capture.NewReader(f); err == nil {
			_, err := capture.Datagrams(r, func(d *capture.Datagram) error {
				out = append(out, datum{d.Src.Addr(), append([]byte(nil), d.Payload...)})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			continue
		}
		f.Close()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, ".ipfix") {
			out = append(out, datum{local, b})
			continue
		}
		for len(b) >= 16 { // an IPFIX file (RFC 5655)
			n := int(binary.BigEndian.Uint16(b[2:]))
			out = append(out, datum{local, b[:n]})
			b = b[n:]
		}
	}
	return out
}

// decodeAll decodes the packets of a case and returns the batches and the exporters.
func decodeAll(t *testing.T, packets []datum, c Config) ([]*flow.Batch, map[netip.Addr]*Exporter) {
	var out []*flow.Batch
	c.Sink = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		out = append(out, b.Batch())
		return flow.NewBuilder()
	})
	exporters := map[netip.Addr]*Exporter{}
	for i, p := range packets {
		x := exporters[p.from]
		if x == nil {
			x = NewExporter(p.from, c)
			exporters[p.from] = x
		}
		if err := x.Decode(p.body, int64(i+1)*1e9); err != nil {
			t.Logf("packet %d: %v", i, err)
		}
	}
	c.Sink.Flush()
	return out, exporters
}

// TestCounts compares the number of records with the columns of the catalogue.
func TestCounts(t *testing.T) {
	y := newTally(t)
	for _, c := range cases(t) {
		if strings.HasPrefix(c["protocol"], "sflow") {
			continue
		}
		y.records++
		batches, _ := decodeAll(t, c.packets(t), Config{})
		n := 0
		for _, b := range batches {
			n += b.N
		}
		for _, column := range []string{"tshark_flows", "nfcapd178_flows"} {
			want := c.number(column)
			y.check(n == want, c["case"], column, "%d records, not %d", n, want)
		}
	}
	y.finish(countsKnown)
}

// countsKnown are the differences of numbers of records; the reasons are with the records.
var countsKnown = slices.Concat(
	because("tshark misses a template set of the first message", "graylog-plugin/netflow9.pcap", 1, "tshark_flows"),
	because("nfcapd refuses a message that is cut off", "logstash/Netflow_5_invalid_01", 1, "nfcapd178_flows"),
	because("nfcapd reads messages behind the message", "logstash/Netflow_5_valid_01", 1, "nfcapd178_flows"),
	because("nfcapd does not count records without counters and times, though it stores them", "calmh-ipfix/BenchmarkInterpret", 1, "nfcapd178_flows"),
)
