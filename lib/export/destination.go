package export

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"nfpipe/lib/netflow"
	"nfpipe/lib/transport"
)

// Stats counts what went to a destination.
type Stats struct {
	Target                   string
	Messages, Records, Bytes uint64 // taken by the network
	Announced                uint64 // of the messages, those with templates
	Dropped, DroppedRecords  uint64 // messages for which the queue had no room, or no time was left
	Failed, FailedRecords    uint64 // not taken by the network
	Refused                  uint64 // answers that nobody receives there
	Connects                 uint64
	Waiting                  uint64 // messages in the queue
	Up                       bool
	Err                      error // the latest
}

// destination is one receiver and what waits for it. put fills one queue while the other is
// sent.
type destination struct {
	Destination
	x     *Exporter
	again atomic.Bool // announce all again

	mu       sync.Mutex
	changed  sync.Cond // there is a message, or room, or closed is set
	queue    queue
	skipped  map[uint32]uint32 // by the domain, sequence numbers of what was dropped
	progress time.Time         // when a message was last taken, or put into an empty queue
	closed   bool
	full     bool // it was said that the queue has no room
	stats    Stats
	sender   *transport.Sender
	done     chan struct{}
	hurry    chan struct{} // closed with closed

	// What follows is of run alone.
	session *session
	pace    pacer
	pause   time.Duration
	packets []transport.Packet
	owners  []int // of the packets: the item, or -1
}

func newDestination(x *Exporter, to Destination) *destination {
	d := &destination{
		Destination: to, x: x, done: make(chan struct{}), hurry: make(chan struct{}),
		skipped: map[uint32]uint32{}, progress: time.Now(),
	}
	d.changed.L = &d.mu
	d.stats.Target = to.Endpoint.String()
	d.pace.Pace = x.config.Pace
	if d.pace.Pace == (Pace{}) && to.Network == "udp" && !x.config.Unpaced {
		d.pace.Pace = DefaultPace
	}
	return d
}

func (d *destination) isUp() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats.Up
}

// put copies a message into the queue, or drops it.
func (d *destination) put(m *netflow.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue.items) > 0 && d.queue.size()+itemSize+len(m.Data) > d.x.config.Queue/2 {
		left := stall - time.Since(d.progress)
		if d.x.config.Live || left <= 0 {
			d.drop(m)
			return
		}
		wake := time.AfterFunc(left, d.changed.Broadcast)
		d.changed.Wait()
		wake.Stop()
	}
	q := &d.queue
	if len(q.items) == 0 {
		d.progress = time.Now()
		d.changed.Broadcast()
	}
	d.full = false
	q.data = append(q.data, m.Data...)
	it := item{end: len(q.data), domain: m.Domain, records: uint32(m.Records), advance: m.Advance(), needs: m.Needs}
	if m.Exporter.IsValid() {
		it.from = netip.AddrPortFrom(m.Exporter, d.Port)
	}
	if len(d.skipped) > 0 {
		it.skipped = d.skipped[m.Domain]
		delete(d.skipped, m.Domain)
	}
	q.items = append(q.items, it)
}

// drop counts a message for which there is no room; d.mu is held.
func (d *destination) drop(m *netflow.Message) {
	d.stats.Dropped++
	d.stats.DroppedRecords += uint64(m.Records)
	d.skipped[m.Domain] += m.Advance()
	if !d.full {
		d.full = true
		d.x.config.Log(fmt.Sprintf("%s: too slow: messages are dropped", d.stats.Target))
	}
}

// finish says that nothing follows.
func (d *destination) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.progress = time.Now()
	close(d.hurry)
	d.changed.Broadcast()
}

// await waits until all is sent, or nothing is taken any more.
func (d *destination) await() {
	tick := time.NewTicker(stall / 10)
	defer tick.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-tick.C:
			d.mu.Lock()
			if d.sender != nil && time.Since(d.progress) > stall {
				d.sender.Hurry(0)
			}
			d.mu.Unlock()
		}
	}
}

// run sends until the destination is closed and its queue is empty.
func (d *destination) run() {
	defer close(d.done)
	defer d.disconnect()
	var sending queue
	for d.take(&sending) {
		for next := 0; next < len(sending.items); {
			if !d.connect() {
				d.lose(&sending, next)
				break
			}
			next = d.send(&sending, next)
		}
		sending.reset()
	}
}

// take waits for messages and swaps the queues.
func (d *destination) take(q *queue) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue.items) == 0 {
		if d.closed {
			return false
		}
		d.changed.Wait()
	}
	*q, d.queue = d.queue, *q
	d.changed.Broadcast()
	return true
}

// lose counts what is not sent before the end.
func (d *destination) lose(q *queue, next int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Dropped += uint64(len(q.items) - next)
	d.stats.DroppedRecords += q.records(next)
}

