package meter

import (
	"strings"
	"testing"
	"time"
)

func TestParseTimeouts(t *testing.T) {
	with := func(f func(*Timeouts)) Timeouts {
		d := DefaultTimeouts()
		f(&d)
		return d
	}
	for _, c := range []struct {
		pair  string
		named string
		want  Timeouts
	}{
		{"", "", DefaultTimeouts()},
		{"300,60", "", DefaultTimeouts()},
		{"8,3", "", Timeouts{TCP: 3e9, UDP: 3e9, ICMP: 3e9, General: 3e9, TCPRst: 3e9, TCPFin: 3e9, MaxLife: 8e9}},
		{"", "tcp=20", with(func(t *Timeouts) { t.TCP = 20e9 })},
		{"", "tcp.rst=1h30m", with(func(t *Timeouts) { t.TCPRst = 90 * time.Minute })},
		{"", "TCP.FIN=10S", with(func(t *Timeouts) { t.TCPFin = 10e9 })},
		{"", "udp=1d udp=2m5", with(func(t *Timeouts) { t.UDP = 125e9 })},
		{"", "icmp=0 maxlife=1w expint=60", with(func(t *Timeouts) { t.ICMP, t.MaxLife, t.Interval = 0, 7*24*time.Hour, time.Minute })},
		{"100,10", "general=10s", with(func(t *Timeouts) {
			*t = activeIdle(100e9, 10e9)
			t.General = 10e9
		})},
	} {
		got, err := ParseTimeouts(DefaultTimeouts(), c.pair, strings.Fields(c.named))
		if err != nil || got != c.want {
			t.Errorf("-e %q -t %q: %+v, error %v; want %+v", c.pair, c.named, got, err, c.want)
		}
	}
	for _, c := range []struct{ pair, named string }{
		{"300", ""}, {"0,60", ""}, {"60,0", ""}, {"a,b", ""}, {",", ""}, {"1,2,3", ""},
		{"", "20"}, {"", "tcp"}, {"", "tcp="}, {"", "foo=3"}, {"", "tcp=3x"}, {"", "tcp=-3"}, {"", "tcp=h"},
		{"", "general=0"}, {"", "tcp=99999999999"}, {"", "tcp=9999999w"}, {"", "tcp=4000w4000w"}, {"", "tcp=1 m"},
	} {
		var named []string
		if c.named != "" {
			named = []string{c.named}
		}
		if got, err := ParseTimeouts(DefaultTimeouts(), c.pair, named); err == nil || got != DefaultTimeouts() {
			t.Errorf("-e %q -t %q: %+v, error %v; want an error and the base", c.pair, c.named, got, err)
		}
	}
}

func TestFallbacks(t *testing.T) {
	l := (&Timeouts{General: 100e9}).limits()
	for c := range classes {
		if l.idle[c] != 100e9 {
			t.Errorf("class %d: idle %d, want general's", c, l.idle[c])
		}
	}
	l = (&Timeouts{General: 100e9, TCP: 50e9, TCPFin: 2e9}).limits()
	if l.idle[classRst] != 50e9 || l.idle[classFin] != 2e9 || l.idle[classUDP] != 100e9 {
		t.Errorf("idle %v: RST should have tcp's, FIN its own, UDP general's", l.idle)
	}
}
