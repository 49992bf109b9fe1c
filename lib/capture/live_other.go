//go:build !linux

package capture

import (
	"errors"
	"fmt"
	"runtime"

	"nfpipe/lib/packet"
)

// Live captures the packets of an interface, on Linux alone.
type Live struct{}

// OpenLive fails.
func OpenLive(c LiveConfig) (*Live, error) {
	return nil, fmt.Errorf("capture on %s: %w", c.Interface, errNoLive)
}

var errNoLive = errors.New("reading an interface is not there on " + runtime.GOOS + ", only on Linux")

// Index is 0.
func (l *Live) Index() int { return 0 }

// Stats is empty.
func (l *Live) Stats() LiveStats { return LiveStats{} }

// Close does nothing.
func (l *Live) Close() {}

// Feed fails.
func (l *Live) Feed(int, func([]packet.Packet, int64) error) (Counts, error) {
	return Counts{}, errNoLive
}
