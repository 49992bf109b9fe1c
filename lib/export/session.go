package export

import (
	"time"

	"nfpipe/lib/netflow"
)

// How often templates are sent again over UDP: after so many messages of their domain, or so
// long, whichever comes first.
const (
	repeatMessages = 512
	repeatTime     = time.Minute
)

// session is what a receiver was told: over UDP ever, else since its connection was made.
type session struct {
	repeats bool
	domains map[uint32]*told
}

// told is what was said of an observation domain.
type told struct {
	sequence uint32 // of the next message
	needs    []*netflow.Announcement
	order    []string // keys, as they came first
	inForce  map[string]*netflow.Announcement
	messages int // since all was announced
	at       time.Time
}

func newSession(repeats bool) *session {
	return &session{repeats, map[uint32]*told{}}
}

func (s *session) domain(id uint32) *told {
	d := s.domains[id]
	if d == nil {
		d = &told{inForce: map[string]*netflow.Announcement{}}
		s.domains[id] = d
	}
	return d
}

// announce lists what has to be sent before a message of the domain that needs what it says.
func (s *session) announce(d *told, needs []*netflow.Announcement, now time.Time) []*netflow.Announcement {
	var list []*netflow.Announcement
	if !same(needs, d.needs) {
		for _, a := range needs {
			old, known := d.inForce[a.Key]
			if old == a {
				continue
			}
			if !known {
				d.order = append(d.order, a.Key)
			}
			d.inForce[a.Key] = a
			list = append(list, a)
		}
		d.needs = needs
	}
	if d.at.IsZero() {
		d.at = now
	}
	if s.repeats && (d.messages >= repeatMessages || now.Sub(d.at) >= repeatTime) {
		list = list[:0]
		for _, key := range d.order {
			list = append(list, d.inForce[key])
		}
		d.messages, d.at = 0, now
	}
	d.messages++
	return list
}

// forget makes all announcements of all domains due again.
func (s *session) forget() {
	for _, d := range s.domains {
		d.messages = repeatMessages
	}
}

// same tells that two lists are one, without looking into them.
func same(a, b []*netflow.Announcement) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
