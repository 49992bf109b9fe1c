package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// tlsFiles are the files of a TLS endpoint and what was read from them.
type tlsFiles struct {
	cert, key, ca string
	loaded        atomic.Pointer[tls.Config]
}

// config is for the next connection.
func (t *tlsFiles) config() *tls.Config { return t.loaded.Load() }

// load reads the files. After an error nothing has changed.
func (t *tlsFiles) load() error {
	if t.cert == "" || t.key == "" {
		return errors.New("TLS needs a certificate and a key")
	}
	pair, err := tls.LoadX509KeyPair(t.cert, t.key)
	if err != nil {
		return err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if t.ca != "" {
		text, err := os.ReadFile(t.ca)
		if err != nil {
			return err
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("%s: no certificate in PEM", t.ca)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	t.loaded.Store(c)
	return nil
}
