package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A template, and what options data say, hold over a restart: data alone are decoded, until the
// template is too old or the exporter was started anew.
func TestTemplatesOverRestart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		args    []string
		wait    time.Duration
		uptime  uint32 // after the restart; before it 1,000,000
		decoded int    // records of the ten
	}{
		{"within its lifetime", nil, 0, 1_001_000, 10},
		{"too old", []string{"--template-lifetime", "1s"}, 1100 * time.Millisecond, 1_002_000, 0},
		{"the exporter was started anew", nil, 0, 5000, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			port := freePort(t)
			p := launch{port: port}.start(t, "-l", dir, "-t", "86400", "-w")
			s := exporter(t, p, "")
			s.raw(v9(1_000_000, 7, set(0, template(300, numbered)), set(300, data(0, 5))))
			p.awaits("nfcap_packets_total", 1)
			p.well()
			time.Sleep(c.wait)
			p = launch{port: port}.start(t, append(c.args, "-l", dir, "-t", "86400", "-w")...)
			s.raw(v9(c.uptime, 8, set(300, data(5, 10))))
			p.awaits("nfcap_packets_total", 1)
			p.well()
			got := stored(t, dir)
			got.complete(t)
			if len(got.numbers) != 5+c.decoded {
				t.Errorf("%d records, want 5 and %d", len(got.numbers), c.decoded)
			}
		})
	}
}

// After a kill as well, when the state had been written before.
func TestTemplatesOverKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := freePort(t)
	p := launch{port: port}.start(t, "-l", dir, "-t", "86400", "-w")
	s := exporter(t, p, "")
	s.raw(v9(1_000_000, 7, set(0, template(300, numbered)), set(300, data(0, 5))))
	p.awaits("nfcap_packets_total", 1)
	p.signal(syscall.SIGHUP)
	state := filepath.Join(dir, stateName)
	eventually(t, "the state is written", func() bool { _, err := os.Stat(state); return err == nil })
	p.kill()
	p = launch{port: port}.start(t, "-l", dir, "-t", "86400", "-w")
	s.raw(v9(1_000_500, 8, set(300, data(5, 10))))
	p.awaits("nfcap_packets_total", 1)
	p.well()
	got := stored(t, dir)
	missing, double, _ := tally(got.numbers, 15)
	if len(double) > 0 || len(missing) > 5 || len(missing) > 0 && missing[len(missing)-1] > 4 {
		t.Errorf("missing %v, double %v", missing, double)
	}
	if names := residents(t, dir, stateName); len(names) != 1 {
		t.Errorf("state files %q", names)
	}
}

