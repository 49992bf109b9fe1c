package capture_test

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"nfpipe/lib/capture"
)

// order is a byte order that can also append.
type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

var orders = []order{binary.LittleEndian, binary.BigEndian}

// pcapHeader is a file header with link type Ethernet.
func pcapHeader(o order, magic uint32, major, minor uint16) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, major)
	b = o.AppendUint16(b, minor)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, 65535)
	return o.AppendUint32(b, 1)
}

func pcapRecord(o order, b []byte, sec, frac, n, orig uint32, data []byte) []byte {
	for _, v := range []uint32{sec, frac, n, orig} {
		b = o.AppendUint32(b, v)
	}
	return append(b, data...)
}

func block(o order, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	n := uint32(len(body) + 12)
	b := o.AppendUint32(nil, kind)
	b = o.AppendUint32(b, n)
	b = append(b, body...)
	return o.AppendUint32(b, n)
}

func section(o order) []byte {
	b := o.AppendUint32(nil, 0x1a2b3c4d)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint64(b, ^uint64(0))
	return block(o, 0x0a0d0d0a, b)
}

func option(o order, code uint16, value ...byte) []byte {
	b := o.AppendUint16(nil, code)
	b = o.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func interfaceBlock(o order, link uint16, snap uint32, options ...[]byte) []byte {
	b := o.AppendUint16(nil, link)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint32(b, snap)
	for _, opt := range options {
		b = append(b, opt...)
	}
	return block(o, 1, b)
}

func enhanced(o order, id uint32, time uint64, orig uint32, data string) []byte {
	b := o.AppendUint32(nil, id)
	b = o.AppendUint32(b, uint32(time>>32))
	b = o.AppendUint32(b, uint32(time))
	b = o.AppendUint32(b, uint32(len(data)))
	b = o.AppendUint32(b, orig)
	return block(o, 6, append(b, data...))
}

func simple(o order, orig uint32, data string) []byte {
	return block(o, 3, append(o.AppendUint32(nil, orig), data...))
}

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// all reads a capture whole; the packets' data is copied.
func all(in io.Reader) ([]capture.Packet, error) {
	r, err := capture.NewReader(in)
	if err != nil {
		return nil, err
	}
	var list []capture.Packet
	for {
		var p capture.Packet
		if err := r.Next(&p); err != nil {
			if again := r.Next(&p); again != err {
				return list, errors.New("the second error is another")
			}
			if err == io.EOF {
				err = nil
			}
			return list, err
		}
		p.Data = append([]byte(nil), p.Data...)
		list = append(list, p)
	}
}

func check(t *testing.T, name string, got, want []capture.Packet) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d packets, want %d", name, len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.Time != w.Time || string(g.Data) != string(w.Data) || g.OrigLen != w.OrigLen ||
			g.LinkType != w.LinkType || g.Interface != w.Interface {
			t.Errorf("%s: packet %d is %+v, want %+v", name, i, g, w)
		}
	}
}
