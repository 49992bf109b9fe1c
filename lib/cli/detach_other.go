//go:build !unix

package cli

import "errors"

// Detach is not to be had on this system; see the documentation for Unix.
func (e *Env) Detach() (ready func() error, ok bool) {
	e.Error(errors.New("detach: not possible on this system"))
	return nil, false
}
