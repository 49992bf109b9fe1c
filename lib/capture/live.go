package capture

// Defaults and bounds of a LiveConfig.
const (
	DefaultSnaplen = 256
	DefaultBuffer  = 64 << 20
	MaxSnaplen     = 1 << 16
	maxWorkers     = 4
)

// LiveConfig says what to capture and how.
type LiveConfig struct {
	Interface     string // its name, or "any" for all of them
	NoPromiscuous bool   // only what is for this host
	Snaplen       int    // bytes of a packet that are looked at; 0: DefaultSnaplen
	Buffer        int    // memory of all rings; 0: DefaultBuffer
	Workers       int    // rings, each with a goroutine; 0: one a processor, at most 4
}

// LiveStats is what the kernel tells of a capture.
type LiveStats struct {
	Packets uint64 // that came, Drops among them
	Drops   uint64 // for which the rings had no room
	Freezes uint64 // times that a ring was full
}

func (c *LiveConfig) defaults(processors int) {
	if c.Snaplen <= 0 {
		c.Snaplen = DefaultSnaplen
	}
	c.Snaplen = min(c.Snaplen, MaxSnaplen)
	if c.Buffer <= 0 {
		c.Buffer = DefaultBuffer
	}
	if c.Workers <= 0 {
		c.Workers = min(processors, maxWorkers)
	}
}
