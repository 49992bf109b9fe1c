package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nfpipe/lib/cli/clitest"
	"nfpipe/lib/flow"
	"nfpipe/lib/format"
	"nfpipe/lib/netflow"
	"nfpipe/lib/stream"
	"nfpipe/lib/transport"
)

const patience = 20 * time.Second

func nfexp(input string, args ...string) clitest.Result {
	return clitest.Run(run, "nfexp", input, args...)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// skip skips a test for want of something, unless nothing may be missing.
func skip(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("NFPIPE_REQUIRE") == "all" {
		t.Fatalf("missing: %s", what)
	}
	t.Skipf("missing: %s", what)
}

func needPrograms(t testing.TB, names ...string) {
	t.Helper()
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			skip(t, name+": make peers")
		}
	}
}

// receiver decodes what comes to an address.
type receiver struct {
	t       *testing.T
	at      netip.AddrPort
	mu      sync.Mutex
	from    map[string]*netflow.Exporter
	sink    *flow.Sink
	batches []*flow.Batch
	tables  []string
	n       int
	packets [][]byte
	close   func()
}

func (r *receiver) message(from string, addr netip.Addr, p []byte, reliable bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets = append(r.packets, slices.Clone(p))
	x := r.from[from]
	if x == nil {
		x = netflow.NewExporter(addr, netflow.Config{Sink: r.sink, Reliable: reliable,
			Table: func(name string, keys int, b *flow.Batch) { r.tables = append(r.tables, name) }})
		r.from[from] = x
	}
	if err := x.Decode(p, time.Now().UnixNano()); err != nil {
		r.t.Errorf("%s: %v", from, err)
	}
}

// receive listens on loopback.
func receive(t *testing.T, network, host string, o transport.StreamOptions) *receiver {
	t.Helper()
	r := &receiver{t: t, from: map[string]*netflow.Exporter{}}
	r.sink = flow.NewSink(flow.NewBuilder(), func(b *flow.Builder) *flow.Builder {
		r.batches = append(r.batches, b.Batch())
		r.n += b.Len()
		return flow.NewBuilder()
	})
	e := transport.Endpoint{Network: network, Host: host}
	done := make(chan struct{})
	if network == "udp" {
		u, err := transport.ListenUDP(e, transport.UDPOptions{})
		check(t, err)
		go func() {
			defer close(done)
			u.Receive(0, func(ps []transport.Packet) {
				for _, p := range ps {
					r.message(p.From.Addr().String(), p.From.Addr(), p.Data, false)
				}
			})
		}()
		r.at, r.close = u.Addr(), sync.OnceFunc(func() { u.Close(); <-done })
	} else {
		l, err := transport.Listen(e, o)
		check(t, err)
		go func() {
			defer close(done)
			l.Serve(transport.Handler{
				Open:    func(transport.Session) {},
				Message: func(m transport.Message) { r.message(fmt.Sprint(m.Session), m.From.Addr(), m.Data, true) },
				Close:   func(transport.Session, error) {},
				Refuse:  func(_ netip.AddrPort, err error) { t.Error(err) },
			})
		}()
		r.at, r.close = l.Addr(), sync.OnceFunc(func() { l.Close(); <-done })
	}
	t.Cleanup(r.close)
	return r
}

// wait waits for records and tells that none was lost on the way.
func (r *receiver) wait(n int) []*flow.Batch {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		r.sink.Flush()
		got := r.n
		r.mu.Unlock()
		if got >= n {
			break
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d records came, want %d", got, n)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for from, x := range r.from {
		if s := x.Stats; s.Gaps+s.Unknown+s.Bad+s.BadTemplates+s.Restarts+s.Held > 0 {
			r.t.Errorf("from %s: %+v", from, s)
		}
	}
	if r.n != n {
		r.t.Errorf("%d records came, want %d", r.n, n)
	}
	return r.batches
}

// table prints records as rows in order, in a format.
func table(t testing.TB, mode string, batches []*flow.Batch) []string {
	t.Helper()
	p, err := format.New(mode, format.Options{Location: time.UTC, Plain: true, Quiet: true, Full: true})
	check(t, err)
	var rows []string
	for _, b := range batches {
		text, err := p.Batch(nil, b, 0)
		check(t, err)
		rows = append(rows, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
	}
	return plain(rows)
}

// plain are rows whatever their columns' widths, in order.
func plain(rows []string) []string {
	var out []string
	for _, r := range rows {
		if words := strings.Fields(r); len(words) > 0 {
			out = append(out, strings.Join(words, " "))
		}
	}
	slices.Sort(out)
	return out
}

// batchesOf reads a stream.
func batchesOf(t testing.TB, s []byte) []*flow.Batch {
	t.Helper()
	var out []*flow.Batch
	r := stream.NewReader(strings.NewReader(string(s)), stream.Options{Name: "stream"})
	for {
		it, err := r.Next()
		if err != nil {
			return out
		}
		if it.Kind == stream.KindRecords {
			out = append(out, it.Batch)
		}
	}
}

// same compares rows.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	count := map[string]int{}
	for _, r := range want {
		count[r]++
	}
	shown := 0
	for _, r := range got {
		if count[r]--; count[r] < 0 && shown < 4 {
			t.Errorf("%s: not sent: %s", what, r)
			shown++
		}
	}
	for r, n := range count {
		if n > 0 && shown < 8 {
			t.Errorf("%s: did not come: %s", what, r)
			shown++
		}
	}
}

// metered is what nfpcap makes of a capture.
func metered(t testing.TB, args ...string) []byte {
	t.Helper()
	return command(t, append([]string{built(t, "nfpcap")}, args...)...)
}

// built is a tool of this project, built once for all tests.
func built(t testing.TB, tool string) string {
	t.Helper()
	dir, err := binaries()
	check(t, err)
	return filepath.Join(dir, tool)
}

var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "nfexp-test")
	if err != nil {
		return "", err
	}
	c := exec.Command("go", "build", "-o", dir, "../nfpcap", "../nfexp", "../nfcap")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := binaries(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// command runs a program to its end and returns what it prints.
func command(t testing.TB, words ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	var errors strings.Builder
	c.Stderr = &errors
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(words, " "), err, out, &errors)
	}
	return out
}

// certificates makes an authority that signs one certificate for 127.0.0.1.
func certificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "collector"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	check(t, err)
	text, err := x509.MarshalECPrivateKey(private)
	check(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	check(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text}), 0o600))
	return cert, cert, key
}

// lockedBuffer is what a program prints while a test looks at it.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
