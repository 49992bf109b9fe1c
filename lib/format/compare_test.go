package format

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
)

// needNfdump skips where the version compared with is not installed.
func needNfdump(t *testing.T) {
	out, err := exec.Command("nfdump", "-V").Output()
	if err == nil && strings.Contains(string(out), "1.7.1") {
		return
	}
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		t.Fatal("nfdump 1.7.1 is not installed")
	}
	t.Skip("nfdump 1.7.1 is not installed: output is not compared with it")
}

const part = 64 // records of a batch, few enough that their shapes fit

// batches puts records into encoded batches.
func batches(t testing.TB, records []flowRecord) (out []*flow.Batch) {
	for r := range slices.Chunk(records, part) {
		out = append(out, batchOf(t, r))
	}
	return
}

// rows formats the batch as the tools do, without header.
func rows(t *testing.T, mode string, o Options, records []flowRecord) []string {
	o.Quiet = true
	p, err := New(mode, o)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for i, b := range batches(t, records) {
		if out, err = p.Batch(out, b, uint64(i*part)); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Split(string(out), "\n")
}

// different lists the tokens that 1.7.1 prints in another way, or does not know. The looks of
// 1.7.8 are in tokenTable. A token that is here and prints alike fails the test.
var different = map[string]string{
	"tos": "three columns wide, now four", "ter": "milliseconds of another value", "mpls10": "taken for mpls1 and a 0",
	"sn": "a mask of IPv6 counts from bit 64", "dn": "the same", "evt": "seven columns wide, now eight",
	"ipl": "ends the line even if absent", "opl": "the same",
}

func TestTokensLikeNfdump(t *testing.T) {
	needNfdump(t)
	records := randomRecords(200)
	file := nfdumpFile(t, records)
	known := 0
	fields := ie.Fields()
	for i := range fields {
		f := &fields[i]
		for _, tok := range append([]string{f.Token}, f.Tokens...) {
			if tok == "" || f.Kind == ie.Resolved && f.Name != "nbarname" && f.Name != "engine" {
				continue
			}
			mode := "fmt:[%" + tok + "]"
			out, err := tryOracle(file, mode, "UTC")
			if err != nil {
				continue // not in 1.7.1
			}
			known++
			want, got := strings.Split(string(out), "\n"), rows(t, mode, Options{}, records)
			if _, ok := different[tok]; !ok {
				compareRows(t, mode, got, want)
			} else if slices.Equal(got, want) {
				t.Errorf("%s is like nfdump's and need not be an exception", mode)
			}
		}
	}
	if known < 80 {
		t.Errorf("only %d tokens compared", known)
	}
}

func TestModesLikeNfdump(t *testing.T) {
	needNfdump(t)
	records := randomRecords(400)
	file := nfdumpFile(t, records)
	modes := []string{"line", "biline", "line6", "biline6", "fmt:%ts , %te , %sa", "fmt:%ts,%td,%pr,%sa,%sp,%da,%dp"}
	for _, name := range []string{"long", "extended", "bilong"} {
		// 1.7.1 prints the type of service three columns wide.
		modes = append(modes, "fmt:"+strings.ReplaceAll(textModes[name], "%tos", "%stos"))
	}
	for _, mode := range modes {
		compareRows(t, mode, rows(t, mode, Options{}, records), oracle(t, file, mode, "UTC"))
		if strings.Contains(mode, "%pps") {
			continue // its floating point makes some plain rates one less
		}
		compareRows(t, mode+" -N", rows(t, mode, Options{Plain: true}, records), oracle(t, file, mode, "UTC", "-N"))
	}
}

func TestZonesLikeNfdump(t *testing.T) {
	needNfdump(t)
	var records []flowRecord
	for _, s := range []uint64{0, 1, 1679792399, 1679792400, 1679795999, 1698537600, 1698541199, 1698541200, 1698541201, 1698544800, 1710053999, 1710054000, 4102444800} {
		records = append(records, flowRecord{first: s*1000 + 7, last: s*1000 + 999, received: s * 1000, proto: 6})
	}
	file := nfdumpFile(t, records)
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Skipf("no time zone data for %s", zone)
		}
		mode := "fmt:%ts %te %tr"
		compareRows(t, zone, rows(t, mode, Options{Location: loc}, records), oracle(t, file, mode, zone))
	}
}

