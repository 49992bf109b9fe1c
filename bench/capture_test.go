package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// TestCapture decodes the packets by a library that had no part in writing them.
func TestCapture(t *testing.T) {
	const n = 200_000
	name := filepath.Join(t.TempDir(), "packets.pcap")
	stats, err := WriteCapture(name, 1, n)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		net, transport gopacket.Flow
		proto          gopacket.LayerType
	}
	flows := map[key]bool{}
	var packets, octets, v6, longer uint64
	var last uint64
	le := binary.LittleEndian
	for rest := file[24:]; len(rest) > 0; {
		packets++
		at := uint64(le.Uint32(rest))*1e6 + uint64(le.Uint32(rest[4:]))
		kept, length := le.Uint32(rest[8:]), le.Uint32(rest[12:])
		if at < last {
			t.Fatalf("packet %d goes back in time", packets)
		}
		last = at
		if length > kept {
			longer++
		}
		p := gopacket.NewPacket(rest[16:16+kept], layers.LayerTypeEthernet, gopacket.NoCopy)
		rest = rest[16+kept:]
		switch ip := p.NetworkLayer().(type) {
		case *layers.IPv4:
			octets += uint64(ip.Length)
		case *layers.IPv6:
			octets += uint64(ip.Length) + 40
			v6++
		default:
			t.Fatalf("packet %d has no network layer: %v", packets, p)
		}
		if p.TransportLayer() == nil {
			t.Fatalf("packet %d has no transport layer: %v", packets, p)
		}
		flows[key{p.NetworkLayer().NetworkFlow(), p.TransportLayer().TransportFlow(), p.TransportLayer().LayerType()}] = true
	}
	if packets != n || packets != stats.Packets || octets != stats.Octets {
		t.Errorf("%d packets and %d octets, want %d and %d", packets, octets, stats.Packets, stats.Octets)
	}
	// A repeated question may use the port of an earlier one.
	if have := uint64(len(flows)); have > stats.Flows || have < stats.Flows*98/100 {
		t.Errorf("%d flows, the writer says %d", have, stats.Flows)
	}
	for _, c := range []struct {
		what           string
		have, from, to float64
	}{
		{"octets a packet on disk", float64(len(file)) / n, 92, 108},
		{"packets a flow", n / float64(stats.Flows), 8, 13},
		{"IPv6 share", float64(v6) / n, 0.08, 0.2},
		{"share of packets that were cut", float64(longer) / n, 0.3, 0.8},
	} {
		if c.have < c.from || c.have > c.to {
			t.Errorf("%s: %.2f, want %.2f to %.2f", c.what, c.have, c.from, c.to)
		}
	}
}

func TestCaptureIsDeterministic(t *testing.T) {
	var files [2][]byte
	for i := range files {
		name := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if _, err := WriteCapture(name, 9, 20_000); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	if string(files[0]) != string(files[1]) {
		t.Error("the same seed gave two captures")
	}
}

// TestCapturePeer: nfpcapd finds the same packets and octets.
func TestCapturePeer(t *testing.T) {
	needPeer(t, "nfpcapd")
	needPeer(t, "nfdump")
	dir := t.TempDir()
	name := filepath.Join(dir, "packets")
	stats, err := WriteCapture(name, 4, 50_000)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o777); err != nil {
		t.Fatal(err)
	}
	peerOutput(t, "nfpcapd", "-r", name, "-w", out)
	info := peerOutput(t, "nfdump", "-I", "-R", out)
	for _, want := range []string{fmt.Sprintf("Packets: %d\n", stats.Packets), fmt.Sprintf("Bytes: %d\n", stats.Octets)} {
		if !strings.Contains(info, want) {
			t.Errorf("nfpcapd's file lacks %q:\n%s", want, info)
		}
	}
}
