package sflow_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"nfpipe/lib/capture"
	"nfpipe/lib/ie"
	"nfpipe/lib/sflow"
)

// shared is the folder of test data beside the checkout.
const shared = "../../../shared/data"

func skip(t *testing.T, missing string) {
	t.Helper()
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		t.Fatalf("missing: %s", missing)
	}
	t.Skipf("missing: %s", missing)
}

// oracleCase is a row of CASES.tsv.
type oracleCase map[string]string

func (c oracleCase) number(t *testing.T, column string) int {
	n, err := strconv.Atoi(c[column])
	if err != nil {
		t.Fatalf("%s: column %s: %v", c["case"], column, err)
	}
	return n
}

// oracleCases are the cases of sFlow.
func oracleCases(t *testing.T) []oracleCase {
	list, err := os.ReadFile(filepath.Join(shared, "netflow", "CASES.tsv"))
	if err != nil {
		skip(t, "../shared/data/netflow/CASES.tsv")
	}
	var cases []oracleCase
	var head []string
	for line := range strings.Lines(string(list)) {
		row := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if head == nil {
			head = row
			continue
		}
		c := oracleCase{}
		for i, name := range head {
			c[name] = row[i]
		}
		if strings.HasPrefix(c["protocol"], "sflow") {
			cases = append(cases, c)
		}
	}
	if len(cases) < 12 {
		t.Fatalf("%d cases of sFlow", len(cases))
	}
	return cases
}

// datagrams reads the datagrams of a case: a file each, or the UDP payloads of a capture.
func (c oracleCase) datagrams(t *testing.T) [][]byte {
	var list [][]byte
	for name := range strings.FieldsSeq(c["files"]) {
		b, err := os.ReadFile(filepath.Join(shared, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".pcap") {
			list = append(list, payloads(t, b)...)
		} else {
			list = append(list, b)
		}
	}
	if n := c.number(t, "datagrams"); len(list) != n {
		t.Fatalf("%s: %d datagrams, want %d", c["case"], len(list), n)
	}
	return list
}

func payloads(t *testing.T, file []byte) (list [][]byte) {
	r, err := capture.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	for {
		if err := r.Next(&p); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		udp := gopacket.NewPacket(p.Data, layers.LinkType(p.LinkType), gopacket.Default).Layer(layers.LayerTypeUDP)
		if udp != nil {
			list = append(list, slices.Clone(udp.LayerPayload()))
		}
	}
}

// decode decodes all datagrams of a case.
func (c oracleCase) decode(t *testing.T) ([]map[ie.ID]string, sflow.Stats) {
	r := newReceiver(t)
	x := sflow.NewExporter(netip.MustParseAddr("127.0.0.1"), sflow.Config{Sink: r.sink})
	for i, p := range c.datagrams(t) {
		if err := x.Decode(p, arrival); err != nil {
			t.Errorf("%s: datagram %d: %v", c["case"], i, err)
		}
	}
	return r.all(), x.Stats()
}

// lines reads the JSON lines of an oracle.
func (c oracleCase) lines(t *testing.T, kind string, each func(line []byte)) {
	f, err := os.Open(filepath.Join(shared, c["oracle_prefix"]+kind))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if len(bytes.TrimSpace(in.Bytes())) > 0 {
			each(in.Bytes())
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
}

// tally counts what was compared.
type tally struct {
	samples, fields int
	unmapped        map[string]int
	used            map[exception]bool
}

func newTally() *tally { return &tally{unmapped: map[string]int{}, used: map[exception]bool{}} }

func (n *tally) report(t *testing.T, oracle string) {
	names := slices.Sorted(maps.Keys(n.unmapped))
	t.Logf("%s: %d samples, %d fields compared, %d of them exceptions; %d names are not compared: %s",
		oracle, n.samples, n.fields, len(n.used), len(names), strings.Join(names, ", "))
	if len(n.used) != len(exceptions) && oracle == "sfcapd" {
		t.Errorf("%d of %d exceptions are needed", len(n.used), len(exceptions))
	}
}

// TestTshark compares every sample with what tshark decodes of it.
func TestTshark(t *testing.T) {
	n := newTally()
	for _, c := range oracleCases(t) {
		rows, stats := c.decode(t)
		if want := c.number(t, "tshark_sflow_samples"); len(rows) != want || stats.Samples != uint64(want) {
			t.Fatalf("%s: %d records, %+v, want %d", c["case"], len(rows), stats, want)
		}
		if want := c.number(t, "tshark_sflow_counters"); stats.Counters != uint64(want) || stats.Skipped+stats.Discards != 0 {
			t.Errorf("%s: %+v, want %d counter samples", c["case"], stats, want)
		}
		i := 0
		c.lines(t, ".tshark.jsonl", func(line []byte) {
			var l struct{ Fields map[string]any }
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatal(err)
			}
			if l.Fields["sflow.flow_sample.sampling_rate"] == nil {
				return // counters
			}
			n.tshark(t, fmt.Sprintf("%s, sample %d", c["case"], i+1), l.Fields, rows[i])
			i++
		})
		if i != len(rows) {
			t.Errorf("%s: tshark has %d samples, we %d", c["case"], i, len(rows))
		}
	}
	n.report(t, "tshark")
	if n.samples < 39 {
		t.Errorf("%d samples", n.samples)
	}
}

// tshark compares one sample, in both directions: every field that tshark has is compared or
// listed as something else, and every element that we have was compared, but for ours.
func (n *tally) tshark(t *testing.T, where string, fields map[string]any, row map[ie.ID]string) {
	n.samples++
	left := maps.Clone(row)
	delete(left, 131)
	for id := range every {
		delete(left, id)
	}
	f := tsharkFields{}
	for name, v := range fields {
		if list, ok := v.([]any); ok {
			for _, v := range list {
				f[name] = append(f[name], fmt.Sprint(v))
			}
		} else {
			f[name] = []string{fmt.Sprint(v)}
		}
	}
	f.splitNextHops()
	for name := range f {
		read, ok := tsharkNames[name]
		if !ok {
			if !hasPrefix(name, tsharkOther) {
				t.Errorf("%s: field %s is neither compared nor listed", where, name)
			}
			n.unmapped[name]++
			continue
		}
		n.fields++
		id, want := read(f, f[name])
		if id == 0 {
			continue // said by another field
		}
		if got := row[id]; got != want {
			t.Errorf("%s: %s: element %s is %q, want %q", where, name, id, got, want)
		}
		delete(left, id)
	}
	if f.one("sflow.flow_sample.sampling_rate") != "1" && left[ie.SamplingInterval] == "1" {
		delete(left, ie.SamplingInterval)
	}
	for id, v := range left {
		t.Errorf("%s: tshark does not say %s = %s", where, id, v)
	}
}

func hasPrefix(s string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return strings.HasPrefix(s, p) })
}

