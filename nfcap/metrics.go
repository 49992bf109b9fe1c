package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"nfpipe/lib/collect"
	"nfpipe/lib/flow"
	"nfpipe/lib/transport"
)

// listenMetrics opens the address of --metrics, if it was given.
func (r *runner) listenMetrics() (net.Listener, error) {
	if r.metricsAt == "" {
		return nil, nil
	}
	at := r.metricsAt
	if !strings.Contains(at, ":") {
		at = ":" + at
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	return l, nil
}

// serveMetrics serves what the collector counts to Prometheus, and /healthz. Labels are sources,
// protocols and the targets of -R only: what a sender can make up is none.
func (r *runner) serveMetrics(l net.Listener, c *collect.Collector, in input) (stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		writeMetrics(w, c.Counts(), in.drops())
		writeRelays(w, in.targets())
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Health(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	go server.Serve(l)
	return func() { server.Close() }
}

func writeMetrics(w io.Writer, all collect.Counts, drops uint64) {
	metrics.WriteCounterUint64(w, "nfcap_packets_total", all.Packets)
	metrics.WriteCounterUint64(w, "nfcap_refused_packets_total", all.Refused)
	metrics.WriteCounterUint64(w, "nfcap_kernel_dropped_packets_total", drops)
	metrics.WriteCounterUint64(w, "nfcap_refused_templates_total", all.BadTemplates)
	metrics.WriteCounterUint64(w, "nfcap_redefined_templates_total", all.Redefined)
	metrics.WriteGaugeUint64(w, "nfcap_exporters", uint64(all.Exporters))
	each := func(name string, of func(*collect.SourceCounts) uint64) {
		for i := range all.Sources {
			s := &all.Sources[i]
			metrics.WriteCounterUint64(w, fmt.Sprintf("nfcap_%s_total{source=%q}", name, s.Ident), of(s))
		}
	}
	each("stored_frames", func(s *collect.SourceCounts) uint64 { return s.Frames })
	each("stored_records", func(s *collect.SourceCounts) uint64 { return s.Totals.Records })
	each("not_stored_records", func(s *collect.SourceCounts) uint64 { return s.Failed + s.Dropped })
	each("bad_packets", func(s *collect.SourceCounts) uint64 { return s.Bad })
	each("sequence_errors", func(s *collect.SourceCounts) uint64 { return s.Gaps })
	each("lost", func(s *collect.SourceCounts) uint64 { return s.Lost })
	each("sets_without_template", func(s *collect.SourceCounts) uint64 { return s.Unknown })
	eachProto := func(name string, of func(*collect.SourceCounts) *[flow.Classes]uint64) {
		for i := range all.Sources {
			for p, n := range of(&all.Sources[i]) {
				proto := [flow.Classes]string{flow.TCP: "tcp", flow.UDP: "udp", flow.ICMP: "icmp", flow.Other: "other"}[p]
				metrics.WriteCounterUint64(w, fmt.Sprintf("nfcap_%s_total{source=%q,proto=%q}", name, all.Sources[i].Ident, proto), n)
			}
		}
	}
	eachProto("stored_flows", func(s *collect.SourceCounts) *[flow.Classes]uint64 { return &s.Totals.Flows })
	eachProto("stored_flow_packets", func(s *collect.SourceCounts) *[flow.Classes]uint64 { return &s.Totals.Packets })
	eachProto("stored_flow_bytes", func(s *collect.SourceCounts) *[flow.Classes]uint64 { return &s.Totals.Bytes })
}

// writeRelays tells what became of packets for each target of -R.
func writeRelays(w io.Writer, all []transport.RelayStats) {
	each := func(name string, of func(*transport.RelayStats) uint64) {
		for i := range all {
			metrics.WriteCounterUint64(w, fmt.Sprintf("nfcap_relay_%s_packets_total{target=%q}", name, all[i].Target), of(&all[i]))
		}
	}
	each("sent", func(s *transport.RelayStats) uint64 { return s.Sent })
	each("dropped", func(s *transport.RelayStats) uint64 { return s.Dropped })
	each("failed", func(s *transport.RelayStats) uint64 { return s.Failed })
}
