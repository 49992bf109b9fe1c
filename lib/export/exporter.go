package export

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"nfpipe/lib/flow"
	"nfpipe/lib/netflow"
	"nfpipe/lib/transport"
)

// Config says what is sent, and where to.
type Config struct {
	Encoding     netflow.Encoding // Size 0: what the way to all destinations carries
	Destinations []Destination
	InTurn       bool // each message goes to one destination, to the next one that is there
	Live         bool // the source cannot wait
	Pace         Pace // of each destination; zero: DefaultPace over UDP, none else
	Unpaced      bool // no pace over UDP either
	Queue        int  // bytes that may wait for each destination; 0: 16 MiB
	Log          func(string)
}

// Destination is a receiver, and how to reach it.
type Destination struct {
	transport.Endpoint
	Options transport.SendOptions
}

const (
	defaultQueue = 16 << 20
	maxUDP       = 1400  // bytes of a message over UDP: room for a tunnel in an Ethernet frame
	maxStream    = 16384 // over a connection
)

// stall is how long a destination may take nothing before it is not waited for any more.
var stall = 5 * time.Second // a test changes it

// Exporter sends records.
type Exporter struct {
	config       Config
	encoder      *netflow.Encoder
	destinations []*destination
	turn         int
}

// New opens the ways to the destinations. One that is not there now is tried again later; one
// that cannot be, such as a host without an address, is an error.
func New(c Config) (*Exporter, error) {
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	if c.Log == nil {
		c.Log = func(string) {}
	}
	if len(c.Destinations) == 0 {
		return nil, errors.New("no destination")
	}
	x := &Exporter{config: c}
	size := maxStream
	for _, to := range c.Destinations {
		d := newDestination(x, to)
		x.destinations = append(x.destinations, d)
		s, err := transport.Dial(context.Background(), to.Endpoint, to.Options)
		switch {
		case err == nil:
			d.connected(s)
			size = min(size, s.Longest())
		case mayPass(err):
			d.down(err)
		default:
			x.abandon()
			return nil, err
		}
		if to.Network == "udp" {
			size = min(size, maxUDP)
		}
	}
	if c.Encoding.Size == 0 {
		x.config.Encoding.Size = size
	}
	var err error
	if x.encoder, err = netflow.NewEncoder(x.config.Encoding); err != nil {
		x.abandon()
		return nil, err
	}
	for _, d := range x.destinations {
		go d.run()
	}
	return x, nil
}

// mayPass tells that an error is of a receiver that may come back.
func mayPass(err error) bool {
	for _, e := range []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.EHOSTDOWN, syscall.ENETDOWN, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// abandon closes what New has opened.
func (x *Exporter) abandon() {
	for _, d := range x.destinations {
		d.disconnect()
	}
}

// Write sends the selected records of a batch. What is wrong with the batch is an error that
// wraps column.ErrCorrupt; what becomes of messages, Stats tells.
func (x *Exporter) Write(b *flow.Batch) error {
	return x.encoder.Encode(b, time.Now().UnixNano(), x.put)
}

// Table announces the rows of a side table.
func (x *Exporter) Table(name string, keys int, b *flow.Batch) error {
	return x.encoder.Table(name, keys, b)
}

func (x *Exporter) put(m *netflow.Message) error {
	if !x.config.InTurn {
		for _, d := range x.destinations {
			d.put(m)
		}
		return nil
	}
	for range x.destinations {
		x.turn = (x.turn + 1) % len(x.destinations)
		if x.destinations[x.turn].isUp() {
			break
		}
	}
	x.destinations[x.turn].put(m)
	return nil
}

// Repeat announces templates again, with the next message of each domain.
func (x *Exporter) Repeat() {
	for _, d := range x.destinations {
		d.again.Store(true)
	}
}

// Encoded counts what was encoded, and what a version cannot carry.
func (x *Exporter) Encoded() netflow.EncoderStats { return x.encoder.Stats() }

// Stats tells of all destinations, in their order. Any goroutine may ask.
func (x *Exporter) Stats() []Stats {
	var all []Stats
	for _, d := range x.destinations {
		d.mu.Lock()
		s := d.stats
		s.Waiting = uint64(len(d.queue.items))
		d.mu.Unlock()
		all = append(all, s)
	}
	return all
}

// Close sends what waits, while destinations take it, and closes all. That something could not
// be sent, now or earlier, is an error.
func (x *Exporter) Close() error {
	for _, d := range x.destinations {
		d.finish()
	}
	var errs []error
	for _, d := range x.destinations {
		d.await()
		if s := d.stats; s.Dropped+s.Failed > 0 {
			err := fmt.Errorf("%s: %d records in %d messages could not be sent", s.Target, s.DroppedRecords+s.FailedRecords, s.Dropped+s.Failed)
			if s.Err != nil {
				err = fmt.Errorf("%w: %w", err, s.Err)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