// TestSfcapd compares every sample with what sfcapd 1.7.8 stored, multiplied as it multiplies.
func TestSfcapd(t *testing.T) {
	n := newTally()
	for _, c := range oracleCases(t) {
		rows, _ := c.decode(t)
		if want := c.number(t, "sfcapd178_flows"); len(rows) != want {
			t.Fatalf("%s: %d records, want %d", c["case"], len(rows), want)
		}
		i := 0
		c.lines(t, ".nfdump.json", func(line []byte) {
			d := json.NewDecoder(bytes.NewReader(line))
			d.UseNumber()
			var fields map[string]any
			if err := d.Decode(&fields); err != nil {
				t.Fatal(err)
			}
			n.sfcapd(t, c["case"], i+1, fields, rows[i])
			i++
		})
		if i != len(rows) {
			t.Errorf("%s: sfcapd has %d records, we %d", c["case"], i, len(rows))
		}
	}
	n.report(t, "sfcapd")
	if n.samples < 39 {
		t.Errorf("%d samples", n.samples)
	}
}

func (n *tally) sfcapd(t *testing.T, name string, number int, fields map[string]any, row map[ie.ID]string) {
	n.samples++
	for key, v := range fields {
		read, ok := sfcapdNames[key]
		if !ok {
			if !slices.Contains(sfcapdOther, key) {
				t.Errorf("%s: field %s is neither compared nor listed", name, key)
			}
			n.unmapped[key]++
			continue
		}
		n.fields++
		got, want := read(row), fmt.Sprint(v)
		e := exception{name, number, key}
		if ours, ok := exceptions[e]; ok {
			if got == want {
				t.Errorf("%v: the exception is no longer needed", e)
			}
			n.used[e] = true
			want = ours
		}
		if got != want {
			t.Errorf("%s, sample %d: %s is %s, want %s", name, number, key, got, want)
		}
	}
}
