//go:build !linux

package transport

import (
	"errors"
	"syscall"
)

var errNoDevice = errors.New("listening by the name of an interface is for Linux")

// control refuses what only Linux can do.
func (l local) control(_, _ string, _ syscall.RawConn) error {
	if l.device != "" {
		return errNoDevice
	}
	return nil
}
