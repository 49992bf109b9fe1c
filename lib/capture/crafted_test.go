package capture_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nfpipe/lib/capture"
	"nfpipe/lib/meter"
	"nfpipe/lib/packet"
)

const crafted = "../../testdata/crafted"

// epoch is when all crafted captures begin.
const epoch = 1_700_000_000e9

// show writes a direction as
//
//	protocol source>destination packets/bytes first-last (ms) [what is not zero] end reason
func show(r *meter.Record) []string {
	one := func(src, dst [16]byte, sport, dport uint16, d *meter.Direction, l *meter.Labels) string {
		ip := func(a [16]byte) netip.Addr {
			if r.Family == 4 {
				return netip.AddrFrom4([4]byte(a[:4]))
			}
			return netip.AddrFrom16(a)
		}
		var b strings.Builder
		if sport|dport != 0 {
			fmt.Fprintf(&b, "%d %v>%v", r.Proto, netip.AddrPortFrom(ip(src), sport), netip.AddrPortFrom(ip(dst), dport))
		} else {
			fmt.Fprintf(&b, "%d %v>%v", r.Proto, ip(src), ip(dst))
		}
		if r.Proto == packet.ProtoICMP || r.Proto == packet.ProtoICMPv6 {
			fmt.Fprintf(&b, " type %d.%d", r.ICMPType, r.ICMPCode)
		}
		fmt.Fprintf(&b, " %d/%d %d-%d", d.Packets, d.Bytes, (d.First-epoch)/1e6, (d.Last-epoch)/1e6)
		for _, f := range []struct {
			name  string
			value uint64
		}{
			{"flags", uint64(d.TCPFlags)}, {"tos", uint64(d.TOS)}, {"frag", uint64(d.Fragments)},
			{"vlan", uint64(d.VLAN[0])}, {"inner", uint64(d.VLAN[1])},
		} {
			if f.value != 0 {
				fmt.Fprintf(&b, " %s %#x", f.name, f.value)
			}
		}
		for _, v := range l.Label[:l.Depth] {
			fmt.Fprintf(&b, " mpls %d", v>>4)
		}
		return fmt.Sprintf("%s end %d", b.String(), r.End)
	}
	list := []string{one(r.Src, r.Dst, r.SrcPort, r.DstPort, &r.Direction, &r.Labels)}
	if r.Biflow && r.Reverse.Packets > 0 {
		list = append(list, "reverse "+one(r.Dst, r.Src, r.DstPort, r.SrcPort, &r.Reverse, &r.ReverseLabels))
	}
	return list
}

// run meters a crafted capture.
func run(t *testing.T, name string, c meter.Config, decap int) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(crafted, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	r, err := capture.NewReader(in)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var list []string
	m := meter.New(c, func(r *meter.Record) { list = append(list, show(r)...) })
	_, err = capture.Feed(r, &packet.Parser{Decap: decap}, func(p []packet.Packet) error {
		m.Add(p)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	m.Flush()
	return list
}

func compare(t *testing.T, name string, got, want []string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("%s: got\n%s\nwant\n%s", name, g, w)
	}
}

// TestCrafted has the truth of all captures: what their packets say by hand.
func TestCrafted(t *testing.T) {
	for _, c := range truth {
		compare(t, c.name, run(t, c.name, meter.Config{}, 0), c.want)
	}
}

func TestHundredFlows(t *testing.T) {
	list := run(t, "33_100flows.pcap", meter.Config{}, 0)
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprintf("17 10.1.0.%d:%d>10.2.0.1:9 1/128 %d-%d end 4", i+1, 1000+i, i*10, i*10))
	}
	compare(t, "33_100flows", list, want)
}

// TestTruthIsWhole holds that every crafted capture is in a test.
func TestTruthIsWhole(t *testing.T) {
	have := map[string]bool{"33_100flows.pcap": true}
	for _, c := range truth {
		have[c.name] = true
	}
	files, err := filepath.Glob(filepath.Join(crafted, "[0-9]*"))
	if err != nil || len(files) < 38 {
		t.Fatalf("%d captures in %s, error %v", len(files), crafted, err)
	}
	for _, f := range files {
		if !have[filepath.Base(f)] {
			t.Errorf("%s is in no test", f)
		}
	}
}

