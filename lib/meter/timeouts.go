package meter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Timeouts say when a flow ends. The names on the command line are softflowd's;
// a value of 0 takes the class out: RST and FIN then count as TCP, the classes of
// a protocol as General, and there is no active timeout.
type Timeouts struct {
	TCP     time.Duration // tcp: idle
	TCPRst  time.Duration // tcp.rst: idle after a RST
	TCPFin  time.Duration // tcp.fin: idle after FIN both ways
	UDP     time.Duration // udp: idle
	ICMP    time.Duration // icmp: idle, ICMPv6 too
	General time.Duration // general: idle, of all other protocols
	MaxLife time.Duration // maxlife: the active timeout

	// Interval (expint) gathers the export of idle flows at multiples of
	// itself. Where a flow is cut does not depend on it.
	Interval time.Duration
}

// Endless is longer than any flow.
const Endless = time.Duration(math.MaxInt64)

// linger is how long a TCP connection that has ended waits for its last packets.
const linger = 5 * time.Second

// DefaultTimeouts are those of "-e 300,60".
func DefaultTimeouts() Timeouts { return activeIdle(300*time.Second, 60*time.Second) }

// SoftflowdTimeouts are softflowd's defaults.
func SoftflowdTimeouts() Timeouts {
	return Timeouts{
		TCP: time.Hour, TCPRst: 2 * time.Minute, TCPFin: 5 * time.Minute,
		UDP: 5 * time.Minute, ICMP: 5 * time.Minute, General: time.Hour,
		MaxLife: 7 * 24 * time.Hour, Interval: time.Minute,
	}
}

func activeIdle(active, idle time.Duration) Timeouts {
	return Timeouts{
		TCP: idle, UDP: idle, ICMP: idle, General: idle,
		TCPRst: min(idle, linger), TCPFin: min(idle, linger), MaxLife: active,
	}
}

// ParseTimeouts applies an "active,idle" pair of seconds, unless it is empty,
// and then "name=time" settings to base.
func ParseTimeouts(base Timeouts, pair string, named []string) (Timeouts, error) {
	t := base
	if pair != "" {
		a, i, ok := strings.Cut(pair, ",")
		active, err := parseSpan(a)
		if !ok || err != nil || active == 0 {
			return base, fmt.Errorf("timeouts %q: want active,idle in seconds, such as 300,60", pair)
		}
		idle, err := parseSpan(i)
		if err != nil || idle == 0 {
			return base, fmt.Errorf("timeouts %q: want active,idle in seconds, such as 300,60", pair)
		}
		interval := t.Interval
		t = activeIdle(active, idle)
		t.Interval = interval
	}
	for _, s := range named {
		if err := t.set(s); err != nil {
			return base, err
		}
	}
	return t, nil
}

const timeoutNames = "tcp, tcp.rst, tcp.fin, udp, icmp, general, maxlife, expint"

func (t *Timeouts) set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("timeout %q: want name=time, with one of %s", s, timeoutNames)
	}
	var to *time.Duration
	switch strings.ToLower(name) {
	case "tcp":
		to = &t.TCP
	case "tcp.rst":
		to = &t.TCPRst
	case "tcp.fin":
		to = &t.TCPFin
	case "udp":
		to = &t.UDP
	case "icmp":
		to = &t.ICMP
	case "general":
		to = &t.General
	case "maxlife":
		to = &t.MaxLife
	case "expint":
		to = &t.Interval
	default:
		return fmt.Errorf("timeout %q: no such name, there are %s", s, timeoutNames)
	}
	d, err := parseSpan(value)
	if err != nil {
		return fmt.Errorf("timeout %q: %w", s, err)
	}
	if d == 0 && to == &t.General {
		return fmt.Errorf("timeout %q: must be above 0", s)
	}
	*to = d
	return nil
}

// maxSpan keeps sums of a time and a timeout far from overflow.
const maxSpan = 100 * 365 * 24 * time.Hour

// parseSpan reads "90", "1h30m", "2W": pieces are summed, a number alone is
// seconds.
func parseSpan(s string) (time.Duration, error) {
	if s == "" {
		return 0, fmt.Errorf("no time given")
	}
	var sum time.Duration
	for rest := s; rest != ""; {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		v, err := strconv.ParseUint(rest[:n], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is not a time such as 90, 5m or 1h30m", s)
		}
		unit := time.Second
		if n < len(rest) {
			switch rest[n] | 0x20 {
			case 's':
			case 'm':
				unit = time.Minute
			case 'h':
				unit = time.Hour
			case 'd':
				unit = 24 * time.Hour
			case 'w':
				unit = 7 * 24 * time.Hour
			default:
				return 0, fmt.Errorf("%q: unit %q is none of s, m, h, d, w", s, rest[n])
			}
			n++
		}
		if time.Duration(v) > maxSpan/unit {
			return 0, fmt.Errorf("%q is longer than 100 years", s)
		}
		if sum += time.Duration(v) * unit; sum > maxSpan {
			return 0, fmt.Errorf("%q is longer than 100 years", s)
		}
		rest = rest[n:]
	}
	return sum, nil
}

// class selects the idle timeout of an entry.
type class uint8

const (
	classTCP class = iota
	classRst
	classFin
	classUDP
	classICMP
	classGeneral
	classes
)

// limits are Timeouts with the fallbacks resolved.
type limits struct {
	idle     [classes]int64 // nanoseconds
	active   int64
	interval int64 // ticks, at least 1
}

func (t *Timeouts) limits() limits {
	general := bounded(t.General)
	pick := func(d time.Duration, otherwise int64) int64 {
		if d == 0 {
			return otherwise
		}
		return bounded(d)
	}
	l := limits{active: pick(t.MaxLife, int64(maxSpan)), interval: max(1, int64(t.Interval/tick))}
	tcp := pick(t.TCP, general)
	l.idle = [classes]int64{
		classTCP: tcp, classRst: pick(t.TCPRst, tcp), classFin: pick(t.TCPFin, tcp),
		classUDP: pick(t.UDP, general), classICMP: pick(t.ICMP, general), classGeneral: general,
	}
	return l
}

func bounded(d time.Duration) int64 { return int64(min(max(d, 1), maxSpan)) }