// send sends some of the messages from next on, and returns the first that remains.
func (d *destination) send(q *queue, next int) int {
	end, bytes := d.gather(q, next)
	if wait := d.pace.delay(time.Now(), len(d.packets), bytes); wait > 0 {
		time.Sleep(wait)
	}
	taken, err := d.sender.Send(d.packets)
	if d.Network != "udp" {
		return d.taken(q, next, taken, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress = time.Now()
	d.stats.Refused += uint64(taken.Refused)
	if err != nil && d.stats.Err == nil {
		d.x.config.Log(fmt.Sprintf("%s: %v", d.stats.Target, err))
	}
	if err != nil {
		d.stats.Err = err
	}
	if taken.Failed > 0 { // which ones is not known: the last
		d.stats.Failed += uint64(taken.Failed)
		for i := max(len(d.packets)-taken.Failed, 0); i < len(d.packets); i++ {
			if o := d.owners[i]; o >= 0 {
				d.stats.FailedRecords += uint64(q.items[o].records)
			}
		}
	}
	d.count(q, len(d.packets)-taken.Failed)
	return end
}

// count adds the first n packets to what was sent; d.mu is held.
func (d *destination) count(q *queue, n int) {
	for i := range max(n, 0) {
		d.stats.Messages++
		d.stats.Bytes += uint64(len(d.packets[i].Data))
		if o := d.owners[i]; o >= 0 {
			d.stats.Records += uint64(q.items[o].records)
		} else {
			d.stats.Announced++
		}
	}
}

// taken notes what a connection took, and ends it after an error.
func (d *destination) taken(q *queue, next int, taken transport.Taken, err error) int {
	for _, o := range d.owners[:taken.Sent] {
		next = max(next, o+1)
	}
	d.mu.Lock()
	d.count(q, taken.Sent)
	if taken.Sent > 0 {
		d.progress = time.Now()
	}
	d.mu.Unlock()
	if err != nil {
		d.disconnect()
		d.down(err)
	}
	return next
}

// gather makes packets of some messages, with what has to be announced before each.
func (d *destination) gather(q *queue, next int) (end, bytes int) {
	d.packets, d.owners = d.packets[:0], d.owners[:0]
	now := time.Now()
	if d.again.Swap(false) && d.session.repeats {
		d.session.forget()
	}
	most := d.pace.batch()
	for end = next; end < len(q.items) && len(d.packets) < most; end++ {
		m := &q.items[end]
		of := d.session.domain(m.domain)
		if m.skipped > 0 {
			of.sequence += m.skipped
			m.skipped = 0
		}
		data := q.at(end)
		if list := d.session.announce(of, m.needs, now); len(list) > 0 {
			for _, a := range d.x.encoder.Encoding.Announce(data, list) {
				a.SetSequence(of.sequence)
				of.sequence += a.Advance()
				bytes += d.add(a.Data, m.from, -1)
			}
		}
		netflow.SetSequence(data, of.sequence)
		of.sequence += m.advance
		bytes += d.add(data, m.from, end)
	}
	return end, bytes
}

func (d *destination) add(data []byte, from netip.AddrPort, owner int) int {
	d.packets = append(d.packets, transport.Packet{Data: data, From: from})
	d.owners = append(d.owners, owner)
	return len(data)
}

// The pauses between two tries to connect.
const (
	firstPause = time.Second / 2
	lastPause  = 30 * time.Second
)

// connect makes a connection if there is none, however long that takes. It gives up when the
// exporter has been closed and the destination is not there.
func (d *destination) connect() bool {
	for d.sender == nil {
		if d.gaveUp() {
			return false
		}
		select {
		case <-time.After(d.pause):
		case <-d.hurry:
			if d.gaveUp() {
				return false
			}
			time.Sleep(firstPause / 5)
		}
		s, err := transport.Dial(context.Background(), d.Endpoint, d.Options)
		if err != nil {
			d.down(err)
			continue
		}
		d.connected(s)
		d.x.config.Log(fmt.Sprintf("%s: connected again", d.stats.Target))
	}
	return true
}

// gaveUp tells that nothing has been taken for too long since the exporter was closed.
func (d *destination) gaveUp() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed && time.Since(d.progress) > stall
}

func (d *destination) connected(s *transport.Sender) {
	d.session = newSession(d.Network == "udp")
	d.pause = 0
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sender, d.stats.Up = s, true
	d.progress = time.Now()
	d.stats.Connects++
}

// down notes why there is no connection, and says so the first time.
func (d *destination) down(err error) {
	d.pause = min(max(2*d.pause, firstPause), lastPause)
	d.mu.Lock()
	defer d.mu.Unlock()
	said := d.stats.Err != nil && !d.stats.Up && d.stats.Err.Error() == err.Error()
	d.stats.Err, d.stats.Up = err, false
	if !said {
		d.x.config.Log(fmt.Sprintf("%s: %v; trying again", d.stats.Target, strings.TrimPrefix(err.Error(), d.stats.Target+": ")))
	}
}

func (d *destination) disconnect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sender != nil {
		d.sender.Close()
		d.sender = nil
	}
	d.stats.Up = false
}
