package export

import "time"

// Pace is the most that goes to a destination; 0 is no bound.
type Pace struct {
	Messages float64 // a second
	Bits     float64 // a second
}

// DefaultPace is for packets of UDP.
var DefaultPace = Pace{Messages: 60_000}

const (
	maxBatch = 32                    // messages that go out together
	maxLag   = 20 * time.Millisecond // by which one who was held up may hurry after
)

// pacer spreads messages over time.
type pacer struct {
	Pace
	next time.Time // when the next message is due
}

// batch is how many messages may go out together: about a millisecond's.
func (p *pacer) batch() int {
	if p.Messages == 0 {
		return maxBatch
	}
	return int(min(max(p.Messages/1000, 1), maxBatch))
}

// delay takes messages into account that are about to go out, and says how long they have to
// wait.
func (p *pacer) delay(now time.Time, messages, bytes int) time.Duration {
	if p.Messages == 0 && p.Bits == 0 {
		return 0
	}
	if late := now.Add(-maxLag); p.next.Before(late) {
		p.next = late
	}
	wait := p.next.Sub(now)
	cost := 0.0
	if p.Messages > 0 {
		cost = float64(messages) / p.Messages
	}
	if p.Bits > 0 {
		cost = max(cost, 8*float64(bytes)/p.Bits)
	}
	p.next = p.next.Add(time.Duration(cost * float64(time.Second)))
	return max(wait, 0)
}
