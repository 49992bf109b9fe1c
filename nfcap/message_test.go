package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"
)

// Every record that the tests send has a number, which is its source address from 10.0.0.0 on
// and, the lower half of it, its source port: so what was lost and what came twice is known.

var wire = binary.BigEndian

const (
	firstAddress = 10 << 24
	perPacket    = 30 // records of NetFlow v5
)

// booted is how long the exporters of the tests are up, in milliseconds.
const booted = 3_600_000

// v5 is a packet of NetFlow v5 with n records numbered from first on.
func v5(seq, first uint32, n int) []byte {
	p := make([]byte, 24, 24+48*n)
	wire.PutUint16(p, 5)
	wire.PutUint16(p[2:], uint16(n))
	wire.PutUint32(p[4:], booted)
	wire.PutUint32(p[8:], uint32(time.Now().Unix()))
	wire.PutUint32(p[16:], seq)
	for i := range n {
		number := first + uint32(i)
		r := make([]byte, 48)
		wire.PutUint32(r, firstAddress+number)
		wire.PutUint32(r[4:], 0xc0000201)
		wire.PutUint32(r[16:], 1)
		wire.PutUint32(r[20:], 40)
		wire.PutUint32(r[24:], booted-1000)
		wire.PutUint32(r[28:], booted)
		wire.PutUint16(r[32:], uint16(number))
		wire.PutUint16(r[34:], 53)
		r[38] = 17
		p = append(p, r...)
	}
	return p
}

// field is an element of a template and its length.
type field struct{ id, length uint16 }

// numbered is the template of data.
var numbered = []field{{8, 4}, {12, 4}, {7, 2}, {11, 2}, {4, 1}, {2, 4}, {1, 4}}

// data are n records of the template numbered.
func data(first uint32, n int) []byte {
	var b []byte
	for i := range n {
		number := first + uint32(i)
		b = wire.AppendUint32(b, firstAddress+number)
		b = wire.AppendUint32(b, 0xc0000201)
		b = wire.AppendUint16(b, uint16(number))
		b = wire.AppendUint16(b, 53)
		b = append(b, 17)
		b = wire.AppendUint32(b, 1)
		b = wire.AppendUint32(b, 40)
	}
	return b
}

// template is the body of a template set with one template.
func template(id uint16, fields []field) []byte {
	b := wire.AppendUint16(nil, id)
	b = wire.AppendUint16(b, uint16(len(fields)))
	for _, f := range fields {
		b = wire.AppendUint16(b, f.id)
		b = wire.AppendUint16(b, f.length)
	}
	return b
}

// set puts the head of a set before its body, and padding behind it.
func set(id uint16, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	b := wire.AppendUint16(nil, id)
	b = wire.AppendUint16(b, uint16(4+len(body)))
	return append(b, body...)
}

// v9 is a packet of NetFlow v9 from an exporter that is up for some milliseconds.
func v9(uptime, seq uint32, sets ...[]byte) []byte {
	p := make([]byte, 20)
	wire.PutUint16(p, 9)
	wire.PutUint16(p[2:], uint16(len(sets)))
	wire.PutUint32(p[4:], uptime)
	wire.PutUint32(p[8:], uint32(time.Now().Unix()))
	wire.PutUint32(p[12:], seq)
	for _, s := range sets {
		p = append(p, s...)
	}
	return p
}

// ipfix is an IPFIX message of an observation domain.
func ipfix(seq, domain uint32, sets ...[]byte) []byte {
	p := make([]byte, 16)
	wire.PutUint16(p, 10)
	wire.PutUint32(p[4:], uint32(time.Now().Unix()))
	wire.PutUint32(p[8:], seq)
	wire.PutUint32(p[12:], domain)
	for _, s := range sets {
		p = append(p, s...)
	}
	wire.PutUint16(p[2:], uint16(len(p)))
	return p
}

// sender is an exporter of NetFlow v5 whose records are numbered.
type sender struct {
	t    testing.TB
	conn net.Conn
	next uint32 // number of the next record
	seq  uint32
}

// exporter sends to a process from an address of loopback; "" is 127.0.0.1.
func exporter(t testing.TB, to *process, from string) *sender {
	t.Helper()
	if from == "" {
		from = "127.0.0.1"
	}
	return &sender{t: t, conn: dial(t, fmt.Sprintf("127.0.0.1:%d", to.port), from)}
}

// dial makes a UDP socket from an address to another.
func dial(t testing.TB, to, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("udp", to)
	check(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// raw sends a packet. An error is about the one before it, which nobody received: then this one
// has not been sent.
func (s *sender) raw(p []byte) {
	if _, err := s.conn.Write(p); err != nil {
		s.conn.Write(p)
	}
}

// send sends so many packets at a rate that no receiver has trouble with.
func (s *sender) send(packets int) {
	for i := range packets {
		s.raw(v5(s.seq, s.next, perPacket))
		s.next += perPacket
		s.seq += perPacket
		if i%20 == 19 {
			time.Sleep(time.Millisecond)
		}
	}
}

// load sends a packet every 100 µs or so until the returned function is called, which tells how
// many records there were.
func (s *sender) load() (stop func() uint32) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
			}
			s.send(20)
			time.Sleep(time.Millisecond)
		}
	}()
	return func() uint32 {
		close(quit)
		<-done
		return s.next
	}
}