func TestCraftedOptions(t *testing.T) {
	for _, c := range []struct {
		name   string
		file   string
		config meter.Config
		decap  int
		want   []string
	}{
		{"biflow", "01_tcp_fin.pcap", meter.Config{Biflow: true}, 0, []string{
			"6 10.0.0.1:40001>10.0.0.2:80 6/340 0-90 flags 0x1b tos 0xb8 end 3",
			"reverse 6 10.0.0.2:80>10.0.0.1:40001 4/1160 10-80 flags 0x1b tos 0x28 end 3"}},
		{"biflow of one address", "24_selfaddr.pcap", meter.Config{Biflow: true}, 0, []string{
			"17 127.0.0.1:1111>127.0.0.1:2222 1/38 0-0 end 4",
			"reverse 17 127.0.0.1:2222>127.0.0.1:1111 1/48 1000-1000 end 4"}},
		{"by VLAN", "13_vlan.pcap", meter.Config{Track: meter.TrackVLAN}, 0, []string{
			"17 10.0.0.1:5004>10.0.0.2:6004 1/128 0-0 vlan 0x64 end 4",
			"17 10.0.0.2:6004>10.0.0.1:5004 1/228 1000-1000 vlan 0x64 end 4",
			"17 10.0.0.1:5004>10.0.0.2:6004 1/128 2000-2000 vlan 0xc8 end 4"}},
		{"by MAC", "13_vlan.pcap", meter.Config{Track: meter.TrackEther, Biflow: true}, 0, []string{
			"17 10.0.0.1:5004>10.0.0.2:6004 1/128 0-0 vlan 0x64 end 4",
			"reverse 17 10.0.0.2:6004>10.0.0.1:5004 1/228 1000-1000 vlan 0x64 end 4",
			"17 10.0.0.1:5004>10.0.0.2:6004 1/128 2000-2000 vlan 0xc8 end 4"}},
		{"by address", "22_otherproto.pcap", meter.Config{Track: meter.TrackIP}, 0, []string{
			"0 10.0.0.1>10.0.0.2 3/232 0-3000 end 4",
			"0 10.0.0.2>10.0.0.1 1/80 2000-2000 end 4",
			"0 10.0.0.1>224.0.0.5 1/64 4000-4000 end 4",
			"0 10.0.0.1>224.0.0.22 1/36 5000-5000 end 4"}},
		{"by protocol", "08_ip4_frag.pcap", meter.Config{Track: meter.TrackProto}, 0, []string{
			"17 10.0.0.1>10.0.0.2 3/4068 0-2 frag 0x6 end 4"}},
		{"inner", "17_tunnels.pcap", meter.Config{}, packet.MaxDecap, []string{
			"17 192.168.1.1:5010>192.168.1.2:6010 4/512 0-4000 end 4",
			"17 [2001:db8::1]:5011>[2001:db8::2]:6011 1/148 1000-1000 end 4"}},
		{"endless", "06_udp_long_1000s.pcap", meter.Config{Timeouts: meter.Timeouts{General: meter.Endless}}, 0, []string{
			"17 10.0.0.1:5000>10.0.0.2:6000 201/25728 0-1000000 end 4"}},
		{"filter", "08_ip4_frag.pcap", meter.Config{Filter: func(p *packet.Packet) bool { return p.DstPort == 6001 }}, 0, []string{
			"17 10.0.0.1:5001>10.0.0.2:6001 3/4068 0-2 frag 0x6 end 4"}},
		{"filter none", "08_ip4_frag.pcap", meter.Config{Filter: func(p *packet.Packet) bool { return p.DstPort != 6001 }}, 0, nil},
	} {
		compare(t, c.name, run(t, c.file, c.config, c.decap), c.want)
	}
}
