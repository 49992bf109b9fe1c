package transport

import "testing"

func TestParseEndpoint(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Endpoint
		err  bool
	}{
		{in: "2055", want: Endpoint{Network: "udp", Port: 2055}},
		{in: ":2055", want: Endpoint{Network: "udp", Port: 2055}},
		{in: "10.1.2.3:2055", want: Endpoint{Network: "udp", Host: "10.1.2.3", Port: 2055}},
		{in: "10.1.2.3", want: Endpoint{Network: "udp", Host: "10.1.2.3", Port: 9995}},
		{in: "eth0", want: Endpoint{Network: "udp", Host: "eth0", Port: 9995}},
		{in: "udp://[::1]:2055", want: Endpoint{Network: "udp", Host: "::1", Port: 2055}},
		{in: "udp://::1", want: Endpoint{Network: "udp", Host: "::1", Port: 9995}},
		{in: "udp://[fe80::1%25eth0]", want: Endpoint{Network: "udp", Host: "fe80::1%eth0", Port: 9995}},
		{in: "udp://[fe80::1%eth0]:1", want: Endpoint{Network: "udp", Host: "fe80::1%eth0", Port: 1}},
		{in: "udp://2055", want: Endpoint{Network: "udp", Port: 2055}},
		{in: "tcp://:4739", want: Endpoint{Network: "tcp", Port: 4739}},
		{in: "tcp://", want: Endpoint{Network: "tcp", Port: 4739}},
		{in: "tls://:4740", want: Endpoint{Network: "tls", Port: 4740}},
		{in: "tls://collector.example", want: Endpoint{Network: "tls", Host: "collector.example", Port: 4740}},
		{in: "sctp://:4739", want: Endpoint{Network: "sctp", Port: 4739}},
		{in: "sctp://[2001:db8::1]", want: Endpoint{Network: "sctp", Host: "2001:db8::1", Port: 4739}},
		{in: "tcp://:0", want: Endpoint{Network: "tcp", Port: 0}},
		{in: "", want: Endpoint{Network: "udp", Port: 9995}},
		{in: "http://:80", err: true},
		{in: "tcp://:65536", err: true},
		{in: "70000", err: true},
		{in: "tcp://:", err: true},
		{in: "tcp://:-1", err: true},
		{in: "tcp://host:4739/x", err: true},
		{in: "udp://[::1", err: true},
		{in: "udp://[::1]2055", err: true},
		{in: "udp://[10.0.0.1]:2055", err: true},
		{in: "udp://[]:2055", err: true},
		{in: "a:b:c", err: true},
		{in: "]:1", err: true},
	} {
		got, err := ParseEndpoint(c.in)
		if (err != nil) != c.err || got != c.want {
			t.Errorf("ParseEndpoint(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
			continue
		}
		if err == nil {
			if again, err := ParseEndpoint(got.String()); err != nil || again != got {
				t.Errorf("ParseEndpoint(%q).String() = %q, which reads as %+v, %v", c.in, got, again, err)
			}
		}
	}
}

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		in   string
		host string
		port uint16
	}{
		{"10.0.0.1", "10.0.0.1", 9995},
		{"10.0.0.1:2055", "10.0.0.1", 2055},
		{"10.0.0.1/2055", "10.0.0.1", 2055},
		{"host.example/2055", "host.example", 2055},
		{"host.example:2055", "host.example", 2055},
		{"[2001:db8::1]:2055", "2001:db8::1", 2055},
		{"[2001:db8::1]", "2001:db8::1", 9995},
		{"2001:db8::1", "2001:db8::1", 9995},
		{"2001:db8::1/2055", "2001:db8::1", 2055},
		{"[2001:db8::1]/2055", "2001:db8::1", 2055},
		{"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
		{"", "", 0}, {":2055", "", 0}, {"/2055", "", 0}, {"host:0", "", 0}, {"host/", "", 0},
		{"host:", "", 0}, {"host/x", "", 0}, {"host/1/2", "", 0}, {"[::1", "", 0}, {"host:99999", "", 0},
	} {
		host, port, err := ParseTarget(c.in)
		if (err != nil) != (c.host == "") || host != c.host || port != c.port {
			t.Errorf("ParseTarget(%q) = %q, %d, %v; want %q, %d", c.in, host, port, err, c.host, c.port)
		}
	}
}

func TestLocal(t *testing.T) {
	for _, c := range []struct {
		host   string
		family Family
		want   string
		err    bool
	}{
		{"", AnyFamily, "invalid IP", false},
		{"127.0.0.1", AnyFamily, "127.0.0.1", false},
		{"127.0.0.1", IPv6, "", true},
		{"::1", IPv4, "", true},
		{"::ffff:127.0.0.1", IPv4, "127.0.0.1", false},
		{"no such host", AnyFamily, "", true},
	} {
		l, err := Endpoint{Host: c.host, Family: c.family}.local()
		if (err != nil) != c.err || err == nil && l.addr.String() != c.want {
			t.Errorf("%q, %s: %v, %v; want %s", c.host, c.family, l.addr, err, c.want)
		}
	}
}
