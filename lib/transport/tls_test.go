package transport

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
	"strings"
	"testing"
	"time"
)

// authority signs certificates for the test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its own certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), name+".pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, key := sign(t, template, template, nil)
	a.key = key
	a.cert, _ = x509.ParseCertificate(der)
	write(t, a.file, "CERTIFICATE", der)
	return a
}

// sign makes a key and a certificate for it; without a parent's key it signs itself.
func sign(t *testing.T, template, parent *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// issue makes a certificate for 127.0.0.1, to listen and to connect with.
func (a *authority) issue(t *testing.T, serial int64) (cert, key string) {
	t.Helper()
	der, private := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "exporter"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, a.key)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, "CERTIFICATE", der)
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, "EC PRIVATE KEY", text)
	return cert, key
}

func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// client trusts a and, if it has a certificate of by, shows it.
func (a *authority) client(t *testing.T, by *authority) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1"}
	c.RootCAs.AddCert(a.cert)
	if by != nil {
		pair, err := tls.LoadX509KeyPair(by.issue(t, 7))
		if err != nil {
			t.Fatal(err)
		}
		// as a peer of bad will does, it shows what the server did not ask for
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}

var tlsEndpoint = Endpoint{Network: "tls", Host: "127.0.0.1"}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	cert, key := ours.issue(t, 2)
	for _, c := range []struct {
		name   string
		ca     string
		by     *authority
		change func(*tls.Config)
		refuse string
	}{
		{name: "no client certificate wanted"},
		{name: "client certificate not wanted", by: theirs},
		{name: "client certificate", ca: ours.file, by: ours},
		{name: "missing client certificate", ca: ours.file, refuse: "didn't provide a certificate"},
		{name: "unknown client certificate", ca: ours.file, by: theirs, refuse: "certificate"},
		{name: "TLS 1.2", change: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }},
		{name: "TLS 1.1", change: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, refuse: "version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, g := serve(t, tlsEndpoint, StreamOptions{Cert: cert, Key: key, ClientCA: c.ca})
			config := ours.client(t, c.by)
			if c.change != nil {
				c.change(config)
			}
			sent := [][]byte{message(16, 1), message(65535, 2), message(1400, 3)}
			conn, err := tls.Dial("tcp", l.Addr().String(), config)
			if err == nil {
				for _, m := range sent {
					conn.Write(m)
				}
				conn.Close()
			}
			if c.refuse != "" {
				select {
				case e := <-g.events:
					if !strings.HasPrefix(e, "refuse tls 127.0.0.1:") || !strings.Contains(e, "TLS handshake") || !strings.Contains(e, c.refuse) {
						t.Errorf("event %q, want %q", e, c.refuse)
					}
				case <-time.After(5 * time.Second):
					t.Error("the client was not refused")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			g.want(t, "open", "close <nil>")
			if got := g.all(t); !equal(got, sent) {
				t.Errorf("%d messages, want %d", len(got), len(sent))
			}
		})
	}
}

// TestTLSHandshake has peers that do not speak TLS.
func TestTLSHandshake(t *testing.T) {
	ours := newAuthority(t, "ours")
	cert, key := ours.issue(t, 2)
	l, g := serve(t, tlsEndpoint, StreamOptions{Cert: cert, Key: key, HandshakeTimeout: 200 * time.Millisecond})
	silent := dial(t, l)
	if !ended(silent) {
		t.Error("the connection stays open")
	}
	g.want(t, fmt.Sprintf("refuse tls %s: TLS handshake: ", silent.LocalAddr()))
	plain := dial(t, l)
	plain.Write(message(100, 0))
	g.want(t, fmt.Sprintf("refuse tls %s: TLS handshake: tls: first record does not look like", plain.LocalAddr()))
	closing := dial(t, l)
	closing.Write([]byte{0x16})
	start := time.Now()
	l.Close()
	if !ended(closing) || time.Since(start) > time.Second {
		t.Errorf("a handshake goes on after Close")
	}
}

func TestTLSReload(t *testing.T) {
	ours := newAuthority(t, "ours")
	cert, key := ours.issue(t, 2)
	l, _ := serve(t, tlsEndpoint, StreamOptions{Cert: cert, Key: key})
	serial := func() int64 {
		c, err := tls.Dial("tcp", l.Addr().String(), ours.client(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	newCert, newKey := ours.issue(t, 3)
	if err := os.Rename(newCert, cert); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err == nil {
		t.Error("a certificate was taken with another's key")
	}
	if n := serial(); n != 2 {
		t.Errorf("certificate %d after a Reload that failed, want 2", n)
	}
	if err := os.Rename(newKey, key); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err != nil {
		t.Error(err)
	}
	if n := serial(); n != 3 {
		t.Errorf("certificate %d after Reload, want 3", n)
	}
}
