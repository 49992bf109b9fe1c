package collect

import (
	"net/netip"
	"sync"
)

// limiter lets a few messages pass in a while.
type limiter struct {
	most  int // 0: limitMessages
	mu    sync.Mutex
	since int64
	n     int
}

const (
	limitMessages = 3    // about one thing
	limitErrors   = 30   // about packets of all senders
	limitWhile    = 30e9 // nanoseconds
)

func (l *limiter) allow(now int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now-l.since > limitWhile || now < l.since {
		l.since, l.n = now, 0
	}
	l.n++
	most := l.most
	if most == 0 {
		most = limitMessages
	}
	return l.n <= most
}

// once lets a message about each of a few senders pass in a while.
type once struct {
	mu    sync.Mutex
	since int64
	told  map[netip.Addr]bool
}

func (o *once) first(a netip.Addr, now int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told == nil || now-o.since > limitWhile || now < o.since {
		o.since, o.told = now, map[netip.Addr]bool{}
	}
	if o.told[a] || len(o.told) >= limitErrors {
		return false
	}
	o.told[a] = true
	return true
}