// Each key that nfdump writes has its value in ours.
func TestJSONLikeNfdump(t *testing.T) {
	needNfdump(t)
	records := randomRecords(300)
	var theirs []map[string]any
	// In quiet mode 1.7.1 leaves the brackets out.
	d := json.NewDecoder(strings.NewReader("[" + strings.Join(oracle(t, nfdumpFile(t, records), "json", "UTC"), "\n") + "]"))
	d.UseNumber()
	if err := d.Decode(&theirs); err != nil || len(theirs) != len(records) {
		t.Fatalf("nfdump: %d objects, %v", len(theirs), err)
	}
	for i, line := range rows(t, "ndjson", Options{}, records) {
		if line == "" {
			continue
		}
		var ours map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&ours); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		for k, v := range theirs[i] {
			want := fmt.Sprint(v)
			switch k {
			case "label": // always "<none>"
				continue
			case "fwd_status": // there with the interfaces, whether sent or not
				if want == "0" {
					continue
				}
			case "observationDoaminID":
				k = "observationDomainID"
			case "first", "last", "received":
				want += "+00:00"
			case "cli_latency", "srv_latency", "app_latency":
				want = strings.TrimSuffix(want, "000")
			case "src_net", "dst_net":
				if strings.Contains(want, ":") {
					continue // a mask of IPv6 counts from bit 64
				}
			}
			if got := fmt.Sprint(ours[k]); got != want {
				t.Errorf("record %d: %s is %s, nfdump says %s", i+1, k, got, want)
			}
		}
	}
}

// A table of which each record is a row, against nfdump's; its order is not compared.
func TestStatisticLikeNfdump(t *testing.T) {
	needNfdump(t)
	records := tame(randomRecords(200))
	var sums Sums
	for i := range records {
		r := &records[i]
		sums.Flows += max(r.flows, 1)
		sums.Packets, sums.Bytes = sums.Packets+r.packets, sums.Bytes+r.bytes
		sums.OutPackets, sums.OutBytes = sums.OutPackets+r.oPackets, sums.OutBytes+r.oBytes
	}
	file := nfdumpFile(t, records)
	for _, order := range []string{"flows", "bytes"} {
		for _, mode := range []string{"line", "csv"} {
			table, err := NewTable(Statistic{Key: named("srcip"), Order: order}, mode, Options{Quiet: true})
			if err != nil {
				t.Fatal(err)
			}
			of := sums
			if order == "flows" { // 1.7.1 shows what came in and sets it against both directions
				of.Packets, of.Bytes = of.Packets+of.OutPackets, of.Bytes+of.OutBytes
			}
			var out []byte
			for _, b := range batches(t, records) {
				if out, err = table.Batch(out, b, 0, of); err != nil {
					t.Fatal(err)
				}
			}
			want := sorted(oracle(t, file, mode, "UTC", "-s", "srcip/"+order, "-n", strconv.Itoa(len(records)+1)))
			compareRows(t, "-s srcip/"+order+" -o "+mode, sorted(strings.Split(string(out), "\n")), want)
		}
	}
}

// tame gives each source address one record, and counters of the size that floating point
// holds, over whole seconds.
func tame(records []flowRecord) []flowRecord {
	seen := map[string]bool{}
	records = slices.DeleteFunc(records, func(r flowRecord) bool {
		twice := seen[r.src.String()]
		seen[r.src.String()] = true
		return twice
	})
	for i := range records {
		r := &records[i]
		r.packets, r.oPackets = r.packets%1e6, r.oPackets%1e6
		r.bytes, r.oBytes = r.packets*(64+r.bytes%1400), r.oPackets*99
		r.last -= (r.last - r.first) % 1000
	}
	return records
}

// sorted keeps the lines that begin with a date, in order.
func sorted(lines []string) []string {
	out := slices.DeleteFunc(slices.Clone(lines), func(s string) bool { return s == "" || s[0] != '2' })
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

// A list of aggregates, each of one record, against nfdump's.
func TestAggregatedLikeNfdump(t *testing.T) {
	needNfdump(t)
	records := tame(randomRecords(200))
	file := nfdumpFile(t, records)
	for _, names := range []string{"srcip,dstip", "srcip,proto,srcport", "srcip,srcas,next,srcvlan,inif", "srcip,insrcmac,dstmask,dstvlan"} {
		var keys []*ie.Field
		for n := range strings.SplitSeq(names, ",") {
			keys = append(keys, named(n))
		}
		cmd := exec.Command("nfdump", "-r", file, "-A", names)
		cmd.Env = append(os.Environ(), "TZ=UTC")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("nfdump -A %s: %v", names, err)
		}
		lines := strings.Split(string(out), "\n")
		compareRows(t, "-A "+names, sorted(rows(t, Aggregated(keys), Options{}, records)), sorted(lines))
		p, err := New(Aggregated(keys), Options{})
		if err != nil {
			t.Fatal(err)
		}
		// 1.7.1 writes the title of the duration with four blanks before it.
		if got := strings.Replace(p.header, "Duration        ", "    Duration    ", 1); got != lines[0]+"\n" {
			t.Errorf("-A %s: title\n%q, nfdump has\n%q", names, got, lines[0])
		}
	}
}

func compareRows(t *testing.T, mode string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, nfdump has %d", mode, len(got), len(want))
		return
	}
	bad := 0
	for i := range got {
		if got[i] != want[i] {
			if bad++; bad > 2 {
				t.Errorf("%s: and more", mode)
				return
			}
			t.Errorf("%s: row %d\ngot  %q\nwant %q", mode, i+1, got[i], want[i])
		}
	}
}
