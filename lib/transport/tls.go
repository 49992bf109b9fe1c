package transport

import (
	"crypto/tls"
	"errors"
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
		if c.ClientCAs, err = readAuthorities(t.ca); err != nil {
			return err
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	t.loaded.Store(c)
	return nil
}