// A state file that is no such thing costs what it would have said, and no more.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]string{
		"empty": "", "cut off": `{"version":1,"exporters":[{"addr`, "of another version": `{"version":99}`,
		"hostile": `{"version":1,"exporters":[{"address":"127.0.0.1","domains":[{"version":9,"domain":0,"templates":[{"id":300,"scope":-5,"fields":[[0,8,70000],[1,2,3]]}]}]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			check(t, os.WriteFile(filepath.Join(dir, stateName), []byte(state), 0o666))
			p := start(t, "-l", dir)
			s := exporter(t, p, "")
			s.raw(v9(1_000_000, 7, set(0, template(300, numbered)), set(300, data(0, 5))))
			p.awaits("nfcap_packets_total", 1)
			p.well()
			got := stored(t, dir)
			got.once(t, 5)
		})
	}
}

// Names of interfaces that an exporter announced are in every file, also in those of a later run.
func TestNamesOverRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options := big16(301, 4, 8, 1, 4, 10, 4, 82, 8) // scope: system; interface and its name
	row := append(big32(1, 7), "ge-0/0/7"...)
	p := start(t, "-l", dir)
	s := exporter(t, p, "")
	s.raw(v9(1_000_000, 7, set(1, options), set(301, row)))
	p.awaits("nfcap_packets_total", 1)
	p.well()
	first := stored(t, dir)
	later := t.TempDir()
	check(t, os.Rename(filepath.Join(dir, stateName), filepath.Join(later, stateName)))
	p = start(t, "-l", later)
	p.well()
	second := stored(t, later)
	for i, c := range []content{first, second} {
		n := 0
		for _, name := range c.tables {
			if name == "interfaces" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("run %d: tables %q, want that of interfaces", i, c.tables)
		}
	}
}

func big16(words ...uint16) (b []byte) {
	for _, w := range words {
		b = wire.AppendUint16(b, w)
	}
	return b
}

func big32(words ...uint32) (b []byte) {
	for _, w := range words {
		b = wire.AppendUint32(b, w)
	}
	return b
}

// Templates of a session are its own, and end with it or when they are withdrawn.
func TestSessions(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "tls"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			dir, port := t.TempDir(), freePort(t)
			at := fmt.Sprintf("127.0.0.1:%d", port)
			args := []string{"-l", dir, "--listen", network + "://" + at}
			connect := func() (net.Conn, error) { return net.Dial("tcp", at) }
			if network == "tls" {
				ca, pool := authority(t)
				own := ca.issue(t, "collector")
				args = append(args, "--tls-cert", own.cert, "--tls-key", own.key, "--tls-ca", ca.cert)
				client := ca.issue(t, "router")
				pair, err := tls.LoadX509KeyPair(client.cert, client.key)
				check(t, err)
				config := &tls.Config{RootCAs: pool, ServerName: "collector", Certificates: []tls.Certificate{pair}}
				connect = func() (net.Conn, error) { return tls.Dial("tcp", at, config) }
			}
			p := launch{bare: true}.start(t, args...)
			open := func() net.Conn {
				c, err := connect()
				check(t, err)
				t.Cleanup(func() { c.Close() })
				return c
			}
			write := func(c net.Conn, m []byte) {
				_, err := c.Write(m)
				check(t, err)
			}
			a, b := open(), open()
			// one id, two templates: the second has the fields in another order
			swapped := []field{{12, 4}, {8, 4}, {7, 2}, {11, 2}, {4, 1}, {2, 4}, {1, 4}}
			other := data(10, 5)
			for r := other; len(r) > 0; r = r[21:] {
				for i := range 4 {
					r[i], r[4+i] = r[4+i], r[i]
				}
			}
			write(a, ipfix(0, 1, set(2, template(300, numbered))))
			write(b, ipfix(0, 1, set(2, template(300, swapped)), set(300, other)))
			write(a, ipfix(0, 1, set(300, data(0, 10))))
			p.awaits("nfcap_packets_total", 3)
			// a withdrawal, and data that no template is there for
			write(a, ipfix(10, 1, set(2, template(300, nil))))
			write(a, ipfix(10, 1, set(300, data(50, 5))))
			// the other session is not concerned
			for r := other; len(r) > 0; r = r[21:] {
				n := wire.Uint32(r[4:]) + 5
				wire.PutUint32(r[4:], n)
				wire.PutUint16(r[8:], uint16(n))
			}
			write(b, ipfix(5, 1, set(300, other)))
			p.awaits("nfcap_packets_total", 6)
			// messages in pieces
			last := open()
			whole := append(ipfix(0, 1, set(2, template(300, numbered))), ipfix(0, 1, set(300, data(20, 10)))...)
			for ; len(whole) > 0; whole = whole[min(len(whole), 13):] {
				write(last, whole[:min(len(whole), 13)])
			}
			p.awaits("nfcap_packets_total", 8)
			if n := p.metric("nfcap_sets_without_template_total"); n != 1 {
				t.Errorf("%d sets without a template, want 1", n)
			}
			// a session begins without templates
			a.Close()
			a = open()
			write(a, ipfix(0, 1, set(300, data(60, 5))))
			p.awaits("nfcap_sets_without_template_total", 2)
			p.well()
			got := stored(t, dir)
			got.once(t, 30)
			got.complete(t)
		})
	}
}

// Who has no certificate of the authority is refused.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freePort(t)
	at := fmt.Sprintf("127.0.0.1:%d", port)
	ca, pool := authority(t)
	own := ca.issue(t, "collector")
	p := launch{bare: true}.start(t, "-l", dir, "--listen", "tls://"+at, "--tls-cert", own.cert, "--tls-key", own.key, "--tls-ca", ca.cert)
	stranger, _ := authority(t)
	cert := stranger.issue(t, "router")
	pair, err := tls.LoadX509KeyPair(cert.cert, cert.key)
	check(t, err)
	for _, certificates := range [][]tls.Certificate{nil, {pair}} {
		c, err := tls.Dial("tcp", at, &tls.Config{RootCAs: pool, ServerName: "collector", Certificates: certificates})
		if err == nil { // TLS 1.3 tells the client later
			c.Write(ipfix(0, 1, set(2, template(300, numbered)), set(300, data(0, 5))))
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("a stranger got an answer")
			}
			c.Close()
		}
	}
	p.well()
	p.says("refused: tls 127.0.0.1:", "certificate")
	if got := stored(t, dir); len(got.numbers) > 0 {
		t.Errorf("%d records of strangers were stored", len(got.numbers))
	}
}

// pemFiles are the files of a certificate and its key.
type pemFiles struct {
	cert, key string
	parent    *x509.Certificate
	signer    *ecdsa.PrivateKey
}

// authority makes a certificate authority of its own.
func authority(t testing.TB) (pemFiles, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	self := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	f := pemFiles{parent: self, signer: key}.sign(t, self, key)
	pool := x509.NewCertPool()
	b, err := os.ReadFile(f.cert)
	check(t, err)
	pool.AppendCertsFromPEM(b)
	return f, pool
}

// issue makes a certificate for a name.
func (f pemFiles) issue(t testing.TB, name string) pemFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return f.sign(t, &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, key)
}

func (f pemFiles) sign(t testing.TB, c *x509.Certificate, key *ecdsa.PrivateKey) pemFiles {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, f.parent, &key.PublicKey, f.signer)
	check(t, err)
	secret, err := x509.MarshalECPrivateKey(key)
	check(t, err)
	dir := t.TempDir()
	out := pemFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), f.parent, f.signer}
	check(t, os.WriteFile(out.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(out.key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600))
	return out
}
