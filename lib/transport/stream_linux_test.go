package transport

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
)

// TestTCPAllAddresses listens on all addresses, of one family, and of an interface.
func TestTCPAllAddresses(t *testing.T) {
	inNetwork(t, "link add va type veth peer name vb", "link set va up", "link set vb up", "addr add 10.9.0.1/24 dev va")
	addresses := append([]netip.Addr{netip.MustParseAddr("10.9.0.1")}, loopbacks...)
	for _, c := range []struct {
		family Family
		host   string
		want   [3]bool // of the addresses
	}{
		{AnyFamily, "", [3]bool{true, true, true}},
		{IPv4, "", [3]bool{true, true, false}},
		{IPv6, "", [3]bool{false, false, true}},
		{AnyFamily, "lo", [3]bool{false, true, true}},
		{AnyFamily, "va", [3]bool{true, false, false}},
		{IPv4, "::ffff:127.0.0.1", [3]bool{false, true, false}},
	} {
		l, g := serve(t, Endpoint{Network: "tcp", Host: c.host, Family: c.family}, StreamOptions{})
		for i, a := range addresses {
			conn, err := net.Dial("tcp", net.JoinHostPort(a.String(), strconv.Itoa(int(l.Addr().Port()))))
			if (err == nil) != c.want[i] {
				t.Errorf("%s on %q: connecting to %s: %v", c.family, c.host, a, err)
			}
			if err == nil {
				conn.Close()
				g.want(t, "open", "close")
			}
		}
	}
}
